//! The rungs of the ladder, and how each fared: plain data for the watch, the store thread and the status. Depends on nothing.

/// A way to be told of changes. Better ones come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WatchRung {
    /// The server names the fields that changed, beside broadcast tracking.
    Fields,
    /// The server names the hash that changed.
    Broadcast,
    /// The same for a server, a proxy or a URL without RESP3: what one connection tracks is told on another.
    Redirect,
    /// The server publishes what happens to the keys.
    Keyspace,
}

impl WatchRung {
    /// All, best first.
    pub const ALL: [Self; 4] = [Self::Fields, Self::Broadcast, Self::Redirect, Self::Keyspace];

    /// Its name, for people and for the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fields => "hash-field notifications",
            Self::Broadcast => "RESP3 broadcast tracking",
            Self::Redirect => "RESP2 tracking with redirect",
            Self::Keyspace => "keyspace notifications",
        }
    }
}

/// How a rung fared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It tells.
    InForce,
    /// The server said that it cannot or may not do it.
    Refused(String),
    /// It broke, or the server did not answer when it was tried.
    Lost(String),
    /// A better one is in force.
    NotNeeded,
    /// Nobody came so far.
    NotTried,
}

impl Fate {
    /// As in the status.
    pub fn name(&self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Refused(_) => "refused",
            Self::Lost(_) => "lost",
            Self::NotNeeded => "not needed",
            Self::NotTried => "not tried",
        }
    }

    /// Why it is not in force, where there is something to say.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused(reason) | Self::Lost(reason) => Some(reason),
            _ => None,
        }
    }
}

/// How all rungs fared when they were last tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LadderReport {
    fates: [Fate; WatchRung::ALL.len()],
}

impl Default for LadderReport {
    fn default() -> Self {
        Self { fates: std::array::from_fn(|_| Fate::NotTried) }
    }
}

impl LadderReport {
    /// Each rung with its fate, best first.
    pub fn rungs(&self) -> impl Iterator<Item = (WatchRung, &Fate)> {
        WatchRung::ALL.into_iter().zip(&self.fates)
    }

    /// The rung that is in force.
    pub fn in_force(&self) -> Option<WatchRung> {
        self.rungs().find(|(_, fate)| **fate == Fate::InForce).map(|(rung, _)| rung)
    }

    /// How this rung fared.
    pub fn note(&mut self, rung: WatchRung, fate: Fate) {
        if let Some(place) = self.fates.get_mut(rung as usize) {
            *place = fate;
        }
    }

    /// This rung is in force from here on; the ones below it are not needed.
    pub fn take(&mut self, rung: WatchRung) {
        for below in WatchRung::ALL.into_iter().filter(|other| *other > rung) {
            self.note(below, Fate::NotNeeded);
        }
        self.note(rung, Fate::InForce);
    }

    /// What was in force is gone, and so is what was known of those below.
    pub fn lose(&mut self, reason: &str) {
        for fate in &mut self.fates {
            match fate {
                Fate::InForce => *fate = Fate::Lost(reason.to_owned()),
                Fate::NotNeeded => *fate = Fate::NotTried,
                _ => {}
            }
        }
    }

    /// Neither of the two best is in force: that is worth a word.
    pub fn is_low(&self) -> bool {
        self.in_force().is_none_or(|rung| rung > WatchRung::Broadcast)
    }

    /// A rung better than the one in force was lost, not refused: it may be there soon.
    pub fn misses_something(&self) -> bool {
        self.rungs().take_while(|(_, fate)| **fate != Fate::InForce).any(|(_, fate)| matches!(fate, Fate::Lost(_)))
    }

    /// Why no better rung is in force: what the next better one said; where none is in force, what all said.
    pub fn reason(&self) -> Option<String> {
        if let Some(rung) = self.in_force() {
            let better = self.rungs().take_while(|(other, _)| *other < rung);
            return better.filter_map(|(_, fate)| fate.reason()).last().map(str::to_owned);
        }
        let said: Vec<(WatchRung, &str)> =
            self.rungs().filter_map(|(rung, fate)| Some((rung, fate.reason()?))).collect();
        let (_, first) = *said.first()?;
        if said.iter().all(|(_, reason)| *reason == first) {
            return Some(first.to_owned());
        }
        let one = |(rung, reason): &(WatchRung, &str)| format!("{}: {reason}", rung.name());
        Some(said.iter().map(one).collect::<Vec<_>>().join("; "))
    }

    /// Of two servers that both have to be watched, the report that is the weaker one.
    pub fn weaker(self, other: Self) -> Self {
        let strength = |report: &Self| report.in_force().map_or(usize::MAX, |rung| rung as usize);
        if strength(&other) > strength(&self) { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: &str) -> Fate {
        Fate::Refused(reason.to_owned())
    }

    #[test]
    fn the_reason_is_what_the_next_better_rung_said_and_without_one_in_force_what_all_said() {
        let mut report = LadderReport::default();
        assert_eq!((report.in_force(), report.reason()), (None, None));
        report.note(WatchRung::Fields, refused("no RESP3"));
        report.note(WatchRung::Broadcast, refused("no RESP3"));
        assert_eq!(report.reason().as_deref(), Some("no RESP3"), "said once");
        report.note(WatchRung::Redirect, refused("no CLIENT"));
        let all = report.reason().unwrap();
        assert!(all.contains("RESP3 broadcast tracking: no RESP3; RESP2 tracking with redirect: no CLIENT"), "{all}");
        report.take(WatchRung::Keyspace);
        assert_eq!((report.in_force(), report.reason().as_deref()), (Some(WatchRung::Keyspace), Some("no CLIENT")));
        report.take(WatchRung::Fields);
        assert_eq!(report.reason(), None);
        assert!(report.rungs().skip(1).all(|(_, fate)| *fate == Fate::NotNeeded));
    }

    #[test]
    fn what_is_lost_is_in_force_no_longer_and_may_be_missed() {
        let mut report = LadderReport::default();
        report.note(WatchRung::Fields, refused("too old"));
        report.take(WatchRung::Broadcast);
        assert!(!report.misses_something());
        report.lose("gone");
        assert_eq!(report.in_force(), None);
        let fates: Vec<&str> = report.rungs().map(|(_, fate)| fate.name()).collect();
        assert_eq!(fates, ["refused", "lost", "not tried", "not tried"]);
        report.take(WatchRung::Redirect);
        assert!(report.misses_something());
    }

    #[test]
    fn of_several_servers_the_weakest_rung_counts() {
        let on = |rung: Option<WatchRung>| {
            let mut report = LadderReport::default();
            if let Some(rung) = rung {
                report.take(rung);
            }
            report
        };
        let (best, last, none) = (on(Some(WatchRung::Fields)), on(Some(WatchRung::Keyspace)), on(None));
        assert_eq!(best.clone().weaker(last.clone()).in_force(), Some(WatchRung::Keyspace));
        assert_eq!(last.clone().weaker(best).in_force(), Some(WatchRung::Keyspace));
        assert_eq!(last.clone().weaker(none.clone()).in_force(), None);
        assert_eq!(none.weaker(last).in_force(), None);
    }
}
