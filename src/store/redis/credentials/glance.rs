//! Looks at a file that may never be read: on a mount whose server is gone, a read ends when that comes back, and nothing ends it
//! before. So one thread at a time looks, and whoever wants to know waits for it, for a moment; while one hangs, nobody waits.
//! Where nobody lends a thread, whoever wants to know looks by himself.
//!
//! Atomics only, because it outlives a fork. Depends on nothing.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{
    AtomicBool, AtomicU32, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};
use std::thread;
use std::time::{Duration, Instant};

/// A file is waited for so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// It mostly takes less than this.
const MOMENT: Duration = Duration::from_micros(200);

/// One look.
pub type Look = Box<dyn FnOnce() + Send>;
/// Runs a look on a thread of its own.
pub type Lender = fn(Look) -> io::Result<()>;

/// Whether somebody looks.
#[derive(Debug, Default)]
pub struct Glance {
    lender: OnceLock<Lender>,
    /// The process in which somebody does; 0: nobody. A forked child has inherited the number and not the thread.
    looking: AtomicU32,
    /// It takes longer than anybody waits for.
    is_late: AtomicBool,
}

impl Glance {
    /// From here on threads are lent.
    pub fn set_lender(&self, lender: Lender) {
        self.lender.get_or_init(|| lender);
    }

    /// Runs `look`, unless one goes on already, and waits for it. `look` has to call [`Glance::end`]. An error, for people, where
    /// it takes too long.
    pub fn look(&self, look: Look) -> Result<(), String> {
        let begun = match self.lender.get() {
            _ if !self.begin() => Ok(()),
            Some(lend) => lend(look),
            None => {
                look();
                Ok(())
            }
        };
        if let Err(error) = begun {
            self.end();
            return Err(format!("there is no thread to read it: {error}"));
        }
        self.wait()
    }

    fn begin(&self) -> bool {
        let (here, known) = (std::process::id(), self.looking.load(Acquire));
        let begins = known != here && self.looking.compare_exchange(known, here, AcqRel, Relaxed).is_ok();
        if begins && known != 0 {
            // What took too long did so in the parent.
            self.is_late.store(false, Relaxed);
        }
        begins
    }

    /// Nobody looks any more.
    pub fn end(&self) {
        // Before the next one begins, which may answer in time.
        self.is_late.store(false, Relaxed);
        self.looking.store(0, Release);
    }

    fn wait(&self) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        while self.looking.load(Acquire) == std::process::id() {
            if self.is_late.load(Relaxed) || Instant::now() >= until {
                self.is_late.store(true, Relaxed);
                return Err("it does not answer".to_owned());
            }
            thread::sleep(MOMENT);
        }
        Ok(())
    }
}
