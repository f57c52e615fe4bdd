//! Reads that are sent together, as far as the server or its rules let us. Part of the reader.

use redis::{Cmd, cmd};

use super::abilities::{Abilities, Optional};
use super::layout::Keys;

/// Reads that are sent together. Those that can be done without name what is then given up.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) commands: Vec<(Cmd, Option<Optional>)>,
}

impl Batch {
    pub(super) fn add(&mut self, command: &Cmd, optional: Option<Optional>) {
        self.commands.push((command.clone(), optional));
    }

    /// The marker that a full data set was written.
    pub(super) fn add_marker(&mut self, keys: &Keys, abilities: &Abilities) {
        if abilities.has(Optional::Exists) {
            self.add(cmd("EXISTS").arg(&keys.inited), Some(Optional::Exists));
        }
    }

    /// Chosen fields of a hash.
    pub(super) fn add_fields<K: AsRef<str>>(&mut self, hash: &str, keys: &[K], abilities: &Abilities) {
        if keys.is_empty() {
            return;
        }
        if !abilities.has(Optional::Hmget) {
            keys.iter().for_each(|key| self.add(cmd("HGET").arg(hash).arg(key.as_ref()), None));
            return;
        }
        let mut command = cmd("HMGET");
        command.arg(hash);
        for key in keys {
            command.arg(key.as_ref());
        }
        self.add(&command, Some(Optional::Hmget));
    }
}
