//! The C programs of `tests/c`, each compiled against the header and the shared library and run three times: as it is, under
//! the sanitizers of the C compiler, and under valgrind.
//!
//! The library itself is not instrumented. That is enough for what can go wrong at the border: the sanitizers take the
//! place of malloc, so that leaks, double frees and uses after free of anything that crosses it are found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod native;

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use flagdata::PrivateRedis;
use native::{has_tool, is_in_path, link_library_into, output_within, root, run, text, work_dir};

/// Far more than any of the programs takes.
const LONGEST: Duration = Duration::from_secs(900);
const C99: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1", "-g", "-pthread"];
const CXX11: &[&str] = &["-std=c++11", "-Wall", "-Wextra", "-pedantic", "-Werror", "-O1", "-g", "-pthread"];
const SANITIZERS: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Plain,
    Sanitized,
    Valgrind,
}

/// Compiles sources of `tests/c`, or by their own paths, into a program in `dir`, which also gets the library.
fn compile(dir: &Path, name: &str, compiler: &str, sources: &[&str], flags: &[&[&str]]) -> PathBuf {
    link_library_into(dir);
    let program = dir.join(name);
    let mut command = Command::new(compiler);
    command.args(flags.concat());
    command.args(sources.iter().map(|source| root().join("tests/c").join(source)));
    command.arg("-I").arg(root().join("include")).arg("-I").arg(root().join("tests/c"));
    command.arg("-L").arg(dir).arg("-lflagstone").arg(format!("-Wl,-rpath,{}", dir.display()));
    run(command.arg("-o").arg(&program));
    program
}

/// The command that runs a program in a mode; none when the tool is missing.
fn command(program: &Path, mode: Mode) -> Option<Command> {
    if mode != Mode::Valgrind {
        let mut command = Command::new(program);
        command.env("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0").env("UBSAN_OPTIONS", "print_stacktrace=1");
        return Some(command);
    }
    if !has_tool("valgrind", &format!("memory checks of {}", program.display())) {
        return None;
    }
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]);
    command.args(["--error-exitcode=99", "--fair-sched=yes"]);
    if program.ends_with("fork") {
        // What the other threads of the parent held is lost in a child, by the nature of fork.
        command.arg("--leak-check=no");
    }
    command.arg(program);
    Some(command)
}

/// Runs a program, which must count at least one check that passed and none that failed.
fn succeeds(command: &mut Command) {
    let output = output_within(command, LONGEST);
    let printed = text(&output);
    assert!(output.status.success(), "{command:?} ended with {}\n{printed}", output.status);
    let counted = printed.lines().any(|line| line.ends_with(" passed, 0 failed") && !line.starts_with("0 "));
    assert!(counted, "{command:?} counts no checks\n{printed}");
}

/// A program without instruments that calls itself sanitized would find nothing.
fn assert_sanitized(program: &Path) {
    let symbols = run(Command::new("nm").arg(program));
    assert!(symbols.contains("__asan_init"), "{} is not instrumented", program.display());
}

/// Waits until `condition` holds.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < end, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The sources of a program of `tests/c` alone: the one that is called so and, of a long one, its parts in the folder called so.
fn sources(name: &str) -> Vec<String> {
    let parts = root().join("tests/c").join(name).read_dir().into_iter().flatten();
    let parts = parts.map(|part| format!("{name}/{}", part.unwrap().file_name().display()));
    [format!("{name}.c")].into_iter().chain(parts.filter(|part| part.ends_with(".c"))).collect()
}

