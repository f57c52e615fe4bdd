//! The sources against a server, files and a sink that live in the test.

mod composite;
mod fdv2;
mod file;
mod poll;
mod stream;
mod test_data;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use super::control::Control;
use super::outlet::Outlet;
use super::retry::Pace;
use super::sink::{FailureKind, Report, Severity, Sink};
use crate::http::HttpOptions;
use crate::model::{ChangeKind, ChangeSet, Content, Delivery, Kind, lock};

/// How long a test waits for something that is to happen: a slow and busy machine must not fail a test.
pub(super) const LONG: Duration = Duration::from_secs(30);
/// For what must not end by itself while a test waits.
pub(super) const FOR_EVER: Duration = Duration::from_secs(3600);
/// What ends at once may take this long on a busy machine.
pub(super) const AT_ONCE: Duration = Duration::from_secs(10);

/// As the rules have it, a thousand times faster.
pub(super) const FAST: Pace = Pace {
    longest: Duration::from_millis(60),
    healthy: Duration::from_millis(300),
    extended_first: Duration::from_millis(1000),
    extended_longest: Duration::from_millis(1500),
};

/// What a sink was told, in one line each.
#[derive(Default)]
pub(super) struct Recorder {
    lines: Mutex<Vec<(Instant, String)>>,
    logs: Mutex<Vec<(Severity, String)>>,
    /// The flags that are held.
    flags: Mutex<BTreeSet<String>>,
}

impl Recorder {
    pub(super) fn lines(&self) -> Vec<String> {
        lock(&self.lines).iter().map(|(_, line)| line.clone()).collect()
    }

    pub(super) fn logs(&self) -> Vec<(Severity, String)> {
        lock(&self.logs).clone()
    }

    pub(super) fn has_logged(&self, severity: Severity, part: &str) -> bool {
        self.logs().iter().any(|(own, line)| *own == severity && line.contains(part))
    }

    /// When each line came that begins with this.
    pub(super) fn times(&self, begin: &str) -> Vec<Instant> {
        lock(&self.lines).iter().filter(|(_, line)| line.starts_with(begin)).map(|(time, _)| *time).collect()
    }

    fn say(&self, line: String) {
        lock(&self.lines).push((Instant::now(), line));
    }
}

impl Sink for Recorder {
    fn apply(&self, changes: ChangeSet<'_>) {
        let mut flags = lock(&self.flags);
        if changes.kind == ChangeKind::Full {
            flags.clear();
        }
        for item in changes.items.iter().filter(|item| item.kind == Kind::Flag) {
            let _ = if item.is_live_flag() { flags.insert(item.key.to_string()) } else { flags.remove(&*item.key) };
        }
        let told = |item: &Delivery<'_>| {
            let kind = if item.kind == Kind::Flag { "flag" } else { "segment" };
            match item.content {
                Content::Json(json) => format!("{kind} {} {}", item.key, String::from_utf8_lossy(json)),
                Content::Deleted { version } => format!("{kind} {} deleted {version}", item.key),
            }
        };
        let items = changes.items.iter().map(told).collect::<Vec<String>>().join(", ");
        let environment = changes.environment_id.map(|id| format!(" of {id}")).unwrap_or_default();
        match changes.kind {
            ChangeKind::Full => self.say(format!("full{environment}: {items}")),
            ChangeKind::Partial => self.say(format!("part{environment}: {items}")),
            ChangeKind::None => self.say("unchanged".to_owned()),
        }
    }

    fn holds_flags(&self) -> bool {
        !lock(&self.flags).is_empty()
    }

    fn report(&self, report: Report) {
        self.say(match report {
            Report::Valid => "valid".to_owned(),
            Report::Interrupted(failure) => {
                format!("interrupted {:?} {}: {}", failure.kind, failure.status, failure.message)
            }
            Report::Off(failure) => format!("off {:?} {}: {}", failure.kind, failure.status, failure.message),
        });
    }

    fn wants(&self, _: Severity) -> bool {
        true
    }

    fn log(&self, severity: Severity, message: fmt::Arguments<'_>) {
        lock(&self.logs).push((severity, message.to_string()));
    }
}

