//! The peers, in this process: LaunchDarkly's Rust SDK with its in-memory store and no events, and the evaluation crate
//! beneath it. Depends on those crates and on the generated data.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flagdata::{CONTEXT_JSON, DataSet};
use launchdarkly_sdk_transport::{ByteStream, HttpTransport, Request, Response, ResponseFuture};
use launchdarkly_server_sdk::{Client, ConfigBuilder, EventProcessorBuilder, NullEventProcessorBuilder, TestData};
use launchdarkly_server_sdk_evaluation::{Context, Flag, Segment, Store, evaluate};
use serde_json::{Map, Value};

use crate::Outcome;

/// The SDK's client.
pub struct Sdk {
    client: Client,
    context: Context,
}

/// The evaluation crate over two maps.
pub struct Engine {
    items: Items,
    context: Context,
}

struct Items {
    flags: HashMap<String, Flag>,
    segments: HashMap<String, Segment>,
}

impl Sdk {
    /// A client that holds `data`.
    pub fn start(data: &DataSet) -> Outcome<Self> {
        Self::start_with(data, |config| config.event_processor(&NullEventProcessorBuilder::new()))
    }

    /// A client that makes events, which are taken and forgotten in this process.
    pub fn start_telling(data: &DataSet) -> Outcome<Self> {
        let mut events = EventProcessorBuilder::new();
        events.transport(Forgetful);
        Self::start_with(data, |config| config.event_processor(&events))
    }

    fn start_with(data: &DataSet, events: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> Outcome<Self> {
        let source = TestData::new();
        for (_, flag) in parse::<Flag>(&data.flags)? {
            source.use_preconfigured_flag(flag);
        }
        for (_, segment) in parse::<Segment>(&data.segments)? {
            source.use_preconfigured_segment(segment);
        }
        let config = events(ConfigBuilder::new("no-key").data_source(&source));
        let client = Client::build(config.build()?)?;
        client.start_with_runtime()?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while !client.initialized() {
            if Instant::now() > deadline {
                return Err("the LaunchDarkly SDK was not ready within 30 seconds".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { client, context: context()? })
    }

    /// The value of a boolean flag, `false` when there is none.
    pub fn bool_variation(&self, key: &str) -> bool {
        self.client.bool_variation(&self.context, key, false)
    }
}

/// A transport that accepts everything and sends nothing: what it would cost to send is not measured.
#[derive(Clone)]
struct Forgetful;

impl HttpTransport for Forgetful {
    fn request(&self, _: Request<Option<bytes::Bytes>>) -> ResponseFuture {
        let nothing: ByteStream = Box::pin(futures::stream::empty());
        let mut response = Response::new(nothing);
        *response.status_mut() = launchdarkly_sdk_transport::StatusCode::ACCEPTED;
        Box::pin(std::future::ready(Ok(response)))
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        self.client.close();
    }
}

impl Engine {
    /// An engine that holds `data`.
    pub fn new(data: &DataSet) -> Outcome<Self> {
        let items = Items { flags: parse(&data.flags)?.collect(), segments: parse(&data.segments)?.collect() };
        Ok(Self { items, context: context()? })
    }

    /// Finds a flag by its key, without copying it, and evaluates it.
    pub fn bool_variation(&self, key: &str) -> bool {
        let Some(flag) = self.items.flags.get(key) else { return false };
        let detail = evaluate(&self.items, flag, &self.context, None);
        detail.value.and_then(|value| value.as_bool()).unwrap_or(false)
    }
}

/// What the engine asks for while it evaluates; its trait wants copies.
impl Store for Items {
    fn flag(&self, key: &str) -> Option<Flag> {
        self.flags.get(key).cloned()
    }

    fn segment(&self, key: &str) -> Option<Segment> {
        self.segments.get(key).cloned()
    }
}

fn context() -> serde_json::Result<Context> {
    serde_json::from_str(CONTEXT_JSON)
}

fn parse<T: serde::de::DeserializeOwned>(
    items: &Map<String, Value>,
) -> serde_json::Result<impl Iterator<Item = (String, T)>> {
    let parse = |(key, item): (&String, &Value)| Ok((key.clone(), serde_json::from_value(item.clone())?));
    Ok(items.iter().map(parse).collect::<serde_json::Result<Vec<_>>>()?.into_iter())
}

/// The engine as a second opinion on the generated data.
#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::{BTreeMap, BTreeSet};

    use flagdata::{Options, generate};
    use launchdarkly_server_sdk_evaluation::Reason;
    use serde_json::json;

    use super::*;

    fn contexts() -> Vec<Context> {
        let user = json!({"key": "ada", "email": "ada@college.edu", "country": "GB", "plan": "pro", "age": 36, "beta": true,
            "signedUpAt": "2020-01-01T00:00:00Z", "address": {"city": "London"}});
        let org = json!({"key": "acme", "name": "Acme Studio", "tier": "enterprise", "seats": 2500, "hosting": {"region": "eu-west"}});
        let device = json!({"key": "pixel", "os": "android", "appVersion": "3.4.1", "screen": {"width": 412}});
        let jsons = [
            json!({"kind": "multi", "user": user, "org": org, "device": device}),
            json!({"kind": "user", "key": "visitor-7", "anonymous": true}),
            serde_json::from_str(CONTEXT_JSON).unwrap(),
        ];
        jsons.into_iter().map(|json| serde_json::from_value(json).unwrap()).collect()
    }

    /// What each live flag serves to each context: its value and reason, as text.
    fn served(options: &Options) -> BTreeMap<(String, usize), (String, Reason)> {
        let mut data = generate(options);
        data.flags.retain(|_, flag| flag["deleted"] != true);
        data.segments.retain(|_, segment| segment["deleted"] != true);
        let items = Engine::new(&data).unwrap().items;
        let mut served = BTreeMap::new();
        for (number, context) in contexts().iter().enumerate() {
            for (key, flag) in &items.flags {
                let detail = evaluate(&items, flag, context, None);
                served.insert((key.clone(), number), (format!("{:?}", detail.value), detail.reason));
            }
        }
        served
    }

    #[test]
    fn padding_changes_no_result() {
        let options = Options { flags: 500, ..Options::default() };
        let padded = Options { bytes: Some(4_000), ..options.clone() };
        assert!(served(&options) == served(&padded));
    }

    #[test]
    fn the_mixed_data_reach_every_reason() {
        let served = served(&Options::default());
        let reasons: BTreeSet<String> = served.values().map(|(_, reason)| format!("{reason:?}")).collect();
        for wanted in
            ["Off", "TargetMatch", "RuleMatch", "PrerequisiteFailed", "Fallthrough", "Error", "in_experiment: true"]
        {
            assert!(reasons.iter().any(|reason| reason.contains(wanted)), "{wanted}");
        }
        let malformed = served.iter().filter(|(_, (_, reason))| matches!(reason, Reason::Error { .. }));
        let keys: BTreeSet<&str> = malformed.map(|((key, _), _)| key.as_str()).collect();
        let odd =
            ["clause-without-attribute", "egg", "empty-rollout", "hen", "nothing-to-serve", "variation-out-of-range"];
        assert_eq!(keys, odd.map(|name| format!("ops.{name}")).iter().map(String::as_str).collect());
    }
}
