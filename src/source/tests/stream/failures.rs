//! Servers that refuse, are silent, go away or come back: what is tried again, when, and what ends the source.

use super::*;

#[test]
fn passing_failures_are_tried_again_with_growing_pauses() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
    let failures = [
        (Action::Status(400), "interrupted ErrorResponse 400"),
        (Action::Status(408), "interrupted ErrorResponse 408"),
        (Action::Status(429), "interrupted ErrorResponse 429"),
        (Action::Status(500), "interrupted ErrorResponse 500"),
        (Action::Status(503), "interrupted ErrorResponse 503"),
        (Action::Status(204), "interrupted ErrorResponse 204"),
        (Action::Status(304), "interrupted ErrorResponse 304"),
        (Action::Close, "interrupted NetworkError"),
        (Action::bytes("rubbish\r\n\r\n"), "interrupted NetworkError"),
        (Action::bytes(format!("{head}\r\n")), "interrupted NetworkError"),
        (Action::bytes(format!("{head}Transfer-Encoding: chunked\r\n\r\nrubbish")), "interrupted NetworkError"),
        (Action::bytes(format!("{head}{}", "X-Y: z\r\n".repeat(20_000))), "interrupted NetworkError"),
        (
            Action::Answer(200, vec![("Content-Type".into(), "text/html".into())], b"<p>".into()),
            "interrupted InvalidData",
        ),
    ];
    for (action, expected) in failures {
        let fake = fake();
        // On the first connect, and on a later one.
        fake.script(action.clone());
        let mut running = run(&fake);
        let failed = running.wait_for(expected);
        let put = running.wait_for_next(PUT, failed);
        fake.script(action);
        fake.close_streams();
        let lost = running.wait_for_next("interrupted NetworkError", put);
        let failed = running.wait_for_next(expected, lost);
        running.wait_for_next(PUT, failed);
        running.stop();
        assert_eq!(fake.requests().len(), 4);
    }
}

