//! The one writer: it edits at the primary that it is sent to, and at a LaunchDarkly whose clients fill Redis.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use fakeld::{Fake, Kind};
use redis::{Connection, RedisResult, cmd};

use crate::dice::Dice;
use crate::history::{COUNT, Fate, History};
use crate::readers::{key_of, text_of};

/// How long an answer is waited for.
const ANSWER: Duration = Duration::from_millis(300);
const PAUSE: Duration = Duration::from_millis(10);

/// Where edits go; held while one is made.
struct Office {
    port: u16,
    connection: Option<Connection>,
    is_paused: bool,
}

pub struct Writer<'f> {
    office: Mutex<Office>,
    hash: String,
    fake: &'f Fake,
    /// What was written to the primaries, and what LaunchDarkly was told.
    direct: Mutex<History>,
    source: Mutex<History>,
}

impl<'f> Writer<'f> {
    pub fn new(port: u16, prefix: &str, fake: &'f Fake) -> Self {
        let office = Office { port, connection: None, is_paused: false };
        let history = || Mutex::new(History::new());
        Self {
            office: Mutex::new(office),
            hash: format!("{prefix}:features"),
            fake,
            direct: history(),
            source: history(),
        }
    }

    pub fn go_on(&self, over: &AtomicBool, seed: u64) {
        let mut dice = Dice::new(seed);
        while !over.load(SeqCst) {
            {
                let mut office = self.office.lock().unwrap();
                if !office.is_paused {
                    self.edit_source(dice.roll(COUNT));
                    self.edit(&mut office, dice.roll(COUNT));
                }
            }
            thread::sleep(PAUSE);
        }
    }

    /// After this no edit is on its way.
    pub fn pause(&self) {
        self.office().is_paused = true;
    }

    pub fn resume(&self) {
        self.office().is_paused = false;
    }

    /// Edits go to this primary from here on, which had these values when it took office. LaunchDarkly loses nothing.
    pub fn go_to(&self, port: u16, values: Vec<usize>) {
        let mut office = self.office();
        (office.port, office.connection) = (port, None);
        self.history(false).begin_line(values);
        let mut source = self.history(true);
        let newest = (0..COUNT).map(|flag| source.newest(flag)).collect();
        source.begin_line(newest);
    }

    /// What was written to the primaries, or what LaunchDarkly was told.
    pub fn history(&self, of_source: bool) -> MutexGuard<'_, History> {
        let history = if of_source { &self.source } else { &self.direct };
        history.lock().unwrap()
    }

    fn office(&self) -> MutexGuard<'_, Office> {
        self.office.lock().unwrap()
    }

    fn edit_source(&self, flag: usize) {
        let value = self.history(true).begin(flag);
        self.fake.patch(Kind::Flag, &text_of(flag, value)).unwrap();
        self.history(true).end(flag, value, Fate::Acknowledged(Instant::now()));
    }

    fn edit(&self, office: &mut Office, flag: usize) {
        if office.connection.is_none() {
            office.connection = connect(office.port).ok();
        }
        let Some(connection) = &mut office.connection else { return };
        let value = self.history(false).begin(flag);
        let mut command = cmd("HSET");
        command.arg(&self.hash).arg(key_of(flag)).arg(text_of(flag, value));
        let fate = match command.exec(connection) {
            Ok(()) => Fate::Acknowledged(Instant::now()),
            // What the server answers with an error it does not hold; otherwise it may.
            Err(error) if error.code().is_some() => Fate::Refused,
            Err(_) => {
                office.connection = None;
                Fate::Sent
            }
        };
        self.history(false).end(flag, value, fate);
    }
}

fn connect(port: u16) -> RedisResult<Connection> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let connection = client.get_connection_with_timeout(ANSWER)?;
    connection.set_read_timeout(Some(ANSWER))?;
    Ok(connection)
}
