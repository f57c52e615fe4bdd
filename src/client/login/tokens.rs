//! Makes tokens for AWS before the former ones end, so that open connections log in anew long before AWS would cut them. May
//! depend on `aws` and `store`.

use std::time::{Duration, Instant};

use super::super::notifications::Area;
use super::super::runtime::Runtime;
use super::TICK;
use crate::aws::{AwsError, AwsOptions, Token, Tokens};
use crate::model::Jitter;
use crate::store::{Backoff, Credentials, Level};

/// The part of its life after which a token is replaced, between these two.
const SHARE: (f64, f64) = (0.6, 0.7);
/// Pauses where none can be made, and between those that a server refuses.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

struct Maker<'a> {
    runtime: &'a Runtime,
    credentials: &'a Credentials,
    tokens: Tokens<'a>,
    user: &'a str,
    next: Instant,
    /// Between attempts to make one, and between those that were refused.
    pauses: Backoff,
    refused_pauses: Backoff,
    /// The number of the one whose refusal was answered with another one, or will be.
    refused: u64,
    told_trouble: bool,
    jitter: Jitter,
}

/// Runs until the runtime says stop.
pub fn make(runtime: &Runtime, credentials: &Credentials, options: &AwsOptions) {
    let mut maker = Maker {
        runtime,
        credentials,
        tokens: Tokens::new(options, &runtime.errand),
        user: &options.user,
        next: Instant::now(),
        pauses: Backoff::between(PAUSES.0, PAUSES.1),
        refused_pauses: Backoff::between(PAUSES.0, PAUSES.1),
        refused: 0,
        told_trouble: false,
        jitter: Jitter::new(),
    };
    loop {
        maker.look_for_refusal();
        if Instant::now() >= maker.next {
            maker.work();
        }
        if runtime.mailbox.sleep(TICK.min(maker.next.saturating_duration_since(Instant::now()))) {
            return;
        }
    }
}

impl Maker<'_> {
    /// One that is refused is replaced, signed by an identity that was fetched anew: the former may have been taken away.
    fn look_for_refusal(&mut self) {
        match self.credentials.refusal() {
            Some((number, _)) if number != self.refused => {
                self.refused = number;
                self.tokens.forget_identity();
                self.next = self.next.min(Instant::now() + self.refused_pauses.next_pause());
            }
            Some(_) => {}
            // It may have been answered a moment ago only.
            None if self.credentials.number() == self.refused => self.refused_pauses.reset(),
            None => {}
        }
    }

    fn work(&mut self) {
        let outcome = self.tokens.make();
        if let Err(error) = outcome.and_then(|token| self.put(&token)) {
            self.failed(&error);
        }
    }

    fn put(&mut self, token: &Token) -> Result<(), AwsError> {
        let unusable =
            |_| AwsError::Unusable { place: "the identity", why: "the token is longer than a password may be" };
        self.credentials.set(Some(self.user), &token.text, Some(token.life)).map_err(unusable)?;
        self.runtime.renew_logins();
        self.pauses.reset();
        self.next = Instant::now() + token.life.mul_f64(self.jitter.between(SHARE.0, SHARE.1)).max(PAUSES.0);
        if std::mem::take(&mut self.told_trouble) {
            self.runtime.log(Area::Store, Level::Info, format_args!("tokens for the login at Redis are made again"));
        }
        Ok(())
    }

    fn failed(&mut self, error: &AwsError) {
        self.next = Instant::now() + self.pauses.next_pause();
        if matches!(error, AwsError::Ended) {
            return;
        }
        let what = format!("no token for the login at Redis (redis.credentials=aws-iam): {error}");
        if !std::mem::replace(&mut self.told_trouble, true) {
            let level = if self.credentials.number() == 0 { Level::Error } else { Level::Warn };
            self.runtime.log(Area::Store, level, format_args!("{what}"));
        }
        self.credentials.set_trouble(Some(what));
    }
}
