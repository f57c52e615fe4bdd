//! What notifications of hash fields say, and which invalidations of a whole hash they explain. Pure functions and plain state.
//!
//! A server publishes the fields of a command when it runs the command, and pushes the name of each hash that was changed once,
//! after all commands of that turn. So between two pushes of a name lie just the fields of the commands that the second one is
//! about: one with fields before it is explained by them, and one without was caused by something that names none (`DEL`,
//! `RENAME`, an eviction). What names none and happens in the same turn as something that does is not seen here; whoever reads
//! the fields has to compare the sizes of the hashes as well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::Kind;

/// Fields that were told longer ago explain nothing: they come in one piece with the push, unless something is wrong.
pub const TOGETHER: Duration = Duration::from_millis(250);

/// The fields in the payload of a `__subkeyspace@…` channel: `<event>|<length>:<field>[,…]`, each of any bytes. `None` where
/// it is of another form.
pub fn parse(payload: &[u8]) -> Option<Vec<&[u8]>> {
    let event_ends = payload.iter().position(|byte| *byte == b'|')?;
    let mut rest = payload.get(event_ends + 1..)?;
    let mut fields = Vec::new();
    loop {
        let digits = rest.iter().position(|byte| *byte == b':')?;
        let (length, after) = (length(rest.get(..digits)?)?, rest.get(digits + 1..)?);
        let (field, after) = after.split_at_checked(length)?;
        fields.push(field);
        match after.split_first() {
            None => return Some(fields),
            Some((b',', after)) => rest = after,
            Some(_) => return None,
        }
    }
}

fn length(digits: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(digits).ok()?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}

/// The same as keys of items; `None` also where one of them cannot be the key of an item.
pub fn keys(payload: &[u8]) -> Option<Vec<Arc<str>>> {
    parse(payload)?.into_iter().map(|field| std::str::from_utf8(field).ok().map(Arc::from)).collect()
}

/// Fields that were told since the name of their hash was pushed last.
#[derive(Debug, Default)]
pub struct Explained {
    flags: Option<Instant>,
    segments: Option<Instant>,
}

impl Explained {
    /// Fields of this hash were told.
    pub fn note(&mut self, kind: Kind, now: Instant) {
        *self.place(kind) = Some(now);
    }

    /// The name of this hash was pushed: whether fields explain that. They explain no other push.
    pub fn takes(&mut self, kind: Kind, now: Instant) -> bool {
        self.place(kind).take().is_some_and(|told| now.saturating_duration_since(told) <= TOGETHER)
    }

    /// Whether fields were told and the name of their hash is still to come: what happened in that turn is not all known yet.
    pub fn is_awaited(&self, now: Instant) -> bool {
        let is_fresh = |told: &Instant| now.saturating_duration_since(*told) <= TOGETHER;
        [self.flags, self.segments].iter().flatten().any(is_fresh)
    }

    fn place(&mut self, kind: Kind) -> &mut Option<Instant> {
        match kind {
            Kind::Flag => &mut self.flags,
            Kind::Segment => &mut self.segments,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Jitter;

    fn payload(event: &str, fields: &[&[u8]]) -> Vec<u8> {
        let mut text = format!("{event}|").into_bytes();
        for (position, field) in fields.iter().enumerate() {
            if position > 0 {
                text.push(b',');
            }
            text.extend_from_slice(format!("{}:", field.len()).as_bytes());
            text.extend_from_slice(field);
        }
        text
    }

    #[test]
    fn fields_of_any_bytes_are_taken_apart() {
        let sets: [&[&[u8]]; 5] = [
            &[b"flag"],
            &[b"a", b"b", b"a"],
            &[b""],
            &[b"1:x,2:yz|hset|", b",", b":", b"|", b"\r\n", b"\0"],
            &[b"\xff\xfe", "fl\u{e4}g".as_bytes()],
        ];
        for fields in sets {
            assert_eq!(parse(&payload("hset", fields)).as_deref(), Some(fields));
        }
        let long = vec![b'x'; 100_000];
        assert_eq!(parse(&payload("hexpired", &[&long, b"y"])), Some(vec![long.as_slice(), b"y"]));
        assert_eq!(keys(b"hset|2:ab,1:c").unwrap(), [Arc::from("ab"), Arc::from("c")]);
        assert_eq!(keys(&payload("hset", &[b"a", b"\xff"])), None, "no item has such a key");
    }

    #[test]
    fn what_is_of_another_form_is_not_taken_for_fields() {
        let spoilt: [&[u8]; 14] = [
            b"",
            b"hset",
            b"hset|",
            b"hset|1",
            b"hset|1:",
            b"hset|2:a",
            b"hset|1:ab",
            b"hset|1:a,",
            b"hset|1:a,1",
            b"hset|-1:a",
            b"hset|+1:a",
            b"hset| 1:a",
            b"hset|99999999999999999999999:a",
            b"hset|:a",
        ];
        for payload in spoilt {
            assert_eq!(parse(payload), None, "{}", String::from_utf8_lossy(payload));
        }
    }

    #[test]
    fn random_fields_come_back_and_random_damage_never_panics() {
        let mut random = Jitter::new();
        let mut number = |below: u64| usize::try_from(random.bits() % below).unwrap();
        for _ in 0..20_000 {
            let alphabet = b"0123456789:,|ab\xff\0";
            let mut field = || (0..number(6)).map(|_| alphabet[number(alphabet.len() as u64)]).collect::<Vec<u8>>();
            let fields: Vec<Vec<u8>> = vec![field(), field(), field()];
            let views: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
            let mut text = payload("hset", &views);
            assert_eq!(parse(&text), Some(views));
            let at = number(text.len() as u64);
            text[at] = alphabet[number(alphabet.len() as u64)];
            if let Some(fields) = parse(&text) {
                assert!(fields.iter().map(|field| field.len()).sum::<usize>() < text.len());
            }
            text.truncate(at);
            let _ = parse(&text);
        }
    }

    #[test]
    fn a_push_with_fields_before_it_is_explained_once_and_for_its_own_hash_only() {
        let (mut explained, now) = (Explained::default(), Instant::now());
        assert!(!explained.takes(Kind::Flag, now), "nothing was told");
        explained.note(Kind::Flag, now);
        explained.note(Kind::Flag, now);
        assert!(!explained.takes(Kind::Segment, now));
        assert!(explained.takes(Kind::Flag, now));
        assert!(!explained.takes(Kind::Flag, now), "the next one has no fields of its own");
    }

    #[test]
    fn the_end_of_a_turn_is_awaited_until_all_names_are_there_and_not_for_long() {
        let (mut explained, now) = (Explained::default(), Instant::now());
        assert!(!explained.is_awaited(now));
        explained.note(Kind::Segment, now);
        explained.note(Kind::Flag, now);
        assert!(explained.takes(Kind::Flag, now) && explained.is_awaited(now), "the segments are not named yet");
        assert!(!explained.is_awaited(now + TOGETHER + Duration::from_millis(1)));
        assert!(explained.takes(Kind::Segment, now) && !explained.is_awaited(now));
    }

    #[test]
    fn fields_that_were_told_long_before_explain_nothing() {
        let (mut explained, now) = (Explained::default(), Instant::now());
        explained.note(Kind::Segment, now);
        assert!(!explained.takes(Kind::Segment, now + TOGETHER + Duration::from_millis(1)));
        assert!(!explained.takes(Kind::Segment, now));
    }
}
