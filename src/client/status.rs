//! The client's condition as JSON, for dashboards and humans. May depend on `store`, `source`, `events` and `model`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Client;
use super::feed::Feed;
use super::plant::Plant;
use super::runtime::Runtime;
use crate::model::saturating_ms;
use crate::source::FailureKind;
use crate::store::{
    Credentials, FlagEntry, Freshness, KnownSentinel, LadderReport, LoginState, Mailbox, Node, Rung, Shared,
    StoreState, Whereabouts, monotonic_ms,
};

/// Data source and store as they are now: `{"source":{…}|null,"store":{"available":…,"stale_since_ms":…}}`.
pub fn condition_json(shared: &Shared, feed: Option<&Feed>) -> Value {
    json!({ "source": feed.map(source_json), "store": store_json(shared) })
}

fn source_json(feed: &Feed) -> Value {
    let condition = feed.condition();
    let error = condition.error.as_ref().map(|error| {
        json!({
            "kind": kind_name(error.failure.kind),
            "status": error.failure.status,
            "message": error.failure.message,
            "unix_ms": error.unix_ms,
        })
    });
    json!({ "state": condition.state.name(), "since_ms": condition.since_ms, "error": error })
}

fn store_json(shared: &Shared) -> Value {
    let since = shared.health.stale_since_ms();
    json!({ "available": is_available(shared), "stale_since_ms": (since != 0).then_some(since) })
}

/// Where Redis is at present, that with the flags, or else that with the members of big segments; null where there is none.
fn redis_json(plant: &Plant) -> Value {
    let (of_flags, of_members) = (&plant.shared.connector, plant.members.as_ref().map(|members| &members.connector));
    let Some(connector) = of_flags.as_ref().or(of_members) else { return Value::Null };
    let keys = of_flags.is_some().then_some(&plant.shared.keys);
    let Whereabouts { topology, address, role, service, sentinels, asked, nodes } = connector.whereabouts(keys);
    let mut redis = json!({ "topology": topology, "address": address, "database": connector.database() });
    if let Some(members) = redis.as_object_mut() {
        members.insert("credentials".to_owned(), credentials_json(connector.credentials()));
    }
    if let (Some(service), Some(members)) = (service, redis.as_object_mut()) {
        let known = |one: KnownSentinel| {
            let error = one.remark.map(|error| (*error).clone());
            json!({ "address": one.address, "error": error, "listed": one.is_listed })
        };
        let sentinels: Vec<Value> = sentinels.into_iter().map(known).collect();
        members.insert("role".to_owned(), json!(role));
        members.insert("service".to_owned(), json!(service));
        members.insert("sentinels".to_owned(), json!(sentinels));
        members.insert("asked".to_owned(), json!(asked));
    }
    if let (Some(_), Some(members)) = (connector.cluster(), redis.as_object_mut()) {
        let node = |node: &Node| json!({ "address": node.address, "holds": node.holds, "role": "primary" });
        members.insert("nodes".to_owned(), json!(nodes.iter().map(node).collect::<Vec<Value>>()));
    }
    redis
}

/// Who logs in, and how that fares; null where nobody does.
fn credentials_json(credentials: &Credentials) -> Value {
    let (state, error) = credentials.state();
    let present = credentials.present();
    let has_login = present.as_ref().is_none_or(|grant| grant.password.is_some());
    if !has_login && matches!(state, LoginState::Ok | LoginState::Untried) {
        return Value::Null;
    }
    let left = present.and_then(|grant| grant.left());
    json!({
        "source": credentials.source().name(),
        "user": credentials.user(),
        "expires_in_ms": left.map(saturating_ms),
        "state": state.name(),
        "error": error,
    })
}

/// How Redis tells of changes, and what became of the other ways; null where it is not asked to.
fn watch_json(shared: &Shared, mailbox: &Mailbox) -> Value {
    if shared.connector.is_none() || shared.options.freshness != Freshness::Push {
        return Value::Null;
    }
    let report: &LadderReport = &mailbox.link.report();
    let ladder: Vec<Value> = report
        .rungs()
        .map(|(rung, fate)| json!({ "rung": rung.name(), "state": fate.name(), "reason": fate.reason() }))
        .collect();
    json!({ "rung": report.in_force().map(|rung| rung.name()), "reason": report.reason(), "ladder": ladder })
}

/// Memory alone is always there.
pub fn is_available(shared: &Shared) -> bool {
    shared.connector.is_none() || shared.health.is_available()
}

fn kind_name(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Unknown => "UNKNOWN",
        FailureKind::NetworkError => "NETWORK_ERROR",
        FailureKind::ErrorResponse => "ERROR_RESPONSE",
        FailureKind::InvalidData => "INVALID_DATA",
        FailureKind::StoreError => "STORE_ERROR",
    }
}

