//! Ends, from another thread, what a thread waits for at a socket. A thread that is told to stop while it reads or connects
//! would notice only when its wait is over. Depends on `sync` of `model`.

use std::fmt;
use std::io;
use std::sync::{Mutex, Weak};

use crate::model::lock;

/// Something that a thread may wait for.
pub trait Breakable: Send + Sync {
    /// Ends a wait for it that goes on now, and every later one.
    fn break_off(&self);
}

/// What one thread waits for, for another one that wants it to stop. Pulled once, it stays pulled.
#[derive(Default)]
pub struct Leash {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    is_pulled: bool,
    /// Weak: what is closed meanwhile must not be kept open.
    waited_for: Vec<Weak<dyn Breakable>>,
}

impl Leash {
    /// From here on this is what the thread waits for, beside what it waited for before, unless that is gone. An error after
    /// the leash was pulled.
    pub fn hold(&self, waited_for: Weak<dyn Breakable>) -> io::Result<()> {
        let mut held = lock(&self.held);
        held.check()?;
        held.waited_for.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&waited_for));
        held.waited_for.push(waited_for);
        Ok(())
    }

    /// An error after the leash was pulled: for what cannot be ended once it has begun, the lookup of a name for example.
    pub fn check(&self) -> io::Result<()> {
        lock(&self.held).check()
    }

    /// Ends what the thread waits for. Never blocks.
    pub fn pull(&self) {
        let mut held = lock(&self.held);
        held.is_pulled = true;
        for waited_for in std::mem::take(&mut held.waited_for).iter().filter_map(Weak::upgrade) {
            waited_for.break_off();
        }
    }
}

impl Held {
    fn check(&self) -> io::Result<()> {
        if self.is_pulled {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the client is being closed"));
        }
        Ok(())
    }
}

impl fmt::Debug for Leash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leash").finish_non_exhaustive()
    }
}
