//! Finds the members of a JSON object and the elements of an array without judging what their values are.
//!
//! A payload holds thousands of items; one that is no JSON must not hide the others, so they are told apart by brackets and
//! quotes alone and parsed one by one afterwards. Of the object itself the syntax must be right: otherwise nobody knows
//! where an item ends. Any bytes may come, so nothing here recurses or panics. Depends on `surrogates` for reading keys.

use std::borrow::Cow;

use super::surrogates::repair;

/// One member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawMember<'a> {
    /// The key; `None` if what stands there is no text.
    pub key: Option<Cow<'a, str>>,
    /// The value as it is written.
    pub value: &'a [u8],
}

/// The text is no object, or its brackets and quotes do not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{wanted} is missing at byte {at}")]
pub struct ScanError {
    /// Offset in the text.
    pub at: usize,
    /// What should stand there.
    pub wanted: &'static str,
}

/// The members of the object that `text` is, in the order written; of repeated keys all.
pub fn scan_members(text: &[u8]) -> Result<Vec<RawMember<'_>>, ScanError> {
    scan(text, (b'{', "an object"), (b'}', "a comma or the end of the object"), Scanner::member)
}

/// The elements of the array that `text` is, as they are written.
pub fn scan_elements(text: &[u8]) -> Result<Vec<&[u8]>, ScanError> {
    scan(text, (b'[', "an array"), (b']', "a comma or the end of the array"), Scanner::element)
}

fn scan<'a, T>(
    text: &'a [u8],
    open: (u8, &'static str),
    close: (u8, &'static str),
    part: fn(&mut Scanner<'a>) -> Result<T, ScanError>,
) -> Result<Vec<T>, ScanError> {
    let mut scanner = Scanner { text, at: 0 };
    let mut parts = Vec::new();
    scanner.skip_space();
    scanner.expect(open.0, open.1)?;
    scanner.skip_space();
    if scanner.peek() == Some(close.0) {
        scanner.at += 1;
    } else {
        loop {
            parts.push(part(&mut scanner)?);
            if scanner.peek() != Some(b',') {
                break;
            }
            scanner.at += 1;
            scanner.skip_space();
        }
        scanner.expect(close.0, close.1)?;
    }
    scanner.skip_space();
    if scanner.peek().is_some() { Err(scanner.error("the end of the text")) } else { Ok(parts) }
}

/// Of an object in which [`scan_members`] fails, the member in which it does: its key, and where its value begins.
pub fn failing_member(text: &[u8]) -> Option<(Cow<'_, str>, usize)> {
    let mut scanner = Scanner { text, at: 0 };
    scanner.skip_space();
    scanner.expect(b'{', "an object").ok()?;
    loop {
        scanner.skip_space();
        let begin = scanner.at;
        scanner.string().ok()?;
        let key = text.get(begin..scanner.at).and_then(read_string)?;
        scanner.skip_space();
        scanner.expect(b':', "a colon").ok()?;
        scanner.skip_space();
        let begin = scanner.at;
        let value = scanner.value();
        scanner.skip_space();
        match scanner.peek() {
            Some(b',') if value.is_ok() => scanner.at += 1,
            Some(b'}') if value.is_ok() => return None,
            _ => return Some((key, begin)),
        }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn error(&self, wanted: &'static str) -> ScanError {
        ScanError { at: self.at, wanted }
    }

    fn expect(&mut self, byte: u8, wanted: &'static str) -> Result<(), ScanError> {
        if self.peek() != Some(byte) {
            return Err(self.error(wanted));
        }
        self.at += 1;
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn member(&mut self) -> Result<RawMember<'a>, ScanError> {
        let begin = self.at;
        self.string()?;
        let key = self.text.get(begin..self.at).and_then(read_string);
        self.skip_space();
        self.expect(b':', "a colon")?;
        self.skip_space();
        Ok(RawMember { key, value: self.element()? })
    }

    /// A value and the space after it.
    fn element(&mut self) -> Result<&'a [u8], ScanError> {
        let begin = self.at;
        self.value()?;
        let value = self.text.get(begin..self.at).unwrap_or_default();
        self.skip_space();
        Ok(value)
    }

    fn value(&mut self) -> Result<(), ScanError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{' | b'[') => self.container(),
            _ => self.word(),
        }
    }

    fn string(&mut self) -> Result<(), ScanError> {
        self.expect(b'"', "a quote")?;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return Ok(());
            }
        }
        self.at = self.text.len();
        Err(self.error("a closing quote"))
    }

    /// An array or object, up to the bracket that closes it.
    fn container(&mut self) -> Result<(), ScanError> {
        let mut closing = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.error("a closing bracket")),
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{') => closing.push(b'}'),
                Some(b'[') => closing.push(b']'),
                Some(byte @ (b'}' | b']')) if closing.pop() != Some(byte) => {
                    return Err(self.error("another closing bracket"));
                }
                Some(_) => {}
            }
            self.at += 1;
            if closing.is_empty() {
                return Ok(());
            }
        }
    }

    /// A number, `true`, `null`, or what somebody takes for one.
    fn word(&mut self) -> Result<(), ScanError> {
        let begin = self.at;
        let ends =
            |byte: u8| matches!(byte, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']') || byte.is_ascii_whitespace();
        while self.peek().is_some_and(|byte| !ends(byte)) {
            self.at += 1;
        }
        if self.at == begin { Err(self.error("a value")) } else { Ok(()) }
    }
}

