//! Ctrl-C, where something must not be left half done: a file beside the one that is written, the lock of writers. Everywhere
//! else a signal ends the program at once, as it does by itself.

use std::io::{self, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::failure::Failure;

/// Whoever waits longer for the end is told what for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of signals.
struct Known {
    /// A thread hears of them.
    is_heard: bool,
    /// How many things are protected at present.
    protected: usize,
    /// The one that came meanwhile.
    came: Option<i32>,
}

static KNOWN: Mutex<Known> = Mutex::new(Known { is_heard: false, protected: 0, came: None });
static ARRIVED: Condvar = Condvar::new();

/// As long as this is there, the first Ctrl-C only asks for an end; a second one ends the program all the same.
pub struct Protected(());

impl Protected {
    /// From now on.
    pub fn begin() -> Result<Self, Failure> {
        let mut known = known();
        if !known.is_heard {
            let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(Failure::Output)?;
            let hear = move || signals.forever().for_each(arrived);
            std::thread::Builder::new().name("signals".to_owned()).spawn(hear).map_err(Failure::Output)?;
            known.is_heard = true;
        }
        known.protected += 1;
        Ok(Self(()))
    }

    /// Whether the end is wanted.
    pub fn is_end_wanted(&self) -> bool {
        known().came.is_some()
    }

    /// Waits until the end is wanted, so long at most; whether it is.
    pub fn wait(&self, most: Duration) -> bool {
        let waited = ARRIVED.wait_timeout_while(known(), most, |known| known.came.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.came.is_some()
    }
}

/// Nothing is half done any more: what was asked for meanwhile happens now.
impl Drop for Protected {
    fn drop(&mut self) {
        let mut known = known();
        known.protected -= 1;
        if let (0, Some(signal)) = (known.protected, known.came) {
            end(signal);
        }
    }
}

/// Nobody panics while it is held.
fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn arrived(signal: i32) {
    let mut known = known();
    if known.protected == 0 || known.came.is_some() {
        end(signal);
    }
    known.came = Some(signal);
    ARRIVED.notify_all();
    drop(known);
    // Without a thread it goes on untold.
    let _ = std::thread::Builder::new().name("ending".to_owned()).spawn(tell_of_it);
}

fn tell_of_it() {
    std::thread::sleep(PATIENCE);
    if known().protected > 0 {
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(io::stderr(), "ending; Ctrl-C again ends it at once");
    }
}

/// As if nobody had heard of the signal: the program ends by it, which shells call 130.
fn end(signal: i32) {
    // It does not return for signals that end a program.
    let _ = emulate_default_handler(signal);
}
