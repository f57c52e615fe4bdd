//! Looks who owns the keys in a cluster, as `seeking` does for sentinels: connections find that out by themselves when they are
//! made; this notices that it is somebody else while they are still open, as they are to an owner that was cut off. May depend
//! on `redis` and `inbox`.

use std::time::{Duration, Instant};

use crate::model::Jitter;
use crate::store::backoff::Backoff;
use crate::store::inbox::mailbox::Mailbox;
use crate::store::redis::cluster::Cluster;
use crate::store::redis::connector::Connector;
use crate::store::redis::endpoints::Address;
use crate::store::redis::route::places;
use crate::store::redis::wire::Deadline;
use crate::store::shared::Shared;
use crate::store::signal::Signal;
use crate::store::status::{Level, Listener};

/// How long the thread waits before it looks whether something points to a change.
const POLL: Duration = Duration::from_millis(100);
/// How often a node is asked who owns what.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Pauses between questions while something points to a change, or nobody answers.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Looks until the mailbox says stop.
pub fn run(shared: &Shared, connector: &Connector, cluster: &Cluster, mailbox: &Mailbox, listener: &dyn Listener) {
    let mut chart = Chart { shared, connector, cluster, mailbox, listener, told: Vec::new(), told_silence: false };
    let (mut pauses, mut jitter) = (Backoff::between(PAUSES.0, PAUSES.1), Jitter::new());
    let mut ask_at = Instant::now();
    let mut not_before = ask_at;
    chart.meet_all();
    while !mailbox.sleep(POLL) {
        let is_wanted = cluster.take_look_wish();
        if is_wanted {
            ask_at = not_before;
        }
        if Instant::now() >= ask_at {
            let deadline = Deadline::after(shared.options.connect_timeout());
            let is_answered = cluster.ask_around(deadline, Some(&mailbox.leash_of_seeker)).is_ok();
            let now = Instant::now();
            let pause = pauses.next_pause();
            not_before = now + pause;
            ask_at = now + if is_answered { ASK_EVERY.mul_f64(jitter.between(0.8, 1.0)) } else { pause };
            if is_answered && !is_wanted {
                pauses.reset();
            }
        }
        chart.tell_silence();
        chart.tell_moves();
    }
}

struct Chart<'a> {
    shared: &'a Shared,
    connector: &'a Connector,
    cluster: &'a Cluster,
    mailbox: &'a Mailbox,
    listener: &'a dyn Listener,
    /// Where the keys are, as it was told last.
    told: Vec<(&'static str, Address)>,
    /// It was told that no node tells who owns what.
    told_silence: bool,
}

impl Chart<'_> {
    /// Nodes of the URL that are of no use are told by name, also where others are.
    fn meet_all(&self) {
        for remark in self.cluster.meet_all(&self.mailbox.leash_of_seeker) {
            if !self.mailbox.is_stopped() {
                self.listener.log(Level::Warn, format_args!("of the nodes in redis.url, one is of no use: {remark}"));
            }
        }
    }

    /// Tells that keys have another owner, whoever found out first.
    fn tell_moves(&mut self) {
        let owner = |(name, key): (&'static str, &str)| Some((name, self.connector.bound_to(key).place()?));
        let owners: Vec<(&'static str, Address)> = self.shared.keys.parts().into_iter().filter_map(owner).collect();
        let before = std::mem::replace(&mut self.told, owners);
        if before.is_empty() || before == self.told {
            return;
        }
        for (name, address) in self.told.iter().filter(|place| !before.contains(place)) {
            let prefix = &self.shared.keys.prefix;
            self.listener.log(Level::Info, format_args!("the owner of {prefix}:{name} is at {address} now"));
        }
        self.mailbox.tell(Signal::Moved);
    }

    /// No node tells who owns what, or one does again: told once each, if Redis itself is there; otherwise that is told.
    fn tell_silence(&mut self) {
        let silence = self.cluster.silence();
        let is_known = !places(self.connector, &self.shared.keys).is_empty() && self.shared.health.is_available();
        if silence.is_some() == self.told_silence || !is_known || self.mailbox.is_stopped() {
            return;
        }
        self.told_silence = silence.is_some();
        match silence {
            Some(silence) => self.listener.log(Level::Warn, format_args!("{silence}; the known owners stay in use")),
            None => self.listener.log(Level::Info, format_args!("nodes tell again who owns what in the cluster")),
        }
    }
}
