//! Tests of the bounded cache: who depends on whom among what it holds.

use std::time::{Duration, Instant};

use super::*;
use crate::model::Interner;
use crate::store::memory::entry::Entry;
use crate::store::testing::{flag, segment};

fn cache(capacity: usize) -> Cache {
    Cache::new(NonZeroUsize::new(capacity).unwrap())
}

fn item(kind: Kind, key: &str) -> ItemKey {
    ItemKey { kind, key: Arc::from(key) }
}

fn held_flag(key: &str, version: i64, flags: &[&str], segments: &[&str]) -> (ItemKey, Held) {
    let entry = Entry::parse(key, flag(key, version, flags, segments), &mut Interner::default()).0;
    (item(Kind::Flag, key), Held::Flag(Arc::new(entry)))
}

fn held_segment(key: &str, segments: &[&str]) -> (ItemKey, Held) {
    let entry = Entry::parse(key, segment(key, 1, segments), &mut Interner::default()).0;
    (item(Kind::Segment, key), Held::Segment(Arc::new(entry)))
}

fn put(cache: &Cache, (item, held): (ItemKey, Held)) {
    cache.put(item, held, 1, 0);
}

/// The flags that a change of this item affects, itself left out.
fn dependents(cache: &Cache, kind: Kind, key: &str) -> Vec<String> {
    let change = Change { kind, key: Arc::from(key), old: Some(1), new: Some(2) };
    let affected = cache.affected(&[change]);
    let mut keys: Vec<String> = affected.iter().map(|flag| flag.key.to_string()).filter(|it| it != key).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn dependents_follow_what_is_put_refreshed_replaced_and_evicted() {
    let cache = cache(3);
    put(&cache, held_flag("a", 1, &["p"], &["s"]));
    put(&cache, held_segment("s", &["t"]));
    assert_eq!(dependents(&cache, Kind::Segment, "t"), ["a"]);
    assert_eq!(dependents(&cache, Kind::Flag, "p"), ["a"]);
    put(&cache, held_flag("a", 2, &["q"], &["s"]));
    assert_eq!(dependents(&cache, Kind::Flag, "p"), [""; 0]);
    assert_eq!(dependents(&cache, Kind::Flag, "q"), ["a"]);
    let (item, held) = held_flag("a", 3, &["p"], &[]);
    cache.refresh(&item, held, 2);
    assert_eq!(dependents(&cache, Kind::Segment, "s"), [""; 0]);
    cache.replace(&[held_flag("a", 4, &["r"], &[]), held_flag("b", 1, &["r"], &[])], 3);
    assert_eq!(dependents(&cache, Kind::Flag, "r"), ["a", "b"]);
    assert_eq!(dependents(&cache, Kind::Segment, "t"), [""; 0], "a segment that is not there any more names nothing");
    ["c", "d", "e"].into_iter().for_each(|key| put(&cache, held_flag(key, 1, &["x"], &[])));
    assert_eq!(dependents(&cache, Kind::Flag, "r"), [""; 0], "what was evicted depends on nothing");
    assert_eq!(dependents(&cache, Kind::Flag, "x"), ["c", "d", "e"]);
}

/// How long one change takes among so many flags that name the same flag and segment: the median of many, as a busy machine
/// interrupts some.
fn cost_of_a_change(items: usize) -> Duration {
    let cache = cache(items);
    for number in 0..items {
        put(&cache, held_flag(&format!("flag-{number}"), 1, &["base"], &["everybody"]));
    }
    let mut costs: Vec<Duration> = (0..501)
        .map(|number| {
            let (item, held) = held_flag(&format!("flag-{}", number % items), 2, &["base"], &["everybody"]);
            let began = Instant::now();
            cache.refresh(&item, held, 2);
            let others = dependents(&cache, Kind::Flag, &item.key);
            let took = began.elapsed();
            assert_eq!(others, [""; 0]);
            took
        })
        .collect();
    assert_eq!(dependents(&cache, Kind::Segment, "everybody").len(), items);
    costs.sort_unstable();
    costs[costs.len() / 2]
}

#[test]
fn a_change_costs_what_it_touches_and_not_a_pass_over_everything_held() {
    let (few, many) = (cost_of_a_change(50), cost_of_a_change(5_000));
    // A pass over everything takes twenty times as long among many, and more.
    assert!(many < few * 10, "{few:?} among few, {many:?} among many");
}
