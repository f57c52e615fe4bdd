//! How Redis is reached: databases, URLs, unix sockets, credentials, TLS.

use crate::support::*;

const SECRET: &str = "hunter2-is-secret";

#[test]
fn the_database_is_chosen_by_url_or_option_and_the_option_wins() {
    let server = RedisServer::start();
    for database in ["0", "3", "5"] {
        let mut connection = server.connect();
        redis::cmd("SELECT").arg(database).exec(&mut connection).unwrap();
        let text = flag("a", 1, &format!("in {database}"));
        redis::cmd("HSET").arg("launchdarkly:features").arg("a").arg(text).exec(&mut connection).unwrap();
    }
    let by_url = format!("{}/3", server.url());
    assert_eq!(Config::new().with("redis.url", &by_url).started().ask("a"), "in 3");
    assert_eq!(Config::of(&server).with("redis.database", "5").started().ask("a"), "in 5");
    assert_eq!(Config::new().with("redis.database", "5").with("redis.url", &by_url).started().ask("a"), "in 5");
}

#[test]
fn a_change_in_another_database_than_0_is_pushed() {
    let server = RedisServer::start();
    let mut connection = server.connect();
    redis::cmd("SELECT").arg(2).exec(&mut connection).unwrap();
    let mut set = |version: i64, value: &str| {
        let mut command = redis::cmd("HSET");
        command.arg("launchdarkly:features").arg("a").arg(flag("a", version, value)).exec(&mut connection).unwrap();
    };
    set(1, "old");
    let client = Config::of(&server).with("redis.database", "2").started();
    assert_eq!(client.ask("a"), "old");
    set(2, "new");
    assert_eq!(client.hears_change_of("a"), (Some(1), Some(2)));
}

#[test]
fn redis_is_reached_by_unix_socket() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let client = Config::new().with("redis.url", &format!("unix://{}", server.socket())).started();
    assert_eq!(client.ask("a"), "old");
    server.set_flag("a", flag("a", 2, "new"));
    client.serves("a", "new");
    client.reports("freshness", "push");
}

#[test]
fn user_password_and_database_of_a_unix_url_are_used() {
    let server = Setup::default().user(&format!("reader on >{SECRET} ~* +@all")).start();
    server.run::<()>(&["ACL", "SETUSER", "default", "nopass", "on"]);
    server.set_flag("a", flag("a", 1, "on"));
    let url = format!("unix://{}?user=reader&pass={SECRET}&db=0", server.socket());
    let client = Config::new().with("redis.url", &url).started();
    assert_eq!(client.ask("a"), "on");
    let list: String = server.run(&["CLIENT", "LIST"]);
    assert_eq!(list.lines().filter(|line| line.contains("user=reader")).count(), 2, "{list}");
}

#[test]
fn user_and_password_come_from_url_or_options_and_the_options_win() {
    let server = Setup::default().user(&format!("reader on >{SECRET} ~* +@all")).password("other").start();
    server.set_flag("a", flag("a", 1, "on"));
    let port = server.port();
    let url = format!("redis://reader:{SECRET}@127.0.0.1:{port}/0");
    assert_eq!(Config::new().with("redis.url", &url).started().ask("a"), "on");
    let by_options = Config::of(&server).with("redis.username", "reader").with("redis.password", SECRET);
    assert_eq!(by_options.started().ask("a"), "on");
    let wrong_url = format!("redis://nobody:wrong@127.0.0.1:{port}");
    let won =
        Config::new().with("redis.password", SECRET).with("redis.username", "reader").with("redis.url", &wrong_url);
    assert_eq!(won.started().ask("a"), "on");
    assert_eq!(Config::of(&server).with("redis.password", "other").started().ask("a"), "on");
}

/// Everything that a client told must not contain the password.
fn assert_no_secret(client: &Client, failures: &[Failure]) {
    let told = format!("{:?} {:?} {failures:?}", client.drain(), client.try_status());
    assert!(!told.contains(SECRET), "{told}");
    assert!(!told.is_empty());
}

#[test]
fn a_wrong_password_is_reported_without_repeating_it_and_heals_when_the_server_takes_it() {
    for residency in ["all", "lazy", "off"] {
        let server = Setup::default().password("right").start();
        server.set_flag("a", flag("a", 1, "on"));
        let config = Config::of(&server).with("redis.password", SECRET).with("log.level", "debug");
        let client = config.with("cache.residency", residency).client();
        let failure = client.start(500).unwrap_err();
        assert_eq!((failure.status, client.state()), (TIMEOUT, INIT));
        assert_eq!(client.ask("a"), "CLIENT_NOT_READY");
        eventually("the refusal is reported", || client.status()["last_error"].as_str().is_some());
        assert_no_secret(&client, &[failure]);
        server.run::<()>(&["ACL", "SETUSER", "default", &format!(">{SECRET}")]);
        client.becomes(VALID);
        client.serves("a", "on");
        client.reports("freshness", "push");
        assert_no_secret(&client, &[]);
    }
}

