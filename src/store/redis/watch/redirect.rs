//! Broadcast tracking without RESP3: one connection listens, and another one asks the server to tell there what it tracks. Both
//! are watched, for the loss of either is the loss of the watch: nobody would notice otherwise that nothing is told.

use std::time::Duration;

use redis::{RedisError, Value, cmd};

use super::super::connector::Connector;
use super::super::login::Protocol;
use super::super::server::about;
use super::super::wire::{Deadline, Socket};
use super::line::{Heard, INVALIDATIONS, Line};
use super::watched::Watched;
use super::{Watch, WatchError};
use crate::model::Jitter;
use crate::store::leash::Leash;
use crate::store::signal::Signal;

/// The two connections.
pub struct Redirect {
    /// It listens.
    ear: Line,
    /// It tracks.
    hand: Line,
    watched: Watched,
    server: Option<String>,
}

impl Redirect {
    /// Arms it on two connections of its own, which are on the leash.
    pub fn arm(
        connector: &Connector,
        watched: &Watched,
        deadline: Deadline,
        leash: &Leash,
    ) -> Result<Self, WatchError> {
        let of = |error: RedisError| WatchError::of(&error);
        let mut ear = Line::new(connector.open_by(Protocol::Resp2, deadline, leash).map_err(of)?);
        ear.set_deadline(deadline);
        let Value::Int(id) = ear.ask(cmd("CLIENT").arg("ID"), &mut drop).map_err(of)? else {
            return Err(WatchError::Refused("the server does not tell the number of a connection".to_owned()));
        };
        let server = about(ear.connection()).map_err(of)?.server;
        // A server that does not say who it is knows at least who listens to this.
        let sign = server.is_none().then(|| format!("flagstone:{:016x}", Jitter::new().bits()));
        let channels: Vec<String> = [INVALIDATIONS.to_owned()].into_iter().chain(sign.clone()).collect();
        ear.subscribe(&channels, false, &mut drop).map_err(of)?;
        let mut hand = Line::new(connector.open_by(Protocol::Resp2, deadline, leash).map_err(of)?);
        hand.set_deadline(deadline);
        let is_same = about(hand.connection()).map_err(of)?.server == server;
        if !is_same || !sign.map_or(Ok(true), |sign| is_heard(&mut hand, &sign)).map_err(of)? {
            // The number would be that of somebody else.
            return Err(WatchError::Lost("two connections led to different servers".to_owned()));
        }
        let mut tracking = cmd("CLIENT").arg(&["TRACKING", "ON", "REDIRECT"]).arg(id).arg("BCAST").to_owned();
        watched.hashes().for_each(|hash| _ = tracking.arg("PREFIX").arg(hash));
        hand.ask(tracking.arg("NOLOOP"), &mut drop).map_err(of)?;
        Ok(Self { ear, hand, watched: watched.clone(), server })
    }

    /// A sign of life of the connection that tracks, and whether it still does, where the server tells.
    fn check_hand(&mut self, deadline: Deadline) -> Result<(), WatchError> {
        self.hand.set_deadline(deadline);
        match self.hand.ask(cmd("CLIENT").arg("TRACKINGINFO"), &mut drop) {
            Ok(answer) if is_broken(&answer) => Err(WatchError::Lost("the server tracks no longer".to_owned())),
            Ok(_) => Ok(()),
            Err(error) => match WatchError::of(&error) {
                // Any answer is a sign of life.
                WatchError::Refused(_) => Ok(()),
                other => Err(other),
            },
        }
    }
}

/// Whether somebody listens to this channel at the server that this connection leads to.
fn is_heard(hand: &mut Line, channel: &str) -> Result<bool, RedisError> {
    let answer = hand.ask(cmd("PUBSUB").arg("NUMSUB").arg(channel), &mut drop)?;
    Ok(matches!(answer, Value::Array(parts) if matches!(parts.get(1), Some(Value::Int(1)))))
}

/// Whether the flags in an answer to TRACKINGINFO say that nothing is told.
fn is_broken(answer: &Value) -> bool {
    let Value::Array(parts) = answer else { return false };
    let Some(Value::Array(flags)) = parts.get(1) else { return false };
    flags.iter().any(|flag| match flag {
        Value::BulkString(flag) => [&b"off"[..], b"broken_redirect"].contains(&flag.as_slice()),
        Value::SimpleString(flag) => ["off", "broken_redirect"].contains(&flag.as_str()),
        _ => false,
    })
}

/// What a push of these names means: all kinds at once where both are named.
fn signals(watched: &Watched, heard: Heard) -> Result<Vec<Signal>, WatchError> {
    match heard {
        Heard::Invalidated(None) => Ok(vec![Signal::Flushed]),
        Heard::Invalidated(Some(names)) => Ok(names.iter().filter_map(|name| watched.signal(name)).collect()),
        Heard::RedirectBroken => Err(WatchError::Lost("the server tracks no longer".to_owned())),
        _ => Ok(Vec::new()),
    }
}

impl Watch for Redirect {
    fn next(&mut self, wait: Duration) -> Result<Option<Signal>, WatchError> {
        if self.hand.is_closed() {
            return Err(WatchError::Lost("the server closed the connection that tracks".to_owned()));
        }
        let Some(heard) = self.ear.next(wait).map_err(|error| WatchError::of(&error))? else { return Ok(None) };
        let mut signals = signals(&self.watched, heard)?;
        Ok(if signals.len() > 1 { Some(Signal::All) } else { signals.pop() })
    }

    fn drain(&mut self, timeout: Duration, told: &mut dyn FnMut(Signal)) -> Result<(), WatchError> {
        self.check_hand(Deadline::after(timeout))?;
        let (watched, mut broken) = (&self.watched, None);
        let outcome = self.ear.ping(timeout, &mut |heard| match signals(watched, heard) {
            Ok(signals) => signals.into_iter().for_each(&mut *told),
            Err(error) => broken = Some(error),
        });
        outcome.map_err(|error| WatchError::of(&error))?;
        broken.map_or(Ok(()), Err)
    }

    fn sockets(&mut self) -> Vec<&Socket> {
        vec![self.ear.socket(), self.hand.socket()]
    }

    fn login(&self) -> u64 {
        self.ear.login().min(self.hand.login())
    }

    fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    fn tie(&mut self, leash: &Leash) -> Result<(), WatchError> {
        self.ear.tie(leash).and_then(|()| self.hand.tie(leash)).map_err(|error| WatchError::of(&error))
    }
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    #[test]
    fn a_server_that_tracks_no_longer_is_told_by_its_flags() {
        let of = |flags: &str| {
            let text = format!("*6\r\n$5\r\nflags\r\n{flags}$8\r\nredirect\r\n:5\r\n$8\r\nprefixes\r\n*0\r\n");
            is_broken(&parse_redis_value(text.as_bytes()).unwrap())
        };
        assert!(!of("*3\r\n$2\r\non\r\n$5\r\nbcast\r\n$6\r\nnoloop\r\n"));
        assert!(of("*1\r\n$3\r\noff\r\n") && of("*2\r\n+on\r\n+broken_redirect\r\n"));
        assert!(!is_broken(&Value::Okay));
    }
}
