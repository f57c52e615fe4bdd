//! Connected mode in unusual trouble: a Redis that reads but does not write, that is slow, or that holds
//! something else where a hash should be.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use fakeld::Kind;
use serde_json::json;

use crate::support::*;

#[test]
fn a_redis_that_refuses_writes_does_not_make_the_source_connect_again_and_again() {
    for residency in ["lazy", "off"] {
        let (fake, server) = (launchdarkly(&[("a", flag("a", 1, "one"))]), RedisServer::start());
        let client = storing(&fake, &server).with("cache.residency", residency).started();
        client.serves("a", "one");
        server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
        fake.put();
        sleep(Duration::from_millis(500));
        let before = fake.requests().len();
        sleep(Duration::from_secs(3));
        let requests = fake.requests().len() - before;
        assert!(requests <= 4, "{residency}: {requests} requests in three seconds");
        server.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
        fake.patch(Kind::Flag, &flag("a", 2, "two")).unwrap();
        client.serves("a", "two");
    }
}

#[test]
fn a_hash_of_a_wrong_type_is_replaced_also_while_something_waits_to_be_written() {
    for refused in [false, true] {
        let rules = if refused { "writer on >secret ~* &* +@all -@scripting" } else { "writer on >secret ~* &* +@all" };
        let (server, data) = (Setup::default().user(rules).start(), TestData::new());
        data.set_flag(&flag("a", 1, "one"));
        let proxy = Proxy::to(server.port());
        let config = Config::at(&proxy.url()).with_data(&data).with("store.write", "true");
        let config = config.with("redis.username", "writer").with("redis.password", "secret");
        let client = config.with("refresh.interval_ms", "500").started();
        eventually("it is written", || server.text("features", "a").is_some());
        proxy.set(Mode::Refuse);
        proxy.cut();
        eventually("Redis is known to be away", || !client.info().store_available);
        data.set_flag(&flag("a", 2, "two"));
        let features = format!("{PREFIX}:features");
        server.run::<()>(&["DEL", &features]);
        server.run::<()>(&["SET", &features, "something else"]);
        proxy.set(Mode::Pass);
        eventually("it is replaced", || server.run::<String>(&["TYPE", &features]) == "hash");
        eventually("what waited is there", || server.text("features", "a").is_some_and(|text| text.contains("two")));
        eventually("all is well", || client.info().store_available);
    }
}

#[test]
fn an_edited_file_reaches_redis_whatever_its_versions() {
    let (server, folder) = (RedisServer::start(), TempDir::new("edited"));
    let path = folder.path().join("flags.json");
    fs::write(&path, json!({ "flagValues": { "a": "one" } }).to_string()).unwrap();
    let paths = json!([path.to_str().unwrap()]).to_string();
    let config = Config::of(&server).with("source.kind", "file").with("file.paths", &paths);
    let client = config.with("store.write", "true").with("file.auto_reload", "true").started();
    eventually("it is written", || server.text("features", "a").is_some_and(|text| text.contains("one")));
    fs::write(&path, json!({ "flagValues": { "a": "two" } }).to_string()).unwrap();
    client.serves("a", "two");
    eventually("it is written too", || server.text("features", "a").is_some_and(|text| text.contains("two")));
}

#[test]
fn a_slow_redis_that_holds_nothing_replaces_the_snapshot_file_wholly() {
    let (server, folder) = (RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]), TempDir::new("slow"));
    let path = folder.path().join("snapshot");
    let config = |url: &str| {
        Config::at(url)
            .with("cache.freshness", "ttl")
            .with("snapshot.file", path.to_str().unwrap())
            .with("refresh.interval_ms", "500")
    };
    let first = config(&server.url()).started();
    eventually("the file is written", || path.exists());
    assert_eq!(first.close(PATIENCE_MS), OK);
    // Somebody has emptied the environment meanwhile.
    server.replace(&[], &[]);
    let proxy = Proxy::to(server.port());
    proxy.set(Mode::Delay(Duration::from_millis(700)));
    let client = config(&proxy.url()).client();
    client.start(0).unwrap();
    eventually("Redis has answered", || client.status()["ready"] == true);
    proxy.set(Mode::Pass);
    client.serves("a", "FLAG_NOT_FOUND");
    client.reports("from_file", false);
    assert_eq!(client.status()["wiped"], false);
}

#[test]
fn a_large_data_set_is_never_read_in_one_command_where_redis_is_the_truth() {
    let flags: Vec<(String, String)> =
        (0..1_200).map(|n| (format!("f{n}"), flag(&format!("f{n}"), 1, "one"))).collect();
    let flags: Vec<(&str, String)> = flags.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
    let (fake, server) = (launchdarkly(&flags), RedisServer::start());
    let config = storing(&fake, &server).with("cache.residency", "lazy");
    let client = config.started();
    client.serves("f7", "one");
    eventually("it is written", || server.text("features", "f1199").is_some());
    let scans = server.calls_of("hscan");
    fake.put();
    eventually("it is compared", || server.calls_of("hscan") > scans);
    assert_eq!(server.calls_of("hgetall"), 0);
}

