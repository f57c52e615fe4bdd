//! What a watch may hear, for the fuzz target of replies. Depends on `line`, `fields`, `classes`.

use redis::Value;

use super::line::{self, Heard};
use super::{classes, fields};

/// Takes the reply for what a watch hears, in both versions of the protocol.
pub fn heard(reply: Value) {
    let _ = classes::classes(reply.clone());
    for tells_in_arrays in [false, true] {
        let Heard::Message { payload, .. } = line::heard(reply.clone(), tells_in_arrays) else { continue };
        let Some(parsed) = fields::parse(&payload) else {
            assert_eq!(fields::keys(&payload), None);
            continue;
        };
        let mut written = payload.split(|byte| *byte == b'|').next().unwrap_or_default().to_vec();
        for (position, field) in parsed.iter().enumerate() {
            written.extend(if position == 0 { b"|" } else { b"," });
            written.extend(format!("{}:", field.len()).as_bytes());
            written.extend(*field);
        }
        let again = fields::parse(&written);
        assert_eq!(again.as_ref(), Some(&parsed));
    }
}
