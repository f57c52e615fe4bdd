//! The best rung: a server that names the fields that changed.

use super::*;

/// A server that names fields, scripted.
struct Scripted {
    server: RedisServer,
    gate: Gate,
}

impl Scripted {
    /// One that publishes these classes of notifications.
    fn publishing(classes: &str) -> Self {
        let server = RedisServer::start();
        let scripted = Self { gate: Gate::to(server.port()), server };
        let info = "# Server\r\nredis_version:8.8.0\r\nrun_id:0123456789\r\n";
        scripted.gate.rule_for_content("INFO\r\n$6\r\nserver", Rule::answer(&[info]));
        scripted.set_classes(classes);
        scripted
    }

    fn set_classes(&self, classes: &str) {
        self.gate.rule("CONFIG", Rule::answer(&["notify-keyspace-events", classes]));
    }

    /// Sends commands and, in the same turn of the server, what Redis 8.8 publishes for those that name fields.
    fn write(&self, build: impl FnOnce(&mut Pipeline)) {
        let mut pipeline = pipe();
        pipeline.atomic();
        build(&mut pipeline);
        self.server.send(&pipeline);
    }

    fn set_flag(&self, key: &str, text: &str) {
        self.write(|pipeline| hset(pipeline, "features", key, text));
    }

    /// How often anything was read whole, or in steps.
    fn full_reads(&self) -> u64 {
        let seen = self.gate.seen();
        seen.count("HGETALL") + seen.count("HSCAN")
    }
}

fn hset(pipeline: &mut Pipeline, part: &str, key: &str, text: &str) {
    pipeline.cmd("HSET").arg(format!("{PREFIX}:{part}")).arg(key).arg(text);
    publish(pipeline, part, &format!("hset|{}:{key}", key.len()));
}

fn hdel(pipeline: &mut Pipeline, part: &str, key: &str) {
    pipeline.cmd("HDEL").arg(format!("{PREFIX}:{part}")).arg(key);
    publish(pipeline, part, &format!("hdel|{}:{key}", key.len()));
}

fn publish(pipeline: &mut Pipeline, part: &str, payload: &str) {
    pipeline.cmd("PUBLISH").arg(format!("__subkeyspace@0__:{PREFIX}:{part}")).arg(payload);
}

/// So many flags that they are read in steps.
fn crowd() -> Vec<(&'static str, String)> {
    many_flags(1_200, 1, "one")
}

/// A client of a scripted server with many flags, once everything is read and proved.
fn of_crowd(scripted: &Scripted) -> Client {
    scripted.server.replace(&crowd(), &[("s", segment("s", 1, &["ada"]))]);
    let client = Config::at(&scripted.gate.url()).with("refresh.interval_ms", "600000").started();
    stands_on(&client, FIELDS);
    settled(&client);
    client
}

#[test]
fn scripted_8_8_a_named_field_is_read_by_itself_and_nothing_else_is() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    assert_eq!(client.status()["freshness_reason"], FIELDS);
    assert_eq!(client.status()["watch"]["reason"], Value::Null);
    assert_eq!(fate(&client, BROADCAST), ("not needed".into(), String::new()));
    let before = scripted.full_reads();
    scripted.set_flag("flag-7", &flag("flag-7", 2, "two"));
    assert_eq!(client.hears_change_of("flag-7"), (Some(1), Some(2)));
    scripted.set_flag("new", &flag("new", 1, "new"));
    client.serves("new", "new");
    scripted.write(|pipeline| hdel(pipeline, "features", "new"));
    client.serves("new", "FLAG_NOT_FOUND");
    scripted.write(|pipeline| {
        hset(pipeline, "features", "member", &Flag::new("member", 1, "in").for_segment("t").text());
        hset(pipeline, "segments", "t", &segment("t", 1, &["ada"]));
    });
    client.serves("member", "in");
    scripted.write(|pipeline| hset(pipeline, "segments", "t", &segment("t", 2, &[])));
    client.serves("member", OTHER);
    // Neither at once nor in its turn.
    throughout(Duration::from_millis(700), || assert_eq!(client.ask("flag-7"), "two"));
    assert_eq!(scripted.full_reads(), before);
    settled(&client);
    assert!(!client.detail("flag-7").stale);
    assert_eq!(client.status()["flags"], 1_201);
}

#[test]
fn scripted_8_8_a_flag_and_a_segment_of_one_turn_are_read_at_one_moment() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    let exchanges = || scripted.gate.seen().count("EXEC");
    let at_once = |version: i64| {
        let before = exchanges();
        scripted.write(|pipeline| {
            hset(pipeline, "segments", "s", &segment("s", version, &["ada"]));
            hset(pipeline, "features", "flag-7", &flag("flag-7", version, &version.to_string()));
        });
        client.serves("flag-7", &version.to_string());
        settled(&client);
        exchanges() - before == 1
    };
    // On a busy machine the second one may be told after the first one is read.
    assert!((2..202).any(at_once));
}

