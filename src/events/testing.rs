//! What the tests of events share.

use std::sync::Arc;

use crate::context::Context;
use crate::model::{Flag, Interner, Parsed, Text, read_flag};

/// A flag from its JSON text.
pub(super) fn flag(text: &str) -> Flag {
    match read_flag("", &Text::new(text), &mut Interner::default()).unwrap() {
        Parsed::Live(flag) => flag,
        other => panic!("{other:?}"),
    }
}

/// A context from its JSON text.
pub(super) fn context(text: &str) -> Arc<Context> {
    Arc::new(Context::from_json(text).unwrap())
}