/// Builds a program of `tests/c` and runs it as `program PORT PREFIX [slow]` in one mode.
fn check(name: &str, mode: Mode) {
    let (suffix, extra): (&str, &[&str]) = match mode {
        Mode::Plain => ("plain", &[]),
        Mode::Sanitized => ("sanitized", SANITIZERS),
        Mode::Valgrind => ("valgrind", &[]),
    };
    let dir = work_dir(&format!("c-{name}-{suffix}"));
    let sources = sources(name);
    let sources: Vec<&str> = sources.iter().map(String::as_str).chain(["support.c"]).collect();
    let program = compile(&dir, name, "cc", &sources, &[C99, extra]);
    if mode == Mode::Sanitized {
        assert_sanitized(&program);
    }
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let Some(mut command) = command(&program, mode) else { return };
    command.args([&redis.port().to_string(), name]);
    if mode == Mode::Valgrind {
        command.arg("slow");
    }
    succeeds(&mut command);
}

macro_rules! programs {
    ($mode:ident: $($name:ident)*) => {
        $(#[test] fn $name() { super::check(stringify!($name), super::Mode::$mode); })*
    };
}

mod as_it_is {
    programs! { Plain: all_api values big_segments bad_input migrations threads fork fork_dead inherited deep signals sigwait }
}

mod under_sanitizers {
    // Without `fork`: the allocator of the address sanitizer stays locked in a child when another thread was inside it.
    programs! { Sanitized: all_api values big_segments bad_input migrations threads deep }
}

mod under_valgrind {
    programs! { Valgrind: all_api values big_segments bad_input migrations threads fork deep }
}

/// A Redis with the flag that the first programs ask for, under the default prefix.
fn redis_with_new_checkout() -> PrivateRedis {
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let flag =
        r#"{"key":"new-checkout","version":1,"on":true,"variations":[false,true],"fallthrough":{"variation":1}}"#;
    let words = ["launchdarkly:features", "new-checkout", flag];
    redis::cmd("HSET").arg(&words).exec(&mut redis.connect().unwrap()).unwrap();
    redis
}

/// The first program as it stands in the header.
fn first_program() -> String {
    let header = std::fs::read_to_string(root().join("include/flagstone.h")).unwrap();
    let from = header.find(" *     #include <flagstone.h>").unwrap();
    let end = header.find(" *     cc program.c").unwrap();
    header[from..end].lines().map(|line| line.strip_prefix(" *     ").unwrap_or_default().to_owned() + "\n").collect()
}

/// Compiled as C and as C++, told where Redis is; with Redis and, then, without.
#[test]
fn the_first_program_of_the_header_serves_a_flag_or_says_why_not() {
    let program = first_program();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(program.trim()), "README.md begins with the same program");
    let redis = redis_with_new_checkout();
    // Nobody listens at port 1.
    let cases = [
        ("first", redis.url(), C99, "cc", "new checkout\n", ""),
        ("nobody", "redis://127.0.0.1:1".to_owned(), CXX11, "c++", "old checkout\n", "not ready within 5000 ms"),
    ];
    for (name, url, flags, compiler, printed, told) in cases {
        let dir = work_dir(&format!("c-{name}"));
        let source = dir.join(format!("first.{}", if compiler == "cc" { "c" } else { "cpp" }));
        std::fs::write(&source, program.replace("redis://localhost:6379", &url)).unwrap();
        let program = compile(&dir, name, compiler, &[source.to_str().unwrap()], &[flags, SANITIZERS]);
        let output = output_within(&mut Command::new(program), LONGEST);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), printed, "{}", text(&output));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.is_empty() == told.is_empty() && errors.contains(told), "{errors}");
    }
}

/// What an installation is tried with.
#[test]
fn the_smallest_program_serves_a_flag() {
    let redis = redis_with_new_checkout();
    for (mode, extra) in [(Mode::Plain, &[][..]), (Mode::Sanitized, SANITIZERS), (Mode::Valgrind, &[])] {
        let dir = work_dir("c-smoke");
        let program = compile(&dir, "smoke", "cc", &["smoke.c"], &[C99, extra]);
        let Some(mut command) = command(&program, mode) else { continue };
        succeeds(command.arg(redis.url()));
    }
}

