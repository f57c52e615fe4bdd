//! Whoever is forked has identities of his own, although he inherits everything that they are drawn from. Alone in its program:
//! other threads would make the fork another test's business.
#![allow(unsafe_code, reason = "a fork")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read as _, Write as _};

use flagstone::model::new_id;

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
