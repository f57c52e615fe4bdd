//! What Redis holds beside what memory holds, where memory is the truth. Pure functions. May depend on `model` and `memory`.

use std::collections::HashMap;
use std::sync::Arc;

use super::loss::has_shrunk_much;
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

/// The same for items one by one.
pub fn listed(items: &[(ItemKey, Held)]) -> impl Iterator<Item = Listed<'_>> {
    items.iter().map(|(item, held)| (item.kind, &*item.key, held.text()))
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

/// Whether Redis holds a newer state of these items: some in higher versions, and none in a lower one.
pub fn is_older(reply: &FullReply, items: &[Listed<'_>]) -> bool {
    if !reply.presence.inited || reply.wrong_type().is_some() {
        return false;
    }
    let there = index(reply);
    let mut newer = false;
    for (kind, key, text) in items {
        let found = there.get(&(*kind, key.as_bytes())).and_then(|found| stamp(found));
        match (found, stamp(text)) {
            (Some(found), Some(own)) if found.version < own.version => return false,
            (Some(found), Some(own)) => newer |= found.version > own.version,
            _ => {}
        }
    }
    newer
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
    let known: std::collections::HashSet<(Kind, &[u8])> =
        items.iter().map(|(kind, key, _)| (*kind, key.as_bytes())).collect();
    let mut extra = there.iter().filter(|(key, _)| !known.contains(*key));
    extra.all(|(_, text)| stamp(text).is_some_and(|stamp| stamp.deleted))
}
