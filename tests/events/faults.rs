//! What goes wrong on the way to the server: it is tried once more, told once, counted, and nothing of it reaches whoever
//! evaluates flags.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use fakeld::{Action, Fake, Request};
use serde_json::Value;

use crate::support::*;

const WARN: i32 = 2;
const ERROR: i32 = 3;

fn id(payload: &Request) -> &str {
    payload.header("x-launchdarkly-payload-id").unwrap()
}

fn events(client: &Client) -> Value {
    client.status()["events"].clone()
}

#[track_caller]
fn counted(client: &Client, sent: u64, lost: u64) {
    let events = events(client);
    assert_eq!((&events["sent"], &events["lost"]), (&sent.into(), &lost.into()), "{events}");
}

/// One event that meets this, and then nothing more.
fn survives(action: Action) {
    let fake = Fake::start().unwrap();
    fake.script_for("/bulk", action.clone());
    let client = telling(&fake).started();
    client.identify(&Context::user("x"));
    let (outcome, took) = timed(|| client.flush_within(PATIENCE_MS));
    assert_eq!(outcome, Ok(()), "{action:?}");
    assert!(took >= Duration::from_millis(990), "{took:?} after {action:?}");
    let payloads = fake.payloads();
    assert_eq!(payloads.len(), if matches!(action, Action::Cut(_)) { 1 } else { 2 }, "{action:?}");
    let (first, last) = (&payloads[0], payloads.last().unwrap());
    assert_eq!((id(first), &first.body), (id(last), &last.body));
    counted(&client, 1, 0);
    let notices = client.drain();
    let warnings = log_lines(&notices, WARN);
    assert!(warnings.len() == 1, "{warnings:?}");
    assert!(warnings[0].starts_with(&format!("events cannot be delivered to {}/bulk: ", fake.url())), "{warnings:?}");
    let recovered = log_lines(&notices, 1);
    assert!(recovered.contains(&"events are delivered again; none was lost".to_owned()), "{recovered:?}");
    assert_eq!(events(&client)["last_error"], warnings[0].as_str());
}

#[test]
fn what_fails_for_the_moment_is_sent_once_more_a_second_later_as_the_same_payload() {
    let statuses = [300, 400, 408, 429, 500, 503, 599].map(Action::Status);
    let broken = [Action::Close, Action::Cut(3), Action::bytes("HTTP/1.1 2"), Action::bytes("no HTTP at all\r\n\r\n")];
    // All at once: each of them takes a second.
    thread::scope(|scope| statuses.into_iter().chain(broken).for_each(|action| _ = scope.spawn(|| survives(action))));
}

#[test]
fn a_port_where_nobody_listens_is_an_outage_like_any_other() {
    let port = free_port();
    let client = telling_at(&format!("http://user:geheim@127.0.0.1:{port}/x")).started();
    client.track("x");
    let failure = client.flush_within(PATIENCE_MS).unwrap_err();
    assert_eq!(failure.status, STORE);
    let warnings = log_lines(&client.drain(), WARN);
    assert!(warnings[0].starts_with(&format!("events cannot be delivered to http://127.0.0.1:{port}/x/bulk: ")));
    assert_eq!(warnings[1], "2 events could not be delivered and are lost; more may be until they are delivered again");
    assert_eq!(warnings.len(), 2);
    counted(&client, 0, 2);
}

#[test]
fn a_status_that_will_not_change_ends_events_for_good_and_nothing_is_recorded_any_more() {
    for status in [401, 403, 404, 422] {
        let fake = Fake::start().unwrap();
        fake.script_for("/bulk", Action::Status(status));
        let client = telling(&fake).started();
        client.track("x");
        let failure = client.flush_within(PATIENCE_MS).unwrap_err();
        let line = format!("no events are sent any more: {}/bulk refuses them: status {status}", fake.url());
        assert_eq!((failure.status, &failure.message), (STORE, &line));
        assert_eq!(log_lines(&client.drain(), ERROR), [line]);
        client.track("y");
        assert!(client.bool("yes", false));
        let status = events(&client);
        assert_eq!((&status["state"], &status["waiting"], &status["lost"]), (&"off".into(), &0.into(), &2.into()));
        assert_eq!(client.flush_within(0).unwrap_err().status, STORE);
        assert_eq!(client.close(PATIENCE_MS), OK);
        assert_eq!(fake.payloads().len(), 1);
    }
}

