//! Buckets: a stable number between 0 and 1 for a context, from a hash.
//!
//! The number must be the same in every SDK, so the hash input, the single-precision division and the treatment of
//! values that cannot be hashed are fixed. Nothing here allocates.

use sha1::block_api::compress;
use sha1::{Digest as _, Sha1};

use crate::context::Attribute;

/// Divides the 60 bits of the hash: in single precision 2^60 - 1 is 2^60.
const SCALE: f32 = 0x0FFF_FFFF_FFFF_FFFF_u64 as f32;
/// 2^63. Whole numbers up to this magnitude have a nearest 64-bit integer whose digits tell them apart; those beyond would
/// all have the same one.
const LARGEST_INTEGER: f64 = 9_223_372_036_854_775_808.0;

/// Bytes that SHA-1 takes at once.
const BLOCK: usize = 64;
/// Blocks of a text that is put together in place, so that there is nothing to hash but whole blocks.
const SHORT: usize = 3;
/// Where every SHA-1 starts.
const START: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];

/// What makes the buckets of different flags independent.
pub(super) enum Prefix<'a> {
    /// The key and salt of a flag or segment.
    Salted { key: &'a str, salt: &'a str },
    /// The seed of a rollout.
    Seed(i64),
}

/// The bucket of an attribute's value; 0 if the value is neither a string nor a whole number of 64 bits. Large numbers count
/// as what they are as doubles: ids of 64 bits that differ in their last digits only may share a bucket.
pub(super) fn bucket(prefix: &Prefix<'_>, value: Attribute<'_>) -> f32 {
    let mut digits = Decimal::default();
    match value {
        Attribute::String(text) => hash(prefix, text.as_bytes()),
        Attribute::Number(number) if number.fract() == 0.0 && number.abs() <= LARGEST_INTEGER => {
            hash(prefix, digits.format(number as i64))
        }
        _ => 0.0,
    }
}

fn hash(prefix: &Prefix<'_>, value: &[u8]) -> f32 {
    let mut digits = Decimal::default();
    let [a, b] = match prefix {
        Prefix::Salted { key, salt } => sha1([key.as_bytes(), salt.as_bytes(), value]),
        Prefix::Seed(seed) => sha1([digits.format(*seed), value]),
    };
    let first_60_bits = (u64::from(a) << 32 | u64::from(b)) >> 4;
    first_60_bits as f32 / SCALE
}

/// The first two words of the SHA-1 of texts that are joined by dots.
#[inline]
fn sha1<const N: usize>(parts: [&[u8]; N]) -> [u32; 2] {
    let length = parts.iter().map(|part| part.len() + 1).sum::<usize>() - 1;
    // The text, a byte that ends it, and its length in bits at the end of the last block.
    let used = length / BLOCK + 1 + usize::from(length % BLOCK >= BLOCK - 8);
    let mut blocks = [[0; BLOCK]; SHORT];
    let Some(filled) = blocks.get_mut(..used) else { return sha1_of_long(&parts) };
    let mut rest = filled.as_flattened_mut();
    for part in parts {
        let Some((place, behind)) = rest.split_at_mut_checked(part.len()) else { break };
        place.copy_from_slice(part);
        let Some((separator, behind)) = behind.split_first_mut() else { break };
        *separator = b'.';
        rest = behind;
    }
    let flat = filled.as_flattened_mut();
    if let Some(end) = flat.get_mut(length) {
        *end = 0x80;
    }
    if let Some(end) = flat.last_chunk_mut() {
        *end = (length as u64 * 8).to_be_bytes();
    }
    let mut state = START;
    compress(&mut state, filled);
    let [a, b, ..] = state;
    [a, b]
}

#[cold]
fn sha1_of_long(parts: &[&[u8]]) -> [u32; 2] {
    let mut sha = Sha1::new();
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            sha.update(b".");
        }
        sha.update(part);
    }
    let digest: [u8; 20] = sha.finalize().into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

