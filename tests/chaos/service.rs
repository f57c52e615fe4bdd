//! A service under three sentinels whose primary is another one from time to time: by order, by death, by hanging and coming back
//! as one that believes to be in office.

use std::thread;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::support::*;

/// A server that came back becomes a replica within a few seconds, and an election may fail and be repeated.
const LONG: Duration = Duration::from_secs(60);

/// So long sentinels have for making a server a replica.
const PATIENT: Duration = Duration::from_secs(5);

/// What happens, at most until another primary is elected.
pub struct Failover {
    /// In words.
    pub what: String,
    /// Where the primary is now.
    pub primary: u16,
    /// A sentinel that stands still.
    stopped: Option<usize>,
}

pub struct Service {
    deployment: Deployment,
    primary: u16,
}

impl Service {
    pub fn holding(flags: &[(&str, String)]) -> Self {
        let deployment = Deployment::with_replicas(2, flags);
        for sentinel in &deployment.sentinels {
            // So that one round follows the other: they speak often, and need not wait long before the next failover.
            sentinel.run::<()>(&["SENTINEL", "SET", SERVICE, "failover-timeout", "2000"]);
            let periods = ["publish-period", "500", "ask-period", "500", "info-period", "1000", "tilt-period", "1000"];
            let words: Vec<&str> = ["SENTINEL", "DEBUG"].into_iter().chain(periods).collect();
            sentinel.run::<()>(&words);
        }
        let primary = deployment.servers[0].port();
        Self { deployment, primary }
    }

    pub fn url(&self) -> String {
        self.deployment.url()
    }

    pub fn primary(&self) -> &RedisServer {
        self.deployment.at(self.primary)
    }

    /// Waits until all servers follow the primary and all sentinels know it.
    pub fn is_whole(&self) {
        for (number, sentinel) in self.deployment.sentinels.iter().enumerate() {
            wait_until(LONG, "all sentinels are well", || {
                let Ok(info) = sentinel.query::<String>(&["INFO", "sentinel"]) else { return false };
                let is_well = info.contains("sentinel_tilt:0") && info.contains("status=ok,");
                is_well && info.contains("slaves=2,sentinels=3") && self.deployment.primary_by(number) == self.primary
            });
        }
        for server in self.deployment.servers.iter().filter(|server| server.port() != self.primary) {
            let (begin, port) = (Instant::now(), self.primary.to_string());
            wait_until(LONG, "all follow the primary", || {
                // Whoever becomes a replica ends its connections.
                let info = server.query::<String>(&["INFO", "replication"]).unwrap_or_default();
                let follows = info.contains(&format!("master_port:{port}"));
                if !follows && begin.elapsed() > PATIENT {
                    // Sentinels forget one now and then, as operators know.
                    let _ = server.query::<()>(&["REPLICAOF", "127.0.0.1", &port]);
                    thread::sleep(Duration::from_millis(200));
                }
                follows && info.contains("master_link_status:up")
            });
        }
    }

    /// One thing that makes another server the primary.
    pub fn fail_over(&mut self, dice: &mut Dice) -> Failover {
        self.is_whole();
        let stopped = (dice.roll(4) == 0).then(|| dice.roll(3));
        let sentinels: Vec<usize> = (0..3).filter(|number| Some(*number) != stopped).collect();
        if let Some(number) = stopped {
            self.deployment.sentinels[number].stop();
        }
        let old = self.primary;
        let position = self.deployment.servers.iter().position(|server| server.port() == old).unwrap();
        let what = match dice.roll(3) {
            0 => {
                self.order(sentinels[0]);
                self.primary = self.deployment.elect_other_than(old, &sentinels);
                "a failover by order"
            }
            1 => {
                self.deployment.servers[position].kill();
                self.primary = self.deployment.elect_other_than(old, &sentinels);
                // It is empty and takes itself for the primary, until somebody tells it otherwise.
                self.deployment.servers[position].restart();
                if dice.roll(2) == 0 {
                    let new = self.primary.to_string();
                    self.deployment.servers[position].run::<()>(&["REPLICAOF", "127.0.0.1", &new]);
                }
                "the primary was killed"
            }
            _ => {
                self.deployment.servers[position].stop();
                self.primary = self.deployment.elect_other_than(old, &sentinels);
                // It goes on as if it were the primary, and whoever writes to it is told that all is well.
                self.deployment.servers[position].cont();
                dice.pause(600);
                "the primary hung and came back as one"
            }
        };
        let note = stopped.map_or_else(String::new, |number| format!(", sentinel {number} stopped"));
        Failover { what: format!("{what}{note}"), primary: self.primary, stopped }
    }

    /// What stood still goes on.
    pub fn mend(&self, failover: &Failover) {
        if let Some(number) = failover.stopped {
            self.deployment.sentinels[number].cont();
        }
    }

    fn order(&self, sentinel: usize) {
        let words = ["SENTINEL", "FAILOVER", SERVICE];
        let mut connection = self.deployment.sentinels[sentinel].connect();
        wait_until(LONG, "a sentinel orders a failover", || {
            redis::cmd(words[0]).arg(&words[1..]).exec(&mut connection).is_ok()
        });
    }
}
