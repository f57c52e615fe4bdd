//! Who is asking: the context that a flag is evaluated for.
//!
//! A context is built once, checked completely, and never changes; evaluation borrows it from any thread. It is made
//! from JSON, from a key, with a builder or by merging others. Depends on `model` for values and attribute references.

mod attributes;
mod block;
mod builder;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod json;
mod kinds;
mod seen;
mod single;

pub use builder::ContextBuilder;
pub use error::ContextError;
pub use kinds::KindSet;
pub use single::{Attribute, SingleContext};

use crate::model::{ContextKind, write_string};
use seen::Seen;

/// A valid context: one individual context, or several of different kinds. Immutable.
#[derive(Clone, Debug)]
pub struct Context {
    singles: Singles,
    kinds: KindSet,
    seen: Seen,
}

#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly all contexts are individual ones, which need no second allocation"
)]
enum Singles {
    One(SingleContext),
    Many(Box<Many>),
}

/// What a multi-kind context holds.
#[derive(Clone, Debug)]
struct Many {
    /// At least two, sorted by kind.
    singles: Box<[SingleContext]>,
    canonical_key: Box<str>,
}

impl Context {
    /// The most bytes that kind, key, names and texts of one individual context, or its JSON form, may have together.
    pub const MAX_BYTES: usize = 1 << 28;

    /// Reads a context from JSON: single-kind, multi-kind, or a user as older SDKs wrote it (without `kind`).
    pub fn from_json(json: &str) -> Result<Context, ContextError> {
        json::read(json)
    }

    /// A context that has nothing but a key. An empty kind means `user`.
    pub fn from_key(kind: &str, key: &str) -> Result<Context, ContextError> {
        ContextBuilder::new(kind, key).into_context()
    }

    /// Starts a context with attributes. An empty kind means `user`.
    pub fn builder(kind: &str, key: &str) -> ContextBuilder {
        ContextBuilder::new(kind, key)
    }

    /// Joins contexts of different kinds into a multi-kind one. Multi-kind contexts contribute all their members; a
    /// single context stays as it is.
    pub fn merge(contexts: &[&Context]) -> Result<Context, ContextError> {
        let singles = contexts.iter().flat_map(|context| context.as_slice()).cloned().collect();
        Context::from_singles(singles)
    }

    fn from_singles(mut singles: Vec<SingleContext>) -> Result<Context, ContextError> {
        if singles.len() < 2 {
            return singles.pop().map(Context::from).ok_or(ContextError::MultiEmpty);
        }
        singles.sort_by(|one, other| one.kind().cmp(other.kind()));
        for pair in singles.windows(2) {
            if let [one, other] = pair
                && one.kind() == other.kind()
            {
                return Err(ContextError::MultiDuplicate(one.kind().into()));
            }
        }
        let parts: Vec<String> = singles.iter().map(|single| canonical_part(single.kind(), single.key())).collect();
        let many = Many { singles: singles.into_boxed_slice(), canonical_key: parts.join(":").into_boxed_str() };
        let kinds = many.singles.iter().map(KindSet::of).fold(KindSet::default(), KindSet::with);
        Ok(Context { singles: Singles::Many(Box::new(many)), kinds, seen: Seen::default() })
    }

    /// The JSON form: properties in the order in which they were set, raw UTF-8, integral numbers without a fraction.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(256);
        match &self.singles {
            Singles::One(single) => single.write_json(true, &mut out),
            Singles::Many(many) => {
                out.push_str("{\"kind\":\"multi\"");
                for single in &many.singles {
                    out.push(',');
                    write_string(single.kind(), &mut out);
                    out.push(':');
                    single.write_json(false, &mut out);
                }
                out.push('}');
            }
        }
        out
    }

    /// The fully qualified key: it identifies the context by kinds and keys alone.
    #[inline]
    pub fn canonical_key(&self) -> &str {
        match &self.singles {
            Singles::One(single) => single.canonical_key(),
            Singles::Many(many) => &many.canonical_key,
        }
    }

    /// The individual context of a kind.
    pub fn individual(&self, kind: &str) -> Option<&SingleContext> {
        self.as_slice().iter().find(|single| single.kind() == kind)
    }

    /// The individual context of a kind that a rule names.
    #[inline(always)]
    pub fn of_kind(&self, kind: &ContextKind) -> Option<&SingleContext> {
        match &self.singles {
            Singles::One(single) => single.is_of(kind).then_some(single),
            Singles::Many(many) => many.of_kind(kind),
        }
    }

    /// The kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.singles().map(SingleContext::kind)
    }

    /// The individual contexts, sorted by kind.
    pub fn singles(&self) -> impl Iterator<Item = &SingleContext> {
        self.as_slice().iter()
    }

    /// The kinds as a set that is cheap to compare and to join.
    #[inline]
    pub fn kind_set(&self) -> KindSet {
        self.kinds
    }

    /// Whether the context was marked with `window` last.
    #[inline]
    pub fn was_seen(&self, window: u64) -> bool {
        self.seen.is(window)
    }

    /// Marks the context, which is equal to an unmarked one in every other respect: whoever tells who was seen need not look
    /// it up again. A window is a number that the whole process uses once.
    pub fn mark_seen(&self, window: u64) {
        self.seen.mark(window);
    }

    /// The context without its anonymous members; `None` if nobody is left.
    pub fn without_anonymous(&self) -> Option<Context> {
        Context::from_singles(self.singles().filter(|single| !single.anonymous()).cloned().collect()).ok()
    }

    /// How many bytes of memory it takes, roughly.
    pub fn weight(&self) -> usize {
        self.singles().map(SingleContext::weight).sum()
    }

    /// Whether there is more than one individual context.
    pub fn is_multi(&self) -> bool {
        matches!(self.singles, Singles::Many(_))
    }

    #[inline]
    fn as_slice(&self) -> &[SingleContext] {
        match &self.singles {
            Singles::One(single) => std::slice::from_ref(single),
            Singles::Many(many) => &many.singles,
        }
    }
}

impl Many {
    #[inline(never)]
    fn of_kind(&self, kind: &ContextKind) -> Option<&SingleContext> {
        self.singles.iter().find(|single| single.is_of(kind))
    }
}

impl From<SingleContext> for Context {
    fn from(single: SingleContext) -> Context {
        let kinds = KindSet::of(&single);
        Context { singles: Singles::One(single), kinds, seen: Seen::default() }
    }
}

/// `kind:key` with the separators of the key escaped.
fn canonical_part(kind: &str, key: &str) -> String {
    format!("{kind}:{}", key.replace('%', "%25").replace(':', "%3A"))
}

#[cfg(test)]
mod tests;
