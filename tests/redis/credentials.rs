//! Logins at Redis that change while a client runs: set by the host, read from a file, refused, expired. Every password and log
//! line is looked through: none tells a secret.

mod file;
mod refused;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::*;

/// Begins every password here.
const SECRET: &str = "hunter2";
const REFUSED: &str = "the login was refused: WRONGPASS invalid username-password pair or user is disabled.";

/// A server with a flag and a user `ada`; the default user is for the test alone.
fn server() -> RedisServer {
    let server = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    allow(&server, "ada", "hunter2-first");
    server
}

/// From now on this is the user's only password. Its connections stay.
fn allow(server: &RedisServer, user: &str, password: &str) {
    server.run::<()>(&["ACL", "SETUSER", user, "on", "resetpass", &format!(">{password}"), "~*", "&*", "+@all"]);
}

fn as_ada(server: &RedisServer) -> Config {
    Config::of(server).with("redis.username", "ada").with("redis.ping_ms", "100")
}

fn by_host(server: &RedisServer) -> Config {
    as_ada(server).with("redis.credentials", "host")
}

/// Number and user of each connection that the library has made.
fn connections(server: &RedisServer) -> BTreeSet<(u64, String)> {
    let list: String = server.run(&["CLIENT", "LIST"]);
    let of = |line: &str, name: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default().to_owned()
    };
    let ours = list.lines().filter(|line| of(line, "name").starts_with("flagstone-"));
    ours.map(|line| (of(line, "id").parse().unwrap(), of(line, "user"))).collect()
}

fn numbers(server: &RedisServer) -> BTreeSet<u64> {
    connections(server).into_iter().map(|(number, _)| number).collect()
}

/// Ends the connections of a user, as servers do when a token expires.
fn cut(server: &RedisServer, user: &str) {
    server.run::<i64>(&["CLIENT", "KILL", "USER", user]);
}

fn login(client: &Client) -> Value {
    client.status()["redis"]["credentials"].clone()
}

fn state(client: &Client) -> String {
    login(client)["state"].as_str().unwrap_or_default().to_owned()
}

/// Waits until the host is asked for credentials, for this reason, and gives everything that was told before.
#[track_caller]
fn is_asked(client: &Client, reason: &str, user: Option<&str>) -> Vec<Notice> {
    let mut heard = Vec::new();
    let asked = Notice::Credentials { reason: reason.to_owned(), user: user.map(str::to_owned) };
    eventually(&format!("the host is asked: {reason}"), || {
        heard.extend(client.drain());
        heard.contains(&asked)
    });
    heard
}

/// Neither status nor notices tell a password.
#[track_caller]
fn tells_no_secret(client: &Client, heard: &[Notice]) {
    let all = format!("{:?} {heard:?} {:?}", client.status(), client.drain());
    assert!(!all.contains(SECRET), "{all}");
}

#[test]
fn open_connections_log_in_anew_without_an_end_and_nothing_that_is_told_meanwhile_is_missed() {
    let server = server();
    allow(&server, "bob", "hunter2-bob");
    let data = TestData::new();
    data.set_flag(&flag("a", 1, "one"));
    let reader = as_ada(&server).with("redis.password", "hunter2-first").started();
    let writer = Config::of(&server)
        .with("redis.username", "ada")
        .with("redis.password", "hunter2-first")
        .with("store.write", "true")
        .with_data(&data)
        .started();
    reader.reports("freshness", "push");
    writer.reports("freshness", "push");
    data.set_flag(&flag("a", 2, "two"));
    reader.serves("a", "two");
    let before = numbers(&server);
    // Reading and watching twice, writing once.
    assert_eq!(before.len(), 5, "{:?}", connections(&server));
    reader.drain();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = OverAtTheEnd(&over);
        scope.spawn(|| {
            let mut version = 10;
            while !over.load(SeqCst) {
                data.set_flag(&flag("a", version, &version.to_string()));
                version += 1;
                thread::sleep(Duration::from_millis(1));
            }
        });
        for round in 0..20 {
            let (user, password) = if round % 2 == 0 { ("bob", "hunter2-bob") } else { ("ada", "hunter2-first") };
            for client in [&reader, &writer] {
                client.set_credentials(user, password, 0).unwrap();
            }
            eventually("all log in anew", || connections(&server).iter().all(|(_, now)| now == user));
        }
    });
    data.set_flag(&flag("a", 1_000_000, "last"));
    reader.serves("a", "last");
    assert_eq!(numbers(&server), before);
    let heard = reader.drain();
    assert!(heard.iter().all(|notice| !matches!(notice, Notice::Status { .. } | Notice::Log { .. })), "{heard:?}");
    assert_eq!(login(&reader), json!({"source":"static","user":"ada","expires_in_ms":null,"state":"ok","error":null}));
    tells_no_secret(&reader, &heard);
}

