//! Where host threads ask what Redis knows, and how long they wait: a deadline on a channel holds whatever a server does to a
//! socket. Belongs to one set of threads, as the mailbox does. Depends on `bell`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use std::{io, mem};

use super::bell::Bell;
use crate::model::{Membership, lock};
use crate::store::leash::Leash;
use crate::store::redis::members::Answer;
use crate::store::redis::sockets::Sockets;

/// A question, and who waits for the answer.
#[derive(Debug)]
pub enum Question {
    /// The big segments of a context, by the hash of its key.
    Members(Box<str>, SyncSender<Answer<Membership>>),
    /// When the members were last brought up to date.
    Age(SyncSender<Answer<Option<i64>>>),
}

#[derive(Debug, Default)]
enum Inner {
    /// Nobody answers yet.
    #[default]
    New,
    Open {
        waiting: Vec<Question>,
        bell: Arc<Bell>,
    },
    Stopped,
}

/// The counter of one set of threads.
#[derive(Debug, Default)]
pub struct Counter {
    inner: Mutex<Inner>,
    /// Ends what the thread waits for.
    pub leash: Leash,
    /// Redis tells of changes.
    is_told: AtomicBool,
}

impl Counter {
    /// From here on there is somebody who answers, or will be soon.
    pub fn open(&self, sockets: &Arc<Sockets>) -> io::Result<()> {
        let mut inner = lock(&self.inner);
        if matches!(*inner, Inner::New) {
            *inner = Inner::Open { waiting: Vec::new(), bell: Arc::new(Bell::new(sockets)?) };
        }
        Ok(())
    }

    /// Asks for the big segments of a context and waits until then.
    pub fn ask_members(&self, hash: &str, deadline: Instant) -> Answer<Membership> {
        self.ask(|sender| Question::Members(Box::from(hash), sender), deadline)
    }

    /// Asks when the members were last brought up to date, and waits until then.
    pub fn ask_age(&self, deadline: Instant) -> Answer<Option<i64>> {
        self.ask(Question::Age, deadline)
    }

    fn ask<T>(&self, question: impl FnOnce(SyncSender<Answer<T>>) -> Question, deadline: Instant) -> Answer<T> {
        let (sender, receiver) = sync_channel(1);
        match &mut *lock(&self.inner) {
            Inner::New => return Err("the client was not started".to_owned()),
            Inner::Stopped => return Err("the client is closed".to_owned()),
            Inner::Open { waiting, bell } => {
                waiting.push(question(sender));
                bell.ring();
            }
        }
        wait(&receiver, deadline)
    }

    /// The questions that wait.
    pub fn take(&self) -> Vec<Question> {
        match &mut *lock(&self.inner) {
            Inner::Open { waiting, .. } => mem::take(waiting),
            Inner::New | Inner::Stopped => Vec::new(),
        }
    }

    /// What rings when there are questions; `None` when there will be none.
    pub fn bell(&self) -> Option<Arc<Bell>> {
        match &*lock(&self.inner) {
            Inner::Open { bell, .. } => Some(bell.clone()),
            Inner::New | Inner::Stopped => None,
        }
    }

    /// Whether Redis tells of changes.
    pub fn is_told(&self) -> bool {
        self.is_told.load(Relaxed)
    }

    /// Redis tells of changes from here on, or does not any more.
    pub fn set_told(&self, is_told: bool) {
        self.is_told.store(is_told, Relaxed);
    }

    /// Nobody answers any more, and nobody waits. Never blocks.
    pub fn stop(&self) {
        let before = mem::replace(&mut *lock(&self.inner), Inner::Stopped);
        self.leash.pull();
        if let Inner::Open { bell, .. } = before {
            bell.ring();
        }
    }
}

fn wait<T>(receiver: &Receiver<Answer<T>>, deadline: Instant) -> Answer<T> {
    let left = deadline.saturating_duration_since(Instant::now());
    match receiver.recv_timeout(left) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err("Redis did not answer in time".to_owned()),
        // The question was dropped with the thread that had taken it.
        Err(RecvTimeoutError::Disconnected) => Err("the question was left without an answer".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn late() -> Instant {
        Instant::now() + Duration::from_secs(600)
    }

    fn open() -> Counter {
        let counter = Counter::default();
        counter.open(&Arc::default()).unwrap();
        counter
    }

    #[test]
    fn nobody_waits_where_nobody_answers() {
        assert!(Counter::default().ask_age(late()).unwrap_err().contains("not started"));
        let counter = open();
        counter.stop();
        assert!(counter.ask_members("a", late()).unwrap_err().contains("closed"));
        counter.open(&Arc::default()).unwrap();
        assert!(counter.bell().is_none(), "what was stopped stays so");
    }

    #[test]
    fn a_stop_or_a_dropped_question_ends_the_wait() {
        let counter = open();
        let bell = counter.bell().unwrap();
        thread::scope(|scope| {
            let dropped = scope.spawn(|| counter.ask_age(late()));
            bell.wait(None, None);
            drop(counter.take());
            assert!(dropped.join().unwrap().is_err());
            let stopped = scope.spawn(|| counter.ask_members("a", late()));
            bell.wait(None, None);
            counter.stop();
            assert!(stopped.join().unwrap().is_err());
        });
    }

    #[test]
    fn a_wait_ends_in_time_and_an_answer_that_comes_later_harms_nobody() {
        let counter = open();
        assert!(counter.ask_age(Instant::now() + Duration::from_millis(10)).unwrap_err().contains("in time"));
        let Some(Question::Age(sender)) = counter.take().pop() else { panic!("the question is there") };
        assert!(sender.try_send(Ok(None)).is_err());
    }
}
