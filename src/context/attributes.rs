//! The custom attributes of a context.
//!
//! Contexts rarely have more than a handful, for which a scan is the fastest search; larger ones get an index. Order is
//! kept because the JSON form shows it.

use crate::model::{Member, Value};

/// From this many attributes on, names are found through a sorted index.
const INDEXED_FROM: usize = 16;

/// Attributes in the order in which they were set, with distinct names.
#[derive(Clone, Debug, Default)]
pub(super) struct Attributes {
    members: Box<[Member]>,
    /// Positions sorted by name; empty for few attributes.
    by_name: Box<[u32]>,
}

impl Attributes {
    pub(super) fn new(members: Vec<Member>) -> Attributes {
        let mut by_name = Vec::new();
        if members.len() >= INDEXED_FROM {
            by_name.extend((0..members.len()).filter_map(|position| u32::try_from(position).ok()));
            by_name.sort_by_key(|position| members.get(*position as usize).map(|(name, _)| name));
        }
        Attributes { members: members.into_boxed_slice(), by_name: by_name.into_boxed_slice() }
    }

    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        if self.by_name.is_empty() {
            return self.members.iter().find(|(known, _)| **known == *name).map(|(_, value)| value);
        }
        self.search(name)
    }

    fn search(&self, name: &str) -> Option<&Value> {
        let member = |position: &u32| self.members.get(*position as usize);
        let found =
            self.by_name.binary_search_by(|position| member(position).map(|(known, _)| &**known).cmp(&Some(name)));
        self.by_name.get(found.ok()?).and_then(member).map(|(_, value)| value)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members.iter().map(|(name, value)| (&**name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_in_small_and_large_contexts() {
        for size in [0, 1, 15, 16, 200] {
            // A stride makes the order differ from the sorted one.
            let name = |number: usize| format!("attribute{}", number * 7 % 211);
            let members = (0..size).map(|number| (name(number).into(), Value::Number(number as f64))).collect();
            let attributes = Attributes::new(members);
            for number in 0..size {
                assert_eq!(attributes.get(&name(number)), Some(&Value::Number(number as f64)));
            }
            assert_eq!(attributes.get("attribute"), None);
            assert_eq!(attributes.get(""), None);
            assert_eq!(
                attributes.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>(),
                (0..size).map(name).collect::<Vec<_>>()
            );
        }
    }
}
