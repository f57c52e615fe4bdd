//! The options after the `?` of an address: our own, and those of other clients that can be honoured. Part of `url`.

use std::path::PathBuf;
use std::time::Duration;

use super::endpoints::{Address, AddressMap, ReadFrom, SentinelTls};
use super::url::{RedisUrl, UrlError};
use super::url_parts::{database, decode, tcp_address};

/// What options say of hosts and topology, which is judged together with the rest of the URL.
#[derive(Default)]
pub(super) struct Extra {
    /// The service that sentinels are asked for.
    pub(super) service: Option<String>,
    /// Further hosts.
    pub(super) nodes: Vec<String>,
    /// One of the options that only sentinels have.
    pub(super) about_sentinels: Option<&'static str>,
    /// Where nodes of a cluster are reached.
    pub(super) address_map: AddressMap,
}

impl RedisUrl {
    /// Takes what stands after the `?`.
    pub(super) fn take_options(&mut self, query: &str, extra: &mut Extra) -> Result<(), UrlError> {
        let mut after_secret = false;
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or(UrlError::Options)?;
            let value = decode(value, "value of an option")?;
            let lower = name.to_ascii_lowercase();
            let outcome = match self.take_topology(&lower, value, extra) {
                Err(value) => self.take_option(&lower, value),
                Ok(outcome) => outcome,
            };
            match outcome {
                // It may be the rest of a password with an & in it.
                Err(UrlError::UnknownOption(_)) if after_secret || !is_name(name) => return Err(UrlError::Options),
                outcome => outcome?,
            }
            after_secret = lower.ends_with("password") || lower == "pass";
        }
        Ok(())
    }

    /// Options of hosts and topology, with the names that Lettuce, fred and go-redis give them; the value of any other comes
    /// back.
    fn take_topology(&mut self, name: &str, value: String, extra: &mut Extra) -> Result<Result<(), UrlError>, String> {
        let sentinel = &mut self.sentinel;
        Ok(match name {
            "node" | "addr" => {
                extra.nodes.push(value);
                Ok(())
            }
            "service" | "sentinelmasterid" | "sentinelservicename" | "master_name" => {
                set(&mut extra.service, value, "service")
            }
            "sentinel_user" | "sentinel_username" | "sentinelusername" => {
                extra.about_sentinels = Some("sentinel_user");
                set_text(&mut sentinel.username, value, "user of the sentinels")
            }
            "sentinel_password" | "sentinelpassword" => {
                extra.about_sentinels = Some("sentinel_password");
                set_text(&mut sentinel.password, value, "password of the sentinels")
            }
            "sentinel_tls" => {
                extra.about_sentinels = Some("sentinel_tls");
                let tls = match value.to_ascii_lowercase().as_str() {
                    "same" => Ok(SentinelTls::Same),
                    "yes" => Ok(SentinelTls::Yes),
                    "no" => Ok(SentinelTls::No),
                    _ => Err(UrlError::Value(name.to_owned(), "same, yes or no")),
                };
                tls.map(|tls| sentinel.tls = tls)
            }
            "read" => {
                self.read = match value.to_ascii_lowercase().as_str() {
                    "primary" => ReadFrom::Primary,
                    "prefer-replica" => ReadFrom::PreferReplica,
                    "nearest" => ReadFrom::Nearest,
                    _ => return Ok(Err(UrlError::Value(name.to_owned(), "primary, prefer-replica or nearest"))),
                };
                if self.read != ReadFrom::Primary {
                    extra.about_sentinels = Some("read");
                }
                Ok(())
            }
            "node_address_map" => address_map(&value).map(|map| extra.address_map = map),
            "az" | "availability_zone" => {
                extra.about_sentinels = Some("az");
                let is_zone = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic());
                if is_zone {
                    set(&mut self.zone, value, "zone")
                } else {
                    Err(UrlError::Value(name.to_owned(), "the name of a zone"))
                }
            }
            _ => return Err(value),
        })
    }

    /// The names are those of this library, or of redis-py, which the URLs of many applications are written for.
    fn take_option(&mut self, name: &str, value: String) -> Result<(), UrlError> {
        let wrong = |takes| UrlError::Value(name.to_owned(), takes);
        match name {
            "db" | "database" => set(&mut self.database, database(&value)?, "database"),
            "user" | "username" => set_text(&mut self.username, value, "user"),
            "pass" | "password" => set_text(&mut self.password, value, "password"),
            "protocol" => {
                self.resp2_only = match value.as_str() {
                    "2" | "resp2" => true,
                    "3" | "resp3" => false,
                    _ => return Err(wrong("2 or 3")),
                };
                Ok(())
            }
            "socket_timeout" => {
                set(&mut self.command_timeout, seconds(&value).ok_or_else(|| wrong(SECONDS))?, "time-out of commands")
            }
            "socket_connect_timeout" => {
                set(&mut self.connect_timeout, seconds(&value).ok_or_else(|| wrong(SECONDS))?, "time-out of connecting")
            }
            "socket_keepalive" if is_true(&value) => Ok(()),
            "socket_keepalive" => Err(wrong("true, which it is anyway")),
            "client_name" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic()) => {
                set(&mut self.client_name, value, "name of the client")
            }
            "client_name" => Err(wrong("a name without white space")),
            "ssl_ca_certs" => set(&mut self.ca_file, PathBuf::from(value), "file of the authorities"),
            "ssl_certfile" => set(&mut self.cert_file, PathBuf::from(value), "file of the certificate"),
            "ssl_keyfile" => set(&mut self.key_file, PathBuf::from(value), "file of the key"),
            "ssl_cert_reqs" => {
                let skip = match value.to_ascii_lowercase().trim_start_matches("cert_") {
                    "none" => true,
                    "required" => false,
                    _ => return Err(wrong("required or none")),
                };
                set(&mut self.skip_verify, skip, "check of certificates")
            }
            _ => Err(UrlError::UnknownOption(name.to_owned())),
        }
    }
}

/// `inside:port>outside:port,…`
fn address_map(text: &str) -> Result<AddressMap, UrlError> {
    let wrong = || UrlError::Value("node_address_map".to_owned(), "inside:port>outside:port, separated by commas");
    let address = |text: &str| -> Result<Address, UrlError> {
        let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        // Without a port of its own, 0 is none.
        tcp_address(text, 0).ok().filter(|_| has_port).filter(Address::has_port).ok_or_else(wrong)
    };
    let pair = |pair: &str| {
        let (inside, outside) = pair.split_once('>').ok_or_else(wrong)?;
        Ok((address(inside)?, address(outside)?))
    };
    text.split(',').map(pair).collect::<Result<_, _>>().map(AddressMap)
}

const SECONDS: &str = "a number of seconds from 0.001 to 86400";

fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.parse().ok()?;
    (0.001..=86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "1" | "yes" | "on")
}

pub(super) fn set<T: PartialEq>(place: &mut Option<T>, value: T, what: &'static str) -> Result<(), UrlError> {
    if place.as_ref().is_some_and(|present| *present != value) {
        return Err(UrlError::Twice(what));
    }
    *place = Some(value);
    Ok(())
}

/// The same for who logs in and with what: an empty text says nothing, as before the `@`.
fn set_text(place: &mut Option<String>, text: String, what: &'static str) -> Result<(), UrlError> {
    if text.is_empty() { Ok(()) } else { set(place, text, what) }
}

/// Whether this can be shown: the name of an option, as far as can be seen.
fn is_name(text: &str) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