#[test]
fn the_connection_for_big_segments_logs_in_anew_while_nobody_uses_it() {
    let server = server();
    let text = r#"{"key":"big","version":1,"unbounded":true,"generation":1}"#.to_owned();
    server.replace(&[("a", Flag::new("a", 1, "in").for_segment("big").text())], &[("big", text)]);
    server.run::<()>(&["SET", &format!("{PREFIX}:big_segments_synchronized_on"), "1"]);
    let client =
        by_host(&server).with("big_segments.poll_interval_ms", "3600000").with("redis.ping_ms", "60000").client();
    client.set_credentials("ada", "hunter2-first", 0).unwrap();
    client.start(PATIENCE_MS).unwrap();
    eventually("big segments are read", || client.detail("a").big_segments == 2);
    let before = numbers(&server);
    assert_eq!(before.len(), 3, "{:?}", connections(&server));
    allow(&server, "bob", "hunter2-bob");
    client.set_credentials("bob", "hunter2-bob", 0).unwrap();
    eventually("all log in anew", || connections(&server).iter().all(|(_, user)| user == "bob"));
    assert_eq!(numbers(&server), before);
}

#[test]
fn a_start_waits_for_the_host_in_its_time_and_says_so() {
    let server = server();
    let client = by_host(&server).client();
    let failure = client.start(300).unwrap_err();
    assert_eq!(failure.status, TIMEOUT);
    assert!(failure.message.contains("the host has not set credentials yet"), "{}", failure.message);
    assert_eq!((state(&client).as_str(), client.detail("a").word().as_str()), ("missing", "CLIENT_NOT_READY"));
    let heard = is_asked(&client, "start", Some("ada"));
    assert_eq!(log_lines(&heard, 3), Vec::<String>::new());
    assert_eq!(connections(&server).len(), 0);
    thread::scope(|scope| {
        let started = scope.spawn(|| client.start(PATIENCE_MS));
        client.set_credentials("ada", "hunter2-first", 3_600_000).unwrap();
        started.join().unwrap().unwrap();
    });
    client.becomes(VALID);
    client.serves("a", "one");
    client.reports("freshness", "push");
    let login = login(&client);
    assert_eq!((&login["source"], &login["user"], &login["state"]), (&json!("host"), &json!("ada"), &json!("ok")));
    assert!((3_000_000..=3_600_000).contains(&login["expires_in_ms"].as_i64().unwrap()), "{login}");
    tells_no_secret(&client, &heard);
}

#[test]
fn what_the_host_sets_before_the_start_counts_and_is_not_asked_for() {
    let server = server();
    let client = by_host(&server).client();
    client.set_credentials("", "hunter2-nobody", 0).unwrap();
    client.set_credentials("ada", "hunter2-first", 0).unwrap();
    client.start(PATIENCE_MS).unwrap();
    client.serves("a", "one");
    let heard = client.drain();
    assert!(!heard.iter().any(|notice| matches!(notice, Notice::Credentials { .. })), "{heard:?}");
}

