//! What Redis sends after an edit, by the formulas of docs/scale.md. Pure functions.

use std::time::Duration;

/// What all clients together read of everything in a second, at most.
pub const FLEET_BYTES_PER_SECOND: f64 = 100e6;
/// No window is wider.
const WIDEST: Duration = Duration::from_secs(15);
/// Where edits go on without a pause, everything is read once in so many windows.
const PATIENCE: f64 = 4.5;
/// Beside texts: a push, and the frame of a read.
const PUSH: f64 = 53.0;
const FRAME: f64 = 90.0;
/// Around each text: its length and two ends of lines.
const AROUND: f64 = 8.0;

/// Clients of one Redis and what they hold.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    pub clients: usize,
    /// Flags and segments, and bytes of all keys and texts.
    pub items: usize,
    pub bytes: usize,
    /// What each of them evaluates all the time.
    pub used_items: usize,
    pub used_bytes: usize,
}

impl Fleet {
    /// Bytes that follow an edit at once.
    pub fn at_once(&self) -> f64 {
        let used = self.used_bytes as f64 + self.used_items as f64 * AROUND;
        self.clients as f64 * (PUSH + FRAME + used)
    }

    /// Bytes of one read of everything by everybody.
    pub fn everything(&self) -> f64 {
        self.clients as f64 * (self.bytes as f64 + self.items as f64 * 2.0 * AROUND + FRAME)
    }

    /// The window within which everybody reads everything.
    pub fn window(&self) -> Duration {
        let seconds = self.bytes as f64 * self.clients as f64 / FLEET_BYTES_PER_SECOND;
        Duration::from_secs_f64(seconds).min(WIDEST)
    }

    /// How often everybody reads everything for each of many edits that are so far apart.
    pub fn passes(&self, apart: Duration) -> f64 {
        let windows = apart.as_secs_f64() / self.window().as_secs_f64();
        if windows > 2.0 { 1.0 } else { (windows / PATIENCE).min(1.0) }
    }

    /// Bytes for each of many edits that are so far apart.
    pub fn per_edit(&self, apart: Duration) -> f64 {
        self.at_once() + self.everything() * self.passes(apart)
    }
}
