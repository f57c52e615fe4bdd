//! How the store stands: what it said last of its age, and what was told of that. Without I/O, and without a clock of its own;
//! depends on `store`.

use std::time::Duration;

use super::store::StoreFailure;

/// How the store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Status {
    /// It said how old it is when it was last asked.
    pub available: bool,
    /// It was never brought up to date, or not for too long.
    pub stale: bool,
    /// When it was, in ms since 1970, as far as is known.
    pub last_sync_ms: Option<i64>,
}

/// What the store said of itself.
#[derive(Debug, Default)]
pub struct Standing {
    /// Whether it answered; `None` before it was asked.
    answered: Option<bool>,
    /// Its latest answer.
    last_sync_ms: Option<i64>,
    /// What was told: available, and stale.
    told: Option<(bool, bool)>,
}

impl Standing {
    /// The store was asked how old it is.
    pub fn note(&mut self, outcome: &Result<Option<i64>, StoreFailure>) {
        self.answered = Some(outcome.is_ok());
        if let Ok(last_sync_ms) = outcome {
            self.last_sync_ms = *last_sync_ms;
        }
    }

    /// The status at a moment in ms since 1970; `None` before the store was asked. Age goes on when nobody asks.
    pub fn status(&self, now_ms: i64, stale_after: Duration) -> Option<Status> {
        let available = self.answered?;
        let limit = i64::try_from(stale_after.as_millis()).unwrap_or(i64::MAX);
        let is_old = self.last_sync_ms.is_none_or(|last| now_ms.saturating_sub(last) >= limit);
        Some(Status { available, stale: available && is_old, last_sync_ms: self.last_sync_ms })
    }

    /// Whether this is another status than the one told last; it counts as told from here on.
    pub fn is_news(&mut self, status: Status) -> bool {
        let now = Some((status.available, status.stale));
        std::mem::replace(&mut self.told, now) != now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_millis(100);

    fn after(outcomes: &[Result<Option<i64>, StoreFailure>], now_ms: i64) -> Option<(bool, bool, Option<i64>)> {
        let mut standing = Standing::default();
        outcomes.iter().for_each(|outcome| standing.note(outcome));
        standing.status(now_ms, LIMIT).map(|status| (status.available, status.stale, status.last_sync_ms))
    }

    #[test]
    fn a_store_is_stale_from_the_limit_on_and_when_it_was_never_up_to_date() {
        assert_eq!(after(&[], 0), None);
        assert_eq!(after(&[Ok(Some(1_000))], 1_099), Some((true, false, Some(1_000))));
        assert_eq!(after(&[Ok(Some(1_000))], 1_100), Some((true, true, Some(1_000))));
        assert_eq!(after(&[Ok(None)], 1_100), Some((true, true, None)));
    }

    #[test]
    fn moments_that_make_no_sense_are_taken_as_they_are() {
        assert_eq!(after(&[Ok(Some(i64::MAX))], 1_000), Some((true, false, Some(i64::MAX))));
        assert_eq!(after(&[Ok(Some(i64::MIN))], 1_000), Some((true, true, Some(i64::MIN))));
        assert_eq!(after(&[Ok(Some(2_000))], 1_000), Some((true, false, Some(2_000))), "a clock that goes ahead");
    }

    #[test]
    fn a_store_that_fails_is_not_available_and_not_stale_whatever_it_said_before() {
        let failure = || Err(StoreFailure("gone".to_owned()));
        assert_eq!(after(&[failure()], 9_000), Some((false, false, None)));
        assert_eq!(after(&[Ok(Some(1_000)), failure()], 9_000), Some((false, false, Some(1_000))));
    }

    #[test]
    fn a_status_is_news_once() {
        let (mut standing, status) = (Standing::default(), Status { available: true, ..Status::default() });
        assert!(standing.is_news(status) && !standing.is_news(status));
        assert!(!standing.is_news(Status { last_sync_ms: Some(1), ..status }), "a later sync alone is none");
        assert!(standing.is_news(Status { stale: true, ..status }));
    }
}
