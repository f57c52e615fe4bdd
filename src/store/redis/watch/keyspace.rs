//! Keyspace notifications: the server publishes what happens to the hashes and to the marker. It does so only if it is
//! configured to, which a subscription does not show: it counts once `CONFIG GET` says so, or an option does.
//!
//! `FLUSHALL` and `FLUSHDB` are published by no server; the safety poll notices them.

use std::time::Duration;

use redis::RedisError;

use super::super::connector::Connector;
use super::super::login::Protocol;
use super::super::server::about;
use super::super::wire::Deadline;
use super::line::{Heard, Line};
use super::watched::Watched;
use super::{Watch, WatchError, classes};
use crate::store::leash::Leash;
use crate::store::signal::Signal;

/// Published by key, for generic commands, hashes, expiry and eviction.
const CLASSES: &str = "Kghxe";
/// A read of what is not there: no change, and our own reads cause it.
const MISS: &[u8] = b"keymiss";

/// A connection that is subscribed to the keys.
pub struct Keyspace {
    line: Line,
    watched: Watched,
    channels: String,
    server: Option<String>,
}

impl Keyspace {
    /// Arms it on a connection of its own, which is on the leash.
    pub fn arm(
        connector: &Connector,
        watched: &Watched,
        assumes: bool,
        deadline: Deadline,
        leash: &Leash,
    ) -> Result<Self, WatchError> {
        let of = |error: RedisError| WatchError::of(&error);
        let mut line = Line::new(connector.open_by(Protocol::Resp2, deadline, leash).map_err(of)?);
        line.set_deadline(deadline);
        if !assumes {
            classes::check(&mut line, CLASSES, &mut drop)?;
        }
        let server = about(line.connection()).map_err(of)?.server;
        let channels = format!("__keyspace@{}__:", connector.database());
        line.subscribe(&watched.channels(&channels, true), false, &mut drop).map_err(of)?;
        Ok(Self { line, watched: watched.clone(), channels, server })
    }
}

fn signal(watched: &Watched, channels: &str, heard: Heard) -> Option<Signal> {
    let Heard::Message { channel, payload } = heard else { return None };
    let key = channel.strip_prefix(channels.as_bytes())?;
    if payload == MISS { None } else { watched.signal(key) }
}

impl Watch for Keyspace {
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError> {
        let heard = self.line.next(wait).map_err(|error| WatchError::of(&error))?;
        Ok(heard.and_then(|heard| signal(&self.watched, &self.channels, heard)))
    }

    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError> {
        let (watched, channels) = (&self.watched, &self.channels);
        let hear = &mut |heard| signal(watched, channels, heard).into_iter().for_each(&mut *told);
        self.line.ping(timeout, hear).map_err(|error| WatchError::of(&error))
    }

    fn login(&self) -> u64 {
        self.line.login()
    }

    fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    fn tie(&mut self, leash: &Leash) -> Result<(), WatchError> {
        self.line.tie(leash).map_err(|error| WatchError::of(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Kind;
    use crate::store::redis::layout::Keys;

    #[test]
    fn an_event_of_a_watched_key_is_a_change_unless_it_is_a_read_of_what_is_not_there() {
        let of = |channel: &str, payload: &str| {
            let (channel, payload) = (channel.as_bytes().to_vec(), payload.as_bytes().to_vec());
            signal(&Watched::all(&Keys::new("p")), "__keyspace@2__:", Heard::Message { channel, payload })
        };
        assert_eq!(of("__keyspace@2__:p:features", "hset"), Some(Signal::Kind(Kind::Flag)));
        assert_eq!(of("__keyspace@2__:p:segments", "evicted"), Some(Signal::Kind(Kind::Segment)));
        assert_eq!(of("__keyspace@2__:p:$inited", "del"), Some(Signal::All));
        assert_eq!(of("__keyspace@2__:p:features", "keymiss"), None);
        assert_eq!(of("__keyspace@0__:p:features", "hset"), None);
        assert_eq!(of("__keyspace@2__:p:features2", "hset"), None);
    }
}
