//! What configurations come to.

use super::*;

fn config(options: &[(&str, &str)]) -> Config {
    let mut config = Config::default();
    options.iter().for_each(|(name, value)| config.set(name, value).unwrap());
    config
}

fn settings(options: &[(&str, &str)]) -> Settings {
    config(options).resolve().unwrap()
}

/// With a source of this kind and an SDK key.
fn connected(kind: &str, options: &[(&str, &str)]) -> Settings {
    let all: Vec<_> = [("source.kind", kind), ("sdk.key", "k")].iter().chain(options).copied().collect();
    settings(&all)
}

fn stream(options: &[(&str, &str)]) -> StreamOptions {
    match connected("stream", options).source {
        Some(SourceOptions::Stream(stream)) => stream,
        other => panic!("{other:?}"),
    }
}

fn poll(options: &[(&str, &str)]) -> PollOptions {
    match connected("poll", options).source {
        Some(SourceOptions::Poll(poll)) => poll,
        other => panic!("{other:?}"),
    }
}

#[test]
fn options_of_the_source_that_are_unset_have_their_defaults() {
    let (stream, poll) = (stream(&[]), poll(&[]));
    assert_eq!((stream.initial_delay, stream.read_timeout), (Duration::from_secs(1), Duration::from_secs(300)));
    assert_eq!((stream.retry, poll.retry), (RetryMode::Extended, RetryMode::Extended));
    assert_eq!((poll.base.as_str(), poll.interval), ("https://sdk.launchdarkly.com", Duration::from_secs(30)));
    for (http, filter) in [(stream.http, stream.filter), (poll.http, poll.filter)] {
        assert_eq!((http.connect_timeout, http.read_timeout), (Duration::from_secs(10), Duration::from_secs(15)));
        assert_eq!((http.tags, http.wrapper, http.proxy, http.ca_file), (None, None, None, None));
        assert!(!http.skip_verify && http.headers.is_empty() && filter.is_none());
    }
}

#[test]
fn certificates_that_nobody_checks_are_told_of_whoever_is_spoken_to() {
    for (option, others) in [
        ("redis.tls.skip_verify", &[][..]),
        ("http.tls.skip_verify", &[("sdk.key", "k"), ("source.kind", "stream")]),
        ("http.tls.skip_verify", &[("sdk.key", "k"), ("redis.url", "redis://h")]),
    ] {
        let remarks = |value| settings(&[others, &[(option, value)]].concat()).remarks;
        let is_told = |(level, remark): &(Level, String)| *level == Level::Warn && remark.starts_with(option);
        assert!(remarks("true").iter().any(is_told), "{option}, {others:?}");
        assert!(!remarks("false").iter().any(is_told), "{option}, {others:?}");
    }
}

