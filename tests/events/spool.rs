//! The spool: what cannot be delivered outlives outage, close and kill, and is sent later as what it was.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fakeld::{Action, Fake, Request};
use serde_json::Value;

use crate::support::*;

/// A user who may do nothing.
const NOBODY: u32 = 65_534;
const KEPT: &str = "events could not be delivered; the spool keeps them and sends them later";

fn spooling(url: &str, folder: &Path) -> Config {
    telling_at(url).with("events.spool", folder.to_str().unwrap())
}

/// Files of the folder with this ending, by name.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = paths.filter(|path| path.to_str().unwrap().ends_with(ending)).collect();
    all.sort();
    all
}

fn id(payload: &Request) -> &str {
    payload.header("x-launchdarkly-payload-id").unwrap()
}

/// The keys of the custom events of all payloads.
fn tracked(payloads: &[Request]) -> Vec<String> {
    let events = payloads.iter().flat_map(|payload| payload.json().unwrap().as_array().unwrap().clone());
    events.filter(|event| event["kind"] == "custom").map(|event| event["key"].as_str().unwrap().to_owned()).collect()
}

fn events(client: &Client) -> Value {
    client.status()["events"].clone()
}

/// Leaves payloads in the folder that no server has taken, each with one custom event.
fn fill(folder: &Path, keys: &[&str]) {
    let fake = Fake::start().unwrap();
    fake.always("/bulk", Some(Action::Hang(PATIENCE)));
    for key in keys {
        let client = spooling(&fake.url(), folder).started();
        client.track(key);
        client.close_soon(400);
    }
}

#[test]
fn what_a_server_does_not_take_is_kept_and_sent_when_it_does_with_the_same_identity() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    let folder = folder.path().join("made/anew");
    fake.always("/bulk", Some(Action::Status(503)));
    let client = spooling(&fake.url(), &folder).with("events.flush_interval_ms", "50").started();
    client.track("kept");
    let failure = client.flush_within(PATIENCE_MS).unwrap_err();
    assert_eq!((failure.status, failure.message.as_str()), (STORE, KEPT));
    let kept = files(&folder, ".events");
    assert_eq!(kept.len(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept[0]), mode(&folder)), (0o600, 0o700));
    let status = events(&client);
    assert_eq!((&status["spooled"], &status["lost"]), (&2.into(), &0.into()), "{status}");
    assert_eq!(status["spool"], serde_json::json!({ "payloads": 1, "corrupt": 0 }));
    fake.always("/bulk", None);
    eventually("the spool is empty", || {
        client.track("live");
        files(&folder, ".events").is_empty()
    });
    let payloads = fake.payloads();
    let same: Vec<&Request> = payloads.iter().filter(|payload| id(payload) == id(&payloads[0])).collect();
    assert!(same.len() >= 3 && same.iter().all(|payload| payload.body == payloads[0].body));
    assert_eq!(tracked(&[same[0].clone()]), ["kept"]);
    eventually("it counts as sent", || events(&client)["spool"]["payloads"] == 0);
    assert_eq!(events(&client)["lost"], 0);
}

#[test]
fn a_flush_that_does_not_wait_never_says_that_what_the_spool_keeps_is_delivered() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    fake.always("/bulk", Some(Action::Status(503)));
    let client = spooling(&fake.url(), folder.path()).started();
    client.track("kept");
    let mut last = client.flush_within(0);
    eventually("the flush ends", || {
        last = client.flush_within(0);
        last.as_ref().map_err(|failure| failure.status) != Err(TIMEOUT)
    });
    let failure = last.unwrap_err();
    assert_eq!((failure.status, failure.message.as_str()), (STORE, KEPT));
}

#[test]
fn what_is_left_at_a_close_is_sent_by_the_next_process_the_oldest_first() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    fill(folder.path(), &["a", "b", "c"]);
    assert_eq!(files(folder.path(), ".events").len(), 3);
    let client = spooling(&fake.url(), folder.path()).started();
    assert_eq!(tracked(&fake.wait_for_payloads(3, PATIENCE)), ["a", "b", "c"]);
    eventually("the spool is empty", || files(folder.path(), "").is_empty());
    eventually("all of it counts as sent", || events(&client)["sent"] == 6);
}

