//! On what and with what was measured: figures without it mean nothing. Depends on `/proc` and the lock file.

use std::fs;
use std::thread::available_parallelism;

use flagdata::PrivateRedis;

use crate::Outcome;

/// One fact per line.
pub fn describe(redis: &PrivateRedis) -> Outcome<Vec<String>> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let model =
        cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':')).map_or("unknown", |it| it.1);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let processors = available_parallelism()?;
    Ok(vec![
        format!("machine: {processors} x {}, Linux {}", model.trim(), kernel.trim()),
        format!("load at the end, 1 and 5 minutes: {}", load.split_whitespace().take(2).collect::<Vec<_>>().join(", ")),
        format!("redis-server {}, loopback", server_version(redis)?),
        format!(
            "beside: launchdarkly-server-sdk {} (events off, in-memory store), launchdarkly-server-sdk-evaluation {}, redis {}",
            locked("launchdarkly-server-sdk"),
            locked("launchdarkly-server-sdk-evaluation"),
            locked("redis"),
        ),
    ])
}

fn server_version(redis: &PrivateRedis) -> Outcome<String> {
    let info: String = redis::cmd("INFO").arg("server").query(&mut redis.connect()?)?;
    let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
    Ok(version.unwrap_or("of unknown version").to_owned())
}

/// The version of a crate that this program was built with.
fn locked(name: &str) -> &'static str {
    let mut lines = include_str!("../Cargo.lock").lines();
    let wanted = format!("name = \"{name}\"");
    lines.find(|line| **line == wanted);
    lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"')).unwrap_or("of unknown version")
}
