//! The state of all flags for one context, for handing on to a browser or another service: all flags of one snapshot are
//! evaluated, without a lock. May depend on `store`, `eval`, `context`, `model`.

use std::hint::black_box;
use std::sync::Arc;

use super::flags_state::{AllFlagsOptions, FlagsState, INVALID};
use super::members::{Consult, Remembering};
use super::{Client, ClientError};
use crate::context::Context;
use crate::eval::{Detail, Memberships, Observer, Trouble, evaluate};
use crate::model::{Flag, unix_ms};
use crate::store::{FlagEntry, Residency, Snapshot, View, read_whole};

impl Client {
    /// The state of all flags for `context` (`None`: an invalid one) as JSON text.
    ///
    /// Residency `all`: no I/O, no lock, apart from big segments, which are asked for once for each key of the context.
    /// Otherwise everything is read from Redis, which takes at most one command timeout.
    pub fn all_flags_json(&self, context: Option<&Context>, options: AllFlagsOptions) -> Result<String, ClientError> {
        if self.is_closed() {
            return Err(ClientError::Closed);
        }
        Ok(match (context, self.data()) {
            (Some(context), Some(snapshot)) => {
                let consult = Consult::new(self, true);
                state_of(&snapshot, context, options, &Remembering::new(&consult), Some(self))
            }
            _ => INVALID.to_owned(),
        })
    }

    /// All flags and segments at one moment, deleted ones included; `None` when there are none to be had: before the first
    /// data, and after a close that came before them.
    ///
    /// Residency `all`: no I/O, no lock. Otherwise everything is read from Redis, which takes at most one command timeout.
    pub fn data(&self) -> Option<Arc<Snapshot>> {
        let runtime = self.current();
        if !self.plant.shared.answers() {
            return None;
        }
        if self.plant.shared.options.residency != Residency::All {
            return read_whole(&self.plant.shared, &runtime.mailbox).ok();
        }
        if self.refetches_on_use && !self.plant.shared.is_all_verified() {
            runtime.mailbox.ask_full();
        }
        Some(self.plant.shared.snapshot.load_full())
    }
}

/// Evaluates all flags that can be read; those that cannot are left out, and an error of one concerns no other. What is wrong
/// with the data is told to `client`.
pub(super) fn state_of(
    snapshot: &Snapshot,
    context: &Context,
    options: AllFlagsOptions,
    memberships: &impl Memberships,
    client: Option<&Client>,
) -> String {
    let view = View::new(snapshot);
    let mut state = FlagsState::new(options, unix_ms(), snapshot.flags.len());
    let mut flags = snapshot
        .flags
        .iter_sorted()
        .filter_map(|(key, entry)| Some((&**key, entry, entry.live()?)))
        .filter(|(.., flag)| flag.client_side || !options.client_side_only);
    let mut batch = Vec::with_capacity(TOGETHER);
    loop {
        batch.extend(flags.by_ref().take(TOGETHER));
        if batch.is_empty() {
            return state.finish();
        }
        black_box(batch.iter().map(|(key, _, flag)| touch(key, flag)).sum::<usize>());
        for (key, entry, flag) in batch.drain(..) {
            let mut direct = Direct { owner: flag, evaluated: 0, entry, client };
            let detail = evaluate(flag, context, &view, memberships, &mut direct);
            if let (None, Some(client)) = (detail.variation, client) {
                client.tell_no_value(entry, detail.reason);
            }
            let evaluated = direct.evaluated;
            state.add(key, flag, &detail, evaluated);
        }
    }
}

/// Flags that are fetched from memory together.
const TOGETHER: usize = 16;

/// Reads a byte of each place that evaluating and writing a flag usually reads. Done for several flags in a row, the
/// processor fetches them all at once; evaluated one after the other, each would be waited for. Thousands of flags do not
/// fit the caches, so this is most of the time.
fn touch(key: &str, flag: &Flag) -> usize {
    let first = |text: &str| usize::from(text.as_bytes().first().copied().unwrap_or_default());
    let rules = flag.rules.iter().take(RULES_TOUCHED).map(|rule| {
        usize::from(rule.track_events) + rule.clauses.first().map_or(0, |clause| usize::from(clause.negate))
    });
    let variations = flag.variations.iter().take(VARIATIONS_TOUCHED).map(|variation| first(variation.json()));
    first(key)
        + usize::from(flag.on)
        + usize::from(flag.version != 0)
        + usize::from(flag.client_side)
        + flag.targets.first().map_or(0, |target| usize::from(target.variation != 0))
        + rules.sum::<usize>()
        + variations.sum::<usize>()
}

const RULES_TOUCHED: usize = 2;
const VARIATIONS_TOUCHED: usize = 3;

/// Counts the prerequisites of one flag that were evaluated. They are evaluated in order, and a missing one is the last
/// one looked at, so the number says which.
struct Direct<'f> {
    owner: &'f Flag,
    evaluated: usize,
    entry: &'f FlagEntry,
    client: Option<&'f Client>,
}

impl Observer for Direct<'_> {
    fn prerequisite(&mut self, owner: &Flag, _: &Flag, _: &Detail<'_>) {
        // A flag is never its own prerequisite, so it owns only what it names itself.
        self.evaluated += usize::from(std::ptr::eq(owner, self.owner));
    }

    #[cold]
    fn trouble(&mut self, trouble: Trouble<'_>) {
        if let Some(client) = self.client {
            client.tell_trouble(self.entry, trouble);
        }
    }
}

#[cfg(test)]
mod tests;
