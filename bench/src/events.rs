//! What events cost: an evaluation with and without them, a context that is seen for the first time, the thread that writes
//! and sends, and the wire. Depends on `flagstone`, `peers`, `sink` and `timing`.

use std::fs;
use std::time::{Duration, Instant};

use flagdata::{BASE_FLAG, CONTEXT_JSON, DataSet, Options, Shape, generate};

use crate::Outcome;
use crate::flagstone::{Client, Context, TestData};
use crate::peers::Sdk;
use crate::report::{Budget, Row, nanoseconds, times};
use crate::sink::Sink;
use crate::timing::{batch, interleaved, median};

const FLAGS: usize = 1_000;
/// What events may add to the evaluation of a plain flag for a context seen before, in ns.
const COUNTED: f64 = 15.0;
/// What they may add for a context that is seen for the first time, in ns.
const FIRST: f64 = 150.0;
/// Contexts that are seen for the first time in one round: all fit the queue until the flush of the round.
const FRESH: usize = 200;

/// All rows.
pub fn measure(quick: bool) -> Outcome<Vec<Row>> {
    let data = generate(&Options { flags: FLAGS, shape: Shape::Rule, ..Options::default() });
    let sink = Sink::start()?;
    let flags = TestData::new();
    for flag in data.flags.values() {
        flags.set_flag(&flag.to_string())?;
    }
    // Rounds flush by themselves, outside of what is timed.
    let with = [
        ("sdk.key", "sdk-bench"),
        ("endpoints.events", sink.url.as_str()),
        ("events.flush_interval_ms", "3600000"),
        ("events.diagnostics", "false"),
    ];
    let on = Client::start_with(&with, Some(&flags))?;
    let off = Client::start_with(&[("events.enabled", "false")], Some(&flags))?;
    let mut rows = counted(&off, &on, &data, quick)?;
    rows.push(first_sight(&off, &on, &data, quick)?);
    rows.extend(thread_and_wire(&on, &data, &sink, quick)?);
    Ok(rows)
}

fn keys(data: &DataSet) -> Vec<&str> {
    data.flags.keys().map(String::as_str).filter(|key| *key != BASE_FLAG).collect()
}

/// Evaluations that need only be counted, one flag over and over and all in no order.
fn counted(off: &Client, on: &Client, data: &DataSet, quick: bool) -> Outcome<Vec<Row>> {
    let context = Context::from_json(CONTEXT_JSON)?;
    let keys = keys(data);
    let (silent, telling) = (Sdk::start(data)?, Sdk::start_telling(data)?);
    let (rounds, turn) = if quick { (3, Duration::from_millis(1)) } else { (61, Duration::from_millis(5)) };
    let mut shuffled: Vec<usize> = (0..keys.len()).collect();
    fastrand::Rng::with_seed(1).shuffle(&mut shuffled);
    let mut rows = Vec::new();
    for (name, order) in [("one flag", vec![0; keys.len()]), ("1,000 flags", shuffled)] {
        let mut batches = [
            batch(&order, |index| off.bool_variation(&context, keys[index])),
            batch(&order, |index| on.bool_variation(&context, keys[index])),
            batch(&order, |index| silent.bool_variation(keys[index])),
            batch(&order, |index| telling.bool_variation(keys[index])),
        ];
        let medians = interleaved(&mut batches, order.len(), rounds, turn);
        let [off, on, silent, telling] = <[f64; 4]>::try_from(medians).map_err(|_| "a subject was not measured")?;
        rows.push(Row::new(&format!("bool by key with events, {name}"), nanoseconds(on)).beside(
            "LaunchDarkly Rust SDK with events",
            nanoseconds(telling),
            times(telling / on),
        ));
        let budget = if name == "one flag" { Budget::AtMost(on - off, COUNTED, "15 ns") } else { Budget::None };
        // Without a ratio: what is added may be less than the noise.
        rows.push(
            Row::new(&format!("added by events, {name}"), nanoseconds(on - off))
                .beside("LaunchDarkly Rust SDK", nanoseconds(telling - silent), String::new())
                .budget(budget),
        );
    }
    Ok(rows)
}

/// An evaluation for somebody who was never seen, with events and without.
fn first_sight(off: &Client, on: &Client, data: &DataSet, quick: bool) -> Outcome<Row> {
    let key = keys(data).first().copied().ok_or("there are no flags")?;
    let mut number = 0;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..if quick { 3 } else { 201 } {
        for (client, times) in [(off, &mut without), (on, &mut with)] {
            let contexts = (0..FRESH).map(|_| {
                number += 1;
                somebody(number)
            });
            let contexts = contexts.collect::<Result<Vec<_>, _>>()?;
            let start = Instant::now();
            for context in &contexts {
                std::hint::black_box(client.bool_variation(context, key));
            }
            times.push(start.elapsed().as_secs_f64() * 1e9 / FRESH as f64);
        }
        on.flush(Duration::from_secs(10))?;
    }
    let added = median(with) - median(without);
    Ok(Row::new("added by events, context seen for the first time", nanoseconds(added))
        .budget(Budget::AtMost(added, FIRST, "150 ns")))
}

fn somebody(number: usize) -> Result<Context, String> {
    Context::from_json(&format!(
        r#"{{"kind":"user","key":"user-{number}","email":"user-{number}@college.edu","name":"Somebody","country":"GB","plan":"pro"}}"#
    ))
}

/// Time of the threads that write and send, and bytes on the wire, for a million evaluations of 1,000 flags by 1,000 contexts.
fn thread_and_wire(on: &Client, data: &DataSet, sink: &Sink, quick: bool) -> Outcome<Vec<Row>> {
    let keys = keys(data);
    let evaluations = if quick { 100_000 } else { 1_000_000 };
    on.flush(Duration::from_secs(10))?;
    let (time, bytes) = (events_time()?, sink.bytes());
    let contexts = (0..1_000).map(|number| somebody(1_000_000 + number)).collect::<Result<Vec<_>, _>>()?;
    for turn in 0..evaluations {
        std::hint::black_box(on.bool_variation(&contexts[turn % contexts.len()], keys[(turn / 7) % keys.len()]));
    }
    on.flush(Duration::from_secs(10))?;
    let scale = 1_000_000.0 / evaluations as f64;
    let milliseconds = (events_time()? - time).as_secs_f64() * 1e3 * scale;
    let kilobytes = (sink.bytes() - bytes) as f64 / 1e3;
    Ok(vec![
        Row::new("threads of events, per million evaluations", format!("{milliseconds:.1} ms")),
        Row::new("on the wire, 1,000 contexts and 1,000 flags, gzip", format!("{kilobytes:.1} kB")),
    ])
}

/// Processor time of all threads of this process that write or send events.
fn events_time() -> Outcome<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir("/proc/self/task")? {
        let folder = task?.path();
        let (Ok(name), Ok(times)) =
            (fs::read_to_string(folder.join("comm")), fs::read_to_string(folder.join("schedstat")))
        else {
            continue;
        };
        if matches!(name.trim(), "flagstone-event" | "flagstone-send") {
            sum += Duration::from_nanos(times.split(' ').next().unwrap_or_default().parse()?);
        }
    }
    Ok(sum)
}
