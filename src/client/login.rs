//! The thread that keeps the login at Redis good where that changes by itself: it asks the host for credentials, looks at the file
//! with the password, or makes tokens for AWS. Runs where the options say so only, and waits for nobody. May depend on `store`.

mod tokens;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::notifications::{Area, Asked, Event};
use super::plant::Plant;
use super::runtime::{Runtime, Voice};
use super::signals;
use crate::store::{Backoff, Credentials, Level, LoginSource, LoginState};

/// How often to look whether something is due.
const TICK: Duration = Duration::from_millis(250);
/// A file is looked at as often as a connection is pinged, within these limits.
const LOOKS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Pauses between two questions to a host that sets nothing.
const QUESTIONS: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// The part of their life after which others are asked for.
const SHARE: f64 = 0.8;

/// Runs until the runtime says stop; ends at once where nothing changes by itself.
pub fn run(voice: &Voice<'_>, plant: &Plant) {
    let Some(credentials) = plant.credentials() else { return };
    match credentials.source() {
        LoginSource::Options => {}
        LoginSource::Host => ask_host(voice.runtime, credentials),
        LoginSource::File(_) => look_at_file(voice, credentials),
        LoginSource::AwsIam => {
            if let Some(options) = &plant.aws {
                tokens::make(voice.runtime, credentials, options);
            }
        }
    }
}

/// A file with a password is read on threads for which closing does not wait: on a mount that hangs nothing ends a read.
pub fn lend_threads(plant: &Plant) {
    if let Some(credentials) = plant.credentials() {
        credentials.set_lender(|look| {
            let named = || thread::Builder::new().name("flagstone-glance".to_owned());
            signals::blocked(|| named().spawn(look)).map(drop)
        });
    }
}

/// Whether there is something to do for the thread.
pub fn is_needed(plant: &Plant) -> bool {
    plant.credentials().is_some_and(|credentials| *credentials.source() != LoginSource::Options)
}

/// What the host was asked last, and when it is asked again.
struct Questions {
    /// For which credentials, and why.
    asked: Option<(u64, Asked)>,
    next: Instant,
    pauses: Backoff,
    /// The number of those whose end was told.
    told_expired: u64,
}

impl Questions {
    fn new() -> Self {
        let pauses = Backoff::between(QUESTIONS.0, QUESTIONS.1);
        Self { asked: None, next: Instant::now(), pauses, told_expired: 0 }
    }

    /// Why the host is to be asked at this moment.
    fn due(&mut self, credentials: &Credentials, now: Instant) -> Option<Asked> {
        let reason = reason(credentials, now).map(|reason| (credentials.number(), reason));
        if self.asked != reason {
            (self.asked, self.next) = (reason, now);
            self.pauses.reset();
        }
        let (_, reason) = reason.filter(|_| now >= self.next)?;
        self.next = now + self.pauses.next_pause();
        Some(reason)
    }
}

/// Why others are needed, if they are.
fn reason(credentials: &Credentials, now: Instant) -> Option<Asked> {
    let Some(present) = credentials.present() else { return Some(Asked::Start) };
    if credentials.refusal().is_some() {
        return Some(Asked::Refused);
    }
    present.after_share(SHARE).is_some_and(|at| at <= now).then_some(Asked::Expires)
}

fn ask_host(runtime: &Runtime, credentials: &Arc<Credentials>) {
    let mut questions = Questions::new();
    loop {
        if let Some(reason) = questions.due(credentials, Instant::now()) {
            runtime.notifications.push(Event::Credentials { reason, user: credentials.user() });
        }
        let number = credentials.number();
        if credentials.state().0 == LoginState::Expired && questions.told_expired != number {
            questions.told_expired = number;
            runtime.log(
                Area::Store,
                Level::Warn,
                format_args!("the credentials for Redis have expired, and the host has not set others"),
            );
        }
        if runtime.mailbox.sleep(TICK) {
            return;
        }
    }
}

fn look_at_file(voice: &Voice<'_>, credentials: &Arc<Credentials>) {
    let runtime = voice.runtime;
    let pause = voice.shared.options.ping.clamp(LOOKS.0, LOOKS.1);
    let (mut known, mut told_trouble) = (credentials.number(), None);
    loop {
        credentials.look_at_file();
        let number = credentials.number();
        if number != known && known != 0 {
            runtime.log(
                Area::Store,
                Level::Info,
                format_args!("redis.password_file has another password: connections log in anew"),
            );
        }
        if std::mem::replace(&mut known, number) != number {
            runtime.renew_logins();
        }
        let trouble = credentials.trouble();
        // As long as there never was a password, whoever connects tells.
        if trouble.is_some() != told_trouble.is_some() && number != 0 {
            match &trouble {
                Some(why) => {
                    runtime.log(Area::Store, Level::Warn, format_args!("{why}; the last good password stays in use"))
                }
                None => runtime.log(Area::Store, Level::Info, format_args!("redis.password_file can be read again")),
            }
        }
        told_trouble = trouble.filter(|_| number != 0);
        if runtime.mailbox.sleep(pause) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: f64) -> Instant {
        Instant::now() + Duration::from_secs_f64(seconds)
    }

    fn host() -> Credentials {
        Credentials::new(LoginSource::Host, None, None)
    }

    #[test]
    fn a_host_that_sets_nothing_is_asked_again_with_growing_pauses() {
        let (credentials, mut questions) = (host(), Questions::new());
        let mut now = Instant::now();
        assert_eq!(questions.due(&credentials, now), Some(Asked::Start));
        assert_eq!(questions.due(&credentials, now), None);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pause = questions.next - now;
            now = questions.next;
            assert_eq!(questions.due(&credentials, now), Some(Asked::Start));
            pauses.push(pause);
        }
        assert!(pauses[0] <= QUESTIONS.0 && pauses[7] >= QUESTIONS.1 / 2 && pauses[7] <= QUESTIONS.1, "{pauses:?}");
    }

    #[test]
    fn the_host_is_asked_when_four_fifths_are_over_and_what_it_sets_ends_the_question() {
        let (credentials, mut questions) = (host(), Questions::new());
        let live = Some(Duration::from_secs(100));
        credentials.set_by_host(None, "a", live).unwrap();
        assert_eq!(questions.due(&credentials, after(79.0)), None);
        assert_eq!(questions.due(&credentials, after(80.5)), Some(Asked::Expires));
        assert_eq!(questions.due(&credentials, after(80.6)), None);
        credentials.set_by_host(None, "b", live).unwrap();
        assert_eq!(questions.due(&credentials, after(79.0)), None);
        credentials.set_by_host(None, "c", None).unwrap();
        assert_eq!(questions.due(&credentials, after(1e6)), None);
    }

    #[test]
    fn a_refusal_is_asked_about_at_once_and_once_for_each_that_is_set() {
        let (credentials, mut questions) = (host(), Questions::new());
        for _ in 0..3 {
            credentials.set_by_host(None, "a", None).unwrap();
            assert_eq!(questions.due(&credentials, Instant::now()), None);
            credentials.note_refused(credentials.number(), "no");
            assert_eq!(questions.due(&credentials, Instant::now()), Some(Asked::Refused));
            assert_eq!(questions.due(&credentials, Instant::now()), None);
        }
    }
}