#[test]
fn a_payload_that_is_too_large_is_dropped_alone_and_not_sent_again() {
    let fake = Fake::start().unwrap();
    fake.script_for("/bulk", Action::Status(413));
    let client = telling(&fake).started();
    client.track("x");
    assert_eq!(client.flush_within(PATIENCE_MS).unwrap_err().status, STORE);
    client.track("y");
    client.delivers();
    assert_eq!(fake.payloads().len(), 2);
    counted(&client, 1, 2);
}

#[test]
fn a_server_that_asks_for_patience_is_given_it() {
    let fake = Fake::start().unwrap();
    let header = ("Retry-After".to_owned(), "2".to_owned());
    fake.script_for("/bulk", Action::Answer(429, vec![header], Vec::new()));
    let client = telling(&fake).started();
    client.track("x");
    let (outcome, took) = timed(|| client.flush_within(PATIENCE_MS));
    assert!(outcome == Ok(()) && took >= Duration::from_millis(1_990), "{took:?}");
}

#[test]
fn a_server_that_never_answers_is_given_up_after_the_read_timeout() {
    let fake = Fake::start().unwrap();
    fake.script_for("/bulk", Action::Hang(PATIENCE));
    let client = telling(&fake).with("http.read_timeout_ms", "200").started();
    client.track("x");
    client.delivers();
    let warnings = log_lines(&client.drain(), WARN);
    assert!(warnings[0].ends_with("timed out while waiting for the answer"), "{warnings:?}");
}

#[test]
fn an_answer_whose_body_never_ends_holds_up_nothing_that_was_delivered() {
    let fake = Fake::start().unwrap();
    let head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 10\r\n\r\n".to_vec();
    fake.always("/bulk", Some(Action::Raw(vec![(Duration::ZERO, head), (PATIENCE, Vec::new())])));
    let client = telling(&fake).started();
    let ((), took) = timed(|| {
        for _ in 0..2 {
            client.track("x");
            client.delivers();
        }
    });
    client.track("last");
    let (status, closing) = timed(|| client.close(PATIENCE_MS));
    assert!(status == OK && took + closing < PATIENCE / 3, "{took:?}, {closing:?}");
    let warnings = log_lines(&client.drain(), WARN);
    assert!(warnings.is_empty() && fake.payloads().len() == 3, "{warnings:?}");
}

#[test]
fn an_outage_is_told_when_it_begins_when_something_is_lost_and_when_it_ends_however_many_payloads_meet_it() {
    let fake = Fake::start().unwrap();
    fake.always("/bulk", Some(Action::Status(503)));
    let client = telling(&fake).with("events.flush_interval_ms", "20").started();
    let end = Instant::now() + Duration::from_millis(2_500);
    let mut tracked = 0;
    while Instant::now() < end || events(&client)["lost"].as_u64().unwrap() < 7 {
        client.track("x");
        tracked += 1;
        thread::sleep(Duration::from_millis(5));
    }
    fake.always("/bulk", None);
    eventually("events are delivered again", || client.flush_within(PATIENCE_MS).is_ok());
    let status = events(&client);
    // The index event comes on top.
    let all = status["sent"].as_u64().unwrap() + status["lost"].as_u64().unwrap();
    assert_eq!((all, &status["dropped"]), (tracked + 1, &0.into()), "{status}");
    let notices = client.drain();
    let warnings = log_lines(&notices, WARN);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[1].ends_with("are lost; more may be until they are delivered again"), "{warnings:?}");
    let ends: Vec<String> =
        log_lines(&notices, 1).into_iter().filter(|line| line.starts_with("events are delivered again")).collect();
    let lost = format!("events are delivered again; {} were lost meanwhile", status["lost"]);
    assert!(ends.contains(&lost), "{ends:?}");
}

