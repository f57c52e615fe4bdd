//! What the tests of the C side share: the built library, how C is compiled and run, what to do without a tool.
//!
//! The library is built here, alone, as it is for shipping: cargo could turn on more of what it depends on when it builds it
//! with the tools. (That it does not is for `shipped.rs` to see, so that only linking is left to do.) Depends on the standard
//! library alone.
#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The root of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The shared library.
pub fn shared_library() -> PathBuf {
    built().join("libflagstone.so")
}

/// The archive.
pub fn archive() -> PathBuf {
    built().join("libflagstone.a")
}

/// Cargo, without what the one that runs this test has told it: that would be news to build scripts.
pub fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    let told = [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_CRATE_",
        "CARGO_BIN_",
        "CARGO_PRIMARY_",
        "CARGO_TARGET_TMPDIR",
        "OUT_DIR",
    ];
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| told.iter().any(|start| name.starts_with(start))) {
            command.env_remove(name);
        }
    }
    command.current_dir(root());
    command
}

/// The folder of the library, in the profile of this test.
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        run(&mut build_of_the_library());
        profile_folder()
    })
}

/// Where cargo puts what it builds in the profile of this test.
fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).unwrap().to_owned()
}

/// Builds the library in the profile of this test.
pub fn build_of_the_library() -> Command {
    let folder = profile_folder();
    let profile = folder.file_name().and_then(|name| name.to_str()).unwrap();
    let profile = if profile == "debug" { "dev" } else { profile };
    let mut build = cargo();
    build.args(["build", "--quiet", "--package", "flagstone-capi", "--profile", profile, "--target-dir"]);
    build.arg(folder.parent().unwrap());
    build
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

/// Whether `program` is in `PATH`.
pub fn is_in_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// The same. Without it the test says so where nobody can overlook it, and fails in CI.
pub fn has_tool(program: &str, what_is_skipped: &str) -> bool {
    if is_in_path(program) {
        return true;
    }
    skip(program, what_is_skipped);
    false
}

/// Says that something is left out for lack of a program; fails where nothing may be.
pub fn skip(program: &str, what_is_skipped: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{program} is missing, and CI needs it: {what_is_skipped}");
    // Past the capture of the test runner: a skipped test must not look like one that passed.
    let _ = writeln!(std::io::stderr(), "\n*** SKIPPED, {program} is missing: {what_is_skipped} ***\n");
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
