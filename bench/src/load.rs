//! Time from starting a client to ready, beside fetching the same bytes with a bare Redis client that looks at nothing.
//! Depends on `flagstone` and `timing`.

use std::time::Instant;

use flagdata::{Options, PrivateRedis, generate, store};

use crate::Outcome;
use crate::flagstone::Client;
use crate::report::{Budget, Row, milliseconds, times};
use crate::timing::median;

/// Greatest factor over the bare fetch.
const FACTOR: f64 = 1.8;

/// One row per number of flags.
pub fn measure(redis: &PrivateRedis, quick: bool) -> Outcome<Vec<Row>> {
    [1_000, 10_000].into_iter().map(|flags| row(redis, flags, if quick { 2 } else { 15 })).collect()
}

fn row(redis: &PrivateRedis, flags: usize, rounds: usize) -> Outcome<Row> {
    let prefix = format!("load-{flags}");
    let data = generate(&Options { flags, bytes: Some(2_000), ..Options::default() });
    store::fill(&mut redis.connect()?, &prefix, &data)?;
    // Once without measuring: the first round would pay for growing the heap and the server's buffers.
    fetch(redis, &prefix)?;
    drop(Client::start(&redis.url(), &prefix)?);

    let (mut loads, mut fetches) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        fetches.push(fetch(redis, &prefix)?);
        let start = Instant::now();
        let client = Client::start(&redis.url(), &prefix)?;
        loads.push(start.elapsed().as_secs_f64());
        drop(client);
    }
    let (load, fetch) = (median(loads), median(fetches));
    let budget = if flags == 10_000 { Budget::AtMost(load / fetch, FACTOR, "1.8x") } else { Budget::None };
    Ok(Row::new(&format!("load of {flags} flags of 2 kB"), milliseconds(load))
        .beside("bare HGETALL", milliseconds(fetch), times(load / fetch))
        .budget(budget))
}

/// Connects and reads both hashes; seconds. The reply is split into its strings and dropped.
fn fetch(redis: &PrivateRedis, prefix: &str) -> Outcome<f64> {
    let start = Instant::now();
    let mut connection = redis.connect()?;
    for hash in [store::features_key(prefix), store::segments_key(prefix)] {
        let fields: redis::Value = redis::cmd("HGETALL").arg(hash).query(&mut connection)?;
        std::hint::black_box(&fields);
    }
    Ok(start.elapsed().as_secs_f64())
}
