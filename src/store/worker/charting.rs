//! Looks who owns the keys in a cluster, as `seeking` does for sentinels: connections find that out by themselves when they are
//! made; this notices that it is somebody else while they are still open, as they are to an owner that was cut off. May depend
//! on `redis` and `inbox`.

use std::fmt;
use std::time::{Duration, Instant};

use super::seeking::Errand;
use crate::model::Jitter;
use crate::store::backoff::Backoff;
use crate::store::redis::cluster::Cluster;
use crate::store::redis::endpoints::Address;
use crate::store::redis::route::places;
use crate::store::shared::Shared;
use crate::store::signal::Signal;
use crate::store::status::Level;

/// How long the thread waits before it looks whether something points to a change.
const POLL: Duration = Duration::from_millis(100);
/// How often a node is asked who owns what.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// Pauses between questions while things point to a change, or nobody answers.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// Once nothing has pointed to a change for so long, pauses are short again.
const CALM: Duration = Duration::from_secs(5);

/// Looks until the mailbox says stop. Told are moves of the flags, if these are there.
pub fn run(errand: &Errand<'_>, cluster: &Cluster, shared: Option<&Shared>) {
    let mut chart = Chart { errand, cluster, shared, told: Vec::new(), told_silence: false, met: Some(Vec::new()) };
    let mut looks = Looks::new(Instant::now());
    while !errand.mailbox.sleep(POLL) {
        if cluster.take_look_wish() {
            looks.hurry(Instant::now());
        }
        if looks.is_due(Instant::now()) {
            let is_answered = cluster.ask_around(errand.connector.deadline(), Some(errand.leash)).is_ok();
            looks.plan(Instant::now(), is_answered);
        }
        chart.tell_silence();
        chart.tell_moves();
        chart.meet_one();
    }
}

/// When a node is asked who owns what.
struct Looks {
    due: Instant,
    not_before: Instant,
    /// When something pointed to a change last.
    hurried: Option<Instant>,
    pauses: Backoff,
    jitter: Jitter,
}

impl Looks {
    fn new(now: Instant) -> Self {
        let pauses = Backoff::between(PAUSES.0, PAUSES.1);
        Self { due: now, not_before: now, hurried: None, pauses, jitter: Jitter::new() }
    }

    /// Something points to a change.
    fn hurry(&mut self, now: Instant) {
        if self.hurried.is_none_or(|hurried| now.saturating_duration_since(hurried) >= CALM) {
            self.pauses.reset();
            self.not_before = now;
        }
        self.hurried = Some(now);
        self.due = self.due.min(self.not_before);
    }

    fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// One was asked just now.
    fn plan(&mut self, now: Instant, is_answered: bool) {
        self.not_before = now + self.pauses.next_pause();
        self.due = if is_answered { now + ASK_EVERY.mul_f64(self.jitter.between(0.8, 1.0)) } else { self.not_before };
    }
}

struct Chart<'a> {
    errand: &'a Errand<'a>,
    cluster: &'a Cluster,
    shared: Option<&'a Shared>,
    /// Where the keys are, as it was told last.
    told: Vec<(&'static str, Address)>,
    /// It was told that no node tells who owns what.
    told_silence: bool,
    /// What each node of the URL said that was asked so far; `None` once all were.
    met: Option<Vec<Option<String>>>,
}

impl Chart<'_> {
    fn log(&self, level: Level, message: fmt::Arguments<'_>) {
        self.errand.listener.log(level, message);
    }

    /// Nodes of the URL that are of no use are told by name where others are. One at a time: each may keep us waiting.
    fn meet_one(&mut self) {
        let Some(mut met) = self.met.take() else { return };
        if let Some(seed) = self.cluster.nodes().seeds.get(met.len()) {
            met.push(self.cluster.meet(seed, self.errand.leash));
            self.met = Some(met);
            return;
        }
        let are_useful = met.iter().any(Option::is_none);
        for remark in met.into_iter().flatten().filter(|_| are_useful && !self.errand.mailbox.is_stopped()) {
            let option = self.errand.option;
            self.log(Level::Warn, format_args!("of the nodes in {option}, one is of no use: {remark}"));
        }
    }

    /// Tells that keys have another owner, whoever found out first.
    fn tell_moves(&mut self) {
        let Some(shared) = self.shared else { return };
        let owner = |(name, key): (&'static str, &str)| Some((name, self.errand.connector.bound_to(key).place()?));
        let owners: Vec<(&'static str, Address)> = shared.keys.parts().into_iter().filter_map(owner).collect();
        let before = std::mem::replace(&mut self.told, owners);
        if before.is_empty() || before == self.told {
            return;
        }
        for (name, address) in self.told.iter().filter(|place| !before.contains(place)) {
            let prefix = &shared.keys.prefix;
            self.log(Level::Info, format_args!("the owner of {prefix}:{name} is at {address} now"));
        }
        (self.errand.tell)(Signal::Moved);
    }

    /// No node tells who owns what, or one does again: told once each, if Redis itself is there; otherwise that is told.
    fn tell_silence(&mut self) {
        let Some(shared) = self.shared else { return };
        let silence = self.cluster.silence();
        let is_known = !places(self.errand.connector, &shared.keys).is_empty() && shared.health.is_available();
        if silence.is_some() == self.told_silence || !is_known || self.errand.mailbox.is_stopped() {
            return;
        }
        self.told_silence = silence.is_some();
        match silence {
            Some(silence) => self.log(Level::Warn, format_args!("{silence}; the known owners stay in use")),
            None => self.log(Level::Info, format_args!("nodes tell again who owns what in the cluster")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_points_to_a_change_is_looked_at_at_once_and_then_after_pauses_that_grow() {
        let mut now = Instant::now();
        let mut looks = Looks::new(now);
        looks.plan(now, true);
        now += Duration::from_millis(500);
        assert!(!looks.is_due(now), "all is calm");
        let mut waited = Vec::new();
        for _ in 0..12 {
            looks.hurry(now);
            let began = now;
            while !looks.is_due(now) {
                now += Duration::from_millis(10);
                looks.hurry(now);
            }
            waited.push(now - began);
            looks.plan(now, true);
        }
        assert_eq!(waited[0], Duration::ZERO);
        assert!(waited[1] <= Duration::from_millis(110) && waited[1..4].iter().is_sorted(), "{waited:?}");
        assert!(waited[8..].iter().all(|pause| (900..=2_010).contains(&pause.as_millis())), "{waited:?}");
        now += CALM;
        looks.hurry(now);
        assert!(looks.is_due(now), "it was calm for a while");
    }

    #[test]
    fn without_a_sign_of_change_a_node_is_asked_each_ten_seconds_and_sooner_where_none_answered() {
        let now = Instant::now();
        let mut looks = Looks::new(now);
        assert!(looks.is_due(now));
        looks.plan(now, true);
        assert!(!looks.is_due(now + Duration::from_millis(7_900)) && looks.is_due(now + ASK_EVERY));
        looks.plan(now, false);
        assert!(looks.is_due(now + PAUSES.1));
    }
}
