//! What an evaluation leaves for events and metrics: usually a count, sometimes more. May depend on `events`, `eval`, `context`,
//! `model`.

use super::Client;
use super::ask::Ask;
use super::flags_state::{is_experiment, write_reason};
use crate::context::Context;
use crate::eval::Detail;
use crate::events::{Evaluated, Inbox, Recorder};
use crate::model::{DefaultValue, Flag};

impl Client {
    /// Whether evaluations leave anything.
    #[inline]
    pub(super) fn records(&self) -> bool {
        self.plant.recorder.is_some()
    }

    /// A flag was evaluated: the one asked for, or one that `owner` requires.
    #[inline]
    pub(super) fn record(
        &self,
        flag: &Flag,
        detail: &Detail<'_>,
        context: &Context,
        ask: Ask<'_>,
        owner: Option<&Flag>,
    ) {
        if let Some(recorder) = &self.plant.recorder
            && !recorder.count(flag, detail.index, context)
        {
            self.record_in_full(flag, detail, context, ask, owner);
        }
    }

    #[cold]
    #[inline(never)]
    fn record_in_full(&self, flag: &Flag, detail: &Detail<'_>, context: &Context, ask: Ask<'_>, owner: Option<&Flag>) {
        let in_experiment = is_experiment(flag, &detail.reason);
        let tells = in_experiment || ask.with_reason && (flag.track_events || flag.debug_events_until.is_some());
        let mut reason = String::new();
        if tells {
            write_reason(detail, &mut reason);
        }
        self.note(
            context,
            &Evaluated {
                key: &flag.key,
                flag: Some(flag),
                variation: detail.index,
                default: if owner.is_none() { ask.default } else { DefaultValue::None },
                in_experiment,
                reason: tells.then_some(&*reason),
                prerequisite_of: owner.map(|owner| &*owner.key),
            },
        );
    }

    /// A flag was asked for that does not exist or cannot be read.
    #[cold]
    #[inline(never)]
    pub(super) fn record_unknown(&self, key: &str, context: Option<&Context>, ask: Ask<'_>) {
        // An invalid context leaves nothing.
        let Some(context) = context else { return };
        self.note(
            context,
            &Evaluated {
                key,
                flag: None,
                variation: None,
                default: ask.default,
                in_experiment: false,
                reason: None,
                prerequisite_of: None,
            },
        );
    }

    fn note(&self, context: &Context, evaluated: &Evaluated<'_>) {
        self.tell_inbox(|recorder, inbox| inbox.evaluation(recorder, context, evaluated));
    }

    /// Leaves something in the inbox of this process, if there are events.
    pub(super) fn tell_events(&self, tell: impl FnOnce(&Recorder, &Inbox)) {
        if self.plant.events.is_some() {
            self.tell_inbox(tell);
        }
    }

    /// Leaves something in the inbox of this process, which is there where evaluations are counted.
    fn tell_inbox(&self, tell: impl FnOnce(&Recorder, &Inbox)) {
        if let (Some(recorder), Some(inbox)) = (&self.plant.recorder, &self.current().inbox) {
            tell(recorder, inbox);
        }
    }
}
