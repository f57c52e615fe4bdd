//! Reads from a replica under sentinels: reading and watching lead to the same one, nothing older is ever served because of it, and
//! the primary is read when there is none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use support::*;

/// What is to happen soon may take this long on a busy machine.
const SOON: Duration = Duration::from_secs(8);

fn edit(version: i64) -> String {
    flag("a", version, &format!("edit {version}"))
}

fn number(value: &str) -> i64 {
    value.strip_prefix("edit ").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("served {value:?}"))
}

fn config(deployment: &Deployment, read: &str, residency: &str) -> Config {
    Config::new()
        .with("redis.url", &format!("{}?read={read}", deployment.url()))
        .with("redis.connect_timeout_ms", "2000")
        .with("redis.command_timeout_ms", "2000")
        .with("redis.ping_ms", "300")
        .with("cache.residency", residency)
        .with("cache.ttl_ms", "1000")
}

fn place(client: &Client) -> (String, String) {
    let redis = &client.status()["redis"];
    let text = |name: &str| redis[name].as_str().unwrap_or_default().to_owned();
    (text("role"), text("address"))
}

fn at(role: &str, server: &RedisServer) -> (String, String) {
    (role.to_owned(), format!("127.0.0.1:{}", server.port()))
}

#[test]
fn reading_and_watching_lead_to_the_same_replica_and_spare_the_primary() {
    let deployment = Deployment::with_replicas(2, &[("a", edit(1))]);
    let (primary, replicas) = (&deployment.servers[0], &deployment.servers[1..]);
    let residencies = ["all", "lazy", "off", "all", "lazy", "off"];
    let clients = residencies.map(|residency| config(&deployment, "prefer-replica", residency).started());
    for client in &clients {
        assert_eq!(client.ask("a"), "edit 1");
        client.becomes(VALID);
    }
    let read = |replica: &RedisServer| clients.iter().filter(|client| place(client) == at("replica", replica)).count();
    let is_shared = || replicas.iter().all(|replica| replica.tracking_connections() == read(replica));
    eventually("each watches what it reads", is_shared);
    assert_eq!(replicas.iter().map(read).sum::<usize>(), clients.len());
    for version in 2..20 {
        primary.set_flag("a", edit(version));
        let served = || clients.iter().all(|client| client.ask("a") == format!("edit {version}"));
        wait_until(SOON, &format!("edit {version}"), served);
    }
    assert!(is_shared());
    assert_eq!(primary.tracking_connections(), 0);
    let calls = primary.calls();
    assert!(["hgetall", "hmget", "hget"].iter().all(|command| !calls.contains_key(*command)), "{calls:?}");
    let nearest = config(&deployment, "nearest", "all").started();
    assert_eq!(nearest.ask("a"), "edit 19");
    let place = place(&nearest);
    assert!(
        place == at("primary", primary) || replicas.iter().any(|replica| place == at("replica", replica)),
        "{place:?}"
    );
}

#[test]
fn who_writes_reads_the_primary() {
    let deployment = Deployment::holding(&[]);
    let fake = launchdarkly(&[("a", flag("a", 1, "one"))]);
    let url = format!("{}?read=prefer-replica", deployment.url());
    let client = streaming(&fake).with("redis.url", &url).started();
    client.serves("a", "one");
    eventually("the primary is written", || deployment.servers[0].text("features", "a").is_some());
    eventually("and watched", || deployment.servers[0].tracking_connections() == 1);
    assert_eq!(place(&client), at("primary", &deployment.servers[0]));
    assert_eq!(deployment.servers[1].tracking_connections(), 0);
    // It is healed there, too.
    deployment.servers[0].remove(&["features", "segments", "$inited"]);
    eventually("the loss is healed", || deployment.servers[0].is_inited());
}

