//! A read that host threads wait for. Depends on `model`.

use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use crate::model::lock;
use crate::store::memory::cache::Held;

/// One read that host threads wait for.
#[derive(Debug)]
pub struct Flight<T = Held> {
    outcome: Mutex<Option<Result<T, ()>>>,
    landed: Condvar,
}

impl<T> Default for Flight<T> {
    fn default() -> Self {
        Self { outcome: Mutex::new(None), landed: Condvar::new() }
    }
}

impl<T> Flight<T> {
    /// Ends it without an answer, unless there is one.
    fn abandon(&self) {
        lock(&self.outcome).get_or_insert(Err(()));
        self.landed.notify_all();
    }
}

/// A flight that the store thread has taken. Where that does not answer it, a panic say, it ends without an answer all the same.
#[derive(Debug)]
pub struct Taken<T = Held>(Arc<Flight<T>>);

impl<T> From<Arc<Flight<T>>> for Taken<T> {
    fn from(flight: Arc<Flight<T>>) -> Self {
        Self(flight)
    }
}

impl<T> Deref for Taken<T> {
    type Target = Arc<Flight<T>>;
    fn deref(&self) -> &Arc<Flight<T>> {
        &self.0
    }
}

impl<T> Drop for Taken<T> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl<T: Clone> Flight<T> {
    /// Gives the outcome to all who wait; `Err` when Redis could not be asked.
    pub fn land(&self, outcome: Result<T, ()>) {
        *lock(&self.outcome) = Some(outcome);
        self.landed.notify_all();
    }

    /// Waits until the outcome is there, at most until `deadline`.
    pub fn wait(&self, deadline: Instant) -> Option<Result<T, ()>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let landed = self.landed.wait_timeout_while(lock(&self.outcome), left, |outcome| outcome.is_none());
        landed.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::channel;

    use crate::model::Kind;
    use crate::store::inbox::mailbox::Mailbox;

    use super::*;

    /// Long after every test has ended.
    fn late() -> Instant {
        Instant::now() + std::time::Duration::from_secs(600)
    }

    #[test]
    fn a_panic_of_the_store_thread_leaves_nobody_waiting_for_what_it_had_taken() {
        let mailbox = Mailbox::new(channel().0);
        let (kept, closed) = (mailbox.request(Kind::Flag, "kept"), mailbox.request(Kind::Flag, "closed"));
        let whole = mailbox.request_whole();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let requests = mailbox.take_requests();
            let _whole = mailbox.take_whole();
            // As residency `off` does before it reads.
            for (item, flight) in requests.iter().filter(|(item, _)| &*item.key == "closed") {
                mailbox.close_flight(item, flight);
            }
            std::panic::resume_unwind(Box::new("in the middle of it"));
        }));
        assert!(outcome.is_err());
        assert!(matches!(kept.wait(late()), Some(Err(()))) && matches!(closed.wait(late()), Some(Err(()))));
        assert!(matches!(whole.wait(late()), Some(Err(()))));
        // The thread starts over: whoever asks then is not answered by what was left.
        mailbox.forget_taken();
        let again = mailbox.request(Kind::Flag, "kept");
        assert!(!Arc::ptr_eq(&again, &kept) && again.wait(Instant::now()).is_none());
    }

    #[test]
    fn an_answer_outlives_the_one_who_gave_it() {
        let flight = Arc::<Flight>::default();
        let taken = Taken::from(flight.clone());
        taken.land(Ok(Held::Missing));
        drop(taken);
        assert!(matches!(flight.wait(late()), Some(Ok(Held::Missing))));
    }
}