#[test]
fn a_password_in_the_url_is_never_told() {
    let server = Setup::default().password(SECRET).start();
    let port = server.port();
    let mut failures = Vec::new();
    for url in
        [format!("redis://u:{SECRET}@ho st"), format!("http://u:{SECRET}@h"), format!("redis://u:{SECRET}@h:1/x")]
    {
        failures.extend(Config::new().set("redis.url", &url).err());
    }
    assert_eq!(failures.len(), 3);
    let right =
        Config::new().with("redis.url", &format!("redis://:{SECRET}@127.0.0.1:{port}")).with("log.level", "debug");
    let client = right.started();
    assert_no_secret(&client, &failures);
    let wrong = Config::new().with("redis.url", &format!("redis://somebody:{SECRET}@127.0.0.1:{port}"));
    let client = wrong.with("log.level", "debug").client();
    let failure = client.start(500).unwrap_err();
    assert_no_secret(&client, &[failure]);
}

#[test]
fn redis_that_is_down_at_the_start_is_reported_and_read_when_it_comes() {
    for (residency, freshness) in
        [("all", "push"), ("all", "forever"), ("lazy", "push"), ("lazy", "ttl"), ("off", "push")]
    {
        let mut server = RedisServer::start();
        server.kill();
        let config = Config::of(&server).with("cache.residency", residency).with("cache.freshness", freshness);
        let client = config.started_without_data();
        assert_eq!(client.ask("a"), "CLIENT_NOT_READY");
        eventually("the failure is reported", || client.status()["last_error"].as_str().is_some());
        assert_eq!(client.status()["available"], false);
        server.restart();
        server.set_flag("a", flag("a", 1, "on"));
        client.becomes(VALID);
        client.serves("a", "on");
    }
}

#[test]
fn tls_with_an_authority_of_ones_own_works_and_is_pushed_to() {
    let certificates = Certificates::new();
    let server = Setup::default().tls(&certificates, false).start();
    server.set_flag("a", flag("a", 1, "old"));
    let config = Config::new().with("redis.url", &server.tls_url());
    let client = config.with("redis.tls.ca_file", &certificates.path("ca.pem")).started();
    assert_eq!(client.ask("a"), "old");
    server.set_flag("a", flag("a", 2, "new"));
    client.serves("a", "new");
    client.reports("freshness", "push");
}

#[test]
fn a_client_certificate_is_presented() {
    let certificates = Certificates::new();
    let server = Setup::default().tls(&certificates, true).start();
    server.set_flag("a", flag("a", 1, "on"));
    let config =
        || Config::new().with("redis.url", &server.tls_url()).with("redis.tls.ca_file", &certificates.path("ca.pem"));
    let without = config().client();
    assert_eq!(without.start(700).unwrap_err().status, TIMEOUT);
    let with = config().with("redis.tls.cert_file", &certificates.path("client.pem"));
    let failure = with.try_client().err().unwrap();
    assert_eq!(failure.status, INVALID_ARGUMENT);
    assert_eq!(with.with("redis.tls.key_file", &certificates.path("client.key")).started().ask("a"), "on");
}

#[test]
fn a_server_that_another_authority_vouches_for_is_refused() {
    let (certificates, others) = (Certificates::new(), Certificates::new());
    let server = Setup::default().tls(&certificates, false).start();
    server.set_flag("a", flag("a", 1, "on"));
    let config = || Config::new().with("redis.url", &server.tls_url());
    for config in [config().with("redis.tls.ca_file", &others.path("ca.pem")), config()] {
        let client = config.client();
        assert_eq!(client.start(700).unwrap_err().status, TIMEOUT);
        assert_eq!((client.state(), client.ask("a")), (INIT, "CLIENT_NOT_READY".into()));
        eventually("the reason is told", || {
            client.status()["last_error"].to_string().to_lowercase().contains("certificate")
        });
    }
}

#[test]
fn certificate_files_that_cannot_be_used_are_refused_by_option_name() {
    let certificates = Certificates::new();
    let key = certificates.path("client.key");
    let url = "rediss://127.0.0.1:1";
    for (option, path) in [("redis.tls.ca_file", "/nowhere/ca.pem"), ("redis.tls.ca_file", "/dev/zero")] {
        let failure = Config::new().with("redis.url", url).with(option, path).try_client().err().unwrap();
        assert_eq!(failure.status, INVALID_ARGUMENT);
        assert!(failure.message.contains(option), "{}", failure.message);
    }
    let mixed = Config::new().with("redis.url", url).with("redis.tls.cert_file", &key).with("redis.tls.key_file", &key);
    assert_eq!(mixed.try_client().err().unwrap().status, INVALID_ARGUMENT);
    let plain = Config::new().with("redis.url", "redis://127.0.0.1:1").with("redis.tls.key_file", &key);
    assert_eq!(plain.try_client().err().unwrap().status, INVALID_ARGUMENT);
}

trait StartedWithoutData {
    fn started_without_data(&self) -> Client;
}

impl StartedWithoutData for Config {
    /// A client whose server is away.
    fn started_without_data(&self) -> Client {
        let client = self.client();
        assert_eq!(client.start(200).unwrap_err().status, TIMEOUT);
        client
    }
}
