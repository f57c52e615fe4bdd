//! A sorted map whose copies share everything but the path that a change touches, so that it can lie in a lock-free cell: a
//! child of a fork reads it whatever other threads were doing. Depends on nothing.
//!
//! A treap: sorted by key, and heaped by a weight that is as good as drawn by lot, which keeps it about as deep as the
//! logarithm of its size.

use std::cmp::Ordering;
use std::sync::Arc;

type Link<K, V> = Option<Arc<Node<K, V>>>;

#[derive(Debug)]
struct Node<K, V> {
    key: K,
    value: V,
    weight: u64,
    left: Link<K, V>,
    right: Link<K, V>,
}

/// The map. A clone costs one reference.
#[derive(Debug)]
pub struct Tree<K, V>(Link<K, V>);

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<K: Ord + Clone, V: Clone> Tree<K, V> {
    /// Nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// What is under this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let mut link = &self.0;
        while let Some(node) = link {
            link = match key.cmp(&node.key) {
                Ordering::Less => &node.left,
                Ordering::Greater => &node.right,
                Ordering::Equal => return Some(&node.value),
            };
        }
        None
    }

    /// With this under a key that is not in it yet. Weights should be as good as random.
    pub fn with(&self, key: K, value: V, weight: u64) -> Self {
        let (left, right) = split(&self.0, &key);
        let node = Arc::new(Node { key, value, weight, left: None, right: None });
        Self(join(&join(&left, &Some(node)), &right))
    }

    /// Without what is under this key.
    pub fn without(&self, key: &K) -> Self {
        Self(without(&self.0, key))
    }

    /// In order, all keys for which `side` says `Equal`: it says `Less` of those before and `Greater` of those behind.
    pub fn range(&self, side: &impl Fn(&K) -> Ordering) -> Vec<V> {
        let mut found = Vec::new();
        collect(&self.0, side, &mut found);
        found
    }
}

impl<K: Clone, V: Clone> Node<K, V> {
    fn between(&self, left: Link<K, V>, right: Link<K, V>) -> Link<K, V> {
        Some(Arc::new(Self { key: self.key.clone(), value: self.value.clone(), weight: self.weight, left, right }))
    }
}

/// What comes before `key`, and the rest.
fn split<K: Ord + Clone, V: Clone>(link: &Link<K, V>, key: &K) -> (Link<K, V>, Link<K, V>) {
    let Some(node) = link else { return (None, None) };
    if node.key < *key {
        let (before, rest) = split(&node.right, key);
        (node.between(node.left.clone(), before), rest)
    } else {
        let (before, rest) = split(&node.left, key);
        (before, node.between(rest, node.right.clone()))
    }
}

/// One of both, of which `before` comes first.
fn join<K: Clone, V: Clone>(before: &Link<K, V>, after: &Link<K, V>) -> Link<K, V> {
    match (before, after) {
        (link, None) | (None, link) => link.clone(),
        (Some(first), Some(second)) if first.weight >= second.weight => {
            first.between(first.left.clone(), join(&first.right, after))
        }
        (Some(_), Some(second)) => second.between(join(before, &second.left), second.right.clone()),
    }
}

fn without<K: Ord + Clone, V: Clone>(link: &Link<K, V>, key: &K) -> Link<K, V> {
    let node = link.as_ref()?;
    match key.cmp(&node.key) {
        Ordering::Less => node.between(without(&node.left, key), node.right.clone()),
        Ordering::Greater => node.between(node.left.clone(), without(&node.right, key)),
        Ordering::Equal => join(&node.left, &node.right),
    }
}

fn collect<K, V: Clone>(link: &Link<K, V>, side: &impl Fn(&K) -> Ordering, found: &mut Vec<V>) {
    let Some(node) = link else { return };
    let place = side(&node.key);
    if place.is_ge() {
        collect(&node.left, side, found);
    }
    if place.is_eq() {
        found.push(node.value.clone());
    }
    if place.is_le() {
        collect(&node.right, side, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(number: u64) -> u64 {
        crate::client::listeners::registry::spread(number)
    }

    fn depth<K, V>(link: &Link<K, V>) -> usize {
        link.as_ref().map_or(0, |node| 1 + depth(&node.left).max(depth(&node.right)))
    }

    fn all(tree: &Tree<u64, u64>) -> Vec<u64> {
        tree.range(&|_| Ordering::Equal)
    }

    #[test]
    fn it_says_what_a_sorted_map_says_and_older_copies_stay_as_they_were() {
        let (mut tree, mut model) = (Tree::default(), std::collections::BTreeMap::new());
        for number in 0..2_000_u64 {
            let key = weight(number) % 500;
            let (before, held) = (tree.0.clone(), all(&tree));
            if model.remove(&key).is_some() {
                tree = tree.without(&key);
            } else {
                model.insert(key, number);
                tree = tree.with(key, number, weight(number));
            }
            assert_eq!(all(&tree), model.values().copied().collect::<Vec<_>>());
            assert_eq!(all(&Tree(before)), held);
            assert_eq!(tree.get(&key), model.get(&key));
        }
        for key in 0..500 {
            tree = tree.without(&key);
        }
        assert!(tree.is_empty() && tree.get(&1).is_none());
    }

    #[test]
    fn a_range_is_what_lies_in_it() {
        let tree = (0..100).fold(Tree::default(), |tree, number| tree.with(number, number, weight(number)));
        assert_eq!(tree.range(&|key| (key / 10).cmp(&4)), (40..50).collect::<Vec<_>>());
        assert!(tree.range(&|key| key.cmp(&200)).is_empty());
    }

    #[test]
    fn numbers_in_a_row_do_not_make_it_deep() {
        let tree = (0..20_000).fold(Tree::default(), |tree, number| tree.with(number, number, weight(number)));
        assert!(depth(&tree.0) < 50, "{}", depth(&tree.0));
    }
}
