//! Addresses of Redis as people write them, read through the C functions: what they mean, what is refused and with which words,
//! and that no word repeats a password.

use crate::support::*;

const SECRET: &str = "hunter2";

/// A server whose database `n` holds flag `a` with the value `in n`.
fn server_with_databases() -> RedisServer {
    let server = RedisServer::start();
    for database in ["0", "2", "3"] {
        let mut connection = server.connect();
        redis::cmd("SELECT").arg(database).exec(&mut connection).unwrap();
        let text = flag("a", 1, &format!("in {database}"));
        redis::cmd("HSET").arg("launchdarkly:features").arg("a").arg(text).exec(&mut connection).unwrap();
        redis::cmd("SET").arg("launchdarkly:$inited").arg("").exec(&mut connection).unwrap();
    }
    server
}

fn asked_at(url: &str) -> String {
    Config::at(url).started().ask("a")
}

#[track_caller]
fn refusal(url: &str) -> String {
    let failure = Config::new().set("redis.url", url).expect_err(url);
    assert_eq!(failure.status, INVALID_ARGUMENT);
    failure.message
}

#[test]
fn the_database_is_read_from_path_or_query_in_every_scheme() {
    let server = server_with_databases();
    let (port, socket) = (server.port(), server.socket());
    for (url, value) in [
        (format!("redis://127.0.0.1:{port}"), "in 0"),
        (format!("redis://127.0.0.1:{port}/"), "in 0"),
        (format!("redis://127.0.0.1:{port}/2"), "in 2"),
        (format!("redis://127.0.0.1:{port}?db=2"), "in 2"),
        (format!("redis://127.0.0.1:{port}/?db=2"), "in 2"),
        (format!("redis://127.0.0.1:{port}/2?db=2&protocol=3"), "in 2"),
        (format!("REDIS://127.0.0.1:{port}/3"), "in 3"),
        (format!("valkey://localhost:{port}/3"), "in 3"),
        (format!("Valkey://127.0.0.1:{port}?DB=3"), "in 3"),
        (format!("unix://{socket}?db=3"), "in 3"),
        (format!("redis+unix://{socket}?db=2"), "in 2"),
        (format!("VALKEY+unix://{socket}"), "in 0"),
    ] {
        assert_eq!(asked_at(&url), value, "{url}");
    }
    let option = Config::at(&format!("redis://127.0.0.1:{port}?db=2")).with("redis.database", "3");
    assert_eq!(option.started().ask("a"), "in 3");
}

#[test]
fn what_is_received_is_written_to_the_database_of_the_query_and_to_no_other() {
    let fake = launchdarkly(&[("a", flag("a", 5, "received"))]);
    let server = server_with_databases();
    let url = format!("redis://127.0.0.1:{}?db=2", server.port());
    let client = streaming(&fake).with("redis.url", &url).started();
    client.serves("a", "received");
    let text = |database: &str| {
        let mut connection = server.connect();
        redis::cmd("SELECT").arg(database).exec(&mut connection).unwrap();
        redis::cmd("HGET").arg("launchdarkly:features").arg("a").query::<String>(&mut connection).unwrap()
    };
    eventually("database 2 is written", || text("2").contains("received"));
    assert!(text("0").contains("in 0") && text("3").contains("in 3"));
}

#[test]
fn user_and_password_are_decoded() {
    let password = "p#a/s?s@w:o%r d&ü";
    let encoded = "p%23a%2Fs%3Fs%40w%3Ao%25r%20d%26%C3%BC";
    let server = Setup::default().password("other").start();
    server.set_flag("a", flag("a", 1, "on"));
    server.run::<()>(&["ACL", "SETUSER", "us/er", "on", &format!(">{password}"), "~*", "+@all"]);
    let (port, socket) = (server.port(), server.socket());
    for url in [
        format!("redis://us%2fer:{encoded}@127.0.0.1:{port}/0"),
        format!("redis://127.0.0.1:{port}?username=us/er&password={encoded}"),
        format!("unix://us%2Fer:{encoded}@{socket}"),
        format!("unix://{socket}?user=us%2Fer&pass={encoded}"),
    ] {
        assert_eq!(asked_at(&url), "on", "{url}");
    }
}

