//! Clauses: written out by hand for the catalogue, chosen at random for generated flags, and made to match nobody for
//! padding. Depends on nothing but JSON.

use fastrand::Rng;
use serde_json::{Value, json};

const COUNTRIES: [&str; 12] = ["AT", "BR", "CA", "CH", "DE", "ES", "FR", "GB", "IN", "JP", "NL", "US"];
const DOMAINS: [&str; 8] = [
    "northwind.example",
    "contoso.example",
    "fabrikam.example",
    "initech.example",
    "umbrella.example",
    "hooli.example",
    "acme.example",
    "globex.example",
];
const PLANS: [&str; 4] = ["free", "team", "pro", "enterprise"];
const FIRST_NAMES: [&str; 12] =
    ["ana", "bo", "chidi", "dara", "emil", "farah", "goran", "hana", "ines", "jun", "kofi", "lena"];

/// A clause about `attribute` of the context of kind `kind`. With a kind, an attribute that begins with `/` is a path.
pub fn clause(kind: &str, attribute: &str, op: &str, values: Value) -> Value {
    json!({"contextKind": kind, "attribute": attribute, "op": op, "values": values, "negate": false})
}

/// The same clause, negated.
pub fn not(mut clause: Value) -> Value {
    if let Some(negate) = clause.get_mut("negate") {
        *negate = json!(true);
    }
    clause
}

/// A clause that asks for one of `segments`.
pub fn in_segment(segments: Value) -> Value {
    json!({"attribute": "", "op": "segmentMatch", "values": segments, "negate": false})
}

/// Whether a rule of the flag or segment has a `matches` clause.
pub fn uses_regex(item: &Value) -> bool {
    let rules = item.get("rules").and_then(Value::as_array).into_iter().flatten();
    let mut clauses = rules.filter_map(|rule| rule.get("clauses")?.as_array()).flatten();
    clauses.any(|clause| clause.get("op").and_then(Value::as_str) == Some("matches"))
}

/// An address of somebody who does not exist.
pub fn email(rng: &mut Rng) -> String {
    format!("{}.{:04x}@{}", pick(rng, &FIRST_NAMES), rng.u16(..), pick(rng, &DOMAINS))
}

/// A key as applications give them to their users.
pub fn user_key(rng: &mut Rng) -> String {
    format!("usr_{:012x}", rng.u64(..) >> 16)
}

/// Any member of `values`, which must not be empty.
pub fn pick<T: Copy>(rng: &mut Rng, values: &[T]) -> T {
    values[rng.usize(..values.len())]
}

/// An id as LaunchDarkly gives them to rules.
pub fn uuid(rng: &mut Rng) -> String {
    let (high, low) = (rng.u64(..), rng.u64(..));
    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
    format!("{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}", 0x8000 | (low >> 50), low & 0xffff_ffff_ffff)
}

/// Between one and four clauses of one rule, of any operator except `segmentMatch`.
pub fn any_clauses(rng: &mut Rng, regex: bool) -> Value {
    let count = pick(rng, &[1, 1, 1, 2, 2, 3]);
    (0..count).map(|_| any_clause(rng, regex)).collect()
}

fn any_clause(rng: &mut Rng, regex: bool) -> Value {
    let clause = match rng.u8(..14) {
        0 | 1 => clause("user", "country", "in", sample(rng, &COUNTRIES)),
        2 => clause("user", "plan", "in", sample(rng, &PLANS)),
        3 => clause("user", "email", "endsWith", json!([format!("@{}", pick(rng, &DOMAINS))])),
        4 => clause("user", "email", "startsWith", json!([pick(rng, &FIRST_NAMES)])),
        5 => clause("user", "/address/city", "contains", json!(["Berlin", "Lagos", "Osaka"])),
        6 if regex => clause("user", "email", "matches", json!([pattern(rng)])),
        6 | 7 => clause("org", "tier", "in", sample(rng, &PLANS)),
        8 => clause("org", "seats", any_order(rng), json!([rng.u32(1..50) * 100])),
        9 => clause("user", "signedUpAt", pick(rng, &["before", "after"]), json!([instant(rng)])),
        10 | 11 => clause("device", "appVersion", any_version_order(rng), json!([version(rng)])),
        12 => clause("user", "beta", "in", json!([true])),
        _ => clause("device", "os", "in", json!(["android", "ios"])),
    };
    if rng.u8(..6) == 0 { not(clause) } else { clause }
}

/// A clause of realistic length that none of the data set's contexts matches, so that padding changes no result.
pub fn unmatched_clause(rng: &mut Rng, regex: bool) -> Value {
    match rng.u8(..8) {
        0 | 1 => clause("user", "email", "in", (0..rng.usize(2..6)).map(|_| email(rng)).collect()),
        2 => clause("user", "email", "endsWith", json!([format!(".{:06x}.example", rng.u32(..0x0100_0000))])),
        3 if regex => clause("user", "email", "matches", json!([pattern(rng)])),
        3 | 4 => clause("org", "key", "in", (0..rng.usize(2..6)).map(|_| user_key(rng)).collect()),
        5 => clause("device", "appVersion", "semVerGreaterThan", json!([format!("9{}", version(rng))])),
        6 => clause("org", "seats", "greaterThan", json!([rng.u32(1_000_000..9_000_000)])),
        _ => clause("user", "signedUpAt", "before", json!([format!("19{}-01-01T00:00:00Z", rng.u8(70..99))])),
    }
}

fn any_order(rng: &mut Rng) -> &'static str {
    pick(rng, &["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"])
}

fn any_version_order(rng: &mut Rng) -> &'static str {
    pick(rng, &["semVerEqual", "semVerLessThan", "semVerGreaterThan"])
}

fn pattern(rng: &mut Rng) -> String {
    format!("^[a-z]+\\.[0-9a-f]{{4}}@{}$", pick(rng, &DOMAINS).replace('.', "\\."))
}

fn version(rng: &mut Rng) -> String {
    let pre = pick(rng, &["", "", "-beta.2", "-rc.1"]);
    format!("{}.{}.{}{pre}", rng.u8(1..9), rng.u8(..20), rng.u8(..10))
}

/// Both forms of an instant: RFC 3339 text and milliseconds since 1970.
fn instant(rng: &mut Rng) -> Value {
    let (year, month, day) = (rng.u16(2019..2026), rng.u8(1..13), rng.u8(1..29));
    if rng.bool() {
        json!(format!("{year}-{month:02}-{day:02}T08:30:00Z"))
    } else {
        json!(1_546_300_800_000_i64 + i64::from(rng.u32(..)) * 50)
    }
}

/// One to half of `values`, without repetition, in their order.
fn sample(rng: &mut Rng, values: &[&str]) -> Value {
    let wanted = rng.usize(1..=values.len() / 2);
    let mut chosen = rng.choose_multiple(values.iter().enumerate(), wanted);
    chosen.sort_unstable();
    chosen.into_iter().map(|(_, value)| *value).collect()
}
