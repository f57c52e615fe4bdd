//! The custom attributes of a context.
//!
//! Contexts rarely have more than a handful, for which a scan is the fastest search: names are told apart by their length
//! first, and nothing is hashed. Larger contexts get an index. Order is kept because the JSON form shows it.

use super::block::{Few, Span, Texts};

/// From this many attributes on, names are found through a sorted index.
const INDEXED_FROM: usize = 16;
/// Attributes that need no allocation of their own.
const IN_PLACE: usize = 8;

/// Attributes in the order in which they were set; once they are settled, with distinct names and without nulls.
#[derive(Clone, Debug)]
pub(super) struct Attributes {
    all: Few<Entry, IN_PLACE>,
    /// Positions sorted by name; empty for few attributes.
    by_name: Vec<u32>,
}

/// One attribute. Its texts and trees are among those of the context.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) name: Span,
    pub(super) value: Stored,
}

/// The value of an attribute. Plain bytes, so that a context is copied fast.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored {
    Null,
    Bool(bool),
    Number(f64),
    Text(Span),
    /// An array or object: its place among the trees.
    Tree(u32),
}

impl Attributes {
    pub(super) const fn new() -> Self {
        Attributes { all: Few::new(), by_name: Vec::new() }
    }

    /// Adds an attribute. Names may come again until all is settled.
    #[inline]
    pub(super) fn push(&mut self, name: Span, value: Stored) {
        self.all.push(Entry { name, value });
    }

    /// The attributes in order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.all.iter()
    }

    #[inline(always)]
    pub(super) fn get(&self, name: &str, texts: &Texts) -> Option<&Stored> {
        if self.by_name.is_empty() {
            return self.all.iter().find(|entry| texts.is(entry.name, name)).map(|entry| &entry.value);
        }
        self.search(name, texts)
    }

    #[inline(never)]
    fn search(&self, name: &str, texts: &Texts) -> Option<&Stored> {
        let known = |position: &u32| self.all.get(*position as usize).map(|entry| texts.get(entry.name));
        let found = self.by_name.binary_search_by(|position| known(position).cmp(&Some(name)));
        let position = self.by_name.get(found.ok()?)?;
        self.all.get(*position as usize).map(|entry| &entry.value)
    }

    /// Of attributes with one name keeps the last value, at the place of the first; then leaves out nulls.
    #[inline]
    pub(super) fn settle(&mut self, texts: &Texts) {
        if self.all.len() >= INDEXED_FROM {
            return self.settle_many(texts);
        }
        let (mut rest, mut nulls) = (&mut *self.all, false);
        while let [first, others @ ..] = rest {
            for other in others.iter_mut().filter(|other| texts.are_equal(first.name, other.name)) {
                first.value = std::mem::replace(&mut other.value, Stored::Null);
            }
            nulls |= first.is_null();
            rest = others;
        }
        if nulls {
            self.all.retain(|entry| !entry.is_null());
        }
    }

    #[inline(never)]
    fn settle_many(&mut self, texts: &Texts) {
        let mut first = usize::MAX;
        for position in self.sorted(texts) {
            let position = position as usize;
            let name = |position: usize| self.all.get(position).map(|entry| texts.get(entry.name));
            if name(first) != name(position) {
                first = position;
                continue;
            }
            let last = self.all.get_mut(position).map(|entry| std::mem::replace(&mut entry.value, Stored::Null));
            if let (Some(entry), Some(last)) = (self.all.get_mut(first), last) {
                entry.value = last;
            }
        }
        self.all.retain(|entry| !entry.is_null());
        if self.all.len() >= INDEXED_FROM {
            self.by_name = self.sorted(texts);
        }
    }

    /// The positions by name; those of one name in their order.
    fn sorted(&self, texts: &Texts) -> Vec<u32> {
        let mut positions: Vec<u32> = (0..).take(self.all.len()).collect();
        positions.sort_by_key(|position| self.all.get(*position as usize).map(|entry| texts.get(entry.name)));
        positions
    }
}

impl Entry {
    fn is_null(&self) -> bool {
        matches!(self.value, Stored::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A stride makes the order differ from the sorted one.
    fn name(number: usize) -> String {
        format!("attribute{}", number * 7 % 211)
    }

    fn number(stored: Option<&Stored>) -> Option<f64> {
        match stored? {
            Stored::Number(number) => Some(*number),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn attributes_are_found_in_small_and_large_contexts() {
        for size in [0, 1, 8, 9, 15, 16, 200] {
            let (mut attributes, mut texts) = (Attributes::new(), Texts::new());
            for number in 0..size {
                attributes.push(texts.push(&name(number)), Stored::Number(number as f64));
            }
            attributes.settle(&texts);
            for at in 0..size {
                assert_eq!(number(attributes.get(&name(at), &texts)), Some(at as f64));
            }
            assert!(attributes.get("attribute", &texts).is_none() && attributes.get("", &texts).is_none());
            let names: Vec<&str> = attributes.iter().map(|entry| texts.get(entry.name)).collect();
            assert_eq!(names, (0..size).map(name).collect::<Vec<_>>());
        }
    }

    #[test]
    fn of_several_values_the_last_one_stays_at_the_place_of_the_first_and_nulls_go() {
        for size in [3, 15, 16, 200] {
            let (mut attributes, mut texts) = (Attributes::new(), Texts::new());
            let mut push = |at: usize, value| attributes.push(texts.push(&name(at)), value);
            for round in 0..3 {
                (0..size).for_each(|at| push(at, Stored::Number((at * 10 + round) as f64)));
                push(size, Stored::Number(1.0));
            }
            push(size, Stored::Null);
            push(0, Stored::Null);
            push(1, Stored::Null);
            push(1, Stored::Bool(true));
            attributes.settle(&texts);
            let names: Vec<&str> = attributes.iter().map(|entry| texts.get(entry.name)).collect();
            assert_eq!(names, (1..size).map(name).collect::<Vec<_>>());
            assert!(matches!(attributes.get(&name(1), &texts), Some(Stored::Bool(true))));
            for at in 2..size {
                assert_eq!(number(attributes.get(&name(at), &texts)), Some((at * 10 + 2) as f64));
            }
            assert!([0, size].iter().all(|gone| attributes.get(&name(*gone), &texts).is_none()));
        }
    }
}
