//! Identities that nothing else has: of a client, of what it sends. Depends on `jitter`.

use super::jitter::seed;

/// A random UUID (version 4) as text. Unique, not secret.
pub fn new_id() -> String {
    let bits = (u128::from(seed()) << 64) | u128::from(seed());
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::new_id;

    #[test]
    fn an_identity_is_a_version_4_uuid_and_no_two_are_equal() {
        let (a, b) = (new_id(), new_id());
        assert_ne!(a, b);
        let lengths: Vec<usize> = a.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(a.as_bytes()[14], b'4');
        assert!(b"89ab".contains(&a.as_bytes()[19]), "{a}");
    }
}
