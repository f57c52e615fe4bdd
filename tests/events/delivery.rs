//! Events reach the server: what is posted and how, when a flush says what, and what a close leaves behind.

use std::collections::BTreeSet;
use std::time::Duration;

use fakeld::{Action, CA_FILE, Fake, Request};

use crate::support::*;

/// The kinds of the events of a payload.
fn kinds(payload: &Request) -> Vec<String> {
    let events = payload.json().expect("a payload is JSON");
    events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

fn header<'a>(payload: &'a Request, name: &str) -> &'a str {
    payload.header(name).unwrap_or_default()
}

#[test]
fn a_flush_sends_what_waits_and_says_so_when_it_is_delivered() {
    let fake = Fake::start().unwrap();
    let client = telling(&fake).with("application.id", "shop").with("wrapper.name", "w").started();
    client.delivers();
    assert!(fake.payloads().is_empty(), "nothing waited");
    assert!(client.bool("yes", false));
    client.track("bought");
    client.delivers();
    let payload = &fake.payloads()[0];
    assert_eq!(kinds(payload), ["index", "custom", "summary"]);
    assert_eq!((payload.method.as_str(), header(payload, "content-type")), ("POST", "application/json"));
    assert_eq!(header(payload, "content-encoding"), "gzip");
    assert_eq!(header(payload, "x-launchdarkly-event-schema"), "4");
    assert_eq!(header(payload, "x-launchdarkly-payload-id").len(), 36);
    assert_eq!(header(payload, "authorization"), SDK_KEY);
    assert_eq!(header(payload, "x-launchdarkly-tags"), "application-id/shop");
    assert_eq!(header(payload, "x-launchdarkly-wrapper"), "w");
    assert_eq!(header(payload, "x-launchdarkly-instance-id").len(), 36);
    assert!(header(payload, "user-agent").starts_with("FlagstoneClient/"));
    let events = &client.status()["events"];
    assert_eq!((&events["state"], &events["sent"], &events["lost"]), (&"on".into(), &3.into(), &0.into()), "{events}");
    client.delivers();
    assert_eq!(fake.payloads().len(), 1, "nothing is sent twice");
}

#[test]
fn payloads_are_sent_at_each_interval_and_plain_where_compression_is_off() {
    let fake = Fake::start().unwrap();
    let config = telling(&fake).with("events.flush_interval_ms", "20").with("events.gzip", "false");
    let client = config.started();
    for count in 1..4 {
        client.track("x");
        assert!(fake.wait_for_payloads(count, PATIENCE).len() >= count);
    }
    let payloads = fake.payloads();
    assert!(
        payloads.iter().all(|payload| payload.body.starts_with(b"[{") && payload.header("content-encoding").is_none())
    );
    let ids: BTreeSet<&str> = payloads.iter().map(|payload| header(payload, "x-launchdarkly-payload-id")).collect();
    assert_eq!(ids.len(), payloads.len(), "each has an identity of its own");
}

#[test]
fn one_connection_serves_one_payload_after_another_also_when_answers_have_bodies() {
    let fake = Fake::start().unwrap();
    fake.always("/bulk", Some(Action::Answer(202, Vec::new(), vec![b'x'; 20_000])));
    let client = telling(&fake).started();
    for _ in 0..20 {
        client.track("x");
        client.delivers();
    }
    assert_eq!((fake.payloads().len(), fake.connections()), (20, 1));
}

#[test]
fn a_connection_that_the_server_has_closed_meanwhile_is_not_used_again() {
    let fake = Fake::start().unwrap();
    let client = telling(&fake).started();
    for count in 1..=3 {
        client.track("x");
        client.delivers();
        assert_eq!(fake.payloads().len(), count);
        fake.kill();
        fake.start_again().unwrap();
    }
    assert!(log_lines(&client.drain(), 2).is_empty(), "nothing failed");
}

#[test]
fn a_flush_that_does_not_wait_may_be_repeated_and_makes_no_payloads_of_its_own() {
    let fake = Fake::start().unwrap();
    fake.script_for("/bulk", Action::Hang(PATIENCE));
    let client = telling(&fake).with("http.read_timeout_ms", "400").started();
    let poll = || client.flush_within(0).map_err(|failure| failure.status);
    // Whether anything waits is known a moment later.
    eventually("an empty flush ends", || poll() == Ok(()));
    client.track("first");
    let mut polls = 0;
    eventually("the flush ends", || {
        client.track("more");
        polls += 1;
        match poll() {
            Ok(()) => true,
            Err(status) => {
                assert_eq!(status, TIMEOUT);
                false
            }
        }
    });
    assert!(polls > 10, "{polls} polls");
    assert!(fake.payloads().len() <= 3, "the first attempt, which hangs, the second, and what came meanwhile");
    eventually("who is told of the end begins the next one", || fake.payloads().len() == 3);
}