#[test]
fn scripted_8_8_what_names_no_fields_is_told_by_tracking_and_read_whole() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    let held = || client.status()["flags"].as_u64();
    // The classes were taken away meanwhile.
    scripted.server.set_flag("flag-7", flag("flag-7", 2, "two"));
    client.serves("flag-7", "two");
    assert_eq!(client.hears_change_of("flag-7"), (Some(1), Some(2)));
    scripted.server.run::<()>(&["RENAME", "launchdarkly:features", "launchdarkly:other"]);
    scripted.server.replace(&[("flag-7", flag("flag-7", 3, "three"))], &[]);
    client.serves("flag-7", "three");
    eventually("the others are gone", || held() == Some(1));
    // And a name that cannot be that of a flag, or a form that nobody knows.
    for payload in ["hset|9:x", "nonsense", "hset|1:\u{ff}"] {
        scripted.write(|pipeline| {
            pipeline.cmd("HINCRBY").arg("launchdarkly:features").arg("count").arg(1);
            publish(pipeline, "features", payload);
        });
        eventually("it is counted", || scripted.server.text("features", "count").is_some());
    }
    client.serves("flag-7", "three");
    eventually("the odd one is seen", || client.status()["malformed"] == 1 || held() == Some(2));
}

#[test]
fn scripted_8_8_a_hash_that_is_replaced_in_the_turn_of_a_named_field_is_read_whole() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    // One push, with a field before it that seems to explain it.
    scripted.write(|pipeline| {
        pipeline.cmd("DEL").arg("launchdarkly:segments");
        hset(pipeline, "segments", "u", &segment("u", 1, &["ada"]));
    });
    eventually("the old segment is gone", || client.status()["segments"] == 1);
    settled(&client);
    scripted.write(|pipeline| {
        pipeline.cmd("DEL").arg("launchdarkly:features");
        crowd().iter().skip(600).for_each(|(key, text)| hset(pipeline, "features", key, text));
        hset(pipeline, "features", "flag-7", &flag("flag-7", 9, "nine"));
    });
    client.serves("flag-7", "nine");
    client.serves("flag-8", "FLAG_NOT_FOUND");
    eventually("half of them are left", || client.status()["flags"] == 601);
    settled(&client);
    // Few fields, and as many as there were before.
    scripted.write(|pipeline| {
        pipeline.cmd("DEL").arg("launchdarkly:features");
        for number in 0..3 {
            hset(pipeline, "features", &format!("other-{number}"), &flag("other", 1, "other"));
        }
    });
    client.serves("other-2", "other");
    client.serves("flag-7", "FLAG_NOT_FOUND");
    assert_eq!(client.ask("flag-1199"), "FLAG_NOT_FOUND");
}

#[test]
fn scripted_8_8_no_edit_is_lost_among_many_named_and_unnamed_ones() {
    let scripted = Scripted::publishing("Sh");
    let client = of_crowd(&scripted);
    for version in 2..60 {
        let text = flag("flag-7", version, &version.to_string());
        match version % 4 {
            0 => scripted.server.set_flag("flag-7", text),
            1 => scripted.write(|pipeline| {
                pipeline.cmd("DEL").arg("launchdarkly:features");
                hset(pipeline, "features", "flag-7", &text);
            }),
            _ => scripted.set_flag("flag-7", &text),
        }
        if version % 3 == 0 {
            client.serves("flag-7", &version.to_string());
        }
    }
    client.serves("flag-7", "59");
    eventually("only what is there is held", || client.status()["flags"] == 1);
    client.becomes(VALID);
}

#[test]
fn scripted_8_8_every_residency_follows_where_fields_are_named() {
    for residency in RESIDENCIES {
        let scripted = Scripted::publishing("AKESh");
        fill(&scripted.server);
        let client = Config::at(&scripted.gate.url()).with("cache.residency", residency).started();
        stands_on(&client, FIELDS);
        assert_eq!((client.ask("a"), client.ask("member")), ("one".into(), "in".into()));
        scripted.set_flag("a", &flag("a", 5, "named"));
        client.serves("a", "named");
        scripted.set_flag("a", &flag("a", 1, "one"));
        client.serves("a", "one");
        follows(&scripted.server, &client, residency);
    }
}

#[test]
fn scripted_8_8_the_classes_are_looked_at_again_and_the_connection_stays() {
    let scripted = Scripted::publishing("AKE");
    fill(&scripted.server);
    let client = attentive(&scripted.gate.url()).started();
    stands_on(&client, BROADCAST);
    let (state, reason) = fate(&client, FIELDS);
    assert!(state == "refused" && reason.contains("\"AKE\" and lacks S"), "{state} {reason}");
    assert_eq!(client.status()["watch"]["reason"], reason);
    let connects = scripted.gate.seen().connects;
    scripted.set_classes("AKSE");
    stands_on(&client, FIELDS);
    client.reports("freshness_reason", FIELDS);
    scripted.set_flag("a", &flag("a", 2, "two"));
    client.serves("a", "two");
    scripted.set_classes("");
    stands_on(&client, BROADCAST);
    client.reports("freshness_reason", BROADCAST);
    scripted.server.set_flag("a", flag("a", 3, "three"));
    client.serves("a", "three");
    assert_eq!(scripted.gate.seen().connects, connects, "nothing was connected anew: {:?}", client.drain());
    assert_eq!(client.state(), VALID);
}

