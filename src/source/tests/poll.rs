//! Polling a server that misbehaves in every way that is known.

use fakeld::{Action, Fake, Kind as Of};

use super::*;
use crate::source::{PollOptions, RetryMode, poll};

fn options(fake: &Fake) -> PollOptions {
    let mut options = PollOptions::new(http());
    options.base = fake.url();
    options.retry = RetryMode::Legacy;
    options.interval = Duration::from_millis(20);
    options
}

fn start(options: PollOptions) -> Running {
    Running::start(move |outlet| poll::run(&options, FAST, outlet))
}

fn fake() -> Fake {
    let fake = Fake::start().unwrap();
    fake.edit(|environment| drop(environment.set(Of::Flag, r#"{"key":"a","version":1}"#)));
    fake
}

const ALL: &str = r#"full: flag a {"key":"a","version":1}"#;

fn answer(body: impl Into<Vec<u8>>) -> Action {
    Action::Answer(200, vec![("Content-Type".into(), "application/json".into())], body.into())
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let fake = fake();
    fake.set_environment_id("env7");
    let mut running = start(options(&fake));
    let first = running.wait_for("full of env7: flag a");
    let same = running.wait_for_next("unchanged", first);
    fake.edit(|environment| drop(environment.set(Of::Flag, r#"{"key":"b","version":1}"#)));
    running.wait_for_next(r#"full of env7: flag a {"key":"a","version":1}, flag b"#, same);
    assert!(running.stop() < AT_ONCE);
    let requests = fake.requests();
    assert_eq!(requests[0].header("if-none-match"), None);
    assert!(requests[1].header("if-none-match").is_some());
    assert_eq!(running.sink.lines().iter().filter(|line| line.starts_with("full")).count(), 2);
}

#[test]
fn the_first_request_is_made_at_once_and_the_next_after_the_interval() {
    let fake = fake();
    let begin = Instant::now();
    let interval = Duration::from_secs(5);
    let running = start(PollOptions { interval, ..options(&fake) });
    let first = running.wait_for(ALL);
    assert!(begin.elapsed() < interval);
    running.wait_for_next("unchanged", first);
    assert!(begin.elapsed() >= interval);
}

#[test]
fn the_request_asks_for_everything_packed() {
    let fake = fake();
    fake.set_base_path("/x");
    let mut options = options(&fake);
    options.base.push('/');
    options.filter = Some("f".to_owned());
    let running = start(options);
    running.wait_for(ALL);
    let request = fake.requests().remove(0);
    assert_eq!((request.path.as_str(), request.query.as_str()), ("/x/sdk/latest-all", "filter=f"));
    assert_eq!(request.header("accept-encoding"), Some("gzip"));
    assert_eq!(request.header("authorization"), Some("sdk-key-1"));
}

#[test]
fn an_answer_without_etag_clears_the_one_before() {
    let fake = fake();
    let running = start(options(&fake));
    let first = running.wait_for(ALL);
    running.wait_for_next("unchanged", first);
    fake.set_without_etag(true);
    let count = running.sink.lines().len();
    let plain = running.wait_for_next(ALL, count);
    let before = fake.requests().len();
    running.wait_for_next(ALL, plain);
    let requests = fake.wait_for_requests(before + 1, LONG);
    assert_eq!(requests[before].header("if-none-match"), None);
}

#[test]
fn the_etag_is_dropped_when_the_data_were_refused_and_on_a_restart() {
    let fake = fake();
    let mut options = options(&fake);
    let nonsense = |etag: &str| {
        let headers = vec![("ETag".to_owned(), etag.to_owned())];
        Action::Answer(200, headers, br#"{"message":"Service temporarily unavailable"}"#.to_vec())
    };
    fake.script(nonsense("\"first\""));
    let running = start(options.clone());
    running.wait_for("interrupted InvalidData");
    let taken = running.wait_for(ALL);
    assert!(fake.requests().iter().take(2).all(|request| request.header("if-none-match").is_none()));

    // What is refused later costs the ETag of what was taken before, too.
    fake.script(nonsense("\"second\""));
    let refused = running.wait_for_next("interrupted InvalidData", taken);
    running.wait_for_next(ALL, refused);

    options.interval = FOR_EVER;
    let running = start(options);
    let mut all = running.wait_for(ALL);
    for _ in 0..5 {
        running.control.restart();
        all = running.wait_for_next(ALL, all);
    }
    assert_eq!(running.sink.lines().len(), 6);
}

#[test]
fn passing_failures_leave_the_data_and_are_tried_again() {
    let failures = [
        (Action::Status(400), "interrupted ErrorResponse 400"),
        (Action::Status(408), "interrupted ErrorResponse 408"),
        (Action::Status(429), "interrupted ErrorResponse 429"),
        (Action::Status(500), "interrupted ErrorResponse 500"),
        (Action::Status(204), "interrupted ErrorResponse 204"),
        (Action::Close, "interrupted NetworkError"),
        (Action::bytes("rubbish"), "interrupted NetworkError"),
        (Action::bytes("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"flags\""), "interrupted NetworkError"),
        (answer("<html>"), "interrupted InvalidData"),
        (answer(""), "interrupted InvalidData"),
        (answer("{\"flags\":"), "interrupted InvalidData"),
        (answer("[]"), "interrupted InvalidData"),
        (answer("{\"flags\":[]}"), "interrupted InvalidData"),
        (answer("{}"), "interrupted InvalidData"),
        (answer("{\"flags\":null,\"segments\":null}"), "interrupted InvalidData"),
        (answer("{\"message\":\"Service temporarily unavailable\"}"), "interrupted InvalidData"),
        (answer("{\"flags\":{\"a\":{]}}}"), "interrupted InvalidData"),
        (
            Action::Answer(200, vec![("Content-Encoding".into(), "gzip".into())], b"rubbish".into()),
            "interrupted InvalidData",
        ),
    ];
    for (action, expected) in failures {
        let fake = fake();
        fake.script(action.clone());
        let running = start(options(&fake));
        let failed = running.wait_for(expected);
        let all = running.wait_for_next(ALL, failed);
        fake.script(action);
        let failed = running.wait_for_next(expected, all);
        let good = running.sink.lines().len();
        running.wait_for_next("", good.max(failed));
        let lines = running.sink.lines();
        assert!(lines.iter().all(|line| line == ALL || line == "unchanged" || line.starts_with(expected)), "{lines:?}");
    }
}

#[test]
fn a_not_modified_that_was_not_asked_for_is_a_failure() {
    let fake = fake();
    fake.script(Action::Status(304));
    let running = start(options(&fake));
    let failed = running.wait_for("interrupted ErrorResponse 304");
    running.wait_for_next(ALL, failed);
}

#[test]
fn statuses_that_do_not_pass_end_the_source() {
    for status in [401, 403, 404, 405] {
        let fake = fake();
        fake.script(Action::Regular);
        fake.script(Action::Status(status));
        let mut running = start(options(&fake));
        running.join();
        assert!(running.sink.lines()[1].starts_with(&format!("off ErrorResponse {status}")));
        assert!(running.sink.has_logged(Severity::Error, "given up"));
    }
}

#[test]
fn in_the_extended_regime_nothing_ends_the_source_and_two_successes_end_the_regime() {
    let fake = fake();
    fake.script(Action::Status(403));
    let running = start(PollOptions { retry: RetryMode::Extended, ..options(&fake) });
    let failed = running.wait_for("interrupted ErrorResponse 403");
    let all = running.wait_for_next(ALL, failed);
    let second = running.wait_for_next("unchanged", all);
    let mut last = second;
    for _ in 0..5 {
        last = running.wait_for_next("unchanged", last);
    }
    assert_eq!((failed, all, second, last), (1, 2, 3, 8));
    let times = running.sink.times("");
    assert!(times[1] - times[0] >= FAST.extended_first / 2);
    assert!(times[2] - times[1] >= FAST.extended_first / 2, "after one success still");
    // The shortest of several: a busy machine makes single pauses longer.
    let shortest = times[2..].windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(shortest < FAST.extended_first / 2, "{shortest:?}");
    assert!(running.sink.has_logged(Severity::Info, "minutes long"));
}

#[test]
fn an_answer_that_trickles_or_hangs_is_given_up() {
    let fake = fake();
    let mut options = options(&fake);
    // An answer may take twenty times as long in all.
    options.http.read_timeout = Duration::from_millis(400);
    fake.script(Action::Hang(FOR_EVER));
    let drip = (0..5_000).map(|_| (Duration::from_millis(20), b" ".to_vec()));
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n".to_vec();
    fake.script(Action::Raw(std::iter::once((Duration::ZERO, head)).chain(drip).collect()));
    let begin = Instant::now();
    let running = start(options);
    let hung = running.wait_for("interrupted NetworkError 0: timed out while waiting for the answer");
    let trickled = running.wait_for_next("interrupted NetworkError 0: timed out while reading the answer", hung);
    running.wait_for_next(ALL, trickled);
    assert!(begin.elapsed() < LONG);
}

#[test]
fn stopping_ends_whatever_the_source_is_doing() {
    let fake = fake();
    fake.script(Action::Hang(FOR_EVER));
    let mut patient = options(&fake);
    patient.http.read_timeout = FOR_EVER;
    let mut hanging = start(patient);
    fake.wait_for_requests(1, LONG);
    assert!(hanging.stop() < AT_ONCE, "waiting for an answer");
    assert_eq!(hanging.sink.lines(), Vec::<String>::new());
    let mut sleeping = start(PollOptions { interval: Duration::MAX, ..options(&fake) });
    sleeping.wait_for(ALL);
    assert!(sleeping.stop() < AT_ONCE, "sleeping");
}

#[test]
fn one_connection_serves_many_polls() {
    let fake = fake();
    let running = start(options(&fake));
    fake.wait_for_requests(10, LONG);
    drop(running);
    assert!(fake.connections() <= 2, "{}", fake.connections());
}

#[test]
fn an_empty_etag_is_none() {
    for etag in ["", "  "] {
        let fake = fake();
        let headers = vec![("ETag".to_owned(), etag.to_owned())];
        fake.script(Action::Answer(200, headers, br#"{"flags":{"b":{"version":1}}}"#.to_vec()));
        let running = start(options(&fake));
        let first = running.wait_for("full: flag b");
        running.wait_for_next(ALL, first);
        assert_eq!(fake.requests()[1].header("if-none-match"), None, "{etag:?}");
    }
}

#[test]
fn the_loss_of_every_flag_is_asked_for_once_more_at_once() {
    let fake = fake();
    let running = start(PollOptions { interval: FOR_EVER, ..options(&fake) });
    let mut last = running.wait_for(ALL);
    // Said once and taken back: nothing has happened.
    fake.script(answer("{\"flags\":{}}"));
    running.control.restart();
    last = running.wait_for_next(ALL, last);
    assert_eq!(running.sink.lines().len(), 2, "{:?}", running.sink.lines());
    // Said twice: it counts.
    fake.script(answer("{\"flags\":{}}"));
    fake.script(answer("{\"segments\":{}}"));
    running.control.restart();
    running.wait_for_next("full: ", last);
    assert!(running.sink.lines().last().is_some_and(|line| line == "full: "), "{:?}", running.sink.lines());
    let requests = fake.requests();
    assert!(requests.len() == 5 && requests[4].header("if-none-match").is_none(), "{requests:?}");
}

#[test]
fn a_server_that_asks_to_be_left_alone_is_left_alone() {
    let fake = fake();
    for status in [503, 429] {
        fake.script(Action::Answer(status, vec![("Retry-After".to_owned(), "1".to_owned())], Vec::new()));
    }
    let running = start(options(&fake));
    running.wait_for(ALL);
    let times = [running.sink.times("interrupted"), running.sink.times("full")].concat();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(1)), "{times:?}");
    assert_eq!(times.len(), 3);
}
