//! Those who evaluate all the time and note what they are given.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use crate::history::{Answer, COUNT};
use crate::support::*;

/// Flags that need a segment or another flag; their value never changes.
pub const DEPENDENT: [&str; 2] = ["member", "child"];

/// The key of a flag whose value is written.
pub fn key_of(flag: usize) -> String {
    format!("flag-{flag}")
}

/// The text of such a flag.
pub fn text_of(flag: usize, value: usize) -> String {
    crate::support::flag(&key_of(flag), i64::try_from(value).unwrap() + 1, &value.to_string())
}

/// Everything that is there in the beginning.
pub fn first_flags() -> Vec<(&'static str, String)> {
    let numbered = (0..COUNT).map(|flag| (&*key_of(flag).leak(), text_of(flag, 0)));
    let member = Flag::new("member", 1, "in").for_segment("s").text();
    let child = Flag::new("child", 1, "in").requires("steady").text();
    numbered.chain([("member", member), ("child", child), ("steady", flag("steady", 1, "yes"))]).collect()
}

/// Evaluates with one client.
pub struct Reader<'c> {
    pub name: &'static str,
    client: &'c Client,
    /// Numbers that differ from the one before.
    pub answers: Mutex<Vec<Answer>>,
    /// Defaults, errors and everything else that is no value of the flag.
    pub defaults: Mutex<BTreeSet<String>>,
}

impl<'c> Reader<'c> {
    pub fn new(name: &'static str, client: &'c Client) -> Self {
        Self { name, client, answers: Mutex::default(), defaults: Mutex::default() }
    }

    pub fn go_on(&self, over: &AtomicBool) {
        let keys: Vec<String> = (0..COUNT).map(key_of).collect();
        let mut last = vec![String::new(); COUNT];
        while !over.load(SeqCst) {
            for (flag, key) in keys.iter().enumerate() {
                let text = self.client.ask(key);
                if text != last[flag] {
                    self.note(flag, &text);
                    last[flag] = text;
                }
            }
            for key in DEPENDENT {
                let text = self.client.ask(key);
                if text != "in" {
                    self.defaults.lock().unwrap().insert(format!("{key} gave {text}"));
                }
            }
            thread::sleep(Duration::from_millis(3));
        }
    }

    fn note(&self, flag: usize, text: &str) {
        match text.parse() {
            Ok(value) => self.answers.lock().unwrap().push(Answer { at: Instant::now(), flag, value }),
            Err(_) => _ = self.defaults.lock().unwrap().insert(format!("{} gave {text}", key_of(flag))),
        }
    }
}
