//! Reads from a replica under sentinels: reading and watching lead to the same one, nothing older is ever served because of it, and
//! the primary is read when there is none.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::support::*;

/// What is to happen soon may take this long on a busy machine.
const SOON: Duration = Duration::from_secs(8);

fn edit(version: i64) -> String {
    flag("a", version, &format!("edit {version}"))
}

fn number(value: &str) -> i64 {
    value.strip_prefix("edit ").and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("served {value:?}"))
}

fn config(deployment: &Deployment, read: &str, residency: &str) -> Config {
    Config::new()
        .with("redis.url", &format!("{}?read={read}", deployment.url()))
        .with("redis.connect_timeout_ms", "2000")
        .with("redis.command_timeout_ms", "2000")
        .with("redis.ping_ms", "300")
        .with("cache.residency", residency)
        .with("cache.ttl_ms", "1000")
}

fn place(client: &Client) -> (String, String) {
    let redis = &client.status()["redis"];
    let text = |name: &str| redis[name].as_str().unwrap_or_default().to_owned();
    (text("role"), text("address"))
}

fn at(role: &str, server: &RedisServer) -> (String, String) {
    (role.to_owned(), format!("127.0.0.1:{}", server.port()))
}

#[test]
fn reading_and_watching_lead_to_the_same_replica_and_spare_the_primary() {
    let deployment = Deployment::with_replicas(2, &[("a", edit(1))]);
    let (primary, replicas) = (&deployment.servers[0], &deployment.servers[1..]);
    let residencies = ["all", "lazy", "off", "all", "lazy", "off"];
    let clients = residencies.map(|residency| config(&deployment, "prefer-replica", residency).started());
    for client in &clients {
        assert_eq!(client.ask("a"), "edit 1");
        client.becomes(VALID);
    }
    let read = |replica: &RedisServer| clients.iter().filter(|client| place(client) == at("replica", replica)).count();
    let is_shared = || replicas.iter().all(|replica| replica.tracking_connections() == read(replica));
    eventually("each watches what it reads", is_shared);
    assert_eq!(replicas.iter().map(read).sum::<usize>(), clients.len());
    for version in 2..20 {
        primary.set_flag("a", edit(version));
        let served = || clients.iter().all(|client| client.ask("a") == format!("edit {version}"));
        wait_until(SOON, &format!("edit {version}"), served);
    }
    assert!(is_shared());
    assert_eq!(primary.tracking_connections(), 0);
    let calls = primary.calls();
    assert!(["hgetall", "hmget", "hget"].iter().all(|command| !calls.contains_key(*command)), "{calls:?}");
    let nearest = config(&deployment, "nearest", "all").started();
    assert_eq!(nearest.ask("a"), "edit 19");
    let place = place(&nearest);
    assert!(
        place == at("primary", primary) || replicas.iter().any(|replica| place == at("replica", replica)),
        "{place:?}"
    );
}

#[test]
fn who_writes_reads_the_primary() {
    let deployment = Deployment::holding(&[]);
    let fake = launchdarkly(&[("a", flag("a", 1, "one"))]);
    let url = format!("{}?read=prefer-replica", deployment.url());
    let client = streaming(&fake).with("redis.url", &url).started();
    client.serves("a", "one");
    eventually("the primary is written", || deployment.servers[0].text("features", "a").is_some());
    eventually("and watched", || deployment.servers[0].tracking_connections() == 1);
    assert_eq!(place(&client), at("primary", &deployment.servers[0]));
    assert_eq!(deployment.servers[1].tracking_connections(), 0);
    // It is healed there, too.
    deployment.servers[0].remove(&["features", "segments", "$inited"]);
    eventually("the loss is healed", || deployment.servers[0].is_inited());
}