#[test]
fn each_option_of_the_source_reaches_its_place() {
    let shared = [
        ("source.filter", "mine"),
        ("retry.mode", "legacy"),
        ("http.connect_timeout_ms", "1001"),
        ("http.read_timeout_ms", "1002"),
        ("http.proxy", "http://proxy:3128"),
        ("http.headers", r#"{"X-A": "1"}"#),
        ("http.tls.ca_file", "/ca.pem"),
        ("http.tls.skip_verify", "true"),
        ("application.name", "shop"),
    ];
    let own = [("stream.initial_delay_ms", "1003"), ("stream.read_timeout_ms", "1004"), ("poll.interval_ms", "60005")];
    let all = [&shared[..], &own[..]].concat();
    let (stream, poll) = (stream(&all), poll(&all));
    let ms = Duration::from_millis;
    assert_eq!((stream.initial_delay, stream.read_timeout, poll.interval), (ms(1_003), ms(1_004), ms(60_005)));
    assert_eq!((stream.retry, poll.retry), (RetryMode::Legacy, RetryMode::Legacy));
    for (http, filter) in [(stream.http, stream.filter), (poll.http, poll.filter)] {
        assert_eq!((http.connect_timeout, http.read_timeout), (ms(1_001), ms(1_002)));
        assert_eq!(filter.as_deref(), Some("mine"));
        assert_eq!(http.proxy.as_deref(), Some("http://proxy:3128"));
        assert_eq!(http.headers, [("X-A".to_owned(), "1".to_owned())]);
        assert_eq!(http.ca_file, Some(PathBuf::from("/ca.pem")));
        assert_eq!(http.tags.as_deref(), Some("application-name/shop"));
        assert!(http.skip_verify);
    }
}

#[test]
fn without_a_source_redis_is_read_and_never_written() {
    let settings = settings(&[("store.write", "true")]);
    assert!(settings.source.is_none() && settings.store.redis.is_some());
    assert!(!settings.store.writes() && !settings.store.has_source());
}

#[test]
fn a_stream_writes_to_redis_if_one_is_named_and_fills_memory_alone_otherwise() {
    let named = settings(&[("source.kind", "stream"), ("sdk.key", "k"), ("redis.url", "redis://h")]);
    assert!(named.store.writes());
    let alone = settings(&[("source.kind", "stream"), ("sdk.key", "k")]);
    assert!(alone.store.redis.is_none() && !alone.store.writes());
}

#[test]
fn replicas_are_read_in_daemon_mode_only_and_it_is_said() {
    let url = ("redis.url", "redis+sentinel://h/main?read=prefer-replica");
    let read = |settings: &Settings| settings.store.redis.as_ref().unwrap().read;
    assert_eq!(read(&settings(&[url])), ReadFrom::PreferReplica);
    let writer = connected("stream", &[url]);
    assert_eq!(read(&writer), ReadFrom::Primary);
    assert!(writer.remarks.iter().any(|(_, remark)| remark.contains("daemon mode")), "{:?}", writer.remarks);
}

#[test]
fn files_fill_memory_only_unless_told_otherwise() {
    let options = [("source.kind", "file"), ("file.paths", r#"["a.json"]"#), ("redis.url", "redis://h")];
    assert!(settings(&options).store.redis.is_none());
    let told: Vec<_> = options.iter().copied().chain([("store.write", "true")]).collect();
    assert!(settings(&told).store.writes());
}

#[test]
fn a_source_that_lacks_what_it_needs_is_refused() {
    for options in [
        &[("source.kind", "stream")][..],
        &[("source.kind", "poll"), ("sdk.key", "")],
        &[("source.kind", "file")],
        &[("source.kind", "testdata")],
        &[
            ("source.kind", "stream"),
            ("sdk.key", "k"),
            ("redis.url", "redis://h"),
            ("store.write", "false"),
            ("cache.residency", "lazy"),
        ],
        &[("snapshot.file", "f"), ("cache.residency", "lazy")],
    ] {
        assert!(matches!(config(options).resolve(), Err(ConfigError::Together(_))), "{options:?}");
    }
}

#[test]
fn a_wiped_redis_counts_as_it_is_only_where_a_source_fills_it_and_it_is_the_truth() {
    let on_wipe = |options: &[(&str, &str)]| settings(options).store.on_wipe;
    let source = [("source.kind", "stream"), ("sdk.key", "k"), ("redis.url", "redis://h")];
    let lazy = [&source[..], &[("cache.residency", "lazy")]].concat();
    assert_eq!(on_wipe(&[("cache.residency", "lazy")]), OnWipe::Keep);
    assert_eq!(on_wipe(&source), OnWipe::Keep);
    assert_eq!(on_wipe(&lazy), OnWipe::Clear);
    assert_eq!(on_wipe(&[&lazy[..], &[("cache.on_wipe", "keep")]].concat()), OnWipe::Keep);
}

#[test]
fn an_sdk_key_alone_is_daemon_mode_on_localhost_and_says_so() {
    let remarks = |options: &[(&str, &str)]| settings(options).remarks;
    let told = remarks(&[("sdk.key", "k")]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].0 == Level::Warn && told[0].1.contains("daemon mode") && told[0].1.contains("localhost"),
        "{told:?}"
    );
    for more in [("source.kind", "stream"), ("redis.url", "redis://h"), ("offline", "true")] {
        assert_eq!(remarks(&[("sdk.key", "k"), more]), [], "{more:?}");
    }
    assert_eq!(remarks(&[]), []);
}

#[test]
fn offline_wins_over_every_source() {
    let settings = settings(&[("source.kind", "stream"), ("offline", "true"), ("redis.url", "redis://h")]);
    assert!(settings.offline && settings.source.is_none() && settings.store.redis.is_none());
}

#[test]
fn a_relay_proxy_is_the_endpoint_of_everything_that_has_none_of_its_own() {
    assert_eq!(stream(&[]).base, "https://stream.launchdarkly.com");
    assert_eq!(stream(&[("endpoints.relay", "http://relay:8030/x/")]).base, "http://relay:8030/x/");
    let both = [("endpoints.relay", "http://relay"), ("endpoints.stream", "http://own")];
    assert_eq!(stream(&both).base, "http://own");
    let missing = [("source.kind", "stream"), ("sdk.key", "k"), ("endpoints.poll", "http://p")];
    assert!(settings(&missing).remarks.iter().any(|(level, _)| *level == Level::Error));
}

#[test]
fn short_poll_intervals_are_raised_unless_insisted_on() {
    let interval =
        |options: &[(&str, &str)]| (poll(options).interval.as_millis(), connected("poll", options).remarks.len());
    assert_eq!(interval(&[]), (30_000, 0));
    assert_eq!(interval(&[("poll.interval_ms", "100")]), (30_000, 1));
    assert_eq!(interval(&[("poll.interval_ms", "100"), ("poll.allow_short", "true")]), (100, 0));
    assert_eq!(interval(&[("poll.interval_ms", "60000")]), (60_000, 0));
}

#[test]
fn tags_are_sorted_and_bad_ones_left_out() {
    let tags = |options: &[(&str, &str)]| stream(options).http.tags;
    assert_eq!(tags(&[]), None);
    assert_eq!(
        tags(&[("application.version", "1.2"), ("application.id", "shop")]).unwrap(),
        "application-id/shop application-version/1.2"
    );
    assert_eq!(
        tags(&[("application.id", "a b"), ("application.version_name", "x")]).unwrap(),
        "application-version-name/x"
    );
    assert_eq!(tags(&[("application.id", &"x".repeat(65))]), None);
    assert!(tags(&[("application.id", &"x".repeat(64))]).is_some());
}

#[test]
fn a_wrapper_needs_a_name() {
    let wrapper = |options: &[(&str, &str)]| stream(options).http.wrapper;
    assert_eq!(wrapper(&[("wrapper.version", "1")]), None);
    assert_eq!(wrapper(&[("wrapper.name", "w")]).unwrap(), "w");
    assert_eq!(wrapper(&[("wrapper.name", "w"), ("wrapper.version", "1")]).unwrap(), "w/1");
}

#[test]
fn lists_and_maps_come_as_json_text_or_as_json() {
    let mut config = config(&[("source.kind", "file"), ("file.paths", r#"["a","b"]"#)]);
    assert_eq!(config.file().unwrap().paths.len(), 2);
    config.load_json(r#"{"file": {"paths": ["c"]}, "http.headers": {"X-A": "1"}}"#).unwrap();
    assert_eq!(config.file().unwrap().paths, [PathBuf::from("c")]);
    assert_eq!(config.map("http.headers").len(), 1);
    for (name, value) in [("file.paths", "a"), ("file.paths", "[1]"), ("http.headers", r#"{"a":1}"#)] {
        assert!(config.set(name, value).is_err(), "{name}={value}");
    }
}

#[test]
fn an_unusable_address_is_refused_and_not_repeated() {
    for name in ["endpoints.stream", "http.proxy"] {
        for value in ["ftp://user:hunter2@h", "http://", "http://:80", "http://user:hunter2@h h"] {
            let error = Config::default().set(name, value).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn nothing_that_is_printed_holds_a_credential() {
    for kind in ["stream", "poll"] {
        let options = [
            ("source.kind", kind),
            ("sdk.key", "hunter2"),
            ("http.proxy", "http://u:hunter2@h"),
            ("endpoints.relay", "http://u:hunter2@relay"),
        ];
        let config = config(&options);
        let settings = config.resolve().unwrap();
        let printed = format!("{config:?} {settings:?} {:?}", settings.source);
        assert!(!printed.contains("hunter2"), "{printed}");
    }
}

#[test]
fn an_sdk_key_loses_the_space_around_it_and_may_have_no_control_characters() {
    let key = |value: &str| config(&[("sdk.key", value)]).resolve().map(|settings| settings.sdk_key);
    for value in ["sdk-1", "sdk-1\n", " \tsdk-1\r\n"] {
        assert_eq!(key(value).unwrap().as_deref(), Some("sdk-1"), "{value:?}");
        assert_eq!(stream(&[("sdk.key", value)]).http.sdk_key, "sdk-1");
    }
    assert_eq!(key(" \n").unwrap(), None);
    for value in ["sdk\n1", "sdk\u{0}1", "sdk\u{7f}1", "sdk\u{85}1"] {
        let error = key(value).unwrap_err().to_string();
        assert!(error.contains("sdk.key") && !error.contains("sdk\n1"), "{error}");
    }
}

#[test]
fn a_proxy_loses_the_space_around_it_and_needs_a_scheme() {
    assert_eq!(stream(&[("http.proxy", " http://proxy:3128 ")]).http.proxy.as_deref(), Some("http://proxy:3128"));
    assert_eq!(stream(&[("http.proxy", " ")]).http.proxy, None);
    for value in ["proxy:3128", "ftp://proxy:3128"] {
        let error = Config::default().set("http.proxy", value).unwrap_err().to_string();
        assert!(error.contains("http.proxy") && error.contains("scheme"), "{error}");
    }
}

fn events(options: &[(&str, &str)]) -> EventsOptions {
    let all: Vec<_> = [("sdk.key", "k")].iter().chain(options).copied().collect();
    settings(&all).events.unwrap()
}

#[test]
fn whoever_has_an_sdk_key_sends_events_unless_told_otherwise() {
    assert!(settings(&[]).events.is_none(), "nobody could be sent to");
    assert!(settings(&[("sdk.key", "k")]).events.is_some(), "daemon mode");
    for kind in ["stream", "poll"] {
        assert!(connected(kind, &[]).events.is_some());
        assert!(connected(kind, &[("events.enabled", "false")]).events.is_none());
    }
    assert!(settings(&[("sdk.key", "k"), ("offline", "true"), ("events.enabled", "true")]).events.is_none());
    let error = config(&[("events.enabled", "true")]).resolve().unwrap_err();
    assert_eq!(error.to_string(), "events.enabled needs sdk.key, which is not set");
}

#[test]
fn options_of_events_that_are_unset_have_their_defaults() {
    let events = events(&[]);
    assert_eq!((events.base.as_str(), events.capacity), ("https://events.launchdarkly.com", 10_000));
    assert_eq!(events.flush_interval, Duration::from_secs(5));
    assert_eq!((events.context_keys_capacity.get(), events.context_keys_flush), (1_000, Duration::from_secs(300)));
    assert!(events.gzip && !events.omit_anonymous && !events.privacy.all && events.privacy.references.is_empty());
    assert_eq!(events.diagnostics.unwrap().interval, Duration::from_secs(900));
    assert!(events.spool.is_none());
}

#[test]
fn each_option_of_events_reaches_its_place() {
    let events = events(&[
        ("endpoints.relay", "http://relay"),
        ("events.capacity", "1"),
        ("events.flush_interval_ms", "2"),
        ("events.context_keys_capacity", "3"),
        ("events.context_keys_flush_ms", "4"),
        ("events.gzip", "false"),
        ("events.all_attributes_private", "true"),
        ("events.private_attributes", r#"["a", "/b/c"]"#),
        ("events.omit_anonymous_contexts", "true"),
        ("events.diagnostics", "false"),
        ("events.spool", "/spool"),
        ("events.spool_bytes", "5"),
    ]);
    assert_eq!((events.base.as_str(), events.capacity), ("http://relay", 1));
    assert_eq!(
        (events.flush_interval, events.context_keys_flush),
        (Duration::from_millis(2), Duration::from_millis(4))
    );
    assert_eq!((events.context_keys_capacity.get(), events.gzip, events.omit_anonymous), (3, false, true));
    assert_eq!((events.privacy.all, events.privacy.references), (true, vec!["a".to_owned(), "/b/c".to_owned()]));
    assert!(events.diagnostics.is_none());
    let spool = events.spool.unwrap();
    assert_eq!((spool.directory, spool.bytes), (PathBuf::from("/spool"), 5));
    let spool = settings(&[("sdk.key", "k"), ("events.spool", "/s")]).events.unwrap().spool.unwrap();
    assert_eq!(spool.bytes, 64 << 20);
}

#[test]
fn diagnostic_events_tell_the_configuration_and_are_sent_once_a_minute_at_most() {
    let told = |all: &Settings| all.events.as_ref().unwrap().diagnostics.as_ref().unwrap().configuration.clone();
    let stream = connected(
        "stream",
        &[
            ("events.diagnostic_interval_ms", "59999"),
            ("endpoints.stream", "http://me:geheim@stream.example"),
            ("redis.url", "redis://localhost"),
            ("http.proxy", "http://me:geheim@proxy:1"),
        ],
    );
    let interval = stream.events.as_ref().unwrap().diagnostics.as_ref().unwrap().interval;
    assert_eq!(interval, Duration::from_secs(60));
    assert!(stream.remarks.iter().any(|(_, remark)| remark == "events.diagnostic_interval_ms is raised to 60000 ms"));
    let expected = serde_json::json!({
        "dataStoreType": "Redis", "usingRelayDaemon": false, "streamingDisabled": false, "reconnectTimeMillis": 1000,
        "customBaseURI": false, "customStreamURI": true, "customEventsURI": false, "allAttributesPrivate": false,
        "eventsCapacity": 10000, "eventsFlushIntervalMillis": 5000, "userKeysCapacity": 1000,
        "userKeysFlushIntervalMillis": 300000, "diagnosticRecordingIntervalMillis": 60000, "connectTimeoutMillis": 10000,
        "socketTimeoutMillis": 15000, "usingProxy": true, "usingProxyAuthenticator": true,
    });
    assert_eq!(serde_json::Value::from(told(&stream)), expected);
    let poll = told(&connected("poll", &[("endpoints.relay", "http://relay"), ("http.proxy", "http://proxy:1")]));
    let is = |name: &str| poll[name].clone();
    assert_eq!((is("dataStoreType"), is("pollingIntervalMillis")), ("memory".into(), 30_000.into()));
    assert_eq!(
        (is("streamingDisabled"), is("customEventsURI"), is("usingProxyAuthenticator")),
        (true.into(), true.into(), false.into())
    );
    let daemon = told(&settings(&[("sdk.key", "k")]));
    assert_eq!((&daemon["usingRelayDaemon"], &daemon["dataStoreType"]), (&true.into(), &"Redis".into()));
}
