//! When a process reads everything again after a change. What is in use is read at once; the rest waits for its turn, because
//! one change times 16 MB times a hundred processes would be 1.6 GB. Plain state with the rules of time; depends on `model`.
//!
//! A window is as long as all clients together need at the rate they are granted. Further changes are taken into one that is
//! open: it ends once there has been quiet for its width, and does so in the next one of these at a moment of its own in
//! each process; or, where there is no quiet, after a few of them. So a fleet reads everything once after a burst of edits.

use std::time::{Duration, Instant};

use crate::model::Jitter;

/// What all clients of a server together read of it after a change.
const FLEET_BYTES_PER_SECOND: f64 = 100e6;
/// So many clients are assumed where the server does not tell.
const ASSUMED_PEERS: usize = 10;
/// No window is wider.
const WIDEST: Duration = Duration::from_secs(15);
/// Without quiet, the rest is read between so many widths after the first change.
const PATIENCE: (f64, f64) = (4.0, 5.0);
/// The server is asked for the number of clients this often at most.
const ASK_AGAIN: Duration = Duration::from_secs(15);

/// Something has changed, and not everything was read since.
#[derive(Debug)]
struct Window {
    first: Instant,
    latest: Instant,
    bytes: usize,
    /// The moment of this process: 0 is the first, 1 the last.
    place: f64,
    /// More may be coming. After an outage there is nothing to wait for.
    is_edited: bool,
}

/// The share of this process in what a fleet reads.
#[derive(Debug, Default)]
pub struct Spread {
    peers: Option<usize>,
    asked: Option<Instant>,
    window: Option<Window>,
    jitter: Jitter,
    /// The host listens to changes of flags: it wants to hear of all of them soon.
    pub is_eager: bool,
}

impl Spread {
    /// Something was changed, in a data set of so many bytes.
    pub fn note_edit(&mut self, now: Instant, bytes: usize) {
        self.open(now, bytes, true);
    }

    /// Nobody told of changes for a while.
    pub fn note_outage(&mut self, now: Instant, bytes: usize) {
        self.open(now, bytes, false);
    }

    fn open(&mut self, now: Instant, bytes: usize, is_edited: bool) {
        let Some(window) = &mut self.window else {
            let place = self.jitter.between(0.0, 1.0);
            self.window = Some(Window { first: now, latest: now, bytes, place, is_edited });
            return;
        };
        window.bytes = bytes;
        window.is_edited &= is_edited;
        if is_edited {
            window.latest = now;
        }
    }

    /// Everything was read.
    pub fn close(&mut self) {
        self.window = None;
    }

    /// When everything is to be read; `None` when nothing has changed.
    pub fn due(&self) -> Option<Instant> {
        let window = self.window.as_ref()?;
        let width = self.width(window.bytes);
        if !window.is_edited {
            return Some(window.latest + width.mul_f64(window.place));
        }
        let patience = PATIENCE.0 + window.place * (PATIENCE.1 - PATIENCE.0);
        Some((window.latest + width.mul_f64(1.0 + window.place)).min(window.first + width.mul_f64(patience)))
    }

    /// How long all clients together take to read so many bytes each.
    fn width(&self, bytes: usize) -> Duration {
        if self.is_eager {
            return Duration::ZERO;
        }
        let peers = self.peers.unwrap_or(ASSUMED_PEERS);
        #[expect(clippy::cast_precision_loss, reason = "a duration need not be exact")]
        let seconds = bytes as f64 * peers as f64 / FLEET_BYTES_PER_SECOND;
        Duration::from_secs_f64(seconds.min(WIDEST.as_secs_f64()))
    }

    /// Whether the server is to be asked for the number of clients: once in a while, and only when that matters. From here on
    /// it counts as asked.
    pub fn asks_for_peers(&mut self, now: Instant) -> bool {
        let asks = self.window.is_some() && self.asked.is_none_or(|at| now.duration_since(at) >= ASK_AGAIN);
        if asks {
            self.asked = Some(now);
        }
        asks
    }

