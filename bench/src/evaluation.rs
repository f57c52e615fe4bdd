//! Nanoseconds per boolean evaluation, for each way to arrive at a value: by key and prepared through the C ABI, beside
//! the peers on the same flags in the same rounds. Depends on `flagstone`, `peers` and `timing`.

use std::time::Duration;

use flagdata::{BASE_FLAG, CONTEXT_JSON, DataSet, Options, PrivateRedis, Shape, generate, store};

use crate::Outcome;
use crate::flagstone::{Client, Context, Flag};
use crate::peers::{Engine, Sdk};
use crate::report::{Budget, Row, nanoseconds, times};
use crate::timing::{batch, interleaved};

const FLAGS: usize = 1_000;

/// Budget of an evaluation by key, in ns.
const BY_KEY: f64 = 60.0;
/// Budget of an evaluation of a prepared flag, in ns.
const PREPARED: f64 = 30.0;
/// Least factor by which the SDK is slower.
const FACTOR: f64 = 10.0;

/// One row per shape and way to call; the budgets belong to the one-clause rule.
pub fn measure(redis: &PrivateRedis, quick: bool) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for shape in Shape::ONE_KIND {
        let data = generate(&Options { flags: FLAGS, shape, ..Options::default() });
        let [by_key, prepared, engine, sdk] = medians(redis, shape, &data, quick)?;
        let budget = |budget: Budget| if shape == Shape::Rule { budget } else { Budget::None };
        let name = shape.name();
        rows.push(
            Row::new(&format!("bool by key, {name}"), nanoseconds(by_key))
                .beside("LaunchDarkly Rust SDK", nanoseconds(sdk), times(sdk / by_key))
                .budget(budget(Budget::AtMost(by_key, BY_KEY, "60 ns")))
                .budget(budget(Budget::AtLeast(sdk / by_key, FACTOR, "10x"))),
        );
        rows.push(
            Row::new(&format!("bool prepared, {name}"), nanoseconds(prepared))
                .beside("LaunchDarkly evaluation crate", nanoseconds(engine), times(engine / prepared))
                .budget(budget(Budget::AtMost(prepared, PREPARED, "30 ns"))),
        );
    }
    Ok(rows)
}

/// By key, prepared, evaluation crate, SDK: median ns.
fn medians(redis: &PrivateRedis, shape: Shape, data: &DataSet, quick: bool) -> Outcome<[f64; 4]> {
    let prefix = format!("evaluation-{}", shape.name());
    store::fill(&mut redis.connect()?, &prefix, data)?;
    let client = Client::start(&redis.url(), &prefix)?;
    let context = Context::from_json(CONTEXT_JSON)?;
    // One after the other in memory, like literals in a host's code: reaching a key is no part of an evaluation.
    let text: Vec<&str> = data.flags.keys().map(String::as_str).filter(|key| *key != BASE_FLAG).collect();
    let text = text.join(" ");
    let keys: Vec<&str> = text.split(' ').collect();
    let prepared = keys.iter().map(|key| client.prepare(key)).collect::<Result<Vec<Flag>, _>>()?;
    let (engine, sdk) = (Engine::new(data)?, Sdk::start(data)?);

    let subjects: [Box<dyn Fn(usize) -> bool + '_>; 4] = [
        Box::new(|index| client.bool_variation(&context, keys[index])),
        Box::new(|index| prepared[index].value(&context)),
        Box::new(|index| engine.bool_variation(keys[index])),
        Box::new(|index| sdk.bool_variation(keys[index])),
    ];
    agree(shape, &keys, &subjects)?;

    // In no order, so that neither the memory's nor the maps' order helps.
    let mut order: Vec<usize> = (0..keys.len()).collect();
    fastrand::Rng::with_seed(1).shuffle(&mut order);
    let mut batches = [
        batch(&order, |index| client.bool_variation(&context, keys[index])),
        batch(&order, |index| prepared[index].value(&context)),
        batch(&order, |index| engine.bool_variation(keys[index])),
        batch(&order, |index| sdk.bool_variation(keys[index])),
    ];
    let (rounds, turn) = if quick { (3, Duration::from_millis(1)) } else { (61, Duration::from_millis(5)) };
    let medians = interleaved(&mut batches, order.len(), rounds, turn);
    <[f64; 4]>::try_from(medians).map_err(|_| "a subject was not measured".into())
}

/// All subjects must serve the same, and what the shape is made to serve: a fast wrong answer is no measurement.
fn agree(shape: Shape, keys: &[&str], subjects: &[Box<dyn Fn(usize) -> bool + '_>; 4]) -> Outcome<()> {
    let mut served = 0;
    for (index, key) in keys.iter().enumerate() {
        let values = subjects.each_ref().map(|subject| subject(index));
        if values.iter().any(|value| *value != values[0]) {
            return Err(format!("{key}: by key, prepared, evaluation crate and SDK serve {values:?}").into());
        }
        served += usize::from(values[0]);
    }
    let expected = if shape == Shape::Rollout { keys.len() / 2..keys.len() } else { keys.len()..keys.len() + 1 };
    if !expected.contains(&served) {
        return Err(format!("{served} of {} flags of the shape {} serve true", keys.len(), shape.name()).into());
    }
    Ok(())
}
