//! What a data source answers when it is in trouble: envelopes that are none, data sets that are empty, items that make no
//! sense. Nothing of that takes a flag away or hides another.

use std::thread::sleep;
use std::time::Duration;

use fakeld::{Action, Fake, Kind};

use crate::support::*;

const INVALID_DATA: i32 = 3;

/// For a client that polls often into memory and into `server`.
fn polling(fake: &Fake, server: &RedisServer) -> Config {
    storing(fake, server).with("source.kind", "poll").with("poll.interval_ms", "50").with("poll.allow_short", "true")
}

fn answer(body: impl Into<Vec<u8>>) -> Action {
    Action::Answer(200, Vec::new(), body.into())
}

fn event(name: &str, data: &[u8]) -> Vec<u8> {
    [b"event: ", name.as_bytes(), b"\ndata: ", data, b"\n\n"].concat()
}

/// The text of a field as it is, UTF-8 or not.
fn bytes(server: &RedisServer, key: &str) -> Option<Vec<u8>> {
    server.run(&["HGET", &format!("{PREFIX}:features"), key])
}

fn errors_about(notices: &[Notice], part: &str) -> usize {
    let told = |notice: &&Notice| matches!(notice, Notice::Log { level: 3.., text } if text.contains(part));
    notices.iter().filter(told).count()
}

const ENVELOPES: [&str; 6] = [
    r#"{"message":"Service temporarily unavailable"}"#,
    "{}",
    r#"{"flags":null}"#,
    r#"{"data":{"flags":{},"segments":{}}}"#,
    r#"{"flags":[]}"#,
    r#"{"flags":{"a":{"version":2}}"#,
];

#[test]
fn an_answer_that_is_no_data_set_is_refused_and_everything_stays() {
    let server = RedisServer::start();
    for body in ENVELOPES {
        let fake = launchdarkly(&[("a", flag("a", 1, "one"))]);
        let client = polling(&fake, &server).started();
        eventually("Redis has it", || server.text("features", "a").is_some());
        (0..5).for_each(|_| fake.script(answer(body)));
        eventually("it is refused", || client.info().error_kind == INVALID_DATA);
        assert_eq!(client.ask("a"), "one", "{body}");
        fake.edit(|environment| _ = environment.set(Kind::Flag, &flag("a", 2, "two")).unwrap());
        client.serves("a", "two");
        client.becomes(VALID);
        assert!(server.text("features", "a").is_some(), "{body}");
    }
}

