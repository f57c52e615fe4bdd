//! A link over which everything takes long: what is in use does not wait for that.

use std::time::{Duration, Instant};

use fakeld::Kind;
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

/// A client far away that has evaluated two flags, with what else it is told, and how often it has asked for a step so far.
fn knows_two(proxy: &Proxy, config: Config) -> (Client, u64) {
    let client = config.started();
    assert_eq!((client.ask("f0"), client.ask("f1")), ("1".into(), "1".into()));
    (client, steps(proxy))
}

fn steps(proxy: &Proxy) -> u64 {
    proxy.commands().get("HSCAN").copied().unwrap_or(0)
}

#[test]
fn a_client_that_is_closed_while_everything_is_read_over_a_slow_link_ends_soon() {
    let (server, proxy) = far_away(4_000, 300);
    let (client, before) = knows_two(&proxy, Config::at(&proxy.url()));
    proxy.set(Mode::Slow(100_000));
    server.set_flag("f2", padded("f2", 2, 300));
    eventually("it is read in steps", || steps(&proxy) >= before + 3);
    let (outcome, took) = timed(|| client.close(PATIENCE_MS));
    assert!(outcome == OK && took < SOON, "{outcome} after {took:?}");
}

#[test]
fn what_is_flushed_and_refilled_while_everything_is_read_over_a_slow_link_turns_no_flag_into_a_default() {
    let (server, proxy) = far_away(2_000, 300);
    let (client, before) = knows_two(&proxy, Config::at(&proxy.url()));
    proxy.set(Mode::Slow(100_000));
    server.set_flag("f2", padded("f2", 2, 300));
    eventually("it is read in steps", || {
        client.ask("f1");
        steps(&proxy) >= before + 3
    });
    let mut all = pipe();
    all.atomic().cmd("FLUSHALL").cmd("SET").arg("launchdarkly:$inited").arg("");
    for number in (0..2_000).filter(|number| *number != 1) {
        let key = format!("f{number}");
        all.hset("launchdarkly:features", &key, padded(&key, 3, 300)).ignore();
    }
    server.send(&all);
    let is_held = || assert!(["1", "3"].contains(&client.ask("f1").as_str()), "f1 is {}", client.ask("f1"));
    eventually("what is there is read", || {
        is_held();
        client.ask("f0") == "3"
    });
    throughout(Duration::from_secs(2), is_held);
    let before = steps(&proxy);
    proxy.set(Mode::Pass);
    eventually("everything is read", || {
        is_held();
        steps(&proxy) > before + 3
    });
    throughout(Duration::from_millis(1_200), is_held);
    server.set_flag("f1", padded("f1", 3, 300));
    client.serves("f1", "3");
    client.becomes(VALID);
}

#[test]
fn a_flag_that_is_read_when_it_is_asked_for_does_not_wait_until_everything_is_read_over_a_slow_link() {
    let (server, proxy) = far_away(4_000, 300);
    let config = Config::at(&proxy.url()).with("cache.residency", "lazy").with("redis.command_timeout_ms", "4000");
    let (client, _) = knows_two(&proxy, config);
    assert!(client.all_flags().contains("f3999"));
    let before = steps(&proxy);
    proxy.set(Mode::Slow(100_000));
    std::thread::scope(|scope| {
        scope.spawn(|| _ = client.try_all_flags(Some(&Context::user("u")), 0));
        eventually("it is read in steps", || steps(&proxy) >= before + 3);
        let (value, took) = timed(|| client.ask("f7"));
        assert!(value == "1" && took < Duration::from_secs(3), "{value} after {took:?}");
        let edited = Instant::now();
        server.set_flag("f0", padded("f0", 2, 300));
        while client.ask("f0") != "2" {
            assert!(edited.elapsed() < SOON, "an edit is not served");
        }
    });
}

#[test]
fn over_a_link_that_is_long_and_not_slow_steps_do_not_become_ever_smaller() {
    let (server, proxy) = far_away(6_000, 0);
    let (client, before) = knows_two(&proxy, Config::at(&proxy.url()));
    proxy.set(Mode::Delay(Duration::from_millis(300)));
    server.set_flag("f5999", padded("f5999", 2, 0));
    client.hears_change_of("f5999");
    let count = steps(&proxy) - before;
    assert!(count < 100, "{count} steps");
}

#[test]
fn what_is_delivered_while_everything_is_compared_over_a_slow_link_is_written_soon() {
    let texts: Vec<(String, String)> =
        (0..4_000).map(|number| format!("f{number}")).map(|key| (key.clone(), padded(&key, 1, 300))).collect();
    let flags: Vec<(&str, String)> = texts.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
    let (fake, server) = (launchdarkly(&flags), RedisServer::start());
    let proxy = Proxy::to(server.port());
    let client = storing(&fake, &server).with("redis.url", &proxy.url()).started();
    eventually("the server is filled", || server.is_inited());
    let before = steps(&proxy);
    proxy.set(Mode::Slow(100_000));
    eventually("it is compared in steps", || steps(&proxy) >= before + 3);
    fake.patch(Kind::Flag, &padded("f0", 2, 300)).unwrap();
    client.serves("f0", "2");
    let is_written = || server.text("features", "f0").is_some_and(|text| text == padded("f0", 2, 300));
    wait_until(SOON, "it is written", is_written);
}