#[test]
fn an_empty_redis_does_not_empty_the_snapshot_file() {
    let (mut server, folder) = (RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]), TempDir::new("emptied"));
    let path = folder.path().join("snapshot");
    let config = || Config::of(&server).with("snapshot.file", path.to_str().unwrap());
    config().started().close(PATIENCE_MS);
    server.flush();
    let client = config().started();
    assert_eq!(client.ask("a"), "FLAG_NOT_FOUND");
    sleep(Duration::from_millis(500));
    client.close(PATIENCE_MS);
    let config = config();
    server.kill();
    let client = config.client();
    client.start(0).unwrap();
    client.serves("a", "one");
}

#[test]
fn what_did_not_parse_in_redis_is_forgotten_once_the_source_has_delivered() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one")), ("b", "{oops".to_owned())], &[]);
    let fake = launchdarkly(&[("a", flag("a", 1, "one")), ("b", flag("b", 1, "one"))]);
    fake.kill();
    let client = storing(&fake, &server).client();
    client.start(0).unwrap();
    client.reports("malformed", 1);
    fake.start_again().unwrap();
    client.becomes(VALID);
    client.serves("b", "one");
    client.reports("malformed", 0);
}

/// Three flags are changed while Redis is away, so that they are written together; the one in the middle is not taken.
fn one_of_three_is_not_taken(residency: &str, without_scripts: bool) {
    let what = format!("{residency}, without scripts: {without_scripts}");
    let names = ["a", "bad", "z"];
    let (fake, server) = (launchdarkly(&names.map(|key| (key, flag(key, 1, "one")))), RedisServer::start());
    let gate = Gate::to(server.port());
    if without_scripts {
        gate.rule("EVAL", Rule::error("NOPERM this user has no permissions to run the 'eval' command"));
    }
    gate.rule_for_content("poison", Rule::error("ERR this item is not taken"));
    let config = storing(&fake, &server).with("redis.url", &gate.url()).with("cache.residency", residency);
    let client = config.started();
    eventually("all are written", || server.is_inited());
    client.drain();
    for version in 2..5 {
        let value = format!("value-{version}");
        fake.patch(Kind::Flag, &flag("bad", version, &format!("poison-{version}"))).unwrap();
        for key in ["a", "z"] {
            fake.patch(Kind::Flag, &flag(key, version, &value)).unwrap();
        }
        for key in ["a", "z"] {
            eventually(&format!("{what}: {key} is written"), || {
                server.text("features", key).is_some_and(|text| text.contains(&value))
            });
        }
    }
    assert!(server.text("features", "bad").is_some_and(|text| text.contains("one")), "{what}");
    let mut told = Vec::new();
    eventually(&format!("{what}: it is told"), || {
        told.extend(log_lines(&client.drain(), 3));
        told.iter().any(|line| line.contains("\"bad\"") && line.contains("this item is not taken"))
    });
    if residency == "all" {
        client.serves("bad", "poison-4");
        eventually(&format!("{what}: nothing waits"), || client.info().store_available);
    }
}

#[test]
fn an_item_that_redis_refuses_does_not_keep_the_others_from_being_written() {
    std::thread::scope(|scope| {
        for residency in ["all", "lazy", "off"] {
            for without_scripts in [false, true] {
                scope.spawn(move || one_of_three_is_not_taken(residency, without_scripts));
            }
        }
    });
}

/// An item that is larger than the server takes, first as a change and then in a full data set.
fn one_is_too_large(residency: &str, limit: &str) {
    let what = format!("{residency}, {limit}");
    let names = ["a", "huge", "z"];
    let (fake, server) = (launchdarkly(&names.map(|key| (key, flag(key, 1, "one")))), RedisServer::start());
    server.run::<()>(&["CONFIG", "SET", limit, "1048576"]);
    let client = storing(&fake, &server).with("cache.residency", residency).started();
    eventually("all are written", || server.is_inited());
    client.drain();
    let has = |key: &str, value: &str| server.text("features", key).is_some_and(|text| text.contains(value));
    fake.patch(Kind::Flag, &big_flag("huge", 2, "two", 2_000_000)).unwrap();
    for (version, value) in [(2, "two"), (3, "three")] {
        for key in ["a", "z"] {
            fake.patch(Kind::Flag, &flag(key, version, value)).unwrap();
        }
        for key in ["a", "z"] {
            eventually(&format!("{what}: {key} is written"), || has(key, value));
        }
    }
    assert!(has("huge", "one"), "{what}");
    let mut told = Vec::new();
    eventually(&format!("{what}: it is told"), || {
        told.extend(log_lines(&client.drain(), 3));
        told.iter().any(|line| line.contains("\"huge\""))
    });
    // The next full data set has it, too.
    fake.edit(|environment| _ = environment.set(Kind::Flag, &flag("new", 1, "new")).unwrap());
    server.flush();
    drop(client);
    let late = storing(&fake, &server).with("cache.residency", residency).started();
    eventually(&format!("{what}: the others of a full data set are written"), || {
        server.is_inited() && has("new", "new")
    });
    assert!(has("a", "three") && has("z", "three") && !has("huge", "two"), "{what}");
    late.serves("new", "new");
    fake.patch(Kind::Flag, &flag("new", 2, "newer")).unwrap();
    eventually(&format!("{what}: what comes later is written"), || has("new", "newer"));
}

#[test]
fn an_item_at_which_redis_closes_the_connection_does_not_keep_the_others_from_being_written() {
    std::thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            for limit in ["proto-max-bulk-len", "client-query-buffer-limit"] {
                scope.spawn(move || one_is_too_large(residency, limit));
            }
        }
    });
}