#[test]
fn pauses_grow_and_are_no_busy_loop() {
    let fake = fake();
    for _ in 0..20 {
        fake.script(Action::bytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"));
    }
    let options = options(&fake);
    // Without healthy connections: on a busy machine one may last long enough, and its pause be the first one again.
    let pace = Pace { healthy: FOR_EVER, ..FAST };
    let running = Running::start(move |outlet| stream::run(&options, pace, outlet));
    let mut lines = 0;
    for _ in 0..7 {
        lines = running.wait_for_next("interrupted", lines);
    }
    let times = running.sink.times("interrupted");
    let pauses: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // 10, 20, 40 and then 60 ms, each shortened by up to half.
    for (pause, least) in pauses.iter().zip([5, 10, 20, 30, 30, 30]) {
        assert!(*pause >= Duration::from_millis(least), "{pauses:?}");
    }
}

#[test]
fn the_server_may_ask_for_another_pause() {
    let fake = fake();
    let pace = Pace { longest: FOR_EVER, ..FAST };
    fake.script(Action::stream(vec![(Duration::ZERO, b"retry: 1\n\n".to_vec())], Duration::ZERO));
    let options = StreamOptions { initial_delay: FOR_EVER, ..options(&fake) };
    let running = Running::start(move |outlet| stream::run(&options, pace, outlet));
    running.wait_for(PUT);
}

#[test]
fn statuses_that_do_not_pass_end_the_source() {
    for status in [401, 403, 404, 405, 410] {
        let fake = fake();
        fake.script(Action::Status(status));
        let mut running = run(&fake);
        running.join();
        let expected = format!("off ErrorResponse {status}: the server answered with status {status}");
        assert_eq!(running.sink.lines(), [expected]);
        assert!(running.sink.has_logged(Severity::Error, "given up"));
        sleep(Duration::from_millis(30));
        assert_eq!(fake.requests().len(), 1);
    }
    let fake = fake();
    let mut running = run(&fake);
    running.wait_for(PUT);
    fake.script(Action::Status(401));
    fake.close_streams();
    running.join();
    assert!(running.sink.lines()[2].starts_with("off ErrorResponse 401"), "also on a later connect");
}

#[test]
fn in_the_extended_regime_nothing_ends_the_source() {
    let fake = fake();
    fake.script(Action::Status(401));
    fake.script(Action::Status(500));
    let running = start(StreamOptions { retry: RetryMode::Extended, ..options(&fake) });
    let failed = running.wait_for("interrupted ErrorResponse 401");
    let failed = running.wait_for_next("interrupted ErrorResponse 500", failed);
    running.wait_for_next(PUT, failed);
    let times = running.sink.times("");
    assert!(times[1] - times[0] >= FAST.extended_first / 2, "{:?}", times[1] - times[0]);
    assert!(times[2] - times[1] >= FAST.extended_longest / 2, "still, after a failure that would pass");
    assert_eq!(running.sink.logs().iter().filter(|(severity, _)| *severity == Severity::Info).count(), 1);
    assert!(running.sink.has_logged(Severity::Error, "401"));
    // After a healthy while the pauses are short again. The shortest of several: a busy machine makes single ones longer.
    let mut put = 3;
    let pauses = (0..4).map(|_| {
        sleep(FAST.healthy + Duration::from_millis(50));
        fake.close_streams();
        let lost = running.wait_for_next("interrupted NetworkError", put);
        let begin = Instant::now();
        put = running.wait_for_next(PUT, lost);
        begin.elapsed()
    });
    assert!(pauses.min().unwrap() < FAST.extended_first / 2);
}

#[test]
fn a_silent_stream_is_dropped_and_a_comment_keeps_it() {
    // A beat that a busy machine sends too late is silence: then once more.
    let is_kept = || {
        let fake = fake();
        let mut options = options(&fake);
        options.read_timeout = Duration::from_millis(600);
        let beat = || (Duration::from_millis(150), b":\n".to_vec());
        let beats = vec![(Duration::ZERO, EMPTY_PUT.into()), beat(), beat(), beat(), beat(), beat()];
        fake.script(Action::stream(beats, FOR_EVER));
        let begin = Instant::now();
        let running = start(options);
        let failed = running.wait_for("interrupted NetworkError 0: timed out");
        let lasted = begin.elapsed();
        running.wait_for_next(PUT, failed);
        lasted >= Duration::from_millis(5 * 150 + 600)
    };
    assert!((0..5).any(|_| is_kept()), "comments do not keep it");
}

#[test]
fn a_server_that_does_not_answer_is_given_up_after_the_read_timeout() {
    let fake = fake();
    fake.script(Action::Hang(FOR_EVER));
    let drip = |_| (Duration::from_millis(40), b"X-Y: z\r\n".to_vec());
    let endless = std::iter::once((Duration::ZERO, b"HTTP/1.1 200 OK\r\n".to_vec())).chain((0..2_000).map(drip));
    fake.script(Action::Raw(endless.collect()));
    let mut options = options(&fake);
    options.http.read_timeout = Duration::from_millis(200);
    let running = start(options);
    let begin = Instant::now();
    let hung = running.wait_for("interrupted NetworkError 0: timed out");
    let hung = running.wait_for_next("interrupted NetworkError 0: timed out", hung);
    running.wait_for_next(PUT, hung);
    assert!(begin.elapsed() < LONG);
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let fake = fake();
    let running = run(&fake);
    let put = running.wait_for(PUT);
    fake.kill();
    let lost = running.wait_for_next("interrupted NetworkError", put);
    let refused = running.wait_for_next("interrupted NetworkError", lost);
    fake.start_again().unwrap();
    running.wait_for_next(PUT, refused);
    assert!(running.sink.lines().iter().all(|line| line.starts_with("full") || is_network(line)));
}

#[test]
fn a_restart_connects_again_at_once() {
    let fake = fake();
    let (pace, options) = (Pace { longest: FOR_EVER, ..FAST }, options(&fake));
    let options = StreamOptions { initial_delay: FOR_EVER, ..options };
    let running = Running::start(move |outlet| stream::run(&options, pace, outlet));
    let mut put = running.wait_for(PUT);
    for _ in 0..5 {
        running.control.restart();
        put = running.wait_for_next(PUT, put);
    }
    assert_eq!(running.sink.lines().len(), 6, "a restart is no failure");
    assert!(fake.wait_for_streams(1, LONG));
    // Also out of a pause.
    fake.kill();
    let lost = running.wait_for_next("interrupted NetworkError", put);
    fake.start_again().unwrap();
    running.control.restart();
    running.wait_for_next(PUT, lost);
}

#[test]
fn a_server_that_asks_to_be_left_alone_is_left_alone() {
    let later = |seconds: u32| {
        // Dates on both sides, so that no clock takes part.
        let head = vec![
            ("Date".to_owned(), "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
            ("Retry-After".to_owned(), format!("Sun, 06 Nov 1994 08:49:{} GMT", 37 + seconds)),
        ];
        Action::Answer(503, head, Vec::new())
    };
    let fake = fake();
    fake.script(later(1));
    fake.script(Action::Answer(429, vec![("Retry-After".to_owned(), "1".to_owned())], Vec::new()));
    fake.script(Action::Answer(401, vec![("Retry-After".to_owned(), "soon".to_owned())], Vec::new()));
    let running = run(&fake);
    running.wait_for("off");
    let times = [running.sink.times("interrupted"), running.sink.times("off")].concat();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_secs(1)), "{times:?}");
    assert_eq!(times.len(), 3);
}
