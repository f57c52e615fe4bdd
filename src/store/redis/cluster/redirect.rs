//! What a node says that does not serve a key. Pure functions over replies.

use redis::{RedisError, ServerError, Value};

/// Another node has to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redirect {
    /// That one owns the slot.
    Moved(u16, Told),
    /// The key is on its way there; its slot still belongs to the one that says so.
    Ask(u16, Told),
    /// Some of the keys of one command or transaction are on their way, and others are not.
    Torn,
    /// Nobody serves the slot just now, or this one serves no writes any more.
    Nowhere,
}

/// A node as another one tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Empty: the host that says so.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl Redirect {
    /// `MOVED 3999 127.0.0.1:6381` and its likes.
    pub fn parse(code: &str, detail: Option<&str>) -> Option<Self> {
        let node = || {
            let (slot, address) = detail?.trim().split_once(' ')?;
            let (host, port) = address.split(' ').next()?.rsplit_once(':')?;
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            Some((
                slot.parse().ok().filter(|slot| *slot < super::slot::SLOTS)?,
                Told { host, port: port.parse().ok()? },
            ))
        };
        match code {
            "MOVED" => node().map(|(slot, told)| Self::Moved(slot, told)),
            "ASK" => node().map(|(slot, told)| Self::Ask(slot, told)),
            "TRYAGAIN" => Some(Self::Torn),
            "CLUSTERDOWN" | "READONLY" => Some(Self::Nowhere),
            _ => None,
        }
    }

    fn of_reply(error: &ServerError) -> Option<Self> {
        Self::parse(error.code(), error.details())
    }
}

/// Something that replies were made to.
pub trait Replies {
    /// The first error in it that a cluster's node may have meant for us to go elsewhere.
    fn redirect(&self) -> Option<Redirect>;
}

impl Replies for Value {
    fn redirect(&self) -> Option<Redirect> {
        match self {
            Self::ServerError(error) => Redirect::of_reply(error),
            _ => None,
        }
    }
}

impl Replies for Vec<Value> {
    fn redirect(&self) -> Option<Redirect> {
        self.iter().find_map(Replies::redirect)
    }
}

impl<const N: usize> Replies for [Value; N] {
    fn redirect(&self) -> Option<Redirect> {
        self.iter().find_map(Replies::redirect)
    }
}

impl Replies for () {
    fn redirect(&self) -> Option<Redirect> {
        None
    }
}

impl<T: Replies> Replies for Result<T, RedisError> {
    fn redirect(&self) -> Option<Redirect> {
        match self {
            Ok(replies) => replies.redirect(),
            Err(error) => Redirect::parse(error.code()?, error.detail()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<Redirect> {
        let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
        Redirect::parse(code, Some(detail))
    }

    #[test]
    fn a_node_that_sends_elsewhere_says_where() {
        let at = |host: &str, port| Told { host: host.to_owned(), port };
        assert_eq!(told("MOVED 3999 127.0.0.1:6381"), Some(Redirect::Moved(3_999, at("127.0.0.1", 6_381))));
        assert_eq!(told("ASK 0 node-1.example.org:7000"), Some(Redirect::Ask(0, at("node-1.example.org", 7_000))));
        assert_eq!(told("MOVED 16383 ::1:7000"), Some(Redirect::Moved(16_383, at("::1", 7_000))));
        assert_eq!(told("MOVED 16383 [::1]:7000"), Some(Redirect::Moved(16_383, at("::1", 7_000))));
        assert_eq!(told("MOVED 5 :7000"), Some(Redirect::Moved(5, at("", 7_000))));
        assert_eq!(told("TRYAGAIN Multiple keys request during rehashing of slot"), Some(Redirect::Torn));
        for text in
            ["MOVED", "MOVED x 127.0.0.1:1", "MOVED 16384 h:1", "ASK 1 h", "ASK 1 h:65536", "MOVED 1", "OK 1 h:1"]
        {
            assert_eq!(told(text), None, "{text}");
        }
    }
}
