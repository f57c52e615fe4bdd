//! The users in `docs/redis-rights.md` have the rights they need: each is made as it is written there, and tried out.

use std::collections::BTreeMap;
use std::thread;

use fakeld::Kind;

use crate::support::*;

const RESIDENCIES: [&str; 3] = ["all", "lazy", "off"];

/// Name of each user in the documentation, and the words of its line.
fn users() -> BTreeMap<String, Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/redis-rights.md");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("ACL SETUSER "));
    let words = lines.map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    words.map(|words| (words[2].clone(), words)).collect()
}

/// A server that has this user of the documentation.
fn server_with(user: &str) -> RedisServer {
    let (server, users) = (RedisServer::start(), users());
    let words: Vec<&str> = users[user].iter().map(String::as_str).collect();
    server.run::<()>(&words);
    server
}

fn as_user(config: Config, user: &str) -> Config {
    config.with("redis.username", user).with("redis.password", "password").with("cache.ttl_ms", "200")
}

/// What the user was refused, beside what a client says about its library.
fn refused(server: &RedisServer) -> Vec<String> {
    let entries: Vec<Vec<redis::Value>> = server.run(&["ACL", "LOG"]);
    let texts = entries.iter().map(|entry| format!("{entry:?}").to_lowercase());
    texts.filter(|text| !text.contains("client|setinfo")).collect()
}

#[test]
fn the_documentation_names_these_users() {
    let documented: Vec<String> = users().into_keys().collect();
    let tried = [
        "flags-asker",
        "flags-reader",
        "flags-reader-by-age",
        "flags-reader-minimal",
        "flags-reader-of-fields",
        "flags-reader-of-keyspace",
        "flags-reader-resp2",
        "flags-writer",
        "flags-writer-minimal",
        "flags-writer-without-scripts",
    ];
    assert_eq!(documented, tried);
}

#[test]
fn a_reader_needs_no_more_than_the_documented_rights() {
    thread::scope(|scope| {
        for (user, freshness, complete) in [
            ("flags-reader", "push", true),
            ("flags-reader-by-age", "ttl", true),
            ("flags-reader-minimal", "ttl", false),
        ] {
            for residency in RESIDENCIES {
                for count in [3, 1_200] {
                    scope.spawn(move || reads(user, freshness, complete, residency, count));
                }
            }
        }
    });
}

fn reads(user: &str, freshness: &str, complete: bool, residency: &str, count: usize) {
    let what = format!("{user}, {residency}, {count} flags");
    let server = server_with(user);
    let mut flags = many_flags(count, 1, "one");
    flags.push(("member", Flag::new("member", 1, "in").for_segment("s").text()));
    flags.push(("big", Flag::new("big", 1, "in").for_segment("big").text()));
    let big = r#"{"key":"big","version":1,"unbounded":true,"generation":1}"#.to_owned();
    server.replace(&flags, &[("s", segment("s", 1, &["ada"])), ("big", big)]);
    let set = format!("{PREFIX}:big_segment_include:{}", flagstone::big_segments::context_hash("ada"));
    server.run::<()>(&["SADD", &set, "big.g1"]);
    let mut config = as_user(Config::of(&server).with("cache.residency", residency), user);
    config = config.with("refresh.interval_ms", "500").with("redis.ping_ms", "100");
    if user == "flags-reader-by-age" {
        config = config.with("cache.freshness", "ttl");
    }
    let client = config.client();
    assert_eq!(client.start(10_000), Ok(()), "{what}: {:?}", client.try_status());
    assert_eq!((client.ask("flag-0"), client.ask("member")), ("one".into(), "in".into()), "{what}");
    assert_eq!(client.ask("none"), "FLAG_NOT_FOUND", "{what}");
    assert!(client.all_flags().contains("\"member\":\"in\""), "{what}");
    // Nobody says that the members are up to date.
    let of_big = client.detail("big");
    let expected = if complete { ("in", 2) } else { (OTHER, 4) };
    assert_eq!((of_big.word().as_str(), of_big.big_segments), expected, "{what}");
    assert_eq!(client.status()["big_segments"]["push"], freshness == "push", "{what}");
    client.reports("freshness", freshness);
    server.set_flag("flag-0", flag("flag-0", 2, "two"));
    client.serves("flag-0", "two");
    server.set_segment("s", segment("s", 2, &[]));
    client.serves("member", OTHER);
    server.remove_flag("flag-1");
    client.serves("flag-1", "FLAG_NOT_FOUND");
    server.set_flag("none", flag("none", 1, "new"));
    client.serves("none", "new");
    // Safety polls and pings.
    throughout(std::time::Duration::from_millis(1_200), || assert_eq!(client.ask("flag-0"), "two", "{what}"));
    assert_eq!((client.state(), client.detail("flag-0").stale), (VALID, false), "{what}: {:?}", client.status());
    if complete {
        assert_eq!(refused(&server), [""; 0], "{what}");
    }
    let features = "launchdarkly:features";
    let writes: [&[&str]; 5] = [
        &["HSET", features, "a", "b"],
        &["DEL", features],
        &["SET", features, "a"],
        &["FLUSHALL"],
        &["EVAL", "return 1", "0"],
    ];
    for write in writes {
        let words: Vec<&str> = ["ACL", "DRYRUN", user].iter().chain(write).copied().collect();
        let verdict: String = server.run(&words);
        assert!(verdict.contains("no permissions"), "{what} may {write:?}: {verdict}");
    }
}

