//! Events reach the server: what is posted and how, when a flush says what, and what a close leaves behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use fakeld::{Action, Fake, Request};
use serde_json::Value;
use support::*;

/// The kinds of the events of a payload.
fn kinds(payload: &Request) -> Vec<String> {
    let events = payload.json().expect("a payload is JSON");
    events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

/// The keys of the custom events of all payloads.
fn tracked(payloads: &[Request]) -> Vec<String> {
    let events = payloads.iter().flat_map(|payload| payload.json().unwrap().as_array().unwrap().clone());
    events.filter_map(|event| (event["kind"] == "custom").then(|| event["key"].as_str().unwrap().to_owned())).collect()
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
    let payloads = fake.payloads();
    assert_eq!(payloads.len(), 1);
    assert_eq!(kinds(&payloads[0]), ["index", "custom", "summary"]);
    let header = |name: &str| payloads[0].header(name).unwrap_or_default().to_owned();
    assert_eq!(payloads[0].method, "POST");
    assert_eq!(header("content-type"), "application/json");
    assert_eq!(header("content-encoding"), "gzip");
    assert_eq!(header("x-launchdarkly-event-schema"), "4");
    assert_eq!(header("x-launchdarkly-payload-id").len(), 36);
    assert_eq!(header("authorization"), SDK_KEY);
    assert_eq!(header("x-launchdarkly-tags"), "application-id/shop");
    assert_eq!(header("x-launchdarkly-wrapper"), "w");
    assert_eq!(header("x-launchdarkly-instance-id").len(), 36);
    assert!(header("user-agent").starts_with("FlagstoneClient/"), "{}", header("user-agent"));
    let events = &client.status()["events"];
    assert_eq!((&events["state"], &events["sent"], &events["lost"]), (&"on".into(), &3.into(), &0.into()), "{events}");
    client.delivers();
    assert_eq!(fake.payloads().len(), 1, "nothing is sent twice");
}
