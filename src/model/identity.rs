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
#[allow(unsafe_code, reason = "a fork")]
mod tests {
    use std::io::{Read as _, Write as _};

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

    /// What a forked child of this thread takes for an identity.
    fn of_child() -> String {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        // SAFETY: the child writes a text and ends without running anything of the parent's.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_written = writer.write_all(new_id().as_bytes()).is_ok();
            // SAFETY: ends the child.
            unsafe { libc::_exit(i32::from(!is_written)) };
        }
        drop(writer);
        let mut id = String::new();
        reader.read_to_string(&mut id).unwrap();
        // SAFETY: waits for the child that was made above.
        assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
        id
    }

    #[test]
    fn forked_children_have_identities_of_their_own() {
        let _ = new_id();
        let (one, two) = (of_child(), of_child());
        assert_eq!((one.len(), two.len()), (36, 36));
        assert_ne!(one, two);
        assert!(![one, two].contains(&new_id()));
    }
}
