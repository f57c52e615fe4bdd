//! The client's condition as JSON, for dashboards and humans. May depend on `store`.

use serde_json::json;

use super::Client;
use crate::store::{Rung, StoreState, monotonic_ms};

impl Client {
    /// The condition as a JSON object; its members are documented at `flagstone_client_status_json`.
    pub fn status_json(&self) -> String {
        let runtime = self.current();
        let health = &self.shared.health;
        let (flags, segments) = self.held();
        let optional = |text: Option<std::sync::Arc<String>>| text.map(|text| (*text).clone());
        json!({
            "state": self.state().name(),
            "ready": health.is_ready(),
            "available": health.is_available(),
            "wiped": health.is_wiped(),
            "stale_since_ms": (health.stale_since_ms() != 0).then(|| health.stale_since_ms()),
            "verified_age_ms": self.verified_age_ms(runtime.mailbox.link.alive_at()),
            "freshness": health.rung().name(),
            "freshness_reason": optional(health.rung_reason()),
            "flags": flags,
            "segments": segments,
            "malformed": health.malformed(),
            "dropped": runtime.notifications.dropped(),
            "panics": self.panics.load(std::sync::atomic::Ordering::Relaxed),
            "last_error": optional(health.last_error()),
        })
        .to_string()
    }

    /// Number of flags and segments held that are not deleted.
    fn held(&self) -> (usize, usize) {
        match &self.shared.cache {
            Some(cache) => (
                cache.flags().iter().filter(|(_, entry)| entry.live().is_some()).count(),
                cache.segments().iter().filter(|(_, entry)| entry.live().is_some()).count(),
            ),
            None => {
                let snapshot = self.shared.snapshot.load();
                (
                    snapshot.flags.iter().filter(|(_, entry)| entry.live().is_some()).count(),
                    snapshot.segments.iter().filter(|(_, entry)| entry.live().is_some()).count(),
                )
            }
        }
    }

    /// Age of the latest moment at which everything held was known to be true; `None` before the first.
    fn verified_age_ms(&self, link_alive_at: u64) -> Option<u64> {
        let health = &self.shared.health;
        let pushed =
            health.rung() == Rung::Push && health.state() == StoreState::Valid && self.shared.is_all_verified();
        // A live link on which no push is unanswered says that nothing has changed since.
        let at = if pushed { health.verified_at().max(link_alive_at) } else { health.verified_at() };
        (at != 0).then(|| monotonic_ms().saturating_sub(at))
    }
}
