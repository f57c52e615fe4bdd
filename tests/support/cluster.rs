//! A Redis Cluster on loopback: three primaries, a replica of each, each a process of its own on a free port. Slots can be moved
//! from one owner to another while clients work, as `redis-cli --cluster reshard` moves them, and owners can fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use flagdata::free_port;
use redis::{Connection, FromRedisValue, RedisError, RedisResult, Value, cmd};

use super::{RedisServer, Setup, wait_until};

/// Nodes hear of each other, or elect another one, within a few seconds, and more on a busy machine.
const GOSSIP: Duration = Duration::from_secs(60);
/// A prefix whose keys all have the same owner.
pub const TAGGED: &str = "{launchdarkly}";
/// How many nodes own slots at the beginning.
const PRIMARIES: usize = 3;

/// The nodes of a cluster.
pub struct RedisCluster {
    /// Three primaries of the beginning, then the replica of each.
    pub nodes: Vec<RedisServer>,
    /// Who is sent the next command first.
    first: AtomicUsize,
}

impl RedisCluster {
    /// A cluster of six nodes that holds nothing.
    pub fn start() -> Self {
        Self::with(|_| Setup::default())
    }

    /// The same of nodes that are set up like this, by their number.
    pub fn with(setup: impl Fn(usize) -> Setup) -> Self {
        Self::of(2 * PRIMARIES, setup)
    }

    /// The same without replicas.
    pub fn without_replicas(setup: impl Fn(usize) -> Setup) -> Self {
        Self::of(PRIMARIES, setup)
    }

