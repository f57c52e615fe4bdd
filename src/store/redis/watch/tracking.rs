//! The two best rungs, on one connection: broadcast tracking on the names of the hashes, and beside it, where the server
//! publishes them, the fields that changed. Tracking stays on: what changes a hash without naming fields is told by it alone.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use redis::{RedisError, cmd};

use super::super::connector::Connector;
use super::super::login::Protocol;
use super::super::server::{About, about};
use super::super::wire::Deadline;
use super::fields::{Explained, keys};
use super::line::{Heard, Line};
use super::watched::Watched;
use super::{Watch, WatchError, classes};
use crate::store::leash::Leash;
use crate::store::signal::Signal;

/// Classes of notifications that name fields of hashes.
const CLASSES: &str = "Sh";
/// So much is heard at most before it is passed on.
const IN_ONE_PIECE: usize = 1_000;
/// The first version of Redis that has them.
const SINCE: (u32, u32) = (8, 8);

/// A connection on which the server tells.
pub struct Tracking {
    line: Line,
    ear: Ear,
    about: About,
    /// The channels were subscribed to.
    subscribed: bool,
}

/// What is made of what comes in.
struct Ear {
    watched: Watched,
    explained: Explained,
    channels: String,
    signals: VecDeque<Signal>,
}

impl Tracking {
    /// Arms tracking on a connection of its own, which is on the leash.
    pub fn arm(
        connector: &Connector,
        watched: &Watched,
        deadline: Deadline,
        leash: &Leash,
    ) -> Result<Self, WatchError> {
        Self::try_arm(connector, watched, deadline, leash).map_err(|error| WatchError::of(&error))
    }

    fn try_arm(
        connector: &Connector,
        watched: &Watched,
        deadline: Deadline,
        leash: &Leash,
    ) -> Result<Self, RedisError> {
        let mut line = Line::new(connector.open_by(Protocol::Resp3, deadline, leash)?);
        line.set_deadline(deadline);
        let mut ear = Ear {
            watched: watched.clone(),
            explained: Explained::default(),
            channels: format!("__subkeyspace@{}__:", connector.database()),
            signals: VecDeque::new(),
        };
        // Whole hash names, never "<prefix>:": other keys of the environment would be broadcast as well.
        let mut tracking = cmd("CLIENT").arg(&["TRACKING", "ON", "BCAST"]).to_owned();
        watched.hashes().for_each(|hash| _ = tracking.arg("PREFIX").arg(hash));
        line.ask(tracking.arg("NOLOOP"), &mut |heard| ear.hear(heard))?;
        let about = about(line.connection())?;
        Ok(Self { line, ear, about, subscribed: false })
    }

    fn subscribe(&mut self) -> Result<(), WatchError> {
        let channels = self.ear.watched.channels(&self.ear.channels, false);
        let ear = &mut self.ear;
        self.line.subscribe(&channels, true, &mut |heard| ear.hear(heard)).map_err(|error| WatchError::of(&error))?;
        self.subscribed = true;
        Ok(())
    }
}

impl Ear {
    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Invalidated(None) => {
                self.explained = Explained::default();
                self.signals.push_back(Signal::All);
            }
            Heard::Invalidated(Some(names)) => names.iter().for_each(|name| self.invalidated(name)),
            Heard::Message { channel, payload } => self.published(&channel, &payload),
            _ => {}
        }
    }

    fn invalidated(&mut self, name: &[u8]) {
        let Some(kind) = self.watched.kind(name) else { return };
        if !self.explained.takes(kind, Instant::now()) {
            self.signals.push_back(Signal::Kind(kind));
        }
    }

    fn published(&mut self, channel: &[u8], payload: &[u8]) {
        let hash = channel.strip_prefix(self.channels.as_bytes());
        let Some(kind) = hash.and_then(|hash| self.watched.kind(hash)) else { return };
        match keys(payload) {
            Some(keys) => {
                self.explained.note(kind, Instant::now());
                self.signals.push_back(Signal::Fields(kind, keys));
            }
            // Which fields it names is not known: the whole hash may have changed.
            None => self.signals.push_back(Signal::Kind(kind)),
        }
    }
}

impl Watch for Tracking {
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError> {
        if let Some(signal) = self.ear.signals.pop_front() {
            return Ok(Some(signal));
        }
        let of = |error: RedisError| WatchError::of(&error);
        if let Some(first) = self.line.next(wait).map_err(of)? {
            self.ear.hear(first);
            // What the server told in one piece is passed on at once, so that it is read at one moment.
            for _ in 1..IN_ONE_PIECE {
                let Some(heard) = self.line.next_arrived().map_err(of)? else { break };
                self.ear.hear(heard);
            }
        }
        Ok(self.ear.signals.pop_front())
    }

    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError> {
        let ear = &mut self.ear;
        let outcome = self.line.ping(timeout, &mut |heard| ear.hear(heard));
        self.ear.signals.drain(..).for_each(told);
        outcome.map_err(|error| WatchError::of(&error))
    }