#[test]
fn close_returns_in_its_time_while_a_name_lookup_hangs() {
    let dir = work_dir("c-hanging-lookup");
    let program = compile(&dir, "hanging_lookup", "cc", &["hanging_lookup.c", "support.c"], &[C99]);
    let slow = dir.join("slow_lookup.so");
    let source = root().join("tests/c/slow_lookup.c");
    run(Command::new("cc").args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"]).args([&slow, &source]).arg("-ldl"));
    succeeds(Command::new(program).env("LD_PRELOAD", &slow));
}

/// The variables that name proxies; those of the machine must not take part.
const PROXY_VARIABLES: [&str; 8] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"];

#[test]
fn the_environment_names_the_proxy_and_what_goes_past_it() {
    let dir = work_dir("c-environment-proxy");
    let program = compile(&dir, "environment_proxy", "cc", &["environment_proxy.c", "support.c"], &[C99]);
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://127.0.0.1:{}", proxy.local_addr().unwrap().port());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    thread::spawn(move || {
        for mut stream in proxy.incoming().flatten() {
            let mut line = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            lines.read_line(&mut line).unwrap();
            lines.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            seen.lock().unwrap().push(line);
            stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        }
    });
    let fake = fakeld::Fake::start().unwrap();
    let near = fake.url();
    let (ok, invalid, not_ready) = ("0", "2", "7");
    // The variable that names the proxy, the one that names exceptions, the address asked for, the outcome.
    let cases = [
        ("http_proxy", ("no_proxy", ""), "http://flags.test", not_ready),
        ("ALL_PROXY", ("no_proxy", ""), "http://flags.test", not_ready),
        ("http_proxy", ("no_proxy", "127.0.0.1"), near.as_str(), ok),
        ("http_proxy", ("no_proxy", "x.test,127.0.0.0/8"), near.as_str(), ok),
        ("http_proxy", ("NO_PROXY", "x.test, 127.0.0.1"), near.as_str(), ok),
        ("http_proxy", ("no_proxy", "x.test"), near.as_str(), not_ready),
        ("https_proxy", ("no_proxy", ""), near.as_str(), ok),
        ("HTTP_PROXY", ("no_proxy", ""), near.as_str(), ok),
    ];
    for (variable, exceptions, url, outcome) in cases {
        let mut command = Command::new(&program);
        PROXY_VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
        succeeds(command.args([url, outcome]).envs([(variable, address.as_str()), exceptions]));
        let asked: Vec<String> = asked.lock().unwrap().drain(..).collect();
        assert_eq!(asked.is_empty(), outcome == ok, "{variable} {exceptions:?} {asked:?}");
        let host = url.strip_prefix("http://").unwrap();
        assert!(asked.iter().all(|line| line.contains(host)), "{asked:?}");
    }
    for (variable, value) in
        [("http_proxy", "u:secret@proxy:1"), ("ALL_PROXY", "ftp://u:secret@proxy"), ("http_proxy", "x")]
    {
        let mut command = Command::new(&program);
        PROXY_VARIABLES.iter().for_each(|name| _ = command.env_remove(name));
        succeeds(command.args([near.as_str(), invalid, variable]).env(variable, value));
    }
}