#[test]
fn a_close_puts_away_what_hangs_and_what_waits_within_its_time() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    fake.always("/bulk", Some(Action::Hang(PATIENCE)));
    let client = spooling(&fake.url(), folder.path()).started();
    client.track("a");
    assert_eq!(client.flush_within(0).unwrap_err().status, TIMEOUT);
    fake.wait_for_payloads(1, PATIENCE);
    client.track("b");
    assert_eq!(client.close(1_000), OK);
    assert_eq!(files(folder.path(), ".events").len(), 2, "both are there when it returns");
    let lines = log_lines(&client.drain(), 1);
    assert_eq!(lines.last().unwrap(), "closed before 3 events could be delivered: the spool keeps them", "{lines:?}");
}

#[test]
fn what_is_refused_because_of_how_somebody_is_configured_is_kept_whether_it_was_in_the_spool_or_not() {
    for status in [401, 403, 404, 405, 407] {
        let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
        fake.always("/bulk", Some(Action::Status(status)));
        let client = spooling(&fake.url(), folder.path()).started();
        client.track("refused");
        assert_eq!(client.flush_within(PATIENCE_MS).unwrap_err().status, STORE);
        assert_eq!(files(folder.path(), ".events").len(), 1, "status {status}");
        drop(client);
        let client = spooling(&fake.url(), folder.path()).started();
        eventually("it is sent from the spool and refused", || events(&client)["state"] == "off");
        client.close_soon(PATIENCE_MS);
        assert_eq!(files(folder.path(), ".events").len(), 1, "status {status}");
    }
}

#[test]
fn what_was_sent_and_cannot_be_removed_is_not_sent_again_and_that_is_told_once() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    fill(folder.path(), &["a", "b"]);
    // Nobody but root may remove what is in it.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o500)).unwrap();
    let mut command = another("send", &fake.url(), folder.path());
    if fs::metadata(folder.path()).unwrap().uid() == 0 {
        for path in files(folder.path(), "").iter().chain([&folder.path().to_owned()]) {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child = command.spawn().unwrap();
    assert_eq!(tracked(&fake.wait_for_payloads(2, PATIENCE)), ["a", "b"]);
    throughout(Duration::from_millis(700), || assert_eq!(fake.payloads().len(), 2));
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let errors: Vec<&str> = output.lines().filter(|line| line.contains("events.spool")).collect();
    assert!(errors.len() == 1 && errors[0].contains("what was sent cannot be removed: Permission denied"), "{output}");
    assert_eq!(files(folder.path(), ".events").len(), 2);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn files_of_another_sdk_key_are_left_alone() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    fill(folder.path(), &["a"]);
    let config = || spooling(&fake.url(), folder.path());
    let other = config().with("sdk.key", "sdk-of-another").started();
    other.track("own");
    other.delivers();
    let client = config().started();
    assert!(fake.wait_for_payloads(2, PATIENCE).len() == 2);
    eventually("the spool is empty", || files(folder.path(), ".events").is_empty());
    let payloads = fake.payloads();
    assert_eq!(tracked(&payloads), ["own", "a"]);
    assert_eq!(payloads[1].header("authorization"), Some(SDK_KEY));
    drop(client);
}

#[test]
fn damaged_files_are_set_aside_counted_once_and_told_and_the_others_are_sent() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    fill(folder.path(), &["a", "b", "c", "d"]);
    let kept = files(folder.path(), ".events");
    let damage = |path: &Path, change: fn(&mut Vec<u8>)| {
        let mut content = fs::read(path).unwrap();
        change(&mut content);
        fs::write(path, content).unwrap();
    };
    damage(&kept[0], |content| content.truncate(content.len() / 2));
    damage(&kept[1], |content| *content.last_mut().unwrap() ^= 1);
    damage(&kept[2], Vec::clear);
    let client = spooling(&fake.url(), folder.path()).started();
    assert_eq!(tracked(&fake.wait_for_payloads(1, PATIENCE)), ["d"]);
    eventually("the spool is empty", || files(folder.path(), ".events").is_empty());
    assert_eq!(files(folder.path(), ".corrupt").len(), 3);
    eventually("they are counted", || events(&client)["spool"] == serde_json::json!({ "payloads": 0, "corrupt": 3 }));
    let errors = log_lines(&client.drain(), 3);
    assert!(errors.len() == 3 && errors.iter().all(|line| line.contains("is set aside")), "{errors:?}");
    drop(client);
    let again = spooling(&fake.url(), folder.path()).started();
    again.track("x");
    again.delivers();
    assert_eq!(events(&again)["spool"]["corrupt"], 0, "they are not met again");
}

