//! A link over which everything takes long: what is in use does not wait for that.

use std::time::{Duration, Instant};

use redis::pipe;
use serde_json::json;

use crate::support::*;

/// Whatever is read meanwhile, an edit is served much sooner than everything is read.
const SOON: Duration = Duration::from_secs(5);

fn padded(key: &str, version: i64, bytes: usize) -> String {
    Flag::new(key, version, &version.to_string()).with("padding", json!("x".repeat(bytes))).text()
}

/// A server with so many flags of so many bytes, and the proxy before it.
fn far_away(count: usize, bytes: usize) -> (RedisServer, Proxy) {
    let server = RedisServer::start();
    let mut all = pipe();
    for number in 0..count {
        let key = format!("f{number}");
        all.hset("launchdarkly:features", &key, padded(&key, 1, bytes)).ignore();
    }
    server.send(&all);
    server.set_inited();
    let proxy = Proxy::to(server.port());
    (server, proxy)
}

/// Edits a flag in use again and again until everything was read in so many steps: how long the slowest edit took to be served. It
/// never goes back.
fn slowest_edit(server: &RedisServer, proxy: &Proxy, client: &Client, bytes: usize, steps: u64) -> Duration {
    let (began, mut slowest) = (Instant::now(), Duration::ZERO);
    let mut version = 1;
    while proxy.commands().get("HSCAN").is_none_or(|count| *count < steps) {
        assert!(began.elapsed() < PATIENCE * 3, "it is not read in steps: {:?}", proxy.commands());
        version += 1;
        let edited = Instant::now();
        server.set_flag("f0", padded("f0", version, bytes));
        loop {
            let served = client.ask("f0");
            if served == version.to_string() {
                break;
            }
            assert_eq!(served, (version - 1).to_string(), "neither older nor a default");
            assert!(edited.elapsed() < PATIENCE, "version {version} is not served");
            std::thread::sleep(Duration::from_millis(1));
        }
        slowest = slowest.max(edited.elapsed());
        let calm = Instant::now();
        while calm.elapsed() < Duration::from_millis(700) {
            assert_eq!(client.ask("f0"), version.to_string());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    slowest
}

#[test]
fn over_a_slow_link_an_edit_of_a_flag_in_use_does_not_wait_until_everything_is_read() {
    let (server, proxy) = far_away(4_000, 300);
    let client = Config::at(&proxy.url()).started();
    assert_eq!((client.ask("f0"), client.ask("f1")), ("1".into(), "1".into()));
    // Everything takes 16 seconds and more.
    proxy.set(Mode::Slow(100_000));
    let slowest = slowest_edit(&server, &proxy, &client, 300, 50);
    assert!(slowest < SOON, "{slowest:?}");
    // What went away while it was read does not come back with it.
    assert_eq!(client.ask("f1"), "1");
    let removed = Instant::now();
    server.remove_flag("f1");
    while client.ask("f1") != "FLAG_NOT_FOUND" {
        assert!(removed.elapsed() < SOON);
    }
    proxy.set(Mode::Pass);
    throughout(Duration::from_secs(2), || assert_eq!(client.ask("f1"), "FLAG_NOT_FOUND"));
    client.becomes(VALID);
    server.set_flag("f3999", padded("f3999", 7, 300));
    client.serves("f3999", "7");
}

#[test]
fn a_data_set_of_few_large_flags_is_read_in_steps_once_one_reply_took_long() {
    let (server, proxy) = far_away(160, 5_000);
    // One reply takes 4 seconds.
    proxy.set(Mode::Slow(200_000));
    let client = Config::at(&proxy.url()).started();
    assert_eq!(client.ask("f0"), "1");
    let slowest = slowest_edit(&server, &proxy, &client, 5_000, 20);
    assert!(slowest < SOON, "{slowest:?}");
}