#[test]
fn the_host_is_asked_before_the_end_and_again_while_it_sets_nothing() {
    let server = server();
    let client = by_host(&server).with("notifications.capacity", "5").client();
    client.set_credentials("ada", "hunter2-first", 1_000).unwrap();
    client.start(PATIENCE_MS).unwrap();
    is_asked(&client, "expires", Some("ada"));
    eventually("the end is told", || state(&client) == "expired");
    assert_eq!(login(&client)["expires_in_ms"], json!(0));
    is_asked(&client, "expires", Some("ada"));
    // The server goes by its own clock.
    client.serves("a", "one");
    client.set_credentials("ada", "hunter2-first", 0).unwrap();
    eventually("they are tried", || state(&client) == "ok");
}

#[test]
fn a_token_that_expires_while_redis_is_away_is_refused_asked_for_and_made_good_without_a_restart() {
    let mut server = server();
    let client = by_host(&server).client();
    client.set_credentials("ada", "hunter2-first", 0).unwrap();
    client.start(PATIENCE_MS).unwrap();
    client.becomes(VALID);
    server.kill();
    client.becomes(INTERRUPTED);
    client.drain();
    server.restart();
    server.replace(&[("a", flag("a", 2, "two"))], &[]);
    allow(&server, "ada", "hunter2-second");
    let heard = is_asked(&client, "refused", Some("ada"));
    eventually("the refusal is told", || client.status()["last_error"] == REFUSED);
    let told = login(&client);
    assert_eq!((&told["state"], &told["error"]), (&json!("refused"), &json!(REFUSED)));
    // What is held goes on, and says that it is not known to be true.
    let detail = client.detail("a");
    assert_eq!((detail.word().as_str(), detail.stale), ("one", true));
    client.set_credentials("ada", "hunter2-second", 0).unwrap();
    client.becomes(VALID);
    client.serves("a", "two");
    assert!(!client.detail("a").stale);
    tells_no_secret(&client, &heard);
}

#[test]
fn connections_that_a_server_cuts_at_the_end_of_a_token_are_made_anew_with_the_next_one() {
    let server = server();
    let client = by_host(&server).client();
    client.set_credentials("ada", "hunter2-first", 0).unwrap();
    client.start(PATIENCE_MS).unwrap();
    client.reports("freshness", "push");
    allow(&server, "bob", "hunter2-bob");
    client.set_credentials("bob", "hunter2-bob", 0).unwrap();
    eventually("all log in anew", || connections(&server).iter().all(|(_, user)| user == "bob"));
    let before = numbers(&server);
    // Those of the former one are gone already.
    cut(&server, "ada");
    assert_eq!(numbers(&server), before);
    cut(&server, "bob");
    eventually("others are there", || connections(&server).len() == 2 && numbers(&server).is_disjoint(&before));
    client.becomes(VALID);
    server.set_flag("a", flag("a", 2, "two"));
    client.serves("a", "two");
}

/// Both ways to be told of changes on connections that cannot log in anew where they are.
#[test]
fn a_watch_that_is_made_anew_for_a_login_is_never_missed_and_stays_where_the_login_is_refused() {
    for (rung, rights) in [("RESP2 tracking with redirect", "+@all"), ("keyspace notifications", "-client|tracking")] {
        let server = server();
        server.run::<()>(&["CONFIG", "SET", "notify-keyspace-events", "KA"]);
        server.run::<()>(&["ACL", "SETUSER", "ada", rights, ">hunter2-second"]);
        let client = Config::at(&format!("{}?protocol=2", server.url()))
            .with("redis.username", "ada")
            .with("redis.password", "hunter2-first")
            .with("redis.ping_ms", "100")
            .with("cache.ttl_ms", "600000")
            .started();
        client.reports("freshness_reason", rung);
        client.becomes(VALID);
        client.drain();
        let before = numbers(&server);
        client.set_credentials("ada", "hunter2-wrong", 0).unwrap();
        eventually("it is refused", || state(&client) == "refused");
        throughout(Duration::from_millis(500), || assert_eq!(client.status()["freshness"], "push", "{rung}"));
        assert_eq!((numbers(&server), client.state()), (before.clone(), VALID), "{rung}");
        server.set_flag("a", flag("a", 2, "two"));
        client.serves("a", "two");

        client.set_credentials("ada", "hunter2-second", 0).unwrap();
        eventually("it is well, on another watch", || {
            let present = numbers(&server);
            // Of the former ones, that for reading is left.
            state(&client) == "ok" && present.len() == before.len() && present.intersection(&before).count() == 1
        });
        server.set_flag("a", flag("a", 3, "three"));
        client.serves("a", "three");
        let heard = client.drain();
        assert!(heard.iter().all(|notice| !matches!(notice, Notice::Status { .. })), "{rung}: {heard:?}");
        let told = log_lines(&heard, 2);
        assert!(told.len() == 1 && told[0].starts_with(REFUSED), "{rung}: {heard:?}");
        tells_no_secret(&client, &heard);
    }
}

