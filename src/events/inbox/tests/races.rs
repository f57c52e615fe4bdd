//! Nothing is lost or told twice while threads count, flags change and batches are taken.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::thread;

use arc_swap::ArcSwap;

use super::*;

const THREADS: usize = 4;
/// At least so many evaluations of each thread, and until so many batches were taken and flags replaced.
const EACH: usize = 250_000;
const AMONG: usize = 200;

/// How often each version and variation was served.
type Counts = BTreeMap<(Option<i64>, Option<u32>), u64>;

/// What the threads share.
struct Scene {
    desk: Desk,
    flags: ArcSwap<Flag>,
    batches: AtomicUsize,
    versions: AtomicUsize,
    running: AtomicUsize,
}

impl Scene {
    fn is_running(&self) -> bool {
        self.running.load(Relaxed) > 0
    }

    fn has_seen_enough(&self) -> bool {
        self.batches.load(Relaxed) >= AMONG && self.versions.load(Relaxed) >= AMONG
    }

    /// Evaluates all kinds of contexts and variations; gives what was served, and how often the thread counted by itself.
    fn evaluate(&self, thread: usize) -> (Counts, u64) {
        let (mut counts, mut alone) = (Counts::new(), 0);
        let contexts = [
            user(&thread.to_string()),
            Context::from_key(&format!("kind{thread}"), "a").unwrap(),
            Context::merge(&[&user("a"), &Context::from_key("org", "a").unwrap()]).unwrap(),
        ];
        for number in 0.. {
            if number >= EACH && self.has_seen_enough() {
                break;
            }
            // Held for a while, as by an evaluation that began before a change.
            let flag = self.flags.load_full();
            let variation = (number % 16 != 0).then_some((number % 3) as u32);
            alone += u64::from(self.desk.evaluate(&contexts[number / 3 % 3], &served(&flag, variation)));
            *counts.entry((Some(flag.version), variation)).or_default() += 1;
        }
        self.running.fetch_sub(1, Relaxed);
        (counts, alone)
    }

    fn change(&self) {
        while self.is_running() {
            let version = self.versions.fetch_add(1, Relaxed) + 1;
            self.flags.store(Arc::new(flag_with("f", version as i64, "")));
            thread::yield_now();
        }
    }

    fn take(&self) -> Vec<Batch> {
        let mut batches = Vec::new();
        while self.is_running() {
            batches.push(self.desk.take());
            self.batches.fetch_add(1, Relaxed);
            thread::yield_now();
        }
        batches
    }
}

#[test]
fn of_a_million_evaluations_each_is_told_once_while_flags_change_and_batches_are_taken() {
    let scene = Scene {
        desk: Desk::new(|_| {}),
        flags: ArcSwap::from_pointee(flag_with("f", 0, "")),
        batches: AtomicUsize::new(0),
        versions: AtomicUsize::new(0),
        running: AtomicUsize::new(THREADS),
    };
    let (mut expected, mut alone) = (Counts::new(), 0);
    let mut batches = thread::scope(|scope| {
        let evaluating: Vec<_> = (0..THREADS)
            .map(|thread| {
                let scene = &scene;
                scope.spawn(move || scene.evaluate(thread))
            })
            .collect();
        scope.spawn(|| scene.change());
        let batches = scene.take();
        for thread in evaluating {
            let (counts, by_itself) = thread.join().unwrap();
            alone += by_itself;
            counts.into_iter().for_each(|(what, count)| *expected.entry(what).or_default() += count);
        }
        batches
    });
    batches.push(scene.desk.take());

    let (mut told, mut explained) = (Counts::new(), 0);
    for batch in &batches {
        explained += batch.deduplicated + batch.events.len() as u64;
        for counter in batch.summary.flags.values().flat_map(|flag| &flag.counters) {
            *told.entry((counter.version, counter.variation)).or_default() += counter.count;
        }
    }
    let sum: u64 = told.values().sum();
    assert!(told == expected, "{sum} were told");
    assert!(sum >= (THREADS * EACH) as u64 && alone > sum / 10, "{alone} of {sum} by the threads themselves");
    assert_eq!(explained, sum, "each is an index event or deduplicated");
    assert!(batches.iter().all(|batch| batch.dropped == 0));
}
