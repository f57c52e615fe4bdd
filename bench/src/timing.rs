//! Rounds and medians. Subjects take turns, so that whatever else the machine does meets all of them alike, and the
//! median of the rounds is reported, not the best. Depends on nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Runs a number of passes over all flags and says how long they took.
pub type Batch<'a> = Box<dyn FnMut(usize) -> Duration + 'a>;

/// Something measured: evaluates every flag in `order` once per pass.
pub fn batch<'a>(order: &'a [usize], evaluate: impl Fn(usize) -> bool + 'a) -> Batch<'a> {
    Box::new(move |passes| {
        let start = Instant::now();
        for _ in 0..passes {
            for index in order {
                black_box(evaluate(*index));
            }
        }
        start.elapsed()
    })
}

/// Median nanoseconds per evaluation of each subject, over `rounds` rounds in which every subject runs for about `turn`.
pub fn interleaved(subjects: &mut [Batch<'_>], evaluations: usize, rounds: usize, turn: Duration) -> Vec<f64> {
    let passes: Vec<usize> = subjects.iter_mut().map(|subject| passes_for(subject, turn)).collect();
    let mut times = vec![Vec::with_capacity(rounds); subjects.len()];
    for _ in 0..rounds {
        for (number, subject) in subjects.iter_mut().enumerate() {
            let nanoseconds = subject(passes[number]).as_secs_f64() * 1e9;
            times[number].push(nanoseconds / (passes[number] * evaluations) as f64);
        }
    }
    times.into_iter().map(median).collect()
}

/// How many passes fill `turn`; the measurement of it warms up caches as well.
fn passes_for(subject: &mut Batch<'_>, turn: Duration) -> usize {
    let once = (0..3).map(|_| subject(1)).min().unwrap_or(turn).max(Duration::from_nanos(1));
    usize::try_from(turn.as_nanos() / once.as_nanos()).map_or(1, |passes| passes.max(1))
}

/// The middle one; the mean of both middle ones for an even number. NaN for none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

/// The smallest value that at least `share` of all values do not exceed. NaN for none.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_ones() {
        assert_eq!(median(vec![9.0, 1.0, 2.0, 4.0]), 3.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn ninety_nine_of_a_hundred_are_within_the_99th_percentile() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(values.clone(), 0.99), 99.0);
        assert_eq!(quantile(values, 1.0), 100.0);
        assert_eq!(quantile(vec![5.0], 0.5), 5.0);
    }
}
