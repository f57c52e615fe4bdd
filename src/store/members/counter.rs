//! Where host threads ask what Redis knows, and how long they wait: a deadline on a channel holds whatever a server does to a
//! socket. Belongs to one set of threads, as the mailbox does. Depends on `bell`.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
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
    Open(Window),
    Stopped,
}

#[derive(Debug)]
struct Window {
    waiting: Vec<Question>,
    /// Made for the first question: a client that has none opens no socket.
    bell: Option<Arc<Bell>>,
    sockets: Arc<Sockets>,
}

/// The counter of one set of threads.
#[derive(Debug, Default)]
pub struct Counter {
    inner: Mutex<Inner>,
    /// The first question has come, or there will be none.
    begun: Condvar,
    /// Ends what the thread waits for.
    pub leash: Leash,
    /// The same for a thread that listens to sentinels of its own.
    pub leash_of_seeker: Leash,
    /// Redis tells of changes.
    is_told: AtomicBool,
}

impl Counter {
    /// From here on there is somebody who answers, or will be soon.
    pub fn open(&self, sockets: &Arc<Sockets>) {
        let mut inner = lock(&self.inner);
        if matches!(*inner, Inner::New) {
            *inner = Inner::Open(Window { waiting: Vec::new(), bell: None, sockets: sockets.clone() });
        }
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
            Inner::Open(window) => {
                window.waiting.push(question(sender));
                match &window.bell {
                    Some(bell) => bell.ring(),
                    None => self.begun.notify_all(),
                }
            }
        }
        wait(&receiver, deadline)
    }

    /// The questions that wait.
    pub fn take(&self) -> Vec<Question> {
        match &mut *lock(&self.inner) {
            Inner::Open(window) => mem::take(&mut window.waiting),
            Inner::New | Inner::Stopped => Vec::new(),
        }
    }

    /// What rings when there are questions, after a wait for the first one; `None` when there will be none.
    pub fn bell(&self) -> Option<Arc<Bell>> {
        loop {
            let is_quiet = |inner: &mut Inner| match inner {
                Inner::Open(window) => window.bell.is_none() && window.waiting.is_empty(),
                Inner::New | Inner::Stopped => false,
            };
            let inner = self.begun.wait_while(lock(&self.inner), is_quiet);
            let mut inner = inner.unwrap_or_else(PoisonError::into_inner);
            let Inner::Open(window) = &mut *inner else { return None };
            match window.bell() {
                Ok(bell) => return Some(bell),
                Err(error) => {
                    let why = format!("no socket can be opened: {error}");
                    mem::take(&mut window.waiting).into_iter().for_each(|question| question.refuse(&why));
                }
            }
        }
    }

    /// Wakes the thread that answers.
    pub fn knock(&self) {
        if let Inner::Open(Window { bell: Some(bell), .. }) = &*lock(&self.inner) {
            bell.ring();
        }
    }

    /// Whether anybody may still ask.
    pub fn is_open(&self) -> bool {
        matches!(*lock(&self.inner), Inner::Open(_))
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
        self.leash_of_seeker.pull();
        self.begun.notify_all();
        if let Inner::Open(Window { bell: Some(bell), .. }) = before {
            bell.ring();
        }
    }
}

impl Window {
    fn bell(&mut self) -> io::Result<Arc<Bell>> {
        if let Some(bell) = &self.bell {
            return Ok(bell.clone());
        }
        let bell = Arc::new(Bell::new(&self.sockets)?);
        self.bell = Some(bell.clone());
        Ok(bell)
    }
}

impl Question {
    /// Whoever asked need not wait any longer.
    pub fn refuse(self, why: &str) {
        match self {
            Self::Members(_, sender) => _ = sender.try_send(Err(why.to_owned())),
            Self::Age(sender) => _ = sender.try_send(Err(why.to_owned())),
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
        counter.open(&Arc::default());
        counter
    }

    #[test]
    fn nobody_waits_where_nobody_answers() {
        assert!(Counter::default().ask_age(late()).unwrap_err().contains("not started"));
        let counter = open();
        counter.stop();
        assert!(counter.ask_members("a", late()).unwrap_err().contains("closed"));
        counter.open(&Arc::default());
        assert!(counter.bell().is_none() && !counter.is_open(), "what was stopped stays so");
    }

    #[test]
    fn no_socket_is_opened_before_the_first_question() {
        let (counter, sockets) = (Counter::default(), Arc::<Sockets>::default());
        counter.open(&sockets);
        thread::scope(|scope| {
            let clerk = scope.spawn(|| counter.bell().is_some());
            thread::sleep(Duration::from_millis(20));
            assert!(!clerk.is_finished() && sockets.take_all().is_empty());
            assert!(counter.ask_age(Instant::now() + Duration::from_millis(10)).is_err());
            assert!(clerk.join().unwrap());
            assert_eq!(sockets.take_all().len(), 2);
        });
    }

    #[test]
    fn a_stop_ends_the_wait_for_the_first_question() {
        let counter = open();
        thread::scope(|scope| {
            let clerk = scope.spawn(|| counter.bell().is_none());
            thread::sleep(Duration::from_millis(20));
            counter.stop();
            assert!(clerk.join().unwrap());
        });
    }

    #[test]
    fn a_stop_or_a_dropped_question_ends_the_wait() {
        let counter = open();
        thread::scope(|scope| {
            let dropped = scope.spawn(|| counter.ask_age(late()));
            let bell = counter.bell().unwrap();
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
