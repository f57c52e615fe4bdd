//! How the data sources are configured. Plain data.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::test_data::TestData;
use crate::http::HttpOptions;

/// Where data come from.
#[derive(Debug, Clone)]
pub enum SourceOptions {
    /// A connection on which the server sends changes as they happen.
    Stream(StreamOptions),
    /// A request every so often.
    Poll(PollOptions),
    /// Files.
    File(FileOptions),
    /// What a test sets.
    TestData(TestData),
}

/// What happens after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RetryMode {
    /// A status that tells of a wrong configuration (401, 403 and most others of 4xx) ends the source for good.
    Legacy,
    /// Nothing ends the source; after such a status, or a refused certificate, it waits minutes instead of seconds.
    #[default]
    Extended,
}

/// Options of the stream.
#[derive(Clone)]
pub struct StreamOptions {
    /// How the request is made.
    pub http: HttpOptions,
    /// Base URL; may have a path, may end with a slash.
    pub base: String,
    /// Key of the payload filter.
    pub filter: Option<String>,
    /// Pause before the first repeated attempt.
    pub initial_delay: Duration,
    /// Longest silence; the server sends a comment about every three minutes.
    pub read_timeout: Duration,
    /// What happens after a failure.
    pub retry: RetryMode,
}

impl StreamOptions {
    /// Base URL of LaunchDarkly.
    pub const DEFAULT_BASE: &'static str = "https://stream.launchdarkly.com";

    /// The defaults.
    pub fn new(http: HttpOptions) -> Self {
        Self {
            http,
            base: Self::DEFAULT_BASE.to_owned(),
            filter: None,
            initial_delay: Duration::from_secs(1),
            read_timeout: Duration::from_secs(300),
            retry: RetryMode::default(),
        }
    }
}

/// Options of polling.
#[derive(Clone)]
pub struct PollOptions {
    /// How the requests are made.
    pub http: HttpOptions,
    /// Base URL; may have a path, may end with a slash.
    pub base: String,
    /// Key of the payload filter.
    pub filter: Option<String>,
    /// Pause between requests; taken as it is, a minimum is the caller's to apply.
    pub interval: Duration,
    /// What happens after a failure.
    pub retry: RetryMode,
}

impl PollOptions {
    /// Base URL of LaunchDarkly.
    pub const DEFAULT_BASE: &'static str = "https://sdk.launchdarkly.com";

    /// The defaults.
    pub fn new(http: HttpOptions) -> Self {
        Self {
            http,
            base: Self::DEFAULT_BASE.to_owned(),
            filter: None,
            interval: Duration::from_secs(30),
            retry: RetryMode::default(),
        }
    }
}

// Base URLs may hold a password.
impl fmt::Debug for StreamOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("StreamOptions").field("retry", &self.retry).finish_non_exhaustive()
    }
}

impl fmt::Debug for PollOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PollOptions").field("interval", &self.interval).finish_non_exhaustive()
    }
}

/// What happens when two files define the same item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Duplicates {
    /// Nothing is loaded.
    #[default]
    Fail,
    /// The first one counts.
    First,
}

/// Options of files.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// The files, merged in this order.
    pub paths: Vec<PathBuf>,
    /// What happens when two of them define the same item.
    pub duplicates: Duplicates,
    /// Load them again when they change.
    pub auto_reload: bool,
}
