//! Commands for keys that are on their way to another node of a cluster: that one takes each only after `ASKING`. Pure
//! functions over packed commands; nothing that sends commands needs to know. Depends on nothing.

use std::collections::VecDeque;

const ASKING: &[u8] = b"*1\r\n$6\r\nASKING\r\n";

/// What was put before commands, and whose replies are left out.
#[derive(Debug, Default)]
pub struct Asking {
    /// For each reply that is to come: one is left out before it.
    owed: VecDeque<bool>,
    in_transaction: bool,
}

impl Asking {
    /// The commands with what has to stand before them: nothing within a transaction, for which what was said before it holds.
    pub fn rewrite(&mut self, packed: &[u8]) -> Vec<u8> {
        let mut rewritten = Vec::with_capacity(packed.len() + ASKING.len());
        let mut rest = packed;
        while !rest.is_empty() {
            let (name, length) = first_command(rest).unwrap_or((b"", rest.len()));
            let asks = !self.in_transaction;
            if name.eq_ignore_ascii_case(b"MULTI") {
                self.in_transaction = true;
            } else if name.eq_ignore_ascii_case(b"EXEC") {
                self.in_transaction = false;
            }
            if asks {
                rewritten.extend_from_slice(ASKING);
            }
            self.owed.push_back(asks);
            let (command, after) = rest.split_at(length);
            rewritten.extend_from_slice(command);
            rest = after;
        }
        rewritten
    }

    /// Whether the reply that comes next is left out, before the one that is waited for.
    pub fn leaves_one_out(&mut self) -> bool {
        match self.owed.front_mut() {
            Some(owed) => std::mem::take(owed),
            None => false,
        }
    }

    /// A reply has come that somebody waited for.
    pub fn replied(&mut self) {
        self.owed.pop_front();
    }
}

/// The name of the first of the packed commands, and the length of that command.
fn first_command(packed: &[u8]) -> Option<(&[u8], usize)> {
    let (words, mut at) = number(packed, 0, b'*')?;
    let mut name = None;
    for _ in 0..words {
        let (length, begin) = number(packed, at, b'$')?;
        let word = packed.get(begin..begin.checked_add(length)?)?;
        name = name.or(Some(word));
        at = begin + length + 2;
    }
    (at <= packed.len()).then_some((name?, at))
}

/// A line of a sign and a number; the number, and where the next line begins.
fn number(packed: &[u8], at: usize, sign: u8) -> Option<(usize, usize)> {
    let line = packed.get(at..)?.strip_prefix(&[sign])?;
    let length = line.iter().position(|byte| *byte == b'\r')?;
    let number = std::str::from_utf8(line.get(..length)?).ok()?.parse().ok()?;
    Some((number, at + 1 + length + 2))
}

#[cfg(test)]
mod tests {
    use redis::pipe;

    use super::*;

    #[test]
    fn each_command_is_asked_for_and_a_transaction_once() {
        let mut commands = pipe();
        commands.cmd("HGET").arg("h\r\n*1\r\n").arg("");
        commands.cmd("MULTI").cmd("DEL").arg("h").cmd("EXEC").cmd("WATCH").arg("h");
        let mut expected = pipe();
        expected.cmd("ASKING").cmd("HGET").arg("h\r\n*1\r\n").arg("").cmd("ASKING").cmd("MULTI").cmd("DEL").arg("h");
        expected.cmd("EXEC").cmd("ASKING").cmd("WATCH").arg("h");
        let mut asking = Asking::default();
        let rewritten = asking.rewrite(&commands.get_packed_pipeline());
        assert_eq!(String::from_utf8(rewritten), String::from_utf8(expected.get_packed_pipeline()));
        let left_out: Vec<bool> = (0..5)
            .map(|_| {
                let leaves = asking.leaves_one_out();
                assert!(!asking.leaves_one_out());
                asking.replied();
                leaves
            })
            .collect();
        assert_eq!(left_out, [true, true, false, false, true]);
        assert!(!asking.leaves_one_out());
    }

    #[test]
    fn what_is_no_command_is_sent_as_it_is() {
        for text in [&b"PING\r\n"[..], b"*1\r\n$9\r\nPING\r\n", b"*x\r\n", b"*1\r\n$18446744073709551615\r\n"] {
            assert!(Asking::default().rewrite(text).ends_with(text));
        }
    }
}
