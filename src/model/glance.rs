//! What the outline of an item's text tells, at a small part of the cost of parsing it.
//!
//! A data set of thousands of items is in force as soon as it is known which items there are and how old they are; what each
//! of them says may be found out later. Nothing is judged here beyond the outline, so what passes may still turn out not to
//! parse. Any bytes may come, so nothing here recurses or panics. Depends on nothing.

use memchr::memchr2;

/// Longer texts are parsed at once: whoever evaluates such an item first would wait for it.
const LONGEST: usize = 64 << 10;

/// The version of a text that is, by its outline, a live item; `None` where it takes a closer look to say.
pub fn glance(text: &[u8]) -> Option<i64> {
    if text.len() > LONGEST || std::str::from_utf8(text).is_err() {
        return None;
    }
    let mut outline = Outline { text, at: 0 };
    let mut version = 0;
    outline.expect(b'{')?;
    loop {
        let name = outline.name()?;
        outline.expect(b':')?;
        let value = outline.value()?;
        match name {
            b"version" => version = whole_number(value)?,
            b"deleted" if !matches!(value, b"false" | b"null") => return None,
            // That there is a big segment is known before one is evaluated.
            b"unbounded" if !matches!(value, b"false" | b"null") => return None,
            _ => {}
        }
        match outline.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    outline.next().is_none().then_some(version)
}

/// A plain number that fits for sure.
fn whole_number(text: &[u8]) -> Option<i64> {
    let is_plain = text.len() <= 18 && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_plain)?.parse().ok()
}

struct Outline<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Outline<'a> {
    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_space(&mut self) {
        self.at += self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    /// The next byte that is no space, and past it.
    fn next(&mut self) -> Option<u8> {
        self.skip_space();
        let byte = self.rest().first().copied();
        self.at += usize::from(byte.is_some());
        byte
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// A name of a member, without quotes. None with escapes is known here.
    fn name(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let rest = self.rest();
        let length = memchr2(b'"', b'\\', rest)?;
        self.at += length + 1;
        (rest.get(length) == Some(&b'"')).then(|| rest.get(..length))?
    }

    /// A value as it is written.
    fn value(&mut self) -> Option<&'a [u8]> {
        self.skip_space();
        let begin = self.at;
        match self.rest().first()? {
            b'"' => self.string()?,
            b'{' | b'[' => self.container()?,
            _ => {
                let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
                self.at += self.rest().iter().position(ends)?;
            }
        }
        self.text.get(begin..self.at)
    }

    /// Past a string, from its opening quote on.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            let found = memchr2(b'"', b'\\', self.rest())?;
            let is_end = self.rest().get(found) == Some(&b'"');
            self.at += found + if is_end { 1 } else { 2 };
            if is_end {
                return Some(());
            }
        }
    }

    /// Past an array or object, from its opening bracket on.
    fn container(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.rest().first()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Interner, Parsed, parse_flag, parse_segment};

    #[test]
    fn the_version_is_that_of_the_outermost_object() {
        for (text, version) in [
            (r#"{"key":"a","version":3,"rules":[{"version":9,"x":"}{][\"\\"}]}"#, 3),
            (r#" { "deleted" : false , "version" : 12 } "#, 12),
            (r#"{"version":1,"deleted":null,"version":2}"#, 2),
            (r#"{"version":4,"unbounded":false}"#, 4),
            (r#"{"key":"a"}"#, 0),
        ] {
            assert_eq!(glance(text.as_bytes()), Some(version), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_takes_a_closer_look() {
        let long = format!("{{\"version\":1,\"key\":\"{}\"}}", "x".repeat(LONGEST));
        for text in [
            "",
            "{}",
            "[]",
            "7",
            "{",
            "{\"version\":1",
            "{\"version\":1}}",
            "{\"version\":1 2}",
            "{\"version\":\"1\"}",
            "{\"version\":1.0}",
            "{\"version\":-1}",
            "{\"version\":1234567890123456789}",
            "{\"version\":1,\"deleted\":true}",
            "{\"version\":1,\"unbounded\":true}",
            "{\"version\":1,\"delete\\u0064\":true}",
            "{\"version\":1,\"key\":\"}",
            "{\"version\":1,\"rules\":[{]",
            "{\"version\":1,}",
            "{version:1}",
            &long,
        ] {
            assert_eq!(glance(text.as_bytes()), None, "{text:.80}");
        }
        assert_eq!(glance(b"{\"version\":1,\"key\":\"\xff\"}"), None);
    }

    #[test]
    fn what_parses_has_the_version_that_was_glanced_at() {
        const SEEDS: [&str; 3] = [
            r#"{"key":"a","version":31,"deleted":false,"variations":["x\"\\",{},[1.5e3,null]],"rules":[{"id":"r"}]}"#,
            r#" { "version" : 2 , "deleted" : null , "salt" : "}{][\u00fc" , "on" : true } "#,
            r#"{"deleted":true,"version":7}"#,
        ];
        const BYTES: &[u8] = b"{}[]\",:\\ \n0-1eEn.truu8d\xc3\xbc\xff\x00";
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 33) as usize % below
        };
        let (mut interner, mut compared) = (Interner::default(), 0);
        for round in 0..100_000 {
            let mut text = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
            for _ in 0..random(4) {
                let at = random(text.len());
                match random(3) {
                    0 => text[at] = BYTES[random(BYTES.len())],
                    1 => drop(text.remove(at)),
                    _ => text.insert(at, BYTES[random(BYTES.len())]),
                }
            }
            let Some(version) = glance(&text) else { continue };
            let shown = String::from_utf8_lossy(&text).into_owned();
            match parse_flag("a", &text, &mut interner) {
                Ok(Parsed::Live(flag)) => assert_eq!(flag.version, version, "{shown}"),
                Ok(Parsed::Tombstone { .. }) => panic!("a tombstone: {shown}"),
                Err(_) => continue,
            }
            if let Ok(Parsed::Live(segment)) = parse_segment("a", &text, &mut interner) {
                assert_eq!(segment.version, version, "{shown}");
            }
            compared += 1;
        }
        assert!(compared > 20_000, "{compared} texts were items");
    }
}