#[test]
fn what_does_not_fit_is_dropped_counted_and_told_once() {
    let fake = Fake::start().unwrap();
    let client = telling(&fake).with("events.capacity", "10").with("events.flush_interval_ms", "50").started();
    let full = "events were dropped: more wait for one flush than events.capacity (10), 64 MB or 10000 unknown flags allow; more may be";
    for _ in 0..3 {
        (0..1_000).for_each(|_| client.track("x"));
        client.delivers();
    }
    eventually("it is told", || !log_lines(&client.drain(), WARN).is_empty() || events(&client)["dropped"] == 0);
    let status = events(&client);
    assert_eq!(status["sent"].as_u64().unwrap() + status["dropped"].as_u64().unwrap(), 3_001, "{status}");
    let again = log_lines(&client.drain(), WARN);
    assert!(again.iter().all(|line| line.ends_with(full)) && again.len() <= 1, "{again:?}");
}

#[test]
fn whatever_happens_at_the_same_time_each_event_is_sent_once_or_counted() {
    const THREADS: u64 = 4;
    const EACH: u64 = 500;
    let fake = Fake::start().unwrap();
    let client = telling(&fake).with("events.flush_interval_ms", "5").with("http.read_timeout_ms", "300").started();
    let faults =
        [Action::Status(503), Action::Regular, Action::Close, Action::Regular, Action::Hang(PATIENCE), Action::Cut(9)];
    thread::scope(|scope| {
        for number in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                for count in 0..EACH {
                    client.track("x");
                    match (number + count) % 100 {
                        0 => _ = client.flush_within(0),
                        50 => _ = client.flush_within(5),
                        _ => thread::sleep(Duration::from_micros(500)),
                    }
                }
            });
        }
        for fault in faults.iter().cycle().take(60) {
            fake.script_for("/bulk", fault.clone());
            thread::sleep(Duration::from_millis(5));
        }
    });
    eventually("everything is settled", || {
        let _ = client.flush_within(PATIENCE_MS);
        let status = events(&client);
        let counted = |name: &str| status[name].as_u64().unwrap();
        assert_eq!(counted("waiting") + counted("dropped"), 0);
        counted("sent") + counted("lost") == THREADS * EACH + 1
    });
    // What was received and not answered well was sent again as the same payload.
    let mut received = std::collections::BTreeMap::new();
    for payload in fake.payloads() {
        received.insert(id(&payload).to_owned(), payload.json().unwrap().as_array().unwrap().len() as u64);
    }
    let (received, sent) = (received.values().sum::<u64>(), events(&client)["sent"].as_u64().unwrap());
    assert!(received >= sent && sent > 0, "{received} received, {sent} sent");
}

/// Memory of this process that is in use, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn memory_is_bounded_while_nothing_can_be_delivered_and_evaluation_never_waits() {
    const CONTEXTS: usize = 1_000_000;
    let fake = Fake::start().unwrap();
    fake.always("/bulk", Some(Action::Hang(PATIENCE * 10)));
    let client = telling(&fake).with("events.flush_interval_ms", "10").started();
    assert!(client.bool("yes", false));
    let before = resident();
    let (machine, mut longest) = (Machine::watch(), Duration::ZERO);
    for number in 0..CONTEXTS {
        let user = Context::user(&format!("user-{number}"));
        if number % 1_000 == 0 {
            longest = longest.max(machine.timed(|| client.bool_for(&user, "yes", false)).1);
        } else {
            client.bool_for(&user, "yes", false);
        }
    }
    let grown = resident().saturating_sub(before);
    let status = events(&client);
    assert!(grown < 64 << 20, "{} MB more for {CONTEXTS} contexts", grown >> 20);
    // One that waited for the server would do so for as long as the server is given.
    assert!(longest < Duration::from_secs(3), "an evaluation took {longest:?}");
    let (waiting, dropped) = (status["waiting"].as_u64().unwrap(), status["dropped"].as_u64().unwrap());
    assert!(waiting <= 10_000 && dropped as usize > CONTEXTS / 2, "{status}");
    client.close_soon(100);
}
