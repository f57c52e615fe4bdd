//! Evaluation of one flag: finds it where the residency keeps it, evaluates it on borrowed data, and hands the result to
//! a closure, so that nothing is copied that the caller does not want. What came out is counted for the events. May depend on
//! `store`, `eval`, `context`, `model`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::members::{Consult, Remembering};
use super::trouble::Witness;
use super::{Ask, Client, Rounding, atfork};
use crate::context::Context;
use crate::eval::{Detail, ErrorKind, Reason, evaluate};
use crate::model::{Flag, Lookup};
use crate::store::{FlagEntry, ReadThrough, Residency, Slot, Snapshot, State, View};

/// The result of one evaluation. A value of another type than the caller asked for has become an error.
#[derive(Debug)]
pub struct Evaluation<'a> {
    /// Value, index and reason; borrows from the entry.
    pub detail: Detail<'a>,
    /// Keeps the flag alive; `None` when nothing is borrowed.
    pub entry: Option<&'a FlagEntry>,
    /// The flag is not known to be true any more.
    pub stale: bool,
    client: &'a Client,
}

impl Evaluation<'_> {
    /// The value as an integer, if it is a number.
    #[inline]
    pub fn integer(&self) -> Option<i64> {
        self.detail.variation?.integer(self.client.rounding)
    }

    /// How a number with a fraction becomes an integer.
    pub fn rounding(&self) -> Rounding {
        self.client.rounding
    }
}

/// Where items are looked up, and whether one of them would have had to be waited for.
trait Waiting: Lookup {
    fn would_wait(&self) -> bool;
}

impl Waiting for View<'_> {
    fn would_wait(&self) -> bool {
        false
    }
}

impl Waiting for ReadThrough<'_> {
    fn would_wait(&self) -> bool {
        ReadThrough::would_wait(self)
    }
}

/// A detail without a value, for `kind`.
const fn error(kind: ErrorKind) -> Detail<'static> {
    Detail { variation: None, index: None, reason: Reason::Error(kind), big_segments: None }
}

/// The flag `key` of a snapshot. `remembered` is the place where it was last, and is brought up to date.
#[inline(always)]
fn find<'s>(snapshot: &'s Snapshot, key: &str, remembered: Option<&AtomicU64>) -> Option<&'s FlagEntry> {
    let Some(slot) = remembered else { return snapshot.flags.get(key) };
    let before = Slot::from_bits(slot.load(Relaxed));
    let (entry, now) = snapshot.flags.at(before, key);
    if now != before {
        slot.store(now.to_bits(), Relaxed);
    }
    entry
}

