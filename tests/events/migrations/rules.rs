//! The rules for what an operation may say: nonsense is refused with a sentence, also from many threads at once.

use super::*;

/// What is said of an operation before it is tracked.
type Said = fn(&Migration) -> Result<(), Failure>;

#[test]
fn what_makes_no_sense_is_refused_with_a_sentence_and_may_be_mended() {
    let fake = Fake::start().unwrap();
    let client = client_with(&fake, &stage_flag("live"));
    let cases: [(&[Said], &str); 9] = [
        (&[], "it was not set whether the operation reads or writes"),
        (&[|it| it.set_invoked(OLD)], "it was not set whether the operation reads or writes"),
        (&[|it| it.set_operation(READ)], "neither origin was invoked"),
        (&[|it| it.set_operation(READ), |it| it.set_failed(OLD)], "neither origin was invoked"),
        (
            &[|it| it.set_operation(READ), |it| it.set_invoked(OLD), |it| it.set_latency(NEW, 1.0)],
            "the new origin has a latency, but was not invoked",
        ),
        (
            &[|it| it.set_operation(READ), |it| it.set_invoked(NEW), |it| it.set_latency(OLD, 1.0)],
            "the old origin has a latency, but was not invoked",
        ),
        (
            &[|it| it.set_operation(WRITE), |it| it.set_invoked(OLD), |it| it.set_failed(NEW)],
            "the new origin failed, but was not invoked",
        ),
        (
            &[|it| it.set_operation(READ), |it| it.set_invoked(OLD), |it| it.set_consistent(true)],
            "both origins were compared, but the new one was not invoked",
        ),
        (
            &[|it| it.set_operation(READ), |it| it.set_invoked(NEW), |it| it.set_consistent(false)],
            "both origins were compared, but the old one was not invoked",
        ),
    ];
    for (number, (said, sentence)) in (1..).zip(cases) {
        let (migration, _) = client.migration("m", 0);
        said.iter().for_each(|say| say(&migration).unwrap());
        assert_eq!(client.track_migration(&migration), refusal(sentence));
        migration.set_operation(READ).unwrap();
        migration.set_invoked(OLD).unwrap();
        migration.set_invoked(NEW).unwrap();
        assert!(told(&client, &fake).len() < number, "nothing was told: {sentence}");
        client.track_migration(&migration).unwrap();
        assert_eq!(told(&client, &fake).len(), number);
    }
}

#[test]
fn an_operation_for_nobody_or_of_no_flag_is_never_told() {
    let fake = Fake::start().unwrap();
    let client = client_with(&fake, &stage_flag("live"));
    let nobody = client.try_migration(None, "m", 0).0.unwrap();
    let (nameless, _) = client.migration("", 0);
    for migration in [&nobody, &nameless] {
        migration.set_operation(READ).unwrap();
        migration.set_invoked(OLD).unwrap();
    }
    assert_eq!(client.track_migration(&nobody), refusal("the operation has no valid context"));
    assert_eq!(client.track_migration(&nameless), refusal("the key of the operation's flag is empty"));
    assert!(told(&client, &fake).is_empty());
}

#[test]
fn the_last_word_counts_until_an_operation_is_tracked_and_then_none() {
    let fake = Fake::start().unwrap();
    let client = client_with(&fake, &stage_flag("live"));
    let (migration, _) = client.migration("m", 0);
    for operation in [READ, WRITE] {
        migration.set_operation(operation).unwrap();
        migration.set_invoked(OLD).unwrap();
        migration.set_invoked(NEW).unwrap();
        migration.set_consistent(operation == READ).unwrap();
        migration.set_latency(NEW, f64::from(operation) + 1.0).unwrap();
    }
    let copy = migration.clone();
    client.track_migration(&copy).unwrap();
    let late = [
        client.track_migration(&migration),
        migration.set_operation(READ),
        migration.set_invoked(OLD),
        migration.set_failed(OLD),
        migration.set_latency(OLD, 1.0),
        migration.set_consistent(true),
    ];
    assert_eq!(late, [(); 6].map(|()| refusal("the operation was tracked already")));
    let measurements = json!([
        { "key": "invoked", "values": { "old": true, "new": true } },
        { "key": "consistent", "value": false },
        { "key": "latency_ms", "values": { "new": 2 } },
    ]);
    let told = told(&client, &fake);
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["operation"], &told[0]["measurements"]), (&json!("write"), &measurements));
    let (late, _) = client.migration("m", 0);
    client.close(PATIENCE_MS);
    assert_eq!(client.track_migration(&late).unwrap_err().status, CLOSED);
    assert_eq!(late.set_operation(READ), Ok(()), "it belongs to the host");
}

