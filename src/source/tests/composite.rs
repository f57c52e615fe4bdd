//! Whose turn it is, over sources that play what a test has written.

use std::collections::VecDeque;

use super::*;
use crate::model::{Basis, Selector};
use crate::source::RetryMode;
use crate::source::composite::{Composite, Directive, Ending, Known, Part, Times};
use crate::source::sink::Failure;

/// What a source does in its turn, one after the other.
#[derive(Clone)]
enum Act {
    /// Brings everything, up to a state of this name; of none if it is empty.
    Bring(&'static str),
    /// Brings changes up to this state.
    Change(&'static str),
    Valid,
    Fail,
    /// Is refused for good.
    Off,
    /// The server wants the former protocol for so long.
    Direct(Option<Duration>),
    /// Goes on until it is stopped.
    Stay,
}
use Act::*;

/// Who has had a turn, and which state was known then.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, line: String) {
        lock(&self.0).push(line);
    }

    fn lines(&self) -> Vec<String> {
        lock(&self.0).clone()
    }

    fn wait_for(&self, count: usize) -> Vec<String> {
        let end = Instant::now() + LONG;
        while lock(&self.0).len() < count {
            assert!(Instant::now() < end, "only {:?}", self.lines());
            sleep(Duration::from_millis(1));
        }
        self.lines()
    }
}

struct Scripted {
    name: &'static str,
    /// What it does in each of its turns; the last one is repeated.
    turns: Mutex<VecDeque<Vec<Act>>>,
    journal: Journal,
}

impl Scripted {
    fn act(&self, act: &Act, outlet: &Outlet<'_>) -> Option<Ending> {
        let selector = |state: &str| (!state.is_empty()).then(|| Selector { state: Arc::from(state), version: 1 });
        let failure =
            || Failure { kind: FailureKind::NetworkError, status: 0, message: format!("{} fails", self.name) };
        let changes = |kind, state| ChangeSet {
            basis: Basis::Sequence,
            selector: selector(state),
            ..ChangeSet::new(kind, Vec::new())
        };
        match act {
            Bring(state) => outlet.apply(changes(ChangeKind::Full, state)),
            Change(state) => outlet.apply(changes(ChangeKind::Partial, state)),
            Valid => outlet.valid(),
            Fail => outlet.interrupted(failure()),
            Off => outlet.off(failure()),
            Direct(lasts) => return Some(Ending::Directed(Directive { lasts: *lasts })),
            Stay => {
                let control = outlet.control();
                while !control.is_stopped() {
                    if !control.sleep(FOR_EVER, control.restarts()) && !control.is_stopped() {
                        self.journal.note(format!("{} afresh", self.name));
                    }
                }
            }
        }
        None
    }
}

impl Part for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn run(&self, known: &Known, outlet: &Outlet<'_>) -> Ending {
        let from = known.selector().map_or(String::new(), |selector| format!(" from {}", selector.state));
        self.journal.note(format!("{}{from}", self.name));
        let turn = {
            let mut turns = lock(&self.turns);
            if turns.len() > 1 { turns.pop_front() } else { turns.front().cloned() }
        };
        turn.unwrap_or_default().iter().find_map(|act| self.act(act, outlet)).unwrap_or(Ending::Over)
    }
}