/// The replica is no good for a while; no evaluation may see an older value than before, or a default.
fn leaves_and_comes_back(spoil: fn(&RedisServer, u16), mend: fn(&RedisServer, u16)) {
    let deployment = Deployment::holding(&[("a", edit(1)), ("steady", flag("steady", 1, "yes"))]);
    let (primary, replica) = (&deployment.servers[0], &deployment.servers[1]);
    let clients = ["all", "lazy"].map(|residency| config(&deployment, "prefer-replica", residency).started());
    eventually("all watch the replica", || replica.tracking_connections() == 2);
    // Residency `lazy` does not know what nobody has asked for.
    clients
        .iter()
        .for_each(|client| assert_eq!((client.ask("a").as_str(), client.ask("steady").as_str()), ("edit 1", "yes")));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = OverAtTheEnd(&is_over);
        for client in &clients {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut newest = 1;
                while !is_over.load(SeqCst) {
                    let served = number(&client.ask("a"));
                    assert!(served >= newest, "{served} after {newest}");
                    assert_eq!(client.ask("steady"), "yes");
                    newest = served;
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let mut version = 1;
        let mut edits = |what: &str| {
            version += 1;
            primary.set_flag("a", edit(version));
            for client in &clients {
                wait_until(SOON, what, || number(&client.ask("a")) == version);
            }
        };
        edits("by the replica");
        spoil(replica, primary.port());
        edits("by the primary");
        clients.iter().for_each(|client| assert_eq!(place(client), at("primary", primary)));
        clients.iter().for_each(|client| client.becomes(VALID));
        mend(replica, primary.port());
        for client in &clients {
            wait_until(Duration::from_secs(45), "the replica is read again", || {
                place(client) == at("replica", replica)
            });
        }
        edits("by the replica again");
        eventually("the primary is spared again", || primary.tracking_connections() == 0);
        drop(over);
    });
}

#[test]
fn a_replica_that_hangs_is_left_for_the_primary_and_read_again_later() {
    leaves_and_comes_back(|replica, _| replica.stop(), |replica, _| replica.cont());
}

#[test]
fn a_replica_that_has_lost_its_primary_is_left_although_it_answers_and_read_again_later() {
    let nobody = |replica: &RedisServer, _| replica.run::<()>(&["REPLICAOF", "127.0.0.1", &free_port().to_string()]);
    leaves_and_comes_back(nobody, |replica, primary| replica.run(&["REPLICAOF", "127.0.0.1", &primary.to_string()]));
}

#[test]
fn a_replica_that_takes_office_goes_on_being_read() {
    let mut deployment = Deployment::holding(&[("a", edit(1))]);
    let clients = ["all", "lazy"].map(|residency| config(&deployment, "prefer-replica", residency).started());
    eventually("all watch the replica", || deployment.servers[1].tracking_connections() == 2);
    let first = deployment.servers[0].port();
    deployment.servers[0].kill();
    let mut elected = first;
    wait_until(Duration::from_secs(40), "another primary is elected", || {
        clients.iter().for_each(|client| assert_eq!(client.ask("a"), "edit 1"));
        elected = deployment.primary_by(0);
        elected != first
    });
    deployment.at(elected).set_flag("a", edit(2));
    for client in &clients {
        wait_until(SOON, "an edit on the new primary", || client.ask("a") == "edit 2");
        client.becomes(VALID);
        wait_until(SOON, "it is known to be the primary", || place(client) == at("primary", deployment.at(elected)));
        client.reports("freshness", "push");
    }
}

#[test]
fn a_replica_that_hears_nothing_of_its_primary_is_not_believed_whether_sentinels_are_there_or_not() {
    thread::scope(|scope| [1, 0].map(|left| scope.spawn(move || hears_nothing(left))).map(|_| ()));
}

/// Of the sentinels so many are left, which elect nobody; the replica's connection to its primary looks alive.
fn hears_nothing(left: usize) {
    let mut deployment = Deployment::holding(&[("a", edit(1))]);
    let clients = ["all", "lazy"].map(|residency| config(&deployment, "prefer-replica", residency).started());
    eventually("all watch the replica", || deployment.servers[1].tracking_connections() == 2);
    clients.iter().for_each(|client| assert_eq!(client.ask("a"), "edit 1"));
    deployment.sentinels[left..].iter_mut().for_each(RedisServer::kill);
    deployment.servers[0].stop();
    for client in &clients {
        client.becomes(INTERRUPTED);
        assert_eq!(client.ask("a"), "edit 1");
        wait_until(SOON, "it is said of each result", || client.detail("a").stale);
    }
    deployment.servers[0].cont();
    clients.iter().for_each(|client| client.becomes(VALID));
    deployment.servers[0].set_flag("a", edit(2));
    for client in &clients {
        wait_until(SOON, "an edit", || client.ask("a") == "edit 2");
        client.reports("freshness", "push");
    }
}

#[test]
fn a_replica_that_lost_its_primary_is_not_taken_for_up_to_date_whatever_its_address_is() {
    let primary = RedisServer::holding(&[("a", flag("a", 1, "one"))], &[]);
    let replica = replicating(Some(primary.port()));
    eventually("the replica has everything", || replica.is_inited());
    let client = Config::of(&replica).with("refresh.interval_ms", "200").started();
    client.serves("a", "one");
    client.becomes(VALID);
    primary.stop();
    replica.run::<()>(&["CLIENT", "KILL", "TYPE", "master"]);
    client.becomes(INTERRUPTED);
    assert_eq!(client.ask("a"), "one");
    primary.cont();
    client.becomes(VALID);
}

