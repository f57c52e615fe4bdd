//! What evaluations find wrong is told: once for each flag and content, and never so often that it drowns the rest.

use fakeld::Kind;
use serde_json::{Value, json};

use crate::support::*;

const DEBUG: i32 = 0;
const WARN: i32 = 2;

/// The log lines of this level since the last look that contain `part`.
fn lines(client: &Client, wanted: i32, part: &str) -> Vec<String> {
    let line = |notice| match notice {
        Notice::Log { level, text } if level == wanted && text.contains(part) => Some(text),
        _ => None,
    };
    client.drain().into_iter().filter_map(line).collect()
}

fn client(residency: &str, flags: &[Flag]) -> (RedisServer, Client) {
    let texts: Vec<String> = flags.iter().map(Flag::text).collect();
    let keys: Vec<String> =
        texts.iter().map(|text| serde_json::from_str::<Value>(text).unwrap()["key"].as_str().unwrap().into()).collect();
    let items: Vec<(&str, String)> = keys.iter().map(String::as_str).zip(texts).collect();
    let server = RedisServer::holding(&items, &[]);
    let client = Config::of(&server).with("cache.residency", residency).with("log.level", "debug").started();
    client.drain();
    (server, client)
}

#[test]
fn data_that_make_no_sense_are_told_once_for_each_content() {
    for residency in ["all", "lazy"] {
        let broken = |version| Flag::new("broken", version, "on").with("fallthrough", json!({ "variation": 9 }));
        let (server, client) = client(residency, &[broken(1)]);
        for _ in 0..20 {
            assert_eq!(client.ask("broken"), "MALFORMED_FLAG");
        }
        let told = lines(&client, WARN, "flag \"broken\" (version 1)");
        assert_eq!(told.len(), 1, "{residency}: {told:?}");
        server.set_flag("broken", broken(2).text());
        let mut told = Vec::new();
        eventually("the new content is told", || {
            client.ask("broken");
            told.extend(lines(&client, WARN, "version 2"));
            !told.is_empty()
        });
        (0..20).for_each(|_| drop(client.ask("broken")));
        told.extend(lines(&client, WARN, "version 2"));
        assert_eq!(told.len(), 1, "{residency}: {told:?}");
    }
}

#[test]
fn circles_and_missing_prerequisites_name_what_is_wrong() {
    let flags = [
        Flag::new("a", 1, "on").requires("b"),
        Flag::new("b", 1, "on").requires("a"),
        Flag::new("c", 1, "on").requires("nowhere"),
        Flag::new("d", 1, "on").requires("c"),
        Flag::new("e", 1, "on"),
    ];
    let (_server, client) = client("all", &flags);
    for key in ["a", "c", "d", "e"].repeat(5) {
        client.ask(key);
    }
    let told = lines(&client, WARN, "");
    let about = |part: &str| told.iter().filter(|line| line.contains(part)).collect::<Vec<_>>();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(about("flag \"a\"")[0].contains("circle through \"a\""), "{told:?}");
    assert!(about("flag \"c\" (")[0].contains("prerequisite \"nowhere\" of flag \"c\" does not exist"), "{told:?}");
    assert!(about("flag \"d\"")[0].contains("prerequisite \"nowhere\" of flag \"c\" does not exist"), "{told:?}");
}

#[test]
fn the_state_of_all_flags_tells_as_single_evaluations_do() {
    let flags = [Flag::new("a", 1, "on").requires("a"), Flag::new("c", 1, "on").requires("nowhere")];
    let (_server, client) = client("all", &flags);
    (0..3).for_each(|_| drop(client.all_flags()));
    (0..3).for_each(|_| drop(client.ask("a")));
    assert_eq!(lines(&client, WARN, "flag \"").len(), 2);
}