/// The driver takes the events; the program forks while some of them wait and some are on their way.
#[test]
fn a_forked_child_sends_its_own_events_and_none_of_its_parent() {
    let dir = work_dir("c-fork-events");
    let program = compile(&dir, "fork_events", "cc", &["fork_events.c", "support.c"], &[C99]);
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let flag = r#"{"key":"a","version":1,"on":true,"variations":[false,true],"fallthrough":{"variation":1}}"#;
    redis::cmd("HSET").arg(&["forked:features", "a", flag]).exec(&mut redis.connect().unwrap()).unwrap();
    let fake = fakeld::Fake::start().unwrap();
    // What hangs comes to an end when the children are gone.
    fake.script_for("/bulk", fakeld::Action::Hang(Duration::from_secs(600)));
    let mut child = Command::new(program)
        .args([&redis.port().to_string(), "forked", &fake.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut lines) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "sending");
    eventually("the first payload hangs", || fake.payloads().len() == 1);
    writeln!(input, "go").unwrap();
    assert_eq!(next(), "children ended");
    let of_children = fake.payloads().split_off(1);
    let (tracked, evaluated) = told(&of_children);
    assert!(tracked == ["of-child"; 3] && evaluated == 30, "{tracked:?}, {evaluated} evaluations");
    fake.kill();
    fake.start_again().unwrap();
    writeln!(input, "go").unwrap();
    assert!(child.wait().unwrap().success());
    let of_parent = fake.payloads().split_off(1 + of_children.len());
    let (tracked, evaluated) = told(&of_parent);
    assert!(tracked == ["of-parent", "hangs"] || tracked == ["hangs", "of-parent"], "{tracked:?}");
    assert_eq!(evaluated, 105);
}

/// The keys of the custom events of payloads, and how many evaluations their summaries count.
fn told(payloads: &[fakeld::Request]) -> (Vec<String>, i64) {
    let events: Vec<_> =
        payloads.iter().flat_map(|payload| payload.json().unwrap().as_array().unwrap().clone()).collect();
    let of = |kind: &'static str| events.iter().filter(move |event| event["kind"] == kind);
    let tracked = of("custom").map(|event| event["key"].as_str().unwrap().to_owned()).collect();
    let counters = of("summary").flat_map(|event| event["features"]["a"]["counters"].as_array().unwrap());
    (tracked, counters.map(|counter| counter["count"].as_i64().unwrap()).sum())
}

/// The driver plays LaunchDarkly and Redis' hang; the program forks in between.
#[test]
fn a_forked_child_opens_a_stream_of_its_own_and_repeats_no_write_of_its_parent() {
    let dir = work_dir("c-fork-connected");
    let program = compile(&dir, "fork_connected", "cc", &["fork_connected.c", "support.c"], &[C99]);
    let flag = |key: &str, version: i64, variation: i64| {
        format!(
            r#"{{"key":"{key}","version":{version},"on":true,"variations":[false,true],"fallthrough":{{"variation":{variation}}}}}"#
        )
    };
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let fake = fakeld::Fake::start().unwrap();
    fake.edit(|environment| _ = environment.set(fakeld::Kind::Flag, &flag("a", 1, 1)).unwrap());
    let mut child = Command::new(program)
        .args([&redis.port().to_string(), "forked", &fake.url()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut lines) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
    let mut next = || lines.next().unwrap().unwrap();
    let version = |redis: &PrivateRedis| -> Option<String> {
        redis::cmd("HGET").arg("forked:features").arg("a").query(&mut redis.connect().unwrap()).unwrap()
    };
    let writes = |redis: &PrivateRedis| -> usize {
        let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut redis.connect().unwrap()).unwrap();
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_hset:calls="));
        calls.map_or(0, |calls| calls.split(',').next().unwrap().parse().unwrap())
    };

    assert_eq!(next(), "started");
    eventually("the data set is written", || version(&redis) == Some(flag("a", 1, 1)));
    let pause: [&str; 3] = ["PAUSE", "60000", "WRITE"];
    redis::cmd("CLIENT").arg(&pause).exec(&mut redis.connect().unwrap()).unwrap();
    fake.patch(fakeld::Kind::Flag, &flag("a", 2, 0)).unwrap();
    writeln!(input, "go").unwrap();
    assert_eq!(next(), "forked");
    assert!(fake.wait_for_streams(2, Duration::from_secs(30)), "parent and child have a stream each");
    redis::cmd("CLIENT").arg("UNPAUSE").exec(&mut redis.connect().unwrap()).unwrap();
    eventually("the patch is written", || version(&redis) == Some(flag("a", 2, 0)));
    let before = writes(&redis);
    fake.patch(fakeld::Kind::Flag, &flag("of-child", 1, 1)).unwrap();
    writeln!(input, "go").unwrap();
    assert_eq!(next(), "child ended");
    assert!(fake.wait_for_streams(1, Duration::from_secs(30)), "the child's stream ends with it");
    // Parent and child each wrote the one new flag at most; neither repeated the other's data set or patch.
    assert!(writes(&redis) - before <= 2, "{} writes", writes(&redis) - before);
    assert_eq!(version(&redis), Some(flag("a", 2, 0)));
    writeln!(input, "go").unwrap();
    let closing = next();
    assert!(closing.ends_with(" passed, 0 failed"), "{closing}");
    assert!(child.wait().unwrap().success());
}

