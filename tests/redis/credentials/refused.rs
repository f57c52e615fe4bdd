//! Logins that a server refuses: what is said, what stays in use, and when they are tried again.

use super::*;

#[test]
fn a_login_that_is_refused_from_the_start_is_told_once_in_words_of_its_own() {
    let server = server();
    let client = as_ada(&server).with("redis.password", "hunter2-wrong").with("log.level", "debug").client();
    client.start(0).unwrap();
    eventually("the refusal is told", || client.status()["last_error"] == REFUSED);
    // A few attempts more.
    let refused = || server.run::<Vec<redis::Value>>(&["ACL", "LOG"]).len();
    eventually("the login is tried again", || server.calls_of("auth") >= 3 && refused() > 0);
    assert_eq!((login(&client)["source"].clone(), state(&client)), (json!("static"), "refused".to_owned()));
    let heard = client.drain();
    assert_eq!(log_lines(&heard, 3), [REFUSED]);
    allow(&server, "ada", "hunter2-wrong");
    client.becomes(VALID);
    assert_eq!(state(&client), "ok");
    // A server that is away is another thing.
    drop(server);
    client.becomes(INTERRUPTED);
    assert_eq!(state(&client), "ok");
    tells_no_secret(&client, &heard);
}

#[test]
fn a_server_that_wants_a_login_where_there_is_none_refuses_it_too() {
    let server = Setup::default().password("hunter2-default").start();
    server.replace(&[("a", flag("a", 1, "one"))], &[]);
    let client = Config::of(&server).client();
    client.start(0).unwrap();
    let why = "the login was refused: NOAUTH Authentication required.";
    eventually("the refusal is told", || client.status()["last_error"] == why);
    assert_eq!(log_lines(&client.drain(), 3), [why]);
    let told = json!({"source":"static","user":null,"expires_in_ms":null,"state":"refused","error":why});
    eventually("the status tells it", || login(&client) == told);
    client.set_credentials("", "hunter2-default", 0).unwrap();
    client.becomes(VALID);
    client.serves("a", "one");
    assert_eq!(login(&client)["user"], Value::Null);
}

#[test]
fn what_is_refused_leaves_open_connections_as_they_are() {
    let server = server();
    let client = by_host(&server).client();
    client.set_credentials("ada", "hunter2-first", 0).unwrap();
    client.start(PATIENCE_MS).unwrap();
    client.reports("freshness", "push");
    client.becomes(VALID);
    let (before, _) = (connections(&server), client.drain());
    client.set_credentials("ada", "hunter2-wrong", 0).unwrap();
    let mut heard = is_asked(&client, "refused", Some("ada"));
    let line = format!("{REFUSED}; connections that are open stay in use");
    eventually("it is told", || {
        heard.extend(client.drain());
        log_lines(&heard, 2) == [line.as_str()]
    });
    assert_eq!((state(&client).as_str(), client.state()), ("refused", VALID));
    server.set_flag("a", flag("a", 2, "two"));
    client.serves("a", "two");
    assert_eq!(connections(&server), before);
    assert!(!client.detail("a").stale);
    client.set_credentials("ada", "hunter2-first", 0).unwrap();
    eventually("it is well", || state(&client) == "ok");
    tells_no_secret(&client, &heard);
}

#[test]
fn a_login_that_no_server_has_seen_is_not_told_as_good() {
    let nobody = format!("redis://ada:hunter2-first@127.0.0.1:{}", free_port());
    let client = Config::at(&nobody).client();
    assert_eq!(state(&client), "untried");
    client.start(200).unwrap_err();
    assert_eq!(state(&client), "untried", "nobody answers");
    let server = server();
    let client = as_ada(&server).with("redis.password", "hunter2-first").started();
    assert_eq!(state(&client), "ok");
    // As long as a connection is there that another one logged in on, each new one is yet to be tried.
    client.set_credentials("ada", "hunter2-second", 3_600_000).unwrap();
    eventually("it is tried and refused", || state(&client) == "refused");
    client.set_credentials("ada", "hunter2-first", 3_600_000).unwrap();
    eventually("it is tried and taken", || state(&client) == "ok");
}

#[test]
fn a_watch_whose_login_is_refused_is_tried_after_growing_pauses_and_at_once_with_another_login() {
    let server = server();
    let gate = Gate::to(server.port());
    // What reads logs in otherwise.
    gate.rule("HELLO", Rule::error(&REFUSED["the login was refused: ".len()..]));
    let config = Config::at(&gate.url()).with("redis.username", "ada").with("redis.ping_ms", "100");
    let client = config.with("redis.password", "hunter2-first").started();
    client.reports("freshness", "ttl");
    let tried = || gate.seen().count("HELLO");
    throughout(Duration::from_secs(8), || assert_eq!(client.ask("a"), "one"));
    assert!((2..=4).contains(&tried()), "{} logins in eight seconds", tried());
    gate.clear();
    client.set_credentials("ada", "hunter2-first", 0).unwrap();
    let ((), took) = timed(|| client.reports("freshness", "push"));
    assert!(took < Duration::from_secs(5), "{took:?}");
}
