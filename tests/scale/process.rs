//! Processes of a fleet: this test binary, started again, each with many clients that share nothing but the process.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::support::*;

/// The flag that is edited: its value is the moment of the edit, in nanoseconds.
pub const EDITED: &str = "flag-0";
/// Flags that every client evaluates all the time, that one among them.
pub const USED: usize = 5;
/// How often a client is asked for the flag that is edited: the resolution of what is measured.
const LOOK: Duration = Duration::from_millis(2);
/// What is evaluated this often counts as in use.
const USE: Duration = Duration::from_millis(500);

/// Nanoseconds, as all processes of this machine see them.
pub fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap()
}

/// What the process that was started does: clients of its own until its input ends.
pub fn run() {
    let (Ok(url), Ok(count)) = (std::env::var("FLEET_URL"), std::env::var("FLEET_CLIENTS")) else { return };
    let config = Config::new().with("redis.url", &url).with("redis.connect_timeout_ms", "15000");
    let config = config.with("redis.command_timeout_ms", "15000");
    let clients: Vec<Client> = (0..count.parse().unwrap()).map(|_| config.client()).collect();
    clients.iter().for_each(|client| client.start(0).unwrap());
    clients.iter().for_each(|client| client.start(4 * PATIENCE_MS).unwrap());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::stdin().lines().count();
            over.store(true, SeqCst);
        });
        let (mut used_at, mut delays) = (None::<Instant>, Vec::<u64>::new());
        let mut held = vec![String::new(); clients.len()];
        let mut told = String::new();
        while !over.load(SeqCst) {
            if used_at.is_none_or(|at| at.elapsed() >= USE) {
                used_at = Some(Instant::now());
                clients.iter().for_each(|client| (1..USED).for_each(|flag| _ = client.ask(&format!("flag-{flag}"))));
            }
            for (client, held) in clients.iter().zip(&mut held) {
                let value = client.ask(EDITED);
                if value != *held {
                    delays.push(now().saturating_sub(value.parse().unwrap()) / 1_000);
                    *held = value;
                }
            }
            if held[0] != told && held.iter().all(|value| *value == held[0]) {
                told.clone_from(&held[0]);
                let delays: Vec<String> = delays.drain(..).map(|delay| delay.to_string()).collect();
                say(&format!("{told} {}", delays.join(" ")));
            }
            thread::sleep(LOOK);
        }
    });
}

fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    writeln!(output, "fleet: {line}").unwrap();
    output.flush().unwrap();
}

/// A process that was started.
struct Process {
    child: Child,
    /// It ends when this does.
    _input: ChildStdin,
}

/// All processes.
pub struct Fleet {
    processes: Vec<Process>,
    heard: Receiver<String>,
}

impl Fleet {
    /// So many processes with so many clients each; returns when all serve the first value.
    pub fn start(url: &str, processes: usize, clients: usize) -> Self {
        let (told, heard) = channel();
        let start = |_| launch(url, clients, told.clone());
        let processes = (0..processes).map(start).collect();
        let fleet = Self { processes, heard };
        fleet.await_all("1");
        fleet
    }

    /// Waits until every process says this; the delays that were told with it, in microseconds.
    pub fn await_all(&self, what: &str) -> Vec<u64> {
        let (mut missing, mut delays) = (self.processes.len(), Vec::new());
        while missing > 0 {
            let line = self.heard.recv_timeout(10 * PATIENCE).expect("the processes of the fleet answer");
            let mut words = line.split_whitespace();
            missing -= usize::from(words.next() == Some(what));
            delays.extend(words.map(|word| word.parse::<u64>().unwrap()));
        }
        delays
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for Process { child, .. } in &mut self.processes {
            // It has already ended, or it ends now.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn launch(url: &str, clients: usize, told: Sender<String>) -> Process {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "one_process_of_a_fleet"])
        .env("FLEET_URL", url)
        .env("FLEET_CLIENTS", clients.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // The test's own runner says something, too, and without an end of line.
            if let Some((_, line)) = line.split_once("fleet: ") {
                // Nobody hears any more when the measurement has ended.
                let _ = told.send(line.to_owned());
            }
        }
    });
    Process { child, _input: input }
}