    fn of(count: usize, setup: impl Fn(usize) -> Setup) -> Self {
        let nodes: Vec<(u16, RedisServer)> = (0..count)
            .map(|number| {
                let bus = free_port();
                (bus, as_node(setup(number), bus).start())
            })
            .collect();
        for (number, (_, node)) in nodes.iter().enumerate() {
            node.run::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]);
        }
        let last_slot = |primary: usize| 16_384 * (primary + 1) / PRIMARIES - 1;
        for (number, (_, node)) in nodes.iter().enumerate().take(PRIMARIES) {
            let first = if number == 0 { 0 } else { last_slot(number - 1) + 1 };
            node.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last_slot(number).to_string()]);
        }
        for (bus, node) in &nodes[1..] {
            nodes[0].1.run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port_of(node).to_string(), &bus.to_string()]);
        }
        let nodes: Vec<RedisServer> = nodes.into_iter().map(|(_, node)| node).collect();
        wait_until(GOSSIP, "all nodes know each other", || {
            nodes.iter().all(|node| {
                let lines: String = node.run(&["CLUSTER", "NODES"]);
                lines.lines().count() == count && !lines.contains("handshake")
            })
        });
        for (number, replica) in nodes.iter().enumerate().skip(PRIMARIES) {
            let primary: String = nodes[number - PRIMARIES].run(&["CLUSTER", "MYID"]);
            replica.run::<()>(&["CLUSTER", "REPLICATE", &primary]);
        }
        let cluster = Self { nodes, first: AtomicUsize::new(0) };
        cluster.settles();
        cluster
    }

    /// Waits until every node says that the cluster serves, and replicas are in touch with their primaries.
    pub fn settles(&self) {
        wait_until(GOSSIP, "the cluster serves", || {
            self.nodes.iter().all(|node| {
                let info: String = node.run(&["CLUSTER", "INFO"]);
                let replication: String = node.run(&["INFO", "replication"]);
                let nodes: String = node.run(&["CLUSTER", "NODES"]);
                let replicas = nodes.lines().filter(|line| line.contains("slave")).count();
                info.contains("cluster_state:ok")
                    && replicas == self.nodes.len() - PRIMARIES
                    && (replication.contains("role:master") || replication.contains("master_link_status:up"))
            })
        });
    }

    /// Address of the cluster, by way of all nodes.
    pub fn url(&self) -> String {
        self.url_by(&self.nodes.iter().collect::<Vec<_>>())
    }

    /// Address of the cluster, by way of these nodes.
    pub fn url_by(&self, nodes: &[&RedisServer]) -> String {
        let list: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", list.join(","))
    }

    /// Slot of a key.
    pub fn slot_of(&self, key: &str) -> u16 {
        self.witness().query(&["CLUSTER", "KEYSLOT", key]).expect("a slot")
    }

    /// Number of the node that owns a slot, as most of those say that answer.
    pub fn owner_of_slot(&self, slot: u16) -> usize {
        let mut votes = BTreeMap::<usize, usize>::new();
        for node in &self.nodes {
            let Ok(Value::Array(ranges)) = node.query::<Value>(&["CLUSTER", "SLOTS"]) else { continue };
            let owner = ranges.iter().find_map(|range| {
                let Value::Array(parts) = range else { return None };
                let number = |value: &Value| u16::from_redis_value_ref(value).ok();
                let Value::Array(owner) = parts.get(2)? else { return None };
                ((number(&parts[0])?..=number(&parts[1])?).contains(&slot)).then(|| number(&owner[1]))?
            });
            let known = owner.and_then(|port| self.nodes.iter().position(|node| node.speaks_at(port)));
            known.into_iter().for_each(|owner| *votes.entry(owner).or_default() += 1);
        }
        votes.into_iter().max_by_key(|(_, votes)| *votes).expect("somebody owns it").0
    }

    /// Number of the node that owns a key.
    pub fn owner_of(&self, key: &str) -> usize {
        self.owner_of_slot(self.slot_of(key))
    }

    /// From here on commands are sent to this node first.
    pub fn send_to(&self, node: usize) {
        self.first.store(node, Relaxed);
    }

    /// From here on this node hears nothing of the others, and goes on serving as if it were in office.
    pub fn cut_off(&self, position: usize) {
        let node = &self.nodes[position];
        node.run::<()>(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
        node.run::<()>(&["CONFIG", "SET", "cluster-node-timeout", "600000"]);
        let help: Vec<String> = node.run(&["DEBUG", "HELP"]);
        if help.iter().any(|line| line.contains("-2 to drop all packets")) {
            return node.run::<()>(&["DEBUG", "DROP-CLUSTER-PACKET-FILTER", "-2"]);
        }
        // Others keep to themselves whom they forget.
        for other in self.nodes.iter().filter(|other| other.port() != node.port()) {
            let id: String = other.run(&["CLUSTER", "MYID"]);
            node.run::<()>(&["CLUSTER", "FORGET", &id]);
        }
    }

    /// Sends a command about a key to whoever has it, until somebody takes it. The key is its second word.
    pub fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let deadline = Instant::now() + GOSSIP;
        loop {
            match self.try_run(words) {
                Ok(value) => return value,
                Err(error) => assert!(Instant::now() < deadline, "{words:?}: {error}"),
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a command about a key to whoever has it.
    pub fn try_run<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let first = self.first.load(Relaxed);
        let mut port = self.nodes[first].port();
        let mut asks = false;
        for _ in 0..5 {
            let mut connection = match connect(port) {
                Ok(connection) => connection,
                Err(error) => {
                    self.first.store((first + 1) % self.nodes.len(), Relaxed);
                    return Err(error);
                }
            };
            if asks {
                cmd("ASKING").exec(&mut connection)?;
            }
            match command(words).query(&mut connection) {
                Err(error) => match elsewhere(&error) {
                    Some((is_ask, other)) => (asks, port) = (is_ask, other),
                    None => return Err(error),
                },
                outcome => {
                    let node = self.nodes.iter().position(|node| node.speaks_at(port));
                    node.into_iter().for_each(|node| self.first.store(node, Relaxed));
                    return outcome;
                }
            }
        }
        Err(std::io::Error::other("sent from one node to the next").into())
    }

    /// Replaces the data set under a prefix.
    pub fn replace(&self, prefix: &str, flags: &[(&str, String)], segments: &[(&str, String)]) {
        for (part, items) in [("segments", segments), ("features", flags)] {
            let key = format!("{prefix}:{part}");
            self.run::<i64>(&["DEL", &key]);
            for (item, text) in items {
                self.run::<i64>(&["HSET", &key, item, text]);
            }
        }
        let key = format!("{prefix}:$inited");
        self.run::<()>(&["SET", &key, ""]);
    }

    /// Sets a flag under a prefix.
    pub fn set_flag(&self, prefix: &str, key: &str, text: &str) {
        let hash = format!("{prefix}:features");
        self.run::<i64>(&["HSET", &hash, key, text]);
    }

    /// The text of a flag.
    pub fn flag(&self, prefix: &str, key: &str) -> Option<String> {
        let hash = format!("{prefix}:features");
        self.run(&["HGET", &hash, key])
    }

    /// From here on a slot is on its way from its owner to that node.
    pub fn begin_move(&self, slot: u16, to: usize) -> Move<'_> {
        let from = self.owner_of_slot(slot);
        let id = |node: usize| self.nodes[node].run::<String>(&["CLUSTER", "MYID"]);
        let text = slot.to_string();
        self.nodes[to].run::<()>(&["CLUSTER", "SETSLOT", &text, "IMPORTING", &id(from)]);
        self.nodes[from].run::<()>(&["CLUSTER", "SETSLOT", &text, "MIGRATING", &id(to)]);
        Move { cluster: self, slot, from, to }
    }

    /// Moves a slot to that node, with everything in it.
    pub fn move_slot(&self, slot: u16, to: usize) {
        let moving = self.begin_move(slot, to);
        moving.move_keys();
        moving.end();
    }

    /// Number of a node that owns slots, but for that one.
    pub fn other_owner(&self, than: usize) -> usize {
        (0..16_384)
            .step_by(16_384 / PRIMARIES)
            .map(|slot| self.owner_of_slot(slot as u16))
            .find(|owner| *owner != than)
            .expect("several owners")
    }

    /// Waits until this slot has another owner than that; its number.
    pub fn elects_other_than(&self, slot: u16, than: usize) -> usize {
        let mut owner = than;
        wait_until(GOSSIP, "another node is elected", || {
            owner = self.owner_of_slot(slot);
            owner != than
        });
        owner
    }

    fn witness(&self) -> &RedisServer {
        self.nodes.iter().find(|node| node.query::<String>(&["PING"]).is_ok()).expect("a node answers")
    }
}

