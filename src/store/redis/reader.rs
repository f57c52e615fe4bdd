//! Reads of one environment from Redis. The only commands it can send are reads: that is how daemon mode keeps its
//! promise never to write. Used by the store thread alone; one connection, or in a cluster one with each server that has keys
//! of ours, reads in the order in which they are asked for.
//!
//! Reads that belong together go in one MULTI. Where a server refuses that (full, a proxy, strict rules) they go one after the
//! other, and the reply says that it is no single moment: flags before segments, which are written in the other order, so that
//! flags never refer to what is not there yet. Whatever else is refused is done without: HGETALL is enough.

use std::time::{Duration, Instant};

use redis::{Cmd, RedisError, Value, cmd, pipe};

use super::abilities::{Abilities, Optional, is_denied, refuses};
use super::batch::Batch;
use super::class::{Class, class, is_cut};
use super::connector::{Connector, describe};
use super::layout::Keys;
use super::origin::Origins;
use super::owners::Owners;
use super::scan::{Scan, Size};
use super::values::{Values, error_of, is_wrong_type};
use crate::store::reply::{FullReply, PartReply, Presence};

/// Above this number of held fields a full read goes through HSCAN, so that no other client of the server waits long.
pub const SCAN_ABOVE: usize = 1_000;
/// Fields asked for in one HMGET.
pub const BATCH: usize = 100;
/// What the server did not send in one reply, or not soon, is read in steps for this time.
const IN_STEPS_FOR: Duration = Duration::from_secs(600);
/// One reply that takes longer, and is no small one, is not waited for again: nothing else can be read meanwhile.
const LONG_REPLY: Duration = Duration::from_secs(1);
const SMALL_REPLY: usize = 64 << 10;

/// Why a read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Connection or server error.
    #[error("{}", describe(.0))]
    Redis(#[from] RedisError),
    /// A reply of a shape that Redis does not send.
    #[error("unexpected reply to {0}")]
    Reply(&'static str),
}

impl ReadError {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Redis(error) => class(error),
            Self::Reply(_) => Class::Later,
        }
    }
}

/// Sends reads over connections that it opens when needed and drops when they fail.
pub struct Reader<'a> {
    pub(super) owners: Owners<'a>,
    pub(super) keys: &'a Keys,
    abilities: Abilities,
    /// A transaction has been answered: whatever ends a connection from then on, it is not that.
    is_proven: bool,
    /// Transactions are left out, because a connection ended with one.
    goes_apart: bool,
    /// The connection was cut in the middle of a large reply, or that took long: until then hashes are read in steps.
    in_steps_until: Option<Instant>,
    /// Size of a step.
    pub(super) step: Size,
}

impl<'a> Reader<'a> {
    /// A reader that is not connected yet.
    pub fn new(connector: &'a Connector, keys: &'a Keys) -> Self {
        Self {
            owners: Owners::new(connector),
            keys,
            abilities: Abilities::default(),
            is_proven: false,
            goes_apart: false,
            in_steps_until: None,
            step: Size::new(),
        }
    }

    /// The next read opens another connection, and what was refused is tried again there.
    pub fn start_over(&mut self) {
        self.owners.drop_connections();
        self.abilities = Abilities::default();
    }

    /// Which server answers, where it tells; `None` before it was asked, or where the rules forbid the question.
    pub fn server(&self) -> Option<String> {
        self.owners.server(self.keys.hashes())
    }

    /// Which servers the connections for both hashes lead to, as far as there are any.
    pub fn origins(&self) -> Origins {
        self.keys.hashes().map(|key| self.owners.origin(key))
    }

    /// Whether the keys are not always on one server: nothing that is read of all of them is of one moment.
    pub fn is_spread(&self) -> bool {
        self.owners.is_spread(self.keys.parts().map(|(_, key)| key))
    }

    /// Everything: in one transaction where that is possible, and in steps when there is much of it.
    pub fn everything(&mut self, expected: usize) -> Result<FullReply, ReadError> {
        let mut scan = None;
        loop {
            if let Some(reply) = self.everything_in_turns(expected, &mut scan)? {
                return Ok(reply);
            }
        }
    }

