//! Milliseconds per state of all flags through the C ABI, beside serialising the very same state, already evaluated and
//! in memory, with serde_json. Depends on `flagstone` and `timing`.

use std::time::Duration;

use flagdata::{CONTEXT_JSON, Options, PrivateRedis, generate, store};
use serde_json::Value;

use crate::Outcome;
use crate::flagstone::{Client, Context};
use crate::report::{Row, milliseconds, times};
use crate::timing::{batch, interleaved};

/// One row per number of flags.
pub fn measure(redis: &PrivateRedis, quick: bool) -> Outcome<Vec<Row>> {
    [1_000, 10_000].into_iter().map(|flags| row(redis, flags, quick)).collect()
}

fn row(redis: &PrivateRedis, flags: usize, quick: bool) -> Outcome<Row> {
    let prefix = format!("all-flags-{flags}");
    store::fill(&mut redis.connect()?, &prefix, &generate(&Options { flags, ..Options::default() }))?;
    let client = Client::start(&redis.url(), &prefix)?;
    let context = Context::from_json(CONTEXT_JSON)?;
    let state: Value = client.all_flags(&context, |json| serde_json::from_str(json))??;
    check(&state, flags)?;

    let order = [0];
    let mut batches = [
        batch(&order, |_| client.all_flags(&context, str::len).is_ok()),
        batch(&order, |_| serde_json::to_string(&state).is_ok_and(|json| !json.is_empty())),
    ];
    let (rounds, turn) = if quick { (3, Duration::from_millis(1)) } else { (61, Duration::from_millis(20)) };
    let medians = interleaved(&mut batches, order.len(), rounds, turn);
    let [ours, bare] = medians[..] else { return Err("a subject was not measured".into()) };
    Ok(Row::new(&format!("state of all flags, {flags}"), milliseconds(ours / 1e9)).beside(
        "serde_json of the same state",
        milliseconds(bare / 1e9),
        times(ours / bare),
    ))
}

/// A fast wrong state is no measurement: it must be valid and hold nearly all flags; some of the data are deleted ones.
fn check(state: &Value, flags: usize) -> Outcome<()> {
    let held = state["$flagsState"].as_object().map_or(0, serde_json::Map::len);
    if state["$valid"] != true || !(flags * 9 / 10..=flags).contains(&held) {
        return Err(format!("the state of {flags} flags is valid: {}, and holds {held}", state["$valid"]).into());
    }
    Ok(())
}
