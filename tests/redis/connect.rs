//! How connections to Redis are made, through the C functions: within their time, with a name and keepalive, and with words
//! that say why one could not be made.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::support::*;

/// A listener that accepts nothing, with as many connections waiting as it takes: the next one waits for ever.
struct Full {
    listener: Socket,
    _waiting: Vec<Socket>,
}

impl Full {
    fn new(domain: Domain, address: &SockAddr) -> Self {
        let listener = Socket::new(domain, Type::STREAM, None).unwrap();
        listener.bind(address).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        loop {
            let socket = Socket::new(domain, Type::STREAM, None).unwrap();
            let connected = match domain {
                Domain::UNIX => {
                    socket.set_nonblocking(true).unwrap();
                    socket.connect(&address)
                }
                _ => socket.connect_timeout(&address, Duration::from_millis(100)),
            };
            if connected.is_err() {
                return Self { listener, _waiting: waiting };
            }
            waiting.push(socket);
        }
    }
}

fn last_error(client: &Client) -> String {
    client.status()["last_error"].as_str().unwrap_or_default().to_owned()
}

/// What the first attempt to connect fails with.
#[track_caller]
fn first_failure(config: &Config) -> String {
    let client = config.client();
    client.start(0).unwrap();
    eventually("a connect fails", || !last_error(&client).is_empty());
    last_error(&client)
}

fn impatient_at(url: &str) -> Config {
    Config::new().with("redis.url", url).with("redis.connect_timeout_ms", "300")
}

