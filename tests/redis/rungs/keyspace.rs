//! Notifications about keys, where a server tracks nothing but publishes.

use super::*;

/// A server that publishes these classes, and a user `reader` who may do all but this.
fn publishing(classes: &str, forbidden: &str) -> RedisServer {
    let rules = format!("reader on >secret ~* &* +@all {forbidden}");
    let server = Setup::default().user(&rules).argument(&["--notify-keyspace-events", classes]).start();
    fill(&server);
    server
}

fn as_reader(server: &RedisServer) -> Config {
    Config::of(server).with("redis.username", "reader").with("redis.password", "secret")
}

#[test]
fn without_tracking_changes_are_published_where_the_server_is_configured_to() {
    for residency in RESIDENCIES {
        let server = publishing("KA", "-client|tracking");
        let client = as_reader(&server).with("cache.residency", residency).with("cache.ttl_ms", "600000").started();
        stands_on(&client, KEYSPACE);
        client.reports("freshness", "push");
        client.reports("freshness_reason", KEYSPACE);
        follows(&server, &client, residency);
    }
}

#[test]
fn a_subscription_alone_proves_nothing() {
    let published = |classes: &str, option: &str| {
        let server = publishing(classes, "-client|tracking");
        let client =
            as_reader(&server).with("cache.ttl_ms", "200").with("redis.keyspace_notifications", option).started();
        client.reports("freshness", if option == "ask" { "ttl" } else { "push" });
        follows_edits(&server, &client, 2);
        fate(&client, KEYSPACE)
    };
    for (classes, lacking) in [("", "is empty and lacks Kghxe"), ("KEg$", "lacks hxe"), ("Egh", "lacks Kxe")] {
        let (state, reason) = published(classes, "ask");
        assert!(state == "refused" && reason.contains(lacking), "{state} {reason}");
    }
    assert_eq!(published("Kghxe", "assume"), ("in force".into(), String::new()));

    let silent = publishing("KA", "-client|tracking -config");
    let client = as_reader(&silent).with("cache.ttl_ms", "200").started();
    client.reports("freshness", "ttl");
    let (state, reason) = fate(&client, KEYSPACE);
    assert!(state == "refused" && reason.contains("CONFIG GET") && reason.contains("assume"), "{state} {reason}");
    let reason = client.status()["freshness_reason"].to_string();
    assert!([BROADCAST, REDIRECT, KEYSPACE].iter().all(|rung| reason.contains(rung)), "{reason}");
    assert_eq!(rung(&client), Value::Null);
    let assuming = as_reader(&silent).with("redis.keyspace_notifications", "assume").started();
    stands_on(&assuming, KEYSPACE);
    follows(&silent, &assuming, "assumed");
}

#[test]
fn where_every_way_is_refused_they_are_tried_again_after_growing_pauses_and_at_once_with_another_login() {
    let server = publishing("", "-client|tracking -subscribe");
    let (tries, hurried) = (|| server.calls_of("client|id"), as_reader(&server).with("redis.ping_ms", "20").started());
    hurried.reports("freshness", "ttl");
    let begin = tries();
    throughout(Duration::from_millis(2_500), || assert!(tries() <= begin + 7, "{} tries", tries() - begin));
    eventually("they are tried again", || tries() > begin);
    drop(hurried);

    let client = as_reader(&server).started();
    client.reports("freshness", "ttl");
    server.run::<()>(&["ACL", "SETUSER", "other", "on", ">secret", "~*", "&*", "+@all"]);
    let began = Instant::now();
    client.set_credentials("other", "secret", 0).unwrap();
    client.reports("freshness", "push");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn reads_of_what_is_not_there_are_no_changes() {
    let server = publishing("KAm", "-client|tracking");
    server.replace(&[("a", flag("a", 1, "one"))], &[]);
    let client = as_reader(&server).started();
    stands_on(&client, KEYSPACE);
    settled(&client);
    server.run::<()>(&["CONFIG", "RESETSTAT"]);
    throughout(Duration::from_millis(700), || assert_eq!(client.ask("a"), "one"));
    let reads = server.calls_of("hgetall") + server.calls_of("hmget") + server.calls_of("hscan");
    assert!(reads <= 4, "{reads} reads of a set that does not change");
}

#[test]
fn a_server_that_stops_publishing_is_not_believed_any_longer() {
    let server = publishing("KA", "-client|tracking");
    let client = as_reader(&server).with("redis.ping_ms", "20").with("cache.ttl_ms", "200").started();
    stands_on(&client, KEYSPACE);
    server.run::<()>(&["CONFIG", "SET", "notify-keyspace-events", ""]);
    client.reports("freshness", "ttl");
    follows_edits(&server, &client, 2);
    assert!(fate(&client, KEYSPACE).1.contains("lacks"));
}

#[test]
fn a_server_from_before_tracking_publishes_all_the_same() {
    let server = Setup::default().argument(&["--notify-keyspace-events", "KEA"]).start();
    fill(&server);
    let gate = Gate::to(server.port());
    gate.rule("HELLO", Rule::error("ERR unknown command `HELLO`, with args beginning with: `3`, "));
    gate.rule("CLIENT TRACKING", Rule::error("ERR Unknown subcommand or wrong number of arguments for 'TRACKING'"));
    let client = Config::at(&gate.url()).started();
    stands_on(&client, KEYSPACE);
    assert!(fate(&client, BROADCAST).1.contains("RESP3"));
    follows(&server, &client, "an old server");
}
