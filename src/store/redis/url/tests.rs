//! The grammar: what each client writes, whatever is encoded, and whatever is broken.

use super::*;
use crate::model::excerpt;
use crate::store::redis::endpoints::{Address, Nodes, Service};

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

fn parse(url: &str) -> RedisUrl {
    RedisUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// Service, sentinels and database as one text.
fn told(url: &str) -> String {
    let parsed = parse(url);
    let Endpoints::Sentinel(Service { name, sentinels }) = parsed.address else { panic!("{url}: one server") };
    let list: Vec<String> = sentinels.iter().map(ToString::to_string).collect();
    format!("{name} by {} db {}", list.join(" "), parsed.database.unwrap_or(0))
}

#[test]
fn sentinels_are_named_as_each_client_names_them() {
    for (url, expected) in [
        ("redis+sentinel://h/main", "main by h:26379 db 0"),
        (
            "redis+sentinel://h1,h2:7,[::1]:8,[fe80::1%25eth0]/main",
            "main by h1:26379 h2:7 [::1]:8 [fe80::1%eth0]:26379 db 0",
        ),
        ("VALKEYS+Sentinel://h/my-main_1.x/3", "my-main_1.x by h:26379 db 3"),
        ("redis+sentinel://h,h:26379,h/main", "main by h:26379 db 0"),
        ("redis+sentinel://h/main?db=4", "main by h:26379 db 4"),
        ("redis+sentinel://h/4?service=main", "main by h:26379 db 4"),
        ("redis+sentinel://h?service=4", "4 by h:26379 db 0"),
        // Lettuce.
        ("redis-sentinel://:p@h1:1,h2/2?sentinelMasterId=main", "main by h1:1 h2:26379 db 2"),
        ("rediss-sentinel://h1,h2/2#main", "main by h1:26379 h2:26379 db 2"),
        ("redis-sentinel://h1?database=2#main", "main by h1:26379 db 2"),
        // fred.
        (
            "valkey-sentinel://u:p@h1:1/1?sentinelServiceName=main&node=h2:2&node=h3&sentinelUsername=x&sentinelPassword=y",
            "main by h1:1 h2:2 h3:26379 db 1",
        ),
        // limits.
        ("redis+sentinel://:p@h1:1,h2:2/main", "main by h1:1 h2:2 db 0"),
        // go-redis.
        ("redis://h1:1/5?master_name=main&addr=h2:2&addr=[::1]:3", "main by h1:1 h2:2 [::1]:3 db 5"),
    ] {
        assert_eq!(told(url), expected, "{url}");
    }
}

#[test]
fn clusters_are_named_as_each_client_names_them() {
    for (url, seeds, tls) in [
        ("redis+cluster://h", "h:6379", false),
        ("rediss+cluster://:p@h1:7000,h2,[::1]:7/0", "h1:7000 h2:6379 [::1]:7", true),
        ("VALKEYS+Cluster://u:p@h/?db=0", "h:6379", true),
        ("valkey+cluster://h,h:6379", "h:6379", false),
        ("redis-cluster://u:p@h1:1?node=h2:2&node=h3", "h1:1 h2:2 h3:6379", false),
        ("rediss-cluster://h?addr=i", "h:6379 i:6379", true),
    ] {
        let parsed = parse(url);
        assert_eq!((parsed.address.to_string(), parsed.tls), (format!("the cluster of {seeds}"), tls), "{url}");
    }
    let mapped = "redis+cluster://h?node_address_map=10.0.0.1:6379>[::1]:7,db.internal:1%3Eexample.org:2";
    let Endpoints::Cluster(Nodes { address_map, .. }) = parse(mapped).address else { panic!("no cluster") };
    let reached = |host: &str, port| address_map.reached_at(Address::Tcp { host: host.to_owned(), port }).to_string();
    assert_eq!(reached("10.0.0.1", 6_379), "[::1]:7");
    assert_eq!(reached("db.internal", 1), "example.org:2");
    assert_eq!(reached("10.0.0.1", 1), "10.0.0.1:1");
}

#[test]
fn logins_of_sentinels_and_data_nodes_are_kept_apart() {
    let url = parse("rediss+sentinel://u%40:p%2Fq@h/main?sentinel_user=s&sentinel_password=t%26u&sentinel_tls=no");
    assert_eq!((url.username.as_deref(), url.password.as_deref(), url.tls), (Some("u@"), Some("p/q"), true));
    let SentinelAccess { username, password, tls } = url.sentinel;
    assert_eq!((username.as_deref(), password.as_deref(), tls), (Some("s"), Some("t&u"), SentinelTls::No));
    let url = parse("redis-sentinel://:p@h/main?sentinelUsername=s&sentinelPassword=t");
    assert_eq!((url.username, url.password.as_deref(), url.tls), (None, Some("p"), false));
    assert_eq!((url.sentinel.username.as_deref(), url.sentinel.tls), (Some("s"), SentinelTls::Same));
    assert_eq!(url.sentinel.password.as_deref(), Some("t"));
}

#[test]
fn tls_and_sockets_are_written_as_lettuce_writes_them_too() {
    assert!(parse("redis+ssl://h").tls && parse("redis+tls://h").tls);
    for url in ["redis-socket:///tmp/s?database=3", "redis+socket:///tmp/s?db=3", "unix:///tmp/s?db=3"] {
        let parsed = parse(url);
        assert_eq!((parsed.address.to_string().as_str(), parsed.database), ("unix:/tmp/s", Some(3)), "{url}");
    }
    assert_eq!(parse("redis://h?read=primary").address.to_string(), "h:6379");
    for (value, read) in
        [("primary", ReadFrom::Primary), ("Prefer-Replica", ReadFrom::PreferReplica), ("nearest", ReadFrom::Nearest)]
    {
        assert_eq!(parse(&format!("redis+sentinel://h/main?read={value}")).read, read);
    }
    for url in [
        "redis+sentinel://h/main?read=nearest&az=eu-1b",
        "redis+sentinel://h/main?availability_zone=eu-1b&read=prefer-replica",
    ] {
        assert_eq!(parse(url).zone.as_deref(), Some("eu-1b"));
    }
    let refused = |url| RedisUrl::parse(url).err().unwrap();
    assert_eq!(refused("redis+sentinel://h/main?az=eu-1b"), UrlError::NeedsRead);
    assert_eq!(refused("redis://h?az=eu-1b"), UrlError::NeedsSentinel("az"));
    assert!(matches!(refused("redis+sentinel://h/main?read=nearest&az="), UrlError::Value(..)));
}

#[test]
fn an_empty_user_or_password_is_none_wherever_it_stands() {
    let whole = "redis+sentinel://:@h/main?user=&username=&password=&pass=&sentinel_user=&sentinel_password=";
    let url = parse(whole);
    assert_eq!((url.username, url.password), (None, None));
    assert!(url.sentinel == SentinelAccess::default());
    let url = parse("redis://u:p@h?user=&password=");
    assert_eq!((url.username.as_deref(), url.password.as_deref()), (Some("u"), Some("p")));
}

#[test]
fn a_host_with_a_colon_is_an_address_in_brackets_or_none() {
    for url in ["redis://a%3Ab:5", "redis://%3A%3A1", "redis+cluster://h,a%3A1", "redis+sentinel://h/main?node=a%253Ab"]
    {
        assert_eq!(RedisUrl::parse(url).err(), Some(UrlError::Host), "{url}");
    }
    assert_eq!(parse("redis://[%3A%3A1]:5").address.to_string(), "[::1]:5");
}

/// A part of user info, in which everything is encoded that must be and some more.
fn encoded(text: &str, dice: &mut Dice) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let encode = |byte: u8| match plain(byte) && dice.below(4) > 0 {
        true => char::from(byte).to_string(),
        false if byte.is_multiple_of(2) => format!("%{byte:02x}"),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[test]
fn whatever_is_encoded_comes_back_as_it_was() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let letters: Vec<char> = "ab%#/?@:&=,+ []\\\"ü€\u{1F600}.-_0".chars().collect();
    for _ in 0..20_000 {
        let mut word = |least: usize| -> String {
            let length = least + dice.below(8);
            (0..length).map(|_| letters[dice.below(letters.len())]).collect()
        };
        let (user, password, of_sentinels) = (word(1), word(1), word(1));
        let mut hosts: Vec<String> = Vec::new();
        for _ in 0..=dice.below(4) {
            let host = dice.one_of(&["h", "db-1.example.org", "10.0.0.1", "[::1]", "[2001:db8::7]"]);
            let host = format!("{host}:{}", 1 + dice.below(65_535));
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let scheme = dice.one_of(&["redis+sentinel", "rediss+sentinel", "valkey+sentinel", "valkeys-sentinel"]);
        let (service, database) = (dice.one_of(&["main", "a.b-c_d", "x1"]), dice.below(100));
        let url = format!(
            "{scheme}://{}:{}@{}/{}/{database}?sentinel_password={}",
            encoded(&user, &mut dice),
            encoded(&password, &mut dice),
            hosts.join(","),
            encoded(service, &mut dice),
            encoded(&of_sentinels, &mut dice),
        );
        assert_eq!(told(&url), format!("{service} by {} db {database}", hosts.join(" ")), "{url}");
        let parsed = parse(&url);
        assert_eq!((parsed.username, parsed.password), (Some(user), Some(password)), "{url}");
        assert_eq!(parsed.sentinel.password, Some(of_sentinels), "{url}");
        assert_eq!(parsed.tls, scheme.starts_with("rediss") || scheme.starts_with("valkeys"), "{url}");
    }
}

#[test]
fn no_text_however_broken_is_more_than_refused_and_none_gives_its_secrets_away() {
    const SECRET: &str = "hunter2";
    let whole = [
        "redis://user:hunter2@host:6379/0?db=0&protocol=3",
        "rediss+sentinel://user:hunter2@h1:26379,[::1]:7,h3/main/1?sentinel_user=s&sentinel_password=hunter2&read=nearest&az=b",
        "redis-sentinel://:hunter2@h1,h2/2?sentinelMasterId=main&sentinelPassword=hunter2",
        "redis://h1/5?master_name=main&addr=h2:2&password=hunter2",
        "valkeys+cluster://user:hunter2@h1:7000,h2:7001?read=primary",
        "unix://user:hunter2@/tmp/s?db=1&pass=hunter2",
    ];
    let pieces = [
        "",
        ",",
        ":",
        "@",
        "/",
        "?",
        "#",
        "&",
        "=",
        "%",
        "%4",
        "%40",
        "%ff",
        "[",
        "]",
        " ",
        "\0",
        "ü",
        "\u{1F600}",
        "://",
        "65536",
        "+sentinel",
        "-1",
    ];
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let (mut refused, mut taken) = (0, 0);
    for _ in 0..100_000 {
        let mut url = dice.one_of(&whole).to_owned();
        for _ in 0..=dice.below(3) {
            let at: Vec<usize> = url.char_indices().map(|(at, _)| at).chain([url.len()]).collect();
            let (from, to) = (at[dice.below(at.len())], at[dice.below(at.len())]);
            match dice.below(3) {
                0 => url.insert_str(from, dice.one_of(&pieces)),
                1 => {
                    let end = at.iter().copied().find(|end| *end > from).unwrap_or(from);
                    url.replace_range(from..end, dice.one_of(&pieces));
                }
                _ => {
                    let part = url[from.min(to)..from.max(to)].to_owned();
                    url.insert_str(at[dice.below(at.len())], &part);
                }
            }
        }
        let said = match RedisUrl::parse(&url) {
            Err(error) => {
                refused += 1;
                format!("{error} {error:?}")
            }
            Ok(parsed) => {
                taken += 1;
                // Where the secret has become a path or a host, it is one.
                let is_in_login =
                    !url.starts_with("unix") && !url.rsplit('@').next().unwrap_or_default().contains(SECRET);
                if is_in_login { format!("{} {:?}", parsed.address, parsed.address) } else { String::new() }
            }
        };
        assert!(!said.contains(SECRET), "{}: {said}", excerpt(&url, 300));
    }
    assert!(refused > 20_000 && taken > 2_000, "{refused} {taken}");
}
