//! A process that forks while it reads Redis under sentinels: parent and child both follow a failover, over sockets of their own. Alone
//! in its program: other threads would make the fork another test's business.
#![allow(unsafe_code, reason = "a fork")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::time::{Duration, Instant};

use support::*;

fn edit(version: i64) -> String {
    flag("a", version, &format!("edit {version}"))
}

/// Files of this process that are connections: by what no two have in common.
fn sockets() -> BTreeSet<String> {
    let files = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let names = files.filter_map(|file| Some(fs::read_link(file.path()).ok()?.to_string_lossy().into_owned()));
    names.filter(|name| name.starts_with("socket:")).collect()
}

fn seekers() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(name).filter(|name| name.starts_with("flagstone-seek")).count()
}

/// What the child does, and says of it, line by line. It never panics: that would run the parent's test in it.
fn child(client: &Client, writer: &mut impl std::io::Write) -> std::io::Result<()> {
    let until = |done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        done()
    };
    writeln!(writer, "{}", client.ask("a"))?;
    let is_well = until(&|| client.state() == VALID && client.try_status().is_ok_and(|s| s["freshness"] == "push"));
    writeln!(writer, "{is_well} {} {}", seekers(), sockets().into_iter().collect::<Vec<_>>().join(","))?;
    writeln!(writer, "{}", until(&|| client.ask("a") == "edit 2"))?;
    writeln!(writer, "{}", client.try_status().map(|status| status["redis"]["address"].clone()).unwrap_or_default())
}

#[test]
fn parent_and_child_both_follow_a_failover_and_share_no_thread_and_no_socket() {
    let deployment = Deployment::holding(&[("a", edit(1))]);
    let config = Config::new().with("redis.url", &deployment.url()).with("redis.ping_ms", "300");
    let client = config.with("redis.connect_timeout_ms", "5000").with("redis.command_timeout_ms", "5000").started();
    client.reports("freshness", "push");
    assert_eq!((client.ask("a").as_str(), seekers()), ("edit 1", 1));
    let before = sockets();
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: the child runs what a host may run after a fork, and ends without running anything of the test's.
    let process = unsafe { libc::fork() };
    if process == 0 {
        let is_told = child(&client, &mut writer).is_ok();
        // SAFETY: ends the child.
        unsafe { libc::_exit(i32::from(!is_told)) };
    }
    drop(writer);
    let mut told = String::new();
    let mut next_line = || {
        let mut byte = [0];
        told.clear();
        while reader.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            told.push(char::from(byte[0]));
        }
        told.clone()
    };
    assert_eq!(next_line(), "edit 1", "what is held answers at once");
    let line = next_line();
    let (is_well, rest) = line.split_once(' ').unwrap();
    let (threads, of_child) = rest.split_once(' ').unwrap();
    assert_eq!((is_well, threads), ("true", "1"));
    let of_child: BTreeSet<String> = of_child.split(',').map(str::to_owned).collect();
    let shared: Vec<&String> = of_child.intersection(&before).collect();
    assert!(shared.is_empty(), "{shared:?}");
    let first = deployment.servers[0].port();
    deployment.sentinels[1].run::<()>(&["SENTINEL", "FAILOVER", SERVICE]);
    let second = deployment.elect_other_than(first, &[0, 1, 2]);
    deployment.at(second).set_flag("a", edit(2));
    client.serves("a", "edit 2");
    assert_eq!(next_line(), "true", "the child serves the edit on the new primary");
    assert_eq!(next_line(), format!("\"127.0.0.1:{second}\""));
    assert_eq!(client.status()["redis"]["address"], format!("127.0.0.1:{second}"));
    let mut status = 0;
    // SAFETY: waits for the child that was made above.
    assert_eq!((unsafe { libc::waitpid(process, &raw mut status, 0) }, status), (process, 0));
}