#[test]
fn a_put_that_is_no_data_set_is_refused_and_everything_stays() {
    let server = RedisServer::start();
    for body in ENVELOPES {
        let fake = launchdarkly(&[("a", flag("a", 1, "one"))]);
        let client = storing(&fake, &server).started();
        eventually("Redis has it", || server.text("features", "a").is_some());
        fake.send_raw(&event("put", format!(r#"{{"path":"/","data":{body}}}"#).as_bytes()));
        eventually("it is refused", || client.info().error_kind == INVALID_DATA);
        assert_eq!(client.ask("a"), "one", "{body}");
        client.becomes(VALID);
        assert!(server.text("features", "a").is_some() && fake.requests().len() == 2, "{body}");
    }
}

#[test]
fn flags_that_are_all_gone_are_asked_for_once_more() {
    for residency in ["all", "lazy", "off"] {
        for kind in ["poll", "stream"] {
            let (fake, server) = (launchdarkly(&[("a", flag("a", 1, "one"))]), RedisServer::start());
            let config = polling(&fake, &server).with("source.kind", kind).with("cache.residency", residency);
            let client = config.started();
            client.serves("a", "one");
            eventually("Redis has it", || server.text("features", "a").is_some());
            let empty = || match kind {
                "poll" => answer(r#"{"flags":{},"segments":{}}"#),
                _ => Action::stream(
                    vec![(Duration::ZERO, event("put", br#"{"data":{"flags":{},"segments":{}}}"#))],
                    PATIENCE,
                ),
            };
            fake.script(empty());
            fake.close_streams();
            let before = fake.requests().len();
            fake.wait_for_requests(before + 3, Duration::from_secs(2));
            throughout(Duration::from_millis(300), || assert_eq!(client.ask("a"), "one", "{residency} {kind}"));
            // Nobody has flags any more, and says so whenever it is asked.
            fake.edit(|environment| environment.remove(Kind::Flag, "a"));
            fake.close_streams();
            client.serves("a", "FLAG_NOT_FOUND");
            eventually("Redis has it no more", || server.text("features", "a").is_none());
        }
    }
}

#[test]
fn an_empty_answer_at_the_start_takes_nothing_from_redis_unasked() {
    for residency in ["all", "lazy"] {
        let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
        let fake = launchdarkly(&[("a", flag("a", 2, "two"))]);
        fake.script(answer(r#"{"flags":{},"segments":{}}"#));
        let client = polling(&fake, &server).with("cache.residency", residency).started();
        client.serves("a", "two");
        let log = format!("{:?}", client.drain());
        assert!(log.contains("no flags any more"), "{log}");
    }
}

/// Items that make no sense, each under a key of its own.
fn nonsense() -> Vec<(String, Vec<u8>)> {
    let spoilt = |name: &str, member: &str| {
        let good = flag(name, 2, "two");
        // Of a repeated property the last one counts.
        (name.to_owned(), format!("{},{member}}}", &good[..good.len() - 1]).into_bytes())
    };
    let mut broken = flag("bytes", 2, "two").into_bytes();
    let at = broken.windows(3).position(|three| three == b"two").unwrap();
    broken[at] = 0xff;
    vec![
        spoilt("huge", r#""samplingRatio":1e400"#),
        spoilt("nan", r#""description":NaN"#),
        spoilt("infinite", r#""x":[-Infinity]"#),
        spoilt("deep", &format!(r#""x":{}{}"#, "[".repeat(200), "]".repeat(200))),
        spoilt("half", r#""samplingRatio":1.5"#),
        spoilt("weight", r#""fallthrough":{"rollout":{"variations":[{"variation":0,"weight":"100000"}]}}"#),
        spoilt("text", r#""on":"true""#),
        spoilt("nullversion", r#""version":null"#),
        spoilt("hugeversion", r#""version":1e20"#),
        ("null".to_owned(), b"null".to_vec()),
        ("number".to_owned(), b"7".to_vec()),
        ("bytes".to_owned(), broken),
    ]
}

/// A whole data set with these items between two good ones.
fn data_set(version: i64, value: &str, items: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut body = format!(r#"{{"flags":{{"first":{}"#, flag("first", version, value)).into_bytes();
    items.iter().for_each(|(key, text)| body.extend([format!(",\"{key}\":").as_bytes(), text].concat()));
    body.extend(format!(r#","last":{}}},"segments":{{}}}}"#, flag("last", version, value)).into_bytes());
    body
}

fn put(body: &[u8]) -> Vec<u8> {
    event("put", &[b"{\"data\":", body, b"}"].concat())
}

fn patch(key: &str, text: &[u8]) -> Vec<u8> {
    event("patch", &[format!(r#"{{"path":"/flags/{key}","data":"#).as_bytes(), text, b"}"].concat())
}

/// A LaunchDarkly that has a good first version of each.
fn good_before(items: &[(String, Vec<u8>)]) -> Fake {
    launchdarkly(&items.iter().map(|(key, _)| (key.as_str(), flag(key, 1, "one"))).collect::<Vec<_>>())
}

#[track_caller]
fn all_keep_their_last_good_version(client: &Client, items: &[(String, Vec<u8>)]) {
    for (key, _) in items {
        let detail = client.detail(key);
        assert_eq!((detail.word().as_str(), detail.stale), ("one", true), "{key}");
    }
    assert_eq!(client.status()["malformed"], items.len());
}

#[test]
fn items_of_a_put_that_make_no_sense_keep_their_last_good_versions_and_disturb_nobody() {
    let (items, server, folder) = (nonsense(), RedisServer::start(), TempDir::new("nonsense"));
    let (fake, path) = (good_before(&items), folder.path().join("snapshot"));
    let config = storing(&fake, &server).with("snapshot.file", path.to_str().unwrap());
    let client = config.started();
    let whole = put(&data_set(2, "two", &items));
    fake.send_raw(&whole);
    client.serves("last", "two");
    assert_eq!(client.ask("first"), "two");
    assert!(!client.detail("last").stale);
    all_keep_their_last_good_version(&client, &items);
    for (key, text) in &items {
        eventually("Redis has it as it was received", || bytes(&server, key).as_ref() == Some(text));
    }
    // The same once more is nothing new.
    fake.send_raw(&whole);
    fake.send_raw(&patch("last", flag("last", 3, "three").as_bytes()));
    client.serves("last", "three");
    all_keep_their_last_good_version(&client, &items);
    let notices = client.drain();
    assert_eq!(errors_about(&notices, "does not parse"), items.len(), "each is reported once");
    let changed =
        |key: &str| notices.iter().any(|notice| matches!(notice, Notice::Changed { key: own, .. } if own == key));
    assert!(changed("last") && !items.iter().any(|(key, _)| changed(key)), "what stays in force has not changed");
    assert_eq!(fake.requests().len(), 1, "the stream goes on");
    // Redis is compared with memory meanwhile.
    sleep(Duration::from_millis(1_500));
    items.iter().for_each(|(key, text)| assert_eq!(bytes(&server, key).as_ref(), Some(text), "{key}"));
    client.close(PATIENCE_MS);
    // The snapshot file has what was in force.
    fake.kill();
    server.flush();
    let client = config.client();
    client.start(0).unwrap();
    client.serves("last", "three");
    items.iter().for_each(|(key, _)| assert_eq!(client.ask(key), "one", "{key}"));
}

#[test]
fn patches_that_make_no_sense_keep_the_last_good_version_and_the_stream_goes_on() {
    let (items, server) = (nonsense(), RedisServer::start());
    let items: Vec<_> = items.into_iter().filter(|(key, _)| key != "number").collect();
    let fake = good_before(&items);
    let client = storing(&fake, &server).started();
    eventually("Redis has it", || server.text("features", "huge").is_some());
    for (key, text) in &items {
        fake.send_raw(&patch(key, text));
        eventually(&format!("Redis has {key} as it was received"), || bytes(&server, key).as_ref() == Some(text));
    }
    all_keep_their_last_good_version(&client, &items);
    // What comes next is taken, by memory and by Redis.
    for (key, _) in &items {
        fake.send_raw(&patch(key, flag(key, 3, "three").as_bytes()));
        client.serves(key, "three");
        assert!(!client.detail(key).stale, "{key}");
        // What is there before need be no text.
        let is_there = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains("three");
        eventually("Redis has it", || bytes(&server, key).as_ref().is_some_and(is_there));
    }
    assert_eq!(client.status()["malformed"], 0);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn where_redis_is_the_truth_a_held_item_stays_in_force_too() {
    let (fake, server) = (launchdarkly(&[("a", flag("a", 1, "one"))]), RedisServer::start());
    let client = storing(&fake, &server).with("cache.residency", "lazy").started();
    client.serves("a", "one");
    let bad = flag("a", 2, "two").replace("\"version\"", "\"on\":NaN,\"version\"");
    for _ in 0..2 {
        fake.send_raw(&patch("a", bad.as_bytes()));
        eventually("Redis has it as it was received", || server.text("features", "a").as_ref() == Some(&bad));
        throughout(Duration::from_millis(700), || assert_eq!(client.ask("a"), "one"));
        assert!(client.detail("a").stale);
    }
    let log = client.drain();
    assert_eq!(errors_about(&log, "does not parse"), 1, "{log:?}");
    client.reports("malformed", 1);
    // A whole data set does not change that.
    fake.send_raw(&put(&data_set(3, "three", &[("a".to_owned(), bad.into_bytes())])));
    client.serves("last", "three");
    assert_eq!(client.ask("a"), "one");
    fake.send_raw(&patch("a", flag("a", 4, "four").as_bytes()));
    client.serves("a", "four");
    client.reports("malformed", 0);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn without_an_earlier_version_an_item_that_makes_no_sense_is_the_only_one_that_fails() {
    let items = nonsense();
    for (kind, residency) in [("poll", "all"), ("stream", "all"), ("stream", "lazy")] {
        let (fake, server) = (launchdarkly(&[]), RedisServer::start());
        let body = data_set(2, "two", &items);
        fake.script(match kind {
            "poll" => answer(body),
            _ => Action::stream(vec![(Duration::ZERO, put(&body))], PATIENCE),
        });
        let config = polling(&fake, &server).with("source.kind", kind).with("poll.interval_ms", "60000");
        let client = config.with("cache.residency", residency).started();
        assert_eq!((client.ask("first").as_str(), client.ask("last").as_str()), ("two", "two"), "{kind}");
        items.iter().for_each(|(key, _)| assert_eq!(client.ask(key), "EXCEPTION", "{kind} {key}"));
        for (key, text) in &items {
            eventually("Redis has it as it was received", || bytes(&server, key).as_ref() == Some(text));
        }
        // And who reads Redis sees the same.
        let reader = Config::of(&server).started();
        reader.serves("last", "two");
        items.iter().for_each(|(key, _)| assert_eq!(reader.ask(key), "EXCEPTION", "{kind} {key}"));
    }
}

#[test]
fn half_an_emoji_spoils_nothing() {
    let text = flag("a", 2, "two").replace("two", r"two \ud83d!");
    let (fake, server) = (launchdarkly(&[("a", flag("a", 1, "one"))]), RedisServer::start());
    let client = storing(&fake, &server).started();
    fake.send_raw(&patch("a", text.as_bytes()));
    client.serves("a", "two \u{fffd}!");
    assert!(!client.detail("a").stale);
    eventually("Redis has it as it was received", || server.text("features", "a").as_deref() == Some(text.as_str()));
    let reader = Config::of(&server).started();
    reader.serves("a", "two \u{fffd}!");
    assert_eq!((client.status()["malformed"].clone(), reader.status()["malformed"].clone()), (0.into(), 0.into()));
}
