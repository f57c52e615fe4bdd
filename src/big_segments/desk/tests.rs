//! A desk before a scripted store: what it asks, what it remembers, and whom it keeps waiting.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use super::*;
use crate::big_segments::Owner;

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// Remembers what it was told.
#[derive(Default)]
struct Told {
    lines: Mutex<Vec<String>>,
    statuses: Mutex<Vec<(bool, bool)>>,
}

impl Host for Told {
    fn log(&self, severity: Severity, message: fmt::Arguments<'_>) {
        lock(&self.lines).push(format!("{severity:?}: {message}"));
    }

    fn status_changed(&self, status: Status, _: &str) {
        lock(&self.statuses).push((status.available, status.stale));
    }
}

impl Told {
    fn lines(&self) -> usize {
        lock(&self.lines).len()
    }
}

/// A store that answers by a function, and counts.
struct Store<F> {
    answer: F,
    asked: AtomicUsize,
    polled: AtomicUsize,
    /// Age of the store, in ms since 1970; negative: it fails.
    synced: AtomicI64,
}

impl<F> Store<F> {
    fn new(answer: F) -> Self {
        Self { answer, asked: AtomicUsize::new(0), polled: AtomicUsize::new(0), synced: AtomicI64::new(unix_ms()) }
    }

    fn counts(&self) -> (usize, usize) {
        (self.asked.load(SeqCst), self.polled.load(SeqCst))
    }
}

impl<F: Fn(&str) -> Result<Membership, StoreFailure> + Send + Sync> BigSegmentStore for Store<F> {
    fn membership(&self, hash: &str) -> Result<Membership, StoreFailure> {
        self.asked.fetch_add(1, SeqCst);
        (self.answer)(hash)
    }

    fn metadata(&self) -> Result<Option<i64>, StoreFailure> {
        self.polled.fetch_add(1, SeqCst);
        let synced = self.synced.load(SeqCst);
        if synced < 0 { Err(failure()) } else { Ok(Some(synced)) }
    }
}

fn failure() -> StoreFailure {
    StoreFailure("out of order".to_owned())
}

fn vip(_: &str) -> Result<Membership, StoreFailure> {
    Ok(Membership::new(["vip.g1"], [""; 0]))
}

fn desk_with(size: usize, time: Duration, patience: Duration) -> Desk {
    let cache_size = NonZeroUsize::new(size).unwrap();
    let owner = Owner::another();
    Desk::new(DeskOptions { cache_size, cache_time: time, stale_after: Duration::from_secs(100), patience, owner })
}

fn desk() -> Desk {
    desk_with(10, LONG, LONG)
}

fn until(span: Duration) -> Wait {
    Wait::Until(Instant::now() + span)
}

/// Whether the context is a vip, and whether the store is out of date; none when it cannot tell.
fn ask(desk: &Desk, store: &dyn BigSegmentStore, key: &str) -> Option<(Option<bool>, bool)> {
    read(desk.ask(store, &Told::default(), key, until(LONG)))
}

fn read(answer: Answer) -> Option<(Option<bool>, bool)> {
    match answer {
        Answer::Known { membership, is_stale } => Some((membership.get("vip.g1"), is_stale)),
        Answer::Failed => None,
        Answer::WouldWait => panic!("it may wait"),
    }
}

#[test]
fn a_context_is_asked_for_once_and_the_age_of_the_store_with_the_first() {
    let (desk, store) = (desk(), Store::new(vip));
    for key in ["ada", "ada", "bob", "ada"] {
        assert_eq!(ask(&desk, &store, key), Some((Some(true), false)));
    }
    assert_eq!(store.counts(), (2, 1));
}

#[test]
fn an_empty_answer_is_remembered_and_a_failure_is_not() {
    let (desk, empty) = (desk(), Store::new(|_: &str| Ok(Membership::default())));
    assert_eq!([ask(&desk, &empty, "ada"), ask(&desk, &empty, "ada")], [Some((None, false)); 2]);
    let fails = Store::new(|_: &str| Err(failure()));
    assert_eq!([ask(&desk, &fails, "bob"), ask(&desk, &fails, "bob")], [None; 2]);
    assert_eq!((empty.counts().0, fails.counts().0), (1, 2));
}

#[test]
fn what_is_not_remembered_would_have_to_be_waited_for() {
    let (desk, store, told) = (desk(), Store::new(vip), Told::default());
    let now = |key| desk.ask(&store, &told, key, Wait::No);
    assert!(matches!(now("ada"), Answer::WouldWait));
    assert_eq!(store.counts(), (0, 0));
    assert!(ask(&desk, &store, "ada").is_some());
    assert!(matches!(now("ada"), Answer::Known { .. }));
}