#[test]
fn the_oldest_make_room_and_are_counted_as_lost() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    fill(folder.path(), &["a", "b"]);
    // Compressed sizes differ by a few bytes.
    let size: u64 = files(folder.path(), ".events").iter().map(|path| path.metadata().unwrap().len()).sum();
    let hanging = Fake::start().unwrap();
    hanging.always("/bulk", Some(Action::Hang(PATIENCE)));
    let client = spooling(&hanging.url(), folder.path()).with("events.spool_bytes", &(size + 60).to_string()).started();
    client.track("c");
    assert_eq!(client.close(1_000), OK);
    let lines = log_lines(&client.drain(), 2);
    assert!(lines.contains(&"events.spool is full: its 2 oldest events are lost; more may be".to_owned()), "{lines:?}");
    let _client = spooling(&fake.url(), folder.path()).started();
    eventually("the spool is empty", || files(folder.path(), ".events").is_empty());
    assert_eq!(tracked(&fake.payloads()), ["b", "c"]);
}

#[test]
fn a_folder_that_others_can_write_to_and_one_that_is_none_are_refused_and_told_and_nothing_else_suffers() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    let path = |name: &str| folder.path().join(name);
    for name in ["open", "group", "target"] {
        fs::create_dir(path(name)).unwrap();
    }
    fs::set_permissions(path("open"), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(path("group"), Permissions::from_mode(0o770)).unwrap();
    symlink(path("target"), path("link")).unwrap();
    fs::write(path("file"), "").unwrap();
    for (name, reason) in [
        ("open", "it is writable by everybody"),
        ("group", "it is writable by its group"),
        ("link", "it is not a directory"),
        ("file", "it is not a directory"),
    ] {
        let client = spooling(&fake.url(), &path(name)).with("http.read_timeout_ms", "50").started();
        eventually("it is told", || {
            let errors = log_lines(&client.drain(), 3);
            errors.first().is_some_and(|line| line.starts_with(&format!("events.spool is of no use: {reason}: /")))
        });
        client.track("x");
        client.delivers();
        fake.always("/bulk", Some(Action::Hang(PATIENCE)));
        client.track("y");
        client.close_soon(400);
        fake.always("/bulk", None);
        assert!(log_lines(&client.drain(), 3).is_empty(), "it is told once");
    }
    assert!(files(&path("open"), "").is_empty() && files(&path("target"), "").is_empty());
}

#[test]
fn a_disk_that_takes_nothing_is_told_once_and_holds_up_nothing() {
    let (fake, outer) = (Fake::start().unwrap(), TempDir::new("spool"));
    // The names of files do not fit below it: the one beside does, its final one does not.
    let mut folder = outer.path().to_owned();
    while folder.as_os_str().len() < 3_800 {
        folder.push("x".repeat(199));
    }
    folder.push("x".repeat(4_040 - folder.as_os_str().len()));
    fake.always("/bulk", Some(Action::Status(503)));
    let client = spooling(&fake.url(), &folder).with("events.flush_interval_ms", "20").started();
    for _ in 0..3 {
        client.track("x");
        assert_eq!(client.flush_within(PATIENCE_MS).unwrap_err().status, STORE);
    }
    let status = events(&client);
    assert_eq!((&status["spooled"], &status["lost"]), (&0.into(), &4.into()), "{status}");
    let errors = log_lines(&client.drain(), 3);
    assert!(errors.len() == 1 && errors[0].starts_with("events.spool is of no use: File name too long"), "{errors:?}");
    assert!(files(&folder, "").is_empty(), "nothing is left of the attempts");
}

