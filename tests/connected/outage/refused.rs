//! A LaunchDarkly that refuses the key.

use super::*;

#[test]
fn a_client_whose_key_is_refused_is_off_and_its_last_known_flags_answer() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::holding(&two_flags(), &[]));
    let client = storing(&fake, &server).with("sdk.key", "wrong").with("retry.mode", "legacy").client();
    let failure = client.start(PATIENCE_MS).unwrap_err();
    assert_eq!(failure.status, 7, "NOT_READY: {failure:?}");
    assert_eq!(client.state(), OFF);
    let info = client.info();
    assert_eq!((info.source_state, info.error_kind, info.error_status), (OFF, 2, 401), "{info:?}");
    client.serves("a", "one");
    let (status, took) = timed(|| client.wait(VALID, PATIENCE_MS));
    assert_eq!(status, 7, "NOT_READY: off is for good");
    assert!(took < PATIENCE / 2, "{took:?}");
    assert_eq!((client.wait(OFF, 50), client.wait(VALID, 0)), (OK, 7));
}

#[test]
fn a_start_with_a_refused_key_returns_once_redis_has_answered() {
    for residency in ["all", "lazy"] {
        let (fake, server) = (launchdarkly(&two_flags()), RedisServer::holding(&two_flags(), &[]));
        let proxy = Proxy::to(server.port());
        proxy.set(Mode::Delay(Duration::from_millis(300)));
        let options = |config: Config| config.with("sdk.key", "wrong").with("retry.mode", "legacy");
        let config =
            options(storing(&fake, &server)).with("redis.url", &proxy.url()).with("cache.residency", residency);
        let client = config.client();
        assert_eq!(client.start(PATIENCE_MS).unwrap_err().status, 7, "NOT_READY");
        assert_eq!((client.state(), client.ask("a")), (OFF, "one".into()), "{residency}: Redis answers at once");
        // No longer than it was told to, where Redis does not answer.
        proxy.set(Mode::Refuse);
        proxy.cut();
        let client = config.client();
        let (outcome, took) = timed(|| client.start(1_000));
        assert_eq!(outcome.unwrap_err().status, 7, "NOT_READY");
        assert!(took >= Duration::from_millis(900) && took < PATIENCE / 2, "{took:?}");
        // Nor where there is none.
        let (outcome, took) = timed(|| options(streaming(&fake)).client().start(PATIENCE_MS));
        assert!(outcome.is_err() && took < PATIENCE / 2, "{took:?}");
    }
}

#[test]
fn a_refused_key_ends_nothing_unless_told_otherwise() {
    let (fake, server) = (launchdarkly(&two_flags()), RedisServer::holding(&two_flags(), &[]));
    let client = storing(&fake, &server).with("sdk.key", "wrong").client();
    assert_eq!(client.start(500).unwrap_err().status, TIMEOUT);
    let info = client.info();
    assert_eq!((info.source_state, info.error_kind, info.error_status), (INIT, 2, 401), "{info:?}");
    client.serves("a", "one");
    assert_eq!(fake.requests().len(), 1, "and is tried again after minutes");
}
