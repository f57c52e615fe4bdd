//! Repairs lone surrogate escapes in JSON.
//!
//! `"\ud800"` alone stands for no text, so a strict JSON reader refuses the whole item. Somebody who cut an emoji in half
//! must not lose a flag for it: the escape counts as U+FFFD, the sign for what cannot be shown. Depends on nothing.

use std::borrow::Cow;

use memchr::memchr;

/// The same JSON with every lone surrogate escape replaced by `\uFFFD`.
pub fn repair(json: &[u8]) -> Cow<'_, [u8]> {
    let mut repaired: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = json.get(at..).and_then(|rest| memchr(b'\\', rest)) {
        let escape = at + found;
        at = escape + 2;
        match unit(json, escape) {
            Some(0xd800..0xdc00) if matches!(unit(json, escape + 6), Some(0xdc00..0xe000)) => at = escape + 12,
            Some(0xd800..0xe000) => {
                at = escape + 6;
                let text = repaired.get_or_insert_with(|| json.to_vec());
                if let Some(digits) = text.get_mut(escape + 2..at) {
                    digits.copy_from_slice(b"FFFD");
                }
            }
            _ => {}
        }
    }
    repaired.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// The UTF-16 unit of the escape at `at`, if there is one.
fn unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    // A sign is no digit here.
    let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_half_is_replaced_and_a_pair_is_not() {
        for (json, repaired) in [
            (r#""\ud800""#, r#""\uFFFD""#),
            (r#""\uDFFFx""#, r#""\uFFFDx""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud83d\ud83d\ude00\ude00""#, r#""\uFFFD\ud83d\ude00\uFFFD""#),
            (r#""\ude00\ud83d""#, r#""\uFFFD\uFFFD""#),
            (r#""\\ud800 \\\ud800""#, r#""\\ud800 \\\uFFFD""#),
            (r#""\ud800\n\u00fc""#, r#""\uFFFD\n\u00fc""#),
            (r#""\ud8""#, r#""\ud8""#),
            (r#""\u+d80 \ud83d\ude""#, r#""\u+d80 \uFFFD\ude""#),
            ("\\", "\\"),
        ] {
            assert_eq!(repair(json.as_bytes()), repaired.as_bytes(), "{json}");
        }
        assert!(matches!(repair(br#"{"a":"\u00fc\\"}"#), Cow::Borrowed(_)), "nothing is copied without need");
    }
}
