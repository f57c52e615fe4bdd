//! Fuzz targets of what reads items and their parts: any bytes may come, and whatever is read in two ways must come to the same.
//! Each is a function that fails by panicking.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a target fails by panicking")]

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::regexes::{self, Refusal};
use super::{
    AttributeRef, Flag, Instant, Interner, Kind, ParseError, Parsed, RawMember, Segment, SemVer, Stamp, Value,
    checked_json, exceeds_depth, failing_member, glance, parse_flag, parse_segment, read_string, regex_dialect, repair,
    scan_elements, scan_members, stamp, tombstone_text, write_compact,
};

/// The text of a flag: outline, stamp and flag agree, and what it says is in the flag.
pub fn flag(data: &[u8]) {
    let live = item(data, Kind::Flag, parse_flag, |flag| flag.version, outline_of_flag);
    let Some(flag) = live else { return };
    let members = scan_members(data).unwrap();
    assert_eq!(*flag.key, text_of(&members, "key").unwrap_or_else(|| "field".to_owned()));
    assert_eq!(*flag.salt, text_of(&members, "salt").unwrap_or_default());
    assert_eq!(flag.on, last(&members, "on") == Some(b"true"));
    let variations = elements_of(&members, "variations");
    assert_eq!(flag.variations.iter().map(|it| it.json().as_bytes()).collect::<Vec<_>>(), variations);
    let rules = elements_of(&members, "rules");
    let ids = rules.iter().map(|rule| text_of(&scan_members(rule).unwrap(), "id").unwrap_or_default());
    assert_eq!(flag.rules.iter().map(|rule| rule.id.to_string()).collect::<Vec<_>>(), ids.collect::<Vec<_>>());
    for (rule, written) in flag.rules.iter().zip(&rules) {
        assert_eq!(rule.clauses.len(), elements_of(&scan_members(written).unwrap(), "clauses").len());
    }
    let required = elements_of(&members, "prerequisites");
    let keys = required.iter().map(|one| text_of(&scan_members(one).unwrap(), "key").unwrap_or_default());
    assert_eq!(flag.prerequisite_keys().map(str::to_owned).collect::<Vec<_>>(), keys.collect::<Vec<_>>());
}

/// The text of a segment, in the same way.
pub fn segment(data: &[u8]) {
    let live = item(data, Kind::Segment, parse_segment, |segment| segment.version, outline_of_segment);
    let Some(segment) = live else { return };
    let members = scan_members(data).unwrap();
    assert_eq!(*segment.key, text_of(&members, "key").unwrap_or_else(|| "field".to_owned()));
    assert_eq!(segment.rules.len(), elements_of(&members, "rules").len());
    for (set, name) in [(&segment.included, "included"), (&segment.excluded, "excluded")] {
        for key in elements_of(&members, name) {
            assert!(set.contains(&read_string(key).unwrap()), "{name} lacks a key");
        }
    }
    assert_eq!(segment.unbounded.is_some(), last(&members, "unbounded") == Some(b"true"));
}

type Parse<T> = fn(&str, &[u8], &mut Interner) -> Result<Parsed<T>, ParseError>;

/// What holds for items of both kinds; the item, if it is a live one.
fn item<T>(data: &[u8], kind: Kind, parse: Parse<T>, version: fn(&T) -> i64, outline: fn(&T) -> String) -> Option<T> {
    let interner = &mut Interner::default();
    let (glanced, stamped) = (glance(data), stamp(data));
    if let (Some(version), Some(stamped)) = (glanced, stamped) {
        assert_eq!(stamped, Stamp { version, deleted: false });
    }
    match parse("field", data, interner) {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
        Ok(Parsed::Tombstone { version }) => {
            assert_eq!(glanced, None);
            assert!(stamped.is_none_or(|stamped| stamped == Stamp { version, deleted: true }));
            let text = tombstone_text(kind, "k", version);
            assert!(
                matches!(parse("k", text.as_bytes(), interner), Ok(Parsed::Tombstone { version: it }) if it == version)
            );
            None
        }
        Ok(Parsed::Live(item)) => {
            assert_eq!(stamped, Some(Stamp { version: version(&item), deleted: false }));
            assert!(glanced.is_none_or(|glanced| glanced == version(&item)));
            let mut compact = String::new();
            write_compact(std::str::from_utf8(data).unwrap(), &mut compact);
            let Ok(Parsed::Live(again)) = parse("field", compact.as_bytes(), interner) else {
                panic!("without white space it is none")
            };
            assert_eq!(outline(&item), outline(&again));
            Some(item)
        }
    }
}

