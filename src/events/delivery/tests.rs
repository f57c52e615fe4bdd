//! Threads of delivery without a client: what a host may do to them.

use std::fmt;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use fakeld::{Action, Fake};

use super::*;
use crate::context::Context;
use crate::events::{DiagnosticOptions, Host, Inbox, Privacy, Recorder, run, send};
use crate::http::HttpOptions;
use crate::model::Severity;

const LONG: Duration = Duration::from_secs(30);

/// What threads share, and a host that can be made to fail.
struct World {
    options: EventsOptions,
    recorder: Recorder,
    inbox: Inbox,
    delivery: Delivery,
    lines: Mutex<Vec<String>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Where the system tells of the events thread.
    worker: Mutex<PathBuf>,
    started: AtomicUsize,
    refuses_threads: AtomicBool,
    /// The next line panics.
    panics: AtomicBool,
}

struct TestHost(Arc<World>);

impl Host for TestHost {
    fn log(&self, _: Severity, message: fmt::Arguments<'_>) {
        lock(&self.0.lines).push(message.to_string());
        assert!(!self.0.panics.swap(false, SeqCst), "the host is broken");
    }

    fn start_sender(&self) -> io::Result<()> {
        if self.0.refuses_threads.load(SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.0.started.fetch_add(1, SeqCst);
        let world = Arc::clone(&self.0);
        let body = move || {
            let once =
                || send(&world.options, &world.recorder, &world.inbox, &world.delivery, &TestHost(Arc::clone(&world)));
            while std::panic::catch_unwind(std::panic::AssertUnwindSafe(once)).is_err() {}
        };
        lock(&self.0.threads).push(thread::spawn(body));
        Ok(())
    }
}

fn options(base: &str) -> EventsOptions {
    EventsOptions {
        http: HttpOptions::new("sdk-key-1", "f6b3a1f0-7b1c-4f0e-9a70-0d1f6d1f2a11"),
        base: base.to_owned(),
        capacity: 100,
        flush_interval: LONG,
        context_keys_capacity: NonZeroUsize::MIN,
        context_keys_flush: LONG,
        gzip: true,
        privacy: Privacy::default(),
        omit_anonymous: false,
        diagnostics: None,
        spool: None,
    }
}

fn world(options: EventsOptions) -> Arc<World> {
    let world = Arc::new(World {
        recorder: Recorder::new(0),
        inbox: Inbox::new(&options),
        delivery: Delivery::new(Some(&options)),
        options,
        lines: Mutex::default(),
        threads: Mutex::default(),
        worker: Mutex::default(),
        started: AtomicUsize::new(0),
        refuses_threads: AtomicBool::new(false),
        panics: AtomicBool::new(false),
    });
    world.delivery.expect_worker(true);
    let own = Arc::clone(&world);
    let body = move || {
        *lock(&own.worker) = Path::new("/proc").join(fs::read_link("/proc/thread-self").unwrap());
        let once = || run(&own.options, &own.recorder, &own.inbox, &own.delivery, &TestHost(Arc::clone(&own)));
        while std::panic::catch_unwind(std::panic::AssertUnwindSafe(once)).is_err() {}
    };
    lock(&world.threads).push(thread::spawn(body));
    world
}

impl World {
    fn track(&self) {
        self.inbox.custom(&self.recorder, &Context::builder("user", "ada").build().unwrap(), "x", None, None);
    }