#[test]
fn an_ipv6_address_stands_in_brackets() {
    let server = Setup::default().argument(&["--bind", "127.0.0.1", "-::1"]).start();
    server.set_flag("a", flag("a", 1, "on"));
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        assert_eq!(asked_at(&format!("redis://[::1]:{}", server.port())), "on");
    }
    assert!(Config::new().set("redis.url", "redis://[::1]:7000/1").is_ok());
    assert!(Config::new().set("redis.url", "redis://:secret@[fe80::1%25eth0]").is_ok());
    assert!(refusal("redis://::1:6379").contains("brackets"));
    assert!(refusal("redis://[::1").contains("brackets"));
    assert!(refusal("redis://[example.org]:1").contains("brackets"));
}

#[test]
fn names_and_times_of_redis_py_are_honoured_and_options_win() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "on"))], &[]);
    let port = server.port();
    let url = format!(
        "redis://127.0.0.1:{port}?client_name=shop&socket_connect_timeout=15&socket_timeout=0.7&socket_keepalive=True"
    );
    let client = Config::new().with("redis.url", &url).started();
    assert_eq!(client.ask("a"), "on");
    let list: String = server.run(&["CLIENT", "LIST"]);
    assert_eq!(list.lines().filter(|line| line.contains(" name=shop ")).count(), 2, "{list}");
    server.stop();
    eventually("the time-out of the URL is told", || {
        client.status()["last_error"].to_string().contains("no answer within 700 ms")
    });
    server.cont();
    client.becomes(VALID);
    let other = Config::new().with("redis.url", &url).with("redis.command_timeout_ms", "600").started();
    server.stop();
    eventually("the time-out of the option is told", || {
        other.status()["last_error"].to_string().contains("no answer within 600 ms")
    });
    server.cont();
}

