//! What is told of Redis by a watch or by sentinels, as plain data. Depends on `model`.

use std::sync::Arc;

use crate::model::Kind;

/// Something that may have changed what Redis holds for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// Everything may have changed.
    All,
    /// Everything is removed.
    Flushed,
    /// Items of this kind.
    Kind(Kind),
    /// These items.
    Fields(Fields),
    /// Connections lead to another server now.
    Moved,
    /// What connections lead to is not what it must be any more, and nothing else is found.
    Astray,
    /// Another server is said to be the right one, and cannot be used: why; or nobody says so any more.
    Contested(Option<Arc<str>>),
    /// The watch is gone: whatever happens from here on is not told.
    Lost,
}

/// Items by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// Flags.
    pub flags: Vec<Arc<str>>,
    /// Segments.
    pub segments: Vec<Arc<str>>,
}

impl Fields {
    /// Items of one kind.
    pub fn of(kind: Kind, keys: Vec<Arc<str>>) -> Self {
        match kind {
            Kind::Flag => Self { flags: keys, segments: Vec::new() },
            Kind::Segment => Self { flags: Vec::new(), segments: keys },
        }
    }

    fn extend(&mut self, others: Self) {
        self.flags.extend(others.flags);
        self.segments.extend(others.segments);
    }
}

impl Signal {
    /// What both say of the data, as one: whoever hears it reads everything at one moment.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fields(mut fields), Self::Fields(others)) => {
                fields.extend(others);
                Self::Fields(fields)
            }
            (one, other) if one == other => one,
            (Self::Flushed, _) | (_, Self::Flushed) => Self::Flushed,
            _ => Self::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_items_of_both_kinds_are_one_signal_and_what_differs_may_be_everything() {
        let named = |kind, key: &str| Signal::Fields(Fields::of(kind, vec![Arc::from(key)]));
        let both = named(Kind::Segment, "s").and(named(Kind::Flag, "a")).and(named(Kind::Flag, "b"));
        let keys = |keys: &[&str]| keys.iter().map(|key| Arc::from(*key)).collect();
        assert_eq!(both, Signal::Fields(Fields { flags: keys(&["a", "b"]), segments: keys(&["s"]) }));
        let (flags, segments) = (Signal::Kind(Kind::Flag), Signal::Kind(Kind::Segment));
        assert_eq!(flags.clone().and(flags.clone()), flags);
        for (one, other) in
            [(flags.clone(), segments), (both.clone(), flags.clone()), (Signal::All, both), (flags, Signal::All)]
        {
            assert_eq!(one.and(other), Signal::All);
        }
        assert_eq!(Signal::Flushed.and(Signal::Kind(Kind::Flag)), Signal::Flushed);
        assert_eq!(Signal::All.and(Signal::Flushed), Signal::Flushed);
    }
}
