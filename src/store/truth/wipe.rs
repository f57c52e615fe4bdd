//! Recognises a Redis that lost its data set: a restarted empty server, FLUSHALL, an eviction.
//!
//! A data set that somebody replaced or emptied on purpose keeps `$inited`; one that got lost does not. Where `$inited` was
//! never seen, as when it was evicted before this process began, a hash that was there and is gone tells alone. May depend on
//! `model`.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::{Flag, Interner};
use crate::store::memory::entry::{Entry, FlagEntry, SegmentEntry, State};
use crate::store::reply::Presence;

/// What a read found, next to what is held.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// `$inited` was seen at some time.
    pub was_inited: bool,
    /// What is there now.
    pub presence: Presence,
    /// Any flag is held.
    pub holds_flags: bool,
    /// A hash is of a wrong type.
    pub wrong_type: Option<&'a str>,
}

impl Evidence<'_> {
    /// The segments hash is gone from a data set that is otherwise there: lost, if a flag still refers to one of it.
    pub fn segments_may_be_lost(&self) -> bool {
        !self.presence.segments
    }
}

/// Why the data set counts as lost, if it does for one of the reasons that need no look at the items.
pub fn wipe_reason(evidence: &Evidence<'_>) -> Option<String> {
    if let Some(error) = evidence.wrong_type {
        return Some(format!("a hash is of a wrong type: {error}"));
    }
    if evidence.was_inited && !evidence.presence.inited {
        return Some("$inited is gone".to_owned());
    }
    (evidence.holds_flags && !evidence.presence.features).then(|| "the features hash is gone".to_owned())
}

/// The held flags that refer to held segments. What they say in Redis by now decides: an environment may have lost its
/// last segment together with the flags that named it.
#[derive(Debug, Default)]
pub struct Dependants {
    /// The flags with what is held of them.
    pub flags: Vec<(Arc<str>, FlagEntry)>,
    segments: HashSet<Arc<str>>,
}

impl Dependants {
    /// Chooses among all held items.
    pub fn new(
        flags: impl Iterator<Item = (Arc<str>, FlagEntry)>,
        segments: impl Iterator<Item = (Arc<str>, SegmentEntry)>,
    ) -> Self {
        let segments: HashSet<Arc<str>> = segments.filter(|(_, entry)| entry.is_live()).map(|(key, _)| key).collect();
        if segments.is_empty() {
            return Self::default();
        }
        let refers = |flag: &Flag| flag.segments().any(|key| segments.contains(key));
        let flags = flags.filter(|(_, entry)| entry.live().is_some_and(refers)).collect();
        Self { flags, segments }
    }

    /// Whether a flag still refers to one of the segments, by its present text in Redis.
    pub fn refers(&self, key: &str, held: &Entry<Flag>, text: Option<Vec<u8>>) -> bool {
        let Some(text) = text else { return false };
        if held.text() == text {
            return true;
        }
        match Entry::<Flag>::parse(key, text, &mut Interner::default()).0.state() {
            State::Live(flag) => flag.segments().any(|key| self.segments.contains(key)),
            State::Tombstone => false,
            // What is held stays in force, and it refers.
            State::Unreadable => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{flag, segment};

    const ALL: Presence = Presence { inited: true, features: true, segments: true };
    const WHOLE: Evidence<'_> = Evidence { was_inited: true, presence: ALL, holds_flags: true, wrong_type: None };

    fn found(presence: Presence) -> Evidence<'static> {
        Evidence { presence, ..WHOLE }
    }

    #[test]
    fn a_whole_data_set_is_no_wipe() {
        assert_eq!(wipe_reason(&WHOLE), None);
        assert!(!WHOLE.segments_may_be_lost());
    }

    #[test]
    fn a_lost_marker_is_a_wipe_only_when_it_was_seen() {
        let lost = found(Presence { inited: false, ..ALL });
        assert!(wipe_reason(&lost).is_some());
        assert_eq!(wipe_reason(&Evidence { was_inited: false, ..lost }), None);
    }

    #[test]
    fn without_a_marker_a_lost_hash_is_a_wipe_all_the_same() {
        let unmarked = |features, segments| Evidence {
            was_inited: false,
            ..found(Presence { inited: false, features, segments })
        };
        assert!(wipe_reason(&unmarked(false, false)).is_some());
        assert_eq!(wipe_reason(&Evidence { holds_flags: false, ..unmarked(false, false) }), None);
        assert_eq!(wipe_reason(&unmarked(true, false)), None);
        assert!(unmarked(true, false).segments_may_be_lost());
        assert!(!unmarked(true, true).segments_may_be_lost());
    }

    #[test]
    fn a_lost_features_hash_is_a_wipe_only_when_flags_are_held() {
        let lost = found(Presence { features: false, ..ALL });
        assert!(wipe_reason(&lost).is_some());
        assert_eq!(wipe_reason(&Evidence { holds_flags: false, ..lost }), None);
    }

    #[test]
    fn a_lost_segments_hash_is_a_wipe_only_when_a_flag_still_refers_to_one_of_it() {
        assert!(found(Presence { segments: false, ..ALL }).segments_may_be_lost());
        let held = |key: &str, segments: &[&str]| {
            let text = flag(key, 1, &[], segments);
            (Arc::from(key), Arc::new(Entry::parse(key, text, &mut Interner::default()).0))
        };
        let s = Entry::parse("s", segment("s", 1, &[]), &mut Interner::default()).0;
        let dependants = Dependants::new(
            [held("in", &["s"]), held("apart", &["t"])].into_iter(),
            [(Arc::from("s"), Arc::new(s))].into_iter(),
        );
        let [(key, entry)] = dependants.flags.as_slice() else { panic!("{dependants:?}") };
        assert_eq!(&**key, "in");
        let refers = |text: Option<Vec<u8>>| dependants.refers(key, entry, text);
        assert!(refers(Some(flag("in", 1, &[], &["s"]))));
        assert!(refers(Some(flag("in", 2, &[], &["t", "s"]))));
        assert!(refers(Some(b"{".to_vec())));
        assert!(!refers(Some(flag("in", 2, &[], &["t"]))));
        assert!(!refers(None));
    }

    #[test]
    fn a_wrong_type_is_a_wipe_even_when_the_marker_was_never_seen() {
        let wrong =
            Evidence { was_inited: false, wrong_type: Some("WRONGTYPE"), ..found(Presence { inited: false, ..ALL }) };
        assert!(wipe_reason(&wrong).is_some());
    }
}