type Turns = (&'static str, Vec<Vec<Act>>);

/// A composite to be run.
struct Play {
    initializers: Vec<Turns>,
    synchronizers: Vec<Turns>,
    former: Option<Turns>,
    times: Times,
    retry: RetryMode,
}

/// No time passes of itself.
const NEVER: Times = Times { fallback_after: FOR_EVER, recover_after: FOR_EVER, first_data: FOR_EVER };
/// Short, but not for a source that plays.
const SHORT: Duration = Duration::from_millis(200);

impl Default for Play {
    fn default() -> Self {
        let (initializers, synchronizers) = (Vec::new(), Vec::new());
        Self { initializers, synchronizers, former: None, times: NEVER, retry: RetryMode::Legacy }
    }
}

impl Play {
    fn start(self) -> (Running, Journal) {
        let journal = Journal::default();
        let own = journal.clone();
        let running = Running::start(move |outlet| {
            let part = |(name, turns): Turns| {
                Box::new(Scripted { name, turns: Mutex::new(turns.into()), journal: own.clone() }) as Box<dyn Part>
            };
            let composite = Composite {
                initializers: self.initializers.into_iter().map(part).collect(),
                synchronizers: self.synchronizers.into_iter().map(part).collect(),
                fallback: self.former.map(part),
                times: self.times,
                retry: self.retry,
                pace: FAST,
            };
            composite.run(outlet);
        });
        let clock = running.control.clone();
        spawn(move || clock.keep_time());
        (running, journal)
    }
}

fn once(name: &'static str, turn: &[Act]) -> Turns {
    (name, vec![turn.to_vec()])
}

fn kinds(running: &Running) -> Vec<String> {
    running.sink.lines().iter().map(|line| line.split([' ', ':']).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn initializers_are_asked_in_their_order_until_one_brings_a_state_with_a_name() {
    let play = Play {
        initializers: vec![
            once("i", &[Fail]),
            once("j", &[Bring("")]),
            once("k", &[Bring("one")]),
            once("l", &[Bring("two")]),
        ],
        synchronizers: vec![once("a", &[Change("three"), Stay])],
        ..Play::default()
    };
    let (mut running, journal) = play.start();
    running.wait_for("valid");
    assert_eq!(journal.lines(), ["i", "j", "k", "a from one"]);
    assert_eq!(kinds(&running), ["interrupted", "full", "full", "part", "valid"]);
    assert!(running.stop() < AT_ONCE);
}

#[test]
fn without_a_state_that_has_a_name_the_synchronizers_begin_from_nothing() {
    let play = Play {
        initializers: vec![once("i", &[Bring("")]), once("j", &[Off])],
        synchronizers: vec![once("a", &[Bring("one"), Stay])],
        ..Play::default()
    };
    let (running, journal) = play.start();
    assert_eq!(journal.wait_for(3), ["i", "j", "a"]);
    running.wait_for_next("full", running.wait_for("full"));
    assert!(!running.sink.lines().iter().any(|line| line.starts_with("off")), "one that is refused is not all");
}

#[test]
fn without_synchronizers_the_data_stay_and_are_asked_for_again_when_they_are_wanted_afresh() {
    let play = Play { initializers: vec![once("i", &[Bring("one")])], ..Play::default() };
    let (mut running, journal) = play.start();
    let first = running.wait_for("full");
    running.control.restart();
    running.wait_for_next("full", first);
    assert_eq!(journal.lines(), ["i", "i"]);
    assert!(running.stop() < AT_ONCE);

    let play = Play { initializers: vec![once("i", &[Fail])], ..Play::default() };
    let (mut running, _) = play.start();
    running.wait_for("off NetworkError 0: i fails");
    running.join();
}

#[test]
fn who_fails_for_too_long_gives_way_to_the_next_and_after_the_last_comes_the_first() {
    let play = Play {
        synchronizers: vec![once("a", &[Bring("one"), Fail, Stay]), once("b", &[Fail, Stay])],
        times: Times { fallback_after: SHORT, ..NEVER },
        ..Play::default()
    };
    let begin = Instant::now();
    let (mut running, journal) = play.start();
    assert_eq!(journal.wait_for(4)[..4], ["a", "b from one", "a from one", "b from one"]);
    assert!(begin.elapsed() >= SHORT * 3);
    assert!(running.stop() < AT_ONCE);
}

#[test]
fn who_says_nothing_fails_as_well_and_who_is_well_again_in_time_does_not() {
    let play = Play {
        synchronizers: vec![
            once("a", &[Bring("one"), Fail, Change("two"), Fail, Valid, Stay]),
            once("b", &[Stay]),
            once("c", &[Stay]),
        ],
        times: Times { fallback_after: SHORT, ..NEVER },
        ..Play::default()
    };
    let (running, journal) = play.start();
    running.wait_for_next("valid", running.wait_for("valid"));
    sleep(SHORT * 2);
    assert_eq!(journal.lines(), ["a"]);

    let play = Play {
        initializers: vec![once("i", &[Bring("one")])],
        synchronizers: vec![once("a", &[Stay]), once("b", &[Stay])],
        times: Times { fallback_after: SHORT, ..NEVER },
        ..Play::default()
    };
    let (_running, journal) = play.start();
    assert_eq!(journal.wait_for(4)[..4], ["i", "a from one", "b from one", "a from one"]);
}

#[test]
fn while_nothing_was_ever_delivered_the_next_one_has_its_turn_earlier() {
    let play = Play {
        synchronizers: vec![once("a", &[Stay]), once("b", &[Fail, Stay]), once("c", &[Bring("one"), Fail, Stay])],
        times: Times { first_data: SHORT / 4, ..NEVER },
        ..Play::default()
    };
    let (running, journal) = play.start();
    running.wait_for("full");
    assert_eq!(journal.wait_for(3)[..3], ["a", "b", "c"]);
    sleep(SHORT);
    // It may have come round more than once where the machine is slow; once there are data, the longer time counts.
    assert_eq!(journal.lines().last().map(String::as_str), Some("c"));
}

#[test]
fn each_one_has_more_time_than_the_one_before_while_nobody_brings_anything() {
    let play = Play {
        synchronizers: vec![once("a", &[Stay]), once("b", &[Stay])],
        times: Times { first_data: SHORT / 10, ..NEVER },
        ..Play::default()
    };
    let begin = Instant::now();
    let (_running, journal) = play.start();
    journal.wait_for(5);
    assert!(begin.elapsed() >= SHORT / 10 * 15, "{:?}", begin.elapsed());
}

#[test]
fn who_is_alone_has_nobody_to_give_way_to() {
    let times = Times { fallback_after: SHORT / 10, recover_after: SHORT / 10, first_data: SHORT / 10 };
    let (alone, left) = (once("a", &[Fail, Stay]), once("b", &[Fail, Stay]));
    for synchronizers in [vec![alone.clone()], vec![once("x", &[Off]), left]] {
        let count = synchronizers.len();
        let (_running, journal) = Play { synchronizers, times, ..Play::default() }.start();
        journal.wait_for(count);
        sleep(SHORT);
        assert_eq!(journal.lines().len(), count);
    }
}

#[test]
fn who_is_refused_never_has_a_turn_again_and_the_next_one_has_it_at_once() {
    let play = Play {
        synchronizers: vec![once("a", &[Off]), once("b", &[Bring("one"), Fail, Stay]), once("c", &[Fail, Stay])],
        times: Times { fallback_after: SHORT / 4, ..NEVER },
        ..Play::default()
    };
    let (running, journal) = play.start();
    assert_eq!(journal.wait_for(5)[..5], ["a", "b", "c from one", "b from one", "c from one"]);
    assert!(running.sink.has_logged(Severity::Error, "a: is given up for good: a fails"));
    assert_eq!(kinds(&running)[..3], ["interrupted", "full", "interrupted"], "the source is not off");
}

#[test]
fn another_than_the_first_that_has_been_well_for_long_enough_gives_way_to_the_first() {
    let play = Play {
        synchronizers: vec![
            ("a", vec![vec![Fail, Stay], vec![Change("two"), Stay]]),
            once("b", &[Bring("one"), Fail, Valid, Stay]),
            once("c", &[Stay]),
        ],
        times: Times { first_data: SHORT / 4, recover_after: SHORT, fallback_after: FOR_EVER },
        ..Play::default()
    };
    let (running, journal) = play.start();
    let brought = running.wait_for("full");
    let lines = journal.wait_for(3);
    assert_eq!(lines.last().map(String::as_str), Some("a from one"), "{lines:?}");
    running.wait_for_next("part", brought);
    let (well, again) = (running.sink.times("valid")[0], running.sink.times("part")[0]);
    assert!(again - well >= SHORT);
    assert!(running.sink.has_logged(Severity::Info, "b: is well: the first one is tried again"));
    let count = journal.lines().len();
    sleep(SHORT * 2);
    assert_eq!(journal.lines().len(), count, "the first one stays");
}

#[test]
fn when_nobody_is_left_the_source_is_off_with_the_latest_failure() {
    let play = Play { synchronizers: vec![once("a", &[Off]), once("b", &[Bring("one"), Off])], ..Play::default() };
    let (mut running, journal) = play.start();
    running.wait_for("off NetworkError 0: b fails");
    running.join();
    assert_eq!(journal.lines(), ["a", "b"]);
}

#[test]
fn where_nothing_is_to_end_the_source_all_are_tried_again_after_a_pause() {
    let play = Play {
        initializers: vec![once("i", &[Fail])],
        synchronizers: vec![once("a", &[Off]), ("b", vec![vec![Off], vec![Bring("one"), Stay]])],
        retry: RetryMode::Extended,
        ..Play::default()
    };
    let begin = Instant::now();
    let (mut running, journal) = play.start();
    running.wait_for("full");
    assert!(begin.elapsed() >= FAST.extended_first / 2);
    assert_eq!(journal.lines(), ["i", "a", "b", "i", "a", "b"]);
    assert!(running.stop() < AT_ONCE);
}

#[test]
fn a_directive_with_a_time_lets_the_former_protocol_be_spoken_for_that_time() {
    let play = Play {
        initializers: vec![once("i", &[Bring("one")])],
        synchronizers: vec![
            ("a", vec![vec![Change("two"), Direct(Some(SHORT))], vec![Bring("three"), Stay]]),
            once("b", &[Stay]),
        ],
        former: Some(once("f", &[Bring(""), Stay])),
        ..Play::default()
    };
    let begin = Instant::now();
    let (running, journal) = play.start();
    assert_eq!(journal.wait_for(4), ["i", "a from one", "f", "a"], "nothing is known of what the former one brought");
    assert!(begin.elapsed() >= SHORT);
    let full = |after| running.wait_for_next("full", after);
    full(full(full(0)));
    assert!(running.sink.has_logged(Severity::Warn, "former protocol"));
}

#[test]
fn a_directive_without_a_time_is_for_good_and_an_initializer_may_give_it() {
    let play = Play {
        initializers: vec![once("i", &[Fail, Direct(None)]), once("j", &[Bring("one")])],
        synchronizers: vec![once("a", &[Stay]), once("b", &[Stay])],
        former: Some(once("f", &[Bring(""), Fail, Stay])),
        times: Times { fallback_after: SHORT / 10, recover_after: SHORT / 10, first_data: SHORT / 10 },
        ..Play::default()
    };
    let (mut running, journal) = play.start();
    running.wait_for("full");
    sleep(SHORT);
    assert_eq!(journal.lines(), ["i", "f"]);
    assert!(running.stop() < AT_ONCE);
}

#[test]
fn a_directive_that_nobody_can_follow_ends_the_source_or_silences_it_for_its_time() {
    let directed = || vec![("a", vec![vec![Direct(Some(SHORT))], vec![Bring("one"), Stay]])];
    let play = Play { synchronizers: directed(), ..Play::default() };
    let (mut running, journal) = play.start();
    running.wait_for("off Unknown 0: the server wants the former protocol");
    running.join();
    assert_eq!(journal.lines(), ["a"]);

    let play = Play { synchronizers: directed(), retry: RetryMode::Extended, ..Play::default() };
    let begin = Instant::now();
    let (running, journal) = play.start();
    assert_eq!(journal.wait_for(2), ["a", "a"]);
    assert!(begin.elapsed() >= SHORT);
    assert!(kinds(&running)[0] == "interrupted");
}

#[test]
fn where_the_former_protocol_is_refused_the_present_one_is_tried_again_in_its_time() {
    let synchronizers = |time| vec![("a", vec![vec![Direct(time)], vec![Bring("one"), Stay]])];
    let former = Some(once("f", &[Off]));
    let play = Play { synchronizers: synchronizers(Some(SHORT)), former: former.clone(), ..Play::default() };
    let (running, journal) = play.start();
    running.wait_for("full");
    assert_eq!(journal.lines(), ["a", "f", "a"]);

    let (mut running, _) = Play { synchronizers: synchronizers(None), former, ..Play::default() }.start();
    running.wait_for("off NetworkError 0: f fails");
    running.join();
}

#[test]
fn a_restart_reaches_whoever_has_the_turn_and_the_next_one_begins_from_nothing() {
    let play = Play {
        synchronizers: vec![once("a", &[Bring("one"), Fail, Stay]), once("b", &[Stay])],
        times: Times { fallback_after: SHORT * 5, ..NEVER },
        ..Play::default()
    };
    let (running, journal) = play.start();
    running.wait_for("interrupted");
    running.control.restart();
    assert_eq!(journal.wait_for(3)[..3], ["a", "a afresh", "b"]);
}

#[test]
fn the_end_comes_at_once_whoever_has_the_turn() {
    let directed = |time| once("a", &[Direct(time)]);
    let plays = [
        Play { initializers: vec![once("i", &[Stay])], ..Play::default() },
        Play { initializers: vec![once("i", &[Bring("one")])], ..Play::default() },
        Play { synchronizers: vec![once("i", &[Stay])], ..Play::default() },
        Play { synchronizers: vec![once("i", &[Off])], retry: RetryMode::Extended, ..Play::default() },
        Play { synchronizers: vec![directed(None)], former: Some(once("i", &[Stay])), ..Play::default() },
        Play { synchronizers: vec![directed(Some(FOR_EVER))], retry: RetryMode::Extended, ..Play::default() },
        Play { synchronizers: vec![directed(Some(FOR_EVER))], former: Some(once("i", &[Off])), ..Play::default() },
    ];
    for (number, play) in plays.into_iter().enumerate() {
        let (mut running, journal) = play.start();
        journal.wait_for(1);
        assert!(running.stop() < AT_ONCE, "{number}");
    }
}
