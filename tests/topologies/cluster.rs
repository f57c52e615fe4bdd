//! Redis Cluster: keys with one owner and keys with several, in daemon and in connected mode; slots that move and owners that
//! fail while flags are edited and evaluated.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use fakeld::{Fake, Kind};

use crate::support::*;

/// What is to happen soon may take this long on a busy machine.
const SOON: Duration = Duration::from_secs(10);

fn config(url: &str, prefix: &str, residency: &str) -> Config {
    Config::new()
        .with("redis.url", url)
        .with("redis.prefix", prefix)
        .with("redis.connect_timeout_ms", "2000")
        .with("redis.command_timeout_ms", "2000")
        .with("cache.residency", residency)
        .with("cache.ttl_ms", "60000")
}

fn edit(version: u64) -> String {
    flag("a", i64::try_from(version).unwrap(), &format!("edit {version}"))
}

fn number(value: &str) -> u64 {
    value.strip_prefix("edit ").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("served {value:?}"))
}

/// What is served; 0 for the default of a client that holds nothing, while nobody answers.
fn seen(client: &Client) -> u64 {
    client.ask("a").strip_prefix("edit ").and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn features(prefix: &str) -> String {
    format!("{prefix}:features")
}

/// A client in connected mode that has filled the keys under this prefix.
fn writer(cluster: &RedisCluster, fake: &Fake, prefix: &str) -> Client {
    let client = streaming(fake).with("redis.url", &cluster.url()).with("redis.prefix", prefix).started();
    eventually("the full data set is written", || cluster.flag(prefix, "b").is_some());
    client
}

fn written(version: i64) -> String {
    flag("b", version, &format!("edit {version}"))
}

#[test]
fn flags_are_read_pushed_and_written_whether_their_keys_have_one_owner_or_several() {
    let cluster = RedisCluster::without_replicas(|_| Setup::default());
    for prefix in [TAGGED, SPREAD] {
        cluster.replace(prefix, &[("a", edit(1))], &[]);
        let readers = ["all", "lazy", "off"].map(|residency| config(&cluster.url(), prefix, residency).started());
        for client in &readers {
            assert_eq!(client.ask("a"), "edit 1");
            client.reports("freshness", "push");
        }
        cluster.set_flag(prefix, "a", &edit(2));
        readers.iter().for_each(|client| client.serves("a", "edit 2"));
        let status = readers[0].status();
        let redis = &status["redis"];
        assert_eq!((&redis["topology"], &redis["database"]), (&"cluster".into(), &0.into()), "{redis}");
        let owners: BTreeSet<usize> =
            ["features", "segments", "$inited"].map(|part| cluster.owner_of(&format!("{prefix}:{part}"))).into();
        assert_eq!(redis["nodes"].as_array().unwrap().len(), owners.len(), "{redis}");
        let owner = format!("127.0.0.1:{}", cluster.nodes[cluster.owner_of(&features(prefix))].port());
        let holder = redis["nodes"].as_array().unwrap().iter().find(|node| node["address"] == owner.as_str()).unwrap();
        assert!(holder["holds"].as_array().unwrap().contains(&"features".into()), "{redis}");
        assert_eq!(holder["role"], "primary");
        let new = format!("{prefix}:written");
        let fake = launchdarkly(&[("b", written(1))]);
        let writer = writer(&cluster, &fake, &new);
        fake.patch(Kind::Flag, &written(2)).unwrap();
        eventually("the patch is written", || cluster.flag(&new, "b").is_some_and(|text| text.contains("edit 2")));
        writer.becomes(VALID);
        let reader = config(&cluster.url(), &new, "all").started();
        reader.serves("b", "edit 2");
        reader.becomes(VALID);
        // A data set that is lost is healed, whoever owns it.
        for part in ["segments", "features", "$inited"] {
            cluster.run::<i64>(&["DEL", &format!("{new}:{part}")]);
        }
        eventually("it is healed", || cluster.flag(&new, "b").is_some_and(|text| text.contains("edit 2")));
        // What is larger than one read takes is read in steps.
        cluster.replace(&format!("{prefix}:many"), &many_flags(1_200, 1, "on"), &[("s", segment("s", 1, &["ada"]))]);
        let many = config(&cluster.url(), &format!("{prefix}:many"), "all").started();
        many.reports("flags", 1_200);
        many.becomes(VALID);
    }
}

/// What was tried to be written, and what was.
struct Edits<'c> {
    cluster: &'c RedisCluster,
    prefix: &'c str,
    tried: AtomicU64,
    written: AtomicU64,
    is_over: AtomicBool,
}

