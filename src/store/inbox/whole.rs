//! The whole data set under residency `lazy` and `off`, asked for by a host thread. May depend on `memory`.

use std::sync::Arc;
use std::time::Instant;

use super::mailbox::Mailbox;
use super::read_through::Unreachable;
use crate::store::memory::snapshot::Snapshot;
use crate::store::shared::Shared;

/// Waits until the store thread has read everything, at most one command timeout, and not at all while Redis is known to
/// be away.
pub fn read_whole(shared: &Shared, mailbox: &Mailbox) -> Result<Arc<Snapshot>, Unreachable> {
    if !shared.health.is_available() || mailbox.is_stopped() {
        mailbox.call();
        return Err(Unreachable);
    }
    let flight = mailbox.request_whole();
    if mailbox.is_stopped() {
        // Stopped in between: nobody is left who would answer.
        mailbox.abandon_flights();
    }
    match flight.wait(Instant::now() + shared.options.command_timeout()) {
        Some(Ok(snapshot)) => Ok(snapshot),
        Some(Err(())) | None => Err(Unreachable),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn hosts_join_a_read_that_was_not_sent_yet_and_start_another_after_that() {
        let (sender, wake) = channel();
        let mailbox = Mailbox::new(sender);
        assert!(mailbox.take_whole().is_none());
        let first = mailbox.request_whole();
        assert!(Arc::ptr_eq(&first, &mailbox.request_whole()));
        assert_eq!(wake.try_iter().count(), 1, "the store thread is woken once");
        assert!(Arc::ptr_eq(&first, &mailbox.take_whole().unwrap()));
        assert!(mailbox.take_whole().is_none());
        assert!(!Arc::ptr_eq(&first, &mailbox.request_whole()));
    }

    #[test]
    fn a_stop_ends_the_wait_without_an_answer() {
        let mailbox = Mailbox::new(channel().0);
        let flight = mailbox.request_whole();
        mailbox.stop();
        assert!(matches!(flight.wait(Instant::now()), Some(Err(()))));
        assert!(mailbox.take_whole().is_none());
    }
}
