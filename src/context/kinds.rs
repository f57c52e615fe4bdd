//! Sets of context kinds as bits of one word, so that whoever sums up which kinds he saw need not compare names.
//!
//! Kinds are numbered in the order in which the process first meets them. There are few in practice; those beyond the last
//! number share one bit, and are told apart by their names. No lock: a fork may happen at any moment. Depends on `single`.

use once_cell::race::OnceBox;

use super::single::SingleContext;

/// The kinds that have a number, from 1; 0 is `user`.
static NAMES: [OnceBox<Box<str>>; 62] = [const { OnceBox::new() }; 62];

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSet(u64);

impl KindSet {
    const USER: Self = Self(1);
    /// All kinds that have no number of their own.
    const OTHERS: Self = Self(1 << 63);

    #[inline]
    pub(super) fn of(single: &SingleContext) -> Self {
        if single.is_user() { Self::USER } else { Self::named(single.kind()) }
    }

    fn named(kind: &str) -> Self {
        for (name, bit) in NAMES.iter().zip(1..) {
            if &**name.get_or_init(|| Box::new(Box::from(kind))) == kind {
                return Self(1 << bit);
            }
        }
        Self::OTHERS
    }

    /// Both sets together.
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there are kinds that only their names tell apart.
    pub fn has_others(self) -> bool {
        self.0 & Self::OTHERS.0 != 0
    }

    /// Only the kinds that have a number.
    pub fn numbered(self) -> Self {
        Self(self.0 & !Self::OTHERS.0)
    }

    /// The names of the kinds that have a number.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let user = (self.0 & Self::USER.0 != 0).then_some("user");
        let numbered = NAMES.iter().zip(1..).filter(move |(_, bit)| self.0 & (1 << bit) != 0);
        user.into_iter().chain(numbered.filter_map(|(name, _)| Some(&**name.get()?)))
    }

    /// The set as a word that fits an atomic.
    #[inline]
    pub fn to_bits(self) -> u64 {
        self.0
    }

    /// Back from [`KindSet::to_bits`].
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Context;

    fn names(set: KindSet) -> Vec<&'static str> {
        set.names().collect()
    }

    #[test]
    fn a_set_names_its_kinds_and_kinds_beyond_the_last_number_are_the_others() {
        let user = Context::from_key("", "a").unwrap();
        let org = Context::from_key("org", "a").unwrap();
        let both = Context::merge(&[&user, &org]).unwrap();
        assert_eq!((names(user.kind_set()), names(org.kind_set())), (vec!["user"], vec!["org"]));
        assert_eq!(names(both.kind_set()), ["user", "org"]);
        assert_eq!(both.kind_set(), user.kind_set().with(org.kind_set()));
        assert_eq!(KindSet::from_bits(both.kind_set().to_bits()), both.kind_set());

        let kinds: Vec<KindSet> = (0..100).map(|number| KindSet::named(&format!("kind-{number}"))).collect();
        let others = kinds.iter().filter(|kind| kind.has_others()).count();
        assert!((38..100).contains(&others), "{others}");
        assert!(kinds.iter().all(|kind| kind.has_others() == names(*kind).is_empty()));
        let other = kinds.iter().copied().find(|kind| kind.has_others()).unwrap();
        assert_eq!(other.with(user.kind_set()).numbered(), user.kind_set());
        assert_eq!(KindSet::named("org"), org.kind_set());
    }
}
