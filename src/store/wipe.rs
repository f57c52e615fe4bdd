//! Recognises a Redis that lost its data set: a restarted empty server, FLUSHALL, an eviction.
//!
//! A data set that somebody replaced or emptied on purpose keeps `$inited`; one that got lost does not. While `$inited`
//! was never seen, Redis counts as it is. May depend on `model`.

use super::snapshot::Snapshot;

/// What a read found, next to what is held.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// `$inited` was seen at some time.
    pub was_inited: bool,
    /// `$inited` is there now.
    pub inited: bool,
    /// The flags hash is there now.
    pub features: bool,
    /// The segments hash is there now.
    pub segments: bool,
    /// Any flag is held.
    pub holds_flags: bool,
    /// A hash is of a wrong type.
    pub wrong_type: Option<&'a str>,
}

/// Why the data set counts as lost, if it does. `needs_segments` tells whether a held flag refers to a held segment.
pub fn wipe_reason(evidence: &Evidence<'_>, needs_segments: impl FnOnce() -> bool) -> Option<String> {
    if let Some(error) = evidence.wrong_type {
        return Some(format!("a hash is of a wrong type: {error}"));
    }
    if evidence.was_inited && !evidence.inited {
        return Some("$inited is gone".to_owned());
    }
    if !evidence.inited {
        return None;
    }
    if evidence.holds_flags && !evidence.features {
        return Some("the features hash is gone".to_owned());
    }
    if !evidence.segments && needs_segments() {
        return Some("the segments hash is gone while flags refer to it".to_owned());
    }
    None
}

/// Whether a held flag refers to a held segment.
pub fn needs_segments(snapshot: &Snapshot) -> bool {
    let live = |key: &str| snapshot.segments.get(key).is_some_and(|entry| entry.live().is_some());
    !snapshot.segments.is_empty()
        && snapshot.flags.iter().any(|(_, entry)| entry.live().is_some_and(|flag| flag.segments().any(live)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Evidence<'_> = Evidence {
        was_inited: true,
        inited: true,
        features: true,
        segments: true,
        holds_flags: true,
        wrong_type: None,
    };

    #[test]
    fn a_whole_data_set_is_no_wipe() {
        assert_eq!(wipe_reason(&WHOLE, || true), None);
    }

    #[test]
    fn a_lost_marker_is_a_wipe_only_when_it_was_seen() {
        let lost = Evidence { inited: false, ..WHOLE };
        assert!(wipe_reason(&lost, || true).is_some());
        assert_eq!(
            wipe_reason(&Evidence { was_inited: false, features: false, segments: false, ..lost }, || true),
            None
        );
    }

    #[test]
    fn a_lost_features_hash_is_a_wipe_only_when_flags_are_held() {
        let lost = Evidence { features: false, ..WHOLE };
        assert!(wipe_reason(&lost, || false).is_some());
        assert_eq!(wipe_reason(&Evidence { holds_flags: false, ..lost }, || false), None);
    }

    #[test]
    fn a_lost_segments_hash_is_a_wipe_only_when_a_flag_refers_to_it() {
        let lost = Evidence { segments: false, ..WHOLE };
        assert!(wipe_reason(&lost, || true).is_some());
        assert_eq!(wipe_reason(&lost, || false), None);
    }

    #[test]
    fn a_wrong_type_is_a_wipe_even_when_the_marker_was_never_seen() {
        let wrong = Evidence { was_inited: false, inited: false, wrong_type: Some("WRONGTYPE"), ..WHOLE };
        assert!(wipe_reason(&wrong, || false).is_some());
    }
}
