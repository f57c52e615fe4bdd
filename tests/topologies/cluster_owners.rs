//! What is asked of each owner of keys in a Redis Cluster alike: who logs in, which may change, and how it tells of changes, which
//! may differ from one owner to the next.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use fakeld::Kind;
use redis::pipe;

use crate::support::*;

const REFUSED: &str = "the login was refused";
const BROADCAST: &str = "RESP3 broadcast tracking";
const FIELDS: &str = "hash-field notifications";
const REDIRECT: &str = "RESP2 tracking with redirect";
const KEYSPACE: &str = "keyspace notifications";

/// A cluster whose flags and segments have different owners, and a user `ada` beside that of the test.
fn cluster() -> RedisCluster {
    let cluster = RedisCluster::without_replicas(|_| Setup::default());
    let owners: BTreeSet<usize> = ["features", "segments", "$inited"].map(|part| owner(&cluster, part)).into();
    assert_eq!(owners.len(), 3);
    cluster.nodes.iter().for_each(|node| allow(node, "ada"));
    let member = Flag::new("member", 1, "in").for_segment("s").text();
    cluster.replace(SPREAD, &[("a", flag("a", 1, "one")), ("member", member)], &[("s", segment("s", 1, &["ada"]))]);
    cluster
}

fn owner(cluster: &RedisCluster, part: &str) -> usize {
    cluster.owner_of(&format!("{SPREAD}:{part}"))
}

fn allow(node: &RedisServer, user: &str) {
    node.run::<()>(&["ACL", "SETUSER", user, "on", "resetpass", &format!(">of-{user}"), "~*", "&*", "+@all"]);
}

fn as_ada(config: Config) -> Config {
    config.with("redis.username", "ada").with("redis.password", "of-ada").with("redis.prefix", SPREAD)
}

/// Node, number and user of each connection that the library has made.
fn connections(cluster: &RedisCluster) -> BTreeSet<(usize, String, String)> {
    let of = |line: &str, name: &str| {
        line.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default().to_owned()
    };
    let mut all = BTreeSet::new();
    for (number, node) in cluster.nodes.iter().enumerate() {
        let list: String = node.run(&["CLIENT", "LIST"]);
        let ours = list.lines().filter(|line| of(line, "name").starts_with("flagstone-"));
        all.extend(ours.map(|line| (number, of(line, "id"), of(line, "user"))));
    }
    all
}

#[test]
fn a_login_that_changes_reaches_the_connections_with_all_owners_and_ends_none() {
    let cluster = cluster();
    cluster.nodes.iter().for_each(|node| allow(node, "bob"));
    let fake = launchdarkly(&[("b", flag("b", 1, "one"))]);
    let writer = as_ada(streaming(&fake)).with("redis.url", &cluster.url()).with("redis.prefix", "written").started();
    eventually("the full data set is written", || cluster.flag("written", "b").is_some());
    let reader = as_ada(Config::at(&cluster.url())).started();
    for client in [&reader, &writer] {
        client.reports("freshness", "push");
        client.becomes(VALID);
    }
    let mut before = BTreeSet::new();
    eventually("only lasting connections are there", || {
        before = connections(&cluster);
        thread::sleep(Duration::from_millis(300));
        connections(&cluster) == before
    });
    // Two owners are read and watched, for either client; and one writes.
    assert!(before.len() >= 9 && before.iter().all(|(.., user)| user == "ada"), "{before:?}");
    let heard = reader.drain();
    for client in [&reader, &writer] {
        client.set_credentials("bob", "of-bob", 0).unwrap();
    }
    let by_bob: BTreeSet<_> = before.into_iter().map(|(node, number, _)| (node, number, "bob".to_owned())).collect();
    eventually("all log in as another user", || by_bob.is_subset(&connections(&cluster)));
    cluster.set_flag(SPREAD, "a", &flag("a", 2, "two"));
    cluster.run::<i64>(&["HSET", &format!("{SPREAD}:segments"), "s", &segment("s", 2, &[])]);
    reader.serves("a", "two");
    reader.serves("member", OTHER);
    fake.patch(Kind::Flag, &flag("b", 2, "two")).unwrap();
    eventually("the patch is written", || cluster.flag("written", "b").is_some_and(|text| text.contains("two")));
    assert!(by_bob.is_subset(&connections(&cluster)));
    assert_eq!(log_lines(&reader.drain(), 2), [""; 0], "after {heard:?}");
}

#[test]
fn a_login_that_every_node_refuses_is_told_as_that_and_one_that_is_set_later_is_taken() {
    let cluster = cluster();
    let client = as_ada(Config::at(&cluster.url())).with("redis.password", "wrong").client();
    client.start(500).unwrap_err();
    let credentials = || client.status()["redis"]["credentials"].clone();
    eventually("it is refused", || credentials()["state"] == "refused");
    let status = client.status();
    assert!(status["last_error"].as_str().unwrap().starts_with(REFUSED), "{status}");
    client.set_credentials("ada", "of-ada", 0).unwrap();
    client.serves("a", "one");
    client.reports("freshness", "push");
    assert_eq!(credentials()["state"], "ok");
}

