//! Looks at the replica that is read, over a connection of its own: whether it still gets everything that its primary writes. A
//! login that is refused says nothing of the replica: it is looked at again after pauses that grow, or once something else logs
//! in. May depend on `redis`.

use std::time::{Duration, Instant};

use crate::store::backoff::Backoff;
use crate::store::leash::Leash;
use crate::store::redis::class::{Class, class, is_cut};
use crate::store::redis::connection::Connection;
use crate::store::redis::connector::Connector;
use crate::store::redis::endpoints::Address;
use crate::store::redis::role::check_replica;
use crate::store::redis::sentinel::Candidate;

/// Pauses after a login that was refused.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The connection, or the means to make one.
pub struct Post {
    connection: Option<Connection>,
    /// The number of the login that was refused, and until when it is not tried again.
    refused: Option<(u64, Instant)>,
    pauses: Backoff,
}

impl Post {
    /// Not connected yet.
    pub fn new() -> Self {
        Self { connection: None, refused: None, pauses: Backoff::between(PAUSES.0, PAUSES.1) }
    }

    /// Whether a replica gets everything that its primary writes, as it says itself; `None` where nobody who logs in may ask.
    pub fn is_in_touch(
        &mut self,
        connector: &Connector,
        place: &Candidate,
        primary: &Address,
        leash: &Leash,
    ) -> Option<bool> {
        let login = connector.credentials().number();
        let refused = self.refused.filter(|(number, _)| *number == login);
        if refused.is_some_and(|(_, until)| Instant::now() < until) {
            return None;
        }
        let kept = self.connection.take().filter(|connection| connection.peer() == Some(&place.address));
        let look = |mut connection: Connection| {
            connection.tie(leash)?;
            connector.renew_login(&mut connection, &mut drop)?;
            check_replica(&mut connection, &place.address, primary).map(|_| connection)
        };
        let outcome = match kept.map(look) {
            // Whoever cuts an idle connection says nothing of the replica either.
            Some(Err(error)) if is_cut(&error) => connector.look_at(place, leash),
            Some(outcome) => outcome,
            None => connector.look_at(place, leash),
        };
        if refused.is_none() || outcome.is_ok() {
            self.pauses.reset();
        }
        let is_refused = outcome.as_ref().is_err_and(|error| class(error) == Class::Login);
        self.refused = is_refused.then(|| (login, Instant::now() + self.pauses.next_pause()));
        self.connection = outcome.ok();
        if is_refused { None } else { Some(self.connection.is_some()) }
    }
}
