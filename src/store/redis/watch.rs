//! The push link: a connection of its own on which Redis tells that one of the hashes changed.
//!
//! RESP3 broadcast tracking on the two hash names. The link only counts and wakes: reading is the store thread's work. A
//! lost link means "everything may have changed", so tracking is armed again first and the data are read afterwards. The
//! link is pinged, because a silent connection may be a dead one.

use std::time::{Duration, Instant};

use redis::{ErrorKind, RedisError, ServerErrorKind, Value, cmd};

use crate::store::backoff::Backoff;
use crate::store::inbox::mailbox::{LinkPhase, Mailbox};
use crate::store::redis::connection::Connection;
use crate::store::redis::connector::{Connector, describe, is_interruption};
use crate::store::redis::session::INTERRUPTIONS;
use crate::store::shared::Shared;
use crate::store::status::monotonic_ms;

/// How long the link waits for a push before it looks whether it should end or ping.
const POLL: Duration = Duration::from_millis(200);
/// The link is pinged at least this often, whatever is configured.
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// A server that refuses tracking is asked again after this time: it may have been upgraded or its rules changed.
const ASK_AGAIN: Duration = Duration::from_secs(60);

enum Ended {
    Stopped,
    Unsupported(RedisError),
    Lost(RedisError),
}

/// Keeps the link until the mailbox says stop. Runs on a thread of its own.
pub fn run(shared: &Shared, mailbox: &Mailbox) {
    let Some(connector) = &shared.connector else { return };
    let mut backoff = Backoff::new();
    loop {
        let pause = match session(shared, connector, mailbox, &mut backoff) {
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

fn session(shared: &Shared, connector: &Connector, mailbox: &Mailbox, backoff: &mut Backoff) -> Ended {
    let mut armed = arm(shared, connector, mailbox);
    for _ in 0..INTERRUPTIONS {
        if !armed.as_ref().is_err_and(is_interruption) || mailbox.is_stopped() {
            break;
        }
        armed = arm(shared, connector, mailbox);
    }
    let mut connection = match armed {
        Ok(connection) => connection,
        Err(error) if is_refusal(&error) => return Ended::Unsupported(error),
        Err(error) => return Ended::Lost(error),
    };
    mailbox.link.set_up(monotonic_ms());
    shared.invalidate();
    mailbox.wake();
    match listen(shared, mailbox, &mut connection, backoff) {
        Ok(()) => Ended::Stopped,
        Err(error) => Ended::Lost(error),
    }
}

fn arm(shared: &Shared, connector: &Connector, mailbox: &Mailbox) -> Result<Connection, RedisError> {
    let mut connection = connector.open_resp3()?;
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

/// Receives pushes (they reach the store thread's channel inside the redis crate) and pings when it is time or wished for,
/// however many pushes come.
fn listen(
    shared: &Shared,
    mailbox: &Mailbox,
    connection: &mut Connection,
    backoff: &mut Backoff,
) -> Result<(), RedisError> {
    let timeout = shared.options.command_timeout();
    // Silent reads are made up for by pings, so their number is bounded.
    let ping_every = shared.options.ping.min(LONGEST_SILENCE);
    let mut pinged = Instant::now();
    let mut idle_reads = 0;
    connection.set_read_timeout(Some(POLL.min(ping_every)))?;
    while !mailbox.is_stopped() {
        if pinged.elapsed() >= ping_every || mailbox.link.take_ping_wish() {
            ping(connection, idle_reads, timeout)?;
            connection.set_read_timeout(Some(POLL.min(ping_every)))?;
            idle_reads = 0;
            pinged = Instant::now();
            mailbox.link.pong(monotonic_ms());
            // Only a link that lives counts as a success: one that is dropped at once must not be made again at once.
            backoff.reset();
        }
        match connection.recv_response() {
            Err(error) if error.is_timeout() || is_interruption(&error) => idle_reads += 1,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Waits for the answer to a ping. The redis crate takes each read that ended with nothing, by silence or by a signal, for a
/// reply that is late, and skips a reply for it when it comes: so many more are asked for. (Its pub/sub reader, which does
/// not count, returns on silence only, and its end costs another exchange with a server that may be hanging.)
fn ping(connection: &mut Connection, idle_reads: usize, timeout: Duration) -> Result<(), RedisError> {
    let deadline = Instant::now() + timeout;
    connection.set_read_timeout(Some(timeout))?;
    connection.send_packed_command(&cmd("PING").get_packed_command().repeat(idle_reads + 1))?;
    loop {
        match connection.recv_response() {
            Err(error) if is_interruption(&error) => {
                // Signals must not keep a server alive that does not answer.
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(error);
                }
                connection.set_read_timeout(Some(left))?;
                connection.send_packed_command(&cmd("PING").get_packed_command())?;
            }
            Err(error) => return Err(error),
            Ok(Value::Push { .. }) => {}
            // Any answer is a sign of life, also that of a server whose rules forbid the command.
            Ok(_) => return Ok(()),
        }
    }
}

/// Whether the server itself said that it cannot or may not do tracking, which waiting does not mend.
fn is_refusal(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::RESP3NotSupported => true,
        ErrorKind::Server(ServerErrorKind::NoPerm) => true,
        // A server that is full says so in the same way as one that does not know the command.
        ErrorKind::Server(ServerErrorKind::ResponseError) => {
            !error.detail().is_some_and(|detail| detail.starts_with("max number of clients"))
        }
        ErrorKind::Extension => matches!(error.code(), Some("NOPROTO")),
        _ => false,
    }
}
