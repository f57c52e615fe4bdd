//! What the other tests show with the server of the PATH holds with every server that is there: Redis from 6.2 on, Valkey. One
//! life of a reader and one of a writer, big segments, the documented users, TLS, sentinels.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use fakeld::Kind;
use serde_json::json;

use crate::support::*;

const RESIDENCIES: [&str; 3] = ["all", "lazy", "off"];
/// Above the number of flags from which a set is read in steps.
const SCANNED: usize = 1_200;

/// Keys and texts.
type Items = Vec<(&'static str, String)>;

/// Flags `flag-0` … and one that needs a segment.
fn data(count: usize) -> (Items, Items) {
    let mut flags = many_flags(count, 1, "one");
    flags.push(("member", Flag::new("member", 1, "in").for_segment("s").text()));
    (flags, vec![("s", segment("s", 1, &["ada"]))])
}

/// A client with this residency that looks after its data often.
fn config(url: &str, residency: &str) -> Config {
    let config = Config::at(url).with("cache.residency", residency).with("cache.ttl_ms", "200");
    config.with("refresh.interval_ms", "500").with("redis.ping_ms", "100")
}

#[test]
fn these_servers_are_tested() {
    let programs = programs();
    let names: Vec<&str> = programs.iter().map(|program| program.name.as_str()).collect();
    say(&format!("tested with {}", names.join(", ")));
    let left_out = left_out(&programs);
    if !left_out.is_empty() {
        say(&format!("not tested, for nobody said where it is: {}", left_out.join(", ")));
    }
    // What is installed for the tests is found.
    let listed = std::env::var("FLAGSTONE_TEST_SERVERS").unwrap_or_default();
    assert!(names.len() >= listed.split(':').filter(|path| !path.is_empty()).count(), "{names:?} of {listed}");
}

/// Every kind of change arrives; an outage and a loss change nothing.
fn a_reader_lives(server: &mut RedisServer, config: &Config, residency: &str, what: &str) {
    let client = config.client();
    assert_eq!(client.start(PATIENCE_MS), Ok(()), "{what}: {:?}", client.try_status());
    let holds = residency != "off";
    if holds {
        client.reports("freshness", "push");
        assert_eq!(client.status()["freshness_reason"], "RESP3 broadcast tracking", "{what}");
    }
    sees_every_edit(server, &client, "flag-0", what);
    server.set_flag("flag-1", &tombstones("flag-1", 2)[2]);
    client.serves("flag-1", "FLAG_NOT_FOUND");
    if holds {
        server.kill_tracking_connections();
        server.set_flag("flag-0", flag("flag-0", 3, "three"));
        client.serves("flag-0", "three");
        eventually(&format!("{what}: the link is back"), || server.tracking_connections() == 1);
        let status = client.status();
        assert_eq!((&status["redis"]["topology"], &status["redis"]["database"]), (&json!("standalone"), &json!(0)));
        assert!(status["redis"]["address"].is_string(), "{what}: {status}");
        // A loss is no deletion.
        server.flush();
        client.reports("wiped", true);
        assert_eq!(client.ask("flag-0"), "three", "{what}");
    }
    server.kill();
    client.becomes(INTERRUPTED);
    assert_eq!(client.ask("flag-0"), if holds { "three" } else { "EXCEPTION" }, "{what}");
    server.restart();
    server.replace(&[("flag-0", flag("flag-0", 4, "four"))], &[]);
    client.serves("flag-0", "four");
    client.becomes(VALID);
    assert_eq!(client.close(PATIENCE_MS), OK, "{what}");
}

#[test]
fn a_reader_sees_every_change_and_outlives_loss_and_restart() {
    on_every_server(|program| {
        thread::scope(|scope| {
            for residency in RESIDENCIES {
                scope.spawn(move || {
                    let (flags, segments) = data(3);
                    let mut server = program.holding(&flags, &segments);
                    let config = config(&server.url(), residency);
                    a_reader_lives(&mut server, &config, residency, &format!("{}, {residency}", program.name));
                });
            }
        });
    });
}

#[test]
fn a_large_set_is_read_in_steps_and_its_changes_are_seen() {
    on_every_server(|program| {
        let (flags, segments) = data(SCANNED);
        let mut server = program.holding(&flags, &segments);
        let config = config(&server.url(), "all");
        let client = config.started();
        assert_eq!(client.ask("flag-1199"), "one");
        server.run::<()>(&["CONFIG", "RESETSTAT"]);
        server.set_flag("flag-1198", flag("flag-1198", 2, "two"));
        client.serves("flag-1198", "two");
        eventually("all of it is read", || server.calls_of("hscan") > 1);
        assert_eq!(server.calls_of("hgetall"), 0);
        client.close(PATIENCE_MS);
        a_reader_lives(&mut server, &config, "all", &program.name);
    });
}

#[test]
fn a_writer_writes_by_script_and_heals_what_is_lost() {
    on_every_server(|program| {
        let mut server = program.setup().start();
        let fake = launchdarkly(&many_flags(3, 1, "one"));
        let client = storing(&fake, &server).started();
        let text = |server: &RedisServer, key: &str| server.text("features", key).unwrap_or_default();
        eventually("the whole set is written", || server.is_inited());
        assert!(text(&server, "flag-2").contains("one"));
        server.run::<()>(&["CONFIG", "RESETSTAT"]);
        fake.patch(Kind::Flag, &flag("flag-0", 2, "two")).unwrap();
        client.serves("flag-0", "two");
        eventually("a patch is written", || text(&server, "flag-0").contains("two"));
        fake.delete(Kind::Flag, "flag-1", 5);
        eventually("a deletion is written", || text(&server, "flag-1").contains("deleted"));
        assert_eq!((server.calls_of("eval") >= 2, server.calls_of("watch")), (true, 0), "{:?}", server.calls());
        server.set_flag("flag-0", flag("flag-0", 9, "nine"));
        fake.patch(Kind::Flag, &flag("flag-0", 8, "eight")).unwrap();
        fake.patch(Kind::Flag, &big_flag("last", 1, "last", 100_000)).unwrap();
        fake.patch(Kind::Flag, &big_flag("last", 2, "later", 100_000)).unwrap();
        eventually("a big item is written over a big one", || text(&server, "last").contains("later"));
        assert!(text(&server, "flag-0").contains("nine"), "never backwards");
        server.flush();
        eventually("what was lost is written again", || server.is_inited());
        server.kill();
        assert_eq!((client.ask("last"), client.state()), ("later".into(), VALID), "memory does not need Redis");
        server.restart();
        eventually("a server that comes back empty is filled", || server.is_inited());
        assert!(text(&server, "last").contains("later"));
        fake.kill();
        let late = storing(&fake, &server).client();
        late.start(0).unwrap();
        late.serves("last", "later");
    });
}

#[test]
fn members_of_big_segments_are_read_and_their_changes_pushed() {
    on_every_server(|program| {
        let segment = r#"{"key":"s","version":1,"unbounded":true,"generation":2}"#.to_owned();
        let server =
            program.holding(&[("member", Flag::new("member", 1, "in").for_segment("s").text())], &[("s", segment)]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
        server.run::<()>(&["SET", &format!("{PREFIX}:big_segments_synchronized_on"), &now]);
        let client = Config::of(&server).with("big_segments.cache_ms", "3600000").started();
        eventually("members are read", || client.detail("member").big_segments == 1);
        assert_eq!(client.ask("member"), OTHER);
        eventually("changes will be told", || client.status()["big_segments"]["push"] == true);
        let set = format!("{PREFIX}:big_segment_include:{}", flagstone::big_segments::context_hash("ada"));
        server.run::<()>(&["SADD", &set, "s.g2"]);
        client.serves("member", "in");
        server.run::<()>(&["SREM", &set, "s.g2"]);
        client.serves("member", OTHER);
    });
}

/// The words of the line that makes this user in the documentation.
fn documented(user: &str) -> Vec<String> {
    let text = include_str!("../../docs/redis-rights.md");
    let line = text.lines().find(|line| line.starts_with(&format!("ACL SETUSER {user} "))).unwrap();
    line.split(' ').map(str::to_owned).collect()
}

/// A server with this user of the documentation, and a client's options as that user.
fn with_user(server: RedisServer, user: &str) -> RedisServer {
    server.run::<()>(&documented(user).iter().map(String::as_str).collect::<Vec<_>>());
    server
}

/// What a user was refused, beside what a client says about its library.
fn refused(server: &RedisServer) -> Vec<String> {
    let entries: Vec<Vec<redis::Value>> = server.run(&["ACL", "LOG"]);
    let texts = entries.iter().map(|entry| format!("{entry:?}").to_lowercase());
    // Redis 6.2 leaves out which subcommand it was.
    texts.filter(|text| !text.contains("client|setinfo") && !text.contains(r#"'"client"'"#)).collect()
}

#[test]
fn the_documented_users_need_no_more_rights() {
    on_every_server(|program| {
        let login = |config: Config, user| config.with("redis.username", user).with("redis.password", "password");
        let (flags, segments) = data(SCANNED);
        let server = with_user(program.holding(&flags, &segments), "flags-reader");
        let reader = login(config(&server.url(), "all"), "flags-reader").started();
        reader.reports("freshness", "push");
        server.set_flag("flag-0", flag("flag-0", 2, "two"));
        reader.serves("flag-0", "two");
        assert_eq!(refused(&server), [""; 0], "a reader");

        let (server, fake) = (with_user(program.setup().start(), "flags-writer"), launchdarkly(&flags));
        let writer = login(storing(&fake, &server), "flags-writer").started();
        eventually("the whole set is written", || server.is_inited());
        fake.patch(Kind::Flag, &flag("flag-0", 2, "two")).unwrap();
        eventually("a patch is written", || server.text("features", "flag-0").unwrap_or_default().contains("two"));
        writer.serves("flag-0", "two");
        assert_eq!(refused(&server), [""; 0], "a writer");
    });
}

#[test]
fn a_wrong_password_and_a_missing_one_are_told_as_such() {
    on_every_server(|program| {
        let server = program.setup().password("sesame").start();
        server.replace(&[("a", flag("a", 1, "one"))], &[]);
        for (password, told) in [(Some("wrong"), "WRONGPASS"), (None, "NOAUTH")] {
            let config = Config::of(&server);
            let client = match password {
                Some(password) => config.with("redis.password", password),
                None => config,
            }
            .client();
            let failure = client.start(2_000).expect_err("nobody may log in like that");
            assert!(failure.message.contains(told), "{failure:?}");
        }
        assert_eq!(Config::of(&server).with("redis.password", "sesame").started().ask("a"), "one");
    });
}

#[test]
fn where_the_server_has_tls_changes_are_pushed_through_it() {
    let certificates = Certificates::new();
    those_with(Program::has_tls, |program| {
        let server = program.setup().tls(&certificates, false).start();
        server.replace(&[("a", flag("a", 1, "one"))], &[]);
        let client = Config::at(&server.tls_url()).with("redis.tls.ca_file", &certificates.path("ca.pem")).started();
        client.reports("freshness", "push");
        server.set_flag("a", flag("a", 2, "two"));
        assert_eq!(client.hears_change_of("a"), (Some(1), Some(2)));
        server.kill_tracking_connections();
        server.set_flag("a", flag("a", 3, "three"));
        client.serves("a", "three");
    });
}

#[test]
fn a_sentinel_is_told_from_a_server_and_names_the_primary() {
    on_every_server(|program| {
        let server = program.holding(&[("a", flag("a", 1, "one"))], &[]);
        let sentinel = program.setup().sentinel(&watching(server.port(), 1)).start();
        let client = Config::at(&sentinel.url()).client();
        let failure = client.start(2_000).expect_err("a sentinel holds no flags");
        assert!(failure.message.contains("is a sentinel"), "{failure:?}");
        let client = Config::at(&format!("redis+sentinel://127.0.0.1:{}/{SERVICE}", sentinel.port())).started();
        assert_eq!(client.ask("a"), "one");
        client.reports("freshness", "push");
        assert_eq!(client.status()["redis"]["address"], format!("127.0.0.1:{}", server.port()));
    });
}

#[test]
fn a_flag_whose_field_expires_is_gone_at_once_without_anybody_looking() {
    let expires_fields = |program: &Program| program.is_redis((7, 4)) || program.is_valkey((9, 0));
    those_with(expires_fields, |program| {
        for residency in ["all", "lazy"] {
            let (flags, segments) = data(3);
            let server = program.holding(&flags, &segments);
            let client = config(&server.url(), residency).with("refresh.interval_ms", "3600000").started();
            client.reports("freshness", "push");
            assert_eq!(client.ask("flag-0"), "one");
            server.run::<redis::Value>(&["HPEXPIRE", "launchdarkly:features", "300", "FIELDS", "1", "flag-0"]);
            client.serves("flag-0", "FLAG_NOT_FOUND");
            assert_eq!((client.ask("flag-1"), client.state()), ("one".into(), VALID), "{residency}");
        }
    });
}