#[test]
fn readers_that_are_told_of_changes_in_other_ways_need_no_more_than_the_documented_rights() {
    let fields = "hash-field notifications";
    for (user, rung, query, option) in [
        ("flags-reader-of-fields", fields, "", "assume"),
        ("flags-reader-of-fields", "RESP3 broadcast tracking", "", "ask"),
        ("flags-reader-resp2", "RESP2 tracking with redirect", "?protocol=2", "ask"),
        ("flags-reader-of-keyspace", "keyspace notifications", "?protocol=2", "ask"),
    ] {
        let server = server_with(user);
        server.run::<()>(&["CONFIG", "SET", "notify-keyspace-events", "KA"]);
        server.replace(&[("a", flag("a", 1, "one"))], &[]);
        let gate = Gate::to(server.port());
        // It is an older one, which does not publish fields, and lets a client subscribe all the same.
        gate.rule_for_content("INFO\r\n$6\r\nserver", Rule::answer(&["redis_version:8.8.0\r\nrun_id:0\r\n"]));
        let config = Config::at(&format!("{}{query}", gate.url())).with("redis.keyspace_notifications", option);
        let client = as_user(config, user).with("cache.ttl_ms", "600000").with("redis.ping_ms", "50").started();
        client.reports("freshness_reason", rung);
        if option == "ask" && query.is_empty() {
            let reason = client.status()["watch"]["reason"].to_string();
            assert!(reason.contains("lacks S"), "the question is allowed: {reason}");
        }
        for version in 2..5 {
            server.set_flag("a", flag("a", version, &version.to_string()));
            client.serves("a", &version.to_string());
        }
        throughout(std::time::Duration::from_millis(300), || assert_eq!(client.ask("a"), "4", "{user}"));
        client.reports("freshness_reason", rung);
        let expected = if rung == "keyspace notifications" { &["client|id"][..] } else { &[] };
        let more = |text: &String| !expected.iter().any(|known| text.contains(known));
        assert_eq!(refused(&server).into_iter().filter(more).collect::<Vec<_>>(), [""; 0], "{user}");
    }
}

#[test]
fn a_writer_needs_no_more_than_the_documented_rights() {
    thread::scope(|scope| {
        for (user, complete) in
            [("flags-writer", true), ("flags-writer-without-scripts", false), ("flags-writer-minimal", false)]
        {
            for residency in RESIDENCIES {
                scope.spawn(move || writes(user, complete, residency));
            }
        }
    });
}

