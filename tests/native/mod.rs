//! What the tests of the C side share: where the built library is, how C is compiled and run, what to do without a tool.
//!
//! Cargo builds the shared library and the archive of the package for its integration tests, beside the test programs; it
//! has no variable that names them. Depends on the standard library alone.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shared library that was built with this test.
pub fn shared_library() -> PathBuf {
    built("libflagstone.so")
}

/// The archive that was built with this test.
pub fn archive() -> PathBuf {
    built("libflagstone.a")
}

fn built(name: &str) -> PathBuf {
    let deps = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let path = deps.join(name);
    let built_at = modified(&path).unwrap_or_else(|| panic!("{} is missing", path.display()));
    let newest = newest_source(&root().join("src")).max(modified(&root().join("Cargo.toml")).unwrap());
    assert!(newest <= built_at, "{} is older than the sources: build again", path.display());
    path
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn newest_source(dir: &Path) -> SystemTime {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            if path.is_dir() { newest_source(&path) } else { modified(&path).unwrap() }
        })
        .max()
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// An empty folder of one's own below the target folder.
pub fn work_dir(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// Puts the shared library into `dir` under the names by which it is linked and loaded.
pub fn link_library_into(dir: &Path) {
    for name in ["libflagstone.so", "libflagstone.so.1"] {
        std::os::unix::fs::symlink(shared_library(), dir.join(name)).unwrap();
    }
}

/// Whether `program` is in `PATH`. Without it the test says so where nobody can overlook it, and fails in CI.
pub fn has_tool(program: &str, what_is_skipped: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()));
    if found {
        return true;
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is missing, and CI needs it: {what_is_skipped}");
    // Past the capture of the test runner: a skipped test must not look like one that passed.
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED, {program} is missing: {what_is_skipped} ***\n");
    false
}

/// Runs a command to its end; fails with everything it printed when it ends with an error.
pub fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(output.status.success(), "{command:?} ended with {}\n{}", output.status, text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a command to its end.
pub fn output(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

/// Runs a command to its end, at most for `longest`.
pub fn output_within(command: &mut Command, longest: Duration) -> Output {
    let deadline = Instant::now() + longest;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let id = child.id();
    let (ended, watch) = std::sync::mpsc::channel::<()>();
    let killer = std::thread::spawn(move || {
        let left = deadline.saturating_duration_since(Instant::now());
        if watch.recv_timeout(left) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    });
    let _ = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    let _ = ended.send(());
    killer.join().unwrap();
    output
}

/// Everything that a program printed.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
