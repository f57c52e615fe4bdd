//! Failovers, one after the other, while one writer edits and eight readers evaluate through several clients that have no options
//! but an address: in daemon mode with everything held, with little held and from a replica, in connected mode, and in daemon mode
//! what the connected one writes.
//!
//! **What is right.** A replica may lack what its primary acknowledged a moment before (Redis replicates asynchronously), so a
//! failover may take edits back, and a client that served one of them has to serve something older then, or it would not serve what
//! Redis holds. Hence a *line* for each primary: what it had when it took office, and what was sent to it until the next one did.
//! Values of a flag count up and are sent once, so that a value tells its lines: the one on which it was sent, and each later one
//! whose primary had it when it took office. Then
//!
//! 1. no answer is a default or an error: every flag is known from the beginning;
//! 2. no answer is a value that Redis never held: one that was not sent, or that a server refused with an error. What was sent
//!    and not answered may be held;
//! 3. each reader's answers can have come from lines that never go back, with values that never go back within a line. So an older
//!    value follows a newer one only when a later primary took office without the newer one; and nobody goes back to a server
//!    that was primary once and takes itself for it still, although that acknowledges edits with higher numbers;
//! 4. once the writer pauses, every client serves exactly what the primary holds, and that has every edit that was acknowledged
//!    since it took office: so every edit that survived is served, or a later one of its flag.
//!
//! In connected mode memory leads: nothing may ever go back, whatever Redis loses. Who reads in daemon mode what such a client
//! writes may see one step back for each flag and failover, until that is healed; healing begins before a test can see what was
//! lost. So may a client in connected mode that holds little: Redis leads there, until what was lost is written again.
//!
//! `CHAOS_ROUNDS` sets the number of failovers (`make chaos`: 100), without it there are four, of which none begins after twelve seconds;
//! `CHAOS_SEED` repeats a run. `CHAOS_PEER` names a Python that has LaunchDarkly's SDK, which is measured beside.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "the story, and measurements")]

#[path = "chaos/cluster.rs"]
mod cluster;
#[path = "chaos/dice.rs"]
mod dice;
#[path = "chaos/history.rs"]
mod history;
#[path = "chaos/peer.rs"]
mod peer;
#[path = "chaos/readers.rs"]
mod readers;
#[path = "chaos/service.rs"]
mod service;
mod support;
#[path = "chaos/topology.rs"]
mod topology;
#[path = "chaos/writer.rs"]
mod writer;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use cluster::Cluster;
use dice::Dice;
use fakeld::Kind;
use history::{COUNT, Delays, History, Judge, quantiles};
use peer::Peer;
use readers::{DEPENDENT, Reader, first_flags, key_of};
use service::Service;
use support::*;
use topology::Topology;
use writer::Writer;

const SHORT: (u32, Duration) = (4, Duration::from_secs(12));
/// How soon every client serves what the primary holds, on a busy machine.
const CONVERGED: Duration = Duration::from_secs(30);
/// Where something does not come, it is looked whether the primary is the same still.
const LOOK: Duration = Duration::from_secs(2);
/// So many edits of the new primary are part of a round.
const EDITS: usize = 50;
/// LaunchDarkly's SDK holds what it has read for 15 seconds.
const PEER_CONVERGED: Duration = Duration::from_secs(40);

fn segments() -> String {
    segment("s", 1, &["ada"])
}

/// The values of the flags that are written directly, as the primary holds them.
fn values_of(topology: &dyn Topology) -> Vec<usize> {
    let hash = format!("{}:features", topology.prefixes()[0]);
    let texts: HashMap<String, String> = topology.primary().run(&["HGETALL", &hash]);
    let value = |flag| {
        let text = texts.get(&key_of(flag)).expect("a primary has every flag");
        let item: serde_json::Value = serde_json::from_str(text).unwrap();
        item["variations"][0].as_str().unwrap().parse().unwrap()
    };
    (0..COUNT).map(value).collect()
}

/// Who evaluates and is judged.
struct Watched<'c> {
    reader: Reader<'c>,
    /// Its flags come from a data source, through a client in connected mode.
    is_of_source: bool,
    /// A step back is allowed for each flag and failover.
    may_step_back: bool,
    judge: Mutex<Judge>,
}

impl<'c> Watched<'c> {
    fn new(name: &'static str, client: &'c Client, is_of_source: bool, may_step_back: bool) -> Self {
        Self { reader: Reader::new(name, client), is_of_source, may_step_back, judge: Mutex::new(Judge::new()) }
    }

    /// How many answers were given.
    fn count(&self) -> usize {
        self.reader.answers.lock().unwrap().len()
    }