#[test]
fn threads_that_want_the_same_wait_for_the_one_that_asks() {
    let (desk, gate) = (desk(), Mutex::new(()));
    let store = Store::new(|hash: &str| {
        drop(lock(&gate));
        vip(hash)
    });
    let closed = lock(&gate);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(&desk, &store, "ada"))).collect();
        while store.counts().0 == 0 {
            thread::yield_now();
        }
        drop(closed);
        threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), Some((Some(true), false))));
    });
    assert_eq!(store.counts(), (1, 1));
}

#[test]
fn who_found_nothing_known_asks_only_if_nobody_else_has_meanwhile() {
    let (desk, store, told) = (desk(), Store::new(vip), Told::default());
    assert!(desk.known_status(&told).is_none());
    let another = desk.status(&store, &told);
    assert_eq!(desk.learn(&store, &told, Instant::now() + LONG), Some(another));
    assert_eq!(store.counts(), (0, 1));
}

#[test]
fn nobody_waits_long_for_a_store_that_hangs_and_who_comes_late_not_at_all() {
    let (desk, gate) = (desk_with(10, LONG, Duration::from_millis(50)), Mutex::new(()));
    let store = Store::new(|hash: &str| {
        drop(lock(&gate));
        vip(hash)
    });
    let hangs = lock(&gate);
    thread::scope(|scope| {
        let first = scope.spawn(|| ask(&desk, &store, "ada"));
        while store.counts().0 == 0 {
            thread::yield_now();
        }
        assert_eq!(ask(&desk, &store, "ada"), None);
        let began = Instant::now();
        (0..1_000).for_each(|_| assert_eq!(ask(&desk, &store, "ada"), None));
        assert!(began.elapsed() < Duration::from_secs(20), "each would have waited 50 ms: {:?}", began.elapsed());
        drop(hangs);
        assert_eq!(first.join().unwrap(), Some((Some(true), false)));
    });
    assert_eq!(ask(&desk, &store, "ada"), Some((Some(true), false)), "what came late is remembered");
    assert_eq!(store.counts().0, 1);
}

#[test]
fn a_store_that_asks_while_it_answers_gets_no_answer_and_gives_one() {
    let (desk, told) = (Arc::new(desk()), Told::default());
    let inner = desk.clone();
    let nested = Store::new(vip);
    let store = Store::new(move |hash: &str| {
        for key in ["ada", "bob"] {
            assert!(matches!(inner.ask(&nested, &Told::default(), key, until(LONG)), Answer::Failed));
        }
        inner.status(&nested, &Told::default());
        assert_eq!(nested.counts(), (0, 0));
        vip(hash)
    });
    assert_eq!(read(desk.ask(&store, &told, "ada", until(LONG))), Some((Some(true), false)));
    assert_eq!(ask(&desk, &Store::new(vip), "bob"), Some((Some(true), false)));
}

#[test]
fn a_store_that_asks_in_a_child_that_it_forked_while_it_answers_gets_no_answer_either() {
    let desk = desk();
    let of_child = Desk::new(desk.options);
    let store = Store::new(move |hash: &str| {
        let nested = Store::new(vip);
        for key in ["ada", "bob"] {
            assert_eq!(ask(&of_child, &nested, key), None);
        }
        assert_eq!(nested.counts(), (0, 0));
        vip(hash)
    });
    assert_eq!(ask(&desk, &store, "ada"), Some((Some(true), false)));
}

#[test]
fn a_store_that_panics_leaves_nobody_waiting() {
    let (desk, store) = (desk(), Store::new(|_: &str| panic!("a bug of the store")));
    for _ in 0..2 {
        let outcome = thread::scope(|scope| scope.spawn(|| ask(&desk, &store, "ada")).join());
        assert!(outcome.is_err());
    }
    assert_eq!(store.counts().0, 2, "it was asked anew");
    assert_eq!(ask(&desk, &Store::new(vip), "ada"), Some((Some(true), false)));
}