impl<'c> Edits<'c> {
    fn of(cluster: &'c RedisCluster, prefix: &'c str) -> Self {
        cluster.replace(prefix, &[("a", edit(1)), ("steady", flag("steady", 1, "yes"))], &[]);
        Self::after(cluster, prefix, 1)
    }

    /// Edits go on after this one.
    fn after(cluster: &'c RedisCluster, prefix: &'c str, version: u64) -> Self {
        let (tried, written) = (AtomicU64::new(version), AtomicU64::new(version));
        Self { cluster, prefix, tried, written, is_over: AtomicBool::new(false) }
    }

    fn go_on(&self) {
        let hash = features(self.prefix);
        while !self.is_over.load(SeqCst) {
            let version = self.tried.fetch_add(1, SeqCst) + 1;
            if self.cluster.try_run::<i64>(&["HSET", &hash, "a", &edit(version)]).is_ok() {
                self.written.store(version, SeqCst);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Evaluates until the end: how often an older value came after a newer one.
    fn watch(&self, client: &Client) -> u32 {
        let (mut newest, mut fallen) = (0, 0);
        while !self.is_over.load(SeqCst) {
            let served = number(&client.ask("a"));
            assert!(served <= self.tried.load(SeqCst), "{served} was never written");
            assert_eq!(client.ask("steady"), "yes");
            fallen += u32::from(served < newest);
            newest = served;
            thread::sleep(Duration::from_millis(1));
        }
        fallen
    }

    /// Every client serves what is written from here on.
    fn are_served_by(&self, clients: &[Client], what: &str) {
        let target = self.written.load(SeqCst) + 5;
        eventually("edits go on", || self.written.load(SeqCst) >= target);
        for (position, client) in clients.iter().enumerate() {
            let deadline = Instant::now() + SOON;
            while seen(client) < target {
                let status = client.status();
                assert!(Instant::now() < deadline, "{what}: client {position} of {}: {status}", self.prefix);
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    /// Edits and evaluates on eight threads while something happens; how often an evaluator saw an older value again.
    fn during(&self, clients: &[Client], happens: impl FnOnce()) -> u32 {
        thread::scope(|scope| {
            let over = OverAtTheEnd(&self.is_over);
            scope.spawn(|| self.go_on());
            let evaluators: Vec<_> =
                clients.iter().cycle().take(8).map(|client| scope.spawn(|| self.watch(client))).collect();
            self.are_served_by(clients, "before");
            happens();
            drop(over);
            evaluators.into_iter().map(|evaluator| evaluator.join().unwrap()).max().unwrap()
        })
    }
}

#[test]
fn many_writers_at_several_owners_leave_the_whole_data_set_and_heal_each_part() {
    let cluster = RedisCluster::without_replicas(|_| Setup::default());
    let fake = launchdarkly(&[("b", written(1)), ("c", flag("c", 1, "c"))]);
    fake.patch(Kind::Segment, &segment("s", 1, &["ada"])).unwrap();
    let config = || streaming(&fake).with("redis.url", &cluster.url()).with("redis.prefix", SPREAD);
    let writers: Vec<Client> = (0..4).map(|_| config().client()).collect();
    thread::scope(|scope| writers.iter().for_each(|writer| _ = scope.spawn(|| writer.start(PATIENCE_MS).unwrap())));
    let count = |part: &str| cluster.run::<i64>(&["HLEN", &format!("{SPREAD}:{part}")]);
    let is_whole = || {
        let is_inited = cluster.run::<i64>(&["EXISTS", &format!("{SPREAD}:$inited")]) == 1;
        count("features") == 2 && count("segments") == 1 && is_inited
    };
    eventually("it is written", is_whole);
    for part in ["segments", "features", "$inited"] {
        cluster.run::<i64>(&["DEL", &format!("{SPREAD}:{part}")]);
        eventually(&format!("{part} is healed"), is_whole);
    }
    for version in 2..12 {
        fake.patch(Kind::Flag, &written(version)).unwrap();
    }
    let latest = || cluster.flag(SPREAD, "b").is_some_and(|text| text.contains("edit 11"));
    eventually("the latest version is kept", latest);
    writers.iter().for_each(|writer| writer.becomes(VALID));
    assert!(is_whole() && latest());
}

#[test]
fn slots_move_while_flags_are_edited_and_every_edit_is_served_and_kept() {
    let cluster = RedisCluster::without_replicas(|_| Setup::default());
    for prefix in [TAGGED, SPREAD] {
        let edits = Edits::of(&cluster, prefix);
        let clients = ["all", "lazy"].map(|residency| config(&cluster.url(), prefix, residency).started());
        clients.iter().for_each(|client| client.reports("freshness", "push"));
        let fake = launchdarkly(&[("b", written(1))]);
        let new = format!("{prefix}.written");
        let writer = writer(&cluster, &fake, &new);
        let mut version = 1;
        let mut patch = |what: &str| {
            version += 1;
            fake.patch(Kind::Flag, &written(version)).unwrap();
            let text = format!("edit {version}");
            eventually(&format!("{what}: {text} is kept"), || {
                cluster.flag(&new, "b").is_some_and(|kept| kept.contains(&text))
            });
        };
        let fallen = edits.during(&clients, || {
            for _ in 0..2 {
                let keys: BTreeSet<u16> = [prefix, &new]
                    .iter()
                    .flat_map(|prefix| {
                        ["features", "segments", "$inited"].map(|part| cluster.slot_of(&format!("{prefix}:{part}")))
                    })
                    .collect();
                for slot in keys {
                    let to = cluster.other_owner(cluster.owner_of_slot(slot));
                    let moving = cluster.begin_move(slot, to);
                    patch("a slot begins to move");
                    for key in moving.keys() {
                        moving.move_key(&key);
                        patch("a key has moved");
                        edits.are_served_by(&clients, "a key has moved");
                    }
                    moving.end();
                    patch("a slot has moved");
                    edits.are_served_by(&clients, "a slot has moved");
                }
            }
        });
        assert_eq!(fallen, 0, "nothing older is served again");
        let last = edits.written.load(SeqCst);
        clients.iter().for_each(|client| client.serves("a", &format!("edit {last}")));
        for client in &clients {
            client.becomes(VALID);
            client.reports("freshness", "push");
        }
        writer.becomes(VALID);
        // By pushes alone, from wherever the keys are now.
        cluster.set_flag(prefix, "a", &edit(last + 1_000));
        clients.iter().for_each(|client| client.serves("a", &format!("edit {}", last + 1_000)));
    }
}

/// Many of them; for long runs.
#[test]
#[ignore = "topology: takes minutes"]
fn a_hundred_slot_moves_and_twenty_failovers_give_no_wrong_value_and_no_default() {
    let cluster = RedisCluster::start();
    for prefix in [TAGGED, SPREAD] {
        let edits = Edits::of(&cluster, prefix);
        let clients = ["all", "lazy"].map(|residency| config(&cluster.url(), prefix, residency).started());
        let slot = cluster.slot_of(&features(prefix));
        let fallen = edits.during(&clients, || {
            for round in 0..50 {
                cluster.move_slot(slot, cluster.other_owner(cluster.owner_of_slot(slot)));
                edits.are_served_by(&clients, "a slot has moved");
                if round % 5 == 0 {
                    let owner = cluster.owner_of_slot(slot);
                    // Each of both is the replica of the other.
                    let other = (owner + 3) % 6;
                    cluster.nodes[other].run::<()>(&["CLUSTER", "FAILOVER"]);
                    assert_eq!(cluster.elects_other_than(slot, owner), other);
                    cluster.settles();
                    edits.are_served_by(&clients, "an owner has given up");
                }
            }
        });
        assert_eq!(fallen, 0);
    }
}

/// How often nodes were asked who owns what.
fn looks(cluster: &RedisCluster) -> u64 {
    let asked = |node: &RedisServer| {
        let stats: String = node.run(&["INFO", "commandstats"]);
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_cluster|slots:calls="));
        calls.and_then(|calls| calls.split(',').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    cluster.nodes.iter().map(asked).sum()
}

#[test]
fn an_owner_that_gave_up_and_tells_of_nothing_any_more_is_left_soon() {
    let cluster = RedisCluster::start();
    let slot = cluster.slot_of(&features(TAGGED));
    let first = cluster.owner_of_slot(slot);
    let second = first + 3;
    cluster.replace(TAGGED, &[("a", edit(1))], &[]);
    // As a replica it gets nothing, and its connections stay open.
    for (option, value) in [("masteruser", "nobody"), ("masterauth", "wrong")] {
        cluster.nodes[first].run::<()>(&["CONFIG", "SET", option, value]);
    }
    let clients = ["all", "lazy"].map(|residency| config(&cluster.url(), TAGGED, residency).started());
    for client in &clients {
        client.serves("a", "edit 1");
        client.reports("freshness", "push");
    }
    eventually("the next look is some seconds away", || {
        let before = looks(&cluster);
        thread::sleep(Duration::from_millis(500));
        looks(&cluster) == before
    });
    cluster.nodes[second].run::<()>(&["CLUSTER", "FAILOVER"]);
    assert_eq!(cluster.elects_other_than(slot, first), second);
    cluster.send_to(second);
    cluster.set_flag(TAGGED, "a", &edit(2));
    let machine = Machine::watch();
    let (_, took) = machine.timed(|| clients.iter().for_each(|client| client.serves("a", "edit 2")));
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn owners_fail_give_up_and_are_cut_off_without_a_default_and_every_edit_is_served() {
    let mut cluster = RedisCluster::start();
    let prefix = TAGGED;
    let slot = cluster.slot_of(&features(prefix));
    let first = cluster.owner_of_slot(slot);
    let second = first + 3;
    let (clients, last);
    {
        let edits = Edits::of(&cluster, prefix);
        clients = ["all", "lazy", "off"].map(|residency| config(&cluster.url(), prefix, residency).started());
        clients[..2].iter().for_each(|client| client.reports("freshness", "push"));
        let fallen = edits.during(&clients[..2], || {
            // It dies: whoever has a connection finds out by that.
            cluster.nodes[first].query::<()>(&["SHUTDOWN", "NOSAVE", "FORCE", "NOW"]).unwrap_err();
            assert_eq!(cluster.elects_other_than(slot, first), second);
            edits.are_served_by(&clients, "after the owner died");
        });
        // What an owner took and did not pass on is lost.
        assert!(fallen <= 1, "{fallen}");
        last = edits.tried.load(SeqCst);
    }
    cluster.nodes[first].reap_and_restart();
    cluster.settles();
    let edits = Edits::after(&cluster, prefix, last);
    let fallen = edits.during(&clients[..2], || {
        // Its slot has been elsewhere just now and is back.
        cluster.move_slot(slot, cluster.other_owner(second));
        cluster.move_slot(slot, second);
        edits.are_served_by(&clients[..2], "after the slot went and came back");
        // It gives up its office, and its connections stay open.
        cluster.nodes[first].run::<()>(&["CLUSTER", "FAILOVER"]);
        assert_eq!(cluster.elects_other_than(slot, second), first);
        edits.are_served_by(&clients, "after the owner gave up");
        // Whoever takes over must have everything.
        cluster.settles();
        // It is cut off from all others and goes on serving, while another one takes over.
        cluster.cut_off(first);
        cluster.nodes[second].run::<()>(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
        let taken = || cluster.nodes[second].query::<String>(&["HGET", &features(prefix), "a"]).ok();
        let before = taken();
        eventually("edits go to the new owner", || {
            cluster.send_to(second);
            taken() != before
        });
        assert_eq!(cluster.elects_other_than(slot, first), second);
        assert!(cluster.nodes[first].run::<String>(&["HGET", &features(prefix), "a"]).contains("edit"), "it serves");
        let target = edits.written.load(SeqCst) + 5;
        for client in &clients {
            eventually("the old owner is left", || seen(client) >= target);
        }
        edits.are_served_by(&clients, "after the owner was left");
    });
    assert!(fallen <= 2, "{fallen}");
    for client in &clients[..2] {
        client.becomes(VALID);
        client.reports("freshness", "push");
        let address = format!("127.0.0.1:{}", cluster.nodes[second].port());
        assert_eq!(client.status()["redis"]["address"], address.as_str());
    }
}
