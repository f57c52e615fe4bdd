//! Names of the Redis keys of one environment, as LaunchDarkly's SDKs and Relay Proxy write them. Depends on nothing.
//!
//! `<prefix>:features` and `<prefix>:segments` are hashes (field = item key, value = item JSON); `<prefix>:$inited`
//! exists once somebody has written a full data set.

use crate::model::Kind;

/// The prefix used when none is configured.
pub const DEFAULT_PREFIX: &str = "launchdarkly";

/// The keys of an environment.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The prefix in force.
    pub prefix: String,
    /// Hash of flags.
    pub features: String,
    /// Hash of segments.
    pub segments: String,
    /// Marker that a full data set was written.
    pub inited: String,
    /// Held by the one process that is writing a full data set. Ours alone: no other reader or writer looks at it.
    pub lock: String,
}

/// The prefix in force; an empty one means [`DEFAULT_PREFIX`].
pub fn effective_prefix(prefix: &str) -> &str {
    if prefix.is_empty() { DEFAULT_PREFIX } else { prefix }
}

impl Keys {
    /// Keys under `prefix`; an empty prefix means [`DEFAULT_PREFIX`].
    pub fn new(prefix: &str) -> Self {
        let prefix = effective_prefix(prefix);
        Self {
            prefix: prefix.to_owned(),
            features: format!("{prefix}:features"),
            segments: format!("{prefix}:segments"),
            inited: format!("{prefix}:$inited"),
            lock: format!("{prefix}:$flagstone_lock"),
        }
    }

    /// The keys of the data set, and what they are called beside the prefix.
    pub fn parts(&self) -> [(&'static str, &str); 3] {
        [("features", &self.features), ("segments", &self.segments), ("$inited", &self.inited)]
    }

    /// Both hashes.
    pub fn hashes(&self) -> [&str; 2] {
        [&self.features, &self.segments]
    }

    /// The hash that holds items of `kind`.
    pub fn hash(&self, kind: Kind) -> &str {
        match kind {
            Kind::Flag => &self.features,
            Kind::Segment => &self.segments,
        }
    }
}
