//! Redis under sentinels in bad times: those that the address does not list, those that are behind, gone, hang or talk nonsense, and
//! what becomes of readers, writers, members of big segments and replicas meanwhile. No known flag falls back to its default.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use fakeld::Kind;
use flagstone::big_segments::context_hash;

use crate::support::*;

/// What is to happen soon may take this long on a busy machine.
const SOON: Duration = Duration::from_secs(15);
const HEALTHY: i32 = 1;

fn config(url: &str) -> Config {
    Config::new()
        .with("redis.url", url)
        .with("redis.connect_timeout_ms", "2000")
        .with("redis.command_timeout_ms", "2000")
        .with("redis.ping_ms", "300")
        .with("cache.ttl_ms", "1000")
}

fn edit(version: i64) -> String {
    flag("a", version, &format!("edit {version}"))
}

fn holding(version: i64) -> RedisServer {
    RedisServer::holding(&[("a", edit(version)), ("steady", flag("steady", 1, "yes"))], &[])
}

fn address(client: &Client) -> String {
    client.status()["redis"]["address"].as_str().unwrap_or_default().to_owned()
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// Number of connections of clients to a server.
fn connections(server: &RedisServer) -> usize {
    let list: String = server.run(&["CLIENT", "LIST"]);
    list.lines().filter(|line| line.contains("name=flagstone-")).count()
}

/// Does something while known flags are evaluated all the time: none may fall back to its default.
fn steadily(clients: &[&Client], work: impl FnOnce()) {
    // Residency `lazy` does not know what nobody has asked for.
    clients.iter().for_each(|client| assert_eq!(client.ask("steady"), "yes"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = OverAtTheEnd(&is_over);
        for client in clients {
            let is_over = &is_over;
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    assert_eq!(client.ask("steady"), "yes");
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        work();
        drop(over);
    });
}

fn listed(client: &Client) -> Vec<(String, bool)> {
    let status = client.status();
    let known =
        |one: &serde_json::Value| (one["address"].as_str().unwrap().to_owned(), one["listed"].as_bool().unwrap());
    status["redis"]["sentinels"].as_array().unwrap().iter().map(known).collect()
}

#[test]
fn sentinels_that_are_not_listed_are_found_used_when_the_listed_one_is_gone_and_forgotten_with_it() {
    let mut deployment = Deployment::holding(&[("a", edit(1)), ("steady", flag("steady", 1, "yes"))]);
    let ports: Vec<u16> = deployment.sentinels.iter().map(RedisServer::port).collect();
    let client = config(&format!("redis+sentinel://127.0.0.1:{}/{SERVICE}", ports[0])).started();
    let knows = |expected: &[u16]| {
        let mut found = listed(&client);
        found.sort();
        let mut expected: Vec<_> = expected.iter().map(|port| (at(*port), *port == ports[0])).collect();
        expected.sort();
        found == expected
    };
    eventually("the others are found", || knows(&ports));
    steadily(&[&client], || {
        // One goes for good, and the others forget it.
        deployment.sentinels[2].kill();
        for sentinel in &deployment.sentinels[..2] {
            sentinel.run::<i64>(&["SENTINEL", "RESET", SERVICE]);
        }
        eventually("the two find each other again", || {
            let others: Vec<redis::Value> = deployment.sentinels[0].run(&["SENTINEL", "SENTINELS", SERVICE]);
            others.len() == 1
        });
        deployment.sentinels[0].run::<i64>(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        eventually("the one that is gone is forgotten", || knows(&ports[..2]));
        // The listed one goes, and a failover comes: only one that was told of is left to say so.
        deployment.sentinels[0].kill();
        let asked = || client.status()["redis"]["asked"] == at(ports[1]);
        eventually("one that is not listed is asked", asked);
        let first = deployment.servers[0].port();
        let second = deployment.servers[1].port();
        deployment.sentinels[1].run::<()>(&["SENTINEL", "SET", SERVICE, "quorum", "1"]);
        let elects = |mut connection| redis::cmd("SENTINEL").arg("FAILOVER").arg(SERVICE).exec(&mut connection).is_ok();
        eventually("the replica can be elected", || elects(deployment.sentinels[1].connect()));
        // Whoever is elected loses its connections.
        let takes_edit = || -> redis::RedisResult<()> {
            let mut connection = redis::Client::open(deployment.servers[1].url())?.get_connection()?;
            redis::cmd("HSET").arg("launchdarkly:features").arg("a").arg(edit(2)).exec(&mut connection)
        };
        wait_until(Duration::from_secs(30), "the replica takes office", || takes_edit().is_ok());
        wait_until(SOON, "the edit on the new primary", || client.ask("a") == "edit 2");
        assert_eq!((address(&client), first == second), (at(second), false));
    });
}

#[test]
fn a_sentinel_that_is_behind_leads_nobody_back_to_an_old_primary() {
    let (old, new) = (holding(1), holding(2));
    let sentinels = [(); 3].map(|()| ScriptedSentinel::naming(old.port(), 1));
    let clients = ["all", "lazy", "off"]
        .map(|residency| config(&ScriptedSentinel::url(&sentinels)).with("cache.residency", residency).started());
    let clients: Vec<&Client> = clients.iter().collect();
    for client in &clients {
        assert_eq!(client.ask("a"), "edit 1");
    }
    // The old one was cut off from all but the first sentinel, and goes on serving as a primary.
    sentinels[1..].iter().for_each(|sentinel| sentinel.name(new.port(), 2));
    for client in &clients {
        wait_until(SOON, "the new primary is read", || client.ask("a") == "edit 2");
    }
    sentinels[1..].iter().for_each(ScriptedSentinel::kill);
    eventually("the old primary is left", || connections(&old) == 0);
    steadily(&clients[..2], || {
        for version in 3..8 {
            // Everything connects anew, by the word of the one that is behind.
            new.run::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]);
            new.set_flag("a", edit(version));
            for client in &clients {
                let (expected, what) = (format!("edit {version}"), format!("{version}: {}", client.status()));
                wait_until(SOON, &what, || client.ask("a") == expected);
                assert_eq!(address(client), at(new.port()));
            }
        }
    });
    let error = || clients[0].status()["redis"]["sentinels"][0]["error"].to_string();
    eventually("the status says which one is behind", || error().contains("is behind"));
    // A start that knows nothing else believes it, of course.
    assert_eq!(config(&ScriptedSentinel::url(&sentinels)).started().ask("a"), "edit 1");
}

#[test]
fn an_earlier_failover_counts_where_most_sentinels_say_so_and_none_contradicts() {
    // As after all of them were set up anew.
    let (old, new) = (holding(1), holding(2));
    let sentinels = [(); 3].map(|()| ScriptedSentinel::naming(old.port(), 7));
    let client = config(&ScriptedSentinel::url(&sentinels)).started();
    assert_eq!(client.ask("a"), "edit 1");
    sentinels[0].name(new.port(), 0);
    throughout(Duration::from_secs(1), || assert_eq!(client.ask("a"), "edit 1"));
    sentinels[1].name(new.port(), 0);
    throughout(Duration::from_secs(1), || assert_eq!(client.ask("a"), "edit 1"));
    sentinels[2].kill();
    wait_until(SOON, "the new primary is read", || client.ask("a") == "edit 2");
    assert_eq!(address(&client), at(new.port()));
}

#[test]
fn what_an_old_primary_alone_has_got_is_written_again_to_the_new_one() {
    let (old, new) = (RedisServer::start(), RedisServer::start());
    let sentinels = [(); 3].map(|()| ScriptedSentinel::naming(old.port(), 1));
    let fake = launchdarkly(&[("b", flag("b", 1, "one")), ("steady", flag("steady", 1, "yes"))]);
    let writer = streaming(&fake)
        .with("redis.url", &ScriptedSentinel::url(&sentinels))
        .with("redis.ping_ms", "300")
        .with("refresh.interval_ms", "1000")
        .started();
    let has = |server: &RedisServer, value: &str| server.text("features", "b").is_some_and(|text| text.contains(value));
    eventually("the writer fills the primary", || has(&old, "one") && old.is_inited());
    // So far the other one had got when the old one was cut off.
    new.replace(&[("b", flag("b", 1, "one")), ("steady", flag("steady", 1, "yes"))], &[]);
    let reader = config(&ScriptedSentinel::url(&sentinels)).started();
    fake.patch(Kind::Flag, &flag("b", 2, "two")).unwrap();
    eventually("the old primary gets an edit", || has(&old, "two"));
    wait_until(SOON, "and the reader", || reader.ask("b") == "two");
    steadily(&[&reader, &writer], || {
        sentinels.iter().for_each(|sentinel| sentinel.name(new.port(), 2));
        wait_until(SOON, "it is written again", || has(&new, "two"));
        fake.patch(Kind::Flag, &flag("b", 3, "three")).unwrap();
        wait_until(SOON, "the next one goes to the new primary", || has(&new, "three"));
        wait_until(SOON, "and is read there", || reader.ask("b") == "three");
        wait_until(SOON, "link, reader and writer have moved", || connections(&old) == 0);
    });
    assert!(has(&old, "two"), "nobody writes to the old one any more");
    [&reader, &writer].iter().for_each(|client| assert_eq!(address(client), at(new.port())));
}

#[test]
fn a_failover_while_no_sentinel_is_there_is_followed_when_they_are_back() {
    let mut deployment = Deployment::holding(&[("a", edit(1)), ("steady", flag("steady", 1, "yes"))]);
    let client = config(&deployment.url()).with("log.level", "info").started();
    client.reports("freshness", "push");
    steadily(&[&client], || {
        deployment.sentinels.iter_mut().for_each(RedisServer::kill);
        deployment.servers[0].kill();
        client.becomes(INTERRUPTED);
        deployment.servers[1].run::<()>(&["REPLICAOF", "NO", "ONE"]);
        deployment.servers[1].set_flag("a", edit(2));
        throughout(Duration::from_millis(500), || assert_eq!(client.ask("a"), "edit 1"));
        deployment.sentinels.iter_mut().for_each(RedisServer::restart);
        wait_until(Duration::from_secs(60), "the edit on the new primary", || client.ask("a") == "edit 2");
        client.becomes(VALID);
    });
    assert_eq!(address(&client), at(deployment.servers[1].port()));
    let notices = client.drain();
    let lines: Vec<String> = (1..=3).flat_map(|level| log_lines(&notices, level)).collect();
    assert!(lines.len() <= 15, "{lines:#?}");
}

/// Threads that listen to sentinels for members of big segments alone.
fn seekers_of_members() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    // The system keeps fifteen characters.
    tasks.map(name).filter(|name| name.trim_end() == "flagstone-seek-").count()
}

