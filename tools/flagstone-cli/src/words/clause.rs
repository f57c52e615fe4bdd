//! One clause in words: `user email ends with one of "@a.org", "@b.org"`.

use super::written::Written;
use super::{json, quoted, some};
use crate::output::plain;

/// Of the values of a clause, so many are shown.
const SHOWN: usize = 5;

/// What a clause says.
pub struct Clause {
    /// The kind of context.
    pub kind: String,
    /// The attribute.
    pub attribute: String,
    /// The operator, as it is written.
    pub op: String,
    /// The first values, in words.
    pub values: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// Whether it is negated.
    pub negate: bool,
}

impl Clause {
    /// Of the JSON of a clause.
    pub fn of(clause: Written<'_>) -> Self {
        let clause = clause.members();
        let values = clause.get("values").items();
        Self {
            kind: clause.get("contextKind").some_text().unwrap_or_else(|| "user".to_owned()),
            attribute: clause.get("attribute").text().unwrap_or_default(),
            op: clause.get("op").text().unwrap_or_default(),
            values: values.iter().take(SHOWN).map(|value| json(value.json())).collect(),
            count: values.len(),
            negate: clause.get("negate").is_true(),
        }
    }

    /// In words.
    pub fn words(mut self) -> String {
        self.values.truncate(SHOWN);
        let values = some(&self.values, self.count);
        if self.op == "segmentMatch" {
            let (negate, plural) = (if self.negate { "not " } else { "" }, if self.count == 1 { "" } else { "s" });
            let any = if self.count == 1 { "" } else { "any of the " };
            return format!("the context is {negate}in {any}segment{plural} {values}");
        }
        let subject = match self.attribute.as_str() {
            "kind" => "kind".to_owned(),
            attribute => format!("{} {}", plain(&self.kind), plain(attribute)),
        };
        let verb = verb(&self.op, self.negate, self.count == 1);
        if self.count == 0 { format!("{subject} {verb} nothing") } else { format!("{subject} {verb} {values}") }
    }
}

fn verb(op: &str, negate: bool, is_one: bool) -> String {
    let (yes, no) = match op {
        "in" if is_one => return (if negate { "is not" } else { "is" }).to_owned(),
        "in" => return (if negate { "is none of" } else { "is one of" }).to_owned(),
        "startsWith" => ("begins with", "does not begin with"),
        "endsWith" => ("ends with", "does not end with"),
        "contains" => ("contains", "does not contain"),
        "matches" => ("matches", "does not match"),
        "lessThan" => ("is less than", "is not less than"),
        "lessThanOrEqual" => ("is at most", "is not at most"),
        "greaterThan" => ("is greater than", "is not greater than"),
        "greaterThanOrEqual" => ("is at least", "is not at least"),
        "before" => ("is before", "is not before"),
        "after" => ("is after", "is not after"),
        "semVerEqual" => ("is version", "is not version"),
        "semVerLessThan" => ("is a version below", "is no version below"),
        "semVerGreaterThan" => ("is a version above", "is no version above"),
        unknown if negate => {
            return format!("not {} (an unknown operator: passes for whoever has the attribute)", quoted(unknown));
        }
        unknown => return format!("{} (an unknown operator: never passes)", quoted(unknown)),
    };
    format!("{}{}", if negate { no } else { yes }, if is_one { "" } else { " one of" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::written::Written;
    use super::Clause;

    #[test]
    fn clauses_read_as_sentences() {
        for (clause, words) in [
            (
                json!({"attribute":"email","op":"endsWith","values":["@a","@b"]}),
                r#"user email ends with one of "@a", "@b""#,
            ),
            (
                json!({"contextKind":"org","attribute":"key","op":"in","values":["x"],"negate":true}),
                r#"org key is not "x""#,
            ),
            (json!({"attribute":"","op":"segmentMatch","values":["beta"]}), r#"the context is in segment "beta""#),
            (
                json!({"op":"segmentMatch","values":["a","b"],"negate":true}),
                r#"the context is not in any of the segments "a", "b""#,
            ),
            (json!({"attribute":"kind","op":"in","values":["org"]}), r#"kind is "org""#),
            (json!({"attribute":"n","op":"in","values":[1,2,3,4,5,6,7]}), "user n is one of 1, 2, 3, 4, 5, … 2 more"),
            (json!({"attribute":"n","op":"lessThan","values":[]}), "user n is less than one of nothing"),
            (
                json!({"attribute":"n","op":"near","values":[1]}),
                r#"user n "near" (an unknown operator: never passes) 1"#,
            ),
        ] {
            assert_eq!(Clause::of(Written::of(&clause.to_string())).words(), words);
        }
    }
}
