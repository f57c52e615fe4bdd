//! The stream against a server that misbehaves in every way that is known.

mod failures;

use fakeld::{Action, Fake, Kind as Of, Piece};

use super::*;
use crate::source::{RetryMode, StreamOptions, stream};

fn options(fake: &Fake) -> StreamOptions {
    let mut options = StreamOptions::new(http());
    options.base = fake.url();
    options.retry = RetryMode::Legacy;
    options.initial_delay = Duration::from_millis(10);
    options
}

fn start(options: StreamOptions) -> Running {
    Running::start(move |outlet| stream::run(&options, FAST, outlet))
}

fn run(fake: &Fake) -> Running {
    start(options(fake))
}

fn fake() -> Fake {
    let fake = Fake::start().unwrap();
    fake.patch(Of::Flag, r#"{"key":"a","version":1}"#).unwrap();
    fake
}

const PUT: &str = r#"full: flag a {"key":"a","version":1}"#;

/// A stream that sends this and then nothing for a while.
fn sending(text: impl Into<Vec<u8>>) -> Action {
    Action::stream(vec![(Duration::ZERO, text.into())], FOR_EVER)
}

const EMPTY_PUT: &str = "event: put\ndata: {\"data\":{\"flags\":{}}}\n\n";

#[test]
fn everything_comes_first_and_then_each_change() {
    let fake = fake();
    let mut running = run(&fake);
    let put = running.wait_for(PUT);
    fake.patch(Of::Segment, r#"{"key":"s/x","version":3}"#).unwrap();
    fake.delete(Of::Flag, "a", 9);
    fake.put();
    let next = running.wait_for_next(r#"part: segment s/x {"key":"s/x","version":3}"#, put);
    let next = running.wait_for_next("part: flag a deleted 9", next);
    running.wait_for_next(r#"full: segment s/x"#, next);
    assert!(running.stop() < AT_ONCE, "a blocked read ends at once");
    assert!(fake.wait_for_streams(0, LONG));
    assert_eq!(running.sink.lines().len(), 4);
}

#[test]
fn the_request_says_who_is_asking() {
    let fake = fake();
    fake.set_base_path("/relay/east");
    let mut options = options(&fake);
    options.base.push('/');
    options.filter = Some("team.a-b_c".to_owned());
    options.http.tags = Some("application-id/shop".to_owned());
    options.http.wrapper = Some("W/3".to_owned());
    options.http.headers = vec![("X-More".to_owned(), "yes".to_owned()), ("user-agent".to_owned(), "Mine".to_owned())];
    let running = start(options);
    running.wait_for(PUT);
    let request = fake.requests().remove(0);
    assert_eq!((request.path.as_str(), request.query.as_str()), ("/relay/east/all", "filter=team.a-b_c"));
    for (name, value) in [
        ("authorization", "sdk-key-1"),
        ("accept", "text/event-stream"),
        ("x-launchdarkly-instance-id", http().instance_id.as_str()),
        ("x-launchdarkly-tags", "application-id/shop"),
        ("x-launchdarkly-wrapper", "W/3"),
        ("x-more", "yes"),
        ("user-agent", "Mine"),
    ] {
        let values: Vec<&str> =
            request.headers.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [value], "{name}");
    }
    assert_eq!(request.header("accept-encoding"), None);
}

#[test]
fn an_invalid_filter_is_ignored_with_an_error() {
    let fake = fake();
    let running = start(StreamOptions { filter: Some("a b".to_owned()), ..options(&fake) });
    running.wait_for(PUT);
    assert_eq!(fake.requests()[0].query, "");
    assert!(running.sink.has_logged(Severity::Error, "payload filter"));
}

#[test]
fn an_sdk_key_that_can_be_none_is_neither_sent_nor_shown() {
    for key in ["geheim\u{fc}".to_owned(), "geheim\r\nX-A: 1".to_owned(), "geheim ".to_owned(), "geheim".repeat(1400)] {
        let fake = fake();
        let mut options = options(&fake);
        options.http.sdk_key = key;
        let running = start(options);
        running.wait_for(PUT);
        assert_eq!(fake.requests()[0].header("authorization"), None);
        assert!(running.sink.has_logged(Severity::Error, "SDK key"));
        assert!(!format!("{:?}", running.sink.logs()).contains("geheim"));
    }
}

#[test]
fn the_environment_is_told() {
    let fake = fake();
    fake.set_environment_id("env7");
    let running = run(&fake);
    running.wait_for("full of env7: flag a");
    fake.delete(Of::Flag, "a", 2);
    running.wait_for("part of env7: flag a deleted 2");
}

#[test]
fn line_ends_comments_unknown_events_and_unknown_paths_disturb_nobody() {
    let fake = Fake::start().unwrap();
    let text = "\u{feff}: hello\r\r\nevent: put\rdata: {\"data\":\rdata: {\"flags\":{}}}\r\r\
                event: new\ndata: {nonsense\n\n\
                event: patch\r\ndata: {\"path\":\"/other/a\",\"data\":{}}\r\n\r\n\
                id: 1\nevent: patch\ndata: {\"data\":{\"n\":\"\u{fc}\"},\ndata: \"path\":\"/flags/b%20c\"}\n\n";
    for chunk in [1, 7, text.len()] {
        let pieces: Vec<Piece> = text.as_bytes().chunks(chunk).map(|piece| (Duration::ZERO, piece.to_vec())).collect();
        fake.script(Action::stream(pieces, FOR_EVER));
        let running = run(&fake);
        running.wait_for("part: flag b%20c {\"n\":\"\u{fc}\"}");
        assert_eq!(running.sink.lines().len(), 2, "{:?}", running.sink.lines());
        assert!(running.sink.has_logged(Severity::Warn, "/other/a"));
    }
    assert_eq!(fake.requests().len(), 3);
}

#[test]
fn an_event_that_makes_no_sense_is_reported_and_the_connection_made_again() {
    let events: [&[u8]; 11] = [
        b"event: put\ndata: {\"data\":{\"flags\"\n\n",
        b"event: put\ndata: {\"path\":\"/\"}\n\n",
        b"event: put\ndata: {\"data\":{\"flags\":[]}}\n\n",
        b"event: put\ndata: {\"data\":{}}\n\n",
        b"event: put\ndata: {\"data\":{\"flags\":null}}\n\n",
        b"event: put\ndata: {\"data\":{\"message\":\"try later\"}}\n\n",
        b"event: patch\ndata: {\"path\":\"/flags/a\"}\n\n",
        b"event: patch\ndata: {\"path\":\"/flags/a\",\"data\":true}\n\n",
        b"event: patch\ndata: {\"path\":\"/flags/a\",\"data\":{]}\n\n",
        b"event: delete\ndata: {\"path\":\"/flags/a\",\"version\":9007199254740993}\n\n",
        b"event: delete\ndata: {\"path\":\"/flags/a\"}\n\n",
    ];
    for event in events {
        let fake = fake();
        fake.script(sending([EMPTY_PUT.as_bytes(), event].concat()));
        let running = run(&fake);
        let bad = running.wait_for("interrupted InvalidData");
        running.wait_for_next(PUT, bad);
        let lines = running.sink.lines();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], "full: ");
        assert!(running.sink.logs().iter().any(|(severity, _)| *severity == Severity::Error));
    }
}

#[test]
fn an_item_that_makes_no_sense_is_handed_on_and_the_stream_goes_on() {
    let text =
        b"event: put\ndata: {\"data\":{\"flags\":{\"a\":null,\"b\":{\"version\":1e20},\"c\":{\"x\":\"\xff\"}}}}\n\n\
                 event: patch\ndata: {\"path\":\"/flags/a\",\"data\":{\"version\":\"1\",\"on\":NaN}}\n\n\
                 event: patch\ndata: {\"path\":\"/flags/\\ud800\",\"data\":null}\n\n";
    let fake = fake();
    fake.script(sending(text.as_slice()));
    let running = run(&fake);
    running.wait_for("part: flag \u{fffd} null");
    let expected = [
        "full: flag a null, flag b {\"version\":1e20}, flag c {\"x\":\"\u{fffd}\"}",
        "part: flag a {\"version\":\"1\",\"on\":NaN}",
        "part: flag \u{fffd} null",
    ];
    assert_eq!(running.sink.lines(), expected);
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn the_loss_of_every_flag_is_asked_for_once_more() {
    let fake = fake();
    let running = run(&fake);
    running.wait_for(PUT);
    // Said once and taken back: nothing has happened.
    fake.script(sending(EMPTY_PUT));
    fake.close_streams();
    let back = running.wait_for_next(PUT, 1);
    assert!(!running.sink.lines().iter().any(|line| line == "full: "), "{:?}", running.sink.lines());
    assert!(running.sink.has_logged(Severity::Warn, "no flags any more"));
    // Said twice: it counts.
    fake.script(sending(EMPTY_PUT));
    fake.script(sending(EMPTY_PUT));
    fake.close_streams();
    running.wait_for_next("full: ", back);
}

#[test]
fn stopping_ends_whatever_the_source_is_doing() {
    let hang = fake();
    hang.script(Action::Hang(FOR_EVER));
    let mut patient = options(&hang);
    patient.http.read_timeout = FOR_EVER;
    let mut running = start(patient);
    hang.wait_for_requests(1, LONG);
    assert!(running.stop() < AT_ONCE, "waiting for an answer");
    assert_eq!(running.sink.lines(), Vec::<String>::new(), "a stopped source is silent");

    let refuse = fake();
    refuse.kill();
    let (pace, options) = (Pace { longest: FOR_EVER, ..FAST }, options(&refuse));
    let options = StreamOptions { initial_delay: FOR_EVER, ..options };
    let mut running = Running::start(move |outlet| stream::run(&options, pace, outlet));
    let paused = running.wait_for("interrupted");
    assert!(running.stop() < AT_ONCE, "sleeping");
    assert_eq!(running.sink.lines().len(), paused);
}

#[test]
fn redirects_are_followed_and_the_key_stays_at_home() {
    let (near, far) = (fake(), fake());
    let mut options = options(&near);
    options.http.headers = vec![("X-Secret".to_owned(), "geheim".to_owned())];
    near.script(Action::Redirect(301, "/other/all?x=1".to_owned()));
    near.script(Action::Redirect(307, format!("{}/all", far.url())));
    let running = start(options);
    running.wait_for(PUT);
    let (near, far) = (near.requests(), far.requests());
    assert_eq!((near[1].path.as_str(), near[1].query.as_str()), ("/other/all", "x=1"));
    assert_eq!(near[1].header("authorization"), Some("sdk-key-1"), "the same host gets the key");
    assert_eq!(near[1].header("x-secret"), Some("geheim"));
    assert_eq!((far[0].header("authorization"), far[0].header("x-secret")), (None, None));
    assert_eq!(far[0].header("accept"), Some("text/event-stream"));
}

#[test]
fn a_redirect_that_leads_nowhere_is_a_failure() {
    let fake = fake();
    for _ in 0..11 {
        fake.script(Action::Redirect(302, "/all".to_owned()));
    }
    let running = run(&fake);
    let failed = running.wait_for("interrupted NetworkError 0: redirect: there are too many");
    running.wait_for_next(PUT, failed);
    assert_eq!(fake.requests().len(), 12);
    let location = |url: &str| Action::Redirect(302, url.to_owned());
    for action in [Action::Status(302), location("file:///etc/passwd"), location("http://")] {
        fake.script(action);
        let running = run(&fake);
        let failed = running.wait_for("interrupted NetworkError 0: redirect: it names no usable URL");
        running.wait_for_next(PUT, failed);
    }
}

#[test]
fn tls_trusts_the_given_authority_only() {
    let fake = Fake::start_tls().unwrap();
    let secure = |change: &dyn Fn(&mut StreamOptions)| {
        let mut options = options(&fake);
        change(&mut options);
        start(options)
    };
    let ca = |options: &mut StreamOptions| options.http.ca_file = Some(fakeld::CA_FILE.into());
    secure(&ca).wait_for("full: ");
    secure(&|options| options.http.skip_verify = true).wait_for("full: ");
    let refused = secure(&|_| {});
    refused.wait_for("interrupted NetworkError 0: TLS failed");
    let wrong_name = secure(&|options| {
        ca(options);
        options.base = options.base.replace("localhost", "127.0.0.1");
    });
    wrong_name.wait_for("interrupted NetworkError 0: TLS failed");
    let extended = secure(&|options| options.retry = RetryMode::Extended);
    extended.wait_for("interrupted NetworkError 0: TLS failed");
    assert!(extended.sink.has_logged(Severity::Info, "minutes long"), "a refused certificate lasts");
}

#[test]
fn a_stopped_tls_stream_ends_at_once() {
    let fake = Fake::start_tls().unwrap();
    let mut options = options(&fake);
    options.http.ca_file = Some(fakeld::CA_FILE.into());
    let mut running = start(options);
    running.wait_for("full: ");
    assert!(running.stop() < AT_ONCE);
}

#[test]
fn a_large_put_in_tiny_chunks_is_read() {
    let fake = Fake::start().unwrap();
    let filler = "x".repeat(1 << 19);
    let event = format!("event: put\ndata: {{\"data\":{{\"flags\":{{\"a\":{{\"salt\":\"{filler}\"}}}}}}}}\n\n");
    let mut body = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for byte in event.bytes() {
        body.extend([b'1', b'\r', b'\n', byte, b'\r', b'\n']);
    }
    fake.script(Action::Raw(vec![(Duration::ZERO, body), (FOR_EVER, Vec::new())]));
    let running = run(&fake);
    running.wait_for("full: flag a {\"salt\":\"xxx");
    assert!(running.sink.lines()[0].len() > 1 << 19);
}
