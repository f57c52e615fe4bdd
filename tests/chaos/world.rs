//! What the chaos test plays with: the truth, two servers behind a gate, and everything that may happen to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use fakeld::Kind;

use crate::dice::Dice;
use crate::support::*;

const COUNT: usize = 40;

/// A flag: the number of the newest value that may have been written, and of the oldest that may still be served.
#[derive(Default)]
pub struct Known {
    newest: AtomicI64,
    oldest: AtomicI64,
}

/// What is true. Values are numbers; versions rise with them.
pub struct Truth(Vec<Known>);

impl Truth {
    fn text(&self, number: usize) -> (String, String) {
        let value = self.0[number].newest.load(SeqCst);
        let key = format!("flag-{number}");
        let text = flag(&key, value + 1, &value.to_string());
        (key, text)
    }

    /// A new value, which may be served from now on.
    fn change(&self, number: usize) -> (String, String) {
        self.0[number].newest.fetch_add(1, SeqCst);
        self.text(number)
    }

    /// Whether the client gives the newest value of every flag.
    pub fn is_held_by(&self, client: &Client) -> bool {
        let is_newest = |(number, known): (usize, &Known)| {
            client.ask(&format!("flag-{number}")) == known.newest.load(SeqCst).to_string()
        };
        self.0.iter().enumerate().all(is_newest)
    }

    /// Nothing older than now may be served.
    pub fn settle(&self) {
        self.0.iter().for_each(|known| known.oldest.store(known.newest.load(SeqCst), SeqCst));
    }

    /// What is wrong with the client's answers.
    pub fn wrong(&self, client: &Client) -> Vec<String> {
        let mut wrong = Vec::new();
        for (number, known) in self.0.iter().enumerate() {
            let oldest = known.oldest.load(SeqCst);
            let answer = client.ask(&format!("flag-{number}"));
            let newest = known.newest.load(SeqCst);
            if !answer.parse::<i64>().is_ok_and(|value| (oldest..=newest).contains(&value)) {
                wrong.push(format!("flag-{number} gave {answer}, not {oldest} to {newest}"));
            }
        }
        for key in DEPENDENT {
            let answer = client.ask(key);
            if answer != "in" {
                wrong.push(format!("{key} gave {answer}"));
            }
        }
        wrong
    }
}

/// Flags that need a segment or another flag; their value never changes.
pub const DEPENDENT: [&str; 2] = ["member", "child"];

fn dependent() -> [(String, String); 2] {
    let member = Flag::new("member", 1, "in").for_segment("s").text();
    [("member".into(), member), ("child".into(), Flag::new("child", 1, "in").requires("flag-0").text())]
}

/// Two servers, of which one is behind the gate, and who fills them: a LaunchDarkly, or nobody but the test.
pub struct World {
    servers: [RedisServer; 2],
    current: usize,
    pub gate: Gate,
    pub truth: Arc<Truth>,
    pub fake: Option<fakeld::Fake>,
    dice: Dice,
}

impl World {
    pub fn new(fake: Option<fakeld::Fake>, seed: u64) -> Self {
        let servers = [RedisServer::start(), RedisServer::start()];
        let truth = Arc::new(Truth((0..COUNT).map(|_| Known::default()).collect()));
        let gate = Gate::to(servers[0].port());
        let world = Self { servers, current: 0, gate, truth, fake, dice: Dice::new(seed) };
        match &world.fake {
            Some(fake) => fake.edit(|environment| {
                world.items().iter().for_each(|(_, text)| _ = environment.set(Kind::Flag, text).unwrap());
                environment.set(Kind::Segment, &segment("s", 1, &["ada"])).unwrap();
            }),
            None => world.replace(),
        }
        world
    }

    pub fn server(&self) -> &RedisServer {
        &self.servers[self.current]
    }

    fn items(&self) -> Vec<(String, String)> {
        (0..COUNT).map(|number| self.truth.text(number)).chain(dependent()).collect()
    }

    /// Writes the truth in one transaction.
    fn replace(&self) {
        let items = self.items();
        let flags: Vec<(&str, String)> = items.iter().map(|(key, text)| (key.as_str(), text.clone())).collect();
        self.server().replace(&flags, &[("s", segment("s", 1, &["ada"]))]);
    }

