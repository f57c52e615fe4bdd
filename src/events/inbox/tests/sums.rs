//! What summaries tell.

use super::*;

fn with_default<'a>(evaluated: Evaluated<'a>, default: &'a str) -> Evaluated<'a> {
    Evaluated { default: DefaultValue::String(default.as_bytes()), ..evaluated }
}

fn quoted(text: &str) -> Option<String> {
    Some(format!("\"{text}\""))
}

#[test]
fn evaluations_are_counted_by_version_and_variation_and_anew_in_every_window() {
    let (desk, context) = (Desk::new(|_| {}), user("a"));
    let (one, two) = (flag_with("f", 1, ""), flag_with("f", 2, ""));
    let again = one.clone();
    for (flag, variation, count) in
        [(&one, Some(0), 3), (&two, Some(0), 2), (&one, Some(2), 1), (&two, None, 4), (&again, Some(0), 5)]
    {
        (0..count).for_each(|_| {
            desk.evaluate(&context, &with_default(served(flag, variation), "d"));
        });
    }
    let batch = desk.take();
    assert_eq!(
        counters(&batch, "f"),
        [
            (Some(1), Some(0), quoted("a"), 8),
            (Some(1), Some(2), quoted("c"), 1),
            (Some(2), None, quoted("d"), 4),
            (Some(2), Some(0), quoted("a"), 2),
        ]
    );
    assert_eq!(batch.deduplicated, 14);
    assert!(desk.take().is_empty());
    desk.serve(&context, &two, 1);
    assert_eq!(counters(&desk.take(), "f"), [(Some(2), Some(1), quoted("b"), 1)]);
}

#[test]
fn after_the_first_evaluation_of_a_window_threads_count_by_themselves() {
    let (desk, context, flag) = (Desk::new(|_| {}), user("a"), flag_with("f", 1, ""));
    assert!(!desk.serve(&context, &flag, 0), "the flag was never evaluated");
    assert!(desk.serve(&context, &flag, 1));
    assert!(!desk.serve(&user("b"), &flag, 0), "the context was never told");
    assert!(!desk.serve(&Context::from_key("org", "a").unwrap(), &flag, 0), "the kind is new");
    assert!(!desk.evaluate(&context, &served(&flag, None)), "a default has no counter");
    assert!(!desk.serve(&context, &flag, 7), "there is no such variation");
    assert!(desk.serve(&context, &flag, 0));
    desk.take();
    assert!(!desk.serve(&context, &flag, 0), "the default of the window is not known yet");
    assert!(desk.serve(&context, &flag, 0));
    let other = Desk::new(|_| {});
    assert!(!other.serve(&context, &flag, 0), "another client has counted there");
}

#[test]
fn the_default_is_that_of_the_first_evaluation_in_the_window_and_so_is_a_served_default() {
    let (desk, context) = (Desk::new(|_| {}), user("a"));
    let (one, two) = (flag_with("f", 1, ""), flag_with("f", 2, ""));
    desk.evaluate(&context, &with_default(served(&one, Some(0)), "1"));
    desk.evaluate(&context, &with_default(served(&one, None), "2"));
    desk.evaluate(&context, &with_default(served(&one, None), "3"));
    desk.evaluate(&context, &with_default(served(&two, None), "4"));
    let batch = desk.take();
    assert_eq!(default(&batch, "f"), quoted("1"));
    assert_eq!(counters(&batch, "f")[0], (Some(1), None, quoted("2"), 2));
    assert_eq!(counters(&batch, "f")[2], (Some(2), None, quoted("4"), 1));

    // The version that is first now came second before.
    desk.evaluate(&context, &with_default(served(&two, Some(0)), "5"));
    let begun = unix_ms();
    while unix_ms() <= begun {}
    desk.evaluate(&context, &with_default(served(&one, Some(0)), "6"));
    assert_eq!(default(&desk.take(), "f"), quoted("5"));
    desk.serve(&context, &one, 0);
    assert_eq!(default(&desk.take(), "f"), None);
}

