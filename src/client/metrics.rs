//! The client's counters and gauges as text that Prometheus reads (exposition format 0.0.4), so that a host in any language
//! can serve them as they are. Nothing of this is computed before somebody asks. May depend on `store` and `events`.

use std::fmt::{Display, Write};
use std::sync::atomic::Ordering::Relaxed;

use super::Client;
use crate::store::{Rung, StoreState};

const STATES: [StoreState; 5] =
    [StoreState::Init, StoreState::Valid, StoreState::Interrupted, StoreState::Off, StoreState::Forked];
const RUNGS: [Rung; 4] = [Rung::Starting, Rung::Push, Rung::Ttl, Rung::Forever];

impl Client {
    /// The metrics; their names are documented at `flagstone_client_metrics_text`.
    pub fn metrics_text(&self) -> String {
        let mut page = Page::default();
        self.write_evaluations(&mut page);
        self.write_data(&mut page);
        self.write_redis(&mut page);
        self.write_losses(&mut page);
        page.0
    }

    fn write_evaluations(&self, page: &mut Page) {
        let runtime = self.current();
        let (Some(recorder), Some(inbox)) = (&self.plant.recorder, &runtime.inbox) else { return };
        let counts = inbox.counts(recorder);
        page.begin("flagstone_evaluations_total", COUNTER, "Evaluations by flag and index of the variation.");
        for (flag, variation, count) in counts.sorted() {
            let variation = variation.map_or_else(|| "default".to_owned(), |index| index.to_string());
            page.sample("flagstone_evaluations_total", &[("flag", flag), ("variation", &variation)], count);
        }
        let others = "Evaluations that are not counted by flag, because there were too many flags.";
        page.single("flagstone_other_evaluations_total", COUNTER, others, counts.others());
    }

    fn write_data(&self, page: &mut Page) {
        let runtime = self.current();
        let health = &self.plant.shared.health;
        page.states(
            "flagstone_client_state",
            "state",
            "State of the client.",
            STATES.map(StoreState::name),
            self.state().name(),
        );
        page.single("flagstone_client_ready", GAUGE, "Whether flags are there.", u8::from(self.is_ready()));
        if let Some(feed) = self.plant.feed() {
            let state = feed.condition().state.name();
            let help = "State of the data source.";
            page.states("flagstone_source_state", "state", help, STATES.map(StoreState::name), state);
        }
        let rung = health.rung().name();
        let help = "How held flags are kept true at present.";
        page.states("flagstone_freshness", "rung", help, RUNGS.map(Rung::name), rung);
        if let Some(age) = self.verified_age_ms(runtime.mailbox.link.alive_at()) {
            let help = "Time since everything held was last known to be true.";
            page.single("flagstone_data_age_seconds", GAUGE, help, age as f64 / 1000.0);
        }
        let (flags, segments) = self.held();
        page.single("flagstone_flags", GAUGE, "Flags held.", flags);
        page.single("flagstone_segments", GAUGE, "Segments held.", segments);
        let help = "Items that cannot be read; their last good versions stay in force.";
        page.single("flagstone_malformed_items", GAUGE, help, self.plant.shared.malformed());
    }

    fn write_redis(&self, page: &mut Page) {
        let shared = &self.plant.shared;
        // In the Redis of the flags they have the same.
        let members = self.plant.members.as_ref().filter(|members| !members.is_of_flags);
        let members = members.map(|members| members.connector.sockets());
        let flags = shared.connector.as_ref().map(|connector| connector.sockets());
        if flags.is_some() {
            let (stale, available) = (shared.health.stale_since_ms() != 0, shared.health.is_available());
            page.single("flagstone_store_available", GAUGE, "Whether Redis answers.", u8::from(available));
            page.single("flagstone_store_stale", GAUGE, "Whether what is held may be out of date.", u8::from(stale));
            let (name, help) = ("flagstone_redis_exchanges_total", "Answered reads and writes.");
            page.single(name, COUNTER, help, shared.health.exchanges());
        }
        let traffic = flags.into_iter().chain(members).map(|sockets| sockets.traffic.total());
        if let Some((received, sent)) = traffic.reduce(|sum, one| (sum.0 + one.0, sum.1 + one.1)) {
            let name = "flagstone_redis_received_bytes_total";
            page.single(name, COUNTER, "Bytes received from Redis.", received);
            page.single("flagstone_redis_sent_bytes_total", COUNTER, "Bytes sent to Redis.", sent);
        }
    }

    fn write_losses(&self, page: &mut Page) {
        let runtime = self.current();
        if let (Some(_), Some(inbox)) = (&self.plant.events, &runtime.inbox) {
            let report = runtime.delivery.report();
            page.single("flagstone_events_waiting", GAUGE, "Events that wait for the next flush.", inbox.waiting());
            page.single("flagstone_events_sent_total", COUNTER, "Events delivered.", report.sent);
            page.single("flagstone_events_lost_total", COUNTER, "Events that could not be delivered.", report.lost);
            page.single("flagstone_events_dropped_total", COUNTER, "Events that did not fit.", inbox.dropped());
        }
        let dropped = runtime.notifications.dropped();
        let help = "Notifications that the host did not take in time.";
        page.single("flagstone_notifications_dropped_total", COUNTER, help, dropped);
        page.single("flagstone_panics_total", COUNTER, "Calls that failed unexpectedly.", self.panics.load(Relaxed));
    }
}

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

/// The text so far. Writing to it cannot fail.
#[derive(Default)]
pub(super) struct Page(pub String);

impl Page {
    fn begin(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (position, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if position == 0 { '{' } else { ',' });
            for character in text.chars() {
                match character {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    other => self.0.push(other),
                }
            }
            self.0.push('"');
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.begin(name, kind, help);
        self.sample(name, &[], value);
    }

    /// One sample for each state: 1 for the one in force.
    fn states<const N: usize>(&mut self, name: &str, label: &str, help: &str, states: [&str; N], present: &str) {
        self.begin(name, GAUGE, help);
        for state in states {
            self.sample(name, &[(label, state)], u8::from(state == present));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped_and_states_are_told_one_by_one() {
        let mut page = Page::default();
        page.sample("m", &[("flag", "a\"b\\c\nd"), ("variation", "0")], 7);
        page.states("x", "state", "Some.", ["A", "B"], "B");
        let expected = "m{flag=\"a\\\"b\\\\c\\nd\",variation=\"0\"} 7\n# HELP x Some.\n# TYPE x gauge\nx{state=\"A\"} 0\n\
                        x{state=\"B\"} 1\n";
        assert_eq!(page.0, expected);
    }
}
