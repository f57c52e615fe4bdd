//! Fuzz target of contexts: what was made in one way is the same in every other. Depends on `model`.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use super::{Attribute, Context, SingleContext};
use crate::model::{AttributeRef, Value};

/// The JSON form of a context: written and read again, built anew and merged it stays the same.
pub fn context(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let context = match Context::from_json(text) {
        Ok(context) => context,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let json = context.to_json();
    assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
    assert!(context.weight() > 0 && context.kinds().is_sorted());
    assert_eq!(context.is_multi(), context.singles().count() > 1);
    assert!(context.without_anonymous().is_none_or(|known| known.singles().all(|single| !single.anonymous())));
    context.singles().for_each(check_attributes);
    // Only contexts of the old form may have an empty key, and no other form can say that.
    if context.singles().any(|single| single.key().is_empty()) {
        return;
    }
    let again = Context::from_json(&json).unwrap();
    assert_eq!((again.to_json(), again.canonical_key()), (json.clone(), context.canonical_key()));
    let built: Vec<Context> = context.singles().map(build).collect();
    let merged = Context::merge(&built.iter().rev().collect::<Vec<_>>()).unwrap();
    assert_eq!((merged.to_json(), merged.canonical_key()), (json, context.canonical_key()));
    assert_eq!(merged.kind_set(), context.kind_set());
}

/// Every attribute is found by its name, and the members of objects by their paths.
fn check_attributes(single: &SingleContext) {
    for (name, value) in single.attributes() {
        assert_ne!(value, Attribute::Null);
        assert_eq!(single.get(&AttributeRef::literal(name)), value);
        let Attribute::Object(members) = value else { continue };
        for (member, value) in members {
            let path = [name, member].map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1"))).concat();
            let reference = AttributeRef::parse(&path);
            if matches!(reference, AttributeRef::Path(_)) {
                assert_eq!(single.get(&reference), Attribute::from(value), "{path}");
            }
        }
    }
    assert_eq!(single.get(&AttributeRef::Key), Attribute::String(single.key()));
    assert_eq!(single.get(&AttributeRef::Anonymous), Attribute::Bool(single.anonymous()));
}

/// The same context by the builder.
fn build(single: &SingleContext) -> Context {
    let mut builder = Context::builder(single.kind(), single.key());
    if let Some(name) = single.name() {
        builder.set_string("name", name);
    }
    if single.anonymous() {
        builder.set("anonymous", Value::Bool(true));
    }
    for (name, value) in single.attributes() {
        let mut json = String::new();
        value.write_json(&mut json);
        builder.set(name, serde_json::from_str(&json).unwrap());
    }
    for reference in single.private() {
        builder.private(reference);
    }
    builder.into_context().unwrap()
}