#[test]
fn a_login_that_the_replica_refuses_says_nothing_against_the_replica() {
    let deployment = Deployment::holding(&[("a", edit(1))]);
    let allow = |server: &RedisServer, password: &str| {
        server.run::<()>(&["ACL", "SETUSER", "ada", "on", "resetpass", password, "~*", "&*", "+@all"]);
    };
    deployment.servers.iter().for_each(|server| allow(server, ">first"));
    let (primary, replica) = (&deployment.servers[0], &deployment.servers[1]);
    let config = config(&deployment, "prefer-replica", "all").with("redis.username", "ada");
    let client = config.with("redis.password", "first").started();
    let is_read = || place(&client) == at("replica", replica) && replica.tracking_connections() == 1;
    eventually("the replica is read and watched", is_read);
    client.becomes(VALID);
    eventually("it is looked at", || looking(replica).len() == 1);
    allow(replica, ">second");
    for post in looking(replica) {
        replica.run::<()>(&["CLIENT", "KILL", "ID", &post]);
    }
    throughout(Duration::from_secs(3), || assert!(is_read(), "{:?}", place(&client)));
    primary.set_flag("a", edit(2));
    client.serves("a", "edit 2");
    assert_eq!(client.state(), VALID);
}

/// Numbers of the connections on which it was asked last how it stands to its primary, and on which it tells of nothing.
fn looking(replica: &RedisServer) -> Vec<String> {
    let list: String = replica.run(&["CLIENT", "LIST"]);
    let of = |line: &str, name: &str| line.split(' ').find_map(|word| word.strip_prefix(name).map(str::to_owned));
    let is_post = |line: &&str| {
        let has = |name: &str, test: &dyn Fn(&str) -> bool| of(line, name).is_some_and(|value| test(&value));
        has("name=flagstone-", &|_| true)
            && has("cmd=", &|cmd| cmd == "info")
            && has("flags=", &|flags| !flags.contains('t'))
    };
    list.lines().filter(is_post).filter_map(|line| of(line, "id=")).collect()
}

#[test]
fn a_client_is_closed_at_once_while_it_waits_for_a_replica_that_lags() {
    let deployment = Deployment::holding(&[("a", edit(1))]);
    let (primary, replica) = (&deployment.servers[0], &deployment.servers[1]);
    // It takes in what it is sent, and says that nothing has arrived: as one does for as long as it loads much.
    let gate = Gate::to(replica.port());
    let role = format!("*5\r\n$5\r\nslave\r\n$9\r\n127.0.0.1\r\n:{}\r\n$9\r\nconnected\r\n:1\r\n", primary.port());
    gate.rule("ROLE", Rule::Answer(role.into_bytes()));
    let told = ["ip", "127.0.0.1", "port", &gate.port().to_string(), "flags", "slave", "master-link-status", "ok"];
    let sentinel = Gate::to(deployment.sentinels[0].port());
    let bulks: String = told.iter().map(|text| format!("${}\r\n{text}\r\n", text.len())).collect();
    let one = format!("*1\r\n*{}\r\n{bulks}", told.len()).into_bytes();
    for word in ["REPLICAS", "replicas"] {
        sentinel.rule_for_content(word, Rule::Answer(one.clone()));
    }
    let url = format!("redis+sentinel://127.0.0.1:{}/{SERVICE}?read=prefer-replica", sentinel.port());
    let config = Config::new().with("redis.url", &url).with("redis.connect_timeout_ms", "60000");
    let client = config.client();
    thread::scope(|scope| {
        scope.spawn(|| client.start(PATIENCE_MS));
        eventually("the replica is waited for", || gate.seen().count("ROLE") > 20);
        let (outcome, took) = timed(|| client.close(PATIENCE_MS));
        assert!(outcome == OK && took < Duration::from_secs(3), "{outcome} after {took:?}");
    });
}

/// A server and one sentinel that watches over it at this host.
fn under_sentinel(host: &str, settings: &str, primary: &RedisServer) -> RedisServer {
    let monitor = watching(primary.port(), 1).replace("127.0.0.1", host);
    let setup = Setup::default().argument(&["--bind", "127.0.0.1", "-::1"]);
    let sentinel = setup.sentinel(&format!("{settings}{monitor}")).start();
    hurry(&sentinel);
    sentinel
}

