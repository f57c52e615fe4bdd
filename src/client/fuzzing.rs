//! Fuzz targets of what a client tells of everything: the state of all flags, and its metrics. Depends on `store`, `eval`,
//! `context`, `model`.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use std::sync::Arc;

use serde_json::Value;

use super::all_flags::state_of;
use super::flags_state::AllFlagsOptions;
use super::metrics::Page;
use crate::context::Context;
use crate::eval::{NoMemberships, evaluate};
use crate::model::choices::Choices;
use crate::model::worlds::World;
use crate::model::{Interner, excerpt};
use crate::store::{Entry, Snapshot, View};

/// The state of all flags of a world that is put together by the bytes: each flag is in it with the value that it has alone.
pub fn all_flags(data: &[u8]) {
    let mut choices = Choices::new(data);
    let options = AllFlagsOptions {
        client_side_only: choices.one_in(2),
        with_reasons: choices.one_in(2),
        details_only_for_tracked_flags: choices.one_in(2),
    };
    let world = World::of(&mut choices);
    let (mut snapshot, interner) = (Snapshot::default(), &mut Interner::default());
    for (key, text) in world.flags {
        snapshot.flags.insert(&key, Arc::new(Entry::parse(&key, text.into_bytes(), interner).0));
    }
    for (key, text) in world.segments {
        snapshot.segments.insert(&key, Arc::new(Entry::parse(&key, text.into_bytes(), interner).0));
    }
    for context in world.contexts.iter().filter_map(|json| Context::from_json(json).ok()) {
        check(&snapshot, &context, options);
    }
}

fn check(snapshot: &Snapshot, context: &Context, options: AllFlagsOptions) {
    let text = state_of(snapshot, context, options, &NoMemberships, None);
    let mut state: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(state.remove("$valid"), Some(true.into()));
    let metadata = state.remove("$flagsState").unwrap();
    let (mut expected, view) = (0, View::new(snapshot));
    for (key, entry) in snapshot.flags.iter() {
        let Some(flag) = entry.live().filter(|flag| flag.client_side || !options.client_side_only) else { continue };
        expected += 1;
        let detail = evaluate(flag, context, &view, &NoMemberships, &mut ());
        let value = detail.variation.map_or(Value::Null, |it| serde_json::from_str(it.json()).unwrap());
        assert_eq!(state[&**key], value);
        let about = &metadata[&**key];
        assert_eq!(about.get("variation"), detail.index.map(Value::from).as_ref());
        let reason = about.get("reason");
        assert!(reason.is_none_or(|reason| reason["kind"] == detail.reason.kind()));
        assert!(reason.is_some() || !options.with_reasons || options.details_only_for_tracked_flags);
        assert!(about.get("version").is_some() || options.details_only_for_tracked_flags);
    }
    assert_eq!((state.len(), metadata.as_object().unwrap().len()), (expected, expected));
}

/// Text that somebody else has chosen, as a label of a metric and in a message: it stays on its line, and is read as what it was.
pub fn metrics(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut page = Page::default();
    page.sample("m", &[("flag", &text), ("variation", "0")], 1);
    let line = page.0.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'));
    let label = line.strip_prefix("m{flag=\"").unwrap().strip_suffix("\",variation=\"0\"} 1").unwrap();
    assert_eq!(unescaped(label).as_deref(), Some(&*text));
    let most = data.len() / 2;
    let shown = excerpt(&text, most);
    assert!(!shown.chars().any(char::is_control));
    assert_eq!(shown.ends_with('\u{2026}'), text.chars().count() > most || text.ends_with('\u{2026}') && most > 0);
}

/// What Prometheus reads within the quotes of a label.
fn unescaped(label: &str) -> Option<String> {
    let (mut text, mut characters) = (String::new(), label.chars());
    while let Some(character) = characters.next() {
        text.push(match character {
            '"' | '\n' => return None,
            '\\' => match characters.next()? {
                'n' => '\n',
                escaped @ ('\\' | '"') => escaped,
                _ => return None,
            },
            other => other,
        });
    }
    Some(text)
}
