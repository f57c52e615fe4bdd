//! What whoever follows Redis sees of edits, one kind after the other.

use super::{Client, OTHER, RedisServer, flag, segment};

/// Flags and segments appear, change and go, and the client serves that. `key` is that of a flag that serves `one`; the server
/// holds `member` for the segment `s`, too, of which the user is a member, and no flag `none`.
#[track_caller]
pub fn sees_every_edit(server: &RedisServer, client: &Client, key: &str, what: &str) {
    assert_eq!((client.ask(key), client.ask("member")), ("one".into(), "in".into()), "{what}");
    assert_eq!(client.ask("none"), "FLAG_NOT_FOUND", "{what}");
    server.set_flag(key, flag(key, 2, "two"));
    client.serves(key, "two");
    server.set_segment("s", segment("s", 2, &[]));
    client.serves("member", OTHER);
    server.set_flag("none", flag("none", 1, "new"));
    client.serves("none", "new");
    server.remove_flag("none");
    client.serves("none", "FLAG_NOT_FOUND");
}
