//! The two best rungs, on one connection: broadcast tracking on the names of the hashes, and beside it, where the server
//! publishes them, the fields that changed. Tracking stays on: what changes a hash without naming fields is told by it alone.

use std::time::{Duration, Instant};

use redis::{RedisError, cmd};

use super::super::connector::Connector;
use super::super::login::Protocol;
use super::super::server::{About, about};
use super::super::wire::{Deadline, Socket};
use super::fields::{Explained, TOGETHER, keys};
use super::line::{Heard, Line};
use super::watched::Watched;
use super::{Watch, WatchError, classes};
use crate::store::leash::Leash;
use crate::store::signal::{Fields, Signal};

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
    /// What was heard and not passed on yet: one signal, whatever it is about. Two that are passed on one after the other may be
    /// answered one after the other, and a flag be served without the segment that was changed with it.
    told: Option<Signal>,
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
            told: None,
        };
        // Whole hash names, never "<prefix>:": other keys of the environment would be broadcast as well.
        let mut tracking = cmd("CLIENT").arg(&["TRACKING", "ON", "BCAST"]).to_owned();
        watched.hashes().for_each(|hash| _ = tracking.arg("PREFIX").arg(hash));
        line.ask(tracking.arg("NOLOOP"), &mut |heard| ear.hear(heard))?;
        let about = about(line.connection())?;
        Ok(Self { line, ear, about, subscribed: false })
    }

    /// What the server told in one piece, and the rest of the turn where the network has taken that apart.
    fn hear_out(&mut self) -> Result<(), RedisError> {
        for _ in 1..IN_ONE_PIECE {
            let Some(heard) = self.line.next_arrived()? else { break };
            self.ear.hear(heard);
        }
        let until = Instant::now() + TOGETHER;
        while self.ear.explained.is_awaited(Instant::now()) {
            let Some(heard) = self.line.next(until.saturating_duration_since(Instant::now()))? else { break };
            self.ear.hear(heard);
        }
        Ok(())
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
    fn tell(&mut self, signal: Signal) {
        self.told = Some(match self.told.take() {
            Some(told) => told.and(signal),
            None => signal,
        });
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Invalidated(None) => {
                self.explained = Explained::default();
                self.tell(Signal::Flushed);
            }
            Heard::Invalidated(Some(names)) => names.iter().for_each(|name| self.invalidated(name)),
            Heard::Message { channel, payload } => self.published(&channel, &payload),
            _ => {}
        }
    }

    fn invalidated(&mut self, name: &[u8]) {
        let Some(kind) = self.watched.kind(name) else { return };
        if !self.explained.takes(kind, Instant::now()) {
            self.tell(Signal::Kind(kind));
        }
    }

    fn published(&mut self, channel: &[u8], payload: &[u8]) {
        let hash = channel.strip_prefix(self.channels.as_bytes());
        let Some(kind) = hash.and_then(|hash| self.watched.kind(hash)) else { return };
        match keys(payload) {
            Some(keys) => {
                self.explained.note(kind, Instant::now());
                self.tell(Signal::Fields(Fields::of(kind, keys)));
            }
            // Which fields it names is not known: the whole hash may have changed.
            None => self.tell(Signal::Kind(kind)),
        }
    }
}

impl Watch for Tracking {
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError> {
        if self.ear.told.is_none()
            && let Some(first) = self.line.next(wait).map_err(|error| WatchError::of(&error))?
        {
            self.ear.hear(first);
            self.hear_out().map_err(|error| WatchError::of(&error))?;
        }
        Ok(self.ear.told.take())
    }

    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError> {
        let ear = &mut self.ear;
        let outcome = self.line.ping(timeout, &mut |heard| ear.hear(heard));
        self.ear.told.take().into_iter().for_each(told);
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
        self.ear.told.take().into_iter().for_each(told);
        renewed.map(|()| true).map_err(|error| WatchError::of(&error))
    }

    fn sockets(&mut self) -> Vec<&Socket> {
        vec![self.line.socket()]
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
            let (product, (major, minor)) = (self.about.product(), SINCE);
            let text = format!("the server is {product}; hash-field notifications came with Redis {major}.{minor}");
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
    fn told(heard: Vec<Heard>) -> Option<Signal> {
        let mut ear = Ear {
            watched: Watched::all(&Keys::new("p")),
            explained: Explained::default(),
            channels: "__subkeyspace@0__:".to_owned(),
            told: None,
        };
        heard.into_iter().for_each(|heard| ear.hear(heard));
        ear.told
    }

    fn pushed(names: &[&str]) -> Heard {
        Heard::Invalidated(Some(names.iter().map(|name| name.as_bytes().to_vec()).collect()))
    }

    fn fields(hash: &str, payload: &str) -> Heard {
        let channel = format!("__subkeyspace@0__:p:{hash}").into_bytes();
        Heard::Message { channel, payload: payload.as_bytes().to_vec() }
    }

    fn named(flags: &[&str], segments: &[&str]) -> Option<Signal> {
        let keys = |keys: &[&str]| keys.iter().map(|key| Arc::from(*key)).collect();
        Some(Signal::Fields(Fields { flags: keys(flags), segments: keys(segments) }))
    }

    #[test]
    fn a_hash_that_is_pushed_with_its_fields_is_told_by_its_fields_alone() {
        let heard = vec![fields("features", "hset|1:a"), fields("features", "hdel|1:b"), pushed(&["p:features"])];
        assert_eq!(told(heard), named(&["a", "b"], &[]));
    }

    #[test]
    fn flags_and_segments_of_one_turn_are_told_as_one() {
        let heard = vec![
            fields("segments", "hset|1:s"),
            fields("features", "hset|1:a"),
            pushed(&["p:features"]),
            pushed(&["p:segments"]),
        ];
        assert_eq!(told(heard), named(&["a"], &["s"]));
        let heard = vec![fields("features", "hset|1:a"), pushed(&["p:features"]), pushed(&["p:segments"])];
        assert_eq!(told(heard), Some(Signal::All), "a DEL of the segments");
    }

    #[test]
    fn a_hash_that_is_pushed_without_fields_or_with_those_of_another_one_is_told_whole() {
        assert_eq!(told(vec![pushed(&["p:features"])]), Some(Signal::Kind(Kind::Flag)));
        let heard = vec![fields("features", "hset|1:a"), pushed(&["p:segments", "p:features"])];
        assert_eq!(told(heard), Some(Signal::All));
        let heard = vec![fields("features", "hset|1:a"), pushed(&["p:features"]), pushed(&["p:features"])];
        assert_eq!(told(heard), Some(Signal::All), "a DEL right after");
    }

    #[test]
    fn fields_that_are_not_understood_explain_nothing() {
        let whole = Signal::Kind(Kind::Flag);
        for payload in ["hset", "hset|9:a", ""] {
            let heard = vec![fields("features", payload), pushed(&["p:features"])];
            assert_eq!(told(heard), Some(whole.clone()));
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
        assert_eq!(told(heard), None);
        let heard = vec![fields("features", "hset|1:a"), Heard::Invalidated(None), pushed(&["p:features"])];
        assert_eq!(told(heard), Some(Signal::Flushed));
    }
}
