//! `bench`: how long a read of everything and an evaluation take, on this machine and with these data.

use std::hint::black_box;
use std::time::{Duration, Instant};

use flagstone::client::{Ask, Client, DefaultValue, Wanted};
use flagstone::context::Context;
use serde::Serialize;

use super::context;
use crate::arguments::Bench;
use crate::failure::{Failure, Verdict};
use crate::item::is_meant;
use crate::output::{Bytes, Output, Table, count};
use crate::place::Place;

/// Reads that are measured, in turn with nothing else.
const READS: usize = 5;
/// Evaluations of one flag that are timed together: a clock takes as long as one of them.
const TOGETHER: u32 = 1_000;

/// Durations in nanoseconds.
#[derive(Serialize)]
struct Times {
    what: &'static str,
    shortest_ns: u64,
    median_ns: u64,
    p99_ns: u64,
}

impl Times {
    fn of(what: &'static str, mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let at = |share: usize| times.get(((times.len().saturating_sub(1)) * share) / 100).copied();
        let nanoseconds = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Some(Self {
            what,
            shortest_ns: nanoseconds(at(0)?),
            median_ns: nanoseconds(at(50)?),
            p99_ns: nanoseconds(at(99)?),
        })
    }
}

pub fn run(what: &Bench, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let context = context(&what.context)?;
    let client = place.ready_client()?;
    let data = client.data().unwrap_or_default();
    let live = data.flags.iter_sorted().filter(|(_, entry)| entry.is_live());
    let keys: Vec<String> =
        live.map(|(key, _)| key.to_string()).filter(|key| is_meant(key, what.pattern.as_deref())).collect();
    if keys.is_empty() {
        return Err(Failure::Missing(format!("there are no such flags: {}", place.describe())));
    }
    let reads = reads(place, output)?;
    let evaluations = evaluations(&client, &keys, &context, what.seconds, output);
    let times: Vec<Times> =
        [Times::of("read everything", reads), Times::of("one evaluation", evaluations)].into_iter().flatten().collect();
    let (flags, bytes) = (data.flags.len(), data.bytes() as u64);
    if output.json {
        let evaluated = keys.len();
        output.json(
            &serde_json::json!({ "flags": flags, "bytes": bytes, "evaluated_flags": evaluated, "times": times }),
        )?;
        return Ok(Verdict::Fine);
    }
    let mut table = Table::new(&["", "SHORTEST", "MEDIAN", "99%"], &[1, 2, 3]);
    for Times { what, shortest_ns, median_ns, p99_ns } in times {
        let time = |nanoseconds| format!("{:.1?}", Duration::from_nanos(nanoseconds));
        table.row(vec![what.to_owned(), time(shortest_ns), time(median_ns), time(p99_ns)]);
    }
    table.print(output)?;
    let what = format!("{} evaluated; {} held, {}", count(keys.len(), "flag"), count(flags, "flag"), Bytes(bytes));
    let what = output.faint(what);
    output.words(what)?;
    Ok(Verdict::Fine)
}

fn reads(place: &Place, output: &Output) -> Result<Vec<Duration>, Failure> {
    let mut bar = output.progress("reading", READS);
    let mut times = Vec::new();
    for _ in 0..READS {
        let started = Instant::now();
        place.read(output)?;
        times.push(started.elapsed());
        bar.inc(1);
    }
    drop(bar);
    Ok(times)
}

/// Flag by flag, all of them equally often; the time of one evaluation each.
fn evaluations(client: &Client, keys: &[String], context: &Context, seconds: f64, output: &Output) -> Vec<Duration> {
    let ask = Ask::value(Wanted::Any, DefaultValue::None);
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let waiting = output.waiting(format!("evaluating {}", count(keys.len(), "flag")));
    let mut times = Vec::new();
    for key in keys.iter().cycle() {
        let started = Instant::now();
        for _ in 0..TOGETHER {
            client.evaluate(black_box(key), Some(context), ask, |evaluation| _ = black_box(evaluation.detail.index));
        }
        times.push(started.elapsed() / TOGETHER);
        if Instant::now() >= end {
            break;
        }
    }
    drop(waiting);
    times
}
