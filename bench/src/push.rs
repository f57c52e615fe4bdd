//! Delay from just before one process sends a write to Redis until another process serves the new value. Depends on
//! `flagstone` and `timing`.
//!
//! The writer is this program, started again. It waits for a line with the key of a flag, writes the flag's other value,
//! and answers with the time just before. Both processes read the same clock of the same machine.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use flagdata::{CONTEXT_JSON, DataSet, Options, PrivateRedis, Shape, generate, store};
use redis::Commands;
use serde_json::{Value, json};

use crate::Outcome;
use crate::flagstone::{Client, Context};
use crate::report::{Budget, Row, milliseconds};
use crate::timing::quantile;

const PREFIX: &str = "push";

/// Budget of the 99th percentile, in seconds.
const P99: f64 = 0.005;

/// A change that is not served within this time is a failure, not a delay.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause between two looks at the flag. It counts towards the delay; without it the reader would keep one processor from
/// the very threads that bring the change.
const LOOK: Duration = Duration::from_micros(20);

/// The median and the 99th percentile.
pub fn measure(redis: &PrivateRedis, quick: bool) -> Outcome<Vec<Row>> {
    let data = generate(&options());
    store::fill(&mut redis.connect()?, PREFIX, &data)?;
    let client = Client::start(&redis.url(), PREFIX)?;
    let context = Context::from_json(CONTEXT_JSON)?;
    let mut writer = Writer::start(redis)?;
    let changes = if quick { 20 } else { 2_000 };
    let delays = delays(&client, &context, &mut writer, &data, changes)?;
    let (p50, p99) = (quantile(delays.clone(), 0.5), quantile(delays, 0.99));
    let what = |share: &str| format!("change written to served, {share} of {changes}");
    Ok(vec![
        Row::new(&what("p50"), milliseconds(p50)),
        Row::new(&what("p99"), milliseconds(p99)).budget(Budget::AtMost(p99, P99, "5 ms")),
    ])
}

/// Boolean flags that fall through: which value is a matter of one number in them.
fn options() -> Options {
    Options { flags: 1_000, bytes: Some(2_000), shape: Shape::Fallthrough, ..Options::default() }
}

fn delays(
    client: &Client,
    context: &Context,
    writer: &mut Writer,
    data: &DataSet,
    changes: usize,
) -> Outcome<Vec<f64>> {
    let keys: Vec<&String> = data.flags.keys().collect();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut delays = Vec::with_capacity(changes);
    for _ in 0..changes {
        let key = keys[rng.usize(..keys.len())];
        let before = client.bool_variation(context, key);
        writer.ask(key)?;
        let start = Instant::now();
        while client.bool_variation(context, key) == before {
            if start.elapsed() > PATIENCE {
                return Err(format!("a change of {key} was not served within {PATIENCE:?}").into());
            }
            thread::sleep(LOOK);
        }
        let served = store::unix_micros();
        let written = writer.answer()?;
        delays.push(served.saturating_sub(written) as f64 / 1e6);
        // Changes come at any moment of whatever runs periodically.
        thread::sleep(Duration::from_micros(rng.u64(..5_000)));
    }
    Ok(delays)
}

struct Writer {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Writer {
    fn start(redis: &PrivateRedis) -> Outcome<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["writer", &redis.url(), PREFIX])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = process.stdin.take().ok_or("the writer has no standard input")?;
        let from = process.stdout.take().ok_or("the writer has no standard output")?;
        let mut writer = Self { process, to, from: BufReader::new(from) };
        writer.line()?;
        Ok(writer)
    }

    fn ask(&mut self, key: &str) -> io::Result<()> {
        writeln!(self.to, "{key}")
    }

    /// Microseconds since 1970 just before the write.
    fn answer(&mut self) -> Outcome<u128> {
        Ok(self.line()?.parse()?)
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.from.read_line(&mut line)? == 0 {
            return Err("the writer has ended".into());
        }
        Ok(line.trim().to_owned())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It has already ended, or it ends now: in both cases nothing is left to report.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The writer's process: ends with its standard input.
pub fn write_on_demand(url: &str, prefix: &str) -> Outcome<()> {
    let mut flags = generate(&options()).flags;
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let hash = store::features_key(prefix);
    let mut out = io::stdout();
    writeln!(out, "ready")?;
    out.flush()?;
    for key in io::stdin().lock().lines() {
        let key = key?;
        let flag = flags.get_mut(&key).ok_or_else(|| format!("there is no flag {key}"))?;
        let text = flip(flag).to_string();
        let now = store::unix_micros();
        let () = connection.hset(&hash, &key, text)?;
        writeln!(out, "{now}")?;
        out.flush()?;
    }
    Ok(())
}

/// Lets the flag serve the other value, under the next version.
fn flip(flag: &mut Value) -> &Value {
    let other = 1 - flag["fallthrough"]["variation"].as_i64().unwrap_or(0);
    flag["fallthrough"] = json!({"variation": other});
    flag["version"] = json!(flag["version"].as_i64().unwrap_or(0) + 1);
    flag
}
