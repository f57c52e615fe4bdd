//! Addresses of a Redis Cluster that are not what they seem, clusters that do not serve, names and addresses that lead nowhere from
//! here, TLS, and big segments.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flagstone::big_segments::context_hash;
use serde_json::json;

use crate::support::*;

fn config(url: &str) -> Config {
    Config::new()
        .with("redis.url", url)
        .with("redis.prefix", SPREAD)
        .with("redis.connect_timeout_ms", "2000")
        .with("redis.command_timeout_ms", "2000")
        .with("log.level", "info")
}

/// The first line of the log that something failed has these words, and the status says so, too.
#[track_caller]
fn complains(url: &str, words: &str) {
    let client = config(url).client();
    client.start(1_000).unwrap_err();
    let mut line = None;
    eventually("something is told", || {
        line = line.take().or_else(|| {
            let notices = client.drain();
            log_lines(&notices, 3).into_iter().chain(log_lines(&notices, 2)).next()
        });
        line.is_some()
    });
    assert!(line.as_ref().unwrap().contains(words), "{url}: {line:?}");
    eventually("the status says it", || client.status()["last_error"].to_string().contains(words));
}

#[test]
fn a_cluster_that_is_none_and_a_server_that_is_a_node_are_named_with_what_to_write() {
    let alone = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let unborn = as_node(Setup::default(), free_port()).start();
    let sentinel = Setup::default().sentinel(&watching(alone.port(), 1)).start();
    for (url, words) in [
        (format!("redis+cluster://127.0.0.1:{}", alone.port()), "write redis://"),
        (format!("redis+cluster://127.0.0.1:{}", sentinel.port()), "does not know the command CLUSTER"),
        (format!("redis+cluster://127.0.0.1:{}", unborn.port()), "knows of no slots"),
        (format!("redis+cluster://127.0.0.1:{}", free_port()), "no node tells who owns what"),
    ] {
        complains(&url, words);
    }
    // All slots but those of the flags.
    unborn.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "100"]);
    unborn.run::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    eventually("it serves", || unborn.run::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    complains(&format!("redis+cluster://127.0.0.1:{}", unborn.port()), "owns slot");
}

/// A cluster without replicas that holds flag `a` and nothing else.
fn cluster(setup: impl Fn(usize) -> Setup) -> RedisCluster {
    let cluster = RedisCluster::without_replicas(setup);
    cluster.replace(SPREAD, &[("a", flag("a", 1, "one"))], &[]);
    cluster
}

#[test]
fn a_cluster_that_does_not_serve_leaves_flags_in_force_and_hosts_of_no_use_are_named() {
    let mut cluster = cluster(|_| Setup::default());
    cluster.replace(TAGGED, &[("a", flag("a", 1, "one"))], &[]);
    let config = |url: &str| config(url).with("redis.prefix", TAGGED);
    let owner = cluster.owner_of(&format!("{TAGGED}:features"));
    let other = cluster.other_owner(owner);
    // One server of a cluster: it owns the flags, or sends elsewhere.
    complains(&format!("redis://127.0.0.1:{}", cluster.nodes[other].port()), "redis+cluster://");
    let alone = RedisServer::start();
    let mixed = cluster.url_by(&[&alone, &cluster.nodes[owner]]);
    let client = config(&mixed).started();
    assert_eq!(client.ask("a"), "one");
    let mut told = Vec::new();
    eventually("the host that is no node is named", || {
        told.extend(log_lines(&client.drain(), 2));
        told.iter().any(|line| line.contains(&format!("127.0.0.1:{}", alone.port())) && line.contains("no node"))
    });
    client.becomes(VALID);
    let others: Vec<usize> = (0..3).filter(|node| *node != owner).collect();
    others.iter().for_each(|node| cluster.nodes[*node].kill());
    let down = || cluster.nodes[owner].run::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:fail");
    eventually("the cluster is down", down);
    cluster.nodes[owner].run::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]);
    client.becomes(INTERRUPTED);
    throughout(Duration::from_millis(500), || assert_eq!(client.ask("a"), "one"));
    let late = config(&cluster.url()).client();
    late.start(500).unwrap_err();
    eventually("it is told why", || late.status()["last_error"].to_string().contains("CLUSTERDOWN"));
    // Then nobody is left at all.
    cluster.nodes[owner].kill();
    eventually("it is told whom nobody reaches", || {
        client.status()["last_error"].to_string().contains("Connection refused")
    });
    assert_eq!(client.ask("a"), "one");
    cluster.nodes.iter_mut().for_each(RedisServer::restart);
    cluster.settles();
    // They have lost everything.
    assert_eq!(client.ask("a"), "one");
    cluster.replace(TAGGED, &[("a", flag("a", 2, "two"))], &[]);
    client.serves("a", "two");
    client.becomes(VALID);
    late.serves("a", "two");
}

