//! What the data source has delivered and Redis may not hold yet. Filled by the data source's thread, emptied by the store
//! thread; while Redis is away it keeps, of every item, the newest text only. May depend on `model`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::model::{ItemKey, lock};
use crate::store::memory::cache::Held;

/// Items with their keys.
pub type Items = Vec<(ItemKey, Held)>;

/// A full data set to be written.
#[derive(Debug)]
pub enum Put {
    /// Whatever memory holds at the moment of writing.
    Memory,
    /// These items: residencies that do not hold everything.
    Items(Items),
}

/// What is to be written next.
#[derive(Debug)]
pub enum Work {
    /// The full data set; it covers all items that waited when it came.
    Put(Arc<Put>),
    /// Single items, versions compared.
    Items(Items),
}

#[derive(Debug, Default)]
struct Inner {
    put: Option<Arc<Put>>,
    items: HashMap<ItemKey, Held>,
}

/// The outbox of one set of threads.
#[derive(Debug, Default)]
pub struct Outbox {
    inner: Mutex<Inner>,
}

impl Outbox {
    /// A full data set is to be written; what waited is part of it. `publish` runs before anybody sees the outbox changed.
    pub fn put(&self, put: Put, publish: impl FnOnce()) {
        let mut inner = self.lock();
        inner.items.clear();
        inner.put = Some(Arc::new(put));
        publish();
    }

    /// Items are to be written, after a full data set that waits. `publish` as above.
    pub fn add(&self, items: impl IntoIterator<Item = (ItemKey, Held)>, publish: impl FnOnce()) {
        let mut inner = self.lock();
        inner.items.extend(items);
        publish();
    }

    /// Items are to be written once more, as far as they are `still` held: what has been delivered since they were looked up
    /// waits already, or has removed them.
    pub fn add_again(&self, items: Items, still: impl Fn(&ItemKey, &Held) -> bool) {
        let mut inner = self.lock();
        // Whoever publishes does so with this lock, so what is held does not change in between.
        inner.items.extend(items.into_iter().filter(|(item, held)| still(item, held)));
    }

    /// Runs `apply` unless the item waits to be written: what Redis says of it is older then.
    pub fn unless_waiting<R>(&self, item: &ItemKey, apply: impl FnOnce() -> R) -> Option<R> {
        let inner = self.lock();
        (inner.put.is_none() && !inner.items.contains_key(item)).then(apply)
    }

    /// Whether anything waits.
    pub fn is_empty(&self) -> bool {
        let inner = self.lock();
        inner.put.is_none() && inner.items.is_empty()
    }

    /// What is to be written next, at most `most` items; it waits on until it is reported done.
    pub fn next(&self, most: usize) -> Option<Work> {
        let inner = self.lock();
        if let Some(put) = &inner.put {
            return Some(Work::Put(put.clone()));
        }
        let items: Vec<_> = inner.items.iter().take(most).map(|(item, held)| (item.clone(), held.clone())).collect();
        (!items.is_empty()).then_some(Work::Items(items))
    }

    /// The full data set that waits, and what has come after it.
    pub fn whole(&self) -> Option<(Arc<Put>, Items)> {
        let inner = self.lock();
        let after = inner.items.iter().map(|(item, held)| (item.clone(), held.clone()));
        inner.put.as_ref().map(|put| (put.clone(), after.collect()))
    }

    /// A full data set was written. One that came meanwhile waits on.
    pub fn put_done(&self, put: &Arc<Put>) {
        let mut inner = self.lock();
        if inner.put.as_ref().is_some_and(|waiting| Arc::ptr_eq(waiting, put)) {
            inner.put = None;
        }
    }

    /// An item was written, or Redis has a newer one. A newer text that came meanwhile waits on.
    pub fn item_done(&self, item: &ItemKey, written: &Held) {
        let mut inner = self.lock();
        if inner.items.get(item).is_some_and(|waiting| waiting.is_same(written)) {
            inner.items.remove(item);
        }
    }

    /// Forgets everything; true when there was something.
    pub fn clear(&self) -> bool {
        let mut inner = self.lock();
        let had = inner.put.is_some() || !inner.items.is_empty();
        *inner = Inner::default();
        had
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Interner, Kind};
    use crate::store::memory::entry::Entry;
    use crate::store::testing::flag;

    fn item(key: &str, version: i64) -> (ItemKey, Held) {
        let entry = Entry::parse(key, flag(key, version, &[], &[]), &mut Interner::default()).0;
        (ItemKey { kind: Kind::Flag, key: Arc::from(key) }, Held::Flag(Arc::new(entry)))
    }

    fn waiting(outbox: &Outbox) -> Vec<(ItemKey, Held)> {
        match outbox.next(100) {
            Some(Work::Items(items)) => items,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_each_item_only_the_newest_waits() {
        let outbox = Outbox::default();
        outbox.add([item("a", 1)], || ());
        outbox.add([item("a", 2)], || ());
        let items = waiting(&outbox);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].1.version(), Some(2));
    }

    #[test]
    fn what_came_while_an_item_was_written_waits_on() {
        let outbox = Outbox::default();
        outbox.add([item("a", 1)], || ());
        let written = waiting(&outbox);
        outbox.add([item("a", 2)], || ());
        outbox.item_done(&written[0].0, &written[0].1);
        let items = waiting(&outbox);
        outbox.item_done(&items[0].0, &items[0].1);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_full_data_set_covers_what_waited_and_goes_before_what_comes_after() {
        let outbox = Outbox::default();
        outbox.add([item("a", 1)], || ());
        outbox.put(Put::Memory, || ());
        outbox.add([item("b", 1)], || ());
        let Some(Work::Put(put)) = outbox.next(100) else { panic!("the data set goes first") };
        outbox.put(Put::Memory, || ());
        outbox.put_done(&put);
        let Some(Work::Put(put)) = outbox.next(100) else { panic!("another one came meanwhile") };
        outbox.put_done(&put);
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_is_written_once_more_gives_way_to_what_was_delivered_meanwhile() {
        let outbox = Outbox::default();
        let (old, new) = (item("a", 1), item("a", 2));
        outbox.add([new.clone()], || ());
        outbox.add_again(vec![old, item("b", 1)], |_, held| held.is_same(&new.1));
        let items = waiting(&outbox);
        assert_eq!(items.len(), 1);
        assert_eq!(items[0].1.version(), Some(2));
    }

    #[test]
    fn what_redis_says_of_a_waiting_item_does_not_count() {
        let outbox = Outbox::default();
        let (a, held) = item("a", 1);
        assert_eq!(outbox.unless_waiting(&a, || 7), Some(7));
        outbox.add([(a.clone(), held)], || ());
        assert_eq!(outbox.unless_waiting(&a, || 7), None);
        assert!(outbox.clear());
        assert_eq!(outbox.unless_waiting(&a, || 7), Some(7));
    }
}
