//! A Redis that is dead, or answers everything with an error, while nothing is evaluated: it is tried again with growing
//! pauses, and the log says it once an outage.

use std::thread;
use std::time::Duration;

use crate::support::*;

/// What servers answer that cannot serve: while they load, run a script, have lost their primary, want a login, are a part of
/// a cluster, are a part of one that is down.
const ANSWERS: [&str; 7] = [
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "NOAUTH Authentication required.",
    "MOVED 3999 127.0.0.1:1",
    "CLUSTERDOWN The cluster is down",
    "ERR max number of clients reached",
];
/// Commands by which a connection begins; servers that load answer these.
const GREETINGS: [&str; 4] = ["HELLO", "AUTH", "SELECT", "CLIENT"];
const FIRST: Duration = Duration::from_secs(4);
/// Both connections together may begin quickly, six times each where every pause is the shortest possible one, and then about once
/// a second.
const CONNECTS_FIRST: u64 = 12;
const CONNECTS_LATER: u64 = 6;
/// With a server that keeps the connection, an attempt is a command.
const COMMANDS: u64 = 160;
/// `Notice::Log` of this level is information.
const INFO: i32 = 1;
/// `Notice::Log` of this level is an error.
const ERROR: i32 = 3;

fn config(gate: &Gate, residency: &str) -> Config {
    Config::at(&gate.url()).with("cache.residency", residency).with("notifications.capacity", "10000")
}

/// During an outage that has begun, nothing is asked often, and one error is told.
fn is_patient(gate: &Gate, client: &Client, what: &str) {
    let begin = gate.seen();
    thread::sleep(FIRST);
    let middle = gate.seen();
    thread::sleep(FIRST);
    let end = gate.seen();
    let (first, later) = (middle.connects - begin.connects, end.connects - middle.connects);
    assert!(first <= CONNECTS_FIRST && later <= CONNECTS_LATER, "{what}: {first}, then {later} connects in {FIRST:?}");
    let sent: u64 = end.commands.values().sum::<u64>() - begin.commands.values().sum::<u64>();
    assert!(sent <= COMMANDS, "{what}: {sent} commands: {:?}", end.commands);
    let errors = log_lines(&client.drain(), ERROR);
    assert_eq!(errors.len(), 1, "{what}: {errors:#?}");
}

/// A client that holds flags, two outages, recovery from each; and a client that is made in the middle of one.
fn two_outages(residency: &str, what: &str, begin: impl Fn(&Gate), end: impl Fn(&Gate)) {
    let server = RedisServer::holding(&many_flags(5, 1, "one"), &[]);
    let gate = Gate::to(server.port());
    let client = config(&gate, residency).started();
    assert_eq!(client.ask("flag-0"), "one");
    client.drain();
    for version in 2..4 {
        begin(&gate);
        let what = format!("{what}, {residency}, outage {}", version - 1);
        is_patient(&gate, &client, &what);
        assert_eq!(client.ask("flag-0"), (version - 1).to_string().replace('1', "one"), "{what}");
        assert!(client.detail("flag-0").stale, "{what}");
        server.set_flag("flag-0", flag("flag-0", version, &version.to_string()));
        end(&gate);
        client.serves("flag-0", &version.to_string());
        client.becomes(VALID);
        let errors = log_lines(&client.drain(), ERROR);
        assert!(errors.is_empty(), "{what}: {errors:?}");
    }
    begin(&gate);
    drop(client);
    let late = config(&gate, residency).client();
    late.start(0).unwrap();
    is_patient(&gate, &late, &format!("{what}, {residency}, from the start"));
    end(&gate);
    late.serves("flag-0", "3");
}

#[test]
fn a_redis_that_answers_everything_with_an_error_is_asked_with_growing_pauses() {
    thread::scope(|scope| {
        for answer in ANSWERS {
            let refuse = move |gate: &Gate| {
                gate.rule("*", Rule::error(answer));
                gate.cut(Role::Any);
            };
            for residency in ["all", "lazy"] {
                scope.spawn(move || two_outages(residency, answer, refuse, Gate::clear));
            }
        }
    });
}

#[test]
fn a_redis_that_greets_and_then_answers_with_an_error_is_asked_with_growing_pauses() {
    thread::scope(|scope| {
        for answer in ANSWERS {
            let refuse = move |gate: &Gate| {
                GREETINGS.iter().for_each(|name| gate.rule(name, Rule::Pass));
                gate.rule("*", Rule::error(answer));
                gate.cut(Role::Any);
            };
            for residency in ["all", "lazy"] {
                scope.spawn(move || two_outages(residency, &format!("greeted, {answer}"), refuse, Gate::clear));
            }
        }
    });
}

#[test]
fn a_redis_that_is_away_is_sought_with_growing_pauses() {
    thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            let [begin, end] = [true, false].map(|dead| move |gate: &Gate| gate.set_dead(dead));
            scope.spawn(move || two_outages(residency, "away", begin, end));
        }
    });
}

