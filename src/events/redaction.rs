//! Contexts as events carry them: without what the configuration or the context itself keeps private.
//!
//! What identifies somebody always stays: kind, key, and whether they are anonymous. Which references were left out is told
//! beside the rest, so that whoever reads the event knows that there is more. Depends on `context` and `model`.

mod paths;

use super::options::Privacy;
use crate::context::{Attribute, Context, SingleContext};
use crate::model::{Member, write_string};
use paths::{Paths, Steps};

/// What events must not carry of any context; made once.
#[derive(Debug)]
pub(super) struct Redaction {
    all: bool,
    references: Paths,
}

impl Redaction {
    /// References that are none, or that no attribute can have, are ignored.
    pub(super) fn new(privacy: &Privacy) -> Self {
        Self { all: privacy.all, references: Paths::new(privacy.references.iter().map(|reference| &**reference)) }
    }

    /// Appends a context as JSON. With `hides_anonymous` nothing is told of anonymous individuals but who they are.
    pub(super) fn write(&self, context: &Context, hides_anonymous: bool, out: &mut String) {
        if !context.is_multi() {
            return context.singles().for_each(|single| self.write_single(single, true, hides_anonymous, out));
        }
        out.push_str("{\"kind\":\"multi\"");
        for single in context.singles() {
            out.push(',');
            write_string(single.kind(), out);
            out.push(':');
            self.write_single(single, false, hides_anonymous, out);
        }
        out.push('}');
    }

    fn write_single(&self, single: &SingleContext, with_kind: bool, hides_anonymous: bool, out: &mut String) {
        out.push('{');
        if with_kind {
            out.push_str("\"kind\":");
            write_string(single.kind(), out);
            out.push(',');
        }
        out.push_str("\"key\":");
        write_string(single.key(), out);
        if single.anonymous() {
            out.push_str(",\"anonymous\":true");
        }
        let own = Paths::new(single.private());
        let mut members = Members {
            all: self.all || (hides_anonymous && single.anonymous()),
            private: [&self.references, &own],
            redacted: String::new(),
            out,
        };
        if let Some(name) = single.name() {
            members.attribute("name", Attribute::String(name));
        }
        for (name, value) in single.attributes() {
            members.attribute(name, value);
        }
        members.end();
    }
}

/// Writes the attributes of one individual context behind what identifies it.
struct Members<'a> {
    all: bool,
    /// What the configuration and what the context keeps private.
    private: [&'a Paths; 2],
    /// The references that were left out, as the items of a JSON array.
    redacted: String,
    out: &'a mut String,
}

impl Members<'_> {
    fn attribute(&mut self, name: &str, value: Attribute<'_>) {
        let steps = self.private.map(|paths| paths.start().step(name));
        if self.all || steps.iter().any(Steps::is_end) {
            return self.redact(|reference| escape_name(name, reference));
        }
        self.out.push(',');
        write_string(name, self.out);
        self.out.push(':');
        self.value(value, steps, &Trail { name, before: None });
    }

    fn value(&mut self, value: Attribute<'_>, steps: [Steps<'_>; 2], trail: &Trail<'_>) {
        match value {
            Attribute::Object(members) if steps.iter().any(Steps::lead_on) => self.object(members, steps, trail),
            other => other.write_json(self.out),
        }
    }

    fn object(&mut self, members: &[Member], steps: [Steps<'_>; 2], trail: &Trail<'_>) {
        let mut separator = '{';
        for (name, value) in members {
            let steps = steps.map(|steps| steps.step(name));
            let trail = Trail { name, before: Some(trail) };
            if steps.iter().any(Steps::is_end) {
                self.redact(|reference| trail.write(reference));
                continue;
            }
            self.out.push(separator);
            separator = ',';
            write_string(name, self.out);
            self.out.push(':');
            self.value(value.into(), steps, &trail);
        }
        self.out.push_str(if separator == '{' { "{}" } else { "}" });
    }

    fn redact(&mut self, write: impl FnOnce(&mut String)) {
        let mut reference = String::new();
        write(&mut reference);
        if !self.redacted.is_empty() {
            self.redacted.push(',');
        }
        write_string(&reference, &mut self.redacted);
    }

    fn end(self) {
        if !self.redacted.is_empty() {
            self.out.push_str(",\"_meta\":{\"redactedAttributes\":[");
            self.out.push_str(&self.redacted);
            self.out.push_str("]}");
        }
        self.out.push('}');
    }
}

/// Where in a context a value stands.
struct Trail<'a> {
    name: &'a str,
    before: Option<&'a Trail<'a>>,
}

impl Trail<'_> {
    /// Appends the path.
    fn write(&self, out: &mut String) {
        if let Some(before) = self.before {
            before.write(out);
        }
        out.push('/');
        escape(self.name, out);
    }
}

/// Appends the reference of a whole attribute. Only a slash in front would make it another one.
fn escape_name(name: &str, out: &mut String) {
    if name.starts_with('/') {
        out.push('/');
        return escape(name, out);
    }
    out.push_str(name);
}

fn escape(name: &str, out: &mut String) {
    for character in name.chars() {
        match character {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
