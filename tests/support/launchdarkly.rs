//! A local LaunchDarkly, and options of clients that stream from it. Needs the crate `fakeld`.

use fakeld::{Fake, Kind};

use super::{Config, RedisServer, TestData};

/// The SDK key that the LaunchDarkly of [`launchdarkly`] asks for.
pub const SDK_KEY: &str = "sdk-1234-secret";

/// A LaunchDarkly with these flags.
pub fn launchdarkly(flags: &[(&str, String)]) -> Fake {
    let fake = Fake::start().unwrap();
    fake.set_sdk_key(SDK_KEY);
    fake.edit(|environment| flags.iter().for_each(|(_, text)| _ = environment.set(Kind::Flag, text).unwrap()));
    fake
}

/// For a client that streams into memory and tells of no events.
pub fn streaming(fake: &Fake) -> Config {
    Config::new()
        .with("events.enabled", "false")
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

/// For a client without Redis whose events go there, at each flush that is asked for.
pub fn telling(fake: &Fake) -> Config {
    telling_at(&fake.url())
}

/// The same for any address.
pub fn telling_at(url: &str) -> Config {
    let data = TestData::new();
    data.set_flag(r#"{"key":"yes","version":3,"on":true,"variations":[true,false],"fallthrough":{"variation":0}}"#);
    Config::new()
        .with_data(&data)
        .with("sdk.key", SDK_KEY)
        .with("endpoints.events", url)
        .with("events.diagnostics", "false")
        .with("events.flush_interval_ms", "3600000")
}

/// The same for a server that will hang, which is noticed soon.
pub fn impatient(fake: &Fake, server: &RedisServer) -> Config {
    storing(fake, server).with("redis.command_timeout_ms", "500").with("redis.connect_timeout_ms", "500")
}