/// Number of replicas that a sentinel knows to be well.
fn known_by(sentinel: &RedisServer) -> usize {
    let replicas: Vec<Vec<(String, String)>> = sentinel.run(&["SENTINEL", "REPLICAS", SERVICE]);
    let is = |pairs: &[(String, String)], name: &str, value: &str| {
        pairs.iter().any(|(known, told)| known == name && told == value)
    };
    replicas.iter().filter(|one| is(one, "flags", "slave") && is(one, "master-link-status", "ok")).count()
}

fn started_at(url: &str) -> Client {
    let config = Config::new().with("redis.url", url).with("redis.ping_ms", "300");
    config.with("redis.connect_timeout_ms", "5000").with("redis.command_timeout_ms", "5000").started()
}

#[test]
fn where_sentinels_announce_names_replicas_are_read_that_know_their_primary_by_its_address() {
    let primary = replicating(None);
    primary.replace(&[("a", edit(1))], &[]);
    let replica = replicating(Some(primary.port()));
    eventually("the replica has everything", || replica.is_inited());
    let names = "sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n";
    let sentinel = under_sentinel("localhost", names, &primary);
    let url = format!("redis+sentinel://localhost:{}/{SERVICE}", sentinel.port());
    let client = started_at(&url);
    assert_eq!(place(&client), ("primary".to_owned(), format!("localhost:{}", primary.port())));
    let client = started_at(&format!("{url}?read=prefer-replica"));
    wait_until(Duration::from_secs(40), "the replica is read", || place(&client).0 == "replica");
    assert!(place(&client).1.ends_with(&format!(":{}", replica.port())));
    primary.set_flag("a", edit(2));
    client.serves("a", "edit 2");
}

#[test]
#[allow(clippy::print_stderr, reason = "what is left out is said")]
fn everything_works_over_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return eprintln!("there is no IPv6 here, so it was not tested");
    }
    let both = |setup: Setup| setup.argument(&["--bind", "127.0.0.1", "-::1"]).start();
    let primary = both(Setup::default().argument(&["--repl-diskless-sync-delay", "0"]));
    primary.replace(&[("a", edit(1))], &[]);
    let follows = ["--replicaof", "::1", &primary.port().to_string()];
    let replica = both(Setup::default().argument(&follows));
    eventually("the replica has everything", || replica.is_inited());
    let sentinel = under_sentinel("::1", "", &primary);
    eventually("the sentinel knows it", || known_by(&sentinel) == 1);
    let url = format!("redis+sentinel://[::1]:{}/{SERVICE}?read=prefer-replica", sentinel.port());
    let client = started_at(&url);
    wait_until(Duration::from_secs(40), "the replica is read", || {
        place(&client) == ("replica".to_owned(), format!("[::1]:{}", replica.port()))
    });
    primary.set_flag("a", edit(2));
    client.serves("a", "edit 2");
}

/// A replica behind a gate, as which it is known.
fn behind_gate(primary: &RedisServer) -> (RedisServer, Gate) {
    let gate = Gate::to(primary.port());
    let announced = ["--replica-announce-ip", "127.0.0.1", "--replica-announce-port", &gate.port().to_string()];
    let setup = Setup::default().argument(&announced).argument(&["--repl-ping-replica-period", "1"]);
    let replica = setup.argument(&["--replicaof", "127.0.0.1", &primary.port().to_string()]).start();
    gate.lead_to(replica.port());
    eventually("the replica has everything", || replica.is_inited());
    (replica, gate)
}

#[test]
fn a_replica_that_loads_is_not_read_until_it_has_done_so_and_the_log_says_why() {
    let primary = replicating(None);
    primary.replace(&[("a", edit(1))], &[]);
    let (_replica, gate) = behind_gate(&primary);
    let sentinel = under_sentinel("127.0.0.1", "", &primary);
    eventually("the sentinel knows the replica", || known_by(&sentinel) == 1);
    gate.rule("HELLO", Rule::error("LOADING Redis is loading the dataset in memory"));
    gate.rule("ROLE", Rule::error("LOADING Redis is loading the dataset in memory"));
    let url = format!("redis+sentinel://127.0.0.1:{}/{SERVICE}?read=prefer-replica", sentinel.port());
    let config = Config::new().with("redis.url", &url).with("redis.ping_ms", "300").with("log.level", "info");
    let client = config.started();
    assert_eq!(client.ask("a"), "edit 1");
    assert_eq!(place(&client), at("primary", &primary));
    let mut lines = Vec::new();
    eventually("it is told", || {
        lines.extend(log_lines(&client.drain(), 1));
        lines.iter().any(|line| line.contains("the primary is read") && line.contains("LOADING"))
    });
    gate.clear();
    let expected = ("replica".to_owned(), format!("127.0.0.1:{}", gate.port()));
    wait_until(Duration::from_secs(40), "the replica is read", || place(&client) == expected);
    primary.set_flag("a", edit(2));
    client.serves("a", "edit 2");
}

