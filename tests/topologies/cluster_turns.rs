//! Turns that clusters take: keys on their way when a client comes, edits that never rest, data sets that are replaced in steps,
//! owners that are cut off, and clusters that are set up anew.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fakeld::Kind;
use flagstone::big_segments::context_hash;
use flagstone::model::Kind as ItemKind;
use flagstone::store::{Depot, DepotError, NewItem, RedisOptions};
use serde_json::json;

use crate::support::*;

/// Nothing is read but what somebody told of.
fn config(url: &str) -> Config {
    Config::new()
        .with("redis.url", url)
        .with("redis.prefix", SPREAD)
        .with("redis.connect_timeout_ms", "4000")
        .with("redis.command_timeout_ms", "4000")
        .with("cache.ttl_ms", "600000")
        .with("refresh.interval_ms", "600000")
}

fn key(part: &str) -> String {
    format!("{SPREAD}:{part}")
}

fn edit(version: i64) -> String {
    flag("a", version, &format!("edit {version}"))
}

/// A flag that refers to segment `s`.
fn member(version: i64) -> String {
    Flag::new("member", version, "in").for_segment("s").text()
}

fn fill(cluster: &RedisCluster) {
    cluster.replace(SPREAD, &[("a", edit(1)), ("member", member(1))], &[("s", segment("s", 1, &["ada"]))]);
}

#[test]
fn keys_that_are_on_their_way_are_watched_where_they_go_and_edits_without_rest_keep_nobody_from_beginning() {
    let mut cluster = RedisCluster::without_replicas(|_| Setup::default());
    fill(&cluster);
    clients_begin_while_edits_go_on(&cluster);
    a_client_comes_while_hashes_are_on_their_way(&cluster);
    a_node_that_refused_to_tell_is_asked_again(&cluster);
    members_are_read_of_the_owners_that_are_there(&mut cluster);
}

fn clients_begin_while_edits_go_on(cluster: &RedisCluster) {
    let (hash, over, pause_ms) = (key("features"), AtomicBool::new(false), AtomicU64::new(1));
    let owner = &cluster.nodes[cluster.owner_of(&hash)];
    thread::scope(|scope| {
        let is_over = OverAtTheEnd(&over);
        scope.spawn(|| {
            let mut connection = owner.connect();
            for version in (2..).take_while(|_| !over.load(SeqCst)) {
                redis::cmd("HSET").arg(&hash).arg("a").arg(edit(version)).exec(&mut connection).unwrap();
                thread::sleep(Duration::from_millis(pause_ms.load(SeqCst)));
            }
        });
        let clients =
            ["all", "lazy"].map(|residency| config(&cluster.url()).with("cache.residency", residency).started());
        clients.iter().for_each(|client| assert_eq!(client.ask("member"), "in"));
        assert!(clients[1].all_flags().contains("member"));
        // With some rest between them there are moments at which everything is read.
        pause_ms.store(20, SeqCst);
        clients.iter().for_each(|client| client.becomes(VALID));
        drop(is_over);
    });
}

/// One that owns neither of the hashes.
fn third(cluster: &RedisCluster) -> usize {
    let owners = ["features", "segments"].map(|part| cluster.owner_of(&key(part)));
    (0..3).find(|node| !owners.contains(node)).unwrap()
}

fn a_client_comes_while_hashes_are_on_their_way(cluster: &RedisCluster) {
    let to = third(cluster);
    let [of_flags, of_segments] = ["features", "segments"].map(|part| cluster.slot_of(&key(part)));
    let moving = cluster.begin_move(of_flags, to);
    moving.move_keys();
    // Nothing is asked for in between.
    let client = config(&cluster.url()).with("redis.ping_ms", "600000").started();
    client.becomes(VALID);
    client.reports("freshness", "push");
    cluster.set_flag(SPREAD, "a", &edit(10_001));
    client.serves("a", "edit 10001");
    // A slot beside it leaves the watch as it is.
    let beside = cluster.begin_move(of_segments, to);
    beside.move_keys();
    let client = config(&cluster.url()).with("redis.ping_ms", "50").started();
    client.becomes(VALID);
    eventually("it is calm for a while", || {
        client.drain();
        thread::sleep(Duration::from_millis(700));
        states(&client.drain()).is_empty() && client.state() == VALID
    });
    cluster.run::<i64>(&["HSET", &key("segments"), "s", &segment("s", 2, &[])]);
    client.serves("member", OTHER);
    cluster.set_flag(SPREAD, "a", &edit(10_002));
    client.serves("a", "edit 10002");
    moving.end();
    beside.end();
    cluster.settles();
    cluster.set_flag(SPREAD, "a", &edit(10_003));
    client.serves("a", "edit 10003");
}