#[test]
fn scripted_8_8_a_server_that_refuses_or_closes_at_the_question_tracks_all_the_same() {
    for (rule, state) in [(Rule::error("NOPERM no"), "refused"), (Rule::Close, "lost"), (Rule::Hang, "lost")] {
        let scripted = Scripted::publishing("Sh");
        fill(&scripted.server);
        scripted.gate.rule("CONFIG", rule);
        let client = attentive(&scripted.gate.url()).with("redis.connect_timeout_ms", "300").started();
        stands_on(&client, BROADCAST);
        assert_eq!(fate(&client, FIELDS).0, state);
        scripted.set_flag("a", &flag("a", 2, "two"));
        client.serves("a", "two");
        follows_edits(&scripted.server, &client, 3);
        let assumes = Config::at(&scripted.gate.url()).with("redis.keyspace_notifications", "assume").started();
        stands_on(&assumes, FIELDS);
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "what was measured is said")]
fn scripted_8_8_an_edit_of_a_large_set_costs_a_small_part_of_what_tracking_alone_costs() {
    let scripted = Scripted::publishing("Sh");
    let plain = Gate::to(scripted.server.port());
    let texts: Vec<(String, String)> = (0..2_000)
        .map(|number| format!("flag-{number}"))
        .map(|key| (big_flag(&key, 1, "one", 500), key))
        .map(|(text, key)| (key, text))
        .collect();
    let flags: Vec<(&str, String)> = texts.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
    scripted.server.replace(&flags, &[]);
    let quiet = |url: &str| Config::at(url).with("refresh.interval_ms", "600000").started();
    let (named, tracked) = (quiet(&scripted.gate.url()), quiet(&plain.url()));
    stands_on(&named, FIELDS);
    stands_on(&tracked, BROADCAST);
    [&named, &tracked].into_iter().for_each(settled);
    let before = [scripted.gate.seen().bytes_told, plain.seen().bytes_told];
    let spent = || [scripted.gate.seen().bytes_told - before[0], plain.seen().bytes_told - before[1]];
    scripted.set_flag("flag-1000", &big_flag("flag-1000", 2, "two", 500));
    named.serves("flag-1000", "two");
    tracked.serves("flag-1000", "two");
    eventually("the set is read in its turn", || spent()[1] > 1_000_000);
    throughout(Duration::from_millis(500), || assert!(spent()[0] < 20_000));
    let [of_named, of_tracked] = spent();
    eprintln!("one edit of 2,000 flags: {of_named} bytes where fields are named, {of_tracked} with tracking alone");
    assert!(of_named * 50 < of_tracked);
}

/// A real Redis that names fields.
fn redis_8_8() -> Option<PathBuf> {
    let named = std::env::var_os("REDIS8_SERVER").map(PathBuf::from);
    let program = named.unwrap_or_else(|| PathBuf::from("redis-server"));
    let output = Command::new(&program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split("v=").nth(1)?.split(' ').next()?.to_owned();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    ((numbers.next()?, numbers.next()?) >= (8, 8)).then_some(program)
}

#[test]
#[allow(clippy::print_stderr, reason = "what is left out is said")]
fn on_a_real_redis_8_8_named_fields_are_read_by_themselves() {
    let Some(program) = redis_8_8() else {
        eprintln!(
            "no Redis 8.8 is at hand (REDIS8_SERVER), so hash-field notifications were only tested with a scripted server"
        );
        return;
    };
    let server = Setup::default().program(&program).argument(&["--notify-keyspace-events", "Sh"]).start();
    let gate = Gate::to(server.port());
    server.replace(&crowd(), &[]);
    let client = Config::at(&gate.url()).with("refresh.interval_ms", "600000").started();
    stands_on(&client, FIELDS);
    settled(&client);
    let full_reads = || gate.seen().count("HGETALL") + gate.seen().count("HSCAN");
    let before = full_reads();
    server.set_flag("flag-7", flag("flag-7", 2, "two"));
    client.serves("flag-7", "two");
    server.remove_flag("flag-8");
    client.serves("flag-8", "FLAG_NOT_FOUND");
    throughout(Duration::from_millis(500), || assert_eq!(client.ask("flag-7"), "two"));
    assert_eq!(full_reads(), before);
    fill(&server);
    client.serves("a", "one");
    follows(&server, &client, "a real Redis 8.8");
}
