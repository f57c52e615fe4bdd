//! Files that change, break, vanish and come back.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::*;
use crate::source::{Duplicates, FileOptions, file};

/// A folder that is removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("flagstone-file-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    /// Writes a file in one step: half a file is a case of its own.
    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let (path, half) = (self.0.join(name), self.0.join("half"));
        fs::write(&half, text).unwrap();
        fs::rename(&half, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn start(paths: Vec<PathBuf>, duplicates: Duplicates, auto_reload: bool) -> Running {
    let options = FileOptions { paths, duplicates, auto_reload };
    Running::start(move |outlet| file::run(&options, Duration::from_millis(10), outlet))
}

#[test]
fn flags_segments_and_values_are_loaded_from_all_files() {
    let folder = Folder::new();
    let a = folder.write("a", r#"{"other":1,"flags":{"a": {"version":7} },"segments":{"s":{}}}"#);
    let b = folder.write("b", "\u{feff}{\"flagValues\":{\"b\\\"\":[1,2]},\"flags\":null}");
    let mut running = start(vec![a, b], Duplicates::Fail, false);
    running.wait_for(
        r#"full: segment s {}, flag a {"version":7}, flag b" {"key":"b\"","version":1,"on":true,"variations":[[1,2]],"fallthrough":{"variation":0}}"#,
    );
    assert!(running.stop() < AT_ONCE);
}

#[test]
fn a_flag_value_is_a_flag_that_the_model_understands() {
    let folder = Folder::new();
    let path = folder.write("a", r#"{"flagValues":{"a":true}}"#);
    let running = start(vec![path], Duplicates::Fail, false);
    running.wait_for("full: ");
    let line = running.sink.lines().remove(0);
    let json = line.strip_prefix("full: flag a ").unwrap();
    let mut interner = crate::model::Interner::default();
    assert!(crate::model::parse_flag("a", json.as_bytes(), &mut interner).is_ok());
}

#[test]
fn a_duplicate_fails_the_load_or_the_first_one_counts() {
    let folder = Folder::new();
    let a = folder.write("a", r#"{"flags":{"a":{"version":1}},"segments":{"a":{}}}"#);
    let b = folder.write("b", r#"{"flagValues":{"a":1}}"#);
    let running = start(vec![a.clone(), b.clone()], Duplicates::Fail, false);
    running.wait_for("interrupted InvalidData");
    assert!(running.sink.lines()[0].contains(r#"b: "a" is defined more than once"#), "{:?}", running.sink.lines());
    let running = start(vec![a, b], Duplicates::First, false);
    running.wait_for(r#"full: segment a {}, flag a {"version":1}"#);
    let twice = folder.write("c", r#"{"flags":{"a":{},"a":{}}}"#);
    start(vec![twice], Duplicates::Fail, false).wait_for("interrupted InvalidData");
}

#[test]
fn what_is_no_flag_file_is_an_error() {
    let folder = Folder::new();
    for text in
        [&b"{"[..], b"[]", b"\xff", br#"{"flags":[]}"#, br#"{"flags":{"a":{"b":1}}"#, b"{\"flags\":{\"\xff\":{}}}"]
    {
        let path = folder.write("a", text);
        let running = start(vec![path], Duplicates::Fail, false);
        running.wait_for("interrupted InvalidData");
        assert!(running.sink.logs().iter().any(|(severity, _)| *severity == Severity::Error));
    }
}

#[test]
fn an_item_that_makes_no_sense_is_handed_on_beside_the_others() {
    let folder = Folder::new();
    let path = folder.write("a", br#"{"flags":{"a":3,"b":{"x":NaN},"c":{}},"flagValues":{"d":1e}}"#);
    let running = start(vec![path], Duplicates::Fail, false);
    running.wait_for(
        r#"full: flag a 3, flag b {"x":NaN}, flag c {}, flag d {"key":"d","version":1,"on":true,"variations":[1e]"#,
    );
}

#[test]
fn a_change_is_loaded_again_only_if_wanted() {
    for auto_reload in [true, false] {
        let folder = Folder::new();
        let path = folder.write("a", r#"{"flags":{"a":{"version":1}}}"#);
        let running = start(vec![path], Duplicates::Fail, auto_reload);
        let first = running.wait_for("full: ");
        // As long as the first text: the file looks the same from outside.
        folder.write("a", r#"{"flags":{"a":{"version":2}}}"#);
        if auto_reload {
            running.wait_for_next(r#"full: flag a {"version":2}"#, first);
        } else {
            sleep(Duration::from_millis(100));
        }
        sleep(Duration::from_millis(50));
        assert_eq!(running.sink.lines().len(), 1 + usize::from(auto_reload), "unchanged files are loaded once");
    }
}

#[test]
fn a_file_that_vanishes_or_breaks_is_reported_once_and_mends() {
    let folder = Folder::new();
    let good = r#"{"flags":{"a":{"version":1}}}"#;
    let path = folder.write("a", good);
    let running = start(vec![path.clone()], Duplicates::Fail, true);
    let first = running.wait_for("full: ");
    fs::remove_file(&path).unwrap();
    let gone = running.wait_for_next("interrupted Unknown", first);
    sleep(Duration::from_millis(60));
    folder.write("a", good);
    let back = running.wait_for_next("full: ", gone);
    folder.write("a", &good[..10]);
    let broken = running.wait_for_next("interrupted InvalidData", back);
    sleep(Duration::from_millis(60));
    folder.write("a", good);
    running.wait_for_next("full: ", broken);
    assert_eq!(running.sink.lines().len(), 5, "{:?}", running.sink.lines());
}

#[test]
fn a_restart_loads_again_what_has_not_changed() {
    let folder = Folder::new();
    let path = folder.write("a", "{}");
    let running = start(vec![path], Duplicates::Fail, false);
    let first = running.wait_for("full: ");
    running.control.restart();
    running.wait_for_next("full: ", first);
}