/// The replica is no good for a while; no evaluation may see an older value than before, or a default.
fn leaves_and_comes_back(spoil: fn(&RedisServer, u16), mend: fn(&RedisServer, u16)) {
    let deployment = Deployment::holding(&[("a", edit(1)), ("steady", flag("steady", 1, "yes"))]);
    let (primary, replica) = (&deployment.servers[0], &deployment.servers[1]);
    let clients = ["all", "lazy"].map(|residency| config(&deployment, "prefer-replica", residency).started());
    eventually("all watch the replica", || replica.tracking_connections() == 2);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = OverAtTheEnd(&is_over);
        for client in &clients {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut newest = 1;
                while !is_over.load(SeqCst) {
                    let served = number(&client.ask("a"));
                    assert!(served >= newest, "{served} after {newest}");
                    assert_eq!(client.ask("steady"), "yes");
                    newest = served;
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let mut version = 1;
        let mut edits = |what: &str| {
            version += 1;
            primary.set_flag("a", edit(version));
            for client in &clients {
                wait_until(SOON, what, || number(&client.ask("a")) == version);
            }
        };
        edits("by the replica");
        spoil(replica, primary.port());
        edits("by the primary");
        clients.iter().for_each(|client| assert_eq!(place(client), at("primary", primary)));
        clients.iter().for_each(|client| client.becomes(VALID));
        mend(replica, primary.port());
        for client in &clients {
            wait_until(Duration::from_secs(45), "the replica is read again", || {
                place(client) == at("replica", replica)
            });
        }
        edits("by the replica again");
        eventually("the primary is spared again", || primary.tracking_connections() == 0);
        drop(over);
    });
}

#[test]
fn a_replica_that_hangs_is_left_for_the_primary_and_read_again_later() {
    leaves_and_comes_back(|replica, _| replica.stop(), |replica, _| replica.cont());
}

#[test]
fn a_replica_that_has_lost_its_primary_is_left_although_it_answers_and_read_again_later() {
    let nobody = |replica: &RedisServer, _| replica.run::<()>(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
    leaves_and_comes_back(nobody, |replica, primary| replica.run(&["REPLICAOF", "127.0.0.1", &primary.to_string()]));
}

#[test]
fn a_replica_that_takes_office_goes_on_being_read() {
    let mut deployment = Deployment::holding(&[("a", edit(1))]);
    let clients = ["all", "lazy"].map(|residency| config(&deployment, "prefer-replica", residency).started());
    eventually("all watch the replica", || deployment.servers[1].tracking_connections() == 2);
    let first = deployment.servers[0].port();
    deployment.servers[0].kill();
    let mut elected = first;
    wait_until(Duration::from_secs(40), "another primary is elected", || {
        clients.iter().for_each(|client| assert_eq!(client.ask("a"), "edit 1"));
        elected = deployment.primary_by(0);
        elected != first
    });
    deployment.at(elected).set_flag("a", edit(2));
    for client in &clients {
        wait_until(SOON, "an edit on the new primary", || client.ask("a") == "edit 2");
        client.becomes(VALID);
        wait_until(SOON, "it is known to be the primary", || place(client) == at("primary", deployment.at(elected)));
        client.reports("freshness", "push");
    }
}

#[test]
fn a_replica_that_hears_nothing_of_its_primary_is_not_believed_whether_sentinels_are_there_or_not() {
    thread::scope(|scope| [1, 0].map(|left| scope.spawn(move || hears_nothing(left))).map(|_| ()));
}

/// Of the sentinels so many are left, which elect nobody; the replica's connection to its primary looks alive.
fn hears_nothing(left: usize) {
    let mut deployment = Deployment::holding(&[("a", edit(1))]);
    let clients = ["all", "lazy"].map(|residency| config(&deployment, "prefer-replica", residency).started());
    eventually("all watch the replica", || deployment.servers[1].tracking_connections() == 2);
    clients.iter().for_each(|client| assert_eq!(client.ask("a"), "edit 1"));
    deployment.sentinels[left..].iter_mut().for_each(RedisServer::kill);
    deployment.servers[0].stop();
    for client in &clients {
        client.becomes(INTERRUPTED);
        assert_eq!(client.ask("a"), "edit 1");
        wait_until(SOON, "it is said of each result", || client.detail("a").stale);
    }
    deployment.servers[0].cont();
    clients.iter().for_each(|client| client.becomes(VALID));
    deployment.servers[0].set_flag("a", edit(2));
    for client in &clients {
        wait_until(SOON, "an edit", || client.ask("a") == "edit 2");
        client.reports("freshness", "push");
    }
}