#[test]
fn flags_that_do_not_exist_are_counted_as_unknown_with_what_was_served() {
    let desk = Desk::new(|_| {});
    desk.evaluate(&user("a"), &with_default(missing("m"), "1"));
    desk.evaluate(&Context::from_key("org", "a").unwrap(), &with_default(missing("m"), "2"));
    let flag = flag_with("m", 3, "");
    desk.serve(&user("a"), &flag, 0);
    let batch = desk.take();
    assert_eq!(counters(&batch, "m"), [(None, None, quoted("1"), 2), (Some(3), Some(0), quoted("a"), 1)]);
    assert_eq!((default(&batch, "m"), kinds(&batch, "m")), (quoted("1"), vec!["org".to_owned(), "user".to_owned()]));
}

#[test]
fn summaries_leave_out_flags_that_want_to_be_and_tell_their_contexts_all_the_same() {
    let (desk, flag) = (Desk::new(|_| {}), flag_with("x", 1, r#","excludeFromSummaries":true"#));
    desk.serve(&user("a"), &flag, 0);
    desk.serve(&user("a"), &flag, 0);
    let batch = desk.take();
    assert_eq!((told(&batch), batch.summary.is_empty(), batch.deduplicated), (vec!["index a".to_owned()], true, 1));
}

#[test]
fn a_window_reaches_from_the_first_evaluation_to_the_flush() {
    let (desk, context, flag) = (Desk::new(|_| {}), user("a"), flag_with("f", 1, ""));
    let begin = unix_ms();
    desk.serve(&context, &flag, 0);
    let evaluated = unix_ms();
    let batch = desk.take();
    assert!((begin..=evaluated).contains(&batch.summary.start), "{batch:?}");
    assert!((evaluated..=unix_ms()).contains(&batch.summary.end), "{batch:?}");
    let empty = desk.take().summary;
    assert_eq!((empty.start, empty.end), (0, 0));
}

#[test]
fn the_kinds_of_all_contexts_of_the_window_are_told_and_those_of_no_other() {
    let (desk, flag) = (Desk::new(|_| {}), flag_with("f", 1, ""));
    let (user, org, device) =
        (user("a"), Context::from_key("org", "a").unwrap(), Context::from_key("device", "a").unwrap());
    let both = Context::merge(&[&org, &device]).unwrap();
    for context in [&user, &both, &user, &org] {
        desk.serve(context, &flag, 0);
    }
    assert_eq!(kinds(&desk.take(), "f"), ["device", "org", "user"]);
    desk.serve(&device, &flag, 0);
    assert_eq!(kinds(&desk.take(), "f"), ["device"]);
}

#[test]
fn kinds_beyond_those_that_have_a_number_are_told_as_well() {
    let (desk, flag, other) = (Desk::new(|_| {}), flag_with("f", 1, ""), flag_with("g", 1, ""));
    let contexts: Vec<Context> =
        (0..100).map(|kind| Context::from_key(&format!("many-{kind}"), "a").unwrap()).collect();
    assert!(contexts.iter().filter(|context| context.kind_set().has_others()).count() >= 38);
    let mut expected: Vec<String> = contexts.iter().map(|context| context.kinds().next().unwrap().to_owned()).collect();
    expected.sort_unstable();
    // They are seen before, so that nothing but the kind is new.
    contexts.iter().for_each(|context| {
        desk.serve(context, &other, 0);
    });
    for _ in 0..3 {
        for context in &contexts {
            desk.serve(context, &flag, 0);
        }
    }
    let batch = desk.take();
    assert_eq!((kinds(&batch, "f"), counters(&batch, "f")[0].3), (expected, 300));

    let rare = contexts.iter().find(|context| context.kind_set().has_others()).unwrap();
    desk.serve(rare, &flag, 0);
    assert_eq!(kinds(&desk.take(), "f"), [rare.kinds().next().unwrap()], "nothing of the window before");
}

#[test]
fn unknown_flags_are_bounded_in_number_and_in_bytes_and_those_beyond_are_dropped_and_counted() {
    let (desk, context) = (Desk::new(|_| {}), user("a"));
    (0..10_100).for_each(|number| {
        desk.evaluate(&context, &missing(&format!("m{number}")));
    });
    desk.evaluate(&context, &missing("m0"));
    let batch = desk.take();
    assert_eq!((batch.summary.flags.len(), batch.dropped, desk.inbox.dropped()), (10_000, 100, 100));
    assert_eq!((counters(&batch, "m0")[0].3, batch.deduplicated), (2, 10_100));

    let long = "x".repeat(1000);
    desk.inbox.state.lock().unwrap().sums.leave(64_000);
    (0..100).for_each(|number| {
        desk.evaluate(&context, &missing(&format!("{long}{number}")));
    });
    let batch = desk.take();
    assert!((50..=64).contains(&batch.summary.flags.len()), "{}", batch.summary.flags.len());
    assert_eq!(batch.dropped, 100 - batch.summary.flags.len() as u64);
    desk.evaluate(&context, &missing("m"));
    assert_eq!(desk.take().dropped, 0, "a flush makes room");
}

#[test]
fn defaults_that_do_not_fit_are_told_as_null_and_the_counts_stay() {
    let (desk, context, long) = (Desk::new(|_| {}), user("a"), "x".repeat(1000));
    desk.inbox.state.lock().unwrap().sums.leave(64_000);
    let flags: Vec<Flag> = (0..100).map(|number| flag_with(&format!("f{number}"), 1, "")).collect();
    for flag in &flags {
        desk.evaluate(&context, &with_default(served(flag, Some(0)), &long));
        desk.serve(&context, flag, 0);
    }
    let batch = desk.take();
    let told = batch.summary.flags.values().filter(|flag| flag.default.is_some()).count();
    assert!((50..=64).contains(&told), "{told}");
    assert!(flags.iter().all(|flag| counters(&batch, &flag.key) == [(Some(1), Some(0), quoted("a"), 2)]));
}

#[test]
fn tallies_whose_flags_are_gone_are_given_up_and_their_counts_are_told() {
    let (desk, context, text) = (Desk::new(|_| {}), user("a"), "x".repeat(100_000));
    let stays = flag_with("stays", 1, "");
    let mut most = 0;
    for version in 0..500 {
        let flag = flag_with("f", version, &format!(r#","salt":"{text}""#));
        for _ in 0..3 {
            desk.evaluate(&context, &with_default(served(&flag, Some(1)), &version.to_string()));
        }
        desk.evaluate(&context, &with_default(served(&flag, None), "d"));
        desk.serve(&context, &stays, 0);
        most = most.max(desk.inbox.state.lock().unwrap().sums.tallies());
    }
    assert!(most < 100, "{most} tallies of 100 kB are kept");
    let batch = desk.take();
    let expected: Vec<Short> = (0..500)
        .flat_map(|version| [(Some(version), None, quoted("d"), 1), (Some(version), Some(1), quoted("b"), 3)])
        .collect();
    assert_eq!(counters(&batch, "f"), expected);
    assert_eq!(counters(&batch, "stays"), [(Some(1), Some(0), quoted("a"), 500)]);
    assert_eq!(default(&batch, "f"), quoted("0"));
    assert_eq!(batch.deduplicated, 2499);
    assert_eq!(desk.inbox.state.lock().unwrap().sums.tallies(), 1, "the flush gives up the rest");
    desk.serve(&context, &stays, 0);
    assert_eq!(counters(&desk.take(), "stays")[0].3, 1);
}

#[test]
fn nothing_that_the_parent_counted_is_told_by_a_forked_child() {
    let (parent, context, flag) = (Desk::new(|_| {}), user("a"), flag_with("f", 1, ""));
    (0..5).for_each(|_| {
        parent.serve(&context, &flag, 0);
    });
    // As after a fork: the recorder and the flags are there still, the inbox is left behind.
    let Desk { inbox, recorder } = parent;
    recorder.renew(1);
    recorder.renew(1);
    let child = Desk { inbox: Inbox::new(&options()), recorder };
    assert!(child.take().is_empty());
    assert!(!child.serve(&context, &flag, 1), "the first evaluation of the child");
    assert!(child.serve(&context, &flag, 1));
    let batch = child.take();
    assert_eq!(told(&batch), ["index a"]);
    assert_eq!((counters(&batch, "f"), batch.deduplicated), (vec![(Some(1), Some(1), quoted("b"), 2)], 1));
    drop(inbox);
    child.serve(&context, &flag, 2);
    assert_eq!(counters(&child.take(), "f"), [(Some(1), Some(2), quoted("c"), 1)]);
}

#[test]
fn an_inbox_that_follows_another_one_of_the_same_client_mistakes_none_of_its_tallies() {
    let (first, context) = (Desk::new(|_| {}), user("a"));
    let (one, two) = (flag_with("f", 1, ""), flag_with("g", 1, ""));
    first.serve(&context, &one, 0);
    first.serve(&context, &two, 0);
    let second = Desk { inbox: Inbox::new(&options()), recorder: first.recorder };
    let rare = Context::from_key("org", "a").unwrap();
    second.evaluate(&rare, &with_default(served(&two, Some(1)), "2"));
    second.evaluate(&rare, &with_default(served(&one, Some(2)), "1"));
    let batch = second.take();
    assert_eq!(counters(&batch, "g"), [(Some(1), Some(1), quoted("b"), 1)]);
    assert_eq!(counters(&batch, "f"), [(Some(1), Some(2), quoted("c"), 1)]);
    assert_eq!((default(&batch, "f"), default(&batch, "g")), (quoted("1"), quoted("2")));
}

#[test]
fn a_flag_that_is_read_anew_for_every_evaluation_needs_no_more_room_than_one_that_is_held() {
    let (desk, context, text) = (Desk::new(|_| {}), user("a"), "x".repeat(100_000));
    desk.inbox.state.lock().unwrap().sums.leave(8_000);
    for _ in 0..500 {
        let flag = flag_with("f", 1, &format!(r#","salt":"{text}""#));
        desk.evaluate(&context, &with_default(served(&flag, Some(1)), "default"));
        desk.evaluate(&context, &with_default(served(&flag, None), "default"));
    }
    let batch = desk.take();
    assert_eq!(batch.dropped, 0);
    assert_eq!(counters(&batch, "f"), [(Some(1), None, quoted("default"), 500), (Some(1), Some(1), quoted("b"), 500)]);
    assert_eq!(default(&batch, "f"), quoted("default"));
}

#[test]
fn evaluations_that_are_dropped_are_counted_for_metrics_all_the_same() {
    let counting = Desk { inbox: Inbox::counting(), recorder: Recorder::counting(0) };
    for desk in [counting, Desk::new(|_| {})] {
        let total = |counts: &Ledger| counts.sorted().iter().map(|(_, _, count)| count).sum::<u64>() + counts.others();
        let keys = |begin: u64| (begin..begin + 12_000).map(|number| format!("unknown-{number}"));
        for round in 0..2 {
            keys(round * 20_000).for_each(|key| _ = desk.evaluate(&user("a"), &missing(&key)));
            assert_eq!(total(&desk.inbox.counts(&desk.recorder)), (round + 1) * 12_000);
            desk.take();
            assert_eq!(total(&desk.inbox.counts(&desk.recorder)), (round + 1) * 12_000);
        }
    }
}