#[test]
fn protocol_2_does_without_pushes_of_protocol_3() {
    let server = RedisServer::holding(&[("a", flag("a", 1, "old"))], &[]);
    let client = Config::at(&format!("{}?protocol=2", server.url())).started();
    client.reports("freshness_reason", "RESP2 tracking with redirect");
    assert_eq!(server.calls_of("hello"), 0);
    server.set_flag("a", flag("a", 2, "new"));
    client.serves("a", "new");
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    for (url, words) in [
        ("redis://h?virtual_host=x", "\"virtual_host\""),
        ("redis://h?db=1&max_connections=5", "\"max_connections\""),
        ("redis://h?db=x", "database"),
        ("redis://h/x", "database"),
        ("redis://h/-1", "database"),
        ("redis://h/1/2", "database"),
        ("redis://h?db=4294967296", "database"),
        ("redis://h/1?db=2", "two values for the database"),
        ("redis://u@h?username=v", "two values for the user"),
        ("redis://h?protocol=4", "\"protocol\""),
        ("redis://h?socket_timeout=soon", "\"socket_timeout\""),
        ("redis://h?socket_timeout=0", "\"socket_timeout\""),
        ("redis://h?socket_timeout=nan", "\"socket_timeout\""),
        ("redis://h?ssl_cert_reqs=optional", "\"ssl_cert_reqs\""),
        ("redis://h?socket_keepalive=0", "\"socket_keepalive\""),
        ("redis://h?client_name=a%20b", "\"client_name\""),
        ("redis://h?db", "name=value"),
        ("redis://h:port", "port"),
        ("redis://h:0", "port"),
        ("redis://h:65536", "port"),
        ("redis://", "no host"),
        ("redis://:6379", "no host"),
        ("redis://h h", "host"),
        ("redis://bücher", "ASCII"),
        ("redis://0.0.0.0", "0.0.0.0"),
        ("redis://[::]", "::"),
        ("redis://%ff", "UTF-8"),
        ("redis://h,i:6380", "several hosts"),
        ("redis://h?addr=i", "several hosts"),
        ("unix:///tmp/s?node=i", "several hosts"),
        ("redis+cluster://h,", "no host"),
        ("redis+cluster://h,i/1", "database 0 only"),
        ("redis+cluster://h?db=1", "database 0 only"),
        ("redis+cluster://h/main", "a cluster has no service"),
        ("rediss+cluster://h/0/1/main", "a cluster has no service"),
        ("redis-cluster://h?service=main", "a cluster has no service"),
        ("redis+cluster://h?read=nearest", "the owners of the keys are read"),
        ("redis+cluster://h?sentinel_user=x", "redis+sentinel://"),
        ("redis+cluster://h?node_address_map=a:1", "inside:port>outside:port"),
        ("redis+cluster://h?node_address_map=a:1>b", "inside:port>outside:port"),
        ("redis+cluster://h?node_address_map=a:1>b:0", "inside:port>outside:port"),
        ("redis+cluster://h?node_address_map=a:1>b:2,", "inside:port>outside:port"),
        ("redis+cluster://h?node_address_map=a:1>b:2>c:3", "inside:port>outside:port"),
        ("redis+cluster://h?node_address_map=", "inside:port>outside:port"),
        ("redis://h?node_address_map=a:1>b:2", "redis+cluster://"),
        ("redis+sentinel://h/main?node_address_map=a:1>b:2", "redis+cluster://"),
        ("redis+sentinel://h:26379", "which service"),
        ("valkey+Sentinel://h/0", "which service"),
        ("redis+sentinel://h/", "which service"),
        ("redis+sentinel://h/a%20b", "name of the service"),
        ("redis+sentinel://h,,i/main", "no host"),
        ("redis+sentinel://h,::1/main", "brackets"),
        ("redis+sentinel://h,i:0/main", "port"),
        ("redis+sentinel://h/main/x", "database"),
        ("redis+sentinel://h/main/1/2", "database"),
        ("redis+sentinel://h/main/1?db=2", "two values for the database"),
        ("redis+sentinel://h/main?service=other", "two values for the service"),
        ("redis-sentinel://h/0#a&sentinelMasterId=b", "name of the service"),
        ("redis-sentinel://h?sentinelMasterId=a#b", "two values for the service"),
        ("redis+sentinel://h/main?sentinel_tls=maybe", "\"sentinel_tls\""),
        ("redis+sentinel://h/main?read=any", "prefer-replica or nearest"),
        ("redis+sentinel://h/main?az=a", "\"az\""),
        ("redis://h?read=prefer-replica", "\"read\""),
        ("unix:///tmp/s?read=nearest", "redis+sentinel://"),
        ("redis://h?sentinel_user=x", "redis+sentinel://"),
        ("redis://h?sentinelPassword=x", "redis+sentinel://"),
        ("redis-sentinel://word@h/main", "one word alone"),
        ("redis://:p@h?master_name=main", "sentinel_password"),
        ("unix+sentinel:///tmp/s", "begin with redis://"),
        ("sentinel://h:26379;sentinel://i", "begin with redis://"),
        ("h1,h2,serviceName=main", "begin with redis://"),
        ("http://h", "begin with redis://"),
        ("redis:h", "begin with redis://"),
        ("unix://relative/path", "absolute path"),
        ("unix:///", "absolute path"),
        ("rediss://h#insecure", "redis.tls.skip_verify"),
    ] {
        let message = refusal(url);
        assert!(message.contains("redis.url") && message.contains(words), "{url}: {message}");
    }
}

