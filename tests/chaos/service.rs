//! A service under three sentinels whose primary is another one from time to time: by order, by death, by hanging and coming back
//! as one that believes to be in office.

use std::thread;
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::support::*;
use crate::topology::Topology;

/// A server that came back becomes a replica within a few seconds, and an election may fail and be repeated.
const LONG: Duration = Duration::from_secs(60);

/// A failover that was ordered and takes longer was given up.
const ORDERED: Duration = Duration::from_secs(15);

/// So long sentinels have for making a server a replica.
const PATIENT: Duration = Duration::from_secs(5);

pub struct Service {
    deployment: Deployment,
    primary: u16,
    /// A sentinel that stands still.
    stopped: Option<usize>,
}

impl Service {
    pub fn holding(flags: &[(&str, String)], segments: &[(&str, String)]) -> Self {
        let deployment = Deployment::with_replicas(2, flags);
        for sentinel in &deployment.sentinels {
            // So that one round follows the other: they speak often, and need not wait long before the next failover.
            sentinel.run::<()>(&["SENTINEL", "SET", SERVICE, "failover-timeout", "2000"]);
            let periods = ["publish-period", "500", "ask-period", "500", "info-period", "1000", "tilt-period", "1000"];
            let words: Vec<&str> = ["SENTINEL", "DEBUG"].into_iter().chain(periods).collect();
            sentinel.run::<()>(&words);
        }
        let primary = &deployment.servers[0];
        segments.iter().for_each(|(key, text)| primary.set_segment(key, text));
        let primary = primary.port();
        Self { deployment, primary, stopped: None }
    }

    /// Waits until all servers follow the primary and all sentinels know it.
    fn is_whole(&self) {
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

    /// The sentinels that do not stand still.
    fn speaking(&self) -> Vec<usize> {
        (0..3).filter(|number| Some(*number) != self.stopped).collect()
    }

    /// A sentinel orders a failover, again where a busy machine made it give up.
    fn order(&self, sentinels: &[usize]) -> u16 {
        loop {
            self.order_once(sentinels[0]);
            let ordered = Instant::now();
            while ordered.elapsed() < ORDERED {
                if let Some(elected) = self.deployment.elected(self.primary, sentinels) {
                    return elected;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
    }

    fn order_once(&self, sentinel: usize) {
        let words = ["SENTINEL", "FAILOVER", SERVICE];
        let mut connection = self.deployment.sentinels[sentinel].connect();
        wait_until(LONG, "a sentinel orders a failover", || {
            redis::cmd(words[0]).arg(&words[1..]).exec(&mut connection).is_ok()
        });
    }
}

impl Topology for Service {
    fn urls(&self) -> [String; 3] {
        let url = self.deployment.url();
        [url.clone(), url.clone(), format!("{url}?read=prefer-replica")]
    }

    fn special(&self) -> &'static str {
        "daemon, from a replica"
    }

    fn prefixes(&self) -> [&'static str; 2] {
        [PREFIX, "written"]
    }

    fn primary(&self) -> &RedisServer {
        self.deployment.at(self.primary)
    }

    fn happen(&mut self, dice: &mut Dice) -> String {
        self.is_whole();
        self.stopped = (dice.roll(4) == 0).then(|| dice.roll(3));
        let (stopped, sentinels) = (self.stopped, self.speaking());
        if let Some(number) = stopped {
            self.deployment.sentinels[number].stop();
        }
        let old = self.primary;
        let position = self.deployment.servers.iter().position(|server| server.port() == old).unwrap();
        let what = match dice.roll(3) {
            0 => {
                self.primary = self.order(&sentinels);
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
        self.learn();
        let note = stopped.map_or_else(String::new, |number| format!(", sentinel {number} stopped"));
        format!("{what}{note}")
    }

    fn is_as_known(&self) -> bool {
        self.speaking().iter().all(|number| self.deployment.primary_by(*number) == self.primary)
    }

    fn learn(&mut self) {
        wait_until(LONG, "the sentinels agree", || {
            let named: Vec<u16> = self.speaking().iter().map(|number| self.deployment.primary_by(*number)).collect();
            self.primary = named[0];
            named.iter().all(|port| *port == named[0])
        });
    }

    fn mend(&mut self) {
        if let Some(number) = self.stopped.take() {
            self.deployment.sentinels[number].cont();
        }
    }

    fn is_filled(&self) -> bool {
        self.primary().run::<i64>(&["EXISTS", "written:$inited"]) == 1
    }
}