/// A slot on its way.
pub struct Move<'c> {
    cluster: &'c RedisCluster,
    slot: u16,
    /// From where, as a number.
    pub from: usize,
    /// Where to.
    pub to: usize,
}

impl Move<'_> {
    /// The keys that have not been moved yet.
    pub fn keys(&self) -> Vec<String> {
        self.cluster.nodes[self.from].run(&["CLUSTER", "GETKEYSINSLOT", &self.slot.to_string(), "100"])
    }

    /// Moves one key.
    pub fn move_key(&self, key: &str) {
        let port = port_of(&self.cluster.nodes[self.to]).to_string();
        self.cluster.nodes[self.from].run::<Value>(&["MIGRATE", "127.0.0.1", &port, key, "0", "30000"]);
    }

    /// Moves all keys that are left.
    pub fn move_keys(&self) {
        self.keys().iter().for_each(|key| self.move_key(key));
    }

    /// Gives the slot to the other node, and tells all primaries.
    pub fn end(self) {
        let id: String = self.cluster.nodes[self.to].run(&["CLUSTER", "MYID"]);
        let slot = self.slot.to_string();
        self.cluster.nodes[self.to].run::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        self.cluster.nodes[self.from].run::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
    }
}

/// Where other nodes reach it: those that speak TLS with each other do so at another port.
fn port_of(node: &RedisServer) -> u16 {
    match node.run::<Vec<String>>(&["CONFIG", "GET", "tls-cluster"]).last() {
        Some(value) if value == "yes" => node.tls_port(),
        _ => node.port(),
    }
}

/// Whether an error sends elsewhere, to which port, and whether that is to be asked.
fn elsewhere(error: &RedisError) -> Option<(bool, u16)> {
    let is_ask = match error.code()? {
        "ASK" => true,
        "MOVED" => false,
        _ => return None,
    };
    Some((is_ask, error.detail()?.rsplit(':').next()?.trim().parse().ok()?))
}

fn command(words: &[&str]) -> redis::Cmd {
    let mut command = cmd(words[0]);
    words[1..].iter().for_each(|word| _ = command.arg(word));
    command
}

fn connect(port: u16) -> RedisResult<Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let connection = client.get_connection_with_timeout(Duration::from_secs(1))?;
    connection.set_read_timeout(Some(Duration::from_secs(1)))?;
    Ok(connection)
}

/// A server that is a node.
pub fn as_node(setup: Setup, bus: u16) -> Setup {
    setup
        .argument(&["--cluster-enabled", "yes", "--cluster-port", &bus.to_string(), "--cluster-node-timeout", "1000"])
        .argument(&["--cluster-replica-validity-factor", "0", "--cluster-allow-replica-migration", "no"])
        .argument(&[
            "--repl-diskless-sync-delay",
            "0",
            "--repl-ping-replica-period",
            "1",
            "--enable-debug-command",
            "yes",
        ])
}

/// A prefix whose keys each have another owner in the beginning.
pub const SPREAD: &str = "apart";
