//! Which evaluations are told in full, and what does not fit.

use super::*;
use crate::events::event::Operation;

/// A moment that is over.
const PAST: &str = r#","debugEventsUntilDate":1000"#;
/// A moment that is not, in a long time.
const FUTURE: i64 = 4_000_000_000_000;

fn debugged() -> Flag {
    flag_with("d", 1, &format!(r#","debugEventsUntilDate":{FUTURE}"#))
}

fn migration(sampling_ratio: i64) -> Migration {
    Migration {
        at: 1,
        context: Arc::new(user("a")),
        operation: Operation::Read,
        key: Box::from("m"),
        version: None,
        variation: None,
        value: Box::from("\"off\""),
        default: None,
        reason: Box::from("{}"),
        sampling_ratio,
        measurements: Vec::new(),
    }
}

#[test]
fn only_what_is_tracked_debugged_or_part_of_an_experiment_is_told_in_full() {
    let (desk, context) = (Desk::new(|_| {}), user("a"));
    desk.identify(&context);
    desk.take();
    desk.serve(&context, &flag_with("plain", 1, ""), 0);
    desk.serve(&context, &flag_with("over", 1, PAST), 0);
    desk.serve(&context, &flag_with("fallthrough", 1, r#","trackEventsFallthrough":true"#), 0);
    let experiment = flag_with("experiment", 1, "");
    desk.evaluate(&context, &Evaluated { in_experiment: true, ..served(&experiment, Some(1)) });
    desk.serve(&context, &flag_with("tracked", 1, r#","trackEvents":true"#), 0);
    desk.serve(&context, &debugged(), 0);
    desk.serve(&context, &flag_with("both", 1, &format!(r#","trackEvents":true,"debugEventsUntilDate":{FUTURE}"#)), 0);
    desk.serve(&context, &flag_with("hidden", 1, r#","trackEvents":true,"excludeFromSummaries":true"#), 0);
    desk.evaluate(&context, &missing("m"));
    let batch = desk.take();
    assert_eq!(
        told(&batch),
        ["feature experiment", "feature tracked", "debug d", "feature both", "debug both", "feature hidden"]
    );
    let mut summed: Vec<&str> = batch.summary.flags.keys().map(|key| &**key).collect();
    summed.sort_unstable();
    assert_eq!(summed, ["both", "d", "experiment", "fallthrough", "m", "over", "plain", "tracked"]);
}

#[test]
fn an_event_in_full_has_what_the_evaluation_had() {
    let (desk, context, flag) = (Desk::new(|_| {}), user("a"), flag_with("t", 7, r#","trackEvents":true"#));
    let evaluated = Evaluated {
        default: DefaultValue::String(b"d\""),
        reason: Some("{}"),
        prerequisite_of: Some("p"),
        ..served(&flag, Some(2))
    };
    let begin = unix_ms();
    desk.evaluate(&context, &evaluated);
    desk.evaluate(&context, &served(&flag, None));
    let batch = desk.take();
    let [Event::Index { context: index, at }, Event::Evaluation(full), Event::Evaluation(bare)] = &*batch.events else {
        panic!("{:?}", batch.events)
    };
    assert!((begin..=unix_ms()).contains(at) && full.at == *at);
    assert!(Arc::ptr_eq(index, &full.context), "a context is copied once");
    assert!(Arc::ptr_eq(&full.flag, flag.tally()));
    assert_eq!((full.variation, full.default.as_deref()), (Some(2), Some(r#""d\"""#)));
    assert_eq!((full.reason.as_deref(), full.prerequisite_of.as_deref()), (Some("{}"), Some("p")));
    assert_eq!((bare.variation, &bare.default, &bare.reason, &bare.prerequisite_of), (None, &None, &None, &None));
}

#[test]
fn debugging_ends_by_the_clock_of_the_server_or_by_our_own() {
    let (desk, context, flag) = (Desk::new(|_| {}), user("a"), debugged());
    desk.identify(&context);
    for (server, expected) in [(0, 1), (FUTURE - 1, 1), (FUTURE, 0), (FUTURE + 1, 0), (5, 1)] {
        desk.take();
        desk.inbox.note_server_time(server);
        desk.serve(&context, &flag, 0);
        assert_eq!(told(&desk.take()).len(), expected, "{server}");
    }
    desk.serve(&context, &flag_with("over", 1, PAST), 0);
    assert!(told(&desk.take()).is_empty(), "the server's clock is far behind");
}

#[test]
fn of_sampled_flags_one_in_so_many_events_is_told_and_every_evaluation_is_counted() {
    let (desk, context) = (Desk::new(|options| options.capacity = 100_000), user("a"));
    for (ratio, low, high) in [(1, 4000, 4000), (0, 0, 0), (-1, 0, 0), (i64::MAX, 0, 0), (4, 700, 1300)] {
        let flag = flag_with("t", 1, &format!(r#","trackEvents":true,"samplingRatio":{ratio}"#));
        desk.identify(&context);
        desk.take();
        (0..4000).for_each(|_| {
            desk.serve(&context, &flag, 1);
        });
        let batch = desk.take();
        assert!((low..=high).contains(&batch.events.len()), "{} at {ratio}", batch.events.len());
        assert_eq!(counters(&batch, "t"), [(Some(1), Some(1), Some("\"b\"".to_owned()), 4000)]);
        assert_eq!(batch.dropped, 0, "what was not drawn was not dropped");
    }
    (0..4000).for_each(|_| desk.inbox.migration(migration(4)));
    (0..10).for_each(|_| desk.inbox.migration(migration(0)));
    assert!((700..=1300).contains(&desk.take().events.len()));
}

#[test]
fn feature_and_debug_events_are_drawn_independently_and_custom_and_index_events_are_not_drawn() {
    let desk = Desk::new(|options| options.capacity = 100_000);
    let flag = flag_with("t", 1, &format!(r#","trackEvents":true,"samplingRatio":2,"debugEventsUntilDate":{FUTURE}"#));
    let mut seen = [0; 4];
    for key in 0..2000 {
        desk.serve(&user(&key.to_string()), &flag, 0);
        let told = told(&desk.take());
        assert_eq!(told[0], format!("index {key}"));
        let has = |event: &str| usize::from(told.iter().any(|told| told == event));
        seen[2 * has("feature t") + has("debug t")] += 1;
    }
    assert!(seen.iter().all(|count| (350..=650).contains(count)), "{seen:?}");
}

#[test]
fn prerequisites_are_counted_and_told_as_what_they_are() {
    let (desk, context) = (Desk::new(|_| {}), user("a"));
    let (first, tracked) = (flag_with("first", 1, ""), flag_with("second", 1, r#","trackEvents":true"#));
    for flag in [&first, &tracked] {
        desk.evaluate(&context, &Evaluated { prerequisite_of: Some("top"), ..served(flag, Some(1)) });
    }
    let batch = desk.take();
    assert_eq!(told(&batch), ["index a", "feature second"]);
    assert_eq!((default(&batch, "first"), counters(&batch, "first").len()), (None, 1));
    let Event::Evaluation(full) = &batch.events[1] else { panic!("no evaluation") };
    assert_eq!((full.prerequisite_of.as_deref(), &full.default), (Some("top"), &None));
}

#[test]
fn events_beyond_the_capacity_are_dropped_and_counted_and_the_sums_go_on() {
    let (desk, context) = (Desk::new(|options| options.capacity = 3), user("a"));
    let flag = flag_with("t", 1, r#","trackEvents":true"#);
    (0..10).for_each(|_| {
        desk.serve(&context, &flag, 0);
    });
    desk.inbox.migration(migration(1));
    desk.identify(&context);
    assert_eq!((desk.inbox.waiting(), desk.inbox.dropped()), (3, 10));
    let batch = desk.take();
    assert_eq!(told(&batch), ["index a", "feature t", "feature t"], "the oldest stay");
    assert_eq!((batch.dropped, counters(&batch, "t")[0].3), (10, 10));
    desk.track(&context);
    let batch = desk.take();
    assert_eq!((told(&batch), batch.dropped, desk.inbox.dropped()), (vec!["custom bought".to_owned()], 0, 10));
}

#[test]
fn what_waits_is_bounded_in_bytes_too() {
    let (desk, megabyte) = (Desk::new(|_| {}), "1".repeat(1 << 20));
    let large = built("", "large", |builder| {
        builder.set_string("text", &megabyte);
    });
    desk.identify(&user("a"));
    for _ in 0..40 {
        desk.inbox.custom(&desk.recorder, &user("a"), "data", Some(Box::from(&*megabyte)), None);
        desk.identify(&large);
    }
    let (told, dropped) = (desk.inbox.waiting() as u64, desk.inbox.dropped());
    assert!((60..=64).contains(&told) && told + dropped == 81, "{told} told, {dropped} dropped");
    // What is small still fits beside it.
    desk.track(&user("a"));
    assert_eq!(desk.inbox.dropped(), dropped);
    desk.take();
    desk.identify(&large);
    assert_eq!((desk.inbox.waiting(), desk.inbox.dropped()), (1, dropped), "a flush makes room");
}

#[test]
fn once_it_is_shut_nothing_is_taken_any_more() {
    let (desk, context, flag) = (Desk::new(|_| {}), user("a"), flag_with("t", 1, r#","trackEvents":true"#));
    let plain = flag_with("f", 1, "");
    desk.serve(&context, &flag, 0);
    desk.serve(&context, &plain, 0);
    assert_eq!(desk.inbox.shut(&desk.recorder).count(), 3, "what waited is given away");
    desk.serve(&user("b"), &flag, 0);
    desk.serve(&context, &plain, 0);
    desk.serve(&user("b"), &plain, 0);
    desk.evaluate(&user("c"), &missing("m"));
    desk.track(&user("d"));
    desk.identify(&user("e"));
    desk.inbox.migration(migration(1));
    assert_eq!((desk.inbox.waiting(), desk.inbox.dropped()), (0, 0));
    assert!(desk.take().is_empty());
}

#[test]
fn events_in_full_take_the_room_of_the_values_that_they_will_be_written_with() {
    let (desk, context) = (Desk::new(|_| {}), user("a"));
    let large = "x".repeat(1 << 20);
    let tracked = flag(&format!(r#"{{"key":"f","version":1,"trackEvents":true,"variations":["{large}"]}}"#));
    (0..100).for_each(|_| {
        desk.evaluate(&context, &served(&tracked, Some(0)));
    });
    let batch = desk.take();
    assert!(batch.events.len() <= 65, "{} MiB would be written", batch.events.len() - 1);
    assert_eq!((batch.dropped, counters(&batch, "f")[0].3), (101 - batch.events.len() as u64, 100));
}

#[test]
fn flags_that_only_their_events_keep_in_memory_take_room_and_one_that_stays_takes_none() {
    let (desk, context) = (Desk::new(|_| {}), user("a"));
    let text = format!(r#","trackEvents":true,"x":"{}""#, "x".repeat(1 << 20));
    let tracked = || flag_with("t", 1, &text);
    let stays = tracked();
    (0..100).for_each(|_| _ = desk.serve(&context, &stays, 0));
    assert_eq!(desk.take().dropped, 0);
    // Read anew for each evaluation.
    (0..100).for_each(|_| _ = desk.serve(&context, &tracked(), 0));
    let batch = desk.take();
    assert!((60..65).contains(&batch.events.len()), "{}", batch.events.len());
    assert_eq!(batch.events.len() as u64 + batch.dropped, 100);
    assert_eq!(counters(&batch, "t").iter().map(|counter| counter.3).sum::<u64>(), 100);
}