#[test]
fn a_flush_says_that_it_is_late_and_that_something_is_lost() {
    let fake = Fake::start().unwrap();
    fake.script_for("/bulk", Action::Hang(PATIENCE));
    let client = telling(&fake).started();
    client.track("x");
    let failure = client.flush_within(100).unwrap_err();
    assert_eq!((failure.status, failure.message.as_str()), (TIMEOUT, "events are on their way still"));

    let client = telling(&fake).started();
    fake.script_for("/bulk", Action::Status(503));
    fake.script_for("/bulk", Action::Status(500));
    client.track("x");
    let failure = client.flush_within(PATIENCE_MS).unwrap_err();
    assert_eq!(failure.status, STORE);
    assert!(failure.message.ends_with("/bulk: status 500"), "{}", failure.message);
    client.track("y");
    client.delivers();
}

#[test]
fn a_close_sends_what_waits_and_is_quick_when_nothing_does() {
    let fake = Fake::start().unwrap();
    let client = telling(&fake).started();
    client.track("last");
    assert_eq!(client.close(PATIENCE_MS), OK);
    assert_eq!(fake.payloads().len(), 1);
    assert_eq!(client.flush_within(0).unwrap_err().status, CLOSED);
    assert!(client.bool("yes", false), "flags answer still, and nothing is told of it");

    let client = telling(&fake).started();
    client.track("x");
    client.delivers();
    let (status, took) = timed(|| client.close(PATIENCE_MS));
    assert!(status == OK && took < PATIENCE / 3, "{took:?}");
    assert_eq!(fake.payloads().len(), 2);
}

#[test]
fn a_client_that_was_never_started_says_what_is_lost_with_it() {
    let fake = Fake::start().unwrap();
    let client = telling(&fake).client();
    client.track("x");
    assert_eq!(client.flush_within(20).unwrap_err().status, TIMEOUT);
    assert_eq!(client.close(PATIENCE_MS), OK);
    assert_eq!(log_lines(&client.drain(), 2), ["closed before it was started: 2 events are lost"]);
}

#[test]
fn a_close_waits_for_no_diagnostic_event() {
    let fake = Fake::start().unwrap();
    fake.always("/diagnostic", Some(Action::Hang(PATIENCE)));
    let client = telling(&fake).with("events.diagnostics", "true").started();
    eventually("it hangs", || fake.diagnostics().len() == 1);
    let (status, took) = timed(|| client.close(PATIENCE_MS));
    assert!(status == OK && took < PATIENCE / 3, "{took:?}");
}

#[test]
fn a_client_that_nobody_holds_any_more_sends_what_waits() {
    let fake = Fake::start().unwrap();
    let client = telling(&fake).started();
    client.track("last");
    drop(client);
    assert_eq!(fake.wait_for_payloads(1, PATIENCE).len(), 1);
}

#[test]
fn a_close_ends_in_time_while_the_server_hangs_and_says_what_is_lost() {
    let fake = Fake::start().unwrap();
    fake.always("/bulk", Some(Action::Hang(PATIENCE)));
    let client = telling(&fake).started();
    client.track("a");
    assert_eq!(client.flush_within(0).unwrap_err().status, TIMEOUT);
    fake.wait_for_payloads(1, PATIENCE);
    client.track("b");
    let (status, took) = timed(|| client.close(1_000));
    assert_eq!(status, OK, "all threads have ended");
    assert!(took >= Duration::from_millis(700) && took < PATIENCE / 3, "{took:?}");
    let lines = log_lines(&client.drain(), 2);
    let last = lines.last().unwrap();
    assert_eq!(last, "closed before 3 events could be delivered: they are lost", "{lines:?}");
}

#[test]
fn five_payloads_travel_at_the_same_time_and_the_sixth_waits_in_the_inbox() {
    let fake = Fake::start().unwrap();
    fake.always("/bulk", Some(Action::Hang(PATIENCE)));
    let client = telling(&fake).with("events.flush_interval_ms", "20").started();
    for count in 1..=5 {
        client.track("x");
        assert_eq!(fake.wait_for_payloads(count, PATIENCE).len(), count);
    }
    client.track("y");
    throughout(Duration::from_millis(300), || {
        assert_eq!((fake.payloads().len(), &client.status()["events"]["waiting"]), (5, &1.into()));
    });
    client.close_soon(200);
}

