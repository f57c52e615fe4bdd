//! Counters and gauges as a host's metrics page serves them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use fakeld::Fake;

use crate::support::*;

const YES: &str = "flagstone_evaluations_total{flag=\"yes\",variation=\"0\"}";

/// Names, types and samples of a page; panics where it is not what Prometheus reads.
fn read(page: &str) -> HashMap<String, f64> {
    let (mut types, mut samples) = (HashMap::new(), HashMap::new());
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(types.insert(name, kind).is_none(), "{name} is declared twice");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        } else if !line.starts_with("# HELP ") {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            let name = sample.split('{').next().unwrap();
            assert!(types.contains_key(name), "{line} is not declared");
            assert!(samples.insert(sample.to_owned(), value.parse().unwrap()).is_none(), "{sample} is told twice");
        }
    }
    samples
}

#[test]
fn a_page_tells_of_evaluations_data_and_redis_and_is_what_prometheus_reads() {
    let odd = "a \"quoted\" \\ key";
    let server = RedisServer::holding(&[("a", flag("a", 1, "old")), (odd, flag(odd, 1, "x"))], &[]);
    let client = Config::of(&server).with("metrics.evaluations", "true").started();
    for _ in 0..3 {
        client.ask("a");
    }
    client.ask(odd);
    client.ask("unknown");
    let page = client.metrics();
    let samples = read(&page);
    let expected = [
        ("flagstone_evaluations_total{flag=\"a\",variation=\"0\"}", 3.0),
        ("flagstone_evaluations_total{flag=\"a \\\"quoted\\\" \\\\ key\",variation=\"0\"}", 1.0),
        ("flagstone_evaluations_total{flag=\"unknown\",variation=\"default\"}", 1.0),
        ("flagstone_other_evaluations_total", 0.0),
        ("flagstone_client_state{state=\"VALID\"}", 1.0),
        ("flagstone_client_state{state=\"INIT\"}", 0.0),
        ("flagstone_client_ready", 1.0),
        ("flagstone_freshness{rung=\"push\"}", 1.0),
        ("flagstone_flags", 2.0),
        ("flagstone_segments", 0.0),
        ("flagstone_malformed_items", 0.0),
        ("flagstone_store_available", 1.0),
        ("flagstone_store_stale", 0.0),
        ("flagstone_notifications_dropped_total", 0.0),
        ("flagstone_panics_total", 0.0),
    ];
    for (name, value) in expected {
        assert_eq!(samples.get(name), Some(&value), "{name} in {page}");
    }
    assert!(samples["flagstone_data_age_seconds"] < 60.0);
    assert!(samples["flagstone_redis_exchanges_total"] >= 1.0, "{page}");
    assert!(samples["flagstone_redis_received_bytes_total"] > 100.0, "{page}");
    assert!(samples["flagstone_redis_sent_bytes_total"] > 50.0, "{page}");
    assert!(!page.contains("flagstone_events_") && !page.contains("flagstone_source_state"), "{page}");
}

#[test]
fn bytes_are_counted_once_where_big_segments_are_in_the_redis_of_the_flags() {
    let server = RedisServer::start();
    let mut flags = many_flags(2_000, 1, "one");
    flags.push(("big", Flag::new("big", 1, "in").for_segment("s").text()));
    server.replace(&flags, &[("s", r#"{"key":"s","version":1,"unbounded":true,"generation":1}"#.to_owned())]);
    let client = Config::of(&server).started();
    client.ask("big");
    assert_ne!(client.detail("big").big_segments, 0);
    client.becomes(VALID);
    let received = client.metric("flagstone_redis_received_bytes_total").unwrap();
    let sent = server.bytes_sent() as f64;
    assert!(received > 100_000.0 && received <= sent, "{received} of {sent}");
}

#[test]
fn without_events_evaluations_are_counted_only_where_it_is_asked_for() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let client = Config::of(&server).started();
    client.ask("a");
    assert!(!client.metrics().contains("flagstone_evaluations_total"));
    assert!(client.status()["events"].is_null());
}

#[test]
fn counting_alone_takes_no_events_and_tells_of_none() {
    let server = RedisServer::holding(&[("a", Flag::new("a", 1, "x").with("trackEvents", true.into()).text())], &[]);
    let client = Config::of(&server).with("metrics.evaluations", "true").started();
    client.ask("a");
    client.track("bought");
    client.identify(&Context::user("ada"));
    client.flush().unwrap();
    assert!(client.status()["events"].is_null());
    let page = client.metrics();
    assert!(!page.contains("flagstone_events_"), "{page}");
    assert_eq!(client.metric("flagstone_evaluations_total{flag=\"a\",variation=\"0\"}"), Some(1.0));
}

#[test]
fn what_events_have_sent_is_counted_on() {
    let fake = Fake::start().unwrap();
    let client = telling(&fake).started();
    for flushed in 1..4 {
        assert!(client.bool("yes", false));
        assert_eq!(client.metric(YES), Some(f64::from(flushed)), "before the flush");
        client.delivers();
        assert_eq!(client.metric(YES), Some(f64::from(flushed)), "after the flush");
    }
    assert_eq!(client.metric("flagstone_events_sent_total"), Some(4.0), "an index event and three summaries");
    let counted: i64 = fake
        .payloads()
        .iter()
        .flat_map(|payload| payload.json().unwrap().as_array().unwrap().clone())
        .filter_map(|event| event["features"]["yes"]["counters"][0]["count"].as_i64())
        .sum();
    assert_eq!(counted, 3, "metrics take nothing away from events");
}

#[test]
fn counts_never_go_back_while_threads_evaluate_and_events_are_flushed() {
    const EACH: usize = 20_000;
    let fake = Fake::start().unwrap();
    let client = telling(&fake).with("events.flush_interval_ms", "5").started();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let evaluating: Vec<_> =
            (0..2).map(|_| scope.spawn(|| (0..EACH).for_each(|_| assert!(client.bool("yes", false))))).collect();
        let reading = scope.spawn(|| {
            let mut latest = 0.0;
            while !is_over.load(SeqCst) {
                let count = client.metric(YES).unwrap_or_default();
                assert!(count >= latest, "{count} after {latest}");
                latest = count;
            }
        });
        evaluating.into_iter().for_each(|thread| thread.join().unwrap());
        is_over.store(true, SeqCst);
        reading.join().unwrap();
    });
    assert_eq!(client.metric(YES), Some(2.0 * EACH as f64));
}

#[test]
fn an_outage_is_seen_on_the_page() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let client = Config::of(&server).started();
    drop(server);
    client.becomes(INTERRUPTED);
    assert_eq!(client.metric("flagstone_client_state{state=\"INTERRUPTED\"}"), Some(1.0));
    // The watch may be lost a moment before the other connection is.
    eventually("Redis is away", || client.metric("flagstone_store_available") == Some(0.0));
    assert_eq!(client.metric("flagstone_store_stale"), Some(1.0));
    assert_eq!(client.metric("flagstone_client_ready"), Some(1.0));
}
