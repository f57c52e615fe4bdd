//! A cluster of six nodes: slots move from one owner to another while everybody works, owners hand over to their replicas, die, or
//! hang and come back. What is written directly has one owner, for its prefix has a tag; what a client writes has three in the beginning.

use std::thread;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::support::*;
use crate::topology::Topology;

/// After so long nodes forget an order to take over.
const FORGOTTEN: Duration = Duration::from_secs(6);

/// So long an election may take, with those that fail and are repeated.
const ELECTION: Duration = Duration::from_secs(20);

pub struct Cluster {
    cluster: RedisCluster,
    slot: u16,
    owner: usize,
}

impl Cluster {
    pub fn holding(flags: &[(&str, String)], segments: &[(&str, String)]) -> Self {
        let cluster = RedisCluster::start();
        cluster.replace(TAGGED, flags, segments);
        let slot = cluster.slot_of(TAGGED);
        let owner = cluster.owner_of_slot(slot);
        Self { cluster, slot, owner }
    }

    /// One key after the other, with pauses: meanwhile what is not there any more is to be asked of the other node.
    fn move_slot(&self, slot: u16, dice: &mut Dice) {
        let from = self.cluster.owner_of_slot(slot);
        let moving = self.cluster.begin_move(slot, self.cluster.other_owner(from));
        for key in moving.keys() {
            dice.pause(200);
            moving.move_key(&key);
        }
        dice.pause(200);
        // What was written anew meanwhile.
        moving.move_keys();
        moving.end();
    }

    /// Number of the owner's replica.
    fn replica(&self) -> usize {
        let id: String = self.cluster.nodes[self.owner].run(&["CLUSTER", "MYID"]);
        let is_replica_of_it = |node: &RedisServer| {
            let lines: String = node.run(&["CLUSTER", "NODES"]);
            lines.lines().any(|line| line.contains("myself,slave") && line.contains(&id))
        };
        self.cluster.nodes.iter().position(is_replica_of_it).expect("each owner has a replica")
    }

    /// Waits until the replica is the owner, for how long; it is told to become it, by these words, each time that nothing has come
    /// of it for a while: on a busy machine nodes may not answer in the time that others give them.
    fn takes_over(&self, replica: usize, words: &[&str], patience: Duration) -> Duration {
        let begin = Instant::now();
        let mut told = begin;
        wait_until(Duration::from_secs(90), "another node is the owner", || {
            if told.elapsed() > patience {
                let _ = self.cluster.nodes[replica].query::<()>(words);
                told = Instant::now();
            }
            self.cluster.owner_of_slot(self.slot) != self.owner
        });
        begin.elapsed()
    }

    fn hand_over(&self) -> Duration {
        let (replica, order) = (self.replica(), ["CLUSTER", "FAILOVER"]);
        let _ = self.cluster.nodes[replica].query::<()>(&order);
        self.takes_over(replica, &order, FORGOTTEN)
    }

    /// The others elect a replica in the place of the owner, which does not answer any more.
    fn elects(&self, replica: usize) -> Duration {
        self.takes_over(replica, &["CLUSTER", "FAILOVER", "TAKEOVER"], ELECTION)
    }
}

impl Topology for Cluster {
    fn urls(&self) -> [String; 3] {
        [self.cluster.url(), self.cluster.url(), self.cluster.url_by(&[&self.cluster.nodes[0]])]
    }

    fn special(&self) -> &'static str {
        "daemon, told of one node"
    }

    fn prefixes(&self) -> [&'static str; 2] {
        [TAGGED, SPREAD]
    }

    fn primary(&self) -> &RedisServer {
        &self.cluster.nodes[self.owner]
    }

    fn happen(&mut self, dice: &mut Dice) -> String {
        self.cluster.settles();
        let what = match dice.roll(6) {
            0 | 1 => {
                self.move_slot(self.slot, dice);
                "the slot moved".to_owned()
            }
            2 => {
                let parts = ["segments", "features", "$inited"];
                let key = format!("{SPREAD}:{}", parts[dice.roll(3)]);
                self.move_slot(self.cluster.slot_of(&key), dice);
                "a slot of the connected moved".to_owned()
            }
            3 => format!("the owner handed over in {:?}", self.hand_over()),
            4 => {
                let replica = self.replica();
                self.cluster.nodes[self.owner].kill();
                let took = self.elects(replica);
                self.cluster.nodes[self.owner].restart();
                format!("the owner was killed, another one elected in {took:?}")
            }
            _ => {
                let replica = self.replica();
                self.cluster.nodes[self.owner].stop();
                let took = self.elects(replica);
                self.cluster.nodes[self.owner].cont();
                thread::sleep(Duration::from_millis(100));
                format!("the owner hung and came back as one, another one elected in {took:?}")
            }
        };
        self.learn();
        what
    }

    fn is_as_known(&self) -> bool {
        self.cluster.owner_of_slot(self.slot) == self.owner
    }

    fn learn(&mut self) {
        self.owner = self.cluster.owner_of_slot(self.slot);
    }

    fn mend(&mut self) {}

    fn is_filled(&self) -> bool {
        let key = format!("{SPREAD}:$inited");
        self.cluster.run::<i64>(&["EXISTS", &key]) == 1
    }
}