/// States that were told.
fn states(notices: &[Notice]) -> Vec<i32> {
    let state = |notice: &Notice| if let Notice::Status { state, .. } = notice { Some(*state) } else { None };
    notices.iter().filter_map(state).collect()
}

fn a_node_that_refused_to_tell_is_asked_again(cluster: &RedisCluster) {
    let slot = cluster.slot_of(&key("features"));
    let to = cluster.other_owner(cluster.owner_of_slot(slot));
    let user = |node: &RedisServer, more: &[&str]| {
        let rules = ["ACL", "SETUSER", "ada", "on", ">of-ada", "~*", "&*", "+@all"];
        node.run::<()>(&[&rules[..], more].concat());
    };
    cluster.nodes.iter().for_each(|node| user(node, &[]));
    let refused = ["-client|tracking", "-subscribe", "-config"];
    user(&cluster.nodes[to], &refused);
    let config = config(&cluster.url()).with("redis.username", "ada").with("redis.password", "of-ada");
    let client = config.with("redis.ping_ms", "50").with("log.level", "debug").started();
    client.reports("freshness", "push");
    let moving = cluster.begin_move(slot, to);
    moving.move_keys();
    let denied = || cluster.nodes[to].run::<String>(&["INFO", "errorstats"]).contains("errorstat_NOPERM");
    eventually("it was asked in vain", denied);
    user(&cluster.nodes[to], &[]);
    eventually("it is watched", || cluster.nodes[to].tracking_connections() > 0);
    client.becomes(VALID);
    cluster.set_flag(SPREAD, "a", &edit(10_004));
    client.serves("a", "edit 10004");
    moving.end();
}

/// A server with a flag that refers to a big segment `vip`.
fn of_big_segment() -> RedisServer {
    let big = json!({ "key": "vip", "version": 1, "unbounded": true, "generation": 7, "unboundedContextKind": "user", "salt": "s" });
    RedisServer::holding(&[("vip", Flag::new("vip", 1, "in").for_segment("vip").text())], &[("vip", big.to_string())])
}

/// A client that reads flags there, and members in the cluster.
fn asking(flags: &RedisServer, cluster: &RedisCluster, prefix: &str) -> Client {
    Config::of(flags)
        .with("big_segments.url", &cluster.url())
        .with("big_segments.prefix", prefix)
        .with("big_segments.cache_ms", "50")
        .started()
}

/// A prefix of members: the owner of the moment at which they were up to date has both sets of some of the users here.
const MEMBERS: &str = "spread";

fn include_key(prefix: &str, user: &str) -> String {
    format!("{prefix}:big_segment_include:{}", context_hash(user))
}

fn say_that_members_are_up_to_date(cluster: &RedisCluster, prefix: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    cluster.run::<()>(&["SET", &format!("{prefix}:big_segments_synchronized_on"), &now.to_string()]);
}

