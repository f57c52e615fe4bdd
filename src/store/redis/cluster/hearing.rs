//! Which word counts where nodes contradict each other, or nobody is left of those that are known. Depends on `map` and `word`.

use super::super::endpoints::Address;
use super::map::Map;
use super::word::{Silence, Word};

/// What is known of who owns what.
#[derive(Debug)]
pub struct Known {
    /// Who does.
    pub map: Map,
    /// As of so many agreements.
    pub epoch: u64,
}

/// What nodes say that are asked in a row.
pub struct Hearing<'k> {
    known: Option<&'k Known>,
    best: Option<Word>,
    /// The same of a cluster that has no node in common with what is known, by those who may say so.
    of_others: Option<Word>,
    silences: Vec<(Address, Silence)>,
}

impl<'k> Hearing<'k> {
    /// Nobody was asked yet.
    pub fn new(known: Option<&'k Known>) -> Self {
        Self { known, best: None, of_others: None, silences: Vec::new() }
    }

    /// A node has answered, or not; true when no other one needs to be asked. `is_seed`: it stands in the URL.
    pub fn hear(&mut self, address: &Address, said: Result<Word, Silence>, is_seed: bool) -> bool {
        let is_kin = |word: &Word| self.known.is_none_or(|known| known.map.is_kin(&word.map));
        let word = match said {
            Ok(word) if is_seed || is_kin(&word) => word,
            outcome => {
                // Addresses are given to others.
                self.silences.push((address.clone(), outcome.err().unwrap_or(Silence::Foreign)));
                return false;
            }
        };
        let is_kin = is_kin(&word);
        let place = if is_kin { &mut self.best } else { &mut self.of_others };
        let (epoch, size) = self.known.map_or((0, 0), |known| (known.epoch, known.map.size()));
        let is_enough = is_kin && word.is_well && word.epoch >= epoch && word.map.size() >= size;
        let rank = |word: &Word| (word.is_well, word.epoch, word.map.size());
        // A worse one may come from a node that is cut off from the others.
        if is_enough || place.as_ref().is_none_or(|best| rank(&word) > rank(best)) {
            *place = Some(word);
        }
        is_enough
    }

    /// The word that is to be known from here on, if any; an error where nobody of use has answered. `is_over`: those who are
    /// known do not come back. `have_stayed`: whether only others have answered for a while, if they did now.
    pub fn end(
        self,
        is_over: bool,
        have_stayed: impl FnOnce(bool) -> bool,
    ) -> Result<Option<Word>, Vec<(Address, Silence)>> {
        let have_stayed = have_stayed(self.known.is_some() && self.best.is_none() && self.of_others.is_some());
        let Some(known) = self.known else { return self.best.map(Some).ok_or(self.silences) };
        match (self.best, self.of_others) {
            (Some(word), of_others) => {
                // A node that is cut off may still tell of one that is silent. A cluster that has started over does not.
                let contradicts = |silent: &Address| word.map.nodes().contains(silent);
                let has_started_over = || {
                    let is_whole = word.map.size() >= known.map.size();
                    is_whole && !self.silences.iter().any(|(silent, _)| contradicts(silent))
                };
                let is_late = word.epoch >= known.epoch || is_over || has_started_over();
                let counts = if word.is_well { is_late } else { word.epoch > known.epoch };
                // One that is left over from a cluster that serves no more does not stand for it.
                let of_others = of_others.filter(|other| is_over && other.is_well);
                Ok(if counts { Some(word) } else { of_others })
            }
            // What it counts has nothing to do with what others have counted. A name may lead astray for a moment.
            (None, Some(word)) => Ok(Some(word).filter(|word| word.is_well && (is_over || have_stayed))),
            (None, None) => Err(self.silences),
        }
    }
}
