//! What tells somebody who waits that something goes on: on standard error, only if that is a terminal, and only once it takes
//! long.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::interrupt::Drawn;

/// What takes less needs no telling.
const LONG: Duration = Duration::from_millis(400);
const TURN: Duration = Duration::from_millis(100);

/// A bar for work in steps.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    is_wanted: bool,
    drawn: Option<Drawn>,
}

impl Progress {
    /// Hidden at first; for ever unless it is wanted.
    pub fn new(what: &'static str, steps: usize, is_wanted: bool) -> Self {
        let bar = ProgressBar::with_draw_target(Some(steps as u64), ProgressDrawTarget::hidden()).with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}") {
            bar.set_style(style);
        }
        Self { bar, started: Instant::now(), is_wanted, drawn: None }
    }

    /// So many steps are done.
    pub fn inc(&mut self, steps: usize) {
        if self.is_wanted && self.started.elapsed() >= LONG {
            self.is_wanted = false;
            self.drawn = Term::stderr().is_term().then(Drawn::begin);
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(steps as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A sign of life for work of which nobody knows how much it is.
pub struct Waiting {
    /// Ends the thread when it is dropped.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Waiting {
    /// Begins to wait.
    pub fn new(what: String, is_wanted: bool) -> Self {
        if !is_wanted || !Term::stderr().is_term() {
            return Self { end: None, thread: None };
        }
        let (end, ended) = channel::<()>();
        let thread = std::thread::spawn(move || {
            if ended.recv_timeout(LONG) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let _drawn = Drawn::begin();
            let spinner = ProgressBar::new_spinner().with_message(what);
            while ended.recv_timeout(TURN) == Err(RecvTimeoutError::Timeout) {
                spinner.tick();
            }
            spinner.finish_and_clear();
        });
        Self { end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}
