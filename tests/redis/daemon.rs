//! Daemon mode reads and never writes: shown by what is sent over the wire, and by a user that may do nothing else.

use std::thread;

use redis::pipe;

use crate::support::*;

/// Everything that a client may send. None of it changes data.
const READS: [&str; 16] = [
    "AUTH",
    "CLIENT SETINFO",
    "CLIENT SETNAME",
    "CLIENT TRACKING",
    "EXEC",
    "EXISTS",
    "HELLO",
    "HGET",
    "HGETALL",
    "HLEN",
    "HMGET",
    "HSCAN",
    "INFO",
    "MULTI",
    "PING",
    "SELECT",
];

/// Life as it is: reading, changes, deletions, a big set, damage, a lost link, an outage, a wipe, recovery.
fn whole_life(server: &mut RedisServer, proxy: &Proxy, client: &Client, sees_changes: bool) {
    client.ask("a");
    client.ask("member");
    client.ask("none");
    server.set_flag("a", flag("a", 2, "two"));
    server.set_flag("b", "{broken");
    server.set_segment("s", segment("s", 2, &[]));
    if sees_changes {
        client.serves("a", "two");
    }
    let mut pipeline = pipe();
    for number in 0..1_500 {
        pipeline.cmd("HSET").arg("launchdarkly:features").arg(format!("f{number}")).arg(flag("f", 1, "f"));
    }
    server.send(&pipeline);
    if sees_changes {
        client.serves("f1499", "f");
        server.remove_flag("f1");
        client.serves("f1", "FLAG_NOT_FOUND");
    }
    proxy.cut();
    client.serves("a", if sees_changes { "two" } else { "one" });
    server.flush();
    if sees_changes {
        client.reports("wiped", true);
    }
    server.kill();
    client.becomes(INTERRUPTED);
    client.ask("a");
    server.restart();
    server.replace(&[("a", flag("a", 3, "three"))], &[]);
    client.becomes(VALID);
    if sees_changes {
        client.serves("a", "three");
    }
    assert_eq!(client.close(PATIENCE_MS), OK);
    client.ask("a");
}

#[test]
fn nothing_but_reads_is_ever_sent() {
    thread::scope(|scope| {
        for residency in ["all", "lazy"] {
            for freshness in ["push", "ttl", "forever"] {
                scope.spawn(move || {
                    let flags =
                        [("a", flag("a", 1, "one")), ("member", Flag::new("member", 1, "in").for_segment("s").text())];
                    let mut server = RedisServer::holding(&flags, &[("s", segment("s", 1, &["ada"]))]);
                    let proxy = Proxy::to(server.port());
                    let config = Config::at(&proxy.url()).with("cache.residency", residency);
                    let config = config.with("cache.freshness", freshness).with("cache.ttl_ms", "200");
                    let config = config.with("refresh.interval_ms", "300").with("redis.ping_ms", "200");
                    let client = config.started();
                    whole_life(&mut server, &proxy, &client, freshness != "forever");
                    let sent = proxy.commands();
                    assert!(sent.get("HGETALL").or(sent.get("HMGET")).is_some_and(|count| *count > 0), "{sent:?}");
                    let others: Vec<&String> = sent.keys().filter(|name| !READS.contains(&name.as_str())).collect();
                    assert!(others.is_empty(), "{residency} {freshness}: {others:?} of {sent:?}");
                });
            }
        }
    });
}

#[test]
fn a_user_who_may_only_read_the_environment_is_enough_for_push() {
    let rules = "reader on >secret ~launchdarkly:* -@all +hello +auth +ping +client|tracking +multi +exec +exists \
                 +hgetall +hmget +hscan +hlen +info +client|setname";
    let server = Setup::default().user(rules).start();
    server.replace(&[("a", flag("a", 1, "one"))], &[]);
    for residency in ["all", "lazy", "off"] {
        server.set_flag("a", flag("a", 1, "one"));
        let config = Config::of(&server).with("redis.username", "reader").with("redis.password", "secret");
        let client = config.with("cache.residency", residency).started();
        assert_eq!(client.ask("a"), "one");
        client.reports("freshness", "push");
        server.set_flag("a", flag("a", 2, "two"));
        client.serves("a", "two");
        server.remove(&["features"]);
        server.replace(&[("a", flag("a", 3, "three"))], &[]);
        client.serves("a", "three");
    }
    // Beside what a client says about itself, which it may leave out, nothing was denied.
    let denied: Vec<Vec<redis::Value>> = server.run(&["ACL", "LOG"]);
    let told = |entry: &[redis::Value]| format!("{entry:?}").to_lowercase().contains("client|setinfo");
    assert!(denied.iter().all(|entry| told(entry)), "{denied:?}");
}
