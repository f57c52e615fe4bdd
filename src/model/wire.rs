//! The JSON shapes of flags and segments, read tolerantly.
//!
//! Every property is optional, null counts as absent, unknown properties are skipped at every level and of a repeated
//! property the last one counts. Derived readers refuse repetitions and do not say which property was wrong, hence the
//! macro. Depends on serde.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A property that may be absent, but is not allowed to be null.
#[derive(Clone, Debug)]
pub(super) struct NotNull<T>(pub Option<T>);

impl<T> Default for NotNull<T> {
    fn default() -> Self {
        NotNull(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for NotNull<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| NotNull(Some(value)))
    }
}

/// A whole number that fits 64 bits, in whatever way it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Integer(pub i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor)
    }
}

struct IntegerVisitor;

impl Visitor<'_> for IntegerVisitor {
    type Value = Integer;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number of at most 64 bits")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Integer, E> {
        Ok(Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Integer, E> {
        i64::try_from(value).map(Integer).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Integer, E> {
        let in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
        if value.fract() == 0.0 && in_range {
            Ok(Integer(value as i64))
        } else {
            Err(E::invalid_value(de::Unexpected::Float(value), &self))
        }
    }
}

/// A value that a clause can compare with: arrays, objects and null never equal anything and are not kept.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Other,
    Bool(bool),
    Number(f64),
    String(Box<str>),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Scalar, E> {
        Ok(Scalar::String(value.into()))
    }

    // Skipping does not recurse, so a deep value cannot exhaust a small stack.
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Scalar, A::Error> {
        while access.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Scalar, A::Error> {
        while access.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// Prefixes an error with the property in which it happened; nested properties make a path.
fn within<E: de::Error>(property: &str, error: &E) -> E {
    let text = error.to_string();
    match text.strip_prefix('`') {
        Some(path) => E::custom(format_args!("`{property}.{path}")),
        None => E::custom(format_args!("`{property}`: {text}")),
    }
}

/// A JSON object of optional properties.
macro_rules! wire {
    ($(#[$doc:meta])* $name:ident $(<$lifetime:lifetime>)? { $($json:literal $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub(super) struct $name $(<$lifetime>)? {
            $(pub $field: $type,)*
        }

        impl<'de $(: $lifetime, $lifetime)?> Deserialize<'de> for $name $(<$lifetime>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[allow(non_camel_case_types)]
                enum Property { $($field,)* Unknown }

                struct Names;
                impl Visitor<'_> for Names {
                    type Value = Property;
                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("a property name")
                    }
                    fn visit_str<E>(self, name: &str) -> Result<Property, E> {
                        Ok(match name { $($json => Property::$field,)* _ => Property::Unknown })
                    }
                }
                impl<'de> Deserialize<'de> for Property {
                    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                        deserializer.deserialize_identifier(Names)
                    }
                }

                struct Members<T>(PhantomData<T>);
                impl<'de $(: $lifetime, $lifetime)?> Visitor<'de> for Members<$name $(<$lifetime>)?> {
                    type Value = $name $(<$lifetime>)?;
                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        formatter.write_str("an object")
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
                        let mut read = $name::default();
                        while let Some(property) = access.next_key()? {
                            match property {
                                $(Property::$field => {
                                    read.$field = access.next_value().map_err(|error: A::Error| within($json, &error))?;
                                })*
                                Property::Unknown => {
                                    access.next_value::<IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(read)
                    }
                }
                deserializer.deserialize_map(Members(PhantomData))
            }
        }
    };
}

wire! {
    /// A flag.
    Flag<'a> {
        "key" key: NotNull<Box<str>>,
        "version" version: NotNull<Integer>,
        "deleted" deleted: Option<bool>,
        "on" on: Option<bool>,
        "prerequisites" prerequisites: Option<Vec<Prerequisite>>,
        "targets" targets: Option<Vec<Target>>,
        "contextTargets" context_targets: Option<Vec<Target>>,
        "rules" rules: Option<Vec<Rule>>,
        "fallthrough" fallthrough: Option<Serve>,
        "offVariation" off_variation: Option<Integer>,
        "variations" variations: Option<Vec<&'a RawValue>>,
        "salt" salt: Option<Box<str>>,
        "trackEvents" track_events: Option<bool>,
        "trackEventsFallthrough" track_events_fallthrough: Option<bool>,
        "debugEventsUntilDate" debug_events_until_date: Option<f64>,
        "clientSideAvailability" client_side_availability: Option<Availability>,
        "clientSide" client_side: Option<bool>,
        "samplingRatio" sampling_ratio: Option<Integer>,
        "excludeFromSummaries" exclude_from_summaries: Option<bool>,
        "migration" migration: Option<Migration>,
    }
}

