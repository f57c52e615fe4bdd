//! Fuzz target of the messages of FDv2: what is handed on is what was announced and transferred, piece by piece. Depends on
//! `model`.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use super::protocol::{Assembly, Step, read_poll};
use crate::model::{ChangeKind, Content, LARGEST_VERSION};

/// An answer to a poll, whose events may as well come by stream. A first byte of `+` says that the server was told of a state.
pub fn fdv2(data: &[u8]) {
    let has_base = data.first() == Some(&b'+');
    let Ok(events) = read_poll(data.strip_prefix(b"+").unwrap_or(data)) else { return };
    let mut assembly = Assembly::new(has_base);
    // Pieces that were taken since something was announced or transferred, and what was announced.
    let (mut pieces, mut announced) = (0, None);
    for (name, data) in events {
        let is_piece = matches!(&*name, "put-object" | "delete-object");
        match assembly.take(name.as_bytes(), data) {
            Ok(Step::More) if name == "server-intent" => {
                pieces = 0;
                announced = Some(if contains(data, b"xfer-full") { ChangeKind::Full } else { ChangeKind::Partial });
            }
            Ok(Step::More) if is_piece && announced.is_some() => pieces += 1,
            Ok(Step::More) => assert!(is_piece || name == "heartbeat"),
            Ok(Step::Payload(payload)) => {
                let items = payload.items();
                assert_eq!((items.len(), Some(payload.kind)), (pieces, announced));
                for item in items {
                    assert!(!item.key.is_empty());
                    match item.content {
                        Content::Json(text) => assert!(text.starts_with(b"{") || text == b"null"),
                        Content::Deleted { version } => assert!((0..=LARGEST_VERSION).contains(&version)),
                    }
                }
                (pieces, announced) = (0, Some(ChangeKind::Partial));
            }
            Ok(Step::Unchanged) => (pieces, announced) = (0, Some(ChangeKind::Partial)),
            Ok(Step::Dropped(_)) => {
                pieces = 0;
                // A part of everything is nothing.
                announced = announced.filter(|kind| *kind == ChangeKind::Partial);
            }
            Ok(Step::Goodbye(goodbye)) => {
                assert!(!goodbye.reason().is_empty() || goodbye.fallback().is_none_or(|_| true))
            }
            Ok(Step::Nameless | Step::Ignored(_)) => {}
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