/// A server with big segment `vip`, in which `user` is.
fn with_vip(user: &str) -> RedisServer {
    let server = RedisServer::start();
    let segment =
        r#"{"key":"vip","version":1,"unbounded":true,"generation":7,"unboundedContextKind":"user","salt":"s"}"#;
    server.replace(&[("vip", Flag::new("vip", 1, "in").for_segment("vip").text())], &[("vip", segment.to_owned())]);
    server.run::<()>(&["SET", "launchdarkly:big_segments_synchronized_on", "9999999999999"]);
    server.run::<i64>(&["SADD", &format!("launchdarkly:big_segment_include:{}", context_hash(user)), "vip.g7"]);
    server
}

fn vip(client: &Client, user: &str) -> (String, i32) {
    let detail = client.detail_for(&Context::user(user), "vip");
    (detail.word(), detail.big_segments)
}

#[test]
fn members_of_big_segments_leave_an_old_primary_that_still_serves() {
    let (old, new, flags) = (with_vip("ada"), with_vip("bob"), with_vip("nobody"));
    let sentinels = [(); 2].map(|()| ScriptedSentinel::naming(old.port(), 1));
    let url = ScriptedSentinel::url(&sentinels);
    let lasting = |config: Config| config.with("big_segments.cache_ms", "600000").with("redis.ping_ms", "300");
    let clients = [
        lasting(config(&url)).started(),
        lasting(config(&url)).with("cache.freshness", "ttl").started(),
        lasting(Config::of(&flags)).with("big_segments.url", &url).started(),
    ];
    for client in &clients {
        assert_eq!(vip(client, "ada"), ("in".to_owned(), HEALTHY));
        assert_eq!(vip(client, "bob"), (OTHER.to_owned(), HEALTHY));
    }
    assert_eq!(seekers_of_members(), 1, "where the flags are there as well, their thread does");
    eventually("all read the old one", || connections(&old) >= 3);
    sentinels.iter().for_each(|sentinel| sentinel.name(new.port(), 2));
    for (position, client) in clients.iter().enumerate() {
        wait_until(SOON, &format!("client {position} asks the new primary"), || {
            vip(client, "ada").0 == OTHER && vip(client, "bob").0 == "in"
        });
    }
    eventually("nobody asks the old one any more", || connections(&old) == 0);
    let machine = Machine::watch();
    let (_, took) = machine.timed(|| clients.iter().for_each(|client| assert_eq!(client.close(10_000), OK)));
    assert!(took < Duration::from_secs(3), "{took:?}");
    eventually("no thread is left", || seekers_of_members() == 0);
}

