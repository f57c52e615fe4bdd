//! Semantic versions as the `semVer` operators read and order them.
//!
//! Minor and patch may be missing, which version libraries refuse, and a version taken from a context must be compared
//! without an allocation, so parsing borrows the text. Depends on nothing.

use std::cmp::Ordering;

/// A parsed version; build metadata is checked and forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SemVer<'a> {
    numbers: [u64; 3],
    /// Dot-separated identifiers; empty for a release.
    prerelease: &'a str,
}

/// A version that owns its text: the value of a clause.
#[derive(Clone, Debug)]
pub struct OwnedSemVer {
    numbers: [u64; 3],
    prerelease: Box<str>,
}

impl OwnedSemVer {
    /// Reads a version.
    pub fn parse(text: &str) -> Option<OwnedSemVer> {
        let version = SemVer::parse(text)?;
        Some(OwnedSemVer { numbers: version.numbers, prerelease: version.prerelease.into() })
    }

    /// The version, borrowed.
    #[inline]
    pub fn borrow(&self) -> SemVer<'_> {
        SemVer { numbers: self.numbers, prerelease: &self.prerelease }
    }
}

impl<'a> SemVer<'a> {
    /// Reads `major[.minor[.patch]][-prerelease][+build]`; missing numbers are zero.
    pub fn parse(text: &'a str) -> Option<SemVer<'a>> {
        let (text, build) = split(text, '+');
        let (text, prerelease) = split(text, '-');
        if !build.is_none_or(|build| identifiers_are_valid(build, true))
            || !prerelease.is_none_or(|prerelease| identifiers_are_valid(prerelease, false))
        {
            return None;
        }
        let mut numbers = [0; 3];
        let mut components = text.split('.');
        for (position, number) in numbers.iter_mut().enumerate() {
            match components.next() {
                Some(component) => *number = numeric_component(component)?,
                None if position > 0 => break,
                None => return None,
            }
        }
        if components.next().is_some() {
            return None;
        }
        Some(SemVer { numbers, prerelease: prerelease.unwrap_or_default() })
    }

    /// Precedence: numbers first, a prerelease before its release, identifiers one by one. Build metadata is ignored.
    pub fn precedence(&self, other: &SemVer<'_>) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.prerelease, other.prerelease) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (mine, theirs) => compare_prereleases(mine, theirs),
        })
    }
}

fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    match text.split_once(separator) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

fn numeric_component(text: &str) -> Option<u64> {
    is_number(text).then(|| text.parse().ok()).flatten()
}

/// Digits without a leading zero.
fn is_number(text: &str) -> bool {
    all_digits(text) && (text.len() == 1 || !text.starts_with('0'))
}

fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn identifiers_are_valid(text: &str, leading_zeros: bool) -> bool {
    text.split('.').all(|identifier| {
        !identifier.is_empty()
            && identifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && (leading_zeros || !all_digits(identifier) || is_number(identifier))
    })
}

fn compare_prereleases(mine: &str, theirs: &str) -> Ordering {
    let mut others = theirs.split('.');
    for identifier in mine.split('.') {
        let Some(other) = others.next() else {
            return Ordering::Greater;
        };
        let ordering = compare_identifiers(identifier, other);
        if ordering.is_ne() {
            return ordering;
        }
    }
    if others.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

/// Numbers of any length compare by value (no leading zeros: the longer is larger) and come before words.
fn compare_identifiers(mine: &str, theirs: &str) -> Ordering {
    match (all_digits(mine), all_digits(theirs)) {
        (true, true) => mine.len().cmp(&theirs.len()).then_with(|| mine.cmp(theirs)),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => mine.cmp(theirs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compare(mine: &str, theirs: &str) -> Ordering {
        SemVer::parse(mine).unwrap().precedence(&SemVer::parse(theirs).unwrap())
    }

    #[test]
    fn every_version_is_less_than_the_next_of_this_list() {
        let ordered = [
            "0.0.0-0",
            "0.0.0",
            "1.0.0-1",
            "1.0.0-99999999999",
            "1.0.0-100000000000",
            "1.0.0-99999999999999999999999999",
            "1.0.0--1",
            "1.0.0-Alpha",
            "1.0.0-a-b",
            "1.0.0-aB",
            "1.0.0-alpha",
            "1.0.0-rc",
            "1.0.0-rc.1",
            "1.0.0-rc.2.green",
            "1.0.0-rc.10.green",
            "1.0.0-rc.x",
            "1.0.0",
            "1.0.1",
            "1.2",
            "2-rc",
            "2",
            "2147483648.0.0",
            "18446744073709551615.0.0",
        ];
        for (position, mine) in ordered.iter().enumerate() {
            for (other_position, theirs) in ordered.iter().enumerate() {
                assert_eq!(compare(mine, theirs), position.cmp(&other_position), "{mine} {theirs}");
            }
        }
    }

    #[test]
    fn missing_numbers_are_zero_and_build_metadata_does_not_count() {
        for (mine, theirs) in [
            ("2", "2.0.0"),
            ("2.0", "2.0.0"),
            ("2.0.0+b", "2.0.0"),
            ("2+001.a-b", "2.0.0"),
            ("2-rc", "2.0.0-rc"),
            ("2.0-rc+b", "2.0.0-rc"),
        ] {
            assert_eq!(compare(mine, theirs), Ordering::Equal, "{mine} {theirs}");
        }
    }

    #[test]
    fn malformed_versions_are_refused() {
        for text in [
            "",
            " 2.0.0",
            "2.0.0 ",
            "2.0.0\n",
            "v2.0.0",
            "02",
            "2.00",
            "2.0.0.0",
            "2.",
            "2..0",
            ".2",
            "2-",
            "2+",
            "2.0.0-",
            "2.0.0-rc.",
            "2.0.0-.rc",
            "2.0.0-rc..1",
            "2.0.0-01",
            "2.0.0+a+b",
            "2.0.0+b..c",
            "2.-1.0",
            "+2.0.0",
            "-2",
            "2.x",
            "2.0.0-é",
            "٢.0.0",
            "zz",
            "18446744073709551616.0.0",
            "2.0.0-a_b",
            "+",
            "-",
        ] {
            assert_eq!(SemVer::parse(text), None, "{text}");
        }
    }
}