/// The text that a JSON string with its quotes stands for; lone surrogates are repaired.
pub fn read_string(json: &[u8]) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if !inner.iter().any(|byte| matches!(byte, b'\\' | b'"' | ..b' ')) {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(&repair(json)).ok().map(Cow::Owned)
}

/// The value of the last member of this name in the object that `text` is.
pub fn scan_member<'a>(text: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let members = scan_members(text).ok()?;
    members.iter().rev().find(|member| member.key.as_deref() == Some(name)).map(|member| member.value)
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    /// The members as the JSON reader sees them; `None` for what is no JSON object.
    fn strictly(text: &[u8]) -> Option<Vec<(String, String)>> {
        struct Members(Vec<(String, String)>);
        impl<'de> serde::Deserialize<'de> for Members {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Read;
                impl<'de> serde::de::Visitor<'de> for Read {
                    type Value = Members;
                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                        let mut members = Vec::new();
                        while let Some((key, value)) = map.next_entry::<String, Box<RawValue>>()? {
                            members.push((key, value.get().to_owned()));
                        }
                        Ok(Members(members))
                    }
                }
                deserializer.deserialize_map(Read)
            }
        }
        serde_json::from_slice::<Members>(text).ok().map(|members| members.0)
    }

    fn loosely(text: &[u8]) -> Option<Vec<(String, String)>> {
        let members = scan_members(text).ok()?;
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Some(
            members
                .into_iter()
                .map(|member| (member.key.map_or("?".to_owned(), Cow::into_owned), text(member.value)))
                .collect(),
        )
    }

    #[test]
    fn what_is_no_json_is_found_beside_what_is() {
        let bad = [
            &br#"{"x":NaN,"y":[-Infinity,1e400]}"#[..],
            b"NaN",
            b"{\"x\":\"\xff\xe4\"}",
            br#"{"x":"\ud800"}"#,
            b"{\"x\":\"\x01\"}",
            b"{\"x\" 1,,}",
            b"[1,2,]",
            b"01.",
        ];
        for item in bad {
            let text = [&b" {\"a\": {} ,\"b\":"[..], item, b", \"c\" :[] } "].concat();
            let members = scan_members(&text).unwrap();
            let values: Vec<&[u8]> = members.iter().map(|member| member.value).collect();
            assert_eq!(values, [b"{}".as_slice(), item, b"[]"], "{}", String::from_utf8_lossy(item));
        }
        let deep = format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(scan_members(deep.as_bytes()).unwrap().len(), 2);
    }

    #[test]
    fn an_object_that_is_not_closed_or_goes_on_is_none() {
        for text in [
            "",
            "[]",
            "3",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{\"a\":1}x",
            "{\"a\":1}}",
            "{a:1}",
            "{\"a\":[}",
            "{\"a\":[}]}",
            "{\"a\":{\"b\":\"}}",
            "{\"a\":1 2}",
            "{\"a\":,\"b\":1}",
            "{,}",
            "{\"a\\",
        ] {
            assert!(scan_members(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_member_in_which_an_object_breaks_off_is_known() {
        let member = |text| failing_member(text).map(|(key, at)| (key.into_owned(), at));
        assert_eq!(member(br#"{"a":{},"b":{"c":1"#), Some(("b".to_owned(), 12)));
        assert_eq!(member(br#"{"a":{"x":1]},"b":2}"#), Some(("a".to_owned(), 5)));
        assert_eq!(member(br#"{"a":1 2}"#), Some(("a".to_owned(), 5)));
        for text in [&b""[..], b"[]", b"{", b"{\"a", b"{\"a\" 1}", b"{\"a\":1}", b"{\"a\":1}}", b"{,}"] {
            assert_eq!(failing_member(text), None);
        }
    }

    #[test]
    fn the_elements_of_an_array_are_found_beside_what_is_no_json() {
        let text = b" [ {\"a\":NaN} ,3,\"]\\\"\" , [ ] ,\xff] ";
        let elements: Vec<&[u8]> = scan_elements(text).unwrap();
        assert_eq!(elements, [&b"{\"a\":NaN}"[..], b"3", b"\"]\\\"\"", b"[ ]", b"\xff"]);
        assert_eq!(scan_elements(b"[]").unwrap(), Vec::<&[u8]>::new());
        for text in ["", "{}", "[", "[1", "[1,", "[1,]", "[,]", "[1]x", "[1 2]", "[{]"] {
            assert!(scan_elements(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_is_read_as_text_or_not_at_all() {
        let members = scan_members(b"{\"a\\u0062\":1,\"\\ud800\":2,\"\xff\":3,\"\\x\":4,\"\xc3\xbc\":5}").unwrap();
        let keys: Vec<Option<&str>> = members.iter().map(|member| member.key.as_deref()).collect();
        assert_eq!(keys, [Some("ab"), Some("\u{fffd}"), None, None, Some("ü")]);
        assert_eq!(scan_member(br#"{"version":1,"version":2}"#, "version"), Some(&b"2"[..]));
    }

    #[test]
    fn whatever_the_json_reader_accepts_has_the_same_members_here() {
        const SEEDS: [&str; 4] = [
            r#"{"flags":{"a":{"version":1,"on":true,"variations":["x\"\\",{},[1.5e3,null]]},"b":{}},"segments":{}}"#,
            r#" { "a" : [ [ ] , { "b" : "}{][\u00fc\ud83d\ude00" } ] , "" : -0.1E+2 , "a" : "\\" } "#,
            r#"{"ü":"ä,:","n":null,"t":true,"f":false,"deep":[[[[{"x":[]}]]]]}"#,
            "{\n\t\"a\":\r1}",
        ];
        const BYTES: &[u8] = b"{}[]\",:\\ \n0-1eEn.truu8d\xc3\xbc\xff\x00";
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 33) as usize % below
        };
        let mut accepted = 0;
        for round in 0..200_000 {
            let mut text = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
            for _ in 0..random(4) {
                let at = random(text.len());
                match random(3) {
                    0 => text[at] = BYTES[random(BYTES.len())],
                    1 => drop(text.remove(at)),
                    _ => text.insert(at, BYTES[random(BYTES.len())]),
                }
            }
            if let Some(members) = strictly(&text) {
                accepted += 1;
                assert_eq!(loosely(&text), Some(members), "{}", String::from_utf8_lossy(&text));
            } else {
                let _ = loosely(&text);
            }
        }
        assert!(accepted > 50_000, "{accepted} texts were JSON");
    }
}