fn outline_of_flag(flag: &Flag) -> String {
    let rules: Vec<_> = flag.rules.iter().map(|rule| (&*rule.id, rule.clauses.len(), &rule.serve)).collect();
    let targets: Vec<_> = flag.targets.iter().map(|it| (&it.context_kind, it.variation)).collect();
    let served = (&flag.fallthrough, flag.off_variation, flag.variations.len(), rules, targets, &flag.prerequisites);
    let events = (flag.track_events, flag.debug_events_until, flag.sampling_ratio, flag.client_side, flag.mobile);
    format!("{} {} {} {:?} {events:?} {} {}", flag.key, flag.version, flag.on, served, flag.salt, flag.weight)
}

fn outline_of_segment(segment: &Segment) -> String {
    let rules: Vec<_> = segment.rules.iter().map(|rule| (rule.clauses.len(), rule.bound, &rule.bucket_by)).collect();
    let lists = (segment.included_contexts.len(), segment.excluded_contexts.len());
    format!("{} {} {} {rules:?} {lists:?} {:?}", segment.key, segment.version, segment.salt, segment.unbounded)
}

/// The value of the last member of this name, unless it is null.
fn last<'a>(members: &[RawMember<'a>], name: &str) -> Option<&'a [u8]> {
    let member = members.iter().rev().find(|member| member.key.as_deref() == Some(name));
    member.map(|member| member.value).filter(|value| *value != b"null")
}

fn text_of(members: &[RawMember<'_>], name: &str) -> Option<String> {
    last(members, name).map(|text| read_string(text).unwrap().into_owned())
}

fn elements_of<'a>(members: &[RawMember<'a>], name: &str) -> Vec<&'a [u8]> {
    last(members, name).map(|list| scan_elements(list).unwrap()).unwrap_or_default()
}

/// Any text: what the JSON reader accepts has the same members and elements for the scanner, and is the same value however it is
/// written.
pub fn json(data: &[u8]) {
    let members = scan_members(data);
    if let Ok(read) = serde_json::from_slice::<BTreeMap<String, &RawValue>>(data) {
        let scanned = members.clone().unwrap();
        let scanned: BTreeMap<_, _> =
            scanned.iter().map(|it| (it.key.clone().unwrap().into_owned(), it.value)).collect();
        let read: BTreeMap<_, _> = read.into_iter().map(|(key, value)| (key, value.get().as_bytes())).collect();
        assert_eq!(scanned, read);
    }
    if let Ok(read) = serde_json::from_slice::<Vec<&RawValue>>(data) {
        let read: Vec<&[u8]> = read.into_iter().map(|value| value.get().as_bytes()).collect();
        assert_eq!(scan_elements(data).unwrap(), read);
    }
    assert!(failing_member(data).is_none() || members.is_err());
    let repaired = repair(data);
    assert_eq!(repaired.len(), data.len());
    assert_eq!(repair(&repaired), repaired);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let value = serde_json::from_slice::<Value>(&repaired);
    let checked = checked_json(text);
    assert_eq!(checked.is_some(), value.is_ok());
    let (Some(checked), Ok(value)) = (checked, value) else { return };
    assert!(!exceeds_depth(data));
    assert_eq!(checked_json(&checked).as_deref(), Some(&*checked));
    let (mut written, mut compact) = (String::new(), String::new());
    value.write_json(&mut written);
    write_compact(&checked, &mut compact);
    for same in [&*checked, &written, &compact] {
        assert_eq!(serde_json::from_str::<Value>(same).unwrap(), value, "{same}");
    }
}

/// A pattern, and below it a text: nothing that stands for the same pattern matches otherwise, and a text matches itself.
pub fn regex(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (pattern, subject) = text.split_once('\n').unwrap_or((text, "ada@example.org"));
    let is_in_dialect = regex_dialect::translate(pattern).is_some();
    match regexes::compile(pattern) {
        Ok(compiled) => {
            assert!(is_in_dialect && compiled.cost(subject.len()) >= subject.len());
            let matches = compiled.is_match(subject);
            for same in [format!("(?:{pattern})"), format!("(?:{pattern})|{pattern}")] {
                if let Ok(same) = regexes::compile(&same) {
                    assert_eq!(same.is_match(subject), matches);
                }
            }
        }
        Err(refusal) => assert!(is_in_dialect || refusal == Refusal::Invalid),
    }
    let escape =
        |character: char| if character.is_ascii_punctuation() { vec!['\\', character] } else { vec![character] };
    let literal: String = subject.chars().flat_map(escape).collect();
    if let Ok(literal) = regexes::compile(&literal) {
        assert!(literal.is_match(&format!("<{subject}>")));
        assert_eq!(literal.is_match(pattern), pattern.contains(subject));
    }
}