    /// The same, for whoever has something else to read between the steps: `None` after each of them but the last. `scan` is how
    /// far it has come, nothing at the beginning.
    pub fn everything_in_turns(
        &mut self,
        expected: usize,
        scan: &mut Option<Scan>,
    ) -> Result<Option<FullReply>, ReadError> {
        let in_steps = expected > SCAN_ABOVE || self.in_steps_until.is_some_and(|until| until > Instant::now());
        if scan.is_some() || in_steps && self.abilities.has(Optional::Hscan) {
            match self.go_on(scan.get_or_insert_default()) {
                Err(ReadError::Redis(error)) if is_denied(&error) => _ = self.abilities.give_up(Optional::Hscan),
                outcome => {
                    if self.is_cut(&outcome) {
                        self.step.was_cut();
                    }
                    return outcome;
                }
            }
        }
        *scan = None;
        self.at_once().map(Some)
    }

    fn at_once(&mut self) -> Result<FullReply, ReadError> {
        let began = Instant::now();
        let outcome = self.full();
        let time = began.elapsed();
        let is_long = time > LONG_REPLY && outcome.as_ref().is_ok_and(|reply| reply.bytes() > SMALL_REPLY);
        if let (true, Ok(reply)) = (is_long, &outcome) {
            self.step.took(reply.sizes().iter().sum(), time);
        }
        // A server closes a connection whose replies exceed the limit it has for them.
        if is_long || self.is_cut(&outcome) {
            self.in_steps_until = Some(Instant::now() + IN_STEPS_FOR);
        }
        outcome
    }

    /// The server closed the connection instead of answering, after it had let us in.
    fn is_cut<T>(&self, outcome: &Result<T, ReadError>) -> bool {
        self.owners.was_in() && matches!(outcome, Err(ReadError::Redis(error)) if is_cut(error))
    }

    /// Whether it is told if the marker `$inited` is there; where the rules forbid the question, flags stand for it.
    pub fn sees_marker(&self) -> bool {
        self.abilities.has(Optional::Exists)
    }

    /// Drops a connection that the server has closed; true when there was one.
    pub fn drop_if_closed(&mut self) -> bool {
        self.owners.drop_if_closed()
    }

    /// Logs in anew, if something else logs in by now.
    pub fn renew_login(&mut self) {
        self.owners.renew_login();
    }

    /// Drops connections that lead to another address than the next one would; true when there was one.
    pub fn leave_others(&mut self) -> bool {
        self.owners.leave_others()
    }

    fn full(&mut self) -> Result<FullReply, ReadError> {
        let (mut values, is_moment) = self.send(|keys, abilities| {
            let mut batch = Batch::default();
            batch.add(cmd("HGETALL").arg(&keys.features), None);
            batch.add(cmd("HGETALL").arg(&keys.segments), None);
            batch.add_marker(keys, abilities);
            batch
        })?;
        let features = values.hash()?;
        let segments = values.hash()?;
        let inited = values.exists()?.unwrap_or_else(|| features.exists());
        let presence = Presence { features: features.exists(), segments: segments.exists(), inited };
        Ok(FullReply { features, segments, presence, is_moment, in_steps: false })
    }

    /// What exists, and how much, without any item. A field that nobody has is asked for: that tells the type of a hash, and
    /// reads what a user may read who may do no more.
    pub fn presence(&mut self) -> Result<PartReply, ReadError> {
        self.part(&[""], &[""])
    }

