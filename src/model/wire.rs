//! The JSON shapes of flags and segments, read tolerantly.
//!
//! Every property is optional, null counts as absent, unknown properties are skipped at every level and of a repeated
//! property the last one counts. Derived readers refuse repetitions and do not say which property was wrong, hence the
//! macro. Depends on serde.

mod values;

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

pub(super) use values::{Integer, NotNull, Scalar, Str};

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
        "key" key: NotNull<Str<'a>>,
        "version" version: NotNull<Integer>,
        "deleted" deleted: Option<bool>,
        "on" on: Option<bool>,
        "prerequisites" prerequisites: Option<Vec<Prerequisite<'a>>>,
        "targets" targets: Option<Vec<Target<'a>>>,
        "contextTargets" context_targets: Option<Vec<Target<'a>>>,
        "rules" rules: Option<Vec<Rule<'a>>>,
        "fallthrough" fallthrough: Option<Serve<'a>>,
        "offVariation" off_variation: Option<Integer>,
        "variations" variations: Option<Vec<&'a RawValue>>,
        "salt" salt: Option<Str<'a>>,
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
    Prerequisite<'a> {
        "key" key: Option<Str<'a>>,
        "variation" variation: Option<Integer>,
    }
}

wire! {
    /// A target of a flag, or an entry of a segment's lists by kind.
    Target<'a> {
        "contextKind" context_kind: Option<Str<'a>>,
        "variation" variation: Option<Integer>,
        "values" values: Option<Vec<Str<'a>>>,
    }
}

wire! {
    Rule<'a> {
        "id" id: Option<Str<'a>>,
        "clauses" clauses: Option<Vec<Clause<'a>>>,
        "trackEvents" track_events: Option<bool>,
        "variation" variation: Option<Integer>,
        "rollout" rollout: Option<Rollout<'a>>,
    }
}

wire! {
    /// What to serve: one variation or a rollout.
    Serve<'a> {
        "variation" variation: Option<Integer>,
        "rollout" rollout: Option<Rollout<'a>>,
    }
}

wire! {
    Rollout<'a> {
        "kind" kind: Option<Str<'a>>,
        "contextKind" context_kind: Option<Str<'a>>,
        "bucketBy" bucket_by: Option<Str<'a>>,
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
    Clause<'a> {
        "contextKind" context_kind: Option<Str<'a>>,
        "attribute" attribute: Option<Str<'a>>,
        "op" op: NotNull<Str<'a>>,
        "values" values: Option<Vec<Scalar<'a>>>,
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
    Segment<'a> {
        "key" key: NotNull<Str<'a>>,
        "version" version: NotNull<Integer>,
        "deleted" deleted: Option<bool>,
        "salt" salt: Option<Str<'a>>,
        "included" included: Option<Vec<Str<'a>>>,
        "excluded" excluded: Option<Vec<Str<'a>>>,
        "includedContexts" included_contexts: Option<Vec<Target<'a>>>,
        "excludedContexts" excluded_contexts: Option<Vec<Target<'a>>>,
        "rules" rules: Option<Vec<SegmentRule<'a>>>,
        "unbounded" unbounded: Option<bool>,
        "unboundedContextKind" unbounded_context_kind: Option<Str<'a>>,
        "generation" generation: Option<Integer>,
    }
}

wire! {
    SegmentRule<'a> {
        "clauses" clauses: Option<Vec<Clause<'a>>>,
        "weight" weight: Option<f64>,
        "bucketBy" bucket_by: Option<Str<'a>>,
        "rolloutContextKind" rollout_context_kind: Option<Str<'a>>,
    }
}

wire! {
    /// What a tombstone must have; whatever else it holds may be malformed.
    Tombstone<'a> {
        "deleted" deleted: Option<&'a RawValue>,
        "version" version: Option<&'a RawValue>,
    }
}