#[test]
fn what_may_be_another_by_now_is_asked_for_again() {
    let (desk, store) = (desk(), Store::new(vip));
    ["ada", "bob"].iter().for_each(|key| assert!(ask(&desk, &store, key).is_some()));
    desk.forget(&context_hash("ada"));
    desk.forget("what is no hash, and far too long for one, is nothing that could be remembered");
    ["ada", "bob"].iter().for_each(|key| assert!(ask(&desk, &store, key).is_some()));
    assert_eq!(store.counts().0, 3);
    desk.forget_all();
    ["ada", "bob"].iter().for_each(|key| assert!(ask(&desk, &store, key).is_some()));
    assert_eq!(store.counts().0, 5);
}

#[test]
fn an_answer_that_may_be_another_before_it_arrives_is_used_and_not_remembered() {
    let desk = Arc::new(desk());
    let told = desk.clone();
    let store = Store::new(move |hash: &str| {
        told.forget(hash);
        vip(hash)
    });
    assert_eq!([ask(&desk, &store, "ada"), ask(&desk, &store, "ada")], [Some((Some(true), false)); 2]);
    assert_eq!((store.counts().0, desk.remembered()), (2, 0));
}

#[test]
fn a_store_that_is_out_of_date_says_so_with_each_answer_and_when_it_has_grown_so_since() {
    let (desk, store, told) = (desk(), Store::new(vip), Told::default());
    store.synced.store(unix_ms() - 1_000_000, SeqCst);
    assert_eq!(ask(&desk, &store, "ada"), Some((Some(true), true)));
    store.synced.store(unix_ms(), SeqCst);
    assert_eq!(ask(&desk, &store, "bob"), Some((Some(true), true)), "evaluations ask for the age once");
    let status = desk.poll(&store, &told);
    assert!(status.available && !status.stale);
    assert_eq!(ask(&desk, &store, "ada"), Some((Some(true), false)));
    store.synced.store(unix_ms() - 99_950, SeqCst);
    assert!(!desk.poll(&store, &told).stale || unix_ms() - store.synced.load(SeqCst) >= 100_000);
    while unix_ms() - store.synced.load(SeqCst) < 100_000 {
        thread::yield_now();
    }
    assert_eq!(ask(&desk, &store, "ada"), Some((Some(true), true)), "nobody polled");
}

#[test]
fn a_change_of_the_status_is_told_once_and_so_is_a_failure() {
    let (desk, store, told) = (desk(), Store::new(vip), Told::default());
    let poll = |synced| {
        store.synced.store(synced, SeqCst);
        (0..3).for_each(|_| _ = desk.poll(&store, &told));
    };
    poll(unix_ms());
    poll(-1);
    poll(unix_ms());
    poll(0);
    assert_eq!(*lock(&told.statuses), [(true, false), (false, false), (true, false), (true, true)]);
    assert_eq!(told.lines(), 2, "{:?}", lock(&told.lines));
}

#[test]
fn failures_are_told_again_after_a_recovery_and_are_rationed() {
    let (desk, told) = (desk(), Told::default());
    let turn = AtomicUsize::new(0);
    let store =
        Store::new(|hash: &str| if turn.fetch_add(1, SeqCst).is_multiple_of(2) { Err(failure()) } else { vip(hash) });
    for number in 0..1_000 {
        desk.ask(&store, &told, &number.to_string(), until(LONG));
    }
    let lines = told.lines();
    assert_eq!(lines, 20, "ten failures and what follows each");
}

#[test]
fn a_store_that_cannot_tell_its_age_still_answers() {
    let (desk, store) = (desk(), Store::new(vip));
    store.synced.store(-1, SeqCst);
    assert_eq!(ask(&desk, &store, "ada"), Some((Some(true), false)));
    assert_eq!(desk.known_status(&Told::default()), Some(Status::default()));
}

#[test]
fn a_closed_desk_asks_nobody_and_frees_those_who_wait() {
    let (desk, gate, told) = (desk(), Mutex::new(()), Told::default());
    let store = Store::new(|hash: &str| {
        drop(lock(&gate));
        vip(hash)
    });
    let hangs = lock(&gate);
    thread::scope(|scope| {
        let first = scope.spawn(|| ask(&desk, &store, "ada"));
        while store.counts().0 == 0 {
            thread::yield_now();
        }
        let second = scope.spawn(|| ask(&desk, &store, "ada"));
        desk.close();
        assert_eq!(second.join().unwrap(), None);
        drop(hangs);
        first.join().unwrap();
    });
    assert_eq!(ask(&desk, &store, "ada"), None);
    assert_eq!(desk.poll(&store, &told), Status::default());
    assert_eq!((store.counts().0, lock(&told.statuses).len()), (1, 0));
}