    /// The server's answer; `None` where it does not tell.
    pub fn set_peers(&mut self, peers: Option<usize>) {
        self.peers = peers;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: usize = 880_803;
    const MS: Duration = Duration::from_millis(1);

    /// What each process of a fleet does when edits come at these moments (ms): how often it reads everything, and when it
    /// does so last.
    fn reads(peers: usize, edits: &[u32]) -> Vec<(usize, Duration)> {
        let start = Instant::now();
        let read = |_| {
            let mut spread = Spread::default();
            spread.set_peers(Some(peers));
            let (mut count, mut last) = (0, Duration::ZERO);
            for now in (0..12_000).map(|step| start + step * 10 * MS) {
                if edits.iter().any(|edit| start + *edit * MS == now) {
                    spread.note_edit(now, SET);
                }
                if spread.due().is_some_and(|due| due <= now) {
                    spread.close();
                    (count, last) = (count + 1, now - start);
                }
            }
            (count, last)
        };
        (0..peers.min(60)).map(read).collect()
    }

    #[test]
    fn a_burst_of_edits_is_followed_by_one_read_of_everything_in_each_process() {
        let reads = reads(200, &[0, 1_000, 2_000, 3_000, 4_000]);
        let width = Duration::from_secs_f64(SET as f64 * 200.0 / FLEET_BYTES_PER_SECOND);
        for (count, last) in &reads {
            assert_eq!(*count, 1);
            assert!(*last >= 4_000 * MS + width && *last <= 4_010 * MS + 2 * width, "{last:?}");
        }
        let thirds = |part: u32| reads.iter().filter(|(_, last)| *last < 4_000 * MS + width + width * part / 3).count();
        assert!((6..=34).contains(&thirds(1)) && (26..=54).contains(&thirds(2)), "{} {}", thirds(1), thirds(2));
    }

    #[test]
    fn edits_without_end_do_not_put_off_the_rest_for_ever_nor_let_it_be_read_for_each_of_them() {
        let edits: Vec<u32> = (0..100).map(|second| second * 1_000).collect();
        for (count, last) in reads(200, &edits) {
            assert!((8..=20).contains(&count), "{count} reads in 100 s");
            assert!(last >= 99_000 * MS, "{last:?}");
        }
    }

    #[test]
    fn a_small_fleet_or_a_small_set_hardly_waits() {
        for (count, last) in reads(5, &[0]) {
            assert!(count == 1 && last <= 100 * MS, "{count}, {last:?}");
        }
        let mut spread = Spread::default();
        let now = Instant::now();
        spread.note_edit(now, 1_000);
        assert!(spread.due().unwrap() <= now + MS);
    }

    #[test]
    fn after_an_outage_nobody_waits_for_quiet_and_nobody_for_longer_than_the_width() {
        let now = Instant::now();
        for _ in 0..100 {
            let mut spread = Spread::default();
            spread.set_peers(Some(1_000));
            spread.note_edit(now, SET);
            spread.note_outage(now + 100 * MS, SET);
            let due = spread.due().unwrap();
            assert!(due >= now && due <= now + 8_900 * MS);
        }
    }

    #[test]
    fn however_much_there_is_to_read_the_wait_is_bounded() {
        let mut spread = Spread::default();
        spread.set_peers(Some(1_000_000));
        let now = Instant::now();
        spread.note_edit(now, usize::MAX);
        assert!(spread.due().unwrap() <= now + WIDEST * 2);
    }

    #[test]
    fn who_listens_to_changes_of_flags_does_not_wait() {
        let mut spread = Spread::default();
        spread.is_eager = true;
        let now = Instant::now();
        spread.note_edit(now, usize::MAX);
        assert_eq!(spread.due(), Some(now));
    }

    #[test]
    fn the_number_of_clients_is_asked_for_once_in_a_while_and_only_after_a_change() {
        let (mut spread, now) = (Spread::default(), Instant::now());
        assert!(!spread.asks_for_peers(now));
        spread.note_edit(now, SET);
        assert!(spread.asks_for_peers(now) && !spread.asks_for_peers(now + 10_000 * MS));
        assert!(spread.asks_for_peers(now + ASK_AGAIN));
        let before = spread.due().unwrap();
        spread.set_peers(Some(200));
        assert!(spread.due().unwrap() > before);
    }
}