fn writes(user: &str, complete: bool, residency: &str) {
    let what = format!("{user}, {residency}");
    let server = server_with(user);
    let fake = launchdarkly(&many_flags(3, 1, "one"));
    let config = || as_user(storing(&fake, &server).with("cache.residency", residency), user);
    let text = |key: &str| server.text("features", key).unwrap_or_default();
    let client = config().started();
    eventually(&format!("{what}: it is written"), || server.is_inited());
    let lock = format!("{PREFIX}:$flagstone_lock");
    eventually(&format!("{what}: the lock is given back"), || server.run::<i64>(&["EXISTS", &lock]) == 0);
    client.serves("flag-0", "one");
    fake.patch(Kind::Flag, &flag("flag-0", 2, "two")).unwrap();
    client.serves("flag-0", "two");
    eventually(&format!("{what}: a patch is written"), || text("flag-0").contains("two"));
    fake.patch(Kind::Flag, &big_flag("flag-2", 2, "two", 100_000)).unwrap();
    fake.patch(Kind::Flag, &big_flag("flag-2", 3, "three", 100_000)).unwrap();
    eventually(&format!("{what}: a big item is written over a big one"), || text("flag-2").contains("three"));
    fake.delete(Kind::Flag, "flag-1", 5);
    client.serves("flag-1", "FLAG_NOT_FOUND");
    eventually(&format!("{what}: a deletion is written"), || text("flag-1").contains("deleted"));
    server.set_flag("flag-0", flag("flag-0", 9, "nine"));
    fake.patch(Kind::Flag, &flag("flag-0", 8, "eight")).unwrap();
    fake.patch(Kind::Flag, &flag("last", 1, "last")).unwrap();
    eventually(&format!("{what}: what came last is written"), || text("last").contains("last"));
    assert!(text("flag-0").contains("nine"), "{what}: never backwards");
    if residency == "all" {
        server.flush();
        eventually(&format!("{what}: what was lost is written again"), || server.is_inited());
        assert!(text("last").contains("last"), "{what}");
    }
    assert_eq!(client.close(PATIENCE_MS), OK);
    fake.kill();
    let late = config().client();
    late.start(0).unwrap();
    late.serves("last", "last");
    assert_eq!(late.ask("flag-1"), "FLAG_NOT_FOUND", "{what}");
    if complete {
        assert_eq!(refused(&server), [""; 0], "{what}");
    }
}

#[test]
fn a_client_of_sentinels_needs_no_more_than_the_documented_rights() {
    for rights in [&["+role"][..], &["+role", "-info"], &[]] {
        let server = server_with("flags-reader");
        server.replace(&[("a", flag("a", 1, "on"))], &[]);
        server.run::<()>(&[&["ACL", "SETUSER", "flags-reader"], rights].concat());
        let sentinel = Setup::default().sentinel(&watching(server.port(), 1)).start();
        let asker: Vec<String> = users().remove("flags-asker").unwrap();
        sentinel.run::<()>(&asker.iter().map(String::as_str).collect::<Vec<_>>());
        let login = "sentinel_user=flags-asker&sentinel_password=password";
        let url = format!("redis+sentinel://127.0.0.1:{}/{SERVICE}?{login}&read=prefer-replica", sentinel.port());
        let client = as_user(Config::at(&url), "flags-reader").started();
        assert_eq!(client.ask("a"), "on", "{rights:?}");
        client.reports("freshness", "push");
        let listens = || sentinel.run::<String>(&["CLIENT", "LIST"]).lines().any(|line| line.contains(" sub=2 "));
        eventually("the sentinel is listened to", listens);
        let of_role = |texts: Vec<String>| texts.into_iter().filter(|text| !text.contains("role")).collect::<Vec<_>>();
        assert_eq!(refused(&sentinel), [""; 0], "{rights:?}");
        if rights == ["+role"] {
            assert_eq!(refused(&server), [""; 0]);
        } else if rights.is_empty() {
            assert_eq!(of_role(refused(&server)), [""; 0]);
        }
    }
}
