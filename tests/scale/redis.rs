//! What a server says of itself: bytes, processor time, memory of its clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use redis::{Connection, cmd};

use crate::support::*;

/// A number of a section of INFO.
fn number(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("INFO has no {name}"))
}

fn info(connection: &mut Connection, section: &str) -> String {
    cmd("INFO").arg(section).query(connection).unwrap()
}

/// Up to a moment, since the server started.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    pub bytes: f64,
    pub processor: Duration,
}

/// Looks at a server all the time.
pub struct Watch {
    connection: Connection,
    own: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
    least: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    sampler: Option<JoinHandle<()>>,
}

impl Watch {
    pub fn of(server: &RedisServer) -> Self {
        let (own, most, least) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default(), Arc::default());
        let over = Arc::<AtomicBool>::default();
        let mut watch = Self { connection: server.connect(), own, most, least, over, sampler: None };
        watch.restart();
        let (own, most, over) = (watch.own.clone(), watch.most.clone(), watch.over.clone());
        let mut connection = server.connect();
        watch.sampler = Some(thread::spawn(move || {
            while !over.load(SeqCst) {
                let text = info(&mut connection, "memory");
                own.fetch_add(text.len() as u64, SeqCst);
                most.fetch_max(number(&text, "mem_clients_normal") as u64, SeqCst);
                thread::sleep(Duration::from_millis(20));
            }
        }));
        watch
    }

    /// The most memory is sought anew.
    pub fn restart(&mut self) {
        let now = number(&info(&mut self.connection, "memory"), "mem_clients_normal") as u64;
        self.least.store(now, SeqCst);
        self.most.store(now, SeqCst);
    }

    /// What was spent so far, without what looking costs.
    pub fn spent(&mut self) -> Spent {
        let text = info(&mut self.connection, "stats");
        let bytes = number(&text, "total_net_output_bytes") - self.own.load(SeqCst) as f64;
        self.own.fetch_add(text.len() as u64, SeqCst);
        let text = info(&mut self.connection, "cpu");
        self.own.fetch_add(text.len() as u64, SeqCst);
        let seconds = number(&text, "used_cpu_user") + number(&text, "used_cpu_sys");
        Spent { bytes, processor: Duration::from_secs_f64(seconds) }
    }

    /// Memory of all clients' buffers in bytes, at rest and at most.
    pub fn buffers(&self) -> (u64, u64) {
        (self.least.load(SeqCst), self.most.load(SeqCst))
    }

    /// Number of connections, but for those of looking.
    pub fn connections(&mut self) -> f64 {
        number(&info(&mut self.connection, "clients"), "connected_clients") - 2.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, SeqCst);
        if let Some(sampler) = self.sampler.take() {
            // It ends by itself when the server is gone.
            let _ = sampler.join();
        }
    }
}