    /// What was wrong since the last time with the first so many answers.
    fn wrong(&self, writer: &Writer<'_>, offices: usize, count: usize) -> Vec<String> {
        let tolerated = if self.may_step_back { offices } else { 0 };
        let answers = self.reader.answers.lock().unwrap();
        let history = writer.history(self.is_of_source);
        let mut wrong = self.judge.lock().unwrap().wrong(&history, &answers[..count], tolerated);
        wrong.extend(std::mem::take(&mut *self.reader.defaults.lock().unwrap()));
        wrong.iter().map(|what| format!("{}: {what}", self.reader.name)).collect()
    }
}

/// Those who read what the writer writes to Redis, and those whose flags come from a data source.
struct Clients<'c> {
    direct: &'c [(&'static str, &'c Client)],
    of_source: &'c [(&'static str, &'c Client)],
}

/// Waits until a condition holds; false when the primary is another one meanwhile.
fn happens(topology: &dyn Topology, condition: impl Fn() -> bool, what: impl Fn() -> String) -> bool {
    let (begin, mut looked) = (Instant::now(), Instant::now());
    while !condition() {
        if looked.elapsed() > LOOK {
            if !topology.is_as_known() {
                return false;
            }
            looked = Instant::now();
        }
        assert!(begin.elapsed() < CONVERGED, "{}", what());
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Waits until these clients serve these values.
fn settle(topology: &dyn Topology, clients: &[(&str, &Client)], values: &[usize], what: &str) -> bool {
    clients.iter().all(|(name, client)| {
        let differs = |flag: &usize| client.ask(&key_of(*flag)) != values[*flag].to_string();
        let first = || (0..COUNT).find(differs);
        happens(
            topology,
            || first().is_none(),
            || {
                let flag = first().unwrap_or_default();
                let (key, value, status) = (key_of(flag), values[flag], client.status());
                format!("{name} serves {} of {key}, not {value}, after {what}: {status}", client.ask(&key))
            },
        )
    })
}

/// Edits go on at the present primary, and then everything is as it says; false when another one took office meanwhile.
fn go_on(topology: &mut dyn Topology, writer: &Writer<'_>, clients: &Clients<'_>, what: &str) -> bool {
    let count = || writer.history(false).count();
    let target = count() + EDITS;
    writer.resume();
    if !happens(topology, || count() >= target, || format!("edits do not go on after {what}")) {
        return false;
    }
    topology.mend();
    writer.pause();
    let values = values_of(topology);
    let newest = |is_of_source| -> Vec<usize> {
        let history = writer.history(is_of_source);
        (0..COUNT).map(|flag| history.newest(flag)).collect()
    };
    let acknowledged = newest(false);
    let has_all = values.iter().zip(&acknowledged).all(|(held, acknowledged)| held >= acknowledged);
    if !has_all && !topology.is_as_known() {
        return false;
    }
    assert!(has_all, "the primary at {} has {values:?}, not {acknowledged:?}", topology.primary().port());
    settle(topology, clients.direct, &values, what) && settle(topology, clients.of_source, &newest(true), what)
}

/// LaunchDarkly's SDK is waited for at the end, so that its last edits count, too.
fn settle_peer(peer: &Peer, values: &[usize]) {
    let begin = Instant::now();
    while peer.values() != values && begin.elapsed() < PEER_CONVERGED {
        thread::sleep(Duration::from_millis(50));
    }
}

fn report(writer: &Writer<'_>, watched: &[Watched<'_>], peer: Option<&Peer>, rounds: usize) {
    let summary =
        |history: &History| format!("{} edits acknowledged, {} of them lost by Redis", history.count(), history.lost());
    eprintln!("{rounds} rounds, {}", summary(&writer.history(false)));
    eprintln!("milliseconds until served    the first edit of each primary   all edits that survived");
    eprintln!("                                  p50      p99  longest        p50      p99  longest");
    let mut names: Vec<&str> = Vec::new();
    for Watched { reader, is_of_source, .. } in watched {
        if !names.contains(&reader.name) {
            names.push(reader.name);
            report_of(reader.name, writer.history(*is_of_source).delays(&reader.answers.lock().unwrap()));
        }
    }
    if let Some(peer) = peer {
        let (answers, direct) = (peer.answers.lock().unwrap(), writer.history(false));
        report_of("LaunchDarkly's Python SDK", direct.delays(&answers));
        let wrong = Judge::new().wrong(&direct, &answers, 0).len();
        eprintln!("  and {} defaults of known flags, {wrong} values older than before", peer.defaults.load(SeqCst));
    }
}

/// Who served the first edit of the present primary last, in this round.
fn tell_slowest(writer: &Writer<'_>, watched: &[Watched<'_>]) {
    let delay = |Watched { reader, is_of_source, .. }: &Watched<'_>| {
        let delays = writer.history(*is_of_source).delays(&reader.answers.lock().unwrap());
        delays.last.map(|delay| (delay, reader.name))
    };
    if let Some((delay, name)) = watched.iter().filter_map(delay).max() {
        eprintln!("  the first edit afterwards was served after {delay:?} at most, by {name}");
    }
}

