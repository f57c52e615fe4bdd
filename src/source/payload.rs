//! What the server's JSON says: the whole data set, one item, one deletion. Pure; items are lent out of the text, each as
//! it is written, whether it makes sense or not: that is judged item by item, by whoever takes it.

use std::borrow::Cow;

use serde::Deserialize;

use super::outlet::Outlet;
use super::sink::Severity;
use crate::model::{Content, Delivery, Kind, LARGEST_VERSION, RawMember, ScanError, read_string, repair, scan_members};

/// What a message means.
#[derive(Debug, PartialEq)]
pub(super) enum Message<'a> {
    /// Everything.
    Put(All<'a>),
    /// One item.
    Patch(Delivery<'a>),
    /// An event whose name is not known.
    UnknownEvent,
    /// A known event about a path that is not known.
    UnknownPath(String),
}

/// A whole data set.
#[derive(Debug, Default, PartialEq)]
pub(super) struct All<'a> {
    pub items: Vec<Delivery<'a>>,
    /// Items whose keys are no text, so that nobody can name them.
    pub unnameable: usize,
}

impl All<'_> {
    /// Tells of what is left out.
    pub(super) fn report(&self, outlet: &Outlet<'_>) {
        if self.unnameable > 0 {
            outlet.log(Severity::Error, format_args!("{} items have keys that are no text", self.unnameable));
        }
    }
}

/// Why a text makes no sense.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Malformed(String);

impl Malformed {
    pub(super) fn new(message: &str) -> Self {
        Self(message.to_owned())
    }
}

impl From<ScanError> for Malformed {
    fn from(error: ScanError) -> Self {
        Self(error.to_string())
    }
}

/// Reads an event of the stream. The data of an event with an unknown name are not looked at.
pub(super) fn read_event<'a>(name: &[u8], data: &'a [u8]) -> Result<Message<'a>, Malformed> {
    match name {
        b"put" => read_put(data),
        b"patch" => read_patch(data),
        b"delete" => read_delete(data),
        _ => Ok(Message::UnknownEvent),
    }
}

/// Reads the answer of a poll.
pub(super) fn read_all(data: &[u8]) -> Result<All<'_>, Malformed> {
    let members = scan_members(data)?;
    let (segments, flags) = (collection(&members, "segments")?, collection(&members, "flags")?);
    if segments.is_none() && flags.is_none() {
        return Err(Malformed("it has neither flags nor segments".to_owned()));
    }
    let mut all = All::default();
    for (kind, members) in [(Kind::Segment, segments), (Kind::Flag, flags)] {
        for RawMember { key, value } in members.into_iter().flatten() {
            match key {
                Some(key) => all.items.push(Delivery { kind, key, content: Content::Json(value) }),
                None => all.unnameable += 1,
            }
        }
    }
    Ok(all)
}

/// The members of the object under this name; `None` where there is none, or null.
pub(super) fn collection<'a>(members: &[RawMember<'a>], name: &str) -> Result<Option<Vec<RawMember<'a>>>, Malformed> {
    match member(members, name) {
        None | Some(b"null") => Ok(None),
        Some(object) => scan_members(object).map(Some).map_err(|error| Malformed(format!("{name}: {error}"))),
    }
}

/// The value of the last member of this name.
pub(super) fn member<'a>(members: &[RawMember<'a>], name: &str) -> Option<&'a [u8]> {
    members.iter().rev().find(|member| member.key.as_deref() == Some(name)).map(|member| member.value)
}

fn read_put(data: &[u8]) -> Result<Message<'_>, Malformed> {
    let members = scan_members(data)?;
    let path = match member(&members, "path") {
        None | Some(b"null") => Cow::Borrowed(""),
        Some(path) => read_string(path).ok_or_else(|| Malformed("the path is no text".to_owned()))?,
    };
    if !matches!(&*path, "" | "/") {
        return Ok(Message::UnknownPath(path.into_owned()));
    }
    let data = member(&members, "data").ok_or_else(|| Malformed("the data are missing".to_owned()))?;
    read_all(data).map(Message::Put)
}

fn read_patch(data: &[u8]) -> Result<Message<'_>, Malformed> {
    let members = scan_members(data)?;
    let path = member(&members, "path").and_then(read_string);
    let path = path.ok_or_else(|| Malformed("the path is missing or no text".to_owned()))?;
    // What is no object at all says nothing of an item; null is what some writers make of one.
    let item = member(&members, "data").filter(|item| item.starts_with(b"{") || *item == b"null");
    let item = item.ok_or_else(|| Malformed("the data are no object".to_owned()))?;
    Ok(match split(path) {
        Ok((kind, key)) => Message::Patch(Delivery { kind, key, content: Content::Json(item) }),
        Err(path) => Message::UnknownPath(path.into_owned()),
    })
}

fn read_delete(data: &[u8]) -> Result<Message<'_>, Malformed> {
    #[derive(Deserialize)]
    struct Delete {
        path: String,
        version: serde_json::Number,
    }
    let delete: Delete = serde_json::from_slice(&repair(data)).map_err(|error| Malformed(error.to_string()))?;
    match split(Cow::Owned(delete.path)) {
        Ok((kind, key)) => {
            let content = Content::Deleted { version: version(&delete.version)? };
            Ok(Message::Patch(Delivery { kind, key, content }))
        }
        Err(path) => Ok(Message::UnknownPath(path.into_owned())),
    }
}

