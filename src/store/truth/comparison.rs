//! What Redis holds beside what memory holds, where memory is the truth. Pure functions. May depend on `model` and `memory`.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use super::loss::{has_shrunk_much, is_much};
use crate::model::{ItemKey, Kind, stamp};
use crate::store::memory::cache::Held;
use crate::store::memory::snapshot::Snapshot;
use crate::store::reply::{FullReply, Presence};

/// How Redis stands to a held item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// It holds it, or something newer, or lacks what counts as absent.
    Level,
    /// It holds a lower version, or no item.
    Behind,
    /// It lacks a live item.
    Missing,
}

/// How Redis, which has this text, stands to a held item.
pub fn stand(held: &Held, text: Option<&[u8]>) -> Stand {
    match text {
        Some(text) if text == held.text() => Stand::Level,
        Some(text) if stamp(text).is_some_and(|stamp| Some(stamp.version) >= held.version()) => Stand::Level,
        Some(_) => Stand::Behind,
        None if held.is_live() => Stand::Missing,
        None => Stand::Level,
    }
}

/// Why the data set counts as lost: memory holds live items of a hash that is gone, or much more than is left, or the marker is
/// gone.
pub fn loss(
    snapshot: &Snapshot,
    presence: Presence,
    sizes: [Option<usize>; 2],
    wrong_type: Option<&str>,
) -> Option<String> {
    if let Some(error) = wrong_type {
        return Some(format!("a hash is of a wrong type: {error}"));
    }
    if !presence.inited {
        return Some("$inited is gone".to_owned());
    }
    let live = [
        snapshot.flags.iter().filter(|(_, entry)| entry.is_live()).count(),
        snapshot.segments.iter().filter(|(_, entry)| entry.is_live()).count(),
    ];
    if !presence.features && live[0] > 0 {
        return Some("the features hash is gone".to_owned());
    }
    if !presence.segments && live[1] > 0 {
        return Some("the segments hash is gone".to_owned());
    }
    let much = |(held, there): (usize, Option<usize>)| there.is_some_and(|there| has_shrunk_much(held, there));
    live.into_iter().zip(sizes).any(much).then(|| {
        let there = |size: Option<usize>| size.map_or_else(|| "?".to_owned(), |size| size.to_string());
        format!("{} of {} flags and {} of {} segments are left", there(sizes[0]), live[0], there(sizes[1]), live[1])
    })
}

/// The texts that Redis holds, by kind and key.
pub fn index(reply: &FullReply) -> HashMap<(Kind, &[u8]), &[u8]> {
    let flags = reply.features.fields().iter().map(|(key, text)| ((Kind::Flag, key.as_slice()), text.as_slice()));
    let segments = reply.segments.fields().iter().map(|(key, text)| ((Kind::Segment, key.as_slice()), text.as_slice()));
    flags.chain(segments).collect()
}

/// Kind, key and text of an item.
pub type Listed<'a> = (Kind, &'a str, &'a [u8]);

/// Everything in a snapshot, segments first.
pub fn snapshot_items(snapshot: &Snapshot) -> impl Iterator<Item = Listed<'_>> {
    let flags = snapshot.flags.iter().map(|(key, entry)| (Kind::Flag, &**key, entry.text()));
    let segments = snapshot.segments.iter().map(|(key, entry)| (Kind::Segment, &**key, entry.text()));
    segments.chain(flags)
}

/// A full data set with what was delivered after it.
pub fn listed<'a>(items: &'a [(ItemKey, Held)], after: &'a [(ItemKey, Held)]) -> impl Iterator<Item = Listed<'a>> {
    merged(items, after).into_iter().map(|(item, held)| (item.kind, &*item.key, held.text()))
}

fn merged<'a>(items: &'a [(ItemKey, Held)], after: &'a [(ItemKey, Held)]) -> Vec<&'a (ItemKey, Held)> {
    let mut place: HashMap<&ItemKey, usize> = items.iter().enumerate().map(|(at, (item, _))| (item, at)).collect();
    let mut all: Vec<_> = items.iter().collect();
    for new in after {
        match place.get(&new.0) {
            Some(at) if all[*at].1.version() >= new.1.version() => {}
            Some(at) => all[*at] = new,
            None => {
                place.insert(&new.0, all.len());
                all.push(new);
            }
        }
    }
    all
}

