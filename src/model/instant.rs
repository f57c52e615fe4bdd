//! Points in time as `before` and `after` compare them.
//!
//! Numbers are milliseconds since 1970, strings are RFC 3339 date-times with a mandatory zone. The grammar is checked
//! here because it is stricter than what date libraries accept; the calendar comes from the `time` crate.

use time::{Date, Month};

const UNIX_EPOCH_JULIAN_DAY: i64 = 2_440_588;
const SECONDS_PER_DAY: i64 = 86_400;

/// A point in time with a resolution of one nanosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant {
    /// Whole seconds since 1970, rounded down.
    seconds: i64,
    pub(super) nanoseconds: u32,
}

impl Instant {
    /// From milliseconds since 1970. Fractions are cut off; none if the rest does not fit 64 bits.
    #[inline]
    pub fn from_milliseconds(number: f64) -> Option<Instant> {
        let whole = number.trunc();
        // 2^63 is the first double above the range; -2^63 is in it.
        if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole) {
            return None;
        }
        let milliseconds = whole as i64;
        Some(Instant {
            seconds: milliseconds.div_euclid(1000),
            nanoseconds: milliseconds.rem_euclid(1000) as u32 * 1_000_000,
        })
    }

    /// Whole seconds since 1970, rounded down.
    pub fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// From an RFC 3339 date-time such as `2017-12-06T00:00:00.000-07:00`.
    ///
    /// `t` and `z` may be lower case, a fraction has one to nine digits, second 60 is the second that follows. Anything
    /// else (no zone, no seconds, a space, a comma, text after the zone) is refused.
    pub fn from_rfc3339(text: &str) -> Option<Instant> {
        let mut scanner = Scanner { rest: text.as_bytes() };
        let days = scanner.date()?;
        scanner.one_of(b"Tt")?;
        let (second_of_day, nanoseconds) = scanner.time()?;
        let offset = scanner.offset()?;
        if !scanner.rest.is_empty() {
            return None;
        }
        Some(Instant { seconds: days * SECONDS_PER_DAY + second_of_day - offset, nanoseconds })
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
}

