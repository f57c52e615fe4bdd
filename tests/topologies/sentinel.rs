//! Redis under sentinels: the primary is another server from one moment to the next, and edits on it are served; sentinels are
//! away, behind, of another service, or no sentinels at all.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use fakeld::Kind;
use serde_json::Value;

use crate::support::*;

/// What is to happen soon may take this long on a busy machine.
const SOON: Duration = Duration::from_secs(8);

fn config(url: &str, residency: &str) -> Config {
    Config::new()
        .with("redis.url", url)
        .with("redis.connect_timeout_ms", "2000")
        .with("redis.command_timeout_ms", "2000")
        .with("cache.residency", residency)
        .with("cache.ttl_ms", "1000")
}

fn number(value: &str) -> u64 {
    value.strip_prefix("edit ").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("served {value:?}"))
}

fn edit(version: u64) -> String {
    flag("a", i64::try_from(version).unwrap(), &format!("edit {version}"))
}

/// Sets flag `a` on the server on this port, if it takes it.
fn try_edit(port: u16, version: u64) -> redis::RedisResult<()> {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}"))?;
    let mut connection = client.get_connection_with_timeout(Duration::from_millis(500))?;
    connection.set_read_timeout(Some(Duration::from_millis(500)))?;
    redis::cmd("HSET").arg("launchdarkly:features").arg("a").arg(edit(version)).exec(&mut connection)
}

/// Where the primary is, and what was written to it.
struct Edits {
    primary: AtomicU64,
    tried: AtomicU64,
    written: AtomicU64,
    is_over: AtomicBool,
}

