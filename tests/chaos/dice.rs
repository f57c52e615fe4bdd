//! Chance that a seed repeats, and what a run is told by its environment. Each test binary uses a part of it.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::Role;

/// A small generator: the run is told by its seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from((self.0 >> 20) % sides as u64).unwrap()
    }

    pub fn pause(&mut self, longest_ms: usize) {
        thread::sleep(Duration::from_millis(self.roll(longest_ms) as u64));
    }

    pub fn role(&mut self) -> Role {
        [Role::Watch, Role::Data, Role::Any][self.roll(3)]
    }
}

/// A number that the environment says.
pub fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().expect("a number"))
}

/// `CHAOS_SEED`, or another one each time.
pub fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    number_of("CHAOS_SEED").unwrap_or_else(|| u64::from(now.subsec_nanos()))
}

/// How many rounds, and how long at most: `CHAOS_ROUNDS`, or those of a short run.
pub fn rounds(short: (u32, Duration)) -> (u32, Duration) {
    number_of("CHAOS_ROUNDS").map_or(short, |rounds| (u32::try_from(rounds).unwrap(), Duration::MAX))
}
