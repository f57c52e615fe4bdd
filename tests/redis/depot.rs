//! An environment in Redis without a client: what tools read, write and find out about a server.

use std::time::Duration;

use flagstone::model::Kind;
use flagstone::store::{Contents, Depot, DepotError, NewItem, RedisOptions, Right, Verdict, Written};

use crate::support::*;

fn depot_at(url: &str) -> Depot {
    let mut options = RedisOptions::at(url).unwrap();
    options.command_timeout = PATIENCE;
    options.connect_timeout = PATIENCE;
    Depot::new(&options, "").unwrap()
}

fn item(key: &str, version: i64) -> NewItem {
    let text = format!(r#"{{"key":"{key}","version":{version}}}"#).into_bytes();
    NewItem { kind: Kind::Flag, key: key.to_owned(), version, text }
}

fn keys(contents: &Contents) -> Vec<String> {
    let mut keys: Vec<String> =
        contents.flags.iter().map(|(field, _)| String::from_utf8(field.clone()).unwrap()).collect();
    keys.sort();
    keys
}

/// An error of the rewriting that is none of Redis.
#[derive(Debug)]
struct Unwilling;

impl From<DepotError> for Unwilling {
    fn from(error: DepotError) -> Self {
        panic!("{error}")
    }
}

#[test]
fn everything_is_read_as_it_is_written_whatever_it_is() {
    let server = RedisServer::start();
    let depot = depot_at(&server.url());
    let empty = depot.read().unwrap();
    assert!(empty.flags.is_empty() && empty.segments.is_empty() && empty.inited == Some(false));
    server.set_flag(b"\xff".as_slice(), "{");
    server.set_segment("s", "{}");
    server.set_inited();
    let contents = depot.read().unwrap();
    assert_eq!(contents.flags, [(vec![0xff], b"{".to_vec())]);
    assert_eq!(contents.segments, [(b"s".to_vec(), b"{}".to_vec())]);
    assert_eq!(contents.inited, Some(true));
    assert_eq!((depot.prefix(), depot.database()), (PREFIX, 0));
    for number in 0..1_500 {
        server.set_flag(format!("f{number}"), "{}");
    }
    assert_eq!(depot.read().unwrap().flags.len(), 1_501);
    server.remove(&["features"]);
    server.run::<()>(&["SET", "launchdarkly:features", "no hash"]);
    assert!(matches!(depot.read(), Err(DepotError::WrongType(_))));
}

#[test]
fn only_what_is_newer_is_written() {
    let server = RedisServer::start();
    server.set_flag("a", r#"{"key":"a","version":5}"#);
    let depot = depot_at(&server.url());
    let outcomes = depot.write_newer(&[item("a", 5), item("b", 1)]).unwrap();
    assert_eq!(outcomes, [Written::Newer, Written::Applied]);
    assert_eq!(depot.write_newer(&[item("a", 6)]).unwrap(), [Written::Applied]);
    assert_eq!(server.text("features", "a").unwrap(), r#"{"key":"a","version":6}"#);
}

#[test]
fn a_rewrite_gives_way_to_others_and_begins_anew() {
    let server = RedisServer::start();
    server.set_flag("a", r#"{"key":"a","version":5}"#);
    let depot = depot_at(&server.url());
    let mut seen = Vec::new();
    depot
        .rewrite(|contents| {
            if seen.is_empty() {
                // Somebody writes between our look and our write.
                server.set_flag("b", r#"{"key":"b","version":1}"#);
            }
            seen.push(keys(&contents));
            Ok::<_, DepotError>(vec![item("c", 1)])
        })
        .unwrap();
    assert_eq!(seen, [vec!["a"], vec!["a", "b"]]);
    assert_eq!(keys(&depot.read().unwrap()), ["c"]);
    assert!(server.is_inited());
    assert!(depot.rewrite(|_| Err::<Vec<NewItem>, _>(Unwilling)).is_err());
    assert_eq!(keys(&depot.read().unwrap()), ["c"], "nothing was written");
    assert_eq!(server.run::<i64>(&["EXISTS", "launchdarkly:$flagstone_lock"]), 0, "the lock is given back");
}

fn right<'a>(rights: &'a [Right], command: &str) -> &'a Verdict {
    &rights.iter().find(|right| right.command == command).unwrap().verdict
}

#[test]
fn a_server_is_examined_without_changing_anything() {
    let rules = "reader on >pw ~launchdarkly:* +@read +@connection +@transaction -hmget -client|tracking";
    let server = Setup::default().user(rules).start();
    server.set_flag("a", "{}");
    let before = server.text("features", "a");
    let all = depot_at(&server.url()).examine().unwrap();
    assert!(all.rights.iter().all(|right| right.verdict == Verdict::Allowed), "{all:?}");
    assert!(
        all.server.unwrap().starts_with("redis ") && all.mode.unwrap() == "standalone" && all.role.unwrap() == "master"
    );
    assert!(all.user.unwrap() == "default" && all.encryption.is_none() && all.memory.unwrap() > 0);
    assert!(
        all.clock_ahead_ms.unwrap().abs() < 60_000 && all.round_trip < PATIENCE && all.connected_in > Duration::ZERO
    );
    let reader = depot_at(&format!("redis://reader:pw@127.0.0.1:{}", server.port())).examine().unwrap();
    for (command, is_allowed) in [
        ("HGETALL", true),
        ("HMGET", false),
        ("CLIENT TRACKING", false),
        ("WATCH", true),
        ("HSET", false),
        ("EVAL", false),
    ] {
        let verdict = right(&reader.rights, command);
        assert_eq!(*verdict == Verdict::Allowed, is_allowed, "{command}: {verdict:?}");
        assert!(*verdict != Verdict::Unknown, "{command}");
    }
    assert_eq!(reader.server, None, "INFO is refused");
    assert_eq!(server.text("features", "a"), before);
    assert_eq!(server.run::<i64>(&["DBSIZE"]), 1);
}

#[test]
fn where_transactions_are_refused_rights_stay_unknown() {
    let server = Setup::default().user("reader on >pw ~* +@read").start();
    let found = depot_at(&format!("redis://reader:pw@127.0.0.1:{}", server.port())).examine().unwrap();
    assert!(matches!(right(&found.rights, "MULTI"), Verdict::Refused(_)));
    assert_eq!(right(&found.rights, "HGETALL"), &Verdict::Unknown);
}

#[test]
fn an_encrypted_connection_says_how() {
    let certificates = Certificates::new();
    let server = Setup::default().tls(&certificates, false).start();
    let mut options = RedisOptions::at(&server.tls_url()).unwrap();
    options.tls.ca_file = Some(certificates.path("ca.pem").into());
    let found = Depot::new(&options, "").unwrap().examine().unwrap();
    let encryption = found.encryption.unwrap();
    assert!(encryption.protocol.starts_with("TLSv1_"));
    // A SEQUENCE in DER.
    assert_eq!(encryption.certificate.first(), Some(&0x30));
}

#[test]
fn a_redis_that_is_away_and_a_login_that_is_refused_are_told_apart() {
    let server = Setup::default().password("pw").start();
    let url = format!("redis://:wrong@127.0.0.1:{}", server.port());
    assert!(matches!(depot_at(&url).read(), Err(DepotError::Refused(_))));
    assert!(matches!(depot_at(&url).examine(), Err(DepotError::Refused(_))));
    drop(server);
    assert!(matches!(depot_at(&url).read(), Err(DepotError::Away(_))));
}

#[test]
fn where_replicas_are_read_the_primary_is_written_and_what_is_rewritten_is_read_there() {
    let deployment = Deployment::holding(&[("a", r#"{"key":"a","version":5}"#.to_owned())]);
    let depot = depot_at(&format!("{}?read=prefer-replica", deployment.url()));
    assert_eq!(keys(&depot.read().unwrap()), ["a"]);
    assert!(deployment.servers[1].calls_of("hgetall") > 0, "by the replica");
    let found = depot.examine().unwrap();
    assert_eq!(found.role.as_deref(), Some("slave"), "it is about what is read");
    assert_eq!(depot.write_newer(&[item("a", 6)]).unwrap(), [Written::Applied]);
    assert!(deployment.servers[0].text("features", "a").unwrap().contains('6'));
    // The replica hears of nothing for now.
    deployment.servers[1].run::<()>(&["REPLICAOF", "NO", "ONE"]);
    depot.write_newer(&[item("b", 1)]).unwrap();
    let mut seen = Vec::new();
    depot
        .rewrite(|contents| {
            seen = keys(&contents);
            Ok::<_, DepotError>(vec![item("c", 1)])
        })
        .unwrap();
    assert_eq!(seen, ["a", "b"]);
    assert!(deployment.servers[0].text("features", "c").is_some());
}

#[test]
fn a_cluster_is_read_written_rewritten_and_examined_with_one_owner_of_the_keys_and_with_several() {
    let cluster = RedisCluster::without_replicas(|_| Setup::default());
    for prefix in [TAGGED, SPREAD] {
        let mut options = RedisOptions::at(&cluster.url()).unwrap();
        (options.command_timeout, options.connect_timeout) = (PATIENCE, PATIENCE);
        let depot = Depot::new(&options, prefix).unwrap();
        assert!(depot.read().unwrap().flags.is_empty());
        let segment = NewItem { kind: Kind::Segment, ..item("s", 1) };
        let outcomes = depot.write_newer(&[item("a", 1), segment, item("a", 1), item("b", 2)]).unwrap();
        assert_eq!(outcomes, [Written::Applied, Written::Applied, Written::Newer, Written::Applied], "{prefix}");
        depot
            .rewrite(|contents| {
                assert_eq!((keys(&contents), contents.segments.len()), (vec!["a".to_owned(), "b".to_owned()], 1));
                Ok::<_, DepotError>(vec![item("c", 1)])
            })
            .unwrap();
        let contents = depot.read().unwrap();
        assert_eq!((keys(&contents), contents.segments.len(), contents.inited), (vec!["c".to_owned()], 0, Some(true)));
        let found = depot.examine().unwrap();
        assert_eq!((found.mode.as_deref(), found.role.as_deref()), (Some("cluster"), Some("master")));
        assert!(found.rights.iter().all(|right| right.verdict == Verdict::Allowed), "{prefix}: {found:?}");
        assert!(cluster.flag(prefix, "c").is_some());
    }
}
