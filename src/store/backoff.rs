//! Pauses between attempts: doubling, capped, jittered, so that a hundred processes do not come back in step. Also the
//! source of every other jitter in the store. Depends on nothing.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(3);

/// Exponential backoff with jitter.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    attempts: u32,
    jitter: Jitter,
}

impl Backoff {
    /// Between attempts to reach Redis.
    pub fn new() -> Self {
        Self::between(FIRST, LONGEST)
    }

    /// Pauses from `first` up to `longest`.
    pub fn between(first: Duration, longest: Duration) -> Self {
        Self { first, longest, attempts: 0, jitter: Jitter::new() }
    }

    /// The next pause: between half and all of the doubled step.
    pub fn next_pause(&mut self) -> Duration {
        let step = self.first.saturating_mul(1 << self.attempts.min(16)).min(self.longest);
        self.attempts = self.attempts.saturating_add(1);
        step.mul_f64(self.jitter.between(0.5, 1.0))
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }
}

/// A small random source; not for secrets.
#[derive(Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// Seeded differently in every process and for every instance.
    pub fn new() -> Self {
        Self(RandomState::new().build_hasher().finish() | 1)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = f64::from((self.bits() >> 32) as u32) / f64::from(u32::MAX);
        low + unit * (high - low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_start_over_after_a_success() {
        let mut backoff = Backoff::new();
        let pauses: Vec<Duration> = (0..12).map(|_| backoff.next_pause()).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST);
        assert!(pauses[3] >= FIRST * 4 && pauses[3] <= FIRST * 8);
        assert!(pauses[11] >= LONGEST / 2 && pauses[11] <= LONGEST);
        backoff.reset();
        assert!(backoff.next_pause() <= FIRST);
    }

    #[test]
    fn two_sources_of_jitter_differ() {
        let (mut a, mut b) = (Jitter::new(), Jitter::new());
        let draw = |jitter: &mut Jitter| (0..8).map(|_| jitter.between(0.0, 1.0)).collect::<Vec<f64>>();
        assert_ne!(draw(&mut a), draw(&mut b));
    }
}