#[test]
fn a_user_with_the_least_rights_may_log_in_anew() {
    let server = server();
    let rights = |user: &str, password: &str| {
        let password = format!(">{password}");
        server.run::<()>(&["ACL", "SETUSER", user, "on", "resetpass", &password, "-@all", "+hgetall", "+hget", "~*"]);
    };
    rights("ada", "hunter2-first");
    rights("bob", "hunter2-bob");
    // So often that connections are in use.
    let client = as_ada(&server).with("redis.password", "hunter2-first").with("cache.ttl_ms", "50").started();
    client.set_credentials("bob", "hunter2-bob", 0).unwrap();
    eventually("it logs in anew", || {
        let list: String = server.run(&["CLIENT", "LIST"]);
        list.contains("user=bob") && !list.contains("user=ada")
    });
    server.set_flag("a", flag("a", 2, "two"));
    client.serves("a", "two");
    assert_eq!(state(&client), "ok");
}

#[test]
fn logins_at_sentinels_stay_those_of_the_url() {
    let primary = replicating(None);
    primary.replace(&[("a", flag("a", 1, "one"))], &[]);
    allow(&primary, "ada", "hunter2-first");
    let sentinel = Setup::default().password("hunter2-watch").sentinel(&watching(primary.port(), 1)).start();
    let url = format!(
        "redis+sentinel://ada:hunter2-first@127.0.0.1:{}/{SERVICE}?sentinel_password=hunter2-watch",
        sentinel.port()
    );
    let client = Config::at(&url).with("redis.ping_ms", "100").started();
    client.becomes(VALID);
    allow(&primary, "bob", "hunter2-bob");
    client.set_credentials("bob", "hunter2-bob", 0).unwrap();
    eventually("all log in anew", || {
        let all = connections(&primary);
        all.len() == 2 && all.iter().all(|(_, user)| user == "bob")
    });
    cut(&primary, "bob");
    eventually("others are there", || connections(&primary).iter().filter(|(_, user)| user == "bob").count() == 2);
    client.becomes(VALID);
    assert_eq!(client.status()["redis"]["sentinels"][0]["error"], Value::Null);
    tells_no_secret(&client, &client.drain());
}

#[test]
fn options_that_do_not_fit_together_are_refused_and_a_password_beside_another_source_is_told_of() {
    let config = Config::new().with("redis.credentials", "host").with("redis.password_file", "/run/secret");
    let failure = config.try_client().err().expect("they do not fit");
    assert!(failure.message.contains("redis.password_file needs redis.credentials=static"), "{}", failure.message);
    let client = Config::at("redis://ada:hunter2@127.0.0.1:1").with("redis.credentials", "host").client();
    let heard = client.drain();
    assert_eq!(log_lines(&heard, 2), ["the password for Redis is not used: redis.credentials is another source"]);
    let offline = Config::new().with("offline", "true").client();
    assert_eq!(offline.set_credentials("ada", "hunter2", 0).unwrap_err().status, INVALID_ARGUMENT);
}
