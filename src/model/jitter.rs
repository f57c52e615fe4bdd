//! The one source of jitter: pauses and moments that must not be the same in a thousand processes. Depends on nothing.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, SystemTime};

/// Random bits: from the system, drawn once a thread, and never the same in two processes, although a forked child inherits
/// what its thread has drawn.
pub(super) fn seed() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    hasher.write_u128(time.as_nanos());
    hasher.finish()
}

/// A small random source; not for secrets.
#[derive(Debug)]
pub struct Jitter(u64);

impl Default for Jitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Jitter {
    /// Seeded differently in every process and for every instance.
    pub fn new() -> Self {
        Self(seed() | 1)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One in `ratio` is drawn; none at zero and below.
    pub fn draws(&mut self, ratio: i64) -> bool {
        match u64::try_from(ratio) {
            Ok(1) => true,
            Ok(0) | Err(_) => false,
            Ok(ratio) => self.bits().is_multiple_of(ratio),
        }
    }

    /// Between half and all of a pause.
    pub fn shorten(&mut self, pause: Duration) -> Duration {
        pause - pause.mul_f64(self.between(0.0, 0.5))
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
    fn two_sources_of_jitter_differ() {
        let (mut a, mut b) = (Jitter::new(), Jitter::new());
        let draw = |jitter: &mut Jitter| (0..8).map(|_| jitter.between(0.0, 1.0)).collect::<Vec<f64>>();
        assert_ne!(draw(&mut a), draw(&mut b));
    }

    #[test]
    fn a_shortened_pause_is_at_least_half_of_it() {
        let (mut jitter, whole) = (Jitter::new(), Duration::from_secs(8));
        assert!((0..100).map(|_| jitter.shorten(whole)).all(|pause| pause >= whole / 2 && pause <= whole));
    }
}
