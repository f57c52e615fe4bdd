//! A service under sentinels: a primary, replicas of it and three sentinels, each a process of its own on a free port.

use std::collections::HashMap;
use std::time::Duration;

use super::{RedisServer, Setup, wait_until};

/// Name of the service.
pub const SERVICE: &str = "main";
/// Electing a new primary takes a few seconds, and more on a busy machine.
const ELECTION: Duration = Duration::from_secs(90);

/// The processes of one service.
pub struct Deployment {
    /// The primary of the beginning, and its replicas.
    pub servers: Vec<RedisServer>,
    /// Those that watch over them.
    pub sentinels: Vec<RedisServer>,
}

impl Deployment {
    /// A primary with these flags, a replica that has them, too, and three sentinels that know all of it.
    pub fn holding(flags: &[(&str, String)]) -> Self {
        Self::with_replicas(1, flags)
    }

    /// The same with several replicas.
    pub fn with_replicas(count: usize, flags: &[(&str, String)]) -> Self {
        let primary = replicating(None);
        primary.replace(flags, &[]);
        let replicas: Vec<RedisServer> = (0..count).map(|_| replicating(Some(primary.port()))).collect();
        let settings = watching(primary.port(), 2);
        let sentinels: Vec<RedisServer> = (0..3).map(|_| Setup::default().sentinel(&settings).start()).collect();
        sentinels.iter().for_each(hurry);
        let deployment = Self { servers: [primary].into_iter().chain(replicas).collect(), sentinels };
        wait_until(ELECTION, "the sentinels know each other and the replica", || {
            deployment.sentinels.iter().all(|sentinel| {
                let known = |name: &str| detail(sentinel, name);
                known("num-other-sentinels") == "2"
                    && known("num-slaves") == count.to_string()
                    && known("flags") == "master"
                    && are_linked(sentinel)
            })
        });
        wait_until(ELECTION, "the replicas have everything", || deployment.servers.iter().all(RedisServer::is_inited));
        deployment
    }

    /// Address of the service.
    pub fn url(&self) -> String {
        let list: Vec<String> = self.sentinels.iter().map(|server| format!("127.0.0.1:{}", server.port())).collect();
        format!("redis+sentinel://{}/{SERVICE}", list.join(","))
    }

    /// The server on this port.
    pub fn at(&self, port: u16) -> &RedisServer {
        self.servers.iter().find(|server| server.port() == port).expect("one of the servers")
    }

    /// The port of the primary, as this sentinel says.
    pub fn primary_by(&self, sentinel: usize) -> u16 {
        let address: Vec<String> = self.sentinels[sentinel].run(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]);
        address[1].parse().expect("a port")
    }

    /// Waits until these sentinels say that the primary is another one than that on this port; where it is.
    pub fn elect_other_than(&self, port: u16, sentinels: &[usize]) -> u16 {
        let mut elected = None;
        wait_until(ELECTION, "another primary is elected", || {
            elected = self.elected(port, sentinels);
            elected.is_some()
        });
        elected.unwrap()
    }

    /// Another primary than that on this port, if all of these sentinels say so.
    pub fn elected(&self, port: u16, sentinels: &[usize]) -> Option<u16> {
        let elected = self.primary_by(sentinels[0]);
        let agree = elected != port && sentinels.iter().all(|sentinel| self.primary_by(*sentinel) == elected);
        agree.then_some(elected)
    }
}

/// A server that may become a replica, or is one.
pub fn replicating(primary: Option<u16>) -> RedisServer {
    let setup = Setup::default().argument(&["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]);
    match primary {
        Some(port) => setup.argument(&["--replicaof", "127.0.0.1", &port.to_string()]).start(),
        None => setup.start(),
    }
}

/// From here on a sentinel speaks with others and looks at servers more often than each 2 and 10 seconds, where it can be told so
/// (not before Redis 7): most of what these tests wait for.
pub fn hurry(sentinel: &RedisServer) {
    let _ = sentinel.query::<()>(&["SENTINEL", "DEBUG", "PUBLISH-PERIOD", "300", "INFO-PERIOD", "1000"]);
}

/// Settings of a sentinel that watches over the primary on this port.
pub fn watching(port: u16, quorum: u32) -> String {
    format!(
        "sentinel monitor {SERVICE} 127.0.0.1 {port} {quorum}\nsentinel down-after-milliseconds {SERVICE} 1000\n\
         sentinel failover-timeout {SERVICE} 4000\n"
    )
}

/// Whether by this sentinel's word all replicas get what the primary writes: others are not read.
fn are_linked(sentinel: &RedisServer) -> bool {
    let replicas: Vec<HashMap<String, String>> = sentinel.run(&["SENTINEL", "REPLICAS", SERVICE]);
    replicas.iter().all(|replica| replica.get("master-link-status").is_some_and(|status| status == "ok"))
}

/// What a sentinel knows of the primary.
fn detail(sentinel: &RedisServer, name: &str) -> String {
    let pairs: Vec<(String, String)> = sentinel.run(&["SENTINEL", "MASTER", SERVICE]);
    pairs.into_iter().find(|(known, _)| known == name).map(|(_, value)| value).unwrap_or_default()
}