/// They name servers that are not there, so they are not run.
#[test]
fn the_programs_of_the_readme_are_complete() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let programs: Vec<&str> = readme.split("```c\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(programs.len(), 2, "one of each way of use");
    for (number, program) in programs.iter().enumerate() {
        let dir = work_dir(&format!("c-readme-{number}"));
        let source = dir.join("readme.c");
        std::fs::write(&source, program).unwrap();
        compile(&dir, "readme", "cc", &[source.to_str().unwrap()], &[C99]);
    }
}

#[test]
fn the_header_may_be_included_twice_in_a_file_and_a_program() {
    let dir = work_dir("c-double-include");
    let program = compile(&dir, "double_include", "cc", &["double_include_a.c", "double_include_b.c"], &[C99]);
    succeeds(&mut Command::new(program));
}

#[test]
fn a_program_in_cxx_11_uses_the_library() {
    let dir = work_dir("c-consumer");
    let program = compile(&dir, "consumer", "c++", &["consumer.cpp"], &[CXX11, SANITIZERS]);
    assert_sanitized(&program);
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    succeeds(Command::new(program).args([&redis.port().to_string(), "consumer"]));
}

/// The warnings that hosts turn on.
const CXX_WARNINGS: &[&str] =
    &["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wold-style-cast", "-Werror", "-pthread"];

#[test]
fn the_cxx_header_does_what_it_says_without_a_warning_a_leak_or_a_late_use() {
    let dir = work_dir("c-wrapper");
    let extra = [&["-std=c++17", "-O1", "-g"], CXX_WARNINGS, SANITIZERS].concat();
    let program = compile(&dir, "wrapper", "c++", &["wrapper.cpp"], &[&extra]);
    assert_sanitized(&program);
    succeeds(&mut command(&program, Mode::Sanitized).unwrap());
    // In the other dialect and with the other compiler, if it is here; and each part stands alone.
    let check = |compiler: &str, dialect: &str, source: &Path| {
        let mut command = Command::new(compiler);
        command.args([dialect, "-fsyntax-only"]).args(CXX_WARNINGS).arg("-I").arg(root().join("include"));
        run(command.arg(source));
    };
    for (compiler, dialect) in [("c++", "-std=c++20"), ("clang++", "-std=c++17"), ("clang++", "-std=c++20")] {
        if is_in_path(compiler) {
            check(compiler, dialect, &root().join("tests/c/wrapper.cpp"));
        }
    }
    for part in std::fs::read_dir(root().join("include/flagstone")).unwrap() {
        let (part, source) = (part.unwrap().file_name(), dir.join("part.cpp"));
        let line = format!("#include <flagstone/{}>\n", part.to_str().unwrap());
        std::fs::write(&source, line.repeat(2)).unwrap();
        check("c++", "-std=c++17", &source);
    }
}

