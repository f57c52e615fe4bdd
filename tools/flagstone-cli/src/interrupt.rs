//! Ctrl-C, where something must not be left half done: a file beside the one that is written, the lock of writers, a bar on the
//! terminal. Everywhere else a signal ends the program at once, as it does by itself. What whoever started it wants ignored, as
//! `nohup` does and a shell that leaves it in the background, stays ignored.

use std::io::{self, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::failure::Failure;

/// Whoever waits longer for the end is told what for.
const PATIENCE: Duration = Duration::from_secs(1);

/// What somebody ends a program by.
const ENDING: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// What is known of signals.
struct Known {
    /// A thread hears of them.
    is_heard: bool,
    /// How many things are protected at present.
    protected: usize,
    /// How many lines of the terminal are drawn at present that are not to stay.
    drawn: usize,
    /// The one that came meanwhile.
    came: Option<i32>,
}

static KNOWN: Mutex<Known> = Mutex::new(Known { is_heard: false, protected: 0, drawn: 0, came: None });
static ARRIVED: Condvar = Condvar::new();

/// As long as this is there, the first Ctrl-C only asks for an end; a second one ends the program all the same.
pub struct Protected(());

impl Protected {
    /// From now on.
    pub fn begin() -> Result<Self, Failure> {
        let mut known = known();
        known.hear().map_err(Failure::Output)?;
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
            end(signal, &known);
        }
    }
}

/// As long as this is there, the line at which standard error stands is cleared before a signal ends the program.
pub struct Drawn(());

impl Drawn {
    /// From now on. Where nothing can be heard, the line stays.
    pub fn begin() -> Self {
        let mut known = known();
        let _ = known.hear();
        known.drawn += 1;
        Self(())
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        known().drawn -= 1;
    }
}

impl Known {
    /// Signals are heard, but for those that are ignored.
    fn hear(&mut self) -> io::Result<()> {
        if self.is_heard {
            return Ok(());
        }
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mut signals = Signals::new(ENDING.into_iter().filter(|signal| !is_ignored(*signal, &status)))?;
        let hear = move || signals.forever().for_each(arrived);
        std::thread::Builder::new().name("signals".to_owned()).spawn(hear)?;
        self.is_heard = true;
        Ok(())
    }
}

/// Whether the system says so of this program. One that does not tell ignores none.
fn is_ignored(signal: i32, status: &str) -> bool {
    let told = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = told.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0);
    ignored >> (signal - 1) & 1 == 1
}

/// Nobody panics while it is held.
fn known() -> MutexGuard<'static, Known> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn arrived(signal: i32) {
    let mut known = known();
    if known.protected == 0 || known.came.is_some() {
        end(signal, &known);
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

/// As if nobody had heard of the signal: the program ends by it, which shells call 128 and its number.
fn end(signal: i32, known: &Known) {
    if known.drawn > 0 {
        // Nobody is left to look at a terminal that has gone.
        let _ = Term::stderr().clear_line();
    }
    // It does not return for signals that end a program.
    let _ = emulate_default_handler(signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_what_the_system_says() {
        let status =
            "Name:\tflagstone\nSigBlk:\t0000000000000003\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n";
        assert_eq!(ENDING.map(|signal| is_ignored(signal, status)), [false, false, true]);
        assert_eq!(ENDING.map(|signal| is_ignored(signal, "")), [false; 3]);
    }
}