impl Edits {
    fn go_on(&self) {
        while !self.is_over.load(SeqCst) {
            let version = self.tried.fetch_add(1, SeqCst) + 1;
            if try_edit(u16::try_from(self.primary.load(SeqCst)).unwrap(), version).is_ok() {
                self.written.store(version, SeqCst);
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Evaluates until the end: how often an older value came after a newer one.
    fn watch(&self, client: &Client) -> u32 {
        let (mut newest, mut fallen) = (0, 0);
        while !self.is_over.load(SeqCst) {
            let served = number(&client.ask("a"));
            assert!(served <= self.tried.load(SeqCst), "{served} was never written");
            assert_eq!(client.ask("steady"), "yes");
            fallen += u32::from(served < newest);
            newest = served;
            thread::sleep(Duration::from_millis(1));
        }
        fallen
    }
}

#[test]
fn failovers_under_load_give_no_default_and_every_edit_on_the_new_primary_is_served() {
    let mut deployment = Deployment::holding(&[("a", edit(1)), ("steady", flag("steady", 1, "yes"))]);
    let first = deployment.servers[0].port();
    let clients = ["all", "lazy"].map(|residency| config(&deployment.url(), residency).started());
    clients.iter().for_each(|client| client.reports("freshness", "push"));
    let edits = Edits {
        primary: AtomicU64::new(first.into()),
        tried: AtomicU64::new(1),
        written: AtomicU64::new(1),
        is_over: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        let over = OverAtTheEnd(&edits.is_over);
        scope.spawn(|| edits.go_on());
        let evaluators: Vec<_> =
            clients.iter().chain(&clients).map(|client| scope.spawn(|| edits.watch(client))).collect();
        let follows = |what: &str| {
            let target = edits.written.load(SeqCst) + 5;
            eventually("edits go on", || edits.written.load(SeqCst) >= target);
            for client in &clients {
                wait_until(SOON, what, || number(&client.ask("a")) >= target);
            }
        };
        let moves_to = |port: u16, what: &str| {
            edits.primary.store(port.into(), SeqCst);
            follows(what);
            for client in &clients {
                client.becomes(VALID);
                client.reports("freshness", "push");
                let redis = &client.status()["redis"];
                assert_eq!(redis["address"], format!("127.0.0.1:{port}"), "{redis}");
            }
        };
        follows("before the failover");
        deployment.servers[0].stop();
        let second = deployment.elect_other_than(first, &[0, 1, 2]);
        moves_to(second, "after the primary hung");
        // It goes on as if it were the primary still, until a sentinel tells it otherwise.
        deployment.servers[0].cont();
        // Whoever asks may be cut off, for a sentinel ends the connections of a server that it makes a replica.
        let role = || deployment.servers[0].query::<redis::Value>(&["ROLE"]);
        eventually(
            "the old primary is a replica and has everything",
            || matches!(role(), Ok(redis::Value::Array(parts)) if parts.get(3) == Some(&redis::Value::BulkString(b"connected".to_vec()))),
        );
        follows("by pushes, while the old primary is back");
        let position = deployment.servers.iter().position(|server| server.port() == second).unwrap();
        deployment.servers[position].kill();
        assert_eq!(deployment.elect_other_than(second, &[0, 1, 2]), first);
        moves_to(first, "after the primary died");
        follows("by pushes");
        drop(over);
        // What an old primary took and did not pass on is lost, once a failover.
        evaluators.into_iter().for_each(|evaluator| assert!(evaluator.join().unwrap() <= 2));
    });
    let last = edits.written.load(SeqCst);
    clients.iter().for_each(|client| client.serves("a", &format!("edit {last}")));
}

#[test]
fn an_old_primary_that_still_serves_is_left_by_reader_writer_and_watch() {
    let deployment = Deployment::holding(&[("a", edit(1))]);
    let first = deployment.servers[0].port();
    let gate = Gate::to(deployment.sentinels[0].port());
    // An old sentinel: it cannot tell, and is asked.
    gate.rule("HELLO", Rule::error("ERR unknown command 'HELLO', with args beginning with: '3'"));
    let asked = format!("redis+sentinel://127.0.0.1:{}/{SERVICE}", gate.port());
    let readers =
        [("all", &deployment.url()), ("lazy", &deployment.url()), ("off", &deployment.url()), ("all", &asked)]
            .map(|(residency, url)| config(url, residency).started());
    let fake = launchdarkly(&[("b", flag("b", 1, "one"))]);
    let writer = streaming(&fake).with("redis.url", &deployment.url()).with("redis.prefix", "written").started();
    writer.serves("b", "one");
    let written = |port: u16, value: &str| {
        let text: Option<String> = deployment.at(port).run(&["HGET", "written:features", "b"]);
        text.is_some_and(|text| text.contains(value))
    };
    eventually("the writer fills the primary", || written(first, "one"));
    readers[..2].iter().for_each(|client| client.reports("freshness", "push"));
    // It hangs, and the clients may be listening to it.
    deployment.sentinels[2].stop();
    deployment.sentinels[1].run::<()>(&["SENTINEL", "FAILOVER", SERVICE]);
    let second = deployment.elect_other_than(first, &[0, 1]);
    try_edit(second, 2).unwrap();
    for (position, client) in readers.iter().enumerate() {
        wait_until(SOON, &format!("client {position} serves the new primary"), || client.ask("a") == "edit 2");
    }
    fake.patch(Kind::Flag, &flag("b", 2, "two")).unwrap();
    wait_until(SOON, "the writer writes to the new primary", || written(second, "two"));
    deployment.sentinels[2].cont();
    // The one that hung is behind for a moment, and nobody goes back.
    eventually("it catches up", || deployment.primary_by(2) == second);
    try_edit(second, 3).unwrap();
    readers.iter().for_each(|client| wait_until(SOON, "a push of the new primary", || client.ask("a") == "edit 3"));
    for client in &readers[..3] {
        client.becomes(VALID);
        assert_eq!(client.status()["redis"]["address"], format!("127.0.0.1:{second}"));
    }
}

#[test]
fn a_failover_is_heard_of_and_not_only_asked_for() {
    let deployment = Deployment::holding(&[("a", edit(1))]);
    let first = deployment.servers[0].port();
    // Asked every five seconds: three clients do not ask within one by chance.
    let clients = [(); 3].map(|()| config(&deployment.url(), "all").with("redis.ping_ms", "60000").started());
    let listening = || {
        let lists = deployment.sentinels.iter().map(|sentinel| sentinel.run::<String>(&["CLIENT", "LIST"]));
        lists.map(|list| list.lines().filter(|line| line.contains(" sub=2 ")).count()).sum::<usize>()
    };
    eventually("all listen", || listening() == 3);
    deployment.sentinels[1].run::<()>(&["SENTINEL", "FAILOVER", SERVICE]);
    let second = deployment.elect_other_than(first, &[0, 1, 2]);
    try_edit(second, 2).unwrap();
    let machine = Machine::watch();
    let (_, took) =
        machine.timed(|| eventually("it is served", || clients.iter().all(|client| client.ask("a") == "edit 2")));
    assert!(took < Duration::from_millis(1_500), "{took:?}");
}

#[test]
fn the_sentinel_that_leads_a_failover_is_heard_before_it_has_told_every_replica() {
    // That takes it a second and more. All others hear of the new primary at once.
    let deployment = Deployment::with_replicas(2, &[("a", edit(1))]);
    let url = format!("redis+sentinel://127.0.0.1:{}/{SERVICE}", deployment.sentinels[1].port());
    // Asked every five seconds.
    let client = config(&url, "all").with("redis.ping_ms", "60000").started();
    client.reports("freshness", "push");
    let first = deployment.servers[0].port();
    deployment.sentinels[1].run::<()>(&["SENTINEL", "FAILOVER", SERVICE]);
    let second = deployment.elect_other_than(first, &[1]);
    let other = deployment.servers.iter().find(|server| ![first, second].contains(&server.port())).unwrap();
    other.stop();
    try_edit(second, 2).unwrap();
    let machine = Machine::watch();
    let (_, took) = machine.timed(|| client.serves("a", "edit 2"));
    other.cont();
    assert!(took < Duration::from_millis(700), "{took:?}");
}

/// One server and one sentinel.
fn small(setup: Setup) -> (RedisServer, RedisServer, String) {
    let server = RedisServer::holding(&[("a", edit(1))], &[]);
    let sentinel = setup.sentinel(&watching(server.port(), 1)).start();
    let url = format!("redis+sentinel://127.0.0.1:{}/{SERVICE}", sentinel.port());
    (server, sentinel, url)
}

#[test]
fn the_known_primary_stays_in_use_when_all_sentinels_are_gone() {
    let (server, mut sentinel, url) = small(Setup::default());
    let client = config(&url, "all").with("log.level", "info").started();
    client.reports("freshness", "push");
    sentinel.kill();
    let mut told = Vec::new();
    let mut tells = |what: &str| {
        eventually(what, || {
            let notices = client.drain();
            told.extend([log_lines(&notices, 1), log_lines(&notices, 2)].concat());
            told.iter().any(|line| line.contains(what))
        });
    };
    let stays = format!("the one at 127.0.0.1:{} stays in use", server.port());
    tells(&stays);
    let error = || client.status()["redis"]["sentinels"][0]["error"].to_string();
    eventually("the status says why", || error().contains("Connection refused"));
    assert_eq!(client.state(), VALID);
    server.set_flag("a", edit(2));
    client.serves("a", "edit 2");
    // Also connections that are made anew.
    server.run::<i64>(&["CLIENT", "KILL", "TYPE", "normal"]);
    server.set_flag("a", edit(3));
    client.serves("a", "edit 3");
    client.becomes(VALID);
    client.reports("freshness", "push");
    sentinel.restart();
    tells("sentinels tell again where the primary is");
    eventually("no error is left", || client.status()["redis"]["sentinels"][0]["error"].is_null());
}

#[test]
fn flags_stay_in_force_while_everything_is_gone_and_heal_when_it_is_back() {
    let (mut server, mut sentinel, url) = small(Setup::default());
    let client = config(&url, "all").with("redis.ping_ms", "200").started();
    sentinel.kill();
    server.kill();
    client.becomes(INTERRUPTED);
    throughout(Duration::from_secs(1), || assert_eq!(client.ask("a"), "edit 1"));
    eventually("the error names the server and the silence", || {
        let error = client.status()["last_error"].to_string();
        error.contains(&server.port().to_string()) && error.contains("no sentinel tells")
    });
    server.restart();
    server.replace(&[("a", edit(2))], &[]);
    client.serves("a", "edit 2");
    client.becomes(VALID);
    sentinel.restart();
    throughout(Duration::from_secs(1), || assert_eq!(client.ask("a"), "edit 2"));
}

fn last_error(client: &Client) -> String {
    client.status()["last_error"].as_str().unwrap_or_default().to_owned()
}

/// A client that does not become ready says why in its first error.
#[track_caller]
fn fails_with(url: &str, words: &[&str]) {
    let client = config(url, "all").client();
    assert!(client.start(300).is_err());
    eventually("an error is told", || !last_error(&client).is_empty());
    let lines = log_lines(&client.drain(), 3);
    for word in words {
        assert!(lines.first().is_some_and(|line| line.contains(word)), "{word:?} is not in {lines:?}");
    }
}

#[test]
fn what_is_wrong_with_the_sentinels_is_the_first_error() {
    let (server, sentinel, url) = small(Setup::default().password("sesame"));
    let (port, data) = (sentinel.port(), server.port());
    let open = Setup::default().sentinel(&watching(server.port(), 1)).start();
    let away = free_port();
    let known = open.port();
    fails_with(
        &format!("redis+sentinel://127.0.0.1:{known}/other"),
        &["no sentinel knows a service \"other\"", &known.to_string()],
    );
    fails_with(
        &format!("redis+sentinel://127.0.0.1:{data}/main"),
        &["is a data node and no sentinel", &data.to_string()],
    );
    let node = Setup::default().argument(&["--cluster-enabled", "yes"]).start();
    fails_with(&format!("redis+sentinel://127.0.0.1:{}/main", node.port()), &["is a data node and no sentinel"]);
    fails_with(&format!("redis://127.0.0.1:{known}"), &["is a sentinel", "redis+sentinel://"]);
    fails_with(&format!("redis+sentinel://127.0.0.1:{away}/main"), &["no sentinel tells", "Connection refused"]);
    fails_with(&url, &["refuses the login", "sentinel_password"]);
    fails_with(&format!("{url}?sentinel_password=wrong"), &["refuses the login"]);
    fails_with(
        &format!("redis+sentinel://127.0.0.1:{away},127.0.0.1:{data},127.0.0.1:{port},127.0.0.1:{known}/nope"),
        &["Connection refused", "is a data node", "refuses the login", "does not know the service"],
    );
}

#[test]
fn closing_does_not_wait_for_a_sentinel_that_hangs() {
    let (_server, sentinel, url) = small(Setup::default());
    let config = config(&url, "all").with("redis.ping_ms", "100").with("redis.connect_timeout_ms", "20000");
    let client = config.with("redis.command_timeout_ms", "20000").started();
    client.reports("freshness", "push");
    sentinel.stop();
    // Asked by now, and without an answer.
    throughout(Duration::from_millis(500), || assert_eq!(client.ask("a"), "edit 1"));
    let machine = Machine::watch();
    let (outcome, took) = machine.timed(|| client.close(10_000));
    sentinel.cont();
    assert_eq!(outcome, OK);
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_mixed_list_works_and_each_that_is_of_no_use_is_named() {
    let (server, sentinel, _) = small(Setup::default());
    let (data, known, away) = (server.port(), sentinel.port(), free_port());
    let url = format!("redis+sentinel://127.0.0.1:{away},127.0.0.1:{data},127.0.0.1:{known}/{SERVICE}");
    let client = config(&url, "all").started();
    assert_eq!(client.ask("a"), "edit 1");
    let mut lines = Vec::new();
    eventually("both are named", || {
        lines.extend(log_lines(&client.drain(), 2));
        lines.iter().any(|line| line.contains(&format!("127.0.0.1:{data} is of no use: is a data node")))
            && lines.iter().any(|line| line.contains(&format!("127.0.0.1:{away} is of no use")))
    });
    let redis = &client.status()["redis"];
    assert_eq!(redis["topology"], "sentinel");
    assert_eq!(redis["service"], SERVICE);
    assert_eq!(redis["asked"], format!("127.0.0.1:{known}"));
    assert_eq!(redis["address"], format!("127.0.0.1:{data}"));
    let errors: Vec<bool> = redis["sentinels"].as_array().unwrap().iter().map(|one| one["error"].is_string()).collect();
    assert_eq!(errors, [true, true, false]);
}

#[test]
fn the_status_tells_where_a_single_server_is() {
    let server = RedisServer::holding(&[("a", edit(1))], &[]);
    let redis = &Config::at(&format!("{}/0", server.url())).started().status()["redis"];
    let address = format!("127.0.0.1:{}", server.port());
    let expected =
        serde_json::json!({ "topology": "standalone", "address": address, "database": 0, "credentials": null });
    assert_eq!(*redis, expected);
    let data = TestData::new();
    data.set_flag(&edit(1));
    assert_eq!(Config::new().with("source.kind", "testdata").with_data(&data).started().status()["redis"], Value::Null);
}

#[test]
fn a_replica_that_a_sentinel_takes_for_the_primary_is_not_read() {
    let primary = replicating(None);
    primary.replace(&[("a", edit(1))], &[]);
    let replica = replicating(Some(primary.port()));
    eventually("the replica has everything", || replica.is_inited());
    let sentinel = Setup::default().sentinel(&watching(replica.port(), 1)).start();
    let url = format!("redis+sentinel://127.0.0.1:{}/{SERVICE}", sentinel.port());
    fails_with(&url, &[&format!("127.0.0.1:{} is a replica", replica.port())]);
    // It takes office: nothing has to be started anew.
    let client = config(&url, "all").client();
    replica.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    client.start(PATIENCE_MS).unwrap();
    assert_eq!(client.ask("a"), "edit 1");
}

#[test]
fn a_primary_that_is_named_and_cannot_be_met_is_told_and_the_known_one_stays_in_use() {
    let (server, sentinel, url) = small(Setup::default());
    let client = config(&url, "all").with("redis.ping_ms", "100").started();
    client.reports("freshness", "push");
    let nobody = free_port();
    sentinel.run::<()>(&["SENTINEL", "REMOVE", SERVICE]);
    sentinel.run::<()>(&["SENTINEL", "MONITOR", SERVICE, "127.0.0.1", &nobody.to_string(), "1"]);
    let mut lines = Vec::new();
    eventually("it is told", || {
        lines.extend(log_lines(&client.drain(), 2));
        lines
            .iter()
            .any(|line| line.contains(&format!("127.0.0.1:{nobody} as the primary")) && line.contains("stays in use"))
    });
    server.set_flag("a", edit(2));
    client.serves("a", "edit 2");
    // It may be one that serves on although another one is in office.
    client.becomes(INTERRUPTED);
    assert_eq!(client.status()["redis"]["address"], format!("127.0.0.1:{}", server.port()));
    // What is told once is not told again and again.
    throughout(Duration::from_secs(1), || {});
    lines.extend(log_lines(&client.drain(), 2));
    assert_eq!(lines.iter().filter(|line| line.contains("stays in use")).count(), 1, "{lines:?}");
    sentinel.run::<()>(&["SENTINEL", "REMOVE", SERVICE]);
    sentinel.run::<()>(&["SENTINEL", "MONITOR", SERVICE, "127.0.0.1", &server.port().to_string(), "1"]);
    client.becomes(VALID);
}

#[test]
fn logins_and_tls_of_sentinels_and_data_nodes_are_apart() {
    let certificates = Certificates::new();
    let server = Setup::default().password("of data").tls(&certificates, false).start();
    server.set_flag("a", edit(1));
    server.set_inited();
    let settings = format!(
        "sentinel monitor {SERVICE} 127.0.0.1 {} 1\nsentinel auth-pass {SERVICE} \"of data\"\ntls-replication yes\n",
        server.tls_port()
    );
    let user = "asker on >of-sentinels allchannels +sentinel +subscribe +hello +auth +ping";
    let sentinel =
        Setup::default().sentinel(&settings).user(user).argument(&["--requirepass", "other"]).password("other");
    // Whoever speaks TLS with it needs a certificate.
    let sentinel = sentinel.tls(&certificates, true).start();
    let (port, tls_port) = (sentinel.port(), sentinel.tls_port());
    let login = "sentinel_user=asker&sentinel_password=of-sentinels";
    for url in [
        format!("rediss+sentinel://:of%20data@127.0.0.1:{tls_port}/{SERVICE}?{login}"),
        format!("rediss+sentinel://:of%20data@127.0.0.1:{port}/{SERVICE}?{login}&sentinel_tls=no"),
        format!("valkeys+sentinel://default:of%20data@localhost:{tls_port}/{SERVICE}/0?{login}&sentinel_tls=yes"),
    ] {
        let client = config(&url, "all")
            .with("redis.tls.ca_file", &certificates.path("ca.pem"))
            .with("redis.tls.cert_file", &certificates.path("client.pem"))
            .with("redis.tls.key_file", &certificates.path("client.key"))
            .started();
        assert_eq!(client.ask("a"), "edit 1", "{url}");
        client.reports("freshness", "push");
    }
    let url = format!("redis+sentinel://127.0.0.1:{port}/{SERVICE}?{login}");
    fails_with(&url, &["TLS on this port"]);
}