impl Client {
    /// The condition as a JSON object; its members are documented at `flagstone_client_status_json`.
    pub fn status_json(&self) -> String {
        let runtime = self.current();
        let health = &self.plant.shared.health;
        let (flags, segments) = self.held();
        let optional = |text: Option<Arc<String>>| text.map(|text| (*text).clone());
        json!({
            "state": self.state().name(),
            "ready": self.is_ready(),
            "available": is_available(&self.plant.shared),
            "source": self.plant.feed().map(source_json),
            "environment_id": optional(self.environment_id()),
            "from_file": self.plant.shared.is_from_file(),
            "wiped": health.is_wiped(),
            "stale_since_ms": (health.stale_since_ms() != 0).then(|| health.stale_since_ms()),
            "verified_age_ms": self.verified_age_ms(runtime.mailbox.link.alive_at()),
            "freshness": health.rung().name(),
            "freshness_reason": optional(health.rung_reason()),
            "flags": flags,
            "segments": segments,
            "malformed": self.plant.shared.malformed(),
            "dropped": runtime.notifications.dropped(),
            "panics": self.panics.load(std::sync::atomic::Ordering::Relaxed),
            "last_error": health.error().as_deref().map(|error| error.text.clone()),
            "last_error_ms": health.error().map(|error| error.unix_ms),
            "previous_error": health.previous_error().as_deref().map(|error| error.text.clone()),
            "previous_error_ms": health.previous_error().map(|error| error.unix_ms),
            "events": self.events_json(&runtime),
            "initialized": health.was_inited(),
            "redis": redis_json(&self.plant),
            "watch": watch_json(&self.plant.shared, &runtime.mailbox),
            "big_segments": self.big_segments_json(&runtime),
        })
        .to_string()
    }

    /// The environment that a server named, if one did. No lock, no wait; also after close.
    pub fn environment_id(&self) -> Option<Arc<String>> {
        self.plant.feed()?.environment_id.load_full()
    }

    /// How events fare; null when there are none.
    fn events_json(&self, runtime: &Runtime) -> Value {
        let (Some(_), Some(inbox)) = (&self.plant.events, &runtime.inbox) else { return Value::Null };
        let report = runtime.delivery.report();
        let spool = runtime.delivery.spooled();
        json!({
            "state": if report.off.is_some() { "off" } else { "on" },
            "waiting": inbox.waiting(),
            "dropped": inbox.dropped(),
            "sent": report.sent,
            "lost": report.lost,
            "spooled": report.kept,
            "spool": spool.map(|(payloads, corrupt)| json!({ "payloads": payloads, "corrupt": corrupt })),
            "last_error": report.failure.as_ref().map(|failure| failure.message.as_str()),
            "last_error_ms": report.failure.as_ref().map(|failure| failure.unix_ms),
        })
    }

    /// How the big-segment store stands; null when there is none.
    fn big_segments_json(&self, runtime: &Runtime) -> Value {
        let Some(desk) = &runtime.desk else { return Value::Null };
        let status = desk.last_status();
        json!({
            "available": status.map(|status| status.available),
            "stale": status.map(|status| status.stale),
            "last_sync_ms": status.and_then(|status| status.last_sync_ms),
            "remembered": desk.remembered(),
            "push": runtime.counter.is_told(),
        })
    }

    /// Why events are lost, as far as is known.
    pub fn why_events_are_lost(&self) -> String {
        let report = self.current().delivery.report();
        let failure = report.failure.map(|failure| failure.message);
        report.off.or(failure).unwrap_or_else(|| "events could not be written and are lost".to_owned())
    }

    /// The version of a flag that is held and not deleted. Asks nobody.
    pub fn flag_version(&self, key: &str) -> Option<i64> {
        let version = |entry: &FlagEntry| entry.live().map(|flag| flag.version);
        match &self.plant.shared.cache {
            Some(cache) => cache.flag(key).as_ref().and_then(version),
            None => self.plant.shared.snapshot.load().flags.get(key).and_then(version),
        }
    }

    /// Number of flags and segments held that are not deleted.
    pub(super) fn held(&self) -> (usize, usize) {
        match &self.plant.shared.cache {
            Some(cache) => (
                cache.flags().iter().filter(|(_, entry)| entry.is_live()).count(),
                cache.segments().iter().filter(|(_, entry)| entry.is_live()).count(),
            ),
            None => {
                let snapshot = self.plant.shared.snapshot.load();
                (
                    snapshot.flags.iter().filter(|(_, entry)| entry.is_live()).count(),
                    snapshot.segments.iter().filter(|(_, entry)| entry.is_live()).count(),
                )
            }
        }
    }

    /// Age of the latest moment at which everything held was known to be true; `None` before the first.
    pub(super) fn verified_age_ms(&self, link_alive_at: u64) -> Option<u64> {
        let health = &self.plant.shared.health;
        let pushed =
            health.rung() == Rung::Push && health.state() == StoreState::Valid && self.plant.shared.is_all_verified();
        // A live link on which no push is unanswered says that nothing has changed since.
        let at = if pushed { health.verified_at().max(link_alive_at) } else { health.verified_at() };
        (at != 0).then(|| monotonic_ms().saturating_sub(at))
    }
}