/// Kind and key of a path; the key is all that follows the second slash, as it is. The path itself if it is another.
fn split(path: Cow<'_, str>) -> Result<(Kind, Cow<'_, str>), Cow<'_, str>> {
    let known = [(Kind::Flag, "/flags/"), (Kind::Segment, "/segments/")]
        .into_iter()
        .find(|(_, prefix)| path.strip_prefix(prefix).is_some_and(|key| !key.is_empty()));
    let Some((kind, prefix)) = known else { return Err(path) };
    Ok(match path {
        Cow::Borrowed(path) => (kind, Cow::Borrowed(path.get(prefix.len()..).unwrap_or_default())),
        Cow::Owned(path) => (kind, Cow::Owned(path.get(prefix.len()..).unwrap_or_default().to_owned())),
    })
}

/// A whole number that everybody can hold, however it is written.
pub(super) fn version(number: &serde_json::Number) -> Result<i64, Malformed> {
    let whole = number.as_f64().filter(|value| value.fract() == 0.0).map(|value| value as i64);
    number
        .as_i64()
        .or(if number.is_f64() { whole } else { None })
        .filter(|version| (0..=LARGEST_VERSION).contains(version))
        .ok_or_else(|| Malformed(format!("the version {number} is out of range")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event<'a>(name: &str, data: &'a str) -> Result<Message<'a>, Malformed> {
        read_event(name.as_bytes(), data.as_bytes())
    }

    fn put(items: Vec<Delivery<'_>>) -> Result<Message<'_>, Malformed> {
        Ok(Message::Put(All { items, unnameable: 0 }))
    }

    fn json<'a>(kind: Kind, key: &'a str, json: &'a str) -> Delivery<'a> {
        Delivery { kind, key: Cow::Borrowed(key), content: Content::Json(json.as_bytes()) }
    }

    #[test]
    fn a_put_has_its_items_as_they_were_written() {
        let data = r#"{"data":{"other":1,"flags":{"a":{"version": 1,  "new":[1.0] },"b":{}},"segments":{"s":{}}}}"#;
        let items = vec![
            json(Kind::Segment, "s", "{}"),
            json(Kind::Flag, "a", r#"{"version": 1,  "new":[1.0] }"#),
            json(Kind::Flag, "b", "{}"),
        ];
        assert_eq!(event("put", data), put(items));
    }

    #[test]
    fn the_path_of_a_put_may_be_missing_empty_or_a_slash() {
        for path in ["", r#""path":"","#, r#""path":"/","#, r#""path":null,"#] {
            let text = format!(r#"{{{path}"data":{{"flags":{{}}}}}}"#);
            assert_eq!(event("put", &text), put(vec![]), "{path}");
        }
        let other = event("put", r#"{"path":"/x","data":{}}"#);
        assert_eq!(other, Ok(Message::UnknownPath("/x".to_owned())));
    }

    #[test]
    fn a_data_set_has_at_least_one_of_its_collections() {
        for data in [r#"{"flags":{}}"#, r#"{"segments":null,"flags":{}}"#, r#"{"segments":{}}"#] {
            assert_eq!(event("put", &format!(r#"{{"data":{data}}}"#)), put(vec![]));
            assert_eq!(read_all(data.as_bytes()), Ok(All::default()));
        }
        for data in [
            "null",
            "[]",
            "3",
            "{}",
            r#"{"flags":null}"#,
            r#"{"message":"Service temporarily unavailable"}"#,
            r#"{"data":{"flags":{}}}"#,
            r#"{"flags":[]}"#,
            r#"{"flags":3}"#,
            r#"{"flags":{},"segments":""}"#,
            r#"{"flags":{"a":{"b":1}}"#,
        ] {
            assert!(event("put", &format!(r#"{{"data":{data}}}"#)).is_err(), "{data}");
            assert!(read_all(data.as_bytes()).is_err(), "{data}");
        }
        assert!(event("put", r#"{"path":"/"}"#).is_err(), "data are missing");
        assert!(event("put", r#"{"path":3,"data":{"flags":{}}}"#).is_err());
    }

    #[test]
    fn items_are_not_judged_here() {
        let bad =
            ["null", "1", "NaN", r#"{"version":1e20}"#, r#"{"version":null}"#, r#"{"x":1e400}"#, r#"{"x":"\ud800"}"#];
        for item in bad {
            let text = format!(r#"{{"flags":{{"a":{item},"b":{{}}}}}}"#);
            let items = vec![json(Kind::Flag, "a", item), json(Kind::Flag, "b", "{}")];
            assert_eq!(read_all(text.as_bytes()), Ok(All { items, unnameable: 0 }));
        }
        let all = read_all(b"{\"flags\":{\"\xff\":{},\"b\":{}}}").unwrap();
        assert_eq!((all.items.len(), all.unnameable), (1, 1));
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
        let item = Delivery { kind: Kind::Segment, key: "s".into(), content: Content::Deleted { version: 7 } };
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
        for data in ["3", "true", "[]", "\"\""] {
            assert!(event("patch", &format!(r#"{{"path":"/flags/a","data":{data}}}"#)).is_err(), "{data}");
        }
    }

    #[test]
    fn an_unknown_event_is_not_looked_at() {
        assert_eq!(read_event(b"heartbeat", b"\xff{"), Ok(Message::UnknownEvent));
    }

    #[test]
    fn the_version_of_a_deletion_is_a_whole_number_that_everybody_can_hold() {
        let version = |version: &str| event("delete", &format!(r#"{{"path":"/flags/a","version":{version}}}"#)).is_ok();
        for good in ["0", "1", "9007199254740992", "3e2"] {
            assert!(version(good), "{good}");
        }
        for bad in ["-1", "9007199254740993", "18446744073709551615", "1e300", "-1e300", "1.5", "\"1\"", "null", "{}"] {
            assert!(!version(bad), "{bad}");
        }
    }
}
