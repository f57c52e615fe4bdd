//! Deterministic LaunchDarkly-format data: flags and segments that look like those of a real environment.
//!
//! Demo, tests and benchmarks need data that exercise everything an evaluation can meet and that are the same on every
//! machine. [`generate`] makes them from a seed, [`store`] writes them to Redis in LaunchDarkly's layout the way another
//! SDK or a Relay Proxy would, [`members`] fills big segments, and [`PrivateRedis`] runs a server to write to. Knows nothing of the flagstone crate, so
//! that what it writes cannot share a mistake with what reads it.

mod catalogue;
mod clauses;
mod item;
pub mod members;
mod options;
mod padding;
mod random;
mod segments;
mod server;
mod shapes;
pub mod store;

pub use options::{Options, Shape, UnknownShape};
pub use server::{PrivateRedis, free_port};
pub use shapes::{BASE_FLAG, CONTEXT_JSON};

use serde_json::{Map, Value, json};

/// A complete environment, as LaunchDarkly sends it: item key to item JSON, in a stable order.
///
/// The outer keys are the identities. Two of the three kinds of tombstone do not repeat theirs inside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DataSet {
    /// Flags and tombstones of flags.
    pub flags: Map<String, Value>,
    /// Segments and tombstones of segments.
    pub segments: Map<String, Value>,
}

impl DataSet {
    /// `{"flags":{..},"segments":{..}}`, the form of LaunchDarkly's polling endpoint.
    pub fn to_json(&self) -> Value {
        json!({"flags": self.flags, "segments": self.segments})
    }
}

/// Makes the data set that `options` describe. Equal options give equal bytes.
pub fn generate(options: &Options) -> DataSet {
    let mut rng = fastrand::Rng::with_seed(options.seed);
    let mut data = match options.shape {
        Shape::Mixed => mixed(options, &mut rng),
        one_kind => shapes::generate(one_kind, options.flags, &mut rng),
    };
    if let Some(bytes) = options.bytes {
        for flag in data.flags.values_mut().filter(|flag| !item::is_deleted(flag)) {
            padding::pad(flag, bytes, options.regex, &mut rng);
        }
    }
    data
}

/// The hand-written items first, because they are the ones that tell a story, then generated ones up to the wanted
/// number.
fn mixed(options: &Options, rng: &mut fastrand::Rng) -> DataSet {
    let mut data = DataSet::default();
    for (key, segment) in segments::catalogue() {
        if data.segments.len() < options.segments {
            data.segments.insert(key, segment);
        }
    }
    random::add_segments(&mut data.segments, options, rng);
    for (key, flag) in catalogue::flags() {
        if data.flags.len() < options.flags && (options.regex || !clauses::uses_regex(&flag)) {
            data.flags.insert(key, flag);
        }
    }
    random::add_flags(&mut data, options, rng);
    data
}