#[test]
fn replicas_of_the_zone_are_preferred_and_others_are_read_as_long_as_there_are_none() {
    let primary = replicating(None);
    primary.replace(&[("a", edit(1))], &[]);
    let replicas = ["zone-a", "zone-b"].map(|zone| {
        let (replica, gate) = behind_gate(&primary);
        let told = format!("# Server\r\nrun_id:{zone}\r\navailability_zone:{zone}\r\n");
        gate.rule_for_content(
            "INFO\r\n$6\r\nserver",
            Rule::Answer(format!("${}\r\n{told}\r\n", told.len()).into_bytes()),
        );
        (replica, gate)
    });
    let sentinel = under_sentinel("127.0.0.1", "", &primary);
    eventually("the sentinel knows both", || known_by(&sentinel) == 2);
    let url = |read: &str| format!("redis+sentinel://127.0.0.1:{}/{SERVICE}?read={read}", sentinel.port());
    let expected = |number: usize| ("replica".to_owned(), format!("127.0.0.1:{}", replicas[number].1.port()));
    for _ in 0..3 {
        for (zone, number) in [("zone-a", 0), ("zone-b", 1)] {
            assert_eq!(place(&started_at(&url(&format!("prefer-replica&az={zone}")))), expected(number), "{zone}");
            assert_eq!(place(&started_at(&url(&format!("nearest&az={zone}")))), expected(number), "{zone}");
        }
    }
    let elsewhere = started_at(&url("prefer-replica&az=zone-c"));
    assert_eq!(place(&elsewhere).0, "replica");
    let client = started_at(&url("prefer-replica&az=zone-b"));
    client.reports("freshness", "push");
    replicas[1].1.set_dead(true);
    wait_until(SOON, "the other replica is read", || place(&client) == expected(0));
    primary.set_flag("a", edit(2));
    client.serves("a", "edit 2");
    replicas[1].1.set_dead(false);
    wait_until(Duration::from_secs(90), "that of the zone is read again", || place(&client) == expected(1));
    primary.set_flag("a", edit(3));
    client.serves("a", "edit 3");
}

/// A Valkey that knows zones, if there is one: in the PATH, or among those that `FLAGSTONE_TEST_SERVERS` lists.
fn valkey_with_zones() -> Option<PathBuf> {
    let listed = std::env::var_os("FLAGSTONE_TEST_SERVERS").unwrap_or_default();
    let paths: Vec<PathBuf> = std::env::split_paths(&listed).chain([PathBuf::from("valkey-server")]).collect();
    paths.into_iter().find(|path| {
        let said = Command::new(path).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        let version =
            said.split_once("Valkey server v=").map(|(_, version)| version.split(['.', ' ']).take(2).collect());
        version.is_some_and(|version: Vec<&str>| version >= vec!["8", "1"])
    })
}

#[test]
#[allow(clippy::print_stderr, reason = "what is left out is said")]
fn valkey_tells_its_zone_and_is_preferred_for_it() {
    let Some(program) = valkey_with_zones() else {
        return eprintln!("there is no Valkey 8.1 or newer here, so its zones were not tested");
    };
    let start = |zone: &str, primary: Option<&RedisServer>| {
        let setup = Setup::default().program(&program).argument(&["--availability-zone", zone]);
        let setup = setup.argument(&["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"]);
        match primary {
            Some(primary) => setup.argument(&["--replicaof", "127.0.0.1", &primary.port().to_string()]).start(),
            None => setup.start(),
        }
    };
    let primary = start("a", None);
    primary.replace(&[("a", edit(1))], &[]);
    let replicas = ["b", "c"].map(|zone| start(zone, Some(&primary)));
    replicas.iter().for_each(|replica| eventually("the replica has everything", || replica.is_inited()));
    let sentinel = under_sentinel("127.0.0.1", "", &primary);
    eventually("the sentinel knows both", || known_by(&sentinel) == 2);
    let url = |read: &str| format!("redis+sentinel://127.0.0.1:{}/{SERVICE}?read={read}", sentinel.port());
    for _ in 0..3 {
        assert_eq!(place(&started_at(&url("prefer-replica&az=b"))), at("replica", &replicas[0]));
        assert_eq!(place(&started_at(&url("prefer-replica&az=c"))), at("replica", &replicas[1]));
        assert_eq!(place(&started_at(&url("nearest&az=a"))), at("primary", &primary));
    }
}
