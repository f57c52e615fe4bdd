//! Deletion markers, and the two properties that decide between two texts of one item.
//!
//! Readers of a store know a deletion by `deleted: true` alone and take the field's name for the key. Some of them refuse an
//! item that lacks a property they expect, and some expect the item's own key inside, so the text written here has both:
//! the key, and every mandatory property of the kind, empty. Depends on `wire` for reading.

use serde::Deserialize;

use super::{Kind, repair, wire, write_string};

/// Mandatory properties of a flag, empty.
const EMPTY_FLAG: &str = concat!(
    r#""on":false,"prerequisites":[],"targets":[],"contextTargets":[],"rules":[],"fallthrough":{"variation":0},"#,
    r#""offVariation":null,"variations":[],"clientSide":false,"clientSideAvailability":{"usingMobileKey":false,"#,
    r#""usingEnvironmentId":false},"salt":"","trackEvents":false,"trackEventsFallthrough":false,"#,
    r#""debugEventsUntilDate":null"#,
);
/// Mandatory properties of a segment, empty.
const EMPTY_SEGMENT: &str = concat!(
    r#""included":[],"excluded":[],"includedContexts":[],"excludedContexts":[],"rules":[],"salt":"","#,
    r#""unbounded":false,"generation":null"#,
);

/// The text that stands for a deleted item.
pub fn tombstone_text(kind: Kind, key: &str, version: i64) -> String {
    let mut text = String::from("{\"key\":");
    write_string(key, &mut text);
    let rest = match kind {
        Kind::Flag => EMPTY_FLAG,
        Kind::Segment => EMPTY_SEGMENT,
    };
    text.push_str(&format!(",\"version\":{version},\"deleted\":true,{rest}}}"));
    text
}

/// What the text of an item says of its age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The version; 0 if the text has none.
    pub version: i64,
    /// The item is deleted.
    pub deleted: bool,
}

/// Reads version and deletion mark without looking at the rest; `None` where the text is not an object with them.
pub fn stamp(text: &[u8]) -> Option<Stamp> {
    let text = repair(text);
    let wire: wire::Tombstone<'_> = serde_json::from_slice(&text).ok()?;
    let version = match wire.version {
        None => 0,
        Some(raw) => wire::Integer::deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok()?.0,
    };
    Some(Stamp { version, deleted: wire.deleted.is_some_and(|deleted| deleted.get() == "true") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Interner, Parsed, parse_flag, parse_segment};

    #[test]
    fn a_tombstone_carries_its_own_key_and_every_property_of_its_kind() {
        let flag: serde_json::Value = serde_json::from_str(&tombstone_text(Kind::Flag, "a \"b\"", 7)).unwrap();
        assert_eq!((&flag["key"], &flag["version"], &flag["deleted"]), (&"a \"b\"".into(), &7.into(), &true.into()));
        for name in ["on", "prerequisites", "targets", "rules", "fallthrough", "variations", "salt", "offVariation"] {
            assert!(flag.get(name).is_some(), "{name}");
        }
        let segment: serde_json::Value = serde_json::from_str(&tombstone_text(Kind::Segment, "s", 1)).unwrap();
        for name in ["included", "excluded", "rules", "salt"] {
            assert!(segment.get(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_written_tombstone_reads_as_one() {
        let mut interner = Interner::default();
        let flag = parse_flag("a", tombstone_text(Kind::Flag, "a", 7).as_bytes(), &mut interner).unwrap();
        assert!(matches!(flag, Parsed::Tombstone { version: 7 }));
        let segment = parse_segment("a", tombstone_text(Kind::Segment, "a", 8).as_bytes(), &mut interner).unwrap();
        assert!(matches!(segment, Parsed::Tombstone { version: 8 }));
    }

    #[test]
    fn a_stamp_is_read_from_any_item_and_from_no_other_text() {
        let read = |text: &str| stamp(text.as_bytes()).map(|stamp| (stamp.version, stamp.deleted));
        assert_eq!(read(r#"{"key":"a","version":3,"rules":[{"version":9}]}"#), Some((3, false)));
        assert_eq!(read(r#"{"version":3,"deleted":true}"#), Some((3, true)));
        assert_eq!(read("{}"), Some((0, false)));
        for text in ["", "[]", "7", r#"{"version":"3"}"#, r#"{"version":3"#] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
