//! Loss by share: when much of a data set is gone at once, that is more likely a refill under way, or a loss, than a deletion.
//! Nothing is dropped then until two equal reads agree. No clock and no I/O; depends on nothing.

use std::time::{Duration, Instant};

/// So many items may go at once without a question.
const FEW: usize = 3;
/// And so large a part of all, as a divisor.
const PART: usize = 10;
/// Two equal reads agree when they are at least so far apart.
pub const CALM: Duration = Duration::from_secs(2);

/// Stands for a read that there was not.
const NOTHING_READ: u64 = 0;

/// Whether so many of the items held are gone that it is no ordinary deletion.
pub fn is_much(held: usize, missing: usize) -> bool {
    missing > FEW && missing * PART > held
}

/// The same, by how many there are of those held.
pub fn has_shrunk_much(held: usize, there: usize) -> bool {
    is_much(held, held.saturating_sub(there))
}

/// A doubt about a data set of which much is gone.
#[derive(Debug, Default)]
pub struct Doubt(Option<(Instant, u64)>);

impl Doubt {
    /// Judges a read in which much is gone, by what tells it from others: true once it counts.
    pub fn agrees(&mut self, now: Instant, fingerprint: u64) -> bool {
        match self.0 {
            Some((since, same)) if same == fingerprint => {
                let agrees = now.duration_since(since) >= CALM;
                if agrees {
                    self.0 = None;
                }
                agrees
            }
            _ => {
                self.0 = Some((now, fingerprint));
                false
            }
        }
    }

    /// Much is gone by number, and what is there is not known: whatever is read differs from it.
    pub fn begin(&mut self, now: Instant) {
        self.0.get_or_insert((now, NOTHING_READ));
    }

    /// A read in which little is gone settles it.
    pub fn settle(&mut self) {
        self.0 = None;
    }

    /// There is one.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// When the next read may settle it.
    pub fn look_again(&self) -> Option<Instant> {
        self.0.map(|(since, _)| since + CALM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_items_and_a_tenth_of_many_may_go_at_once() {
        for (held, missing) in [(3, 3), (1, 1), (1_000, 100), (40, 4), (0, 0)] {
            assert!(!is_much(held, missing), "{missing} of {held}");
        }
        for (held, missing) in [(4, 4), (39, 4), (1_000, 101)] {
            assert!(is_much(held, missing), "{missing} of {held}");
        }
        assert!(has_shrunk_much(100, 50) && !has_shrunk_much(100, 200));
    }

    #[test]
    fn two_equal_reads_agree_when_they_are_far_enough_apart() {
        let (mut doubt, start) = (Doubt::default(), Instant::now());
        assert!(!doubt.agrees(start, 7));
        assert_eq!(doubt.look_again(), Some(start + CALM));
        assert!(!doubt.agrees(start + CALM / 2, 7));
        assert!(doubt.agrees(start + CALM, 7));
        assert_eq!(doubt.look_again(), None);
    }

    #[test]
    fn a_doubt_that_began_by_number_is_settled_by_two_reads_all_the_same() {
        let (mut doubt, start) = (Doubt::default(), Instant::now());
        doubt.begin(start);
        assert!(doubt.is_open() && !doubt.agrees(start + CALM, 7));
        doubt.begin(start + CALM * 2);
        assert!(doubt.agrees(start + CALM * 2, 7), "one that is open does not begin again");
    }

    #[test]
    fn a_read_that_differs_begins_the_doubt_anew() {
        let (mut doubt, start) = (Doubt::default(), Instant::now());
        assert!(!doubt.agrees(start, 7));
        assert!(!doubt.agrees(start + CALM, 8));
        assert!(!doubt.agrees(start + CALM + CALM / 2, 8));
        assert!(doubt.agrees(start + CALM * 2, 8));
    }
}
