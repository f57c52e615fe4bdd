//! What a busy machine adds to the time of a call: a test that demands "no longer than" must not fail because its process
//! was not allowed to run meanwhile.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long the watching thread sleeps. It is late for this long at least when it was held up.
const NAP: Duration = Duration::from_millis(1);
const HELD_UP: Duration = Duration::from_millis(10);

/// Watches, beside the test, how the machine keeps a thread waiting that wants nothing but to wake up in time.
pub struct Machine {
    held_up: Arc<Mutex<Vec<(Instant, Instant)>>>,
    over: Arc<AtomicBool>,
}

impl Machine {
    /// Watches from now on.
    pub fn watch() -> Self {
        let machine = Self { held_up: Arc::default(), over: Arc::default() };
        let (held_up, over) = (machine.held_up.clone(), machine.over.clone());
        thread::spawn(move || {
            while !over.load(Relaxed) {
                let began = Instant::now();
                thread::sleep(NAP);
                if began.elapsed() > NAP + HELD_UP {
                    held_up.lock().unwrap().push((began + NAP, Instant::now()));
                }
            }
        });
        machine
    }

    /// The result of `action`, and how long it took without the time in which this thread wanted to run and could not, or
    /// the machine held up the watching thread too. What the library waits for is in it.
    pub fn timed<T>(&self, action: impl FnOnce() -> T) -> (T, Duration) {
        let (queued, began) = (run_queue_time(), Instant::now());
        let result = action();
        let (ended, queued) = (Instant::now(), run_queue_time() - queued);
        let took = ended - began;
        if took <= HELD_UP {
            return (result, took);
        }
        let held_up: Duration = self.held_up_within(began, ended).into_iter().sum();
        (result, took.saturating_sub(held_up.max(queued)))
    }

    /// For how long the watching thread was held up at most without a break since then.
    pub fn longest_since(&self, began: Instant) -> Duration {
        self.held_up_within(began, Instant::now()).into_iter().max().unwrap_or_default()
    }

    fn held_up_within(&self, began: Instant, ended: Instant) -> Vec<Duration> {
        // The watching thread may be about to note what has just ended.
        thread::sleep(2 * HELD_UP);
        let within = |(from, to): &(Instant, Instant)| (*to.min(&ended)).saturating_duration_since(*from.max(&began));
        self.held_up.lock().unwrap().iter().map(within).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.over.store(true, Relaxed);
    }
}

/// How long this thread has waited for a processor so far.
fn run_queue_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').nth(1).and_then(|waited| waited.parse().ok()).unwrap_or(0))
}

/// Runs a scenario that tells how long something took until it was short enough, three times at most: a machine that is held
/// up makes one of them late, a library that waits makes all of them late.
#[track_caller]
pub fn in_time(longest: Duration, mut scenario: impl FnMut() -> Duration) {
    let mut took = Vec::new();
    while took.len() < 3 {
        took.push(scenario());
        if took.last().is_some_and(|took| *took < longest) {
            return;
        }
    }
    panic!("never within {longest:?}: {took:?}");
}