/// Tells data sets apart: two with the same items have the same one, in whatever order they came.
pub fn fingerprint(items: &[Listed<'_>]) -> u64 {
    let hasher = foldhash::fast::FixedState::default();
    let hash = |(kind, key, text): &Listed<'_>| hasher.hash_one((*kind as u8, key, text));
    items.iter().map(hash).fold(0, u64::wrapping_add)
}

/// Everything in a snapshot, as held.
pub fn entries(snapshot: &Snapshot) -> impl Iterator<Item = (ItemKey, Held)> {
    let item = |kind, key: &Arc<str>| ItemKey { kind, key: key.clone() };
    let flags = snapshot.flags.iter().map(move |(key, entry)| (item(Kind::Flag, key), Held::Flag(entry.clone())));
    let segments =
        snapshot.segments.iter().map(move |(key, entry)| (item(Kind::Segment, key), Held::Segment(entry.clone())));
    flags.chain(segments)
}

/// What a snapshot holds of an item.
pub fn held_in(snapshot: &Snapshot, item: &ItemKey) -> Option<Held> {
    match item.kind {
        Kind::Flag => snapshot.flags.get(&item.key).cloned().map(Held::Flag),
        Kind::Segment => snapshot.segments.get(&item.key).cloned().map(Held::Segment),
    }
}

/// Whether Redis holds a newer state of these items: some in higher versions, none in a lower one, and not much of them missing,
/// as it is in another environment's data set.
pub fn is_older(reply: &FullReply, items: &[Listed<'_>]) -> bool {
    if !reply.presence.inited || reply.wrong_type().is_some() {
        return false;
    }
    let there = index(reply);
    let (mut newer, mut live, mut missing) = (false, 0, 0);
    for (kind, key, text) in items {
        let Some(own) = stamp(text) else { continue };
        live += usize::from(!own.deleted);
        match there.get(&(*kind, key.as_bytes())).and_then(|found| stamp(found)) {
            Some(found) if found.version < own.version => return false,
            Some(found) => newer |= found.version > own.version,
            None => missing += usize::from(!own.deleted),
        }
    }
    newer && !is_much(live, missing)
}

/// Whether Redis holds just these items, by key and version, or by text where versions do not tell. Deletion marks count as
/// absent on both sides: a full data set names no deleted items, the hash keeps them.
pub fn is_equal(reply: &FullReply, items: &[Listed<'_>], versions_tell: bool) -> bool {
    if !reply.presence.inited || reply.wrong_type().is_some() {
        return false;
    }
    let there = index(reply);
    let mut met = 0;
    for (kind, key, text) in items {
        let found = there.get(&(*kind, key.as_bytes())).copied();
        let same = match found {
            Some(found) if found == *text => true,
            Some(found) => stamp(text).is_some_and(|own| {
                // Other writers write other texts for the same deletion.
                (versions_tell || own.deleted) && stamp(found) == Some(own)
            }),
            None => stamp(text).is_some_and(|stamp| stamp.deleted),
        };
        if !same {
            return false;
        }
        met += usize::from(found.is_some());
    }
    if met == there.len() {
        return true;
    }
    let known: HashSet<(Kind, &[u8])> = items.iter().map(|(kind, key, _)| (*kind, key.as_bytes())).collect();
    let mut extra = there.iter().filter(|(key, _)| !known.contains(*key));
    extra.all(|(_, text)| stamp(text).is_some_and(|stamp| stamp.deleted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Interner;
    use crate::store::memory::entry::Entry;
    use crate::store::reply::HashReply;
    use crate::store::testing::{field, flag};

    fn items(versions: &[(&str, i64)]) -> Vec<(ItemKey, Held)> {
        let held = |(key, version): &(&str, i64)| {
            let entry = Entry::parse(key, flag(key, *version, &[], &[]), &mut Interner::default()).0;
            (ItemKey { kind: Kind::Flag, key: Arc::from(*key) }, Held::Flag(Arc::new(entry)))
        };
        versions.iter().map(held).collect()
    }

    fn reply(versions: &[(&str, i64)]) -> FullReply {
        let fields = versions.iter().map(|(key, version)| field(key, flag(key, *version, &[], &[]))).collect();
        FullReply {
            features: HashReply::Fields(fields),
            segments: HashReply::Fields(Vec::new()),
            presence: Presence { inited: true, features: true, segments: false },
            is_moment: true,
            in_steps: false,
        }
    }

    fn is_older_than(delivered: &[(&str, i64)], there: &[(&str, i64)]) -> bool {
        let delivered = items(delivered);
        is_older(&reply(there), &listed(&delivered, &[]).collect::<Vec<_>>())
    }

    #[test]
    fn a_data_set_is_older_when_redis_holds_higher_versions_and_no_lower_one() {
        assert!(is_older_than(&[("a", 1), ("b", 2)], &[("a", 1), ("b", 3)]));
        assert!(is_older_than(&[("a", 1), ("b", 2)], &[("a", 2), ("b", 2), ("new", 1)]));
        assert!(!is_older_than(&[("a", 1), ("b", 2)], &[("a", 1), ("b", 2)]), "equal");
        assert!(!is_older_than(&[("a", 2), ("b", 2)], &[("a", 1), ("b", 3)]), "some newer, some older");
        assert!(!is_older_than(&[("a", 2)], &[]), "nothing there");
    }

    #[test]
    fn a_data_set_of_which_redis_lacks_much_is_another_one_and_not_older() {
        let delivered: Vec<(&str, i64)> = ["a", "b", "c", "d", "e", "f"].iter().map(|key| (*key, 1)).collect();
        assert!(!is_older_than(&delivered, &[("a", 9), ("b", 9)]));
        assert!(is_older_than(&delivered, &[("a", 9), ("b", 9), ("c", 9)]), "a few may have been deleted since");
    }

    #[test]
    fn what_came_after_a_full_data_set_takes_the_place_of_lower_versions_only() {
        let (set, after) = (items(&[("a", 1), ("b", 5)]), items(&[("a", 2), ("b", 4), ("c", 1)]));
        let merged: Vec<_> = listed(&set, &after).map(|(_, key, text)| (key, stamp(text).unwrap().version)).collect();
        assert_eq!(merged, [("a", 2), ("b", 5), ("c", 1)]);
    }
}