impl Scanner<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn one_of(&mut self, allowed: &[u8]) -> Option<u8> {
        self.byte().filter(|byte| allowed.contains(byte))
    }

    /// Exactly `count` ASCII digits with a value of at most `max`.
    fn number(&mut self, count: usize, max: u16) -> Option<u16> {
        let mut value = 0u16;
        for _ in 0..count {
            let digit = self.byte().filter(u8::is_ascii_digit)?;
            value = value * 10 + u16::from(digit - b'0');
        }
        (value <= max).then_some(value)
    }

    /// Days since 1970.
    fn date(&mut self) -> Option<i64> {
        let year = self.number(4, 9999)?;
        self.one_of(b"-")?;
        let month = Month::try_from(self.number(2, 12)? as u8).ok()?;
        self.one_of(b"-")?;
        let day = self.number(2, 31)? as u8;
        let date = Date::from_calendar_date(i32::from(year), month, day).ok()?;
        Some(i64::from(date.to_julian_day()) - UNIX_EPOCH_JULIAN_DAY)
    }

    /// Seconds since midnight and nanoseconds.
    fn time(&mut self) -> Option<(i64, u32)> {
        let hour = self.number(2, 23)?;
        self.one_of(b":")?;
        let minute = self.number(2, 59)?;
        self.one_of(b":")?;
        let second = self.number(2, 60)?;
        let seconds = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        Some((seconds, self.fraction()?))
    }

    fn fraction(&mut self) -> Option<u32> {
        if self.rest.first() != Some(&b'.') {
            return Some(0);
        }
        self.byte()?;
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        let mut nanoseconds = 0;
        for position in 0..9 {
            nanoseconds *= 10;
            if position < digits {
                nanoseconds += u32::from(self.byte()? - b'0');
            }
        }
        Some(nanoseconds)
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let hours = self.number(2, 23)?;
        self.one_of(b":")?;
        let minutes = self.number(2, 59)?;
        Some(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(number: f64) -> Instant {
        Instant::from_milliseconds(number).unwrap()
    }

    #[test]
    fn valid_date_times_are_the_right_instants() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("2017-12-06T00:00:00.000-07:00", 1_512_543_600_000.0),
            ("2017-12-06t07:00:00z", 1_512_543_600_000.0),
            ("2017-12-06T00:00:00.5Z", 1_512_518_400_500.0),
            ("2017-12-06T00:00:00-00:00", 1_512_518_400_000.0),
            ("2017-12-06T23:59:00+23:59", 1_512_518_400_000.0),
            ("2016-02-29T00:00:00Z", 1_456_704_000_000.0),
            ("2016-12-31T23:59:60Z", 1_483_228_800_000.0),
            ("2016-12-30T12:00:60Z", 1_483_099_260_000.0),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000.0),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000.0),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000.0),
            ("1969-12-31T23:59:59.999Z", -1.0),
        ] {
            assert_eq!(Instant::from_rfc3339(text), Some(milliseconds(expected)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "2017-12-06",
            "00:00:00Z",
            "1512543600000",
            "2017-12-06T00:00:00",
            "2017-12-06 00:00:00Z",
            "2017-12-06X00:00:00Z",
            "2017-12-06T00:00Z",
            "2017-12-06T00:00:00.Z",
            "2017-12-06T00:00:00.1234567891Z",
            "2017-12-06T00:00:00,5Z",
            "2017-12-06T00:00:00+0700",
            "2017-12-06T00:00:00+07",
            "2017-12-06T00:00:00+7:00",
            "2017-12-06T00:00:00+24:00",
            "2017-12-06T00:00:00+99:00",
            "2017-12-06T00:00:00+07:60",
            "2017-12-06T00:00:00\u{2212}07:00",
            "2017-12-06T1:00:00Z",
            "2017-1-06T00:00:00Z",
            "2017-00-06T00:00:00Z",
            "2017-13-06T00:00:00Z",
            "2017-02-29T00:00:00Z",
            "2017-02-30T00:00:00Z",
            "2017-12-00T00:00:00Z",
            "2017-12-06T24:00:00Z",
            "2017-12-06T00:60:00Z",
            "2016-12-31T23:59:61Z",
            "2017-12-06T00:00:00Zfoo",
            "2017-12-06T00:00:00Z\n",
            " 2017-12-06T00:00:00Z",
            "+2017-12-06T00:00:00Z",
            "20171206T000000Z",
            "2017-W49-3T00:00:00Z",
            "２017-12-06T00:00:00Z",
        ] {
            assert_eq!(Instant::from_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn strings_have_a_resolution_of_one_nanosecond() {
        let earlier = Instant::from_rfc3339("2017-12-06T00:00:00.000000001Z").unwrap();
        let later = Instant::from_rfc3339("2017-12-06T00:00:00.000000002Z").unwrap();
        assert!(earlier < later);
        assert!(milliseconds(1_512_518_400_000.0) < earlier);
    }

    #[test]
    fn fractional_milliseconds_are_cut_off_towards_zero() {
        assert_eq!(milliseconds(1.9), milliseconds(1.1));
        assert!(milliseconds(2.5) > milliseconds(1.5));
        assert_eq!(milliseconds(-0.9), milliseconds(0.0));
    }

    #[test]
    fn numbers_do_not_wrap_and_are_refused_beyond_64_bits() {
        assert!(milliseconds(253_402_300_800_000.0) > milliseconds(0.0));
        assert!(milliseconds(1e18) > milliseconds(1e17));
        assert!(milliseconds(-1e18) < milliseconds(0.0));
        assert!(milliseconds(-9_223_372_036_854_775_808.0) < milliseconds(-1e18));
        for number in [1e19, -1e19, 9_223_372_036_854_775_808.0, f64::INFINITY, f64::NAN] {
            assert_eq!(Instant::from_milliseconds(number), None, "{number}");
        }
    }
}
