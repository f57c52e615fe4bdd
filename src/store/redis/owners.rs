//! Connections with the servers that hold our keys: with one server, or in a cluster with the owner of each slot. What is sent
//! is sent to whoever has the key, also while that changes: MOVED and ASK are followed here. What reader and writer share.
//! Depends on `session` and `cluster`.

use redis::{Arg, Cmd, ConnectionLike, RedisError, Value, pipe};

use super::cluster::{Cluster, Redirect, Replies};
use super::connection::Connection;
use super::connector::Connector;
use super::endpoints::Address;
use super::origin::Origin;
use super::session::Session;
use crate::store::leash::Leash;

/// How often in a row others are followed that send us elsewhere.
const REDIRECTS: usize = 6;

/// Which connection was used last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Latest {
    Owner(u16),
    Aside,
}

/// Connections, or the means to make them.
pub struct Owners<'a> {
    connector: &'a Connector,
    /// By slot: one, but in a cluster over which the keys are spread.
    sessions: Vec<(u16, Session<'a>)>,
    /// Slots of the same owner share a connection.
    shares: bool,
    /// With a node to which keys are on their way.
    aside: Option<(Address, Session<'a>)>,
    latest: Latest,
    /// A server that is away keeps nobody from the others: it is left alone for a while after each failure.
    spares: bool,
    leash: Option<&'a Leash>,
}

impl<'a> Owners<'a> {
    /// Not connected yet; a connection for each owner.
    pub fn new(connector: &'a Connector) -> Self {
        let shares = connector.cluster().is_some();
        let latest = Latest::Owner(0);
        Self { connector, sessions: Vec::new(), shares, aside: None, latest, spares: false, leash: None }
    }

    /// The same for keys all over a cluster, of which some may be had while others are away. Connections are on the leash.
    pub fn of_many(connector: &'a Connector, leash: &'a Leash) -> Self {
        Self { spares: true, leash: Some(leash), ..Self::new(connector) }
    }

    /// The same with a connection for each slot: what a transaction ends on one leaves the others as they are.
    pub fn apart(connector: &'a Connector) -> Self {
        Self { shares: false, ..Self::new(connector) }
    }

    /// Whether keys may be on their way from one server to another.
    pub fn is_cluster(&self) -> bool {
        self.connector.cluster().is_some()
    }

    /// Whether no node of the cluster was of use when they were asked last.
    pub fn is_silent(&self) -> bool {
        self.connector.cluster().is_some_and(|cluster| cluster.silence().is_some())
    }

    /// Whether these keys are not always on the same server.
    pub fn is_spread<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> bool {
        let mut slots = keys.into_iter().map(|key| self.connector.slot_of(key));
        let first = slots.next();
        slots.any(|slot| Some(slot) != first)
    }

    /// Sends to whoever has the key, again where another one has it by now: `send` must be something that may be repeated, and
    /// in a cluster be about this key alone, or be a transaction.
    pub fn call<T: Replies>(
        &mut self,
        key: &str,
        send: impl Fn(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, RedisError> {
        let slot = self.connector.slot_of(key);
        let mut outcome = self.call_owner(slot, &send);
        let Some(cluster) = self.connector.cluster() else { return outcome };
        for _ in 0..REDIRECTS {
            let Some(redirect) = outcome.redirect() else { break };
            let by = self.peer(slot);
            let place = cluster.note_redirect(&redirect, by.as_ref());
            outcome = match (redirect, place) {
                (Redirect::Moved(..), Some(_)) => {
                    self.session(slot).drop_connection();
                    self.call_owner(slot, &send)
                }
                (Redirect::Ask(..), Some(place)) => {
                    let answer = self.call_aside(place, &send);
                    // It does not take keys from others any more: the slot is its own, or stays where it was.
                    if !matches!(answer.redirect(), Some(Redirect::Moved(..) | Redirect::Ask(..))) {
                        return answer;
                    }
                    self.call_owner(slot, &send)
                }
                _ => break,
            };
        }
        if outcome.redirect().is_some() {
            cluster.doubt();
        }
        outcome
    }

    /// Sends commands that need not be of one moment, each to whoever has its key; the replies in their order.
    pub fn call_each(&mut self, commands: &[&Cmd]) -> Result<Vec<Value>, RedisError> {
        self.send_each(commands, false).into_iter().collect()
    }

    /// The same, each with a reply or why there is none.
    pub fn try_each(&mut self, commands: &[&Cmd]) -> Vec<Result<Value, RedisError>> {
        self.send_each(commands, true)
    }

    fn send_each(&mut self, commands: &[&Cmd], goes_on: bool) -> Vec<Result<Value, RedisError>> {
        let slots: Vec<u16> = commands.iter().map(|command| self.connector.slot_of(&key_of(command))).collect();
        let mut replies = self.without_owner(&slots);
        let sessions: Vec<Option<usize>> =
            slots.iter().zip(&replies).map(|(slot, reply)| reply.is_none().then(|| self.position(*slot))).collect();
        while let Some(first) = replies.iter().position(Option::is_none) {
            let (slot, session) = (slots.get(first).copied().unwrap_or_default(), sessions.get(first));
            let positions: Vec<usize> =
                sessions.iter().enumerate().filter(|(_, other)| Some(*other) == session).map(|(at, _)| at).collect();
            let together: Vec<&Cmd> = positions.iter().filter_map(|at| commands.get(*at).copied()).collect();
            let values = self.send_together(slot, &together);
            let has_failed = values.iter().any(Result::is_err);
            for (position, value) in positions.into_iter().zip(values) {
                if let Some(place) = replies.get_mut(position) {
                    *place = Some(value);
                }
            }
            if has_failed && !goes_on {
                break;
            }
        }
        replies.into_iter().flatten().collect()
    }

    /// Why there is no reply for those of the slots that nobody owns, as far as others know.
    fn without_owner(&self, slots: &[u16]) -> Vec<Option<Result<Value, RedisError>>> {
        let Some(cluster) = self.connector.cluster().filter(|_| self.spares) else { return vec![None; slots.len()] };
        let owner = |slot: &u16| cluster.owner(*slot);
        let is_known = slots.iter().all(|slot| owner(slot).is_some());
        let asked = if is_known { Ok(()) } else { cluster.ask_around(self.connector.deadline(), self.leash) };
        let why = |slot: &u16| asked.clone().err().unwrap_or_else(|| Cluster::unowned(*slot));
        slots.iter().map(|slot| owner(slot).is_none().then(|| Err(why(slot)))).collect()
    }

    /// Sends commands to the owner of this slot, and those to others that it does not have the keys of any more.
    fn send_together(&mut self, slot: u16, commands: &[&Cmd]) -> Vec<Result<Value, RedisError>> {
        let mut together = pipe();
        commands.iter().for_each(|command| _ = together.add_command((*command).clone()));
        let packed = together.get_packed_pipeline();
        // One by one: the crate's own pipeline waits a whole timeout for each reply of a server that went silent.
        let outcome = self.call_owner(slot, &|connection: &mut Connection| {
            connection.send_packed_command(&packed)?;
            commands.iter().map(|_| connection.recv_response()).collect::<Result<Vec<Value>, RedisError>>()
        });
        let values = match outcome {
            Ok(values) => values,
            Err(error) => return commands.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut replies = Vec::with_capacity(values.len());
        for (command, value) in commands.iter().zip(values) {
            replies.push(match value.redirect() {
                Some(Redirect::Moved(..) | Redirect::Ask(..)) if self.is_cluster() => {
                    self.call(&key_of(command), |connection| connection.req_command(command))
                }
                redirect => {
                    self.note_failure(redirect.is_some());
                    Ok(value)
                }
            });
        }
        replies
    }

    /// Sends over the very connection that was used last; `None` when it is gone.
    pub fn call_same<T>(
        &mut self,
        send: impl FnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Option<Result<T, RedisError>> {
        let outcome = match self.latest {
            Latest::Owner(slot) => self.session(slot).call_same(send),
            Latest::Aside => self.aside.as_mut()?.1.call_same(send),
        };
        self.note_failure(outcome.as_ref().is_some_and(Result::is_err));
        outcome
    }

    /// The same over the connection with the owner of a key.
    pub fn call_same_owner<T>(
        &mut self,
        key: &str,
        send: impl FnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Option<Result<T, RedisError>> {
        let slot = self.connector.slot_of(key);
        let outcome = self.session(slot).call_same(send);
        self.note_failure(outcome.as_ref().is_some_and(Result::is_err));
        outcome
    }

    /// Whether replies say that keys of one transaction are on their way to another server, or some of them.
    pub fn is_torn(&self, replies: &impl Replies) -> bool {
        self.is_cluster() && matches!(replies.redirect(), Some(Redirect::Ask(..) | Redirect::Torn))
    }

    /// Whether replies on a connection that was to stay the same say that another server has the key by now.
    pub fn has_moved(&self, key: &str, replies: &impl Replies) -> bool {
        let (Some(cluster), Some(redirect @ Redirect::Moved(..))) = (self.connector.cluster(), replies.redirect())
        else {
            return false;
        };
        cluster.note_redirect(&redirect, self.peer(self.connector.slot_of(key)).as_ref());
        true
    }

    /// Whether the latest reply came from a node to which the key is on its way.
    pub fn was_aside(&self) -> bool {
        self.latest == Latest::Aside
    }

    /// Where the latest reply came from, where that may change.
    pub fn latest_peer(&self) -> Option<Address> {
        match self.latest {
            Latest::Owner(slot) => self.peer(slot),
            Latest::Aside => self.aside.as_ref().map(|(address, _)| address.clone()),
        }
    }

    /// Which servers the connections for these keys lead to; `None` where one of them does not tell.
    pub fn server<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Option<String> {
        let mut slots: Vec<u16> = keys.into_iter().map(|key| self.connector.slot_of(key)).collect();
        slots.dedup();
        let server = |slot: u16| self.known(slot)?.server().map(str::to_owned);
        slots.into_iter().map(server).collect::<Option<Vec<_>>>().map(|servers| servers.join(" "))
    }

    /// Which server the connection for this key leads to, if there is one.
    pub fn origin(&self, key: &str) -> Option<Origin> {
        self.known(self.connector.slot_of(key))?.origin()
    }

    /// Whether the latest call came so far that its commands were sent.
    pub fn was_in(&self) -> bool {
        match self.latest {
            Latest::Owner(slot) => self.known(slot).is_some_and(Session::was_in),
            Latest::Aside => self.aside.as_ref().is_some_and(|(_, session)| session.was_in()),
        }
    }

    /// Drops connections that servers have closed; true when there was one.
    pub fn drop_if_closed(&mut self) -> bool {
        self.sessions.iter_mut().fold(false, |any, (_, session)| session.drop_if_closed() | any)
    }

    /// Logs in anew on each connection, if something else logs in by now.
    pub fn renew_login(&mut self) {
        self.sessions.iter_mut().for_each(|(_, session)| session.renew_login());
        self.aside.iter_mut().for_each(|(_, session)| session.renew_login());
    }

    /// Drops connections that lead to another address than the next one would; true when there was one.
    pub fn leave_others(&mut self) -> bool {
        self.sessions.iter_mut().fold(false, |any, (_, session)| session.leave_others() | any)
    }

    /// The next calls open other connections.
    pub fn drop_connections(&mut self) {
        self.sessions.iter_mut().for_each(|(_, session)| session.drop_connection());
        self.aside = None;
    }

    fn call_owner<T>(
        &mut self,
        slot: u16,
        send: &impl Fn(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, RedisError> {
        self.latest = Latest::Owner(slot);
        let spares = self.spares;
        let session = self.session(slot);
        let outcome = if spares { session.call_unless_away(send) } else { session.call(send) };
        self.note_failure(outcome.is_err());
        outcome
    }

    /// After a failure somebody else may own the slot.
    fn note_failure(&self, has_failed: bool) {
        if has_failed {
            self.connector.cluster().into_iter().for_each(Cluster::doubt);
        }
    }

    fn call_aside<T>(
        &mut self,
        place: Address,
        send: &impl Fn(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, RedisError> {
        self.latest = Latest::Aside;
        let kept = self.aside.take().filter(|(address, _)| *address == place);
        let (_, session) = self
            .aside
            .insert(kept.unwrap_or_else(|| (place.clone(), Session::new(self.connector.aside(place), self.leash))));
        session.call(|connection| {
            connection.ask_always();
            send(connection)
        })
    }

    fn session(&mut self, slot: u16) -> &mut Session<'a> {
        let position = self.position(slot);
        let session = &mut self.sessions[position].1;
        if self.shares {
            // It was found by another slot, which may have moved alone.
            session.leave_others();
        }
        session
    }

    fn position(&mut self, slot: u16) -> usize {
        self.known_position(slot).unwrap_or_else(|| {
            self.sessions.push((slot, Session::new(self.connector.bound_to_slot(slot), self.leash)));
            self.sessions.len() - 1
        })
    }

    fn known_position(&self, slot: u16) -> Option<usize> {
        let place = if self.shares { self.connector.bound_to_slot(slot).place() } else { None };
        self.sessions.iter().position(|(known, session)| *known == slot || place.is_some() && session.place() == place)
    }

    fn known(&self, slot: u16) -> Option<&Session<'a>> {
        self.sessions.get(self.known_position(slot)?).map(|(_, session)| session)
    }

    fn peer(&self, slot: u16) -> Option<Address> {
        self.known(slot)?.peer().cloned()
    }
}

/// The key that a command is about.
fn key_of(command: &Cmd) -> String {
    match command.args_iter().nth(1) {
        Some(Arg::Simple(key)) => String::from_utf8_lossy(key).into_owned(),
        _ => String::new(),
    }
}