#[test]
fn whatever_a_sentinel_answers_another_one_is_used_and_no_secret_is_told() {
    const SECRET: &str = "hunter2";
    let server = holding(1);
    let sentinel = Setup::default().password(SECRET).sentinel(&watching(server.port(), 1)).start();
    let fixed = |text: &'static str| Scripted::answering(move |_| text.as_bytes().to_vec());
    let strange = [
        // As sentinels before version 5.0.1 say it.
        Scripted::answering(|words| {
            let arguments = words[1..].join("', '");
            format!("-ERR unknown command '{}', with args beginning with: '{arguments}'\r\n", words[0]).into_bytes()
        }),
        Scripted::answering(|words| format!("-ERR what is {}?\r\n", words.join(" ")).into_bytes()),
        fixed("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        fixed("\0\u{1}\r\n\r\n"),
        fixed("$9999999999999\r\nx"),
        fixed("*2\r\n$-1\r\n$-1\r\n"),
        fixed("*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n"),
        fixed(":-1\r\n"),
        fixed("+OK\r\n"),
        fixed(">2\r\n$10\r\ninvalidate\r\n*-1\r\n"),
        Scripted::answering(|_| "*1\r\n".repeat(2_000).into_bytes()),
        Scripted::answering(|_| Vec::new()),
        Scripted::answering(|_| {
            thread::sleep(Duration::from_secs(120));
            Vec::new()
        }),
    ];
    for (position, one) in strange.iter().enumerate() {
        let url = format!(
            "redis+sentinel://127.0.0.1:{},127.0.0.1:{}/{SERVICE}?sentinel_password={SECRET}",
            one.port(),
            sentinel.port()
        );
        let client = config(&url).with("log.level", "debug").client();
        client.start(PATIENCE_MS).unwrap_or_else(|failure| panic!("{position}: {}", failure.message));
        assert_eq!(client.ask("a"), "edit 1", "{position}");
        let remark = || client.status()["redis"]["sentinels"][0]["error"].as_str().map(str::to_owned);
        eventually(&format!("the status says what is wrong with number {position}"), || remark().is_some());
        let told = format!("{:?} {}", client.drain(), client.status());
        assert!(!told.contains(SECRET), "{position}: {told}");
        assert!(remark().unwrap().len() < 300, "{position}: {remark:?}", remark = remark());
    }
}

#[test]
fn a_replica_alone_holds_what_is_known_and_starts_nobody() {
    let mut deployment = Deployment::holding(&[("a", edit(1)), ("steady", flag("steady", 1, "yes"))]);
    let url = format!("{}?read=prefer-replica", deployment.url());
    let client = config(&url).started();
    eventually("it reads the replica", || client.status()["redis"]["role"] == "replica");
    steadily(&[&client], || {
        // Those that are left elect nobody.
        deployment.sentinels[1..].iter_mut().for_each(RedisServer::kill);
        deployment.servers[0].kill();
        client.becomes(INTERRUPTED);
        wait_until(SOON, "it is said of each result", || client.detail("a").stale);
        let newcomer = config(&url).client();
        assert!(newcomer.start(1_000).is_err());
        let error = newcomer.status()["last_error"].to_string();
        assert!(error.contains(&deployment.servers[0].port().to_string()) || error.contains("is a replica"), "{error}");
        deployment.servers[0].restart();
        deployment.servers[0].replace(&[("a", edit(2)), ("steady", flag("steady", 1, "yes"))], &[]);
        client.becomes(VALID);
        wait_until(SOON, "the edit", || client.ask("a") == "edit 2");
    });
}

#[test]
#[ignore = "topology: two hundred clients in one process"]
#[allow(clippy::print_stderr, clippy::cast_precision_loss, reason = "what was measured is said")]
fn two_hundred_clients_ask_little_of_three_sentinels_and_all_follow_a_failover() {
    const COUNT: usize = 200;
    let deployment = Deployment::holding(&[("a", edit(1)), ("steady", flag("steady", 1, "yes"))]);
    let patient = |url: &str| {
        Config::new()
            .with("redis.url", url)
            .with("redis.connect_timeout_ms", "15000")
            .with("redis.command_timeout_ms", "15000")
            .with("log.level", "info")
    };
    let clients: Vec<Client> = (0..COUNT).map(|_| patient(&deployment.url()).started()).collect();
    clients.iter().for_each(|client| client.reports("freshness", "push"));
    let commands = || -> u64 {
        let count = |sentinel: &RedisServer| -> u64 {
            let text: String = sentinel.run(&["INFO", "stats"]);
            let count = text.lines().find_map(|line| line.strip_prefix("total_commands_processed:")).unwrap();
            count.trim().parse().unwrap()
        };
        deployment.sentinels.iter().map(count).sum()
    };
    let (before, span) = (commands(), Duration::from_secs(20));
    thread::sleep(span);
    let each = (commands() - before) as f64 / span.as_secs_f64() / COUNT as f64;
    let listening = |sentinel: &RedisServer| -> usize {
        let list: String = sentinel.run(&["CLIENT", "LIST"]);
        list.lines().filter(|line| line.contains("name=flagstone-")).count()
    };
    let spread: Vec<usize> = deployment.sentinels.iter().map(listening).collect();
    clients.iter().for_each(|client| drop(client.drain()));
    let first = deployment.servers[0].port();
    deployment.sentinels[1].run::<()>(&["SENTINEL", "FAILOVER", SERVICE]);
    let second = deployment.elect_other_than(first, &[0, 1, 2]);
    deployment.at(second).set_flag("a", edit(2));
    let (_, took) = timed(|| {
        for client in &clients {
            wait_until(Duration::from_secs(60), "the edit on the new primary", || client.ask("a") == "edit 2");
        }
    });
    clients.iter().for_each(|client| client.becomes(VALID));
    let told = |client: &Client| {
        let notices = client.drain();
        (1..=3).map(|level| log_lines(&notices, level).len()).sum::<usize>()
    };
    let lines: usize = clients.iter().map(told).sum();
    eprintln!(
        "{each:.2} commands a second and client; {spread:?} listen; all follow after {took:?}; {} lines each",
        lines / COUNT
    );
    assert!(each < 5.0, "{each}");
    assert!(spread.iter().all(|count| *count >= COUNT / 10), "{spread:?}");
    assert!(lines <= 6 * COUNT, "{lines}");
}
