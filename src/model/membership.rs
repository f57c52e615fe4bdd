//! What a big-segment store knows about one context key.
//!
//! Plain data, here so that the store that reads it and the evaluation that asks it need not know each other.

use hashbrown::HashMap;

/// The big segments that include or exclude one context key.
///
/// Segments are named by their reference: the segment key, `.g` and the generation, for example `vip.g7`.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    references: HashMap<Box<str>, bool, foldhash::fast::RandomState>,
}

impl Membership {
    /// From the references that include the key and those that exclude it; inclusion wins where both are given.
    pub fn new<I, E>(included: I, excluded: E) -> Membership
    where
        I: IntoIterator<Item: Into<Box<str>>>,
        E: IntoIterator<Item: Into<Box<str>>>,
    {
        let mut references = HashMap::default();
        references.extend(excluded.into_iter().map(|reference| (reference.into(), false)));
        references.extend(included.into_iter().map(|reference| (reference.into(), true)));
        Membership { references }
    }

    /// Whether the key is included (`true`) or excluded (`false`); none if the store says nothing.
    pub fn get(&self, reference: &str) -> Option<bool> {
        self.references.get(reference).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Membership;

    #[test]
    fn inclusion_overrides_exclusion_and_the_rest_is_unknown() {
        let membership = Membership::new(["a.g1", "b.g1"], ["b.g1", "c.g1"]);
        assert_eq!(
            ["a.g1", "b.g1", "c.g1", "d.g1"].map(|name| membership.get(name)),
            [Some(true), Some(true), Some(false), None]
        );
    }
}
