//! Which contexts are told, and how often.

use super::*;

#[test]
fn a_context_is_told_once_before_what_it_is_for_however_many_handles_it_has() {
    let (desk, flag) = (Desk::new(|_| {}), flag_with("f", 1, r#","trackEvents":true"#));
    let first = user("a");
    desk.serve(&first, &flag, 0);
    desk.serve(&first, &flag, 0);
    desk.serve(&user("a"), &flag, 0);
    desk.track(&user("b"));
    desk.track(&user("b"));
    desk.evaluate(&user("c"), &missing("m"));
    desk.evaluate(&user("c"), &missing("m"));
    let batch = desk.take();
    assert_eq!(
        told(&batch),
        ["index a", "feature f", "feature f", "feature f", "index b", "custom bought", "custom bought", "index c"]
    );
    assert_eq!(batch.deduplicated, 4);

    // Over flushes as well, until the contexts are forgotten.
    desk.serve(&user("a"), &flag, 0);
    assert_eq!(told(&desk.take()), ["feature f"]);
}

#[test]
fn contexts_are_told_apart_by_kinds_and_keys() {
    let desk = Desk::new(|_| {});
    let (user_a, org_a) = (user("a"), Context::from_key("org", "a").unwrap());
    let both = Context::merge(&[&user_a, &org_a]).unwrap();
    for context in [&user_a, &org_a, &both, &user("org:a"), &user("a%3Aorg")] {
        desk.evaluate(context, &missing("m"));
        desk.evaluate(&context.clone(), &missing("m"));
    }
    let batch = desk.take();
    // A user named as an organisation is taken for it: that is how contexts are identified everywhere.
    assert_eq!(told(&batch), ["index a", "index org:a", "index org:a:user:a", "index a%3Aorg"]);
    assert_eq!(batch.deduplicated, 6);
}

#[test]
fn contexts_are_told_again_when_they_were_forgotten() {
    let (desk, flag) = (Desk::new(|options| options.context_keys_flush = Duration::ZERO), flag_with("f", 1, ""));
    let context = user("a");
    desk.serve(&context, &flag, 0);
    desk.serve(&user("a"), &flag, 0);
    assert_eq!(told(&desk.take()), ["index a", "index a"]);
    // A flush is enough to forget: nobody else may come here for a long time.
    assert!(!desk.serve(&context, &flag, 0));
    assert_eq!(told(&desk.take()), ["index a"]);
}

#[test]
fn of_more_contexts_than_are_remembered_the_longest_unseen_is_forgotten_first() {
    let desk = Desk::new(|options| options.context_keys_capacity = NonZeroUsize::new(2).unwrap());
    for key in ["a", "b", "a", "c", "a", "b", "c"] {
        desk.evaluate(&user(key), &missing("m"));
    }
    let batch = desk.take();
    assert_eq!(told(&batch), ["index a", "index b", "index c", "index b", "index c"]);
    assert_eq!(batch.deduplicated, 2);
}

#[test]
fn however_many_contexts_there_are_few_wait_and_those_that_were_not_told_are_counted() {
    let desk = Desk::new(|options| options.capacity = 100);
    let keys = 20_000;
    for key in 0..keys {
        desk.evaluate(&user(&key.to_string()), &missing("m"));
    }
    let batch = desk.take();
    assert_eq!((batch.events.len(), batch.dropped, batch.deduplicated), (100, keys - 100, 0));
    assert_eq!(counters(&batch, "m"), [(None, None, None, keys)]);
    assert_eq!(desk.inbox.dropped(), keys - 100);
    assert_eq!((desk.take().dropped, desk.inbox.dropped()), (0, keys - 100));
}

#[test]
fn who_was_identified_needs_no_index_event_and_who_was_told_is_identified_all_the_same() {
    let desk = Desk::new(|_| {});
    desk.identify(&user("a"));
    desk.track(&user("a"));
    desk.track(&user("b"));
    desk.identify(&user("b"));
    desk.identify(&user("b"));
    let batch = desk.take();
    assert_eq!(told(&batch), ["identify a", "custom bought", "index b", "custom bought", "identify b", "identify b"]);
    assert_eq!(batch.deduplicated, 1);
}

#[test]
fn legacy_users_without_a_key_are_told_but_not_identified() {
    let desk = Desk::new(|_| {});
    let nobody = Context::from_json(r#"{"key":""}"#).unwrap();
    desk.identify(&nobody);
    desk.track(&nobody);
    assert_eq!(told(&desk.take()), ["index ", "custom bought"]);
}

#[test]
fn anonymous_contexts_can_be_left_out_of_index_and_identify_events() {
    let desk = Desk::new(|options| options.omit_anonymous = true);
    let (somebody, nobody) = (user("s"), anonymous("", "n"));
    let device = anonymous("device", "d");
    let org = Context::from_key("org", "o").unwrap();
    desk.evaluate(&nobody, &missing("m"));
    desk.evaluate(&Context::merge(&[&nobody, &device]).unwrap(), &missing("m"));
    desk.identify(&nobody);
    desk.track(&nobody);
    desk.track(&somebody);
    desk.track(&Context::merge(&[&nobody, &org]).unwrap());
    desk.identify(&Context::merge(&[&device, &org]).unwrap());
    let batch = desk.take();
    let expected = ["custom bought", "index s", "custom bought", "index org:o", "custom bought", "identify org:o"];
    assert_eq!(told(&batch), expected);
    assert_eq!(kinds(&batch, "m"), ["device", "user"]);
    let Some(Event::Custom(custom)) = batch.events.get(4) else { panic!("no custom event") };
    assert_eq!(custom.context.canonical_key(), "org:o:user:n", "only index and identify events leave members out");
}

#[test]
fn what_is_left_of_a_context_without_its_anonymous_members_is_told_once() {
    let desk = Desk::new(|options| options.omit_anonymous = true);
    let org = Context::from_key("org", "o").unwrap();
    for session in 0..10 {
        let visitor = anonymous("", &session.to_string());
        desk.evaluate(&Context::merge(&[&visitor, &org]).unwrap(), &missing("m"));
    }
    desk.evaluate(&org, &missing("m"));
    let batch = desk.take();
    assert_eq!(told(&batch), ["index org:o"]);
    assert_eq!(batch.deduplicated, 10);
}

#[test]
fn every_evaluation_and_custom_event_has_an_index_event_or_is_deduplicated() {
    let (desk, plain) = (Desk::new(|options| options.omit_anonymous = true), flag_with("f", 1, ""));
    let (tracked, hidden) =
        (flag_with("t", 1, r#","trackEvents":true"#), flag_with("x", 1, r#","excludeFromSummaries":true"#));
    let contexts: Vec<Context> = (0..5).map(|key| user(&key.to_string())).chain([anonymous("", "n")]).collect();
    let (mut calls, mut told, mut alone) = (0, 0, 0);
    for round in 0..10 {
        for context in &contexts {
            for flag in [&plain, &plain, &tracked, &hidden] {
                alone += u64::from(desk.serve(context, flag, round % 3));
            }
            desk.evaluate(&context.clone(), &missing("m"));
            desk.evaluate(context, &served(&plain, None));
            desk.track(context);
            calls += 7;
        }
        let batch = desk.take();
        told += batch.deduplicated
            + batch.events.iter().filter(|event| matches!(event, Event::Index { .. })).count() as u64;
        assert_eq!(told, calls);
    }
    assert!(alone > 50, "{alone}");
}