/// Room for a 64-bit number in decimal form.
#[derive(Default)]
struct Decimal([u8; 20]);

impl Decimal {
    fn format(&mut self, number: i64) -> &[u8] {
        let mut rest = number.unsigned_abs();
        let mut start = self.0.len();
        for (position, digit) in self.0.iter_mut().enumerate().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
            start = position;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            start = start.saturating_sub(1);
            if let Some(sign) = self.0.get_mut(start) {
                *sign = b'-';
            }
        }
        self.0.get(start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn salted<'a>(key: &'a str, salt: &'a str) -> Prefix<'a> {
        Prefix::Salted { key, salt }
    }

    #[test]
    fn known_values_have_their_known_buckets() {
        let flag = salted("hashKey", "saltyA");
        for (text, expected) in [("userKeyA", 0.42157587), ("userKeyB", 0.6708485), ("userKeyC", 0.10343106)] {
            assert_eq!(bucket(&flag, Attribute::String(text)), expected, "{text}");
        }
        for (number, expected) in [(33333.0, 0.54771423), (99999.0, 0.7309658)] {
            assert_eq!(bucket(&flag, Attribute::Number(number)), expected, "{number}");
        }
        for (text, expected) in [("userKeyA", 0.09801207), ("userKeyB", 0.14483777), ("userKeyC", 0.9242641)] {
            assert_eq!(bucket(&Prefix::Seed(61), Attribute::String(text)), expected, "{text}");
        }
        let segment = salted("segment3", "salty");
        assert_eq!(bucket(&segment, Attribute::String("user-key")), 0.14950213);
        assert_eq!(bucket(&segment, Attribute::String("unmatching-key")), 0.36563563);
        assert_eq!(bucket(&salted("f", "salt"), Attribute::String("u")), 0.18749441);
    }

    #[test]
    fn whole_numbers_hash_like_their_digits_and_other_values_have_bucket_zero() {
        let flag = salted("f", "salt");
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (-12.0, "-12"),
            (2147483648.0, "2147483648"),
            (9_007_199_254_740_991.0, "9007199254740991"),
            (9_007_199_254_740_992.0, "9007199254740992"),
            (-9_007_199_254_740_994.0, "-9007199254740994"),
            (1_234_567_890_123_456_789.0, "1234567890123456768"),
            (1e18, "1000000000000000000"),
            (9_223_372_036_854_774_784.0, "9223372036854774784"),
            (9_223_372_036_854_775_807.0, "9223372036854775807"),
            (-9_223_372_036_854_775_808.0, "-9223372036854775808"),
        ] {
            assert_eq!(bucket(&flag, Attribute::Number(number)), bucket(&flag, Attribute::String(text)), "{text}");
        }
        for value in [
            Attribute::Null,
            Attribute::Bool(true),
            Attribute::Number(1.5),
            Attribute::Number(1.00000001),
            Attribute::Number(9_223_372_036_854_777_856.0),
            Attribute::Number(-9_223_372_036_854_777_856.0),
            Attribute::Number(1e19),
            Attribute::Number(1e300),
            Attribute::Array(&[]),
            Attribute::Object(&[]),
        ] {
            assert_eq!(bucket(&flag, value), 0.0, "{value:?}");
        }
        assert_ne!(bucket(&flag, Attribute::String("")), 0.0);
    }

    #[test]
    fn texts_of_any_length_have_the_hash_of_their_whole() {
        let text = "0123456789".repeat(30);
        for length in 0..text.len() {
            for cut in [0, length / 3, length] {
                let (first, second) = text.as_bytes()[..length].split_at(cut);
                assert_eq!(sha1([first, second]), sha1_of_long(&[first, second]), "{length}");
            }
        }
    }

    #[test]
    fn decimals_are_complete() {
        for number in [0, 7, -7, 10, i64::MAX, i64::MIN] {
            assert_eq!(Decimal::default().format(number), number.to_string().as_bytes());
        }
    }
}
