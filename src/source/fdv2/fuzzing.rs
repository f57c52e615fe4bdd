//! Fuzz target of the messages of FDv2: what is handed on is what was announced and transferred, piece by piece. Depends on
//! `model`.

use super::protocol::{Assembly, Step, read_poll};
use crate::model::{ChangeKind, Content, Delivery, LARGEST_VERSION};

/// An answer to a poll, whose events may as well come by stream. A first byte of `+` says that the server was told of a state.
pub fn fdv2(data: &[u8]) {
    let has_base = data.first() == Some(&b'+');
    let Ok(events) = read_poll(data.strip_prefix(b"+").unwrap_or(data)) else { return };
    let mut assembly = Assembly::new(has_base);
    // Pieces that were taken since something was announced or transferred, and whether anything was.
    let (mut pieces, mut announced, mut was_full) = (0, false, false);
    for (name, data) in events {
        let is_piece = matches!(&*name, "put-object" | "delete-object");
        match assembly.take(name.as_bytes(), data) {
            Ok(Step::More) if name == "server-intent" => (pieces, announced) = (0, true),
            Ok(Step::More) if is_piece && announced => pieces += 1,
            Ok(Step::More) => assert_eq!(name, "heartbeat"),
            Ok(Step::Payload(payload)) => {
                let items = payload.items();
                assert!(
                    announced && items.len() == pieces && (payload.kind == ChangeKind::Full || has_base || was_full)
                );
                was_full = true;
                items.iter().for_each(check);
                pieces = 0;
            }
            Ok(Step::Unchanged) => {
                assert!(has_base || was_full);
                (pieces, announced) = (0, true);
            }
            Ok(Step::Dropped(_)) => pieces = 0,
            Ok(Step::Goodbye(goodbye)) => drop((goodbye.reason().to_owned(), goodbye.fallback())),
            Ok(Step::Nameless | Step::Ignored(_)) => {}
            // Whoever reads on gives up the connection.
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
}

fn check(item: &Delivery<'_>) {
    assert!(!item.key.is_empty());
    match item.content {
        Content::Json(text) => assert!(text.starts_with(b"{") || text == b"null"),
        Content::Deleted { version } => assert!((0..=LARGEST_VERSION).contains(&version)),
    }
}