#[test]
fn each_owner_is_watched_in_the_best_way_that_it_allows_and_the_weakest_is_told_until_it_is_a_better_one() {
    let cluster = cluster();
    let other = &cluster.nodes[owner(&cluster, "segments")];
    other.run::<()>(&["ACL", "SETUSER", "ada", "-client|tracking"]);
    other.run::<()>(&["CONFIG", "SET", "notify-keyspace-events", "Kghxe"]);
    let tracked = |node: usize| cluster.nodes[node].tracking_connections();
    let client =
        as_ada(Config::at(&cluster.url())).with("redis.ping_ms", "20").with("cache.ttl_ms", "600000").started();
    let watch = || client.status()["watch"].clone();
    client.reports("freshness", "push");
    assert_eq!(watch()["rung"], KEYSPACE, "{}", watch());
    assert!(watch()["reason"].to_string().contains("NOPERM"), "{}", watch());
    assert_eq!((tracked(owner(&cluster, "features")), other.tracking_connections()), (1, 0));
    let edit = |version: i64, members: &[&str]| {
        let text = version.to_string();
        cluster.set_flag(SPREAD, "a", &flag("a", version, &text));
        client.serves("a", &text);
        let hash = format!("{SPREAD}:segments");
        cluster.run::<i64>(&["HSET", &hash, "s", &segment("s", version, members)]);
        client.serves("member", if members.is_empty() { OTHER } else { "in" });
    };
    edit(2, &[]);
    other.run::<()>(&["ACL", "SETUSER", "ada", "+client|tracking"]);
    eventually("the better way is taken", || watch()["rung"] == BROADCAST);
    assert_eq!((tracked(owner(&cluster, "features")), other.tracking_connections()), (1, 1));
    edit(3, &["ada"]);
    client.becomes(VALID);
}

#[test]
fn fields_that_are_named_are_read_of_the_owner_of_their_hash_and_nothing_else_is() {
    let cluster = cluster();
    let gates: Vec<Gate> = cluster.nodes.iter().map(|node| Gate::to(node.port())).collect();
    for (number, gate) in gates.iter().enumerate() {
        let info = format!("# Server\r\nredis_version:8.8.0\r\nrun_id:{number}\r\n");
        gate.rule_for_content("INFO\r\n$6\r\nserver", Rule::answer(&[&info]));
        gate.rule("CONFIG", Rule::answer(&["notify-keyspace-events", "Sh"]));
    }
    let both = |gate: &Gate, node: &RedisServer| format!("127.0.0.1:{}>127.0.0.1:{}", node.port(), gate.port());
    let map: Vec<String> = gates.iter().zip(&cluster.nodes).map(|(gate, node)| both(gate, node)).collect();
    let url = format!("redis+cluster://127.0.0.1:{}?node_address_map={}", gates[0].port(), map.join(","));
    let client = Config::at(&url).with("redis.prefix", SPREAD).with("refresh.interval_ms", "600000").started();
    eventually("fields are named", || client.status()["watch"]["rung"] == FIELDS);
    eventually("everything is read", || {
        client.state() == VALID && client.status()["verified_age_ms"].as_u64().is_some_and(|age| age < 1_500)
    });
    let full_reads = || gates.iter().map(|gate| gate.seen().count("HGETALL") + gate.seen().count("HSCAN")).sum::<u64>();
    eventually("nothing is read any more", || {
        let before = full_reads();
        thread::sleep(Duration::from_secs(1));
        full_reads() == before
    });
    let before = full_reads();
    // What Redis 8.8 publishes beside.
    let write = |part: &str, key: &str, text: Option<&str>| {
        let (hash, channel) = (format!("{SPREAD}:{part}"), format!("__subkeyspace@0__:{SPREAD}:{part}"));
        let (mut pipeline, name) = (pipe(), if text.is_some() { "HSET" } else { "HDEL" });
        pipeline.atomic().cmd(name).arg(hash).arg(key).arg(text);
        pipeline.cmd("PUBLISH").arg(channel).arg(format!("{}|{}:{key}", name.to_lowercase(), key.len()));
        cluster.nodes[owner(&cluster, part)].send(&pipeline);
    };
    write("features", "a", Some(&flag("a", 2, "two")));
    client.serves("a", "two");
    write("segments", "s", Some(&segment("s", 2, &[])));
    client.serves("member", OTHER);
    write("features", "new", Some(&flag("new", 1, "new")));
    client.serves("new", "new");
    write("features", "new", None);
    client.serves("new", "FLAG_NOT_FOUND");
    throughout(Duration::from_millis(700), || assert_eq!(client.ask("a"), "two"));
    assert_eq!(full_reads(), before);
    client.becomes(VALID);
}

#[test]
fn a_login_that_changes_loses_no_watch_of_resp2_at_any_owner() {
    let cluster = cluster();
    cluster.nodes.iter().for_each(|node| allow(node, "bob"));
    let client = as_ada(Config::at(&format!("{}?protocol=2", cluster.url()))).with("redis.ping_ms", "20").started();
    eventually("both owners are watched", || client.status()["watch"]["rung"] == REDIRECT);
    client.becomes(VALID);
    client.drain();
    client.set_credentials("bob", "of-bob", 0).unwrap();
    let users = || connections(&cluster).into_iter().map(|(.., user)| user).collect::<BTreeSet<_>>();
    eventually("all log in as another user", || users() == BTreeSet::from(["bob".to_owned()]));
    cluster.set_flag(SPREAD, "a", &flag("a", 2, "two"));
    cluster.run::<i64>(&["HSET", &format!("{SPREAD}:segments"), "s", &segment("s", 2, &[])]);
    client.serves("a", "two");
    client.serves("member", OTHER);
    assert_eq!(log_lines(&client.drain(), 2), [""; 0]);
    assert_eq!(client.status()["watch"]["rung"], REDIRECT);
}
