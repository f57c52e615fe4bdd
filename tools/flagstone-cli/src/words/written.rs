//! JSON as it is written: numbers and texts keep their spelling, which values that were read do not.

use std::collections::HashMap;

use serde_json::value::RawValue;

/// A part of a text; nothing where there is none, or where it is none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written<'a>(Option<&'a RawValue>);

/// The members of an object. Of those that have the same name the last one counts.
#[derive(Debug, Default)]
pub struct Members<'a>(HashMap<String, &'a RawValue>);

impl<'a> Members<'a> {
    /// One of them.
    pub fn get(&self, name: &str) -> Written<'a> {
        Written(self.0.get(name).copied())
    }
}

impl<'a> Written<'a> {
    /// The whole of a text.
    pub fn of(text: &'a str) -> Self {
        Self(serde_json::from_str(text).ok())
    }

    /// As it is written; nothing for nothing.
    pub fn json(self) -> &'a str {
        self.0.map_or("", RawValue::get)
    }

    /// Its members, if it is an object.
    pub fn members(self) -> Members<'a> {
        Members(serde_json::from_str(self.json()).unwrap_or_default())
    }

    /// Its items, if it is an array.
    pub fn items(self) -> Vec<Self> {
        let items: Vec<&RawValue> = serde_json::from_str(self.json()).unwrap_or_default();
        items.into_iter().map(|item| Self(Some(item))).collect()
    }

    /// The text, if it is one.
    pub fn text(self) -> Option<String> {
        serde_json::from_str(self.json()).ok()
    }

    /// The text, if it is one and not empty.
    pub fn some_text(self) -> Option<String> {
        self.text().filter(|text| !text.is_empty())
    }

    /// The number, if it is one.
    pub fn number(self) -> Option<f64> {
        serde_json::from_str(self.json()).ok()
    }

    /// The number, if it is a whole one, however it is spelled.
    pub fn whole(self) -> Option<i64> {
        let spelled = || self.number().filter(|number| number.fract() == 0.0).map(|number| number as i64);
        serde_json::from_str(self.json()).ok().or_else(spelled)
    }

    /// Whether it is `true`.
    pub fn is_true(self) -> bool {
        self.json() == "true"
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.json().starts_with('{')
    }
}

#[cfg(test)]
mod tests {
    use super::Written;

    #[test]
    fn numbers_keep_their_spelling_and_the_last_member_of_a_name_counts() {
        let json = Written::of(r#" {"a":1, "a":[1.0, 9007199254740993.5e0, "x"], "b":true} "#).members();
        let spelled: Vec<&str> = json.get("a").items().into_iter().map(Written::json).collect();
        assert_eq!(spelled, ["1.0", "9007199254740993.5e0", "\"x\""]);
        assert_eq!(json.get("a").items()[0].whole(), Some(1));
        assert_eq!(json.get("a").items()[2].text().as_deref(), Some("x"));
        assert!(json.get("b").is_true() && json.get("c").items().is_empty() && json.get("c").text().is_none());
    }
}
