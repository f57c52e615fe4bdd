//! Fuzz targets of addresses of Redis, and of what servers reply. Depends on everything here that takes texts and replies apart.
#![allow(clippy::unwrap_used, reason = "a target fails by panicking")]

use redis::{Value, parse_redis_value};

use super::cluster::fuzzing::reply_of_node;
use super::connect_options::RedisOptions;
use super::endpoints::{Address, Endpoints, ReadFrom, SentinelTls};
use super::framing::Framing;
use super::sentinel::fuzzing::reply_of_sentinel;
use super::url::{RedisUrl, UrlError};
use super::values::{Values, flat_fields};
use super::watch::fuzzing::heard;
use super::{role, server};

/// Stands where a secret may stand in seeds. No message repeats it, wherever it stands.
const SECRET: &str = "Hunter-2";

/// An address: what is wrong with it is said without repeating it, and what is right means the same when it is written anew.
pub fn redis_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match RedisUrl::parse(text) {
        Err(error) => {
            let told = format!("{error} {error:?} {}", RedisOptions::at(text).err().unwrap());
            assert!(!told.contains(SECRET), "{told}");
            if let UrlError::UnknownOption(name) | UrlError::Value(name, _) = &error {
                assert!(
                    name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                    "{told}"
                );
            }
        }
        Ok(url) => {
            check_address(&url);
            assert!(RedisOptions::at(text).is_ok());
            let again = written(&url);
            assert!(RedisUrl::parse(&again).unwrap() == url, "{text:?} is {again:?}");
        }
    }
}

fn check_address(url: &RedisUrl) {
    assert!(!url.address.to_string().is_empty());
    let addresses = match &url.address {
        Endpoints::Fixed(address) => std::slice::from_ref(address),
        Endpoints::Sentinel(service) => {
            assert!(!service.name.is_empty());
            &service.sentinels
        }
        Endpoints::Cluster(nodes) => &nodes.seeds,
    };
    assert!(!addresses.is_empty());
    for address in addresses {
        match address {
            Address::Tcp { host, port } => assert!(!host.is_empty() && *port > 0),
            Address::Unix(path) => assert!(path.is_absolute() || cfg!(windows)),
        }
    }
    assert!(url.password.as_deref() != Some("") && url.database.is_none_or(|database| database >= 0));
}

/// The address as we write it.
fn written(url: &RedisUrl) -> String {
    let tls = if url.tls { "s" } else { "" };
    let hosts = |all: &[Address]| all.iter().map(|one| encoded_host(&one.to_string())).collect::<Vec<_>>().join(",");
    let mut query = Vec::new();
    let (scheme, place) = match &url.address {
        Endpoints::Fixed(Address::Unix(path)) => ("unix".to_owned(), encoded(path.to_str().unwrap())),
        Endpoints::Fixed(address) => (format!("redis{tls}"), encoded_host(&address.to_string())),
        Endpoints::Sentinel(service) => {
            query.push(("service", service.name.clone()));
            (format!("redis{tls}+sentinel"), hosts(&service.sentinels))
        }
        Endpoints::Cluster(nodes) => {
            let map = &nodes.address_map.0;
            let pairs: Vec<String> = map
                .iter()
                .map(|(one, other)| format!("{}>{}", encoded_host(&one.to_string()), encoded_host(&other.to_string())))
                .collect();
            query.extend((!pairs.is_empty()).then(|| ("node_address_map", pairs.join(","))));
            (format!("redis{tls}+cluster"), hosts(&nodes.seeds))
        }
    };
    query.extend(url.password.clone().map(|password| ("password", password)));
    query.extend(url.username.clone().map(|user| ("user", user)));
    query.extend(url.database.map(|database| ("db", database.to_string())));
    query.extend(url.sentinel.username.clone().map(|user| ("sentinel_user", user)));
    query.extend(url.sentinel.password.clone().map(|password| ("sentinel_password", password)));
    match url.sentinel.tls {
        SentinelTls::Same => {}
        SentinelTls::Yes => query.push(("sentinel_tls", "yes".to_owned())),
        SentinelTls::No => query.push(("sentinel_tls", "no".to_owned())),
    }
    match url.read {
        ReadFrom::Primary => {}
        ReadFrom::PreferReplica => query.push(("read", "prefer-replica".to_owned())),
        ReadFrom::Nearest => query.push(("read", "nearest".to_owned())),
    }
    query.extend(url.zone.clone().map(|zone| ("az", zone)));
    query.extend(url.resp2_only.then(|| ("protocol", "2".to_owned())));
    let seconds = |duration: std::time::Duration| duration.as_secs_f64().to_string();
    query.extend(url.connect_timeout.map(|limit| ("socket_connect_timeout", seconds(limit))));
    query.extend(url.command_timeout.map(|limit| ("socket_timeout", seconds(limit))));
    query.extend(url.client_name.clone().map(|name| ("client_name", name)));
    for (name, file) in
        [("ssl_ca_certs", &url.ca_file), ("ssl_certfile", &url.cert_file), ("ssl_keyfile", &url.key_file)]
    {
        query.extend(file.as_ref().map(|file| (name, file.to_str().unwrap().to_owned())));
    }
    let certs = |skip| if skip { "none" } else { "required" };
    query.extend(url.skip_verify.map(|skip| ("ssl_cert_reqs", certs(skip).to_owned())));
    let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
    format!("{scheme}://{place}?{}", query.join("&"))
}

/// Everything that may mean something else in an address, by its number.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}

fn encoded_host(text: &str) -> String {
    text.replace('%', "%25")
}

/// A reply in either version of the protocol, for everybody who takes replies apart.
pub fn redis_reply(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for name in ["run_id", "role", "", "redis_version"] {
        assert!(server::value_of(&text, name).is_none_or(|value| !value.contains('\n')));
    }
    let _ = (server::version(&text), server::peers(&text), role::of_text(&text));
    let refuses = |piece| {
        let mut framing = Framing::new();
        data.chunks(piece).any(|piece| framing.note(piece).is_err())
    };
    assert_eq!(refuses(data.len().max(1)), refuses(1), "it is refused in whatever pieces it comes, or in none");
    let Ok(reply) = parse_redis_value(data) else { return };
    reply_of_node(&reply);
    heard(reply.clone());
    if let Value::Array(parts) = &reply {
        let _ = role::of_parts(parts);
        reply_of_sentinel(parts);
        let mut values = Values::new(parts.clone());
        let _ = (values.size(), values.hash(), values.fields(2, true), values.fields(2, false), values.exists());
    }
    if let (Value::Array(parts), Ok(fields)) = (&reply, flat_fields(Some(reply.clone()))) {
        assert_eq!(fields.len(), parts.len() / 2);
    }
}