#[test]
fn names_that_lead_nowhere_from_here_are_reached_where_the_url_says() {
    let named = |_| {
        let hostname = ["--cluster-announce-hostname", "node.invalid"];
        Setup::default().argument(&hostname).argument(&["--cluster-preferred-endpoint-type", "hostname"])
    };
    let cluster = cluster(named);
    eventually("all know the names", || {
        let names = |node: &RedisServer| node.run::<redis::Value>(&["CLUSTER", "SLOTS"]);
        cluster.nodes.iter().all(|node| format!("{:?}", names(node)).matches("node.invalid").count() == 3)
    });
    let lost = config(&cluster.url()).client();
    lost.start(500).unwrap_err();
    eventually("the name is told", || lost.status()["last_error"].to_string().contains("node.invalid"));
    let map: Vec<String> =
        cluster.nodes.iter().map(|node| format!("node.invalid:{0}>127.0.0.1:{0}", node.port())).collect();
    let client = config(&format!("{}?node_address_map={}", cluster.url(), map.join(","))).started();
    assert_eq!(client.ask("a"), "one");
    client.reports("freshness", "push");
    let slot = cluster.slot_of(&format!("{SPREAD}:features"));
    cluster.move_slot(slot, cluster.other_owner(cluster.owner_of_slot(slot)));
    cluster.set_flag(SPREAD, "a", &flag("a", 2, "two"));
    client.serves("a", "two");
    client.becomes(VALID);
}

#[test]
fn the_documented_user_may_do_what_a_cluster_needs_and_either_question_who_owns_what_is_enough() {
    let document = include_str!("../../docs/redis-rights.md");
    let rules = document.lines().find_map(|line| line.strip_prefix("ACL SETUSER flags-reader on ")).unwrap();
    let rules = rules.replace("~launchdarkly:", &format!("~{SPREAD}:"));
    assert!(document.contains("`+cluster|slots +cluster|info +asking +role`"));
    let user = |name: &str, more: &str| format!("{name} on {rules} {more}");
    let (slots, shards) =
        (user("slots", "+cluster|slots +cluster|info +asking +role"), user("shards", "+cluster|shards +asking +role"));
    let cluster = cluster(|_| Setup::default().user(&slots).user(&shards));
    let hosts = cluster.url().trim_start_matches("redis+cluster://").to_owned();
    let clients = ["slots", "shards"].map(|user| config(&format!("redis+cluster://{user}:password@{hosts}")).started());
    for (version, value) in [(2, "two"), (3, "three")] {
        let slot = cluster.slot_of(&format!("{SPREAD}:features"));
        let moving = cluster.begin_move(slot, cluster.other_owner(cluster.owner_of_slot(slot)));
        moving.move_keys();
        cluster.set_flag(SPREAD, "a", &flag("a", version, value));
        clients.iter().for_each(|client| client.serves("a", value));
        moving.end();
    }
    for client in &clients {
        client.becomes(VALID);
        client.reports("freshness", "push");
    }
}

#[test]
fn owners_are_found_and_followed_with_tls() {
    let certificates = Certificates::new();
    let cluster = cluster(|_| {
        // Nodes are clients of each other.
        Setup::default()
            .tls(&certificates, false)
            .argument(&["--tls-cluster", "yes", "--tls-replication", "yes"])
            .argument(&["--tls-client-cert-file", &certificates.path("client.pem")])
            .argument(&["--tls-client-key-file", &certificates.path("client.key")])
    });
    let list: Vec<String> = cluster.nodes.iter().map(|node| format!("127.0.0.1:{}", node.tls_port())).collect();
    let url = format!("rediss+cluster://{}", list.join(","));
    let client = config(&url).with("redis.tls.ca_file", &certificates.path("ca.pem")).started();
    assert_eq!(client.ask("a"), "one");
    client.reports("freshness", "push");
    let slot = cluster.slot_of(&format!("{SPREAD}:features"));
    cluster.move_slot(slot, cluster.other_owner(cluster.owner_of_slot(slot)));
    cluster.set_flag(SPREAD, "a", &flag("a", 2, "two"));
    client.serves("a", "two");
    client.becomes(VALID);
}

#[test]
fn members_of_big_segments_are_read_wherever_their_keys_are() {
    let cluster = RedisCluster::without_replicas(|_| Setup::default());
    let big = json!({ "key": "vip", "version": 1, "unbounded": true, "generation": 7, "unboundedContextKind": "user", "salt": "s" });
    let vip = Flag::new("vip", 1, "in").for_segment("vip").text();
    for prefix in [TAGGED, SPREAD] {
        cluster.replace(prefix, &[("vip", vip.clone())], &[("vip", big.to_string())]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        cluster.run::<()>(&["SET", &format!("{prefix}:big_segments_synchronized_on"), &now.to_string()]);
        let users: Vec<String> = (0..20).map(|number| format!("user-{number}")).collect();
        let set = |user: &str| format!("{prefix}:big_segment_include:{}", context_hash(user));
        users.iter().for_each(|user| _ = cluster.run::<i64>(&["SADD", &set(user), "vip.g7"]));
        let client = config(&cluster.url()).with("redis.prefix", prefix).with("big_segments.cache_ms", "50").started();
        let asked = |user: &str| client.detail_for(&Context::user(user), "vip").word();
        users.iter().for_each(|user| assert_eq!(asked(user), "in", "{user}: {}", client.status()));
        assert_ne!(asked("nobody"), "in");
        let slot = cluster.slot_of(&set(&users[0]));
        cluster.move_slot(slot, cluster.other_owner(cluster.owner_of_slot(slot)));
        cluster.run::<i64>(&["SREM", &set(&users[0]), "vip.g7"]);
        eventually("a change is seen after the slot has moved", || asked(&users[0]) != "in");
        assert_eq!(asked(&users[1]), "in");
    }
}
