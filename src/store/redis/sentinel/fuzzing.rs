//! What a sentinel may say, for the fuzz target of replies. Depends on `word`.

use super::super::endpoints::Address;
use super::word::{Wanted, word_of};

/// Takes the replies for those to the questions that a sentinel is asked.
pub fn reply_of_sentinel(replies: &[redis::Value]) {
    for (replicas, others) in [(false, false), (true, false), (false, true), (true, true)] {
        match word_of(replies, Wanted { replicas, others }) {
            Err(silence) => drop(silence.to_string()),
            Ok(word) => {
                assert!(others || word.others.is_none());
                assert!(replicas || word.replicas.is_empty());
                let told = word.others.iter().flatten().chain(&word.replicas).chain([&word.address]);
                for address in told {
                    assert!(matches!(address, Address::Tcp { host, port } if !host.is_empty() && *port > 0));
                }
            }
        }
    }
}