#[test]
fn connecting_ends_in_its_time_where_nobody_accepts() {
    let directory = TempDir::new("full");
    let path = directory.path().join("socket");
    let unix = Full::new(Domain::UNIX, &SockAddr::unix(&path).unwrap());
    let tcp = Full::new(Domain::IPV4, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into());
    let port = tcp.listener.local_addr().unwrap().as_socket().unwrap().port();
    for (url, shown) in [
        (format!("unix://{}", path.display()), format!("unix:{}", path.display())),
        (format!("redis://user:hunter2@127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
        (format!("rediss://127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
    ] {
        let began = Instant::now();
        let failure = first_failure(&impatient_at(&url));
        assert!(failure.ends_with(&format!("no connection to {shown} within 300 ms")), "{failure}");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    drop(unix);
}

#[test]
fn a_login_that_is_answered_byte_by_byte_ends_in_its_time() {
    let server = Setup::default().password("hunter2").start();
    let proxy = Proxy::to(server.port());
    proxy.set(Mode::Drip(Duration::from_millis(100)));
    let config = impatient_at(&proxy.url()).with("redis.password", "hunter2");
    let failure = first_failure(&config);
    assert!(failure.ends_with("no answer within 300 ms"), "{failure}");
}

#[test]
fn a_server_that_hangs_is_said_to_give_no_answer() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let client = Config::at(&server.url()).with("redis.command_timeout_ms", "400").started();
    server.stop();
    eventually("the time-out is told", || last_error(&client).contains("no answer within 400 ms"));
    assert!(!last_error(&client).contains("os error"), "{}", last_error(&client));
    server.cont();
    client.becomes(VALID);
}

#[test]
fn a_server_that_is_away_is_named_without_credentials() {
    let port = free_port();
    let failure = first_failure(&impatient_at(&format!("redis://user:hunter2@127.0.0.1:{port}")));
    assert!(failure.contains(&format!("no connection to 127.0.0.1:{port}: Connection refused")), "{failure}");
    assert!(!failure.contains("hunter2") && !failure.contains("user"), "{failure}");
}

#[test]
fn tls_on_a_port_without_and_none_on_a_port_with_tls_are_named_at_the_first_failure() {
    let certificates = Certificates::new();
    let server = Setup::default().tls(&certificates, false).start();
    let port = |url: String| url.rsplit(':').next().unwrap().to_owned();
    let encrypted = impatient_at(&format!("rediss://127.0.0.1:{}", server.port()));
    let failure = first_failure(&encrypted.with("redis.connect_timeout_ms", "1000"));
    assert!(failure.contains("TLS on this port"), "{failure}");
    let plain = Config::new().with("redis.url", &format!("redis://127.0.0.1:{}", port(server.tls_url())));
    let failure = first_failure(&plain);
    assert!(failure.contains("TLS on this port") && failure.contains("rediss://"), "{failure}");
}

#[test]
fn however_little_is_told_at_the_login_the_end_of_a_silent_connection_is_explained() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, closed) = channel();
    thread::spawn(move || {
        // What was sent is read first: then the connection ends, and is not reset.
        while let Ok((mut socket, _)) = listener.accept() {
            let _ = socket.read(&mut [0; 4096]);
            if told.send(()).is_err() {
                return;
            }
        }
    });
    let client = Config::new().with("redis.url", &format!("redis://127.0.0.1:{port}")).client();
    client.start(0).unwrap();
    // Each second attempt tells no more than it must, which is nothing here.
    let mut seen = 0;
    eventually("it has connected some times", || {
        seen += closed.try_iter().count();
        let failure = last_error(&client);
        assert!(failure.is_empty() || failure.contains("use rediss://"), "{failure}");
        seen >= 5
    });
}

#[test]
fn a_server_that_is_full_is_said_to_be() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let mut only = server.connect();
    let mut set = |most: u32| redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(most).exec(&mut only).unwrap();
    set(1);
    for config in [Config::at(&server.url()), Config::at(&server.url()).with("redis.password", "hunter2")] {
        for _ in 0..5 {
            let failure = first_failure(&config);
            assert!(failure.contains("max number of clients reached"), "{failure}");
        }
    }
    let client = Config::at(&server.url()).client();
    client.start(0).unwrap();
    eventually("it is told", || last_error(&client).contains("max number of clients reached"));
    set(100);
    client.becomes(VALID);
    client.serves("a", "on");
    client.reports("freshness", "push");
}

/// Names of the connections of the library.
fn names(server: &RedisServer) -> Vec<String> {
    let list: String = server.run(&["CLIENT", "LIST"]);
    let words = list.split_whitespace().filter_map(|word| word.strip_prefix("name="));
    let mut names: Vec<String> = words.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn the_connections_of_a_client_have_a_name_of_its_own() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let first = Config::of(&server).started();
    first.reports("freshness", "push");
    let of_first = names(&server);
    assert_eq!(of_first.len(), 2);
    let digits = of_first[0].strip_prefix("flagstone-").unwrap();
    assert!(of_first[0] == of_first[1] && digits.len() == 8 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let second = Config::of(&server).started();
    second.reports("freshness", "push");
    let mut of_both = names(&server);
    of_both.dedup();
    assert_eq!(of_both.len(), 2, "{of_both:?}");
}

#[test]
fn rules_that_refuse_a_name_are_no_obstacle() {
    let rules = "reader on >hunter2 ~* +@all -client +client|tracking";
    let server = Setup::default().user(rules).start();
    server.set_flag("a", flag("a", 1, "on"));
    let client = Config::of(&server).with("redis.username", "reader").with("redis.password", "hunter2").started();
    assert_eq!((client.ask("a").as_str(), names(&server).len()), ("on", 0));
    client.reports("freshness", "push");
}

#[test]
fn every_connection_is_kept_alive_by_the_system() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let client = Config::of(&server).with("redis.ping_ms", "60000").started();
    client.reports("freshness", "push");
    let list: String = server.run(&["CLIENT", "LIST"]);
    let ours = list.lines().filter(|line| line.contains("name=flagstone-"));
    let ports: Vec<u16> = ours
        .filter_map(|line| line.split(' ').find_map(|word| word.strip_prefix("addr=")))
        .map(|address| address.rsplit(':').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ports.len(), 2);
    // Local address, remote address, state, queues, timer: 02 is the one of keepalive.
    let has_timer = |table: &str, port: u16| {
        table.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.get(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}")))
                && words.get(5).is_some_and(|timer| timer.starts_with("02:"))
        })
    };
    for port in ports {
        eventually("the system keeps the connection alive", || {
            has_timer(&fs::read_to_string(Path::new("/proc/net/tcp")).unwrap(), port)
        });
    }
}

#[test]
fn a_server_that_knows_passwords_but_no_users_is_given_the_password() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, heard) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut take = |answer: &str| {
                let mut bytes = [0; 4096];
                let length = stream.read(&mut bytes).unwrap_or(0);
                let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                if text.contains("AUTH\r\n") && !text.contains("HELLO") {
                    let _ = told.send(text);
                    let _ = stream.write_all(answer.as_bytes());
                }
            };
            take("-ERR wrong number of arguments for 'auth' command\r\n-NOAUTH x\r\n-NOAUTH x\r\n-NOAUTH x\r\n");
            take("+OK\r\n+OK\r\n+OK\r\n+OK\r\n");
        }
    });
    let client = Config::at(&format!("redis://user:hunter2@127.0.0.1:{port}")).with("cache.freshness", "ttl").client();
    client.start(0).unwrap();
    let next = || heard.recv_timeout(PATIENCE).unwrap();
    assert!(next().starts_with("*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$7\r\nhunter2\r\n"));
    assert!(next().starts_with("*2\r\n$4\r\nAUTH\r\n$7\r\nhunter2\r\n"));
}