    /// Chosen fields of both hashes.
    pub fn part<K: AsRef<str>>(&mut self, flags: &[K], segments: &[K]) -> Result<PartReply, ReadError> {
        let (mut values, _) = self.send(|keys, abilities| {
            let mut batch = Batch::default();
            batch.add_fields(&keys.features, flags, abilities);
            batch.add_fields(&keys.segments, segments, abilities);
            for hash in [&keys.features, &keys.segments] {
                if abilities.has(Optional::Hlen) {
                    batch.add(cmd("HLEN").arg(hash), Some(Optional::Hlen));
                }
            }
            batch.add_marker(keys, abilities);
            batch
        })?;
        let abilities = self.abilities;
        let flags = values.fields(flags.len(), abilities.has(Optional::Hmget))?;
        let segments = values.fields(segments.len(), abilities.has(Optional::Hmget))?;
        let sizes = if abilities.has(Optional::Hlen) { [values.size()?, values.size()?] } else { [None, None] };
        let [features_there, segments_there] = sizes.map(|size| size.is_none_or(|size| size > 0));
        let inited = values.exists()?.unwrap_or(features_there);
        let presence = Presence { features: features_there, segments: segments_there, inited };
        Ok(PartReply { flags, segments, presence, sizes, wrong_type: values.wrong_type })
    }

    /// Sends a batch, again without what is refused of it; the replies, and whether they are of one moment.
    fn send(&mut self, batch: impl Fn(&Keys, &Abilities) -> Batch) -> Result<(Values, bool), ReadError> {
        let mut is_torn = self.is_spread();
        loop {
            let together = self.abilities.has(Optional::Multi) && !self.goes_apart && !is_torn;
            let commands = batch(self.keys, &self.abilities).commands;
            let outcome = self.exchange(&commands, together);
            if !self.is_proven && self.is_cut(&outcome) {
                // There are proxies that close a connection at a command that they do not know: the next attempt is without
                // transactions, the one after that with them again.
                self.goes_apart = together;
            }
            let replies = outcome?;
            if together && self.owners.is_torn(&replies) {
                is_torn = true;
                continue;
            }
            self.is_proven |= together;
            match self.judge(replies, &commands, together)? {
                Some(replies) => return Ok((Values::new(replies), together)),
                None => continue,
            }
        }
    }

    /// The replies of the commands; `None` when something was given up and the batch is to be sent again without it.
    fn judge(
        &mut self,
        mut replies: Vec<Value>,
        commands: &[(Cmd, Option<Optional>)],
        together: bool,
    ) -> Result<Option<Vec<Value>>, ReadError> {
        let first = usize::from(together);
        let refused =
            replies.iter().position(|reply| matches!(reply, Value::ServerError(error) if !is_wrong_type(error)));
        if let Some(position) = refused
            && let Value::ServerError(error) = replies.swap_remove(position)
        {
            let error = error_of(error);
            let optional =
                position.checked_sub(first).and_then(|at| commands.get(at)).and_then(|(_, optional)| *optional);
            let given_up = match optional {
                Some(optional) if is_denied(&error) => self.abilities.give_up(optional),
                _ => together && refuses(&error) && self.abilities.give_up(Optional::Multi),
            };
            return if given_up { Ok(None) } else { Err(error.into()) };
        }
        if !together {
            return Ok(Some(replies));
        }
        match replies.pop() {
            Some(Value::Array(values)) if values.len() == commands.len() => Ok(Some(values)),
            _ => Err(ReadError::Reply("EXEC")),
        }
    }

    fn exchange(&mut self, commands: &[(Cmd, Option<Optional>)], together: bool) -> Result<Vec<Value>, ReadError> {
        if !together {
            let commands: Vec<&Cmd> = commands.iter().map(|(command, _)| command).collect();
            return Ok(self.owners.call_each(&commands)?);
        }
        let mut pipeline = pipe();
        pipeline.cmd("MULTI");
        for (command, _) in commands {
            pipeline.add_command(command.clone());
        }
        pipeline.cmd("EXEC");
        let (packed, count) = (pipeline.get_packed_pipeline(), pipeline.len());
        // One by one: the crate's own pipeline waits a whole timeout for each reply of a server that went silent.
        Ok(self.owners.call(&self.keys.features, |connection| {
            connection.send_packed_command(&packed)?;
            (0..count).map(|_| connection.recv_response()).collect::<Result<Vec<Value>, RedisError>>()
        })?)
    }
}
