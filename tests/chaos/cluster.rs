//! A cluster of six nodes: slots move from one owner to another while everybody works, owners hand over to their replicas, die, or
//! hang and come back. What is written directly has one owner, for its prefix has a tag; what a client writes has three in the beginning.

use std::thread;
use std::time::Duration;

use crate::dice::Dice;
use crate::support::*;
use crate::topology::Topology;

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

    fn hand_over(&self) {
        let id: String = self.cluster.nodes[self.owner].run(&["CLUSTER", "MYID"]);
        let is_replica_of_it = |node: &&RedisServer| {
            let lines: String = node.run(&["CLUSTER", "NODES"]);
            lines.lines().any(|line| line.contains("myself,slave") && line.contains(&id))
        };
        let replica = self.cluster.nodes.iter().find(is_replica_of_it).expect("each owner has a replica");
        replica.run::<()>(&["CLUSTER", "FAILOVER"]);
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
                "the slot moved"
            }
            2 => {
                let parts = ["segments", "features", "$inited"];
                let key = format!("{SPREAD}:{}", parts[dice.roll(3)]);
                self.move_slot(self.cluster.slot_of(&key), dice);
                "a slot of the connected moved"
            }
            3 => {
                self.hand_over();
                self.cluster.elects_other_than(self.slot, self.owner);
                "the owner handed over"
            }
            4 => {
                self.cluster.nodes[self.owner].kill();
                self.cluster.elects_other_than(self.slot, self.owner);
                self.cluster.nodes[self.owner].restart();
                "the owner was killed"
            }
            _ => {
                self.cluster.nodes[self.owner].stop();
                self.cluster.elects_other_than(self.slot, self.owner);
                self.cluster.nodes[self.owner].cont();
                thread::sleep(Duration::from_millis(100));
                "the owner hung and came back as one"
            }
        };
        self.learn();
        what.to_owned()
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