fn report_of(name: &str, mut delays: Delays) {
    let text = |delays: &mut [Duration]| {
        let [half, most, all] = quantiles(delays).map(|delay| delay.as_secs_f64() * 1e3);
        format!("{half:8.1} {most:8.1} {all:8.1}")
    };
    eprintln!("{name:<28} {}   {}", text(&mut delays.recovery), text(&mut delays.all));
}

fn chaos(mut topology: impl Topology) {
    let seed = dice::seed();
    eprintln!("CHAOS_SEED={seed}");
    let fake = launchdarkly(&first_flags());
    fake.edit(|environment| _ = environment.set(Kind::Segment, &segments()).unwrap());
    let ([url, url_of_lazy, special_url], [prefix, written]) = (topology.urls(), topology.prefixes());
    let daemon = |url: &str| Config::new().with("redis.url", url).with("redis.prefix", prefix);
    let all = daemon(&url).started();
    let lazy = daemon(&url_of_lazy).with("cache.residency", "lazy").started();
    let special = daemon(&special_url).started();
    let connected = streaming(&fake).with("redis.url", &url).with("redis.prefix", written).started();
    eventually("Redis is filled", || topology.is_filled());
    let reader = Config::new().with("redis.url", &url).with("redis.prefix", written).started();
    let direct = [("daemon, all held", &all), ("daemon, little held", &lazy), (topology.special(), &special)];
    let little = format!("{written}.little");
    let connected_lazy = streaming(&fake).with("redis.url", &url).with("redis.prefix", &little);
    let connected_lazy = connected_lazy.with("cache.residency", "lazy").started();
    let of_source =
        [("connected", &connected), ("daemon, of the connected", &reader), ("connected, little held", &connected_lazy)];
    let clients = Clients { direct: &direct, of_source: &of_source };
    for (_, client) in direct.iter().chain(&of_source) {
        DEPENDENT.iter().for_each(|key| client.serves(key, "in"));
        (0..COUNT).for_each(|flag| client.serves(&key_of(flag), "0"));
    }
    let mut watched: Vec<_> =
        direct.iter().chain(&direct).map(|(name, client)| Watched::new(name, client, false, false)).collect();
    watched.push(Watched::new(of_source[0].0, &connected, true, false));
    watched.push(Watched::new(of_source[1].0, &reader, true, true));
    watched.push(Watched::new(of_source[2].0, &connected_lazy, true, true));

    let port = topology.primary().port();
    let (writer, over, peer) = (Writer::new(port, prefix, &fake), AtomicBool::new(false), Peer::of(port, prefix));
    let (mut dice, (rounds, limit), began) = (Dice::new(seed), dice::rounds(SHORT), Instant::now());
    let mut round = 0;
    thread::scope(|scope| {
        let _end = OverAtTheEnd(&over);
        scope.spawn(|| writer.go_on(&over, seed));
        for Watched { reader, .. } in &watched {
            scope.spawn(|| reader.go_on(&over));
        }
        while round < rounds && began.elapsed() < limit {
            round += 1;
            writer.resume();
            dice.pause(300);
            let what = format!("round {round}: {}", topology.happen(&mut dice));
            eprintln!("{what}");
            let mut offices = 0;
            let counts = loop {
                offices += 1;
                let port = topology.primary().port();
                writer.go_to(port, values_of(&topology));
                peer.iter().for_each(|peer| peer.lead_to(port));
                if go_on(&mut topology, &writer, &clients, &what) {
                    let counts: Vec<usize> = watched.iter().map(Watched::count).collect();
                    // Later answers may come from a primary of which nothing is written down yet.
                    if topology.is_as_known() {
                        break counts;
                    }
                }
                eprintln!("  and another server is the primary, which nobody asked for");
                topology.learn();
            };
            tell_slowest(&writer, &watched);
            let judged = watched.iter().zip(counts);
            let wrong: Vec<String> =
                judged.flat_map(|(watched, count)| watched.wrong(&writer, offices, count)).collect();
            assert!(wrong.is_empty(), "CHAOS_SEED={seed}, {what}: {} wrong answers: {wrong:#?}", wrong.len());
        }
    });
    peer.iter().for_each(|peer| settle_peer(peer, &values_of(&topology)));
    report(&writer, &watched, peer.as_ref(), round as usize);
}

#[test]
fn under_sentinels_whoever_is_the_primary_every_answer_is_right_and_every_edit_that_survives_is_served() {
    chaos(Service::holding(&first_flags(), &[("s", segments())]));
}

#[test]
fn in_a_cluster_whoever_owns_a_slot_every_answer_is_right_and_every_edit_that_survives_is_served() {
    chaos(Cluster::holding(&first_flags(), &[("s", segments())]));
}