#[test]
fn events_go_through_tls_and_a_base_with_a_path_as_the_sources_do() {
    let fake = Fake::start_tls().unwrap();
    fake.set_base_path("/relay/east");
    let client = telling(&fake).with("http.tls.ca_file", CA_FILE).started();
    client.track("x");
    client.delivers();
    assert_eq!(fake.payloads().len(), 1);
    let client = telling(&fake).started();
    client.track("x");
    let failure = client.flush_within(PATIENCE_MS).unwrap_err();
    assert!(failure.status == STORE && failure.message.contains("TLS"), "{}", failure.message);
}

#[test]
fn events_go_through_a_proxy() {
    // The server plays the proxy: it takes the path of a whole URL.
    let proxy = Fake::start().unwrap();
    let config = telling_at("http://events.invalid").with("http.proxy", &proxy.url());
    let client = config.started();
    client.track("x");
    client.track("y");
    client.delivers();
    let payload = &proxy.payloads()[0];
    assert_eq!((payload.target.as_str(), kinds(payload).len()), ("http://events.invalid/bulk", 3));
}

#[test]
fn redirects_are_followed_where_nothing_is_lost_and_the_key_goes_to_no_other_server() {
    let (fake, other) = (Fake::start().unwrap(), Fake::start().unwrap());
    for status in [307, 308] {
        fake.script_for("/bulk", Action::Redirect(status, format!("{}/bulk", other.url())));
    }
    let client = telling(&fake).started();
    for count in 1..=2 {
        client.track("x");
        client.delivers();
        let payload = &other.payloads()[count - 1];
        assert_eq!((payload.method.as_str(), payload.header("authorization")), ("POST", None));
        assert!(kinds(payload).contains(&"custom".to_owned()));
        assert_eq!(header(payload, "x-launchdarkly-event-schema"), "4");
    }
    fake.script_for("/bulk", Action::Redirect(302, format!("{}/bulk", other.url())));
    client.track("x");
    client.delivers();
    assert_eq!((other.payloads().len(), fake.payloads().len()), (2, 4), "it is tried once more where it was to go");
}

#[test]
fn a_diagnostic_event_tells_of_the_start_and_none_is_sent_where_they_are_off() {
    let fake = launchdarkly(&[]);
    let client = streaming(&fake).with("events.enabled", "true").with("wrapper.name", "w").started();
    eventually("the diagnostic event comes", || fake.diagnostics().len() == 1);
    let request = &fake.diagnostics()[0];
    let event = request.json().unwrap();
    assert_eq!((&event["kind"], &event["id"]["sdkKeySuffix"]), (&"diagnostic-init".into(), &"secret".into()));
    assert_eq!((&event["sdk"]["name"], &event["sdk"]["wrapperName"]), (&"flagstone".into(), &"w".into()));
    assert_eq!(event["platform"]["osArch"], std::env::consts::ARCH);
    assert_eq!(event["configuration"]["customEventsURI"], true);
    assert_eq!((header(request, "authorization"), header(request, "content-type")), (SDK_KEY, "application/json"));
    assert_eq!(client.close(PATIENCE_MS), OK);
    assert_eq!(fake.payloads().len(), 0);

    let fake = launchdarkly(&[]);
    let client = streaming(&fake).with("events.enabled", "true").with("events.diagnostics", "false").started();
    client.track("x");
    client.delivers();
    assert_eq!((fake.diagnostics().len(), fake.payloads().len()), (0, 1));
}

#[test]
fn debugging_ends_by_the_clock_of_the_server_when_that_is_ahead_and_by_ours_when_it_is_not() {
    const AHEAD: &str = "Fri, 31 Dec 2100 23:59:59 GMT";
    const BEHIND: &str = "Thu, 01 Jan 1998 00:00:00 GMT";
    let until = 4_100_000_000_000_i64;
    let text = format!(
        r#"{{"key":"a","version":1,"on":false,"offVariation":0,"variations":[true],"debugEventsUntilDate":{until}}}"#
    );
    let fake = launchdarkly(&[("a", text)]);
    let client = streaming(&fake).with("events.enabled", "true").with("events.flush_interval_ms", "3600000").started();
    let debugs = |date: &str| {
        let header = ("Date".to_owned(), date.to_owned());
        fake.script_for("/bulk", Action::Answer(202, vec![header], Vec::new()));
        assert!(client.bool("a", false));
        client.delivers();
        kinds(fake.payloads().last().unwrap()).contains(&"debug".to_owned())
    };
    assert!(debugs(BEHIND), "nobody has told a time yet");
    assert!(debugs(AHEAD), "a clock that is behind changes nothing");
    assert!(!debugs("no date"), "the time that a server told is past the end");
    assert!(!debugs(BEHIND), "what is no time changes nothing");
    assert!(
        debugs(BEHIND),
        "a clock that went back was wrong before, or is now; what it says last counts, and our own"
    );
}
