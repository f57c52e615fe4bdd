//! A local LaunchDarkly, and options of clients that stream from it. Needs the crate `fakeld`.

use fakeld::{Fake, Kind};

use super::{Config, RedisServer};

/// The SDK key that the LaunchDarkly of [`launchdarkly`] asks for.
pub const SDK_KEY: &str = "sdk-1234-secret";

/// A LaunchDarkly with these flags.
pub fn launchdarkly(flags: &[(&str, String)]) -> Fake {
    let fake = Fake::start().unwrap();
    fake.set_sdk_key(SDK_KEY);
    fake.edit(|environment| flags.iter().for_each(|(_, text)| _ = environment.set(Kind::Flag, text).unwrap()));
    fake
}

/// For a client that streams into memory.
pub fn streaming(fake: &Fake) -> Config {
    Config::new()
        .with("source.kind", "stream")
        .with("sdk.key", SDK_KEY)
        .with("endpoints.relay", &fake.url())
        .with("stream.initial_delay_ms", "20")
}

/// For a client that streams into memory and into `server`, and looks at it often. As with [`Config::of`], a server that is
/// slow to answer is not away.
pub fn storing(fake: &Fake, server: &RedisServer) -> Config {
    streaming(fake)
        .with("redis.url", &server.url())
        .with("redis.command_timeout_ms", "15000")
        .with("redis.connect_timeout_ms", "15000")
        .with("refresh.interval_ms", "500")
}

/// The same for a server that will hang, which is noticed soon.
pub fn impatient(fake: &Fake, server: &RedisServer) -> Config {
    storing(fake, server).with("redis.command_timeout_ms", "500").with("redis.connect_timeout_ms", "500")
}