/// A source on a thread of its own. Stops when dropped.
pub(super) struct Running {
    pub sink: Arc<Recorder>,
    pub control: Control,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub(super) fn start(run: impl FnOnce(&Outlet<'_>) + Send + 'static) -> Running {
        Running::start_with(Arc::default(), run)
    }

    pub(super) fn start_with(sink: Arc<Recorder>, run: impl FnOnce(&Outlet<'_>) + Send + 'static) -> Running {
        let control = Control::new();
        let (for_sink, for_control) = (Arc::clone(&sink), control.clone());
        let thread = spawn(move || run(&Outlet::new(&*for_sink, &for_control)));
        Running { sink, control, thread: Some(thread) }
    }

    /// Waits until the sink was told a line that begins with this, and says how many lines came before it.
    pub(super) fn wait_for(&self, begin: &str) -> usize {
        self.wait_for_next(begin, 0)
    }

    /// The same, after so many lines.
    pub(super) fn wait_for_next(&self, begin: &str, after: usize) -> usize {
        let end = Instant::now() + LONG;
        loop {
            let lines = self.sink.lines();
            if let Some(at) = lines.iter().skip(after).position(|line| line.starts_with(begin)) {
                return after + at + 1;
            }
            assert!(Instant::now() < end, "no {begin:?} in {lines:?}, logged {:?}", self.sink.logs());
            sleep(Duration::from_millis(1));
        }
    }

    /// Stops the source and tells how long it took to end.
    pub(super) fn stop(&mut self) -> Duration {
        let begin = Instant::now();
        self.control.stop();
        self.join();
        begin.elapsed()
    }

    /// Waits until the source ends by itself.
    pub(super) fn join(&mut self) {
        let thread = self.thread.take().unwrap();
        let end = Instant::now() + LONG;
        while !thread.is_finished() {
            assert!(Instant::now() < end, "the source does not end");
            sleep(Duration::from_millis(1));
        }
        thread.join().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.control.stop();
    }
}

pub(super) fn http() -> HttpOptions {
    HttpOptions::new("sdk-key-1", "f6b3a1f0-7b1c-4f0e-9a70-0d1f6d1f2a11")
}

#[test]
fn no_secret_shows_in_a_report_or_a_log() {
    use crate::source::{PollOptions, StreamOptions, poll, stream};
    use fakeld::{Action, Fake};
    let fake = Fake::start().unwrap();
    let with_password = |url: &str| url.replace("//", "//user:geheim@");
    let statuses = [Action::Status(500), Action::Close, Action::Redirect(302, with_password("http://127.0.0.1:1/"))];
    for action in statuses.into_iter().chain([Action::Status(401)]) {
        for proxy in [None, Some(with_password(&fake.url())), Some(with_password("http://127.0.0.1:1"))] {
            let mut http = http();
            http.sdk_key = "geheim".to_owned();
            http.headers = vec![("X-Own".to_owned(), "geheim".to_owned())];
            http.proxy = proxy;
            let base = with_password(&fake.url());
            let streaming = StreamOptions { base: base.clone(), ..StreamOptions::new(http.clone()) };
            let polling = PollOptions { base, interval: FOR_EVER, ..PollOptions::new(http) };
            fake.script(action.clone());
            let first = Running::start(move |outlet| stream::run(&streaming, FAST, outlet));
            first.wait_for("");
            fake.script(action.clone());
            let second = Running::start(move |outlet| poll::run(&polling, FAST, outlet));
            second.wait_for("");
            for running in [first, second] {
                let said = format!("{:?} {:?}", running.sink.lines(), running.sink.logs());
                assert!(!said.contains("geheim") && said.len() > 10, "{said}");
            }
        }
    }
}

pub(super) fn is_network(line: &str) -> bool {
    line.starts_with(&format!("interrupted {:?}", FailureKind::NetworkError))
}