/// This program again, as a process of its own that fills a folder or empties it.
fn another(what: &str, url: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "spool::another_process", "--ignored", "--nocapture"])
        .env("SPOOL_ROLE", format!("{what} {url} {}", folder.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

fn process(what: &str, url: &str, folder: &Path) -> Child {
    another(what, url, folder).spawn().unwrap()
}

fn wait_for_line(child: &mut Child, wanted: &str) {
    let output = child.stdout.as_mut().unwrap();
    let mut lines = BufReader::new(output).lines();
    assert!(lines.any(|line| line.unwrap() == wanted), "it never said {wanted}");
}

#[test]
#[ignore = "the other process of the tests below"]
fn another_process() {
    let Ok(role) = std::env::var("SPOOL_ROLE") else { return };
    let [what, url, folder] = role.split(' ').collect::<Vec<_>>()[..] else { panic!("{role}") };
    let client = spooling(url, Path::new(folder)).started();
    if what == "fill" {
        client.track("from a process that was killed");
        assert_eq!(client.flush_within(PATIENCE_MS).unwrap_err().message, KEPT);
        // Another one that waits, and goes with the process.
        client.track("never kept");
    }
    std::io::stdout().write_all(b"\nready\n").unwrap();
    std::io::stdout().flush().unwrap();
    let _ = std::io::stdin().read_line(&mut String::new());
    let errors = log_lines(&client.drain(), 3).join("\n") + "\n";
    std::io::stdout().write_all(errors.as_bytes()).unwrap();
}

#[test]
fn what_is_kept_survives_a_kill_and_is_sent_by_whoever_comes_next() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    let refusing = Fake::start().unwrap();
    refusing.always("/bulk", Some(Action::Close));
    let mut child = process("fill", &refusing.url(), folder.path());
    wait_for_line(&mut child, "ready");
    child.kill().unwrap();
    child.wait().unwrap();
    let _client = spooling(&fake.url(), folder.path()).started();
    let sent = fake.wait_for_payloads(1, PATIENCE);
    assert_eq!(tracked(&sent), ["from a process that was killed"]);
    assert_eq!(id(&sent[0]), id(&refusing.payloads()[0]));
    eventually("the spool is empty", || files(folder.path(), "").is_empty());
}

#[test]
fn processes_that_share_a_folder_send_each_payload_once() {
    let (fake, folder) = (Fake::start().unwrap(), TempDir::new("spool"));
    let keys: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    let refusing = Fake::start().unwrap();
    refusing.always("/bulk", Some(Action::Status(403)));
    for key in &keys {
        // A folder of its own: what another one has left would be sent first, and refused.
        let own = TempDir::new("spool");
        let client = spooling(&refusing.url(), own.path()).started();
        client.track(key);
        assert_eq!(client.flush_within(PATIENCE_MS).unwrap_err().status, STORE);
        for path in files(own.path(), ".events") {
            fs::rename(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    assert_eq!(files(folder.path(), ".events").len(), keys.len());
    let mut children: Vec<Child> = (0..3).map(|_| process("send", &fake.url(), folder.path())).collect();
    eventually("the spool is empty", || files(folder.path(), "").is_empty());
    let payloads = fake.payloads();
    let ids: BTreeSet<&str> = payloads.iter().map(id).collect();
    assert_eq!((payloads.len(), ids.len()), (keys.len(), keys.len()));
    let connections: BTreeSet<&str> =
        payloads.iter().map(|payload| payload.header("x-launchdarkly-instance-id").unwrap()).collect();
    assert!(connections.len() > 1, "more than one process had a part in it");
    for child in &mut children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
