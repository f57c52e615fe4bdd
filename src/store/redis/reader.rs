//! Reads of one environment from Redis. The only commands it can send are reads: that is how daemon mode keeps its
//! promise never to write. Used by the store thread alone; one connection, reads in the order in which they are asked for.
//!
//! Reads that belong together go in one MULTI. Where a server refuses that (full, a proxy, strict rules) they go one after the
//! other, and the reply says that it is no single moment. Whatever else is refused is done without: HGETALL is enough.

use std::time::{Duration, Instant};

use redis::{Cmd, ConnectionLike, RedisError, Value, cmd, pipe};

use super::abilities::{Abilities, Optional, is_denied, refuses};
use super::class::{Class, class, is_cut};
use super::connector::{Connector, describe};
use super::endpoints::Address;
use super::layout::Keys;
use super::server::peers;
use super::session::Session;
use super::values::{Values, error_of, flat_fields, is_wrong_type};
use crate::model::Kind;
use crate::store::reply::{FullReply, HashReply, PartReply, Presence};

/// Above this number of held fields a full read goes through HSCAN, so that no other client of the server waits long.
pub const SCAN_ABOVE: usize = 1_000;
/// Fields asked for in one HMGET.
pub const BATCH: usize = 100;
const SCAN_COUNT: usize = 500;
const SMALLEST_STEP: usize = 5;
/// A hash whose reply the server did not send is read in steps for this time.
const IN_STEPS_FOR: Duration = Duration::from_secs(600);

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

/// Reads that are sent together. Those that can be done without name what is then given up.
#[derive(Default)]
struct Batch {
    commands: Vec<(Cmd, Option<Optional>)>,
}

impl Batch {
    fn add(&mut self, command: &Cmd, optional: Option<Optional>) {
        self.commands.push((command.clone(), optional));
    }
}

/// Sends reads over one connection, which it opens when needed and drops when it fails.
pub struct Reader<'a> {
    session: Session<'a>,
    keys: &'a Keys,
    abilities: Abilities,
    /// A transaction has been answered: whatever ends a connection from then on, it is not that.
    is_proven: bool,
    /// Transactions are left out, because a connection ended with one.
    goes_apart: bool,
    /// The connection was cut in the middle of a large reply: until then hashes are read in steps.
    in_steps_until: Option<Instant>,
    /// Size of a step; smaller after each connection that was cut in one.
    step: usize,
}

impl<'a> Reader<'a> {
    /// A reader that is not connected yet.
    pub fn new(connector: &'a Connector, keys: &'a Keys) -> Self {
        Self {
            session: Session::new(connector),
            keys,
            abilities: Abilities::default(),
            is_proven: false,
            goes_apart: false,
            in_steps_until: None,
            step: SCAN_COUNT,
        }
    }

    /// The next read opens another connection, and what was refused is tried again there.
    pub fn start_over(&mut self) {
        self.session.drop_connection();
        self.abilities = Abilities::default();
    }

    /// Which server answers, where it tells; `None` before it was asked, or where the rules forbid the question.
    pub fn server(&self) -> Option<&str> {
        self.session.server()
    }

    /// Everything: in one transaction where that is possible, and in steps when there is much of it.
    pub fn everything(&mut self, expected: usize) -> Result<FullReply, ReadError> {
        let in_steps = expected > SCAN_ABOVE || self.in_steps_until.is_some_and(|until| until > Instant::now());
        if in_steps && self.abilities.has(Optional::Hscan) {
            match self.scan() {
                Err(ReadError::Redis(error)) if is_denied(&error) => _ = self.abilities.give_up(Optional::Hscan),
                outcome => {
                    if self.is_cut(&outcome) {
                        self.step = (self.step / 10).max(SMALLEST_STEP);
                    }
                    return outcome;
                }
            }
        }
        let outcome = self.full();
        if self.is_cut(&outcome) {
            // A server closes a connection whose replies exceed the limit it has for them.
            self.in_steps_until = Some(Instant::now() + IN_STEPS_FOR);
        }
        outcome
    }

    /// The server closed the connection instead of answering, after it had let us in.
    fn is_cut<T>(&self, outcome: &Result<T, ReadError>) -> bool {
        self.session.was_in() && matches!(outcome, Err(ReadError::Redis(error)) if is_cut(error))
    }

    /// Whether it is told if the marker `$inited` is there; where the rules forbid the question, flags stand for it.
    pub fn sees_marker(&self) -> bool {
        self.abilities.has(Optional::Exists)
    }

    /// Drops a connection that the server has closed; true when there was one.
    pub fn drop_if_closed(&mut self) -> bool {
        self.session.drop_if_closed()
    }

    /// Logs in anew, if something else logs in by now.
    pub fn renew_login(&mut self) {
        self.session.renew_login();
    }

    /// Drops a connection that leads to another address than this one; true when there was one.
    pub fn leave_others(&mut self, address: &Address) -> bool {
        self.session.leave_others(address)
    }

    fn full(&mut self) -> Result<FullReply, ReadError> {
        let (mut values, is_moment) = self.send(|keys, abilities| {
            let mut batch = Batch::default();
            batch.add(cmd("HGETALL").arg(&keys.features), None);
            batch.add(cmd("HGETALL").arg(&keys.segments), None);
            add_marker(&mut batch, keys, abilities);
            batch
        })?;
        let features = values.hash()?;
        let segments = values.hash()?;
        let inited = values.exists()?.unwrap_or_else(|| features.exists());
        let presence = Presence { features: features.exists(), segments: segments.exists(), inited };
        Ok(FullReply { features, segments, presence, is_moment, in_steps: false })
    }