    /// Writes the truth field by field.
    fn refill(&mut self, marker_first: bool) {
        if marker_first {
            self.server().set_inited();
        }
        self.server().set_segment("s", segment("s", 1, &["ada"]));
        for (key, text) in self.items() {
            self.server().set_flag(key, text);
            self.dice.pause(20);
        }
        self.server().set_inited();
    }

    /// After a loss: by the test, if nobody else does it.
    fn fill(&mut self) {
        if self.fake.is_some() {
            return;
        }
        self.dice.pause(300);
        match self.dice.roll(3) {
            0 => self.replace(),
            kind => self.refill(kind == 1),
        }
    }

    /// A few new values.
    fn edit(&mut self) {
        for _ in 0..=self.dice.roll(5) {
            let (key, text) = self.truth.change(self.dice.roll(COUNT));
            match &self.fake {
                Some(fake) => fake.patch(Kind::Flag, &text).unwrap(),
                None => self.server().set_flag(key, text),
            }
        }
    }

    /// New values everywhere, at once.
    fn edit_all(&mut self) {
        let texts: Vec<String> = (0..COUNT).map(|number| self.truth.change(number).1).collect();
        match &self.fake {
            Some(fake) => {
                fake.edit(|environment| texts.iter().for_each(|text| _ = environment.set(Kind::Flag, text).unwrap()));
                fake.put();
            }
            None => self.replace(),
        }
    }

    /// One thing that happens; gives its name.
    pub fn round(&mut self) -> String {
        match self.dice.roll(10) {
            0 => self.edit_all(),
            1 => {
                self.servers[self.current].kill();
                self.dice.pause(500);
                self.servers[self.current].restart();
                self.fill();
                self.edit();
                return "killed and started empty".into();
            }
            2 => {
                self.server().stop();
                self.dice.pause(1_500);
                self.server().cont();
                self.edit();
                return "stopped and continued".into();
            }
            3 => {
                self.server().flush();
                self.fill();
                return "wiped".into();
            }
            4 => return self.lose_features(),
            5 | 6 => return self.move_away(),
            7 => {
                let role = self.dice.role();
                self.gate.cut(role);
                self.edit();
                return format!("cut {role:?}");
            }
            8 => return self.refuse(),
            _ => return self.source_is_away(),
        }
        "replaced".into()
    }

    fn lose_features(&mut self) -> String {
        self.server().remove(&["features"]);
        match self.fake.is_some() {
            true => self.edit(),
            false => self.refill(true),
        }
        "features lost, the marker there".into()
    }

    /// The other server is filled, and the name leads there.
    fn move_away(&mut self) -> String {
        let role = self.dice.role();
        self.current = 1 - self.current;
        self.server().flush();
        if self.fake.is_none() {
            self.truth.change(self.dice.roll(COUNT));
            self.replace();
        }
        self.gate.lead_to(self.server().port());
        self.gate.cut(role);
        self.dice.pause(300);
        self.edit();
        format!("moved, cut {role:?}")
    }

    fn refuse(&mut self) -> String {
        let what = ["*", "CLIENT TRACKING", "MULTI", "EVAL", "HGETALL"][self.dice.roll(5)];
        let rule = [
            Rule::error("LOADING Redis is loading the dataset in memory"),
            Rule::error("READONLY You can't write against a read only replica."),
            Rule::error("OOM command not allowed when used memory > 'maxmemory'."),
            Rule::Close,
            Rule::Hang,
        ][self.dice.roll(5)]
        .clone();
        self.gate.rule(what, rule.clone());
        self.gate.cut(self.dice.role());
        self.edit();
        self.dice.pause(800);
        self.gate.clear();
        format!("{what}: {rule:?}")
    }

    fn source_is_away(&mut self) -> String {
        let (number, pause) = (self.dice.roll(COUNT), self.dice.roll(300) as u64);
        if let Some(fake) = &self.fake {
            fake.kill();
            thread::sleep(Duration::from_millis(pause));
            let (_, text) = self.truth.change(number);
            fake.edit(|environment| _ = environment.set(Kind::Flag, &text).unwrap());
            fake.start_again().unwrap();
            return "the source was away".into();
        }
        self.edit();
        "edited".into()
    }
}
