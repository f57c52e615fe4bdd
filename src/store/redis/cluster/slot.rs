//! The slot of a key: which of the 16,384 parts of a cluster it belongs to. Pure functions.

use crc16::{State, XMODEM};

/// How many slots there are.
pub const SLOTS: u16 = 16_384;

/// The slot of a key. What stands between the first `{` and the next `}`, if anything does, alone decides.
pub fn slot_of(key: &str) -> u16 {
    let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
    let hashed = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
    State::<XMODEM>::calculate(hashed.as_bytes()) % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_that_servers_compute() {
        for (key, slot) in [
            ("123456789", 12_739),
            ("", 0),
            ("foo", 12_182),
            ("{foo}:features", 12_182),
            ("x{foo}{bar}", 12_182),
            ("foo{}{bar}", 8_363),
            ("foo{{bar}}zap", 4_015),
        ] {
            assert_eq!(slot_of(key), slot, "{key}");
        }
        assert_eq!(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
        assert_ne!(slot_of("a{b"), slot_of("b"));
    }
}