    fn renew_login(
        &mut self,
        connector: &Connector,
        timeout: Duration,
        told: &mut dyn FnMut(Signal),
    ) -> Result<bool, WatchError> {
        let ear = &mut self.ear;
        let renewed = self.line.renew_login(connector, timeout, &mut |heard| ear.hear(heard));
        self.ear.signals.drain(..).for_each(told);
        renewed.map(|()| true).map_err(|error| WatchError::of(&error))
    }

    fn login(&self) -> u64 {
        self.line.login()
    }

    fn server(&self) -> Option<&str> {
        self.about.server.as_deref()
    }

    fn tie(&mut self, leash: &Leash) -> Result<(), WatchError> {
        self.line.tie(leash).map_err(|error| WatchError::of(&error))
    }

    fn may_name_fields(&self) -> bool {
        !self.about.is_older_than(SINCE)
    }

    fn name_fields(&mut self, deadline: Deadline, assumes: bool) -> Result<(), WatchError> {
        if !self.may_name_fields() {
            let text = format!("the server is {}; they came with Redis {}.{}", self.about.product(), SINCE.0, SINCE.1);
            return Err(WatchError::Refused(text));
        }
        self.line.set_deadline(deadline);
        if !assumes {
            let ear = &mut self.ear;
            classes::check(&mut self.line, CLASSES, &mut |heard| ear.hear(heard))?;
        }
        if self.subscribed { Ok(()) } else { self.subscribe() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::Kind;
    use crate::store::redis::layout::Keys;

    /// What is told after these things were heard.
    fn told(heard: Vec<Heard>) -> Vec<Signal> {
        let mut ear = Ear {
            watched: Watched::all(&Keys::new("p")),
            explained: Explained::default(),
            channels: "__subkeyspace@0__:".to_owned(),
            signals: VecDeque::new(),
        };
        heard.into_iter().for_each(|heard| ear.hear(heard));
        ear.signals.into()
    }

    fn pushed(names: &[&str]) -> Heard {
        Heard::Invalidated(Some(names.iter().map(|name| name.as_bytes().to_vec()).collect()))
    }

    fn fields(hash: &str, payload: &str) -> Heard {
        let channel = format!("__subkeyspace@0__:p:{hash}").into_bytes();
        Heard::Message { channel, payload: payload.as_bytes().to_vec() }
    }

    fn named(kind: Kind, keys: &[&str]) -> Signal {
        Signal::Fields(kind, keys.iter().map(|key| Arc::from(*key)).collect())
    }

    #[test]
    fn a_hash_that_is_pushed_with_its_fields_is_told_by_its_fields_alone() {
        let heard = vec![fields("features", "hset|1:a"), fields("features", "hdel|1:b"), pushed(&["p:features"])];
        assert_eq!(told(heard), [named(Kind::Flag, &["a"]), named(Kind::Flag, &["b"])]);
    }

    #[test]
    fn a_hash_that_is_pushed_without_fields_or_with_those_of_another_one_is_told_whole() {
        assert_eq!(told(vec![pushed(&["p:features"])]), [Signal::Kind(Kind::Flag)]);
        let heard = vec![fields("features", "hset|1:a"), pushed(&["p:segments", "p:features"])];
        assert_eq!(told(heard), [named(Kind::Flag, &["a"]), Signal::Kind(Kind::Segment)]);
        let heard = vec![fields("features", "hset|1:a"), pushed(&["p:features"]), pushed(&["p:features"])];
        assert_eq!(told(heard), [named(Kind::Flag, &["a"]), Signal::Kind(Kind::Flag)], "a DEL right after");
    }

    #[test]
    fn fields_that_are_not_understood_explain_nothing() {
        let whole = Signal::Kind(Kind::Flag);
        for payload in ["hset", "hset|9:a", ""] {
            let heard = vec![fields("features", payload), pushed(&["p:features"])];
            assert_eq!(told(heard), [whole.clone(), whole.clone()]);
        }
    }

    #[test]
    fn other_keys_channels_and_messages_are_nothing_and_a_flush_is_everything() {
        let heard = vec![
            pushed(&["p:features2", "p:$inited"]),
            Heard::Message { channel: b"__keyspace@0__:p:features".to_vec(), payload: b"hset".to_vec() },
            Heard::Message { channel: b"__subkeyspace@1__:p:features".to_vec(), payload: b"hset|1:a".to_vec() },
            Heard::Other,
        ];
        assert_eq!(told(heard), []);
        let heard = vec![fields("features", "hset|1:a"), Heard::Invalidated(None), pushed(&["p:features"])];
        assert_eq!(told(heard), [named(Kind::Flag, &["a"]), Signal::All, Signal::Kind(Kind::Flag)]);
    }
}
