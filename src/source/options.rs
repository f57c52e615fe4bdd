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
    /// LaunchDarkly's present protocol, over streams and polls.
    Fdv2(Box<Fdv2Options>),
    /// Files.
    File(FileOptions),
    /// What a test sets.
    TestData(TestData),
}

impl SourceOptions {
    /// Items come over the network from a server whose versions rise.
    pub fn is_from_afar(&self) -> bool {
        matches!(self, Self::Stream(_) | Self::Poll(_) | Self::Fdv2(_))
    }

    /// The source asks again and again, and is told nothing in between.
    pub fn only_polls(&self) -> bool {
        match self {
            Self::Poll(_) => true,
            Self::Fdv2(options) => !options.synchronizers.iter().any(|of| matches!(of, Synchronizer::Stream(_))),
            Self::Stream(_) | Self::File(_) | Self::TestData(_) => false,
        }
    }

    /// Somebody has to keep time for it: [`Control::keep_time`](super::Control::keep_time).
    pub fn needs_clock(&self) -> bool {
        matches!(self, Self::Fdv2(_))
    }

    /// What its requests are made with, and where they go.
    pub fn endpoints(&self) -> Vec<(&HttpOptions, &str)> {
        match self {
            Self::Stream(stream) => vec![(&stream.http, &stream.base)],
            Self::Poll(poll) => vec![(&poll.http, &poll.base)],
            Self::Fdv2(options) => options.endpoints(),
            Self::File(_) | Self::TestData(_) => Vec::new(),
        }
    }
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

/// A source of FDv2 that keeps data true.
#[derive(Debug, Clone)]
pub enum Synchronizer {
    /// By a connection on which the server sends changes as they happen.
    Stream(StreamOptions),
    /// By a request every so often.
    Poll(PollOptions),
}

/// Options of FDv2. Filters mean nothing to it.
#[derive(Debug, Clone)]
pub struct Fdv2Options {
    /// How requests are made; those of each source are its own.
    pub http: HttpOptions,
    /// Asked once each, in this order, for the first data.
    pub initializers: Vec<PollOptions>,
    /// Keep the data true, one at a time; the first is preferred.
    pub synchronizers: Vec<Synchronizer>,
    /// Polls as FDv1 has it, when a server asks for that.
    pub fallback: Option<PollOptions>,
    /// A synchronizer that fails for so long gives way to the next.
    pub fallback_after: Duration,
    /// One that is well for so long gives way to the first.
    pub recover_after: Duration,
    /// While nothing has ever been delivered, one that brings nothing for so long gives way.
    pub first_data: Duration,
    /// What happens when all were refused.
    pub retry: RetryMode,
}

impl Fdv2Options {
    fn endpoints(&self) -> Vec<(&HttpOptions, &str)> {
        let of_poll = |poll| -> (&HttpOptions, &str) {
            let poll: &PollOptions = poll;
            (&poll.http, &poll.base)
        };
        let synchronizers = self.synchronizers.iter().map(|of| match of {
            Synchronizer::Stream(stream) => (&stream.http, stream.base.as_str()),
            Synchronizer::Poll(poll) => of_poll(poll),
        });
        self.initializers.iter().chain(&self.fallback).map(of_poll).chain(synchronizers).collect()
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
