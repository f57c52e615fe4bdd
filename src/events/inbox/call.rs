//! What one call brings. Copies and texts of it are made when they are needed, and at most once.

use std::sync::Arc;

use crate::context::Context;
use crate::events::recorder::Evaluated;
use crate::model::DefaultValue;

/// A default of this many bytes or more is checked before the inbox is locked: that takes a while.
const LARGE: usize = 1024;

/// An evaluation.
pub(super) struct Call<'a> {
    pub(super) context: &'a Context,
    pub(super) evaluated: &'a Evaluated<'a>,
    pub(super) default: Given<'a>,
    pub(super) shared: Shared<'a>,
}

impl<'a> Call<'a> {
    pub(super) fn new(context: &'a Context, evaluated: &'a Evaluated<'a>) -> Self {
        Self { context, evaluated, default: Given::new(evaluated.default), shared: Shared::new(context) }
    }
}

/// The context of one call.
pub(super) struct Shared<'a> {
    context: &'a Context,
    made: Option<Arc<Context>>,
}

impl<'a> Shared<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self { context, made: None }
    }

    pub(super) fn context(&self) -> &'a Context {
        self.context
    }

    pub(super) fn share(&mut self) -> Arc<Context> {
        Arc::clone(self.made.get_or_insert_with(|| Arc::new(self.context.clone())))
    }

    /// How many bytes an event takes that shares it.
    pub(super) fn weight(&self) -> usize {
        if self.made.is_some() { 0 } else { self.context.weight() }
    }
}

/// The default of one call.
pub(super) struct Given<'a> {
    value: DefaultValue<'a>,
    json: Option<Option<Box<str>>>,
}

impl<'a> Given<'a> {
    fn new(value: DefaultValue<'a>) -> Self {
        let mut given = Self { value, json: None };
        if let DefaultValue::Json(text) | DefaultValue::String(text) = value
            && text.len() >= LARGE
        {
            given.json();
        }
        given
    }

    /// As JSON; `None` stands for null.
    pub(super) fn json(&mut self) -> Option<&str> {
        self.json.get_or_insert_with(|| self.value.to_json()).as_deref()
    }
}
