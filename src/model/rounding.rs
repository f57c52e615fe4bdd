//! How a number becomes an integer of 64 bits: one rule for every host, whatever its language. Depends on nothing.

/// What becomes of a fraction. Numbers beyond 64 bits give the nearest end of the range either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest integer; from the middle between two, to the even one.
    #[default]
    HalfEven,
    /// Toward zero.
    Truncate,
}

impl Rounding {
    /// The integer for a number.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the cast is defined to saturate, which is what is wanted")]
    pub fn round(self, number: f64) -> i64 {
        match self {
            Rounding::HalfEven => number.round_ties_even() as i64,
            Rounding::Truncate => number as i64,
        }
    }

    /// The integer for a number that is written as `json`: exact where it is written as an integer, although a double may
    /// not be able to hold it.
    pub fn round_written(self, json: &str, number: f64) -> i64 {
        json.parse().unwrap_or_else(|_| self.round(number))
    }
}

#[cfg(test)]
mod tests {
    use super::Rounding::{HalfEven, Truncate};

    #[test]
    fn halves_go_to_the_even_neighbour_or_toward_zero_and_the_ends_hold() {
        for (number, even, truncated) in [
            (0.5, 0, 0),
            (1.5, 2, 1),
            (2.5, 2, 2),
            (2.75, 3, 2),
            (-0.5, 0, 0),
            (-2.5, -2, -2),
            (-2.75, -3, -2),
            (9_007_199_254_740_994.0, 9_007_199_254_740_994, 9_007_199_254_740_994),
            (9.3e18, i64::MAX, i64::MAX),
            (-1e300, i64::MIN, i64::MIN),
        ] {
            assert_eq!(HalfEven.round(number), even, "{number}");
            assert_eq!(Truncate.round(number), truncated, "{number}");
        }
    }

    #[test]
    fn what_is_written_as_an_integer_stays_exact() {
        assert_eq!(
            HalfEven.round_written("1234567890123456789", 1.234_567_890_123_456_8e18),
            1_234_567_890_123_456_789
        );
        assert_eq!(HalfEven.round_written("18446744073709551615", 1.844_674_407_370_955_2e19), i64::MAX);
        assert_eq!(Truncate.round_written("-0", -0.0), 0);
        assert_eq!(HalfEven.round_written("2.5e0", 2.5), 2);
    }
}