#[test]
fn a_wrong_type_is_told_once() {
    let (_server, client) = client("all", &[Flag::new("text", 1, "on")]);
    for _ in 0..20 {
        assert!(client.bool("text", true));
    }
    let told = lines(&client, WARN, "flag \"text\"");
    assert!(told.len() == 1 && told[0].contains("asked for a bool"), "{told:?}");
}

#[test]
fn an_unknown_key_is_told_once_at_debug() {
    for residency in ["all", "lazy", "off"] {
        let (_server, client) = client(residency, &[]);
        for key in ["nowhere", "no\nline"].repeat(5) {
            assert_eq!(client.ask(key), "FLAG_NOT_FOUND");
        }
        let told = lines(&client, DEBUG, "there is no flag");
        assert_eq!(told.len(), 2, "{residency}: {told:?}");
        assert!(told.iter().all(|line| !line.contains('\n')), "{told:?}");
    }
}

#[test]
fn a_set_full_of_bad_flags_does_not_drown_the_log() {
    let flags: Vec<Flag> = (0..200)
        .map(|number| Flag::new(&format!("bad-{number}"), 1, "on").with("fallthrough", json!({ "variation": 9 })))
        .collect();
    let (_server, client) = client("all", &flags);
    for number in 0..200 {
        client.ask(&format!("bad-{number}"));
    }
    let told = lines(&client, WARN, "flag \"bad-").len();
    assert!((10..=30).contains(&told), "{told}");
}

#[test]
fn patterns_that_never_match_are_told_once_whoever_delivers_them() {
    let heavy = r"(\pL{30}){30}\pL{90}";
    let rule = |pattern: &str| json!([{ "id": "r", "variation": 1, "clauses": [{ "attribute": "key", "op": "matches", "values": [pattern] }] }]);
    let flags = [
        Flag::new("heavy", 1, "on").with("rules", rule(heavy)),
        Flag::new("wrong", 1, "on").with("rules", rule("***")),
        Flag::new("right", 1, "on").with("rules", rule("^ada$")),
    ];
    let check = |how: &str, told: Vec<String>| {
        assert_eq!(told.len(), 2, "{how}: {told:?}");
        assert!(told.iter().any(|line| line.contains("flag \"heavy\": pattern") && line.contains("1 MB")), "{told:?}");
        assert!(told.iter().any(|line| line.contains("flag \"wrong\": pattern \"***\"")), "{told:?}");
    };
    let texts: Vec<String> = flags.iter().map(Flag::text).collect();
    let items: Vec<(&str, String)> = ["heavy", "wrong", "right"].into_iter().zip(texts.clone()).collect();
    let server = RedisServer::holding(&items, &[]);
    for residency in ["all", "lazy"] {
        let client = Config::of(&server).with("cache.residency", residency).started();
        for (key, value) in [("heavy", "on"), ("wrong", "on"), ("right", OTHER)].repeat(3) {
            assert_eq!(client.ask(key), value, "{key}");
        }
        check(residency, lines(&client, WARN, "never matches"));
    }
    let data = TestData::new();
    texts.iter().for_each(|text| data.set_flag(text));
    let client = Config::new().with_data(&data).started();
    assert_eq!((client.ask("heavy"), client.ask("right")), ("on".into(), OTHER.into()));
    check("test data", lines(&client, WARN, "never matches"));
    for residency in ["lazy", "off"] {
        let (fake, server) = (launchdarkly(&items), RedisServer::start());
        let client = storing(&fake, &server).with("cache.residency", residency).started();
        let mut told = Vec::new();
        eventually("it is told when it is delivered, before anybody evaluates it", || {
            told.extend(lines(&client, WARN, "never matches"));
            told.len() >= 2
        });
        client.serves("right", OTHER);
        client.serves("heavy", "on");
        client.serves("wrong", "on");
        fake.put();
        fake.patch(Kind::Flag, &Flag::new("other", 1, "on").text()).unwrap();
        client.serves("other", "on");
        told.extend(lines(&client, WARN, "never matches"));
        check(&format!("connected, {residency}"), told);
    }
}