fn members_are_read_of_the_owners_that_are_there(cluster: &mut RedisCluster) {
    let flags = of_big_segment();
    say_that_members_are_up_to_date(cluster, MEMBERS);
    let users: Vec<String> = (0..40).map(|number| format!("user-{number}")).collect();
    users.iter().for_each(|user| _ = cluster.run::<i64>(&["SADD", &include_key(MEMBERS, user), "vip.g7"]));
    let goes = cluster.owner_of(&format!("{MEMBERS}:big_segments_synchronized_on"));
    let stays = (0..3).find(|node| *node != goes).unwrap();
    let needed: Vec<(String, BTreeSet<usize>)> = users
        .into_iter()
        .map(|user| {
            let keys = ["include", "exclude"].map(|set| format!("{MEMBERS}:big_segment_{set}:{}", context_hash(&user)));
            let owners = keys.iter().map(|key| cluster.owner_of(key)).collect();
            (user, owners)
        })
        .collect();
    for node in &cluster.nodes {
        node.run::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let client = asking(&flags, cluster, MEMBERS);
    let asked = |user: &str| client.detail_for(&Context::user(user), "vip").word();
    for (user, _) in &needed {
        eventually("members are read", || asked(user) == "in");
    }
    cluster.nodes[goes].kill();
    let is_down = || cluster.nodes[stays].run::<String>(&["CLUSTER", "NODES"]).contains(" master,fail ");
    eventually("the others know", is_down);
    thread::sleep(Duration::from_millis(100));
    for (user, owners) in &needed {
        let is_there = !owners.contains(&goes);
        eventually(&format!("{user} is known if its owners are there"), || (asked(user) == "in") == is_there);
    }
    // One by one, so that of what is asked for together nothing is there, or everything.
    let user =
        |is_meant: &dyn Fn(&BTreeSet<usize>) -> bool| &needed.iter().find(|(_, owners)| is_meant(owners)).unwrap().0;
    let (known, unknown) = (user(&|owners| !owners.contains(&goes)), user(&|owners| *owners == BTreeSet::from([goes])));
    throughout(Duration::from_secs(2), || {
        assert_ne!(asked(unknown), "in");
        assert_eq!(asked(known), "in");
    });
}

/// A cluster of one node that owns all slots, so many changes after its beginning.
fn single(epoch: u64) -> RedisServer {
    let node = as_node(Setup::default(), free_port()).start();
    node.run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()]);
    node.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    eventually("it serves", || node.run::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok"));
    node
}

#[test]
fn a_cluster_that_was_set_up_anew_elsewhere_is_followed_and_one_of_one_node_is_named_where_it_is_taken_for_a_server() {
    let (mut old, new) = (single(90), single(1));
    let entrance = Gate::to(old.port());
    for (node, value) in [(&old, "old"), (&new, "new")] {
        node.run::<i64>(&["HSET", &key("features"), "a", &flag("a", 1, value)]);
        node.run::<()>(&["SET", &key("$inited"), ""]);
    }
    let client = config(&format!("redis+cluster://127.0.0.1:{}", entrance.port())).started();
    assert_eq!(client.ask("a"), "old");
    entrance.lead_to(new.port());
    old.kill();
    client.serves("a", "new");
    client.becomes(VALID);
    let mistaken = config(&new.url()).client();
    mistaken.start(1_000).unwrap_err();
    eventually("it is told what to write", || mistaken.status()["last_error"].to_string().contains("redis+cluster://"));
}

#[test]
fn a_full_set_that_drops_a_segment_never_shows_flags_that_refer_to_nothing() {
    let cluster = RedisCluster::without_replicas(|_| Setup::default());
    let fake = launchdarkly(&[("member", member(1))]);
    fake.patch(Kind::Segment, &segment("s", 1, &["ada"])).unwrap();
    let gates: Vec<Gate> = cluster.nodes.iter().map(|node| Gate::to(node.port())).collect();
    let both = |(gate, node): (&Gate, &RedisServer)| format!("127.0.0.1:{}>127.0.0.1:{}", node.port(), gate.port());
    let map: Vec<String> = gates.iter().zip(&cluster.nodes).map(both).collect();
    let url = format!("redis+cluster://127.0.0.1:{}?node_address_map={}", gates[0].port(), map.join(","));
    let writer = || streaming(&fake).with("redis.url", &url).with("redis.prefix", SPREAD);
    let first = writer().started();
    eventually("it is written", || cluster.run::<i64>(&["EXISTS", &key("$inited")]) == 1);
    first.close(PATIENCE_MS);
    let reader = config(&cluster.url()).started();
    assert_eq!(reader.ask("member"), "in");
    // The flag needs the segment no longer.
    fake.edit(|environment| {
        environment.set(Kind::Flag, &flag("member", 2, "all")).unwrap();
        environment.set(Kind::Segment, &segment("other", 1, &[])).unwrap();
        environment.remove(Kind::Segment, "s");
    });
    // The flags do not arrive.
    let owner = &gates[cluster.owner_of(&key("features"))];
    owner.rule_for_content("\"all\"", Rule::Hang);
    let second = writer().with("redis.command_timeout_ms", "500").client();
    second.start(0).unwrap();
    let segments = || cluster.run::<Vec<String>>(&["HKEYS", &key("segments")]);
    eventually("segments are written", || segments().iter().any(|name| name == "other"));
    throughout(Duration::from_millis(700), || assert_eq!(reader.ask("member"), "in"));
    owner.clear();
    reader.serves("member", "all");
    eventually("what nobody needs is gone", || segments() == ["other"]);
    second.close(PATIENCE_MS);
    a_rewrite_whose_connection_is_cut_notices_what_others_write(&cluster, &gates, &url);
}