#[test]
fn where_memory_leads_a_redis_that_is_away_or_answers_with_errors_is_sought_with_growing_pauses() {
    thread::scope(|scope| {
        for answer in [None, Some(ANSWERS[0]), Some(ANSWERS[3]), Some(ANSWERS[4])] {
            for residency in ["all", "lazy"] {
                scope.spawn(move || {
                    let (fake, server) = (launchdarkly(&many_flags(5, 1, "one")), RedisServer::start());
                    let gate = Gate::to(server.port());
                    let config = streaming(&fake).with("redis.url", &gate.url()).with("cache.residency", residency);
                    let client = config.with("cache.on_wipe", "keep").started();
                    eventually("it is written", || server.is_inited());
                    client.serves("flag-0", "one");
                    client.drain();
                    match answer {
                        None => gate.set_dead(true),
                        Some(answer) => {
                            gate.rule("*", Rule::error(answer));
                            gate.cut(Role::Any);
                        }
                    }
                    let requests = fake.requests().len();
                    is_patient(&gate, &client, &format!("connected, {residency}, {answer:?}"));
                    let requests = fake.requests().len() - requests;
                    assert!(requests <= 4, "{residency}: {requests} requests");
                    gate.clear();
                    gate.set_dead(false);
                    fake.patch(fakeld::Kind::Flag, &flag("flag-0", 2, "two")).unwrap();
                    client.serves("flag-0", "two");
                    eventually("Redis has it", || {
                        server.text("features", "flag-0").is_some_and(|text| text.contains("two"))
                    });
                });
            }
        }
    });
}

#[test]
fn where_memory_leads_a_replica_that_takes_no_writes_is_left_with_growing_pauses() {
    let (primary, server) = (RedisServer::holding(&many_flags(5, 1, "one"), &[]), RedisServer::start());
    server.run::<()>(&["REPLICAOF", "127.0.0.1", &primary.port().to_string()]);
    eventually("it has everything", || server.is_inited());
    let (fake, gate) = (launchdarkly(&many_flags(5, 2, "two")), Gate::to(server.port()));
    let client = streaming(&fake).with("redis.url", &gate.url()).with("cache.on_wipe", "keep").started();
    client.serves("flag-0", "two");
    let is_told = || client.status()["last_error"].as_str().is_some_and(|text| text.contains("READONLY"));
    eventually("it is told", is_told);
    client.drain();
    // The first pauses are short: the name may lead to the primary at any moment.
    thread::sleep(FIRST * 2);
    let before = gate.seen();
    thread::sleep(FIRST * 2);
    let connects = gate.seen().connects - before.connects;
    // Three connections each time: two attempts at most, after pauses of more than two seconds by now, and one that had begun.
    assert!(connects <= 9, "{connects} connects in {:?}", FIRST * 2);
    assert_eq!((client.ask("flag-0").as_str(), client.detail("flag-0").stale), ("two", false));
    // That the watch is made anew each time hides nothing and is nothing to tell of.
    assert!(is_told(), "{}", client.status());
    let told = log_lines(&client.drain(), INFO);
    assert!(!told.iter().any(|line| line.contains("writing them again")), "{told:#?}");
    server.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    eventually("it is written", || server.text("features", "flag-0").is_some_and(|text| text.contains("two")));
    eventually("all is well", || client.status()["last_error"].is_null());
}

#[test]
fn a_refused_scan_and_a_reply_that_the_server_will_not_send_make_no_loop() {
    thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            scope.spawn(move || {
                let flags: Vec<_> = many_flags(2_000, 1, "one")
                    .into_iter()
                    .map(|(key, _)| (key, big_flag(key, 1, "one", 2_000)))
                    .collect();
                let server = RedisServer::holding(&flags, &[]);
                let gate = Gate::to(server.port());
                gate.rule("HSCAN", Rule::error("NOPERM this user has no permissions to run the 'hscan' command"));
                let client = config(&gate, residency).started();
                assert_eq!(client.ask("flag-1999"), "one");
                server.set_flag("flag-0", big_flag("flag-0", 2, "two", 2_000));
                client.serves("flag-0", "two");
                thread::sleep(Duration::from_secs(2));
                let before = gate.seen();
                thread::sleep(FIRST);
                let after = gate.seen();
                let scans = after.count("HSCAN") - before.count("HSCAN");
                let bytes = after.bytes_told - before.bytes_told;
                assert!(scans <= 4 && bytes < 10_000_000, "{residency}: {scans} scans, {bytes} bytes");

                // No reply of this size is sent any more: the connection is closed instead.
                gate.clear();
                server.run::<()>(&["CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0"]);
                let late = config(&gate, residency).client();
                late.start(0).unwrap();
                let before = gate.seen().connects;
                thread::sleep(FIRST);
                let connects = gate.seen().connects - before;
                assert!(connects <= CONNECTS_FIRST + CONNECTS_LATER, "{residency}: {connects} connects");
                let errors = log_lines(&late.drain(), ERROR);
                assert!(errors.len() <= 1, "{residency}: {errors:?}");
                assert_eq!(client.ask("flag-1999"), "one");
            });
        }
    });
}

/// Beginnings of answers that never end, with what goes on and on: a line, the length of a text, a text that is longer than any, one
/// of less than nothing, and messages that nobody asked for.
const ENDLESS: [(&str, &str); 6] = [
    ("+", "x"),
    ("-ERR ", "\r"),
    ("$", "9"),
    ("$9223372036854775807\r\n", "x"),
    ("=-1\r\n", "x"),
    (">0\r\n", ">0\r\n"),
];

#[test]
fn an_answer_that_never_ends_is_given_up_as_none_before_much_of_it_has_come() {
    for (beginning, filling) in ENDLESS {
        let answer = format!("{beginning}{}", filling.repeat(1 << 20)).into_bytes();
        let server = Scripted::answering(move |words| match words[0].to_uppercase().as_str() {
            "HELLO" => b"-NOPROTO unsupported protocol version\r\n".to_vec(),
            name if GREETINGS.contains(&name) => b"+OK\r\n".to_vec(),
            _ => answer.clone(),
        });
        let client = Config::at(&format!("redis://127.0.0.1:{}", server.port())).client();
        client.start(0).unwrap();
        eventually("what is wrong is told", || {
            client.status()["last_error"].to_string().contains("the server's answer is no reply of Redis")
        });
    }
}
