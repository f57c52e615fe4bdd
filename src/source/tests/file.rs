//! Files that change, break, vanish and come back.

use std::fs;
use std::io::Write as _;
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
    assert!(
        running.sink.lines()[0].contains(r#"b:1: flag "a": it is defined more than once"#),
        "{:?}",
        running.sink.lines()
    );
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

/// What is reported and logged of one file.
fn complaints(name: &str, text: &str) -> String {
    let folder = Folder::new();
    let path = folder.write(name, text);
    let mut running = start(vec![path.clone()], Duplicates::Fail, false);
    running.wait_for("");
    running.stop();
    let logs = running.sink.logs().into_iter().filter(|(severity, _)| *severity >= Severity::Warn);
    let lines: Vec<String> = logs.map(|(_, line)| line).collect();
    lines.join("\n").replace(&path.display().to_string(), name)
}

#[test]
fn json_that_breaks_off_is_told_with_line_and_item() {
    let head = "{\n \"other\": 1,\n \"flags\": {\n  \"a\": {},\n  \"b\": ";
    for (text, complaint) in [
        (format!("{head}{{\"on\": [1}}\n }}\n}}"), r#"5: flag "b": another closing bracket is missing"#),
        (format!("{head}{{\n   \"on\": \"x\n }}\n}}"), r#"8: flag "b": a closing quote is missing"#),
        (format!("{head}1 2\n }}\n}}"), r#"5: flag "b": a comma or the end of the object is missing"#),
        ("{\n\"segments\": {\n\"s\": {\n".to_owned(), r#"4: segment "s": a closing bracket is missing"#),
        ("{\n\"flags\": []}".to_owned(), "2: flags: an object is missing"),
        ("{\n\"flags\": {},\n\"flags\": {}}".to_owned(), "3: flags is given twice"),
        ("{\n\"a\": 1}\n}".to_owned(), "3: the end of the text is missing"),
        ("{\n".to_owned(), "2: a quote is missing"),
    ] {
        assert_eq!(complaints("f.json", &text), format!("files: f.json:{complaint}"), "{text}");
    }
}

#[test]
fn an_item_that_cannot_be_read_is_told_with_its_line_in_json_and_in_yaml() {
    let json =
        "{\"flags\": {\n \"good\": {\"version\": 1},\n \"bad\": {\n  \"on\": \"yes\"}},\n \"segments\": {\"s\": 1}}";
    let yaml = "# Comment\nflags:\n  good: {version: 1}\n  bad:\n    on: yes\nsegments:\n  s: 1\n";
    let [json, yaml] = [complaints("f.json", json), complaints("f.yaml", yaml)];
    let [segment, flag] = json.lines().collect::<Vec<_>>()[..] else { panic!("{json}") };
    assert!(
        flag.starts_with(r#"f.json:4: flag "bad": `on`: invalid type: string "yes", expected a boolean"#),
        "{json}"
    );
    assert!(segment.starts_with(r#"f.json:5: segment "s": "#), "{json}");
    let [doubt, segment, flag] = yaml.lines().collect::<Vec<_>>()[..] else { panic!("{yaml}") };
    assert!(doubt.starts_with("f.yaml:5: yes is read as YAML 1.2 says"), "{yaml}");
    assert!(
        flag.starts_with(r#"f.yaml:4: flag "bad": `on`: invalid type: string "yes", expected a boolean"#),
        "{yaml}"
    );
    assert!(segment.starts_with(r#"f.yaml:7: segment "s": "#), "{yaml}");
    let many: String = (0..30).map(|number| format!("  f{number}: 1\n")).collect();
    let told = complaints("f.yaml", &format!("flags:\n{many}"));
    assert_eq!(told.lines().count(), 21);
    assert!(told.ends_with("10 more items make no sense"), "{told}");
}

#[test]
fn yaml_and_json_are_loaded_together_and_yaml_again_when_it_changes() {
    let folder = Folder::new();
    let json = folder.write("a", " {\"flags\":{\"a\":{\"version\":1}}}");
    let yaml = folder.write("b", "\u{feff}flags:\n  b: {version: 2, x: 1.0}\nflagValues: {c: [1.50]}\nsegments:\n");
    let running = start(vec![json, yaml], Duplicates::Fail, true);
    let first = running.wait_for(
        r#"full: flag a {"version":1}, flag b {"version":2,"x":1.0}, flag c {"key":"c","version":1,"on":true,"variations":[[1.50]],"fallthrough":{"variation":0}}"#,
    );
    folder.write("b", "flags:\n  b: {version: 3}\n  a: {}");
    let broken = running.wait_for_next("interrupted InvalidData", first);
    assert!(running.sink.lines()[broken - 1].contains(r#"b:3: flag "a": it is defined more than once"#));
    folder.write("b", "flags:\n  b: {version: 3}\n");
    running.wait_for_next(r#"full: flag a {"version":1}, flag b {"version":3}"#, broken);
}

#[test]
fn an_empty_file_is_none_and_neither_is_one_without_end() {
    assert_eq!(complaints("f.yaml", ""), "files: f.yaml: it is empty");
    assert_eq!(complaints("f.json", "\u{feff} \n"), "files: f.json: it is empty");
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_waited_for_and_holds_nobody_who_stops() {
    let folder = Folder::new();
    let path = folder.0.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut nobody_writes = start(vec![path.clone()], Duplicates::Fail, false);
    sleep(Duration::from_millis(50));
    assert!(nobody_writes.stop() < AT_ONCE);

    let running = start(vec![path.clone()], Duplicates::Fail, false);
    sleep(Duration::from_millis(50));
    let mut pipe = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let (first, rest) = br#"{"flags":{"a":{"version":1}}}"#.split_at(9);
    pipe.write_all(first).unwrap();
    sleep(Duration::from_millis(50));
    pipe.write_all(rest).unwrap();
    drop(pipe);
    running.wait_for(r#"full: flag a {"version":1}"#);

    let mut nobody_ends = start(vec![path.clone()], Duplicates::Fail, false);
    let mut pipe = fs::OpenOptions::new().write(true).open(&path).unwrap();
    pipe.write_all(first).unwrap();
    sleep(Duration::from_millis(50));
    assert!(nobody_ends.stop() < AT_ONCE);
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