/// The driver plays Redis' other clients: the example prints what a flag serves, and its changes until its input ends.
#[test]
fn the_example_in_cxx_prints_values_and_changes() {
    let dir = work_dir("c-example");
    let source = root().join("examples/cpp/flags.cpp");
    let extra = [&["-std=c++17", "-O1", "-g"], CXX_WARNINGS, SANITIZERS].concat();
    let program = compile(&dir, "flags", "c++", &[source.to_str().unwrap()], &[&extra]);
    let redis = redis_with_new_checkout();
    let mut child = Command::new(program)
        .args([&redis.url(), "launchdarkly", "new-checkout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "new-checkout for ada: true, no rule matched");
    assert_eq!(next(), "new-checkout for guest: true, no rule matched");
    assert_eq!(next(), "new-checkout is on for ada");
    let flag = r#"{"key":"new-checkout","version":2,"on":false,"variations":[false,true],"offVariation":0}"#;
    let words = ["launchdarkly:features", "new-checkout", flag];
    redis::cmd("HSET").arg(&words).exec(&mut redis.connect().unwrap()).unwrap();
    assert_eq!(next(), r#"changed: new-checkout {"new_version":2,"old_version":1}"#);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_example_of_a_migration_reads_and_writes_as_each_stage_says() {
    let dir = work_dir("c-migration-example");
    let source = root().join("examples/c/migration.c");
    let program = compile(&dir, "migration", "cc", &[source.to_str().unwrap()], &[C99, SANITIZERS]);
    let printed = "off: write old; read old: 100\n\
        dualwrite: write old, new; read old: 101\n\
        shadow: write old, new failed; read old, new, inconsistent: 102\n\
        live: write new, old; read new, old, consistent: 103\n\
        rampdown: write new, old; read new: 104\n\
        complete: write new; read new: 105\n";
    assert_eq!(run(&mut Command::new(program)), printed);
}

#[test]
fn every_exported_function_is_called_by_a_program_that_checks_what_it_gives() {
    let source = |name: &str| std::fs::read_to_string(root().join("tests").join(name)).unwrap();
    // Some are called by what the programs share.
    let files = ["all_api", "values", "big_segments", "migrations", "support"].map(sources).concat();
    let called: String = files.iter().map(|file| source(&format!("c/{file}"))).collect();
    for symbol in source("abi/symbols.txt").lines() {
        assert!(called.contains(&format!("{symbol}(")), "{symbol} is called by none of these programs");
    }
}

/// The instruments find what they are there for: without this, a run that finds nothing would say nothing. A handle that is
/// freed twice is none of that: the library refuses it itself.
#[test]
fn the_instruments_find_a_leaked_handle_and_a_text_that_is_read_too_late() {
    let leak = "int i; for (i = 0; i < 9; i++) flagstone_config_new(); return 0;";
    let late = "flagstone_context *c = NULL; flagstone_bytes b = {NULL, 0, NULL}; volatile char *text;
        flagstone_context_from_key(FLAGSTONE_STR(\"user\"), FLAGSTONE_STR(\"a\"), &c, NULL);
        flagstone_context_to_json(c, &b, NULL); text = b.ptr; flagstone_bytes_clear(&b); return text[0] == 1;";
    for (name, body, mode, extra, found) in [
        ("leak", leak, Mode::Sanitized, SANITIZERS, "LeakSanitizer"),
        ("leak", leak, Mode::Valgrind, &[], "definitely lost"),
        ("late", late, Mode::Sanitized, SANITIZERS, "heap-use-after-free"),
        ("late", late, Mode::Valgrind, &[], "Invalid read"),
    ] {
        let dir = work_dir(&format!("c-canary-{name}-{found}").replace(' ', "-"));
        let source = dir.join("canary.c");
        let main = format!(
            "#include <flagstone.h>\nstatic int work(void) {{ {body} }}\nint main(void) {{ return work(); }}\n"
        );
        std::fs::write(&source, main).unwrap();
        let program = compile(&dir, "canary", "cc", &[source.to_str().unwrap()], &[C99, extra]);
        let Some(mut command) = command(&program, mode) else { continue };
        let output = output_within(&mut command, LONGEST);
        assert!(!output.status.success(), "{name} was not found by {command:?}");
        assert!(text(&output).contains(found), "{name}: {}", text(&output));
    }
}