#[test]
fn a_raw_character_in_a_password_gets_a_message_that_says_how_to_write_it() {
    for (raw, written) in [('#', "# as %23"), ('/', "/ as %2F"), ('?', "? as %3F"), ('@', "@ as %40")] {
        for scheme in ["redis", "rediss", "valkey"] {
            for password in [format!("{SECRET}{raw}more"), format!("{raw}{SECRET}"), format!("12{raw}{SECRET}")] {
                let message = refusal(&format!("{scheme}://user:{password}@host:6379/0?db=0"));
                assert!(message.contains(written), "{password}: {message}");
            }
        }
    }
    assert!(refusal("redis://h?password=a#hunter2").contains("%23"));
    assert!(refusal("redis://h?password=a&hunter=b").contains("& is written %26"));
    // None of them is in the way where it may be.
    Config::new().set("redis.url", "redis://h:6379/0?client_name=a@b").unwrap();
}

#[test]
fn no_message_repeats_a_password_whatever_is_around_it() {
    let pieces =
        ["", "#", "?", "/", "@", ":", "&", "%", "=", "[", "]", ",", " ", "%40", "%ff", "ü", "x", "6379", "db=1"];
    let schemes =
        ["redis", "rediss", "unix", "redis+cluster", "redis+sentinel", "redis-sentinel", "http", "", "redis+unix"];
    let hosts = [
        "host",
        "",
        "h:x",
        "[::1",
        "h/x",
        "h?nope=1",
        "h/1?db=2",
        "h?db=x",
        "a,b",
        "h#f",
        "/tmp/s?nope=1",
        "h?socket_timeout=x",
    ];
    let mut refused = 0;
    for scheme in schemes {
        for before in pieces {
            for after in pieces {
                for host in hosts {
                    for url in [
                        format!("{scheme}://user:{before}{SECRET}{after}@{host}"),
                        format!("{scheme}://{before}{SECRET}{after}@{host}"),
                        format!("{scheme}://host/0?password={before}{SECRET}{after}&nope=1"),
                        format!("{scheme}://{host}&password={before}{SECRET}{after}"),
                        format!("{scheme}://{host}/main?sentinel_password={before}{SECRET}{after}&nope=1"),
                    ] {
                        if let Err(failure) = Config::new().set("redis.url", &url) {
                            refused += 1;
                            assert!(!failure.message.contains("hunter"), "{url}: {}", failure.message);
                        }
                    }
                }
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}

/// The cells of the rows of the documentation's table with these columns.
fn documented(columns: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/redis-addresses.md");
    let text = std::fs::read_to_string(path).unwrap();
    let table = text.lines().skip_while(|line| *line != columns).skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = table.map(|row| row.trim_matches('|').split(" | ").map(str::to_owned).collect()).collect();
    assert!(rows.len() > 3, "{columns}");
    rows
}

/// What stands between back-ticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_address_of_the_documentation_is_taken_and_what_has_to_be_written_otherwise_is_not() {
    let takes = |url: &str| Config::new().set("redis.url", url);
    for row in documented("| Redis is | Address |") {
        quoted(&row[1]).into_iter().for_each(|url| takes(url).unwrap());
    }
    for row in documented("| Client | You have | Write |") {
        let is_same = row[2].trim() == "the same";
        for have in quoted(&row[1]) {
            let verdict = takes(have);
            assert_eq!(verdict.is_ok(), is_same, "{have}: {verdict:?}");
        }
        quoted(&row[2]).into_iter().for_each(|url| takes(url).unwrap());
        assert!(is_same || !quoted(&row[2]).is_empty(), "{row:?}");
    }
    for row in documented("| Option | Is | Also written |") {
        for name in quoted(&row[0]).into_iter().chain(quoted(&row[2])) {
            let url = match name.strip_prefix('#') {
                Some(service) => format!("redis+sentinel://h#{service}"),
                None => format!("redis+sentinel://h/main?{name}=no%20value%20of%20it"),
            };
            let said = takes(&url).map_or_else(|failure| failure.message, |()| String::new());
            assert!(!said.contains("unknown option"), "{name}: {said}");
        }
    }
}
