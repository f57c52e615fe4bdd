//! What `Retry-After` asks for: seconds, or a date in one of the three forms that HTTP knows; `Date` has them, too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longest pause that a server may ask for.
const LONGEST: Duration = Duration::from_secs(3600);
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The pause, at most an hour; `None` for what is neither a number nor a date. `date` is when the server says it is: its
/// clock may differ from ours.
pub(super) fn pause(value: &str, date: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(LONGEST, |seconds| Duration::from_secs(seconds).min(LONGEST)));
    }
    let ours = || SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_secs()).ok());
    let now = date.and_then(unix_seconds).or_else(ours)?;
    let left = unix_seconds(value)?.saturating_sub(now);
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)).min(LONGEST))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
pub(super) fn unix_seconds(date: &str) -> Option<i64> {
    let parts: Vec<&str> = date.split([' ', ',', '-']).filter(|part| !part.is_empty()).collect();
    let (day, month, year, time) = match parts[..] {
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let year = match number(year)? {
        short @ 0..70 => short + 2000,
        short @ 70..100 => short + 1900,
        year @ 1970..10_000 => year,
        _ => return None,
    };
    let clock: Vec<i64> = time.split(':').map(number).collect::<Option<_>>()?;
    let [hour @ 0..24, minute @ 0..60, second @ 0..61] = clock[..] else { return None };
    let day = number(day).filter(|day| (1..=31).contains(day))?;
    Some(((days(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second)
}

/// Days from 1970 to the first of a month, which is counted from 0.
fn days(year: i64, month: usize) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let extra = leaps(year - 1) - leaps(1969) + i64::from(is_leap && month > 1);
    (year - 1970) * 365 + extra + BEFORE.get(month).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_forms_of_a_date_are_read() {
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(unix_seconds(date), Some(784_111_777), "{date}");
        }
        for (date, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 29 Feb 2024 12:00:00 GMT", 1_709_208_000),
            ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Tue, 31 Dec 2069 23:59:59 GMT", 3_155_759_999),
        ] {
            assert_eq!(unix_seconds(date), Some(seconds), "{date}");
        }
        for date in [
            "",
            "soon",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, -6 Nov 1994 08:+9:37 GMT",
        ] {
            assert_eq!(unix_seconds(date), None, "{date}");
        }
    }

    #[test]
    fn a_pause_is_a_number_of_seconds_or_lasts_until_a_date_and_never_above_an_hour() {
        let now = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (value, seconds) in [
            ("0", 0),
            (" 120 ", 120),
            ("3601", 3600),
            ("99999999999999999999999999", 3600),
            ("Sun, 06 Nov 1994 08:51:37 GMT", 120),
            ("Sun, 06 Nov 1994 08:49:00 GMT", 0),
            ("Mon, 07 Nov 1994 08:49:37 GMT", 3600),
        ] {
            assert_eq!(pause(value, now), Some(Duration::from_secs(seconds)), "{value}");
        }
        for value in ["", "-1", "1.5", "soon"] {
            assert_eq!(pause(value, now), None, "{value}");
        }
        assert_eq!(pause("Sun, 06 Nov 1994 08:51:37 GMT", None), Some(Duration::ZERO), "that is long past");
    }
}