    /// Processor time that the events thread has taken, in hundredths of a second.
    fn processor_time(&self) -> u64 {
        let stat = fs::read_to_string(lock(&self.worker).join("stat")).unwrap();
        // Behind the name, which is in brackets.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    /// Closes it; all its threads end.
    fn close(&self) {
        assert_eq!(self.delivery.close(&self.inbox, &self.recorder, LONG), 0);
        loop {
            let Some(thread) = lock(&self.threads).pop() else { return };
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_sender_that_panics_loses_its_payload_alone_and_that_is_counted() {
    let fake = Fake::start().unwrap();
    let world = world(options(&fake.url()));
    world.track();
    fake.script(Action::Status(500));
    world.panics.store(true, SeqCst);
    assert_eq!(world.delivery.flush(LONG), Flushed::Lost);
    world.track();
    assert_eq!(world.delivery.flush(LONG), Flushed::Delivered);
    let report = world.delivery.report();
    assert_eq!((report.sent, report.lost), (1, 2));
    world.close();
    assert_eq!(world.started.load(SeqCst), 1, "the same thread went on");
}

#[test]
fn an_events_thread_that_panics_at_its_end_ends_all_the_same() {
    let fake = Fake::start().unwrap();
    fake.always("/bulk", Some(Action::Hang(LONG)));
    let world = world(options(&fake.url()));
    world.track();
    assert_eq!(world.delivery.flush(Duration::ZERO), Flushed::Late);
    fake.wait_for_payloads(1, LONG);
    world.panics.store(true, SeqCst);
    world.delivery.close(&world.inbox, &world.recorder, Duration::from_millis(50));
    world.delivery.wait_over(LONG);
    assert!(world.delivery.is_over() && !world.panics.load(SeqCst));
    world.close();
    assert_eq!(lock(&world.lines).last().unwrap(), "closed before 2 events could be delivered: they are lost");
}

#[test]
fn a_payload_waits_when_no_thread_can_be_started_and_goes_when_one_can() {
    let fake = Fake::start().unwrap();
    let world = world(options(&fake.url()));
    world.refuses_threads.store(true, SeqCst);
    world.track();
    assert_eq!(world.delivery.flush(Duration::from_millis(50)), Flushed::Late);
    world.refuses_threads.store(false, SeqCst);
    world.track();
    assert_eq!(world.delivery.flush(LONG), Flushed::Delivered);
    assert_eq!((fake.payloads().len(), world.delivery.report().sent), (2, 3));
    world.close();
}

#[test]
fn a_delivery_without_its_thread_counts_what_it_cannot_send_and_is_over_at_once() {
    let options = options("http://127.0.0.1:1");
    let (recorder, inbox, delivery) = (Recorder::new(0), Inbox::new(&options), Delivery::new(Some(&options)));
    inbox.custom(&recorder, &Context::builder("user", "ada").build().unwrap(), "x", None, None);
    assert_eq!(delivery.close(&inbox, &recorder, LONG), 2);
    delivery.wait_over(LONG);
    assert!(delivery.is_over());
    assert_eq!((delivery.report().lost, inbox.waiting()), (2, 0));
}

fn diagnosing(interval: u64) -> Option<DiagnosticOptions> {
    let interval = Duration::from_millis(interval);
    Some(DiagnosticOptions { interval, configuration: serde_json::Map::new(), wrapper: None })
}

#[test]
fn a_server_that_refuses_events_for_good_or_holds_up_diagnostic_ones_keeps_nobody_busy() {
    for action in [Action::Status(401), Action::Regular] {
        let fake = Fake::start().unwrap();
        fake.always("/diagnostic", Some(Action::Hang(LONG)));
        fake.always("/bulk", Some(action));
        let mut options = options(&fake.url());
        options.diagnostics = diagnosing(1);
        let world = world(options);
        world.track();
        world.delivery.flush(LONG);
        thread::sleep(Duration::from_millis(500));
        let took = world.processor_time();
        assert!(took <= 3, "{took} hundredths of a second");
        world.close();
    }
}

#[test]
fn periodic_diagnostic_events_tell_what_happened_since_the_one_before() {
    let fake = Fake::start().unwrap();
    let mut options = options(&fake.url());
    (options.diagnostics, options.capacity) = (diagnosing(200), 3);
    let world = world(options);
    (0..5).for_each(|_| world.track());
    world.delivery.note_stream_start(StreamStart { at: 5, took: Duration::from_millis(7), has_failed: true });
    assert_eq!(world.delivery.flush(LONG), Flushed::Delivered);
    let deadline = Instant::now() + LONG;
    while fake.diagnostics().len() < 3 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    world.close();
    let told: Vec<_> = fake.diagnostics().iter().map(|request| request.json().unwrap()).collect();
    assert_eq!((&told[0]["kind"], &told[1]["kind"]), (&"diagnostic-init".into(), &"diagnostic".into()));
    assert_eq!(told[1]["id"], told[0]["id"]);
    assert_eq!(told[2]["dataSinceDate"], told[1]["creationDate"]);
    // The flush may have been before or after the first of them.
    let sum = |name: &str| told[1..].iter().filter_map(|event| event[name].as_u64()).sum::<u64>();
    assert_eq!((sum("droppedEvents"), sum("deduplicatedUsers"), sum("eventsInLastBatch")), (3, 4, 3));
    let starts: Vec<_> = told[1..].iter().flat_map(|event| event["streamInits"].as_array().unwrap()).collect();
    assert_eq!(starts, [&serde_json::json!({ "timestamp": 5, "durationMillis": 7, "failed": true })]);
    assert!(fake.diagnostics().iter().all(|request| request.header("x-launchdarkly-payload-id").is_none()));
}

#[test]
fn a_payload_of_the_spool_that_the_server_calls_bad_is_set_aside_and_holds_up_nothing_behind_it() {
    let folder = std::env::temp_dir().join(format!("flagstone-bad-payload-{}", std::process::id()));
    let fake = Fake::start().unwrap();
    let spooling = || {
        let spool = crate::events::SpoolOptions { directory: folder.clone(), bytes: 1 << 20 };
        world(EventsOptions { spool: Some(spool), ..options(&fake.url()) })
    };
    fake.always("/bulk", Some(Action::Status(503)));
    let before = spooling();
    for _ in 0..2 {
        before.track();
        assert_eq!(before.delivery.flush(LONG), Flushed::Kept);
    }
    before.close();
    let id = |number: usize| fake.payloads()[number].header("x-launchdarkly-payload-id").unwrap().to_owned();
    let known = fake.payloads().len();
    let (bad, good) = (id(0), id(known - 1));
    (0..2).for_each(|_| fake.script_for("/bulk", Action::Status(400)));
    fake.always("/bulk", None);
    let world = spooling();
    fake.wait_for_payloads(known + 3, LONG);
    let ids: Vec<String> = (known..fake.payloads().len()).map(id).collect();
    // The server has the payload before the sender has its answer.
    let deadline = Instant::now() + LONG;
    while world.delivery.report().sent == 0 && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    world.close();
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(ids, [bad.clone(), bad, good]);
    let report = world.delivery.report();
    assert_eq!((report.sent, report.lost, world.delivery.spooled().unwrap().1), (1, 2, 1));
}

/// A folder for a spool that is gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("flagstone-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_in_the_spool_goes_as_fast_as_the_server_takes_it_the_oldest_first() {
    const PAYLOADS: usize = 40;
    let (fake, folder) = (Fake::start().unwrap(), Folder::new("fast-spool"));
    let spool = crate::events::SpoolOptions { directory: folder.0.clone(), bytes: 1 << 20 };
    let options = EventsOptions { spool: Some(spool), ..options(&fake.url()) };
    let before = Delivery::new(Some(&options));
    let ids: Vec<String> = (0..PAYLOADS).map(|_| crate::model::new_id()).collect();
    for id in &ids {
        let (number, content, body) = (0, Content::Events, b"[]".to_vec());
        let payload = Payload { number, content, id: id.clone(), events: 1, body, is_packed: false, claim: None };
        before.spool.as_ref().unwrap().keep(&payload, &mut 0).unwrap();
    }
    let (world, begin) = (world(options), Instant::now());
    let sent = fake.wait_for_payloads(PAYLOADS, LONG);
    let took = begin.elapsed();
    let sent: Vec<&str> = sent.iter().map(|sent| sent.header("x-launchdarkly-payload-id").unwrap()).collect();
    assert_eq!(sent, ids);
    // With the pause of a second that a failure makes between them it would take as many seconds as there are payloads.
    assert!(took < LONG / 2, "{took:?}");
    while world.delivery.report().sent < PAYLOADS as u64 && begin.elapsed() < LONG {
        thread::sleep(Duration::from_millis(5));
    }
    world.close();
    assert_eq!((world.delivery.report().sent, world.delivery.spooled()), (PAYLOADS as u64, Some((0, 0))));
}

#[test]
fn what_waits_when_a_server_refuses_a_key_goes_to_the_spool() {
    let (fake, folder) = (Fake::start().unwrap(), Folder::new("refused-key"));
    let spool = crate::events::SpoolOptions { directory: folder.0.clone(), bytes: 1 << 20 };
    let world = world(EventsOptions { spool: Some(spool), ..options(&fake.url()) });
    fake.script(Action::Status(503));
    fake.script(Action::Status(401));
    world.track();
    assert_eq!(world.delivery.flush(Duration::from_millis(100)), Flushed::Late);
    // While it pauses.
    world.track();
    let until = Instant::now() + LONG;
    while world.delivery.report().kept < 3 && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    let report = world.delivery.report();
    assert_eq!((report.kept, report.lost, world.inbox.waiting()), (3, 0, 0));
    assert!(report.off.is_some());
    world.close();
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2);
}

#[test]
fn what_waits_when_a_server_refuses_events_for_good_counts_as_lost() {
    let fake = Fake::start().unwrap();
    let world = world(options(&fake.url()));
    fake.script(Action::Status(503));
    fake.script(Action::Status(401));
    world.track();
    assert_eq!(world.delivery.flush(Duration::from_millis(100)), Flushed::Late);
    // While it pauses.
    world.track();
    let until = Instant::now() + LONG;
    while world.delivery.report().lost < 3 && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!((world.delivery.report().lost, world.inbox.waiting()), (3, 0));
    world.close();
}
