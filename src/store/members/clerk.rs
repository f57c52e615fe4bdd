//! The thread that reads members of big segments from Redis and passes on what Redis tells of them. Questions that wait
//! together are asked together. May depend on `redis`, `counter` and `bell`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counter::{Counter, Question};
use crate::model::{Jitter, Membership, unix_ms};
use crate::store::backoff::Backoff;
use crate::store::redis::connector::{ConnectError, Connector, RedisOptions};
use crate::store::redis::members::{Answer, Lost, MemberKeys, MembersLink, Told};

/// A connection that does not live so long is not made anew at once.
const SHORTEST_LINK: Duration = Duration::from_secs(1);
/// Contexts that are asked for together.
const BATCH: usize = 100;

/// Receives what Redis tells of members. Called on the clerk's thread.
pub trait MembersListener {
    /// When they were last brought up to date; `None`: never.
    fn age(&self, age: &Answer<Option<i64>>);
    /// Those of this context may be others by now.
    fn changed(&self, context_hash: &str);
    /// All may be others by now.
    fn all_changed(&self);
}

/// Where the members are.
#[derive(Clone)]
pub struct MembersOptions {
    /// How to reach Redis.
    pub redis: RedisOptions,
    /// It is the one with the flags.
    pub is_of_flags: bool,
    /// Key prefix; empty for the default.
    pub prefix: String,
    /// How often it is asked when they were brought up to date.
    pub poll_interval: Duration,
    /// How long ago that may be before they count as stale.
    pub stale_after: Duration,
    /// Redis is to tell of changes, if it can.
    pub listens: bool,
}

/// Where the members are, checked. Outlives a fork.
#[derive(Debug)]
pub struct Members {
    /// Makes connections: where the flags are in the same Redis, to where theirs lead.
    pub connector: Arc<Connector>,
    /// Somebody else listens to sentinels already, if there are any.
    pub is_of_flags: bool,
    /// Who logs in is whoever does where the flags are.
    pub shares_login: bool,
    keys: MemberKeys,
    poll_interval: Duration,
    stale_after: Duration,
    listens: bool,
}

impl Members {
    /// Checks the options; opens nothing. `of_flags` makes connections to the Redis with the flags, if there is one.
    pub fn new(options: &MembersOptions, of_flags: Option<&Arc<Connector>>) -> Result<Self, ConnectError> {
        let shared = of_flags.filter(|_| options.is_of_flags).cloned();
        Ok(Self {
            is_of_flags: shared.is_some(),
            connector: shared.map_or_else(|| Connector::new(&options.redis).map(Arc::new), Ok)?,
            shares_login: options.is_of_flags,
            keys: MemberKeys::new(&options.prefix),
            poll_interval: options.poll_interval,
            stale_after: options.stale_after,
            listens: options.listens,
        })
    }
}

/// Answers until the counter is closed.
pub fn run(members: &Members, counter: &Counter, listener: &dyn MembersListener) {
    let mut clerk = Clerk {
        members,
        counter,
        listener,
        link: None,
        was_linked: false,
        linked: Instant::now(),
        poll_at: None,
        retry: None,
        backoff: Backoff::new(),
        jitter: Jitter::new(),
        login: 0,
    };
    while let Some(bell) = counter.bell() {
        clerk.follow_login();
        clerk.follow_place();
        clerk.hear();
        clerk.work(counter.take());
        // What came with the answers is not waited for at the socket.
        clerk.hear();
        let (limit, link) = (clerk.limit(), clerk.link.as_mut());
        bell.wait(link.map(|link| link.socket()), limit);
    }
}

struct Clerk<'a> {
    members: &'a Members,
    counter: &'a Counter,
    listener: &'a dyn MembersListener,
    link: Option<MembersLink<'a>>,
    /// There was a connection before.
    was_linked: bool,
    /// When the latest connection was made.
    linked: Instant,
    /// When it is asked next when the members were brought up to date; `None` before the first question.
    poll_at: Option<Instant>,
    /// After a failure: not before then again, and why.
    retry: Option<(Instant, String)>,
    backoff: Backoff,
    jitter: Jitter,
    /// The number of what logs in, as of the latest look.
    login: u64,
}

impl<'a> Clerk<'a> {
    /// Something else logs in by now: the open connection does so anew, and what failed is tried again at once.
    fn follow_login(&mut self) {
        let number = self.members.connector.credentials().number();
        if std::mem::replace(&mut self.login, number) == number {
            return;
        }
        if self.retry.take().is_some() {
            self.poll_at = Some(Instant::now());
        }
        let connector = &self.members.connector;
        self.with_link(|link, told| link.renew_login(connector, told));
    }

    /// How long there is nothing to do, apart from questions and what Redis tells.
    fn limit(&self) -> Option<Duration> {
        let at = self.poll_at?.max(self.retry.as_ref().map_or_else(Instant::now, |(until, _)| *until));
        Some(at.saturating_duration_since(Instant::now()) + Duration::from_millis(1))
    }

    fn work(&mut self, questions: Vec<Question>) {
        let now = Instant::now();
        let is_due = self.poll_at.is_some_and(|at| at <= now);
        if questions.is_empty() && !is_due {
            return;
        }
        if let Some((until, why)) = &self.retry
            && now < *until
        {
            // Redis is away: nobody waits for it to stay so.
            return questions.into_iter().for_each(|question| question.refuse(why));
        }
        let mut rest = questions.into_iter();
        let mut asks_age = is_due || self.poll_at.is_none();
        loop {
            let batch: Vec<Question> = rest.by_ref().take(BATCH).collect();
            if batch.is_empty() && !asks_age {
                return;
            }
            asks_age |= batch.iter().any(|question| matches!(question, Question::Age(_)));
            match self.exchange(asks_age, &batch) {
                Ok((age, members)) => answer(batch, age.as_ref(), members),
                Err(Lost(why)) => {
                    self.failed(&why);
                    return batch.into_iter().chain(rest).for_each(|question| question.refuse(&why));
                }
            }
            asks_age = false;
        }
    }