#[test]
fn the_rules_hold_where_nothing_is_told_too() {
    let client = Config::new().with_data(&TestData::new()).started();
    let (migration, _) = client.migration("m", 0);
    assert_eq!(client.track_migration(&migration), refusal("it was not set whether the operation reads or writes"));
    migration.set_operation(READ).unwrap();
    migration.set_invoked(OLD).unwrap();
    assert_eq!(client.track_migration(&migration), Ok(()));
    assert_eq!(client.track_migration(&migration), refusal("the operation was tracked already"));
}

/// Every word that can be said of an operation, by number.
fn say(migration: &Migration, word: u32) -> Result<(), Failure> {
    let origin = if word.is_multiple_of(2) { OLD } else { NEW };
    match word / 2 {
        0 => migration.set_operation(origin),
        1 => migration.set_invoked(origin),
        2 => migration.set_failed(origin),
        3 => migration.set_latency(origin, f64::from(word)),
        _ => migration.set_consistent(word.is_multiple_of(2)),
    }
}

#[test]
fn threads_that_say_anything_in_any_order_never_make_an_event_that_breaks_the_rules_or_two_of_one_operation() {
    const THREADS: u32 = 4;
    const OPERATIONS: usize = 500;
    let fake = Fake::start().unwrap();
    let client = client_with(&fake, &stage_flag("live"));
    let operations: Vec<Migration> = (0..OPERATIONS).map(|_| client.migration("m", 0).0).collect();
    let tracked: Vec<AtomicU32> = (0..OPERATIONS).map(|_| AtomicU32::new(0)).collect();
    let starts = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for seed in 1..=THREADS {
            let (client, operations, tracked, starts) = (&client, &operations, &tracked, &starts);
            scope.spawn(move || {
                let mut bits = seed.wrapping_mul(0x9E37_79B9) | 1;
                for (operation, tracked) in operations.iter().zip(tracked) {
                    let mine = operation.clone();
                    let track = || _ = tracked.fetch_add(u32::from(client.track_migration(&mine).is_ok()), Relaxed);
                    starts.wait();
                    for _ in 0..12 {
                        bits ^= bits << 13;
                        bits ^= bits >> 17;
                        bits ^= bits << 5;
                        match bits % 11 {
                            10 => track(),
                            word => _ = say(&mine, word),
                        }
                    }
                }
            });
        }
    });
    let successes = tracked.iter().map(|count| count.load(Relaxed)).collect::<Vec<_>>();
    assert!(successes.iter().all(|count| *count <= 1), "an operation is told once");
    let told = told(&client, &fake);
    assert_eq!(told.len(), successes.iter().sum::<u32>() as usize);
    assert!((20..OPERATIONS).contains(&told.len()), "some make sense, some do not: {}", told.len());
    told.iter().for_each(assert_makes_sense);
}

#[test]
fn of_threads_that_track_one_operation_at_once_one_succeeds() {
    const OPERATIONS: u32 = 20_000;
    let client = Config::new().with_data(&TestData::new()).started();
    let begin = || {
        let (migration, _) = client.migration("m", 0);
        migration.set_operation(READ).unwrap();
        migration.set_invoked(OLD).unwrap();
        migration
    };
    let operations: Vec<Migration> = (0..OPERATIONS).map(|_| begin()).collect();
    // Whoever is behind is refused, which is faster, and catches up: they meet again and again.
    let tracked = || operations.iter().filter(|operation| client.track_migration(operation).is_ok()).count();
    let counts = thread::scope(|scope| [scope.spawn(tracked), scope.spawn(tracked)].map(|it| it.join().unwrap()));
    assert_eq!(counts.iter().sum::<usize>(), OPERATIONS as usize, "{counts:?}");
}

/// Nothing is told of an origin that was not invoked.
fn assert_makes_sense(event: &Value) {
    let measurements = event["measurements"].as_array().unwrap();
    let origins = |key: &str| -> Vec<&str> {
        let found = measurements.iter().find(|measurement| measurement["key"] == key);
        found.map_or(Vec::new(), |found| found["values"].as_object().unwrap().keys().map(String::as_str).collect())
    };
    let invoked = origins("invoked");
    assert!(!invoked.is_empty() && (event["operation"] == "read" || event["operation"] == "write"), "{event}");
    let others = ["latency_ms", "error"].map(origins).concat();
    assert!(others.iter().all(|origin| invoked.contains(origin)), "{event}");
    let is_compared = measurements.iter().any(|measurement| measurement["key"] == "consistent");
    assert!(!is_compared || invoked.len() == 2, "{event}");
}
