//! What becomes of evaluations when the Redis of the members refuses, hangs, dies or holds nonsense.

use super::*;

#[test]
fn what_makes_no_sense_in_redis_is_a_status_and_told_once() {
    let server = server();
    let errors = |client: &Client| log_lines(&client.drain(), 3);
    let client = patient(&server).started();
    server.run::<()>(&["SET", &key(&format!("big_segment_include:{}", context_hash("ada"))), "vip.g7"]);
    server.run::<()>(&["LPUSH", &key(&format!("big_segment_exclude:{}", context_hash("bob"))), "vip.g7"]);
    (0..3).for_each(|_| gives(&client, "ada", OTHER, STORE_ERROR));
    let told = errors(&client);
    assert!(told.len() == 1 && told[0].contains("WRONGTYPE"), "{told:?}");
    gives(&client, "bob", OTHER, STORE_ERROR);
    gives(&client, "carol", OTHER, HEALTHY);
    gives(&client, "ada", OTHER, STORE_ERROR);
    assert_eq!(errors(&client).len(), 1, "told again after a recovery");
    for (text, status) in
        [("yesterday", (false, false)), ("", (true, true)), ("1e3", (false, false)), ("-5", (true, true))]
    {
        server.run::<()>(&["SET", &key("big_segments_synchronized_on"), text]);
        hears(&client, status.0, status.1);
        assert_eq!(client.big_segments(), status, "{text:?}");
        // Members that are known are no worse for it.
        gives(&client, "carol", OTHER, if status.1 { STALE } else { HEALTHY });
    }
    server.run::<()>(&["DEL", &key("big_segments_synchronized_on")]);
    server.run::<()>(&["SADD", &key("big_segments_synchronized_on"), "1"]);
    hears(&client, false, false);
    server.run::<()>(&["DEL", &key("big_segments_synchronized_on")]);
    bring_up_to_date(&server, now_ms());
    hears(&client, true, false);
    assert_eq!(client.state(), VALID);
}

#[test]
fn a_redis_that_refuses_sets_gives_store_error_and_flags_are_true_all_the_same() {
    let server = with_vip(Setup::default().user("reader on nopass ~* &* +@all -smembers").start());
    let config = patient(&server).with("redis.username", "reader").with("redis.password", "any");
    let client = config.started();
    gives(&client, "ada", OTHER, STORE_ERROR);
    assert_eq!(client.big_segments(), (true, false), "its age can be read");
    assert_eq!((client.state(), client.detail("vip").stale), (VALID, false));
    assert_eq!(log_lines(&client.drain(), 3).len(), 1);
    server.run::<()>(&["ACL", "SETUSER", "reader", "+smembers"]);
    becomes(&client, "ada", OTHER, HEALTHY);
}

#[test]
fn a_full_redis_is_read() {
    let server = server();
    add(&server, "include", "ada", &["vip.g7"]);
    let client = patient(&server).started();
    server.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    gives(&client, "ada", "in", HEALTHY);
}

#[test]
fn nobody_waits_longer_than_the_command_timeout_and_not_while_redis_is_known_to_be_away() {
    let server = server();
    let gate = Gate::to(server.port());
    let config = Config::at(&gate.url()).with("redis.command_timeout_ms", "400").with("big_segments.cache_ms", "1");
    let client = config.with("big_segments.poll_interval_ms", "600000").started();
    becomes(&client, "ada", OTHER, HEALTHY);
    gate.rule("SMEMBERS", Rule::Hang);
    let multi = r#"{"kind":"multi","user":{"key":"bob"},"org":{"key":"globex"}}"#;
    let (detail, took) = timed(|| client.detail_for_json(multi, "vip"));
    assert_eq!((detail.word(), detail.big_segments), (OTHER.into(), STORE_ERROR));
    assert!(took < Duration::from_secs(20), "{took:?}");
    // Each thousand of these would take minutes.
    let (_, took) = timed(|| {
        for number in 0..1_000 {
            let user = number.to_string();
            assert_eq!(asked(&client, &user), (OTHER.to_owned(), STORE_ERROR));
        }
    });
    assert!(took < Duration::from_secs(60), "{took:?}");
    gate.clear();
    becomes(&client, "ada", OTHER, HEALTHY);
    assert_eq!(client.state(), VALID);
}

#[test]
fn a_server_that_closes_where_it_is_to_tell_of_changes_is_asked_all_the_same() {
    let server = server();
    add(&server, "include", "ada", &["vip.g7"]);
    let gate = Gate::to(server.port());
    gate.rule("CLIENT TRACKING", Rule::Close);
    let client = Config::at(&gate.url()).started();
    gives(&client, "ada", "in", HEALTHY);
}

#[test]
fn a_server_that_answers_and_closes_is_not_asked_all_the_time() {
    let server = server();
    add(&server, "include", "ada", &["vip.g7"]);
    let (flags, members) = (Gate::to(server.port()), Gate::to(server.port()));
    let client = Config::at(&flags.url()).with("big_segments.url", &members.url()).started();
    gives(&client, "ada", "in", HEALTHY);
    let before = members.seen().connects;
    let deadline = Instant::now() + Duration::from_millis(2_500);
    while Instant::now() < deadline {
        members.cut(Role::Any);
        thread::sleep(Duration::from_millis(10));
    }
    let connects = members.seen().connects - before;
    assert!((1..=6).contains(&connects), "{connects}");
    becomes(&client, "ada", "in", HEALTHY);
}

#[test]
fn a_redis_that_dies_is_told_and_comes_back() {
    let mut server = server();
    let client = Config::of(&server)
        .with("redis.connect_timeout_ms", "500")
        .with("redis.command_timeout_ms", "500")
        .with("big_segments.cache_ms", "1")
        .with("big_segments.poll_interval_ms", "100")
        .started();
    becomes(&client, "ada", OTHER, HEALTHY);
    hears(&client, true, false);
    server.kill();
    hears(&client, false, false);
    becomes(&client, "ada", OTHER, STORE_ERROR);
    server.restart();
    add(&server, "include", "ada", &["vip.g7"]);
    bring_up_to_date(&server, now_ms());
    becomes(&client, "ada", "in", HEALTHY);
    hears(&client, true, false);
    assert_eq!(client.close(PATIENCE_MS), OK);
}

#[test]
fn a_client_whose_redis_hangs_is_closed_in_time() {
    let server = server();
    let gate = Gate::to(server.port());
    let client = Config::at(&gate.url()).started();
    becomes(&client, "ada", OTHER, HEALTHY);
    gate.rule("SMEMBERS", Rule::Hang);
    thread::scope(|scope| {
        let waits = scope.spawn(|| asked(&client, "bob"));
        eventually("the question is under way", || gate.seen().count("SMEMBERS") > 2);
        let (outcome, took) = timed(|| client.close(10_000));
        assert_eq!(outcome, OK, "{took:?}");
        assert_eq!(waits.join().unwrap(), (OTHER.to_owned(), STORE_ERROR));
    });
}
