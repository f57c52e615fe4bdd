//! What the server's JSON says: the whole data set, one item, one deletion. Pure; items are lent out of the text.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::sink::{Content, Item};
use crate::model::Kind;

/// The largest version; beyond it whole numbers are not exact for everybody who reads them.
pub(super) const LARGEST_VERSION: i64 = 1 << 53;

/// What a message means.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// Everything.
    Put(Vec<Item<'a>>),
    /// One item.
    Patch(Item<'a>),
    /// An event whose name is not known.
    UnknownEvent,
    /// A known event about a path that is not known.
    UnknownPath(String),
}

/// Why a text makes no sense.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(String);

/// Reads an event of the stream. The data of an event with an unknown name are not looked at.
pub(super) fn read_event<'a>(name: &[u8], data: &'a [u8]) -> Result<Message<'a>, Malformed> {
    if !matches!(name, b"put" | b"patch" | b"delete") {
        return Ok(Message::UnknownEvent);
    }
    let text = std::str::from_utf8(data).map_err(|_| Malformed("not UTF-8".to_owned()))?;
    match name {
        b"put" => read_put(text),
        b"patch" => read_patch(text),
        _ => read_delete(text),
    }
}

/// Reads the answer of a poll.
pub(super) fn read_all(data: &[u8]) -> Result<Vec<Item<'_>>, Malformed> {
    let text = std::str::from_utf8(data).map_err(|_| Malformed("not UTF-8".to_owned()))?;
    let all: All<'_> = parse(text)?;
    all.items()
}

fn read_put(text: &str) -> Result<Message<'_>, Malformed> {
    let put: Put<'_> = parse(text)?;
    match put.path.as_deref() {
        None | Some("" | "/") => put.data.0.items().map(Message::Put),
        Some(path) => Ok(Message::UnknownPath(path.to_owned())),
    }
}

fn read_patch(text: &str) -> Result<Message<'_>, Malformed> {
    let patch: Patch<'_> = parse(text)?;
    let Some((kind, key)) = split(patch.path) else { return unknown_path(text) };
    let item = json_item(kind, key, patch.data)?;
    Ok(Message::Patch(item))
}

fn read_delete(text: &str) -> Result<Message<'_>, Malformed> {
    let delete: Delete<'_> = parse(text)?;
    let Some((kind, key)) = split(delete.path) else { return unknown_path(text) };
    check_version(delete.version.0)?;
    Ok(Message::Patch(Item { kind, key, content: Content::Deleted { version: delete.version.0 } }))
}

fn unknown_path(text: &str) -> Result<Message<'_>, Malformed> {
    #[derive(Deserialize)]
    struct Path {
        path: String,
    }
    let Path { path } = parse(text)?;
    Ok(Message::UnknownPath(path))
}

/// Kind and key of a path; the key is all that follows the second slash, as it is.
fn split(path: Cow<'_, str>) -> Option<(Kind, Cow<'_, str>)> {
    let (kind, prefix) = [(Kind::Flag, "/flags/"), (Kind::Segment, "/segments/")]
        .into_iter()
        .find(|(_, prefix)| path.strip_prefix(prefix).is_some_and(|key| !key.is_empty()))?;
    let key = match path {
        Cow::Borrowed(path) => Cow::Borrowed(path.get(prefix.len()..)?),
        Cow::Owned(path) => Cow::Owned(path.get(prefix.len()..)?.to_owned()),
    };
    Some((kind, key))
}

pub(super) fn json_item<'a>(kind: Kind, key: Cow<'a, str>, json: &'a RawValue) -> Result<Item<'a>, Malformed> {
    let Versioned(version) =
        serde_json::from_str(json.get()).map_err(|error| Malformed(format!("{} {key:?}: {error}", name(kind))))?;
    check_version(version).map_err(|error| Malformed(format!("{} {key:?}: {error}", name(kind))))?;
    Ok(Item { kind, key, content: Content::Json(json.get()) })
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "flag",
        Kind::Segment => "segment",
    }
}

fn check_version(version: i64) -> Result<(), Malformed> {
    if (0..=LARGEST_VERSION).contains(&version) {
        Ok(())
    } else {
        Err(Malformed(format!("the version {version} is out of range")))
    }
}

pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Malformed> {
    serde_json::from_str(text).map(|Object(value)| value).map_err(|error| Malformed(error.to_string()))
}

/// Reads an object only: a struct alone would also be read from an array.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Read(PhantomData)).map(Object)
    }
}

#[derive(Deserialize)]
struct Put<'a> {
    #[serde(default)]
    path: Option<String>,
    #[serde(borrow)]
    data: Object<All<'a>>,
}

#[derive(Deserialize)]
struct Patch<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Delete<'a> {
    #[serde(borrow)]
    path: Cow<'a, str>,
    version: Version,
}

/// Both collections; others are of no concern.
#[derive(Deserialize)]
struct All<'a> {
    #[serde(borrow, default)]
    flags: Option<Members<'a>>,
    #[serde(borrow, default)]
    segments: Option<Members<'a>>,
}

impl<'a> All<'a> {
    fn items(self) -> Result<Vec<Item<'a>>, Malformed> {
        let mut items = Vec::new();
        for (kind, members) in [(Kind::Segment, self.segments), (Kind::Flag, self.flags)] {
            for (Key(key), json) in members.map(|members| members.0).into_iter().flatten() {
                items.push(json_item(kind, key, json)?);
            }
        }
        Ok(items)
    }
}

/// A key, lent out of the text unless it has escapes.
#[derive(Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The members of an object in the order written.
pub(super) struct Members<'a>(pub Vec<(Key<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Vec<(Key<'de>, &'de RawValue)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Read).map(Members)
    }
}

/// The version of an item, 0 if it has none; of several the last one.
struct Versioned(i64);

impl<'de> Deserialize<'de> for Versioned {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = i64;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<i64, A::Error> {
                let mut version = 0;
                while let Some(Key(key)) = map.next_key()? {
                    if key == "version" {
                        version = map.next_value::<Version>()?.0;
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(version)
            }
        }
        deserializer.deserialize_map(Read).map(Versioned)
    }
}