wire! {
    Prerequisite {
        "key" key: Option<Box<str>>,
        "variation" variation: Option<Integer>,
    }
}

wire! {
    /// A target of a flag, or an entry of a segment's lists by kind.
    Target {
        "contextKind" context_kind: Option<Box<str>>,
        "variation" variation: Option<Integer>,
        "values" values: Option<Vec<Box<str>>>,
    }
}

wire! {
    Rule {
        "id" id: Option<Box<str>>,
        "clauses" clauses: Option<Vec<Clause>>,
        "trackEvents" track_events: Option<bool>,
        "variation" variation: Option<Integer>,
        "rollout" rollout: Option<Rollout>,
    }
}

wire! {
    /// What to serve: one variation or a rollout.
    Serve {
        "variation" variation: Option<Integer>,
        "rollout" rollout: Option<Rollout>,
    }
}

wire! {
    Rollout {
        "kind" kind: Option<Box<str>>,
        "contextKind" context_kind: Option<Box<str>>,
        "bucketBy" bucket_by: Option<Box<str>>,
        "seed" seed: Option<Integer>,
        "variations" variations: Option<Vec<WeightedVariation>>,
    }
}

wire! {
    WeightedVariation {
        "variation" variation: Option<Integer>,
        "weight" weight: Option<f64>,
        "untracked" untracked: Option<bool>,
    }
}

wire! {
    Clause {
        "contextKind" context_kind: Option<Box<str>>,
        "attribute" attribute: Option<Box<str>>,
        "op" op: NotNull<Box<str>>,
        "values" values: Option<Vec<Scalar>>,
        "negate" negate: Option<bool>,
    }
}

wire! {
    Availability {
        "usingMobileKey" using_mobile_key: Option<bool>,
        "usingEnvironmentId" using_environment_id: Option<bool>,
    }
}

wire! {
    Migration {
        "checkRatio" check_ratio: Option<Integer>,
    }
}

wire! {
    /// A segment.
    Segment {
        "key" key: NotNull<Box<str>>,
        "version" version: NotNull<Integer>,
        "deleted" deleted: Option<bool>,
        "salt" salt: Option<Box<str>>,
        "included" included: Option<Vec<Box<str>>>,
        "excluded" excluded: Option<Vec<Box<str>>>,
        "includedContexts" included_contexts: Option<Vec<Target>>,
        "excludedContexts" excluded_contexts: Option<Vec<Target>>,
        "rules" rules: Option<Vec<SegmentRule>>,
        "unbounded" unbounded: Option<bool>,
        "unboundedContextKind" unbounded_context_kind: Option<Box<str>>,
        "generation" generation: Option<Integer>,
    }
}

wire! {
    SegmentRule {
        "clauses" clauses: Option<Vec<Clause>>,
        "weight" weight: Option<f64>,
        "bucketBy" bucket_by: Option<Box<str>>,
        "rolloutContextKind" rollout_context_kind: Option<Box<str>>,
    }
}

wire! {
    /// What a tombstone must have; whatever else it holds may be malformed.
    Tombstone<'a> {
        "deleted" deleted: Option<&'a RawValue>,
        "version" version: Option<&'a RawValue>,
    }
}