fn a_rewrite_whose_connection_is_cut_notices_what_others_write(cluster: &RedisCluster, gates: &[Gate], url: &str) {
    let depot = Depot::new(&RedisOptions::at(url).unwrap(), SPREAD).unwrap();
    let of_segments = &gates[cluster.owner_of(&key("segments"))];
    let mine = || NewItem {
        kind: ItemKind::Segment,
        key: "mine".to_owned(),
        version: 1,
        text: segment("mine", 1, &[]).into_bytes(),
    };
    let mut seen = Vec::new();
    let rewritten = depot.rewrite(|contents| {
        if seen.is_empty() {
            of_segments.cut(Role::Data);
            cluster.run::<i64>(&["HSET", &key("segments"), "another", &segment("another", 1, &[])]);
        }
        seen.push(contents.segments.len());
        Ok::<_, DepotError>(vec![mine()])
    });
    rewritten.unwrap();
    assert_eq!(seen, [1, 2], "it has begun anew");
}

#[test]
fn what_an_owner_took_that_was_cut_off_is_written_again_at_the_next_one() {
    let cluster = RedisCluster::start();
    let (prefix, hash) = (TAGGED, format!("{TAGGED}:features"));
    let slot = cluster.slot_of(&hash);
    let first = cluster.owner_of_slot(slot);
    let second = first + 3;
    let fake = launchdarkly(&[("b", flag("b", 1, "one")), ("c", flag("c", 1, "c"))]);
    let config = streaming(&fake).with("redis.url", &cluster.url()).with("redis.prefix", prefix);
    let client = config.with("cache.residency", "lazy").started();
    let holds = |node: usize, text: &str| {
        cluster.nodes[node]
            .query::<Option<String>>(&["HGET", &hash, "b"])
            .is_ok_and(|b| b.is_some_and(|b| b.contains(text)))
    };
    eventually("the full data set is written", || holds(first, "one"));
    client.becomes(VALID);
    cluster.settles();
    let flags = of_big_segment();
    say_that_members_are_up_to_date(&cluster, prefix);
    cluster.run::<i64>(&["SADD", &include_key(prefix, "ada"), "vip.g7"]);
    let of_members = asking(&flags, &cluster, prefix);
    of_members.serves("vip", "in");
    // What is written from here on stays with the first one, which goes on serving.
    for (option, value) in [("masteruser", "nobody"), ("masterauth", "wrong")] {
        cluster.nodes[second].run::<()>(&["CONFIG", "SET", option, value]);
    }
    cluster.nodes[first].run::<i64>(&["CLIENT", "KILL", "TYPE", "replica"]);
    fake.patch(Kind::Flag, &flag("b", 2, "two")).unwrap();
    eventually("the patch is written", || holds(first, "two"));
    cluster.cut_off(first);
    cluster.nodes[second].run::<()>(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
    cluster.nodes[second].run::<()>(&["CONFIG", "SET", "masterauth", ""]);
    assert_eq!(cluster.elects_other_than(slot, first), second);
    eventually("it is written again", || holds(second, "two"));
    // Members are not read of the one that was left, either.
    let set = include_key(prefix, "ada");
    eventually("its members are others", || cluster.nodes[second].query::<i64>(&["DEL", &set]).is_ok());
    of_members.serves("vip", OTHER);
    assert_eq!(cluster.nodes[first].query::<i64>(&["EXISTS", &set]).unwrap(), 1, "it serves");
    client.serves("b", "two");
    client.becomes(VALID);
}
