//! FDv2 against a server that speaks it, and misbehaves in every way that is known.

use fakeld::{Action, Fake, Kind as Of};

use super::*;
use crate::source::{Fdv2Options, PollOptions, RetryMode, StreamOptions, Synchronizer, fdv2};

fn stream_of(fake: &Fake) -> Synchronizer {
    let initial_delay = Duration::from_millis(10);
    Synchronizer::Stream(StreamOptions { base: fake.url(), initial_delay, ..StreamOptions::new(http()) })
}

fn poll_options(fake: &Fake) -> PollOptions {
    let interval = Duration::from_millis(20);
    PollOptions { base: fake.url(), interval, ..PollOptions::new(http()) }
}

fn poll_of(fake: &Fake) -> Synchronizer {
    Synchronizer::Poll(poll_options(fake))
}

/// One synchronizer and nothing else.
fn only(synchronizer: Synchronizer) -> Fdv2Options {
    Fdv2Options {
        http: http(),
        initializers: Vec::new(),
        synchronizers: vec![synchronizer],
        fallback: None,
        fallback_after: FOR_EVER,
        recover_after: FOR_EVER,
        first_data: FOR_EVER,
        retry: RetryMode::Legacy,
    }
}

fn start(options: Fdv2Options) -> Running {
    let running = Running::start(move |outlet| fdv2::run(&options, FAST, outlet));
    let clock = running.control.clone();
    spawn(move || clock.keep_time());
    running
}

fn fake() -> Fake {
    let fake = Fake::start().unwrap();
    fake.edit(|environment| drop(environment.set(Of::Flag, A)));
    fake
}

const A: &str = r#"{"key":"a","version":1}"#;
const B: &str = r#"{"key":"b","version":1}"#;
const FULL: &str = r#"full: flag a {"key":"a","version":1}"#;

/// What the server was told of, request by request, for this path.
fn bases(fake: &Fake, path: &str) -> Vec<Option<String>> {
    fake.requests().iter().filter(|request| request.path == path).map(|request| request.basis()).collect()
}

/// A stream that sends this and then nothing for a while.
fn sending(events: &[(&str, &str)]) -> Action {
    let text: String = events.iter().map(|(name, data)| format!("event: {name}\ndata: {data}\n\n")).collect();
    Action::stream(vec![(Duration::ZERO, text.into_bytes())], FOR_EVER)
}

