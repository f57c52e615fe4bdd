//! The push link: a connection of its own on which Redis tells that one of the hashes changed.
//!
//! RESP3 broadcast tracking on the two hash names. The link only counts and wakes: reading is the store thread's work. A
//! lost link means "everything may have changed", so tracking is armed again first and the data are read afterwards. The
//! link is pinged, because a silent connection may be a dead one.

use std::time::{Duration, Instant};

use redis::{Connection, ErrorKind, RedisError, ServerErrorKind, cmd};

use super::backoff::Backoff;
use super::connect::describe;
use super::mailbox::{LinkPhase, Mailbox};
use super::shared::Shared;
use super::status::monotonic_ms;

/// How long the link waits for a push before it looks whether it should end or ping.
const POLL: Duration = Duration::from_millis(200);
/// A server that refuses tracking is asked again after this time: it may have been upgraded or its rules changed.
const ASK_AGAIN: Duration = Duration::from_secs(60);

enum Ended {
    Stopped,
    Unsupported(RedisError),
    Lost(RedisError),
}

/// Keeps the link until the mailbox says stop. Runs on a thread of its own.
pub fn run(shared: &Shared, mailbox: &Mailbox) {
    let mut backoff = Backoff::new();
    loop {
        let pause = match session(shared, mailbox, &mut backoff) {
            Ended::Stopped => return,
            Ended::Unsupported(error) => {
                mailbox.link.set_gone(LinkPhase::Unsupported, describe(&error));
                ASK_AGAIN
            }
            Ended::Lost(error) => {
                mailbox.link.set_gone(LinkPhase::Down, describe(&error));
                backoff.next_pause()
            }
        };
        shared.invalidate();
        mailbox.wake();
        if mailbox.sleep(pause) {
            return;
        }
    }
}

fn session(shared: &Shared, mailbox: &Mailbox, backoff: &mut Backoff) -> Ended {
    let mut connection = match arm(shared, mailbox) {
        Ok(connection) => connection,
        Err(error) if is_refusal(&error) => return Ended::Unsupported(error),
        Err(error) => return Ended::Lost(error),
    };
    backoff.reset();
    mailbox.link.set_up(monotonic_ms());
    shared.invalidate();
    mailbox.wake();
    match listen(shared, mailbox, &mut connection) {
        Ok(()) => Ended::Stopped,
        Err(error) => Ended::Lost(error),
    }
}

fn arm(shared: &Shared, mailbox: &Mailbox) -> Result<Connection, RedisError> {
    let mut connection = shared.connector.open_resp3()?;
    connection.set_push_sender(mailbox.push_sender());
    // Whole hash names, never "<prefix>:": other keys of the environment would be broadcast as well.
    cmd("CLIENT")
        .arg("TRACKING")
        .arg("ON")
        .arg("BCAST")
        .arg("PREFIX")
        .arg(&shared.keys.features)
        .arg("PREFIX")
        .arg(&shared.keys.segments)
        .arg("NOLOOP")
        .query::<()>(&mut connection)?;
    Ok(connection)
}

/// Receives pushes (they reach the store thread's channel inside the redis crate) and pings when nothing came.
fn listen(shared: &Shared, mailbox: &Mailbox, connection: &mut Connection) -> Result<(), RedisError> {
    let timeout = shared.connector.command_timeout();
    let ping_every = shared.options.ping;
    let mut link = connection.as_pubsub();
    let mut pinged = Instant::now();
    loop {
        if mailbox.is_stopped() {
            return Ok(());
        }
        link.set_read_timeout(Some(POLL.min(ping_every)))?;
        match link.get_message() {
            Err(error) if error.is_timeout() => {}
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        if pinged.elapsed() >= ping_every || mailbox.link.take_ping_wish() {
            link.set_read_timeout(Some(timeout))?;
            let _: String = link.ping()?;
            pinged = Instant::now();
            mailbox.link.pong(monotonic_ms());
        }
    }
}

/// Whether the server itself said that it cannot or may not do tracking, which waiting does not mend.
fn is_refusal(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::RESP3NotSupported => true,
        ErrorKind::Server(ServerErrorKind::NoPerm) => true,
        ErrorKind::Server(ServerErrorKind::ResponseError) => true,
        ErrorKind::Extension => matches!(error.code(), Some("NOPROTO")),
        _ => false,
    }
}
