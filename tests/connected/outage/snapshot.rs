//! The snapshot file, when nothing else answers.

use super::*;

#[test]
fn when_nothing_answers_at_the_start_the_snapshot_file_does() {
    let folder = TempDir::new("snapshot");
    let path = folder.path().join("flags").display().to_string();
    let (fake, mut server) = (launchdarkly(&two_flags()), RedisServer::start());
    let config = || storing(&fake, &server).with("snapshot.file", &path);
    let first = config().started();
    eventually("the file is there", || fs::metadata(&path).is_ok());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!fs::read_to_string(&path).unwrap().contains(SDK_KEY));
    // Patches are written by and by, and at the end.
    fake.patch(Kind::Flag, &flag("b", 2, "two")).unwrap();
    first.serves("b", "two");
    assert_eq!(first.close(PATIENCE_MS), OK);
    fake.kill();
    let second = config().client();
    let config_of_third = config();
    server.kill();
    assert_eq!(second.start(0), Ok(()));
    second.serves("b", "two");
    assert_eq!((second.detail("a").stale, second.status()["from_file"].clone()), (true, true.into()));
    assert_eq!(second.state(), INIT);
    // Replaced wholly by the first answer, and never written to Redis.
    fake.edit(|environment| {
        environment.clear();
        environment.set(Kind::Flag, &flag("c", 1, "new")).unwrap();
    });
    fake.start_again().unwrap();
    second.serves("c", "new");
    assert_eq!(second.ask("a"), "FLAG_NOT_FOUND");
    second.reports("from_file", false);
    assert_eq!(second.close(PATIENCE_MS), OK);
    fake.kill();
    server.restart();
    server.set_flag("r", flag("r", 1, "of redis"));
    server.set_inited();
    let third = config_of_third.client();
    third.start(0).unwrap();
    third.serves("r", "of redis");
    assert_eq!(third.ask("c"), "FLAG_NOT_FOUND");
    assert!(field(&server, "c").is_none());
}

#[test]
fn a_damaged_snapshot_file_and_one_of_another_environment_are_refused_and_said() {
    let folder = TempDir::new("snapshot");
    let path = folder.path().join("flags").display().to_string();
    let fake = launchdarkly(&two_flags());
    let first = streaming(&fake).with("snapshot.file", &path).started();
    eventually("the file is there", || fs::metadata(&path).is_ok());
    assert_eq!(first.close(PATIENCE_MS), OK);
    let good = fs::read(&path).unwrap();
    fake.kill();
    let refuses = |config: Config, why: &str| {
        let client = config.with("snapshot.file", &path).client();
        client.start(0).unwrap();
        let mut lines = Vec::new();
        eventually("it is said", || {
            lines.extend(client.drain());
            lines.iter().any(|line| matches!(line, Notice::Log { level: 3, text } if text.contains(why)))
        });
        assert_eq!(client.ask("a"), "CLIENT_NOT_READY");
    };
    refuses(streaming(&fake).with("sdk.key", "another"), "another environment");
    refuses(streaming(&fake).with("redis.prefix", "another"), "another environment");
    fs::write(&path, &good[..good.len() - 20]).unwrap();
    refuses(streaming(&fake), "damaged");
    fs::write(&path, "something else\n").unwrap();
    refuses(streaming(&fake), "not a snapshot file");
}

#[test]
fn daemon_mode_keeps_a_snapshot_file_too() {
    let folder = TempDir::new("snapshot");
    let path = folder.path().join("flags").display().to_string();
    let mut server = RedisServer::holding(&two_flags(), &[]);
    let config = || Config::of(&server).with("snapshot.file", &path);
    let first = config().started();
    eventually("the file is there", || fs::metadata(&path).is_ok());
    assert_eq!(first.close(PATIENCE_MS), OK);
    let second = config().client();
    server.kill();
    assert_eq!(second.start(300).unwrap_err().status, TIMEOUT);
    second.serves("a", "one");
    assert!(second.detail("a").stale);
    server.restart();
    second.serves("a", "FLAG_NOT_FOUND");
    assert_eq!(server.run::<i64>(&["DBSIZE"]), 0, "daemon mode never writes");
}

#[test]
fn where_redis_hangs_a_short_start_ends_with_the_snapshot_file_in_force() {
    let folder = TempDir::new("snapshot");
    let path = folder.path().join("flags").display().to_string();
    let server = RedisServer::holding(&two_flags(), &[]);
    let config = || Config::of(&server).with("snapshot.file", &path);
    let first = config().started();
    eventually("the file is there", || fs::metadata(&path).is_ok());
    assert_eq!(first.close(PATIENCE_MS), OK);
    let second = config().client();
    server.stop();
    // Shorter than anything else here takes to be given up.
    assert_eq!(second.start(800).unwrap_err().status, TIMEOUT);
    assert_eq!((second.ask("a").as_str(), second.detail("a").stale), ("one", true));
    server.cont();
    second.reports("from_file", false);
    second.becomes(VALID);
}
