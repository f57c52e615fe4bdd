//! What a watch is about: hashes, and the marker where it is watched, too. A server need not hold both hashes. Depends on
//! `layout`.

use super::super::layout::Keys;
use crate::model::Kind;
use crate::store::signal::Signal;

/// The keys that a server is asked to tell of.
#[derive(Debug, Clone)]
pub struct Watched {
    hashes: Vec<(Kind, String)>,
    marker: Option<String>,
}

impl Watched {
    /// Everything of an environment.
    pub fn all(keys: &Keys) -> Self {
        Self::part(keys, &[Kind::Flag, Kind::Segment], true)
    }

    /// What one server of several holds: these hashes, and the marker or not.
    pub fn part(keys: &Keys, kinds: &[Kind], marker: bool) -> Self {
        let hashes = kinds.iter().map(|kind| (*kind, keys.hash(*kind).to_owned())).collect();
        Self { hashes, marker: marker.then(|| keys.inited.clone()) }
    }

    /// The hashes. None is the beginning of another one's name: servers refuse prefixes that overlap.
    pub fn hashes(&self) -> impl Iterator<Item = &str> {
        self.hashes.iter().map(|(_, hash)| hash.as_str())
    }

    /// What is in the hash of this name.
    pub fn kind(&self, name: &[u8]) -> Option<Kind> {
        self.hashes.iter().find(|(_, hash)| hash.as_bytes() == name).map(|(kind, _)| *kind)
    }

    /// A channel for each hash, and for the marker if it is `with_marker`.
    pub fn channels(&self, beginning: &str, with_marker: bool) -> Vec<String> {
        let marker = self.marker.as_deref().filter(|_| with_marker);
        self.hashes().chain(marker).map(|key| format!("{beginning}{key}")).collect()
    }

    /// What a change of this key means.
    pub fn signal(&self, name: &[u8]) -> Option<Signal> {
        let is_marker = self.marker.as_ref().is_some_and(|marker| marker.as_bytes() == name);
        self.kind(name).map(Signal::Kind).or_else(|| is_marker.then_some(Signal::All))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_begins_with_another_one_whatever_the_prefix() {
        for prefix in ["", "a", "a:features", "features", "{tag}", ":", "launchdarkly:segments"] {
            let watched = Watched::all(&Keys::new(prefix));
            let names: Vec<&str> = watched.hashes().collect();
            let overlap = |name: &str| names.iter().any(|other| *other != name && other.starts_with(name));
            assert!(names.len() == 2 && !names.iter().any(|name| overlap(name)), "{names:?}");
        }
    }

    #[test]
    fn a_server_may_hold_a_part() {
        let keys = Keys::new("p");
        let watched = Watched::part(&keys, &[Kind::Segment], false);
        assert_eq!(watched.channels("x:", true), ["x:p:segments"]);
        assert_eq!(watched.signal(b"p:segments"), Some(Signal::Kind(Kind::Segment)));
        assert_eq!((watched.signal(b"p:features"), watched.signal(b"p:$inited")), (None, None));
        let all = Watched::all(&keys);
        assert_eq!(all.channels("", true), ["p:features", "p:segments", "p:$inited"]);
        assert_eq!(all.channels("", false).len(), 2);
        assert_eq!(all.signal(b"p:$inited"), Some(Signal::All));
    }
}