/// A whole number, however it is written.
struct Version(i64);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl Visitor<'_> for Read {
            type Value = i64;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a whole number")
            }

            fn visit_i64<E>(self, value: i64) -> Result<i64, E> {
                Ok(value)
            }

            fn visit_u64<E>(self, value: u64) -> Result<i64, E> {
                Ok(i64::try_from(value).unwrap_or(i64::MAX))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<i64, E> {
                if value.fract() == 0.0 {
                    // Out of range becomes the nearest end, which the caller refuses.
                    Ok(value as i64)
                } else {
                    Err(E::invalid_type(de::Unexpected::Float(value), &self))
                }
            }
        }
        deserializer.deserialize_any(Read).map(Version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event<'a>(name: &str, data: &'a str) -> Result<Message<'a>, Malformed> {
        read_event(name.as_bytes(), data.as_bytes())
    }

    fn json<'a>(kind: Kind, key: &'a str, json: &'a str) -> Item<'a> {
        Item { kind, key: Cow::Borrowed(key), content: Content::Json(json) }
    }

    #[test]
    fn a_put_has_its_items_as_they_were_written() {
        let data = r#"{"data":{"other":1,"flags":{"a":{"version": 1,  "new":[1.0] },"b":{}},"segments":{"s":{}}}}"#;
        let items = vec![
            json(Kind::Segment, "s", "{}"),
            json(Kind::Flag, "a", r#"{"version": 1,  "new":[1.0] }"#),
            json(Kind::Flag, "b", "{}"),
        ];
        assert_eq!(event("put", data), Ok(Message::Put(items)));
    }

    #[test]
    fn the_path_of_a_put_may_be_missing_empty_or_a_slash() {
        for path in ["", r#""path":"","#, r#""path":"/","#, r#""path":null,"#] {
            assert_eq!(event("put", &format!(r#"{{{path}"data":{{}}}}"#)), Ok(Message::Put(vec![])), "{path}");
        }
        let other = event("put", r#"{"path":"/x","data":{}}"#);
        assert_eq!(other, Ok(Message::UnknownPath("/x".to_owned())));
    }

    #[test]
    fn the_collections_of_a_put_are_objects_or_nothing() {
        for data in [r#"{"flags":null}"#, r#"{"segments":null,"flags":{}}"#, "{}"] {
            assert_eq!(event("put", &format!(r#"{{"data":{data}}}"#)), Ok(Message::Put(vec![])));
            assert_eq!(read_all(data.as_bytes()), Ok(vec![]));
        }
        for data in
            ["null", "[]", "3", r#"{"flags":[]}"#, r#"{"flags":3}"#, r#"{"segments":""}"#, r#"{"flags":{"a":1}}"#]
        {
            assert!(event("put", &format!(r#"{{"data":{data}}}"#)).is_err(), "{data}");
            assert!(read_all(data.as_bytes()).is_err(), "{data}");
        }
        assert!(event("put", r#"{"path":"/"}"#).is_err(), "data are missing");
        assert!(event("put", r#"{"path":3,"data":{}}"#).is_err());
    }

    #[test]
    fn a_patch_has_a_path_and_data_in_any_order() {
        let expected = || Ok(Message::Patch(json(Kind::Flag, "a/b%2F c", r#"{"version":2}"#)));
        assert_eq!(event("patch", r#"{"path":"/flags/a/b%2F c","data":{"version":2}}"#), expected());
        assert_eq!(event("patch", r#"{"data":{"version":2},"path":"/flags/a/b%2F c"}"#), expected());
        let escaped = event("patch", r#"{"path":"\/segments\/s","data":{}}"#);
        assert_eq!(escaped, Ok(Message::Patch(json(Kind::Segment, "s", "{}"))));
    }

    #[test]
    fn a_delete_has_a_path_and_a_version() {
        let item = Item { kind: Kind::Segment, key: "s".into(), content: Content::Deleted { version: 7 } };
        assert_eq!(event("delete", r#"{"version":7,"path":"/segments/s"}"#), Ok(Message::Patch(item.clone())));
        assert_eq!(event("delete", r#"{"version":7.0,"path":"/segments/s"}"#), Ok(Message::Patch(item)));
        for version in ["", r#","version":null"#, r#","version":"7""#, r#","version":7.5"#, r#","version":[]"#] {
            assert!(event("delete", &format!(r#"{{"path":"/segments/s"{version}}}"#)).is_err(), "{version}");
        }
    }

    #[test]
    fn an_unknown_path_is_told_apart_from_nonsense() {
        for path in ["/other/a", "/flags", "/flags/", "flags/a", ""] {
            let unknown = Ok(Message::UnknownPath(path.to_owned()));
            assert_eq!(event("patch", &format!(r#"{{"path":"{path}","data":{{}}}}"#)), unknown);
            assert_eq!(event("delete", &format!(r#"{{"path":"{path}","version":1}}"#)), unknown);
        }
        for data in ["", "{", "[]", r#"{"path":"/flags/a"}"#, r#"{"data":{}}"#, r#"{"path":1,"data":{}}"#] {
            assert!(event("patch", data).is_err(), "{data}");
        }
        for data in ["3", "null", "[]", "\"\""] {
            assert!(event("patch", &format!(r#"{{"path":"/flags/a","data":{data}}}"#)).is_err(), "{data}");
        }
    }

    #[test]
    fn an_unknown_event_is_not_looked_at() {
        assert_eq!(read_event(b"heartbeat", b"\xff{"), Ok(Message::UnknownEvent));
        assert!(read_event(b"put", b"{\"data\":{\"flags\":{\"\xff\":{}}}}").is_err());
    }

    #[test]
    fn a_version_is_a_whole_number_that_everybody_can_hold() {
        let version = |version: &str| {
            let flag = format!(r#"{{"flags":{{"a":{{"version":{version}}}}}}}"#);
            let delete = format!(r#"{{"path":"/flags/a","version":{version}}}"#);
            let is_good = read_all(flag.as_bytes()).is_ok();
            assert_eq!(is_good, event("delete", &delete).is_ok(), "{version}");
            is_good
        };
        for good in ["0", "1", "9007199254740992", "3e2"] {
            assert!(version(good), "{good}");
        }
        for bad in ["-1", "9007199254740993", "18446744073709551615", "1e300", "-1e300", "1.5", "\"1\"", "null", "{}"] {
            assert!(!version(bad), "{bad}");
        }
    }
}