    #[expect(clippy::type_complexity, reason = "two answers")]
    fn exchange(
        &mut self,
        asks_age: bool,
        batch: &[Question],
    ) -> Result<(Option<Answer<Option<i64>>>, Vec<Answer<Membership>>), Lost> {
        let hashes: Vec<&str> = batch.iter().filter_map(hash_of).collect();
        let mut heard = Heard { listener: self.listener, age_changed: false };
        let link = match &mut self.link {
            Some(link) => link,
            None => {
                let mut link = MembersLink::open(
                    &self.members.connector,
                    &self.members.keys,
                    &self.counter.leash,
                    self.members.listens,
                )?;
                if self.was_linked {
                    // A connection may have been made to nobody: only one that answers makes what is remembered doubtful.
                    link.read(true, &[], &mut |_| ())?;
                    // Whatever happened while nobody told.
                    self.listener.all_changed();
                }
                self.was_linked = true;
                self.linked = Instant::now();
                self.counter.set_told(link.is_told());
                self.link.insert(link)
            }
        };
        let answers = link.read(asks_age, &hashes, &mut |told| heard.note(told))?;
        let age_changed = heard.age_changed;
        if let Some(age) = &answers.0 {
            self.listener.age(age);
            self.plan(age);
        }
        if age_changed {
            self.poll_at = Some(Instant::now());
        }
        self.retry = None;
        self.backoff.reset();
        Ok(answers)
    }

    /// The next poll: after the interval, a little different in each process, and when the members begin to be stale.
    fn plan(&mut self, age: &Answer<Option<i64>>) {
        let interval = self.members.poll_interval.mul_f64(self.jitter.between(0.9, 1.1));
        let mut pause = interval;
        if let Ok(Some(moment)) = age {
            let limit = i64::try_from(self.members.stale_after.as_millis()).unwrap_or(i64::MAX);
            let left = moment.saturating_add(limit).saturating_sub(unix_ms());
            if let Ok(left @ 1..) = u64::try_from(left) {
                pause = pause.min(Duration::from_millis(left));
            }
        }
        self.poll_at = Some(Instant::now() + pause);
    }

    fn failed(&mut self, why: &str) {
        self.link = None;
        let now = Instant::now();
        let pause = self.backoff.next_pause();
        self.retry = Some((now + pause, why.to_owned()));
        self.poll_at = Some(now + self.backoff.unhurried(pause).min(self.members.poll_interval.max(pause)));
        self.counter.set_told(false);
        if self.counter.is_open() {
            self.listener.age(&Err(why.to_owned()));
        }
    }

    /// Leaves a server that is not to be read any more, although it may go on answering.
    fn follow_place(&mut self) {
        let Some(sentinels) = self.members.connector.sentinels() else { return };
        if self.link.as_ref().and_then(MembersLink::peer).is_some_and(|peer| sentinels.has_left(peer)) {
            self.link = None;
            self.counter.set_told(false);
            self.poll_at = Some(Instant::now());
        }
    }

    /// Passes on what Redis has told.
    fn hear(&mut self) {
        self.with_link(|link, told| link.hear(told));
    }

    /// Does something with the connection, and passes on what Redis tells meanwhile.
    fn with_link(&mut self, act: impl FnOnce(&mut MembersLink<'a>, &mut dyn FnMut(Told)) -> Result<(), Lost>) {
        let Some(link) = &mut self.link else { return };
        let mut heard = Heard { listener: self.listener, age_changed: false };
        let outcome = act(link, &mut |told| heard.note(told));
        if heard.age_changed {
            self.poll_at = Some(Instant::now());
        }
        if outcome.is_err() {
            // Whether Redis is away is for the next attempt to say. One that answers and then closes, again and again, is not
            // asked all the time by somebody for whom nobody waits.
            let pause = match self.linked.elapsed() < SHORTEST_LINK {
                true => self.backoff.unhurried(Duration::ZERO),
                false => Duration::ZERO,
            };
            self.link = None;
            self.counter.set_told(false);
            self.poll_at = Some(Instant::now() + pause);
        }
    }
}

/// Passes on what Redis tells.
struct Heard<'a> {
    listener: &'a dyn MembersListener,
    age_changed: bool,
}

impl Heard<'_> {
    fn note(&mut self, told: Told) {
        match told {
            Told::Members(hash) => self.listener.changed(&hash),
            Told::Age => self.age_changed = true,
            Told::All => {
                self.listener.all_changed();
                self.age_changed = true;
            }
        }
    }
}

fn hash_of(question: &Question) -> Option<&str> {
    match question {
        Question::Members(hash, _) => Some(hash),
        Question::Age(_) => None,
    }
}

/// Those who have waited too long are not there any more, which is an error of nobody.
fn answer(batch: Vec<Question>, age: Option<&Answer<Option<i64>>>, members: Vec<Answer<Membership>>) {
    let mut members = members.into_iter();
    for question in batch {
        match question {
            Question::Members(_, sender) => {
                if let Some(members) = members.next() {
                    let _ = sender.try_send(members);
                }
            }
            Question::Age(sender) => {
                if let Some(age) = age {
                    let _ = sender.try_send(age.clone());
                }
            }
        }
    }
}
