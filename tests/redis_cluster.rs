//! Redis Cluster: keys with one owner and keys with several, in daemon and in connected mode; slots that move and owners that
//! fail while flags are edited and evaluated.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use fakeld::Kind;
use support::*;

fn config(url: &str, prefix: &str) -> Config {
    Config::new()
        .with("redis.url", url)
        .with("redis.prefix", prefix)
        .with("redis.connect_timeout_ms", "2000")
        .with("redis.command_timeout_ms", "2000")
        .with("cache.ttl_ms", "60000")
        .with("log.level", "info")
}

fn edit(version: u64) -> String {
    flag("a", i64::try_from(version).unwrap(), &format!("edit {version}"))
}

#[test]
fn flags_are_read_pushed_and_written_whether_their_keys_have_one_owner_or_several() {
    let cluster = RedisCluster::start();
    for prefix in [TAGGED, SPREAD] {
        cluster.replace(prefix, &[("a", edit(1))], &[]);
        let readers = ["all", "lazy", "off"]
            .map(|residency| config(&cluster.url(), prefix).with("cache.residency", residency).started());
        for client in &readers {
            assert_eq!(client.ask("a"), "edit 1");
            client.reports("freshness", "push");
        }
        cluster.set_flag(prefix, "a", &edit(2));
        readers.iter().for_each(|client| client.serves("a", "edit 2"));
        let status = readers[0].status();
        let redis = &status["redis"];
        assert_eq!((&redis["topology"], &redis["database"]), (&"cluster".into(), &0.into()), "{redis}");
        let owners: std::collections::BTreeSet<usize> =
            ["features", "segments", "$inited"].map(|part| cluster.owner_of(&format!("{prefix}:{part}"))).into();
        assert_eq!(redis["nodes"].as_array().unwrap().len(), owners.len(), "{redis}");
        let written = format!("{prefix}:written");
        let fake = launchdarkly(&[("b", flag("b", 1, "one"))]);
        let writer = streaming(&fake).with("redis.url", &cluster.url()).with("redis.prefix", &written).started();
        writer.serves("b", "one");
        eventually("the full data set is written", || cluster.flag(&written, "b").is_some());
        fake.patch(Kind::Flag, &flag("b", 2, "two")).unwrap();
        eventually("the patch is written", || cluster.flag(&written, "b").is_some_and(|text| text.contains("two")));
        writer.becomes(VALID);
        let reader = config(&cluster.url(), &written).started();
        reader.serves("b", "two");
        reader.becomes(VALID);
    }
}