impl Client {
    /// Evaluates the flag `key` for `context` (`None`: an invalid one) and hands the result to `read`.
    ///
    /// Residency `all`: no I/O, no lock, no allocation, apart from big segments. Otherwise a key that is not held waits for
    /// Redis at most one command timeout; so does a context whose big segments are not remembered, in any residency.
    #[inline]
    pub fn evaluate<R>(
        &self,
        key: &str,
        context: Option<&Context>,
        ask: Ask<'_>,
        read: impl FnOnce(Evaluation<'_>) -> R,
    ) -> R {
        self.evaluate_at(key, None, context, ask, true, |evaluation, _| read(evaluation))
    }

    /// As [`Client::evaluate`]; `remembered` keeps the place of the flag from call to call. An evaluation that may not
    /// wait tells `read` whether it had to.
    #[inline]
    pub(super) fn evaluate_at<R>(
        &self,
        key: &str,
        remembered: Option<&AtomicU64>,
        context: Option<&Context>,
        ask: Ask<'_>,
        may_wait: bool,
        read: impl FnOnce(Evaluation<'_>, bool) -> R,
    ) -> R {
        if self.stamp.load(Relaxed) != atfork::generation() {
            self.rebuild();
        }
        let stale = self.plant.shared.is_stale();
        if !self.plant.shared.answers() {
            self.record_unknown(key, context, ask);
            return read(self.without_flag(ErrorKind::ClientNotReady, stale), false);
        }
        let Some(context) = context else {
            return read(self.without_flag(ErrorKind::UserNotSpecified, stale), false);
        };
        if self.plant.shared.options.residency != Residency::All {
            return self.evaluate_through(key, context, ask, may_wait, read);
        }
        let snapshot = self.plant.shared.snapshot.load();
        let Some(entry) = find(&snapshot, key, remembered) else {
            self.ask_unknown(key);
            self.tell_unknown(key);
            self.record_unknown(key, Some(context), ask);
            return read(self.without_flag(ErrorKind::FlagNotFound, stale), false);
        };
        self.note_use(entry);
        let kind = match entry.state() {
            State::Live(flag) => {
                let view = View::new(&snapshot);
                let mut witness = Witness { client: self, entry, context, records: self.records(), ask };
                let detail = if may_wait || flag.alone || !self.may_ask_for_members() {
                    evaluate(flag, context, &view, &Consult::new(self, may_wait), &mut witness)
                } else {
                    match self.evaluate_without_waiting(flag, context, &view, &mut witness) {
                        Ok(detail) => detail,
                        Err(detail) => {
                            return read(Evaluation { detail, entry: Some(entry), stale, client: self }, true);
                        }
                    }
                };
                let stale = stale || entry.is_superseded() || view.is_superseded();
                match detail.variation {
                    Some(variation) if !ask.wanted.accepts(variation) => {
                        self.tell_wrong_type(entry, ask.wanted);
                        let detail = Detail { big_segments: detail.big_segments, ..error(ErrorKind::WrongType) };
                        self.record(flag, &detail, context, ask, None);
                        return read(Evaluation { detail, entry: Some(entry), stale, client: self }, false);
                    }
                    Some(_) => {}
                    None => self.tell_no_value(entry, detail.reason),
                }
                self.record(flag, &detail, context, ask, None);
                // From here, so that the detail is not copied to where the others would come from.
                return read(Evaluation { detail, entry: Some(entry), stale, client: self }, false);
            }
            State::Tombstone => {
                self.tell_unknown(key);
                ErrorKind::FlagNotFound
            }
            State::Unreadable => ErrorKind::Exception,
        };
        self.record_unknown(key, Some(context), ask);
        read(self.without_flag(kind, stale), false)
    }

    /// An error for want of a flag that could be evaluated.
    #[inline(always)]
    fn without_flag(&self, kind: ErrorKind, stale: bool) -> Evaluation<'_> {
        Evaluation { detail: error(kind), entry: None, stale, client: self }
    }

    /// As [`Client::evaluate_at`], without any wait: `None` when something would have to be read from Redis.
    pub(super) fn evaluate_now<R>(
        &self,
        key: &str,
        remembered: Option<&AtomicU64>,
        context: Option<&Context>,
        ask: Ask<'_>,
        read: impl FnOnce(Evaluation<'_>) -> R,
    ) -> Option<R> {
        self.evaluate_at(key, remembered, context, ask, false, |evaluation, would_wait| {
            (!would_wait).then(|| read(evaluation))
        })
    }

    /// Evaluation under residency `lazy` and `off`. `read` also learns whether a non-waiting view missed something.
    fn evaluate_through<R>(
        &self,
        key: &str,
        context: &Context,
        ask: Ask<'_>,
        may_wait: bool,
        read: impl FnOnce(Evaluation<'_>, bool) -> R,
    ) -> R {
        let stale = self.plant.shared.is_stale();
        if self.is_closed() && self.plant.shared.options.residency == Residency::Off {
            return read(self.without_flag(ErrorKind::ClientNotReady, stale), false);
        }
        let runtime = self.current();
        let view = ReadThrough::new(&self.plant.shared, &runtime.mailbox, may_wait);
        let outcome = view.flag_entry(key);
        let held = match &outcome {
            Err(_) => Err(ErrorKind::Exception),
            Ok(None) => Err(ErrorKind::FlagNotFound),
            Ok(Some(entry)) => match entry.state() {
                State::Live(flag) => Ok((entry, flag)),
                State::Tombstone => Err(ErrorKind::FlagNotFound),
                State::Unreadable => Err(ErrorKind::Exception),
            },
        };
        let (detail, entry, would_wait) = match held {
            Ok((entry, flag)) => match self.evaluate_held(flag, entry, context, &view, may_wait, ask) {
                Ok(detail) => (detail, Some(entry), false),
                Err(detail) => (detail, Some(entry), true),
            },
            Err(kind) => {
                if kind == ErrorKind::FlagNotFound {
                    self.tell_unknown(key);
                }
                if !view.would_wait() {
                    self.record_unknown(key, Some(context), ask);
                }
                (error(kind), None, view.would_wait())
            }
        };
        let stale = stale || view.is_superseded();
        read(Evaluation { detail, entry, stale, client: self }, would_wait)
    }

    /// The error is what came out where something would have had to be waited for.
    fn evaluate_held<'f>(
        &self,
        flag: &'f Flag,
        entry: &'f FlagEntry,
        context: &Context,
        view: &ReadThrough<'_>,
        may_wait: bool,
        ask: Ask<'_>,
    ) -> Result<Detail<'f>, Detail<'f>> {
        let mut witness = Witness { client: self, entry, context, records: self.records(), ask };
        let mut detail = if may_wait {
            evaluate(flag, context, view, &Consult::new(self, true), &mut witness)
        } else {
            view.pin();
            self.evaluate_without_waiting(flag, context, view, &mut witness)?
        };
        match detail.variation {
            Some(variation) if !ask.wanted.accepts(variation) => {
                self.tell_wrong_type(entry, ask.wanted);
                detail = Detail { big_segments: detail.big_segments, ..error(ErrorKind::WrongType) };
            }
            Some(_) => {}
            None => self.tell_no_value(entry, detail.reason),
        }
        self.record(flag, &detail, context, ask, None);
        Ok(detail)
    }

    /// Evaluates a flag, or says that something would have to be waited for. Then it is evaluated again later and must not be
    /// counted twice, so a first evaluation that counts nothing finds out whether it would.
    #[cold]
    #[inline(never)]
    fn evaluate_without_waiting<'f, L: Waiting>(
        &self,
        flag: &'f Flag,
        context: &Context,
        view: &L,
        witness: &mut Witness<'_>,
    ) -> Result<Detail<'f>, Detail<'f>> {
        let consult = Consult::new(self, false);
        let members = Remembering::new(&consult);
        // The flag itself is counted at the end.
        if witness.records && flag.prerequisite_keys().next().is_some() {
            witness.records = false;
            let detail = evaluate(flag, context, view, &members, witness);
            if consult.would_wait() || view.would_wait() {
                return Err(detail);
            }
            witness.records = true;
        }
        let detail = evaluate(flag, context, view, &members, witness);
        if consult.would_wait() || view.would_wait() { Err(detail) } else { Ok(detail) }
    }

    #[cold]
    pub(super) fn ask_unknown(&self, key: &str) {
        if self.refetches_on_use && !self.plant.shared.is_all_verified() {
            self.current().mailbox.ask_unknown(key, self.plant.shared.generation());
        }
    }

    /// The flag is in use: where Redis tells what is unverified, it is read again first.
    #[inline(always)]
    pub(super) fn note_use(&self, entry: &FlagEntry) {
        entry.mark_used(self.plant.shared.tick());
        if self.refetches_on_use && !self.plant.shared.is_verified(entry.verified()) {
            self.ask_refetch();
        }
    }

    #[cold]
    fn ask_refetch(&self) {
        self.current().mailbox.ask_refetch();
    }
}
