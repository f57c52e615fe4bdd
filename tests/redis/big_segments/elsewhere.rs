//! Members that are elsewhere than the flags, reached in other ways, not ready, or written by a generator.

use super::*;

#[test]
fn members_may_be_in_a_redis_of_their_own_under_a_prefix_of_their_own() {
    let flags = server();
    let members = Setup::default().password("members").start();
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", members.port());
    let include = format!("other:big_segment_include:{}", context_hash("ada"));
    members.run::<()>(&["SADD", &include, "vip.g7"]);
    members.run::<()>(&["SET", "other:big_segments_synchronized_on", &now_ms().to_string()]);
    let config =
        |password: &str| patient(&flags).with("big_segments.url", &url(password)).with("big_segments.prefix", "other");
    let client = config("members").started();
    gives(&client, "ada", "in", HEALTHY);
    assert_eq!(flags.calls_of("smembers"), 0);
    // What does for the one is not told to the other.
    let client = config("wrong").with("redis.password", "members").with("redis.username", "default").client();
    let _ = client.start(0);
    assert_eq!(client.big_segments(), (false, false));
    let error = Config::new().set("big_segments.url", "http://example.org").unwrap_err();
    assert!(error.message.contains("big_segments.url") && !error.message.contains("redis.url"), "{}", error.message);
}

#[test]
fn flags_from_elsewhere_may_have_members_in_redis_and_without_one_nothing_is_configured() {
    let server = server();
    add(&server, "include", "ada", &["vip.g7"]);
    let data = TestData::new();
    data.set_flag(&Flag::new("vip", 1, "in").for_segment("vip").text());
    data.set_segment(&big("vip", 7, "user"));
    let client = Config::new().with_data(&data).with("big_segments.url", &server.url()).started();
    gives(&client, "ada", "in", HEALTHY);
    assert!(client.may_wait());
    let client = Config::new().with_data(&data).started();
    gives(&client, "ada", OTHER, NOT_CONFIGURED);
    assert_eq!((client.may_wait(), client.big_segments()), (false, (false, false)));
    assert_eq!(client.status()["big_segments"], json!(null));
    let named = Config::of(&server).with_data(&data).started();
    gives(&named, "ada", "in", HEALTHY);
    let offline = Config::of(&server).with("offline", "true").started();
    assert_eq!((offline.ask("vip").as_str(), offline.big_segments()), ("CLIENT_NOT_READY", (false, false)));
}

#[test]
fn where_only_the_members_are_in_redis_status_and_metrics_tell_of_that() {
    let server = Setup::default().password("members").start();
    let data = TestData::new();
    data.set_flag(&Flag::new("vip", 1, "in").for_segment("vip").text());
    data.set_segment(&big("vip", 7, "user"));
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}/3", server.port());
    let client = Config::new().with_data(&data).with("big_segments.url", &url("members")).started();
    let address = format!("127.0.0.1:{}", server.port());
    let redis = &client.status()["redis"];
    assert_eq!(
        (&redis["topology"], &redis["address"], &redis["database"]),
        (&json!("standalone"), &json!(address), &json!(3))
    );
    assert_eq!(redis["credentials"]["state"], "untried", "nobody has asked yet");
    assert_eq!(client.metric("flagstone_redis_received_bytes_total"), Some(0.0));
    client.ask("vip");
    eventually("a login was taken", || client.status()["redis"]["credentials"]["state"] == "ok");
    assert!(client.metric("flagstone_redis_received_bytes_total").unwrap() > 0.0);
    assert!(client.metric("flagstone_redis_sent_bytes_total").unwrap() > 0.0);
    assert_eq!(client.metric("flagstone_store_available"), None, "that is the store of the flags");
    let refused = Config::new().with_data(&data).with("big_segments.url", &url("wrong")).started();
    refused.ask("vip");
    eventually("the refusal is told", || refused.status()["redis"]["credentials"]["state"] == "refused");
}

#[test]
fn a_segment_without_a_generation_is_not_ready_and_asks_for_nothing() {
    let server = server();
    let text = json!({ "key": "vip", "version": 2, "unbounded": true, "included": ["ada"] }).to_string();
    server.set_segment("vip", text);
    let client = Config::of(&server).started();
    gives(&client, "ada", OTHER, NOT_CONFIGURED);
    assert_eq!(server.calls_of("smembers"), 0);
}

#[test]
fn changes_are_pushed_through_tls_and_a_unix_socket_too() {
    let certificates = Certificates::new();
    let server = with_vip(Setup::default().tls(&certificates, false).start());
    let tls = Config::at(&server.tls_url()).with("redis.tls.ca_file", &certificates.path("ca.pem"));
    for config in [tls, Config::at(&format!("unix://{}", server.socket()))] {
        let client = config.with("big_segments.cache_ms", "600000").started();
        for _ in 0..20 {
            becomes(&client, "ada", OTHER, HEALTHY);
            add(&server, "include", "ada", &["vip.g7"]);
            becomes(&client, "ada", "in", HEALTHY);
            server.run::<()>(&["DEL", &key(&format!("big_segment_include:{}", context_hash("ada")))]);
        }
        assert_eq!(client.status()["big_segments"]["push"], json!(true));
    }
}

/// The generator knows nothing of this library: what it writes as a Relay Proxy does is read as it was meant.
#[test]
fn members_that_a_generator_wrote_are_read_as_it_meant_them() {
    const SEGMENTS: usize = 4;
    let server = RedisServer::start();
    let mut connection = server.connect();
    members::fill(&mut connection, PREFIX, (SEGMENTS, 60), 3).unwrap();
    let client = Config::of(&server).with("big_segments.cache_size", "10").started();
    let mut count = 0;
    for user in (0..60).map(|number| format!("user-{number}")) {
        let included: Vec<String> = server.run(&["SMEMBERS", &members::set_key(PREFIX, "include", &user)]);
        for segment in 0..SEGMENTS {
            let (context, flag) = (Context::user(&user), format!("in-big-{segment}"));
            let is_member = included.contains(&format!("big-{segment}.g1"));
            assert_eq!(client.bool_for(&context, &flag, !is_member), is_member, "{user}, {segment}");
            assert_eq!(client.detail_for(&context, &flag).big_segments, HEALTHY);
            count += usize::from(is_member);
        }
    }
    assert!(count > 60 && count < 180, "{count} of 240");
    let forgotten = members::Line {
        context: "user-59".to_owned(),
        reference: "big-0.g1".to_owned(),
        membership: members::Membership::Included,
    };
    members::apply(&mut connection, PREFIX, &[forgotten]).unwrap();
    eventually("a patch is seen", || client.bool_for(&Context::user("user-59"), "in-big-0", false));
}
