//! What a flag is worth for a listener right now, and whether that is news to it. May depend on `store`, `eval`, `model`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::registry::{Listener, Told};
use super::value::Memo;
use super::{Client, Round};
use crate::client::members::Consult;
use crate::client::notifications::Event;
use crate::client::runtime::Runtime;
use crate::eval::{BigSegmentsStatus, Observer, Trouble, evaluate};
use crate::model::{Lookup, Piece};
use crate::store::{FlagEntry, ReadThrough, Residency, View};

/// The value cannot be found out now.
#[derive(Debug)]
struct Unseen;

/// Tells what is wrong with the data.
struct Troubles<'a> {
    client: &'a Client,
    entry: &'a FlagEntry,
}

impl Observer for Troubles<'_> {
    #[cold]
    fn trouble(&mut self, trouble: Trouble<'_>) {
        self.client.tell_trouble(self.entry, trouble);
    }
}

impl Client {
    /// The first value of a listener, unless a poller has found one already.
    pub(super) fn begin(&self, listener: &Listener) {
        let before = listener.told.load_full();
        let value = self.look(listener, &self.current(), true).unwrap_or(None);
        let value = Memo::default().compare(None, value).value;
        listener.told.compare_and_swap(&before, Arc::new(Told { value, is_known: true }));
    }

    /// The next change of a listener's value, if there is one.
    pub(super) fn news(&self, listener: &Listener, runtime: &Runtime, round: &mut Round) -> Option<Event> {
        loop {
            // Before the flag is looked at: whoever has told the listener something newer meanwhile is noticed then.
            let before = listener.told.load_full();
            if listener.is_gone() {
                return None;
            }
            let Ok(now) = self.look(listener, runtime, !round.is_hasty) else {
                round.is_hasty = true;
                return None;
            };
            let verdict = round.memo.compare(before.value.as_ref(), now);
            let told = Arc::new(Told { value: verdict.value, is_known: true });
            let found = listener.told.compare_and_swap(&before, told.clone());
            if !Arc::ptr_eq(&before, &found) {
                continue;
            }
            let text = |told: &Told| told.value.as_deref().map(str::to_owned);
            return (before.is_known && verdict.has_changed).then(|| Event::ValueChanged {
                key: String::from(&*listener.key),
                listener: listener.id,
                old: text(&before),
                new: text(&told),
            });
        }
    }

    /// The value as the flag writes it; nothing for null and where the host would serve its default.
    fn look(&self, listener: &Listener, runtime: &Runtime, may_wait: bool) -> Result<Option<Piece>, Unseen> {
        let shared = &self.plant.shared;
        if !shared.answers() {
            self.listening.is_early.store(true, Relaxed);
            return Err(Unseen);
        }
        if shared.options.residency == Residency::All {
            let snapshot = shared.snapshot.load();
            let Some(entry) = snapshot.flags.get(&listener.key) else {
                self.ask_unknown(&listener.key);
                return Ok(None);
            };
            self.note_use(entry);
            return self.value_of(entry, listener, &View::new(&snapshot), may_wait);
        }
        let view = ReadThrough::new(shared, &runtime.mailbox, may_wait);
        let value = match view.flag_entry(&listener.key) {
            Ok(Some(entry)) => self.value_of(&entry, listener, &view, may_wait)?,
            Ok(None) => None,
            Err(_) => return Err(self.owe()),
        };
        if view.has_missed() { Err(self.owe()) } else { Ok(value) }
    }

    fn owe(&self) -> Unseen {
        self.listening.owes.store(true, Relaxed);
        Unseen
    }

    fn value_of<L: Lookup>(
        &self,
        entry: &FlagEntry,
        listener: &Listener,
        lookup: &L,
        may_wait: bool,
    ) -> Result<Option<Piece>, Unseen> {
        let Some(flag) = entry.live() else { return Ok(None) };
        let (mut troubles, consult) = (Troubles { client: self, entry }, Consult::new(self, may_wait));
        let detail = evaluate(flag, &listener.context, lookup, &consult, &mut troubles);
        if consult.would_wait() || detail.big_segments == Some(BigSegmentsStatus::StoreError) {
            return Err(self.owe());
        }
        let Some(variation) = detail.variation else {
            self.tell_no_value(entry, detail.reason);
            return Ok(None);
        };
        Ok(Some(variation.text()).filter(|text| &**text != "null"))
    }
}
