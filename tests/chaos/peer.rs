//! LaunchDarkly's Python SDK beside ours, where `CHAOS_PEER` names a Python that has it. It knows neither sentinels nor clusters:
//! it is given the address of a proxy, which leads to each new primary as soon as that is known.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use crate::history::{Answer, COUNT};
use crate::support::*;

/// A process that evaluates all the time.
pub struct Peer {
    process: Child,
    gate: Gate,
    pub answers: Arc<Mutex<Vec<Answer>>>,
    /// How often a known flag fell back to its default.
    pub defaults: Arc<AtomicUsize>,
}

impl Peer {
    /// `None` where there is no such Python.
    pub fn of(port: u16, prefix: &str) -> Option<Self> {
        let python = std::env::var("CHAOS_PEER").ok().filter(|python| !python.is_empty())?;
        let gate = Gate::to(port);
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/follower.py");
        let mut process = Command::new(python)
            .args([program, &gate.url(), prefix, &COUNT.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("CHAOS_PEER is a Python");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert_eq!(lines.next().as_deref(), Some("ready"), "CHAOS_PEER has no launchdarkly-server-sdk[redis]");
        let peer = Self { process, gate, answers: Arc::default(), defaults: Arc::default() };
        let (answers, defaults) = (peer.answers.clone(), peer.defaults.clone());
        thread::spawn(move || {
            for line in lines {
                let (flag, value) = line.split_once(' ').unwrap();
                match value.parse() {
                    Ok(value) => {
                        let (at, flag) = (Instant::now(), flag.parse().unwrap());
                        answers.lock().unwrap().push(Answer { at, flag, value });
                    }
                    Err(_) => _ = defaults.fetch_add(1, SeqCst),
                }
            }
        });
        Some(peer)
    }

    pub fn lead_to(&self, port: u16) {
        self.gate.lead_to(port);
        self.gate.cut(Role::Any);
    }

    /// The latest value of each flag.
    pub fn values(&self) -> Vec<usize> {
        let answers = self.answers.lock().unwrap();
        let last = |flag| answers.iter().rev().find(|answer| answer.flag == flag).map_or(0, |answer| answer.value);
        (0..COUNT).map(last).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It runs until it is ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