/// Versions, one a line: their order is one.
pub fn semver(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let versions: Vec<(&str, SemVer<'_>)> =
        text.lines().take(8).filter_map(|line| Some((line, SemVer::parse(line)?))).collect();
    for (line, one) in &versions {
        if !line.contains('+') {
            let built = format!("{line}+build.01");
            assert!(SemVer::parse(&built).unwrap().precedence(one).is_eq());
        }
        assert!(super::OwnedSemVer::parse(line).unwrap().borrow().precedence(one).is_eq());
        for (_, two) in &versions {
            assert_eq!(one.precedence(two), two.precedence(one).reverse());
            for (_, three) in &versions {
                if one.precedence(two).is_le() && two.precedence(three).is_le() {
                    assert!(one.precedence(three).is_le());
                }
            }
        }
    }
}

/// A date: it is the same one written in UTC. And numbers of milliseconds: their order is that of the instants.
pub fn instant(data: &[u8]) {
    if let Some(instant) = std::str::from_utf8(data).ok().and_then(Instant::from_rfc3339)
        && let Some(utc) = in_utc(instant)
    {
        assert_eq!(Instant::from_rfc3339(&utc), Some(instant), "{utc}");
        assert_eq!(Instant::from_rfc3339(&utc.to_lowercase()), Some(instant));
    }
    let number = |at: usize| data.get(at..at + 8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
    let (Some(one), Some(other)) = (number(0), number(8)) else { return };
    for number in [one, other] {
        match Instant::from_milliseconds(number) {
            None => assert!(number.is_nan() || number.abs() > 9.2e18),
            // Beyond, what is divided is rounded.
            Some(_) if number.abs() > 1e12 => assert!(number.abs() < 9.3e18),
            Some(instant) => assert_eq!(instant.unix_seconds() as f64, (number.trunc() / 1000.0).floor()),
        }
    }
    if let (Some(first), Some(second)) = (Instant::from_milliseconds(one), Instant::from_milliseconds(other)) {
        assert!(if one <= other { first <= second } else { second <= first });
    }
}

/// The instant as text, by an arithmetic of the calendar of its own; `None` beyond the years with four digits.
fn in_utc(instant: Instant) -> Option<String> {
    let seconds = instant.unix_seconds();
    let (days, second) = (seconds.div_euclid(86_400) + 719_468, seconds.rem_euclid(86_400));
    // Years begin in March here, so that the day that some of them lack is the last one.
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let time = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    let fraction = instant.nanoseconds;
    (0..=9999).contains(&year).then(|| format!("{year:04}-{month:02}-{day:02}T{time}.{fraction:09}Z"))
}

/// An attribute reference, and one of given components: shown and read again it is the same.
pub fn reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let reference = AttributeRef::parse(text);
    assert_eq!(AttributeRef::scoped(Some(text), Some("org")), reference);
    assert_eq!(AttributeRef::scoped(Some(text), None), AttributeRef::literal(text));
    match &reference {
        AttributeRef::Path(components) => {
            assert!(components.len() > 1 && components.iter().all(|name| !name.is_empty()));
            assert_eq!(AttributeRef::parse(&reference.to_string()), reference);
        }
        AttributeRef::Custom(name) => {
            assert_eq!(AttributeRef::parse(&path(&[name])), reference);
        }
        AttributeRef::Undefined => assert_eq!(text, ""),
        AttributeRef::Invalid | AttributeRef::Nothing => assert!(text.starts_with('/')),
        _ => {}
    }
    let components: Vec<&str> = text.split('\n').filter(|name| !name.is_empty()).collect();
    let first = components.first().map(|name| AttributeRef::literal(name));
    if let (Some(AttributeRef::Custom(_)), 2..) = (first, components.len()) {
        let expected = components.iter().map(|name| Box::from(*name)).collect();
        assert_eq!(AttributeRef::parse(&path(&components)), AttributeRef::Path(expected));
    }
}

fn path(components: &[&str]) -> String {
    components.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).collect()
}
