//! Memory of held flags: how much larger a fresh process is that holds them than one that holds none. Depends on `heap`
//! and `flagstone`.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use flagdata::{Options, PrivateRedis, generate, store};

use crate::Outcome;
use crate::flagstone::Client;
use crate::heap::{Memory, memory};
use crate::report::{Budget, Row, megabytes};

/// Budget per 1,000 flags, in bytes.
const PER_THOUSAND: f64 = 4e6;
/// Within this time the store thread has parsed what the first read left unparsed.
const SETTLED: Duration = Duration::from_secs(2);

/// One row per number of flags and way to look; the budget is about resident memory.
pub fn measure(redis: &PrivateRedis, quick: bool) -> Outcome<Vec<Row>> {
    let rounds = if quick { 1 } else { 5 };
    let empty = holder(redis, 0, rounds)?;
    let mut rows = Vec::new();
    for flags in [1_000, 10_000] {
        let held = holder(redis, flags, rounds)?;
        let per_thousand = |held: u64, empty: u64| held.saturating_sub(empty) as f64 * 1_000.0 / flags as f64;
        let resident = per_thousand(held.resident, empty.resident);
        let allocated = per_thousand(held.allocated, empty.allocated);
        let what = format!("memory per 1,000 flags of 2 kB, {flags} held");
        rows.push(Row::new(&format!("{what}, resident"), megabytes(resident)).budget(Budget::AtMost(
            resident,
            PER_THOUSAND,
            "4 MB",
        )));
        rows.push(Row::new(&format!("{what}, allocated"), megabytes(allocated)));
    }
    rows.push(Row::new("memory of a client without flags, resident", megabytes(empty.resident as f64)));
    Ok(rows)
}

/// Growth of processes that hold `flags` flags: the median of each figure.
fn holder(redis: &PrivateRedis, flags: usize, rounds: usize) -> Outcome<Memory> {
    let prefix = format!("memory-{flags}");
    let data = generate(&Options { flags, segments: 0, bytes: Some(2_000), regex: false, ..Options::default() });
    store::fill(&mut redis.connect()?, &prefix, &data)?;
    let (mut resident, mut allocated) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let growth = growth(redis, &prefix)?;
        resident.push(growth.resident);
        allocated.push(growth.allocated);
    }
    let middle = |mut values: Vec<u64>| {
        values.sort_unstable();
        values[values.len() / 2]
    };
    Ok(Memory { resident: middle(resident), allocated: middle(allocated) })
}

/// Runs one holder and reads the two numbers that it prints.
fn growth(redis: &PrivateRedis, prefix: &str) -> Outcome<Memory> {
    let holder = Command::new(std::env::current_exe()?)
        .args(["holder", &redis.url(), prefix])
        .stderr(Stdio::inherit())
        .output()?;
    let printed = String::from_utf8(holder.stdout)?;
    let (resident, allocated) = printed.trim().split_once(' ').ok_or("the holder has failed")?;
    Ok(Memory { resident: resident.parse()?, allocated: allocated.parse()? })
}

/// The holder's process: prints by how many bytes it grew until a client had started and parsed everything, resident and
/// allocated.
pub fn hold(url: &str, prefix: &str) -> Outcome<()> {
    let before = memory()?;
    let client = Client::start(url, prefix)?;
    thread::sleep(SETTLED);
    let after = memory()?;
    drop(client);
    let resident = after.resident.saturating_sub(before.resident);
    let allocated = after.allocated.saturating_sub(before.allocated);
    writeln!(io::stdout(), "{resident} {allocated}")?;
    Ok(())
}