fn answering(events: &[(&str, &str)]) -> Action {
    let events: Vec<String> =
        events.iter().map(|(name, data)| format!(r#"{{"event":"{name}","data":{data}}}"#)).collect();
    Action::Answer(200, Vec::new(), format!(r#"{{"events":[{}]}}"#, events.join(",")).into_bytes())
}

const ALL: (&str, &str) = ("server-intent", r#"{"payloads":[{"intentCode":"xfer-full"}]}"#);
const CHANGES: (&str, &str) = ("server-intent", r#"{"payloads":[{"intentCode":"xfer-changes"}]}"#);
const NONE: (&str, &str) = ("server-intent", r#"{"payloads":[{"intentCode":"none"}]}"#);
const PUT_C: (&str, &str) = ("put-object", r#"{"kind":"flag","key":"c","version":1,"object":{"key":"c"}}"#);
const TO_X: (&str, &str) = ("payload-transferred", r#"{"state":"x","version":1}"#);

#[test]
fn everything_comes_first_and_then_each_change_as_a_whole() {
    let fake = fake();
    fake.set_environment_id("env7");
    let mut running = start(only(stream_of(&fake)));
    let full = running.wait_for(r#"full of env7: flag a {"key":"a","version":1}"#);
    fake.patch(Of::Flag, B).unwrap();
    let part = running.wait_for_next(r#"part of env7: flag b {"key":"b","version":1}"#, full);
    // Pieces count when they are transferred.
    fake.tell(PUT_C.0, PUT_C.1);
    fake.tell("heartbeat", "{}");
    fake.tell("delete-object", r#"{"kind":"flag","key":"b","version":2}"#);
    fake.tell("news", "{sorry");
    fake.tell("put-object", r#"{"kind":"ai","key":"x","version":1,"object":{}}"#);
    fake.tell(TO_X.0, TO_X.1);
    running.wait_for_next(r#"part of env7: flag c {"key":"c"}, flag b deleted 2"#, part);
    assert!(running.stop() < AT_ONCE, "a blocked read ends at once");
    assert!(fake.wait_for_streams(0, LONG));
    let request = fake.requests().remove(0);
    assert_eq!((request.path.as_str(), request.query.as_str()), ("/sdk/stream", ""));
    assert_eq!(request.header("accept"), Some("text/event-stream"));
}

#[test]
fn a_stream_goes_on_from_the_state_that_is_in_force() {
    let fake = fake();
    let running = start(only(stream_of(&fake)));
    let mut said = running.wait_for(FULL);
    fake.close_streams();
    said = running.wait_for_next("interrupted", said);
    said = running.wait_for_next("unchanged", said);
    fake.patch(Of::Flag, B).unwrap();
    said = running.wait_for_next("part: flag b", said);
    fake.kill();
    fake.patch(Of::Segment, r#"{"key":"s","version":3}"#).unwrap();
    fake.start_again().unwrap();
    said = running.wait_for_next(r#"part: segment s {"key":"s","version":3}"#, said);
    running.wait_for_next("valid", said);
    let bases = bases(&fake, "/sdk/stream");
    assert_eq!(bases[0], None);
    assert!(bases[1].as_ref().is_some_and(|basis| basis.ends_with(" 1")), "{bases:?}");
    assert!(bases.last().unwrap().as_ref().is_some_and(|basis| basis.ends_with(" 2")), "{bases:?}");
    let fulls = running.sink.lines().iter().filter(|line| line.starts_with("full")).count();
    assert_eq!(fulls, 1, "nothing was sent twice");
}

#[test]
fn a_restart_asks_for_everything() {
    for source in [stream_of, poll_of] {
        let fake = fake();
        let running = start(only(source(&fake)));
        let full = running.wait_for(FULL);
        running.control.restart();
        running.wait_for_next(FULL, full);
    }
}

#[test]
fn what_makes_no_sense_is_asked_for_anew_and_wholly() {
    let fake = fake();
    let running = start(only(stream_of(&fake)));
    let mut said = running.wait_for(FULL);
    for (name, data) in
        [("server-intent", "{sorry"), ("server-intent", r#"{"data":{"flags":true}}"#), ("put-object", "[]")]
    {
        fake.tell(PUT_C.0, PUT_C.1);
        fake.tell(name, data);
        said = running.wait_for_next("interrupted InvalidData", said);
        said = running.wait_for_next(FULL, said);
    }
    assert!(!running.sink.lines().iter().any(|line| line.contains("flag c")), "a part never counts");
    assert!(bases(&fake, "/sdk/stream").iter().all(Option::is_none));
}

#[test]
fn changes_of_a_state_that_nobody_told_of_are_not_believed() {
    for events in [&[CHANGES, PUT_C, TO_X][..], &[NONE]] {
        let fake = fake();
        fake.script(sending(events));
        let running = start(only(stream_of(&fake)));
        let said = running.wait_for("interrupted InvalidData");
        running.wait_for_next(FULL, said);

        fake.script(answering(events));
        let running = start(only(poll_of(&fake)));
        let said = running.wait_for("interrupted InvalidData");
        running.wait_for_next(FULL, said);
    }
}

#[test]
fn what_a_server_takes_back_never_counts() {
    let fake = fake();
    let running = start(only(stream_of(&fake)));
    let full = running.wait_for(FULL);
    fake.tell(PUT_C.0, PUT_C.1);
    fake.tell("error", r#"{"payloadId":"p","reason":"lost it"}"#);
    fake.patch(Of::Flag, B).unwrap();
    running.wait_for_next(r#"part: flag b {"key":"b","version":1}"#, full);
    assert!(running.sink.has_logged(Severity::Warn, "lost it"));
    assert!(!running.sink.lines().iter().any(|line| line.contains("flag c")));
}

#[test]
fn the_loss_of_every_flag_is_asked_for_once_more() {
    for (source, nothing) in
        [(stream_of as fn(&Fake) -> Synchronizer, sending(&[ALL, TO_X])), (poll_of, answering(&[ALL, TO_X]))]
    {
        let fake = fake();
        let running = start(only(source(&fake)));
        let full = running.wait_for(FULL);
        fake.script(nothing);
        fake.close_streams();
        running.wait_for_next(FULL, full);
        assert!(running.sink.has_logged(Severity::Warn, "asked once more"));
        assert!(!running.sink.lines().contains(&"full: ".to_owned()));
    }
}

#[test]
fn a_state_that_the_server_refuses_is_forgotten_and_everything_asked_for() {
    for (source, path) in [(stream_of as fn(&Fake) -> Synchronizer, "/sdk/stream"), (poll_of, "/sdk/poll")] {
        for status in [400, 404, 409, 410, 422] {
            let fake = fake();
            let running = start(only(source(&fake)));
            let full = running.wait_for(FULL);
            fake.script_for(path, Action::Status(status));
            fake.close_streams();
            running.wait_for_next(FULL, full);
            assert!(running.sink.has_logged(Severity::Warn, "asked for everything"), "{path} {status}");
            let lines = running.sink.lines();
            assert!(!lines.iter().any(|line| line.starts_with("off")), "{path} {status}: {lines:?}");
        }
    }
}

#[test]
fn a_refusal_that_is_not_for_the_state_ends_the_source() {
    for (source, path) in [(stream_of as fn(&Fake) -> Synchronizer, "/sdk/stream"), (poll_of, "/sdk/poll")] {
        for status in [401, 403, 405] {
            let fake = fake();
            let mut running = start(only(source(&fake)));
            let full = running.wait_for(FULL);
            fake.always(path, Some(Action::Status(status)));
            fake.close_streams();
            running.wait_for_next(&format!("off ErrorResponse {status}"), full);
            running.join();
        }
    }
}

#[test]
fn a_goodbye_after_the_data_is_no_failure_and_before_them_is_one() {
    let fake = fake();
    let running = start(only(stream_of(&fake)));
    let full = running.wait_for(FULL);
    fake.tell(PUT_C.0, PUT_C.1);
    fake.tell("goodbye", r#"{"reason":"deploy","silent":true,"catastrophe":false}"#);
    running.wait_for_next("unchanged", full);
    assert_eq!(running.sink.lines(), [FULL, "unchanged"], "nothing else was told, and the part does not count");
    assert!(running.sink.has_logged(Severity::Info, "goodbye: deploy"));

    fake.script(sending(&[("goodbye", r#"{"reason":"busy"}"#)]));
    let running = start(only(stream_of(&fake)));
    let said = running.wait_for("interrupted NetworkError 0: the server says goodbye: busy");
    running.wait_for_next(FULL, said);
}

#[test]
fn polls_ask_for_what_has_changed_and_let_the_server_say_that_nothing_has() {
    let fake = fake();
    let mut running = start(only(poll_of(&fake)));
    let mut said = running.wait_for(FULL);
    for _ in 0..3 {
        said = running.wait_for_next("unchanged", said);
    }
    fake.patch(Of::Flag, B).unwrap();
    said = running.wait_for_next(r#"part: flag b {"key":"b","version":1}"#, said);
    said = running.wait_for_next("valid", said);
    running.wait_for_next("unchanged", said);
    assert!(running.stop() < AT_ONCE);
    let requests = fake.requests();
    assert_eq!((requests[0].basis(), requests[0].header("if-none-match")), (None, None));
    assert_eq!(requests[0].header("accept-encoding"), Some("gzip"));
    // An ETag is of the answer to the same question.
    assert!(requests[1].basis().is_some() && requests[1].header("if-none-match").is_none());
    assert!(requests[2].basis() == requests[1].basis() && requests[2].header("if-none-match").is_some());
}

#[test]
fn an_answer_that_holds_no_payload_makes_no_sense() {
    for events in [&[][..], &[ALL], &[ALL, PUT_C], &[("heartbeat", "{}")]] {
        let fake = fake();
        fake.script(answering(events));
        let running = start(only(poll_of(&fake)));
        let said = running.wait_for("interrupted InvalidData");
        running.wait_for_next(FULL, said);
    }
    let fake = fake();
    fake.script(Action::Status(304));
    let running = start(only(poll_of(&fake)));
    let said = running.wait_for("interrupted ErrorResponse 304");
    running.wait_for_next(FULL, said);
}

#[test]
fn an_initializer_asks_once_and_the_stream_goes_on_from_there() {
    let fake = fake();
    let (gone, initializer) = (Fake::start().unwrap(), poll_options(&fake));
    gone.kill();
    let options = Fdv2Options { initializers: vec![poll_options(&gone), initializer], ..only(stream_of(&fake)) };
    let running = start(options);
    running.wait_for_next("unchanged", running.wait_for(FULL));
    assert!(is_network(&running.sink.lines()[0]));
    assert_eq!(bases(&fake, "/sdk/poll"), [None]);
    assert!(bases(&fake, "/sdk/stream")[0].is_some());
}

#[test]
fn a_stream_that_fails_gives_way_to_polls_and_gets_its_turn_again() {
    let (fake, other) = (fake(), Fake::start().unwrap());
    other.edit(|environment| drop(environment.set(Of::Flag, B)));
    let options = Fdv2Options {
        synchronizers: vec![stream_of(&fake), poll_of(&other)],
        fallback_after: Duration::from_millis(300),
        recover_after: Duration::from_millis(300),
        ..only(stream_of(&fake))
    };
    let running = start(options);
    let mut said = running.wait_for(FULL);
    fake.kill();
    said = running.wait_for_next("interrupted", said);
    // The state of another server is unknown there.
    said = running.wait_for_next(r#"full: flag b {"key":"b","version":1}"#, said);
    assert!(bases(&other, "/sdk/poll")[0].is_some());
    fake.start_again().unwrap();
    running.wait_for_next(FULL, said);
}

#[test]
fn a_server_that_is_silent_while_nothing_was_delivered_gives_way_early() {
    let (silent, fake) = (Fake::start().unwrap(), fake());
    silent.always("/sdk/stream", Some(Action::Hang(FOR_EVER)));
    let options = Fdv2Options {
        synchronizers: vec![stream_of(&silent), stream_of(&fake)],
        first_data: Duration::from_millis(300),
        ..only(stream_of(&silent))
    };
    let running = start(options);
    running.wait_for(FULL);
}

/// A synchronizer with polls of the former protocol in the background.
fn with_former(synchronizer: Synchronizer, former: &Fake) -> Fdv2Options {
    Fdv2Options { fallback: Some(poll_options(former)), ..only(synchronizer) }
}

fn directed(status: u16, seconds: &str) -> Action {
    let headers = [("X-LD-FD-Fallback", "true"), ("X-LD-FD-Fallback-TTL", seconds)]
        .map(|(name, value)| (name.into(), value.into()));
    Action::Answer(status, headers.to_vec(), Vec::new())
}

#[test]
fn the_former_protocol_is_spoken_once_the_payload_that_comes_with_the_directive_is_in_force() {
    for source in [stream_of, poll_of] {
        let (fake, former) = (fake(), Fake::start().unwrap());
        former.edit(|environment| drop(environment.set(Of::Flag, B)));
        fake.set_directive(Some(Some("0")));
        let running = start(with_former(source(&fake), &former));
        let full = running.wait_for(FULL);
        running.wait_for_next(r#"full: flag b {"key":"b","version":1}"#, full);
        assert!(former.requests().iter().all(|request| request.path == "/sdk/latest-all"));
        assert!(fake.wait_for_streams(0, LONG) && fake.requests().len() == 1, "it is left alone");
        let lines = running.sink.lines();
        assert!(!lines.iter().any(|line| line.starts_with("interrupted")), "{lines:?}");
    }
}

#[test]
fn the_directive_of_an_error_is_followed_for_its_time() {
    for (source, path) in [(stream_of as fn(&Fake) -> Synchronizer, "/sdk/stream"), (poll_of, "/sdk/poll")] {
        for status in [403, 500] {
            let (fake, former) = (fake(), Fake::start().unwrap());
            former.edit(|environment| drop(environment.set(Of::Flag, B)));
            fake.script_for(path, directed(status, "1"));
            let begin = Instant::now();
            let running = start(with_former(source(&fake), &former));
            let said = running.wait_for(&format!("interrupted ErrorResponse {status}"));
            let said = running.wait_for_next(r#"full: flag b {"key":"b","version":1}"#, said);
            running.wait_for_next(FULL, said);
            assert!(begin.elapsed() >= Duration::from_secs(1), "{path} {status}");
            assert_eq!(bases(&fake, path)[..2], [None, None], "what the former one brought is of no known state");
        }
    }
}

#[test]
fn the_directive_of_a_goodbye_is_followed_for_its_time() {
    let (fake, former) = (fake(), Fake::start().unwrap());
    former.edit(|environment| drop(environment.set(Of::Flag, B)));
    let running = start(with_former(stream_of(&fake), &former));
    let said = running.wait_for(FULL);
    fake.tell("goodbye", r#"{"reason":"overload","protocolFallbackTTL":1}"#);
    let said = running.wait_for_next(r#"full: flag b {"key":"b","version":1}"#, said);
    running.wait_for_next(FULL, said);
}

#[test]
fn the_directive_of_an_initializer_skips_the_synchronizers() {
    let (fake, former) = (fake(), Fake::start().unwrap());
    former.edit(|environment| drop(environment.set(Of::Flag, B)));
    fake.script_for("/sdk/poll", directed(500, "0"));
    let options = Fdv2Options { initializers: vec![poll_options(&fake)], ..with_former(stream_of(&fake), &former) };
    let running = start(options);
    running.wait_for_next("unchanged", running.wait_for(r#"full: flag b {"key":"b","version":1}"#));
    assert_eq!(fake.requests().len(), 1);
}

#[test]
fn a_stream_that_ends_before_the_payload_does_not_undo_the_directive() {
    let (fake, former) = (fake(), Fake::start().unwrap());
    former.edit(|environment| drop(environment.set(Of::Flag, B)));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-LD-FD-Fallback: TRUE\r\n\r\n";
    fake.script(Action::Raw(vec![(Duration::ZERO, head.as_bytes().to_vec())]));
    let running = start(with_former(stream_of(&fake), &former));
    running.wait_for(r#"full: flag b {"key":"b","version":1}"#);
    assert_eq!(fake.requests().len(), 1);
}