    /// Everything, in steps: features, then segments, then what exists.
    fn scan(&mut self) -> Result<FullReply, ReadError> {
        let features = self.scan_hash(Kind::Flag)?;
        let segments = self.scan_hash(Kind::Segment)?;
        let presence = self.presence()?.presence;
        Ok(FullReply { features, segments, presence, is_moment: false, in_steps: true })
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
            add_fields(&mut batch, &keys.features, flags, abilities);
            add_fields(&mut batch, &keys.segments, segments, abilities);
            for hash in [&keys.features, &keys.segments] {
                if abilities.has(Optional::Hlen) {
                    batch.add(cmd("HLEN").arg(hash), Some(Optional::Hlen));
                }
            }
            add_marker(&mut batch, keys, abilities);
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

    /// Asks the server for a sign of life. Any answer is one, also that of a server whose rules forbid the command; but not
    /// that of one that says that it does not serve.
    pub fn ping(&mut self) -> Result<(), ReadError> {
        match self.session.call(|connection| connection.req_command(&cmd("PING"))) {
            Ok(Value::ServerError(error)) => check_sign_of_life(RedisError::from(error)),
            Ok(_) => Ok(()),
            Err(error) => check_sign_of_life(error),
        }
    }

    /// How many clients share the server, where it tells who it is: no other one is asked, for there are proxies that close a
    /// connection at a question that they do not know.
    pub fn peers(&mut self) -> Result<Option<usize>, ReadError> {
        if self.session.server().is_none() {
            return Ok(None);
        }
        match self.session.call(|connection| connection.req_command(cmd("INFO").arg("clients")))? {
            Value::BulkString(text) => Ok(peers(&String::from_utf8_lossy(&text))),
            _ => Ok(None),
        }
    }

    fn scan_hash(&mut self, kind: Kind) -> Result<HashReply, ReadError> {
        let hash = self.keys.hash(kind);
        let mut fields = Vec::new();
        let mut cursor = b"0".to_vec();
        loop {
            let command = cmd("HSCAN").arg(hash).arg(&cursor).arg("COUNT").arg(self.step).to_owned();
            match self.session.call(|connection| connection.req_command(&command))? {
                Value::ServerError(error) if is_wrong_type(&error) => {
                    return Ok(HashReply::WrongType(describe(&error_of(error))));
                }
                Value::ServerError(error) => return Err(error_of(error).into()),
                Value::Array(mut parts) if parts.len() == 2 => {
                    fields.extend(flat_fields(parts.pop())?);
                    let Some(Value::BulkString(next)) = parts.pop() else { return Err(ReadError::Reply("HSCAN")) };
                    cursor = next;
                }
                _ => return Err(ReadError::Reply("HSCAN")),
            }
            if cursor == b"0" {
                return Ok(HashReply::Fields(fields));
            }
        }
    }

    /// Sends a batch, again without what is refused of it; the replies, and whether they are of one moment.
    fn send(&mut self, batch: impl Fn(&Keys, &Abilities) -> Batch) -> Result<(Values, bool), ReadError> {
        loop {
            let together = self.abilities.has(Optional::Multi) && !self.goes_apart;
            let commands = batch(self.keys, &self.abilities).commands;
            let outcome = self.exchange(&commands, together);
            if !self.is_proven && self.is_cut(&outcome) {
                // There are proxies that close a connection at a command that they do not know: the next attempt is without
                // transactions, the one after that with them again.
                self.goes_apart = together;
            }
            let replies = outcome?;
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
        let mut pipeline = pipe();
        if together {
            pipeline.cmd("MULTI");
        }
        for (command, _) in commands {
            pipeline.add_command(command.clone());
        }
        if together {
            pipeline.cmd("EXEC");
        }
        let (packed, count) = (pipeline.get_packed_pipeline(), pipeline.len());
        // One by one: the crate's own pipeline waits a whole timeout for each reply of a server that went silent.
        Ok(self.session.call(|connection| {
            connection.send_packed_command(&packed)?;
            (0..count).map(|_| connection.recv_response()).collect()
        })?)
    }
}

/// The marker that a full data set was written.
fn add_marker(batch: &mut Batch, keys: &Keys, abilities: &Abilities) {
    if abilities.has(Optional::Exists) {
        batch.add(cmd("EXISTS").arg(&keys.inited), Some(Optional::Exists));
    }
}

fn add_fields<K: AsRef<str>>(batch: &mut Batch, hash: &str, keys: &[K], abilities: &Abilities) {
    if keys.is_empty() {
        return;
    }
    if !abilities.has(Optional::Hmget) {
        keys.iter().for_each(|key| batch.add(cmd("HGET").arg(hash).arg(key.as_ref()), None));
        return;
    }
    let mut command = cmd("HMGET");
    command.arg(hash);
    for key in keys {
        command.arg(key.as_ref());
    }
    batch.add(&command, Some(Optional::Hmget));
}

fn check_sign_of_life(error: RedisError) -> Result<(), ReadError> {
    if is_denied(&error) { Ok(()) } else { Err(error.into()) }
}
