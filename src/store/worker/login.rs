//! Who logs in may be another one at any time: open connections are told, and what failed is tried again at once. Before there is
//! anybody, nothing is tried. May depend on `redis`.

use std::time::Instant;

use super::{Failed, Worker};
use crate::store::redis::class::Class;
use crate::store::status::Level;

/// What is known of the login.
#[derive(Debug, Default)]
pub struct LoginWatch {
    /// The number of what logs in; 0: there is nothing yet.
    number: u64,
    /// There is nothing, and somebody will change that.
    is_missing: bool,
    /// The number of the one whose refusal was told.
    told: u64,
}

impl LoginWatch {
    /// Whether nothing is tried before there is something to log in with.
    pub fn is_awaited(&self) -> bool {
        self.is_missing
    }
}

impl Worker<'_> {
    /// Where nobody logs in, a server says that it wants a login when it is asked for something.
    pub(super) fn note_login(&self, error: &Failed) {
        let Some(connector) = self.shared.connector.as_ref().filter(|_| error.class() == Class::Login) else { return };
        let credentials = connector.credentials();
        if let Some(grant) = credentials.present().filter(|grant| grant.password.is_none()) {
            credentials.note_refused(grant.number, &error.told(self.exchange.is_of_cluster()));
        }
    }

    /// Goes by what logs in now; true while there is nothing.
    pub(super) fn follow_login(&mut self, now: Instant) -> bool {
        let Some(connector) = &self.shared.connector else { return false };
        let credentials = connector.credentials();
        self.login.is_missing = credentials.is_missing();
        if self.login.is_missing {
            let (why, known) = (credentials.why_missing(), self.shared.health.error());
            if known.is_none_or(|known| known.text != why) {
                self.shared.health.set_error(why);
            }
            return true;
        }
        let number = credentials.number();
        if number != self.login.number {
            if self.login.number == 0 {
                // The time in which the watch comes first begins now.
                self.started = now;
            }
            self.login.number = number;
            self.agenda.retry_now();
            self.exchange.renew_logins();
        }
        if let Some((number, text)) = credentials.refusal().filter(|(number, _)| *number != self.login.told) {
            self.login.told = number;
            // Where nothing answers, that is told.
            if self.condition.is_well() {
                self.listener.log(Level::Warn, format_args!("{text}; connections that are open stay in use"));
            }
        }
        false
    }
}
