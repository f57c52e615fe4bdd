//! What reads of Redis found, as plain data: the rooms that judge it need not know how it was read. Depends on nothing.

use std::hash::{BuildHasher, Hash};

/// A field and its text.
pub type Field = (Vec<u8>, Vec<u8>);

/// What a hash held.
#[derive(Debug)]
pub enum HashReply {
    /// Its fields; none when the key does not exist.
    Fields(Vec<Field>),
    /// The key exists but is not a hash.
    WrongType(String),
}

impl HashReply {
    /// Its fields; none when it is no hash.
    pub fn fields(&self) -> &[Field] {
        match self {
            Self::Fields(fields) => fields,
            Self::WrongType(_) => &[],
        }
    }

    /// Its fields; none when it is no hash.
    pub fn into_fields(self) -> Vec<Field> {
        match self {
            Self::Fields(fields) => fields,
            Self::WrongType(_) => Vec::new(),
        }
    }

    /// Whether the key exists: Redis keeps no empty hash.
    pub fn exists(&self) -> bool {
        !matches!(self, Self::Fields(fields) if fields.is_empty())
    }
}

/// A full read.
#[derive(Debug)]
pub struct FullReply {
    /// The flags hash.
    pub features: HashReply,
    /// The segments hash.
    pub segments: HashReply,
    /// What existed; after a scan, at its end.
    pub presence: Presence,
    /// All of it is of one moment.
    pub is_moment: bool,
    /// It was read in steps: what moved meanwhile may have been passed over.
    pub in_steps: bool,
}

impl FullReply {
    /// What the server said when one of the keys is no hash.
    pub fn wrong_type(&self) -> Option<&str> {
        [&self.features, &self.segments].into_iter().find_map(|reply| match reply {
            HashReply::WrongType(error) => Some(error.as_str()),
            HashReply::Fields(_) => None,
        })
    }

    /// Numbers of fields of the flags and the segments hash.
    pub fn sizes(&self) -> [usize; 2] {
        [self.features.fields().len(), self.segments.fields().len()]
    }

    /// Tells replies apart: two with the same fields and texts have the same one, in whatever order they came.
    pub fn fingerprint(&self) -> u64 {
        self.mixed(|field| field)
    }

    /// Tells replies apart by which fields there are, whatever their texts: edits of them are no progress of a refill.
    pub fn names(&self) -> u64 {
        self.mixed(|(name, _)| name)
    }

    /// One number for this much of each field, in whatever order they came.
    fn mixed<T: Hash>(&self, of: impl Fn(&Field) -> &T) -> u64 {
        let hasher = foldhash::fast::FixedState::default();
        let mix = |hash: &HashReply, salt: u8| {
            hash.fields().iter().fold(0_u64, |sum, field| sum.wrapping_add(hasher.hash_one((salt, of(field)))))
        };
        mix(&self.features, 0).wrapping_add(mix(&self.segments, 1))
    }

    /// Number of bytes of all fields.
    pub fn bytes(&self) -> usize {
        let fields = self.features.fields().iter().chain(self.segments.fields());
        fields.map(|(field, text)| field.len() + text.len()).sum()
    }
}

/// What exists, read in the same transaction as the fields beside it.
#[derive(Debug, Clone, Copy)]
pub struct Presence {
    /// The flags hash exists.
    pub features: bool,
    /// The segments hash exists.
    pub segments: bool,
    /// `$inited` exists.
    pub inited: bool,
}

/// A read of chosen fields; the values are in the order of the keys asked for.
#[derive(Debug)]
pub struct PartReply {
    /// Texts of the flags asked for, `None` for missing ones.
    pub flags: Vec<Option<Vec<u8>>>,
    /// Texts of the segments asked for, `None` for missing ones.
    pub segments: Vec<Option<Vec<u8>>>,
    /// What existed at that moment.
    pub presence: Presence,
    /// Numbers of fields of the flags and the segments hash; `None` where the server does not tell.
    pub sizes: [Option<usize>; 2],
    /// One of the hashes is of a wrong type; its values are all `None`.
    pub wrong_type: Option<String>,
}
