//! What was written to which primary, which answers that allows, and how stale they were. No I/O.
//!
//! A line is what one primary holds from when it takes office until the next one does. A value is on the line of the primary to
//! which it was sent, and on each later line whose primary had it when it took office. An answer's place is the earliest that it
//! may have been given from: a line that its value is on, which is no earlier than that of the answer before and, where it is
//! the same, then the value is no older.

use std::time::{Duration, Instant};

/// Number of flags whose values are written.
pub const COUNT: usize = 16;

/// What became of an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Redis may hold it or not: it was sent, and no answer came.
    Sent,
    /// Redis said that it holds it.
    Acknowledged(Instant),
    /// Redis never held it.
    Refused,
}

#[derive(Debug)]
struct Edit {
    line: usize,
    fate: Fate,
}

/// Where an answer stands in the order in which answers may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub line: usize,
    pub value: usize,
}

/// A flag gave another value than before, to one reader.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub at: Instant,
    pub flag: usize,
    pub value: usize,
}

/// Why an answer is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    NeverHeld,
    /// Than the one before; with the only place that it may have come from.
    Older(Place),
}

/// Values of a flag count up from 0, which everybody begins with.
pub struct History {
    /// By flag and value.
    edits: Vec<Vec<Edit>>,
    /// By line and flag: what the primary had when it took office.
    lines: Vec<Vec<usize>>,
}

impl History {
    pub fn new() -> Self {
        let first = || vec![Edit { line: 0, fate: Fate::Acknowledged(Instant::now()) }];
        Self { edits: (0..COUNT).map(|_| first()).collect(), lines: vec![vec![0; COUNT]] }
    }

    /// The line that goes on.
    pub fn line(&self) -> usize {
        self.lines.len() - 1
    }

    /// A new value is about to be sent to the primary of the present line.
    pub fn begin(&mut self, flag: usize) -> usize {
        let line = self.line();
        self.edits[flag].push(Edit { line, fate: Fate::Sent });
        self.edits[flag].len() - 1
    }

    pub fn end(&mut self, flag: usize, value: usize, fate: Fate) {
        self.edits[flag][value].fate = fate;
    }

    /// Another primary took office, with these values.
    pub fn begin_line(&mut self, values: Vec<usize>) {
        self.lines.push(values);
    }

    /// The newest value that the present primary has acknowledged, or had when it took office.
    pub fn newest(&self, flag: usize) -> usize {
        let line = self.line();
        let is_held = |edit: &Edit| edit.line == line && matches!(edit.fate, Fate::Acknowledged(_));
        self.edits[flag].iter().rposition(is_held).unwrap_or(0).max(self.lines[line][flag])
    }

    /// The place of an answer after one at this place.
    pub fn place(&self, flag: usize, value: usize, before: Place) -> Result<Place, Wrong> {
        let edit = self.edits[flag].get(value).filter(|edit| edit.fate != Fate::Refused).ok_or(Wrong::NeverHeld)?;
        let inherited = (edit.line + 1..self.lines.len()).filter(|line| self.lines[*line][flag] == value);
        let places = std::iter::once(edit.line).chain(inherited).map(|line| Place { line, value });
        places.into_iter().find(|place| *place >= before).ok_or(Wrong::Older(Place { line: edit.line, value }))
    }

    /// Edits that a primary acknowledged and the next one did not have.
    pub fn lost(&self) -> usize {
        let lost = |flag: usize| self.acknowledged(flag).filter(|(value, ..)| !self.survives(flag, *value)).count();
        (0..COUNT).map(lost).sum()
    }

    /// Edits that were acknowledged.
    pub fn count(&self) -> usize {
        (0..COUNT).map(|flag| self.acknowledged(flag).count()).sum()
    }

    fn acknowledged(&self, flag: usize) -> impl Iterator<Item = (usize, usize, Instant)> + '_ {
        self.edits[flag].iter().enumerate().skip(1).filter_map(|(value, edit)| match edit.fate {
            Fate::Acknowledged(at) => Some((value, edit.line, at)),
            _ => None,
        })
    }

    fn survives(&self, flag: usize, value: usize) -> bool {
        let line = self.edits[flag][value].line;
        self.lines.get(line + 1).is_none_or(|values| values[flag] >= value)
    }

    /// How long it took until edits that survived were served, or later ones of the same flag: of the first edit of each
    /// primary but the first, and of all. What was not served before the answers end is left out.
    pub fn delays(&self, answers: &[Answer]) -> Delays {
        let mut firsts: Vec<Option<(Instant, Duration)>> = vec![None; self.lines.len()];
        let mut all = Vec::new();
        for flag in 0..COUNT {
            let mut before = Place::default();
            let places = answers.iter().filter(|answer| answer.flag == flag).map(|answer| {
                before = match self.place(flag, answer.value, before) {
                    Ok(place) | Err(Wrong::Older(place)) => place,
                    Err(Wrong::NeverHeld) => before,
                };
                (before, answer)
            });
            let mut places = places.peekable();
            for (value, line, at) in self.acknowledged(flag).filter(|(value, ..)| self.survives(flag, *value)) {
                while places.next_if(|(place, _)| *place < Place { line, value }).is_some() {}
                let Some((_, answer)) = places.peek() else { break };
                let delay = answer.at.saturating_duration_since(at);
                all.push(delay);
                let first = &mut firsts[line];
                if first.is_none_or(|(earliest, _)| at < earliest) {
                    *first = Some((at, delay));
                }
            }
        }
        let last = firsts.last().copied().flatten().map(|(_, delay)| delay);
        Delays { recovery: firsts.into_iter().skip(1).flatten().map(|(_, delay)| delay).collect(), last, all }
    }
}

/// See [`History::delays`].
#[derive(Default)]
pub struct Delays {
    pub recovery: Vec<Duration>,
    /// Of the present primary's first edit, if it was served.
    pub last: Option<Duration>,
    pub all: Vec<Duration>,
}

/// Half of them are no longer, 99 of a hundred are no longer, the longest.
pub fn quantiles(delays: &mut [Duration]) -> [Duration; 3] {
    delays.sort_unstable();
    let at = |share: f64| delays.get(((delays.len() as f64 * share).ceil() as usize).max(1) - 1).copied();
    [0.5, 0.99, 1.0].map(|share| at(share).unwrap_or_default())
}

/// Follows the answers that one reader was given.
pub struct Judge {
    served: Vec<Place>,
    judged: usize,
}

impl Judge {
    pub fn new() -> Self {
        Self { served: vec![Place::default(); COUNT], judged: 0 }
    }

    /// What is wrong with those that came since the last time. A flag may step back so often as `tolerated` says.
    pub fn wrong(&mut self, history: &History, answers: &[Answer], tolerated: usize) -> Vec<String> {
        let (mut wrong, mut steps) = (Vec::new(), [0; COUNT]);
        let further = &answers[std::mem::replace(&mut self.judged, answers.len())..];
        for Answer { flag, value, .. } in further {
            let before = self.served[*flag];
            match history.place(*flag, *value, before) {
                Ok(place) => self.served[*flag] = place,
                Err(Wrong::NeverHeld) => wrong.push(format!("flag-{flag} gave {value}, which Redis never held")),
                Err(Wrong::Older(place)) => {
                    self.served[*flag] = place;
                    steps[*flag] += 1;
                    if steps[*flag] > tolerated {
                        wrong.push(format!("flag-{flag} gave {place:?} after {before:?}"));
                    }
                }
            }
        }
        wrong
    }
}

#[test]
fn a_value_may_follow_a_newer_one_only_when_a_primary_took_office_without_that() {
    let mut history = History::new();
    let sent = |history: &mut History, fate| {
        let value = history.begin(0);
        history.end(0, value, fate);
        value
    };
    let acknowledged = Fate::Acknowledged(Instant::now());
    let one = sent(&mut history, acknowledged);
    let (lost, refused) = (sent(&mut history, acknowledged), sent(&mut history, Fate::Refused));
    let mut values = vec![0; COUNT];
    values[0] = one;
    history.begin_line(values);
    let new = sent(&mut history, Fate::Sent);
    let answers = |values: &[usize]| -> Vec<Answer> {
        values.iter().map(|value| Answer { at: Instant::now(), flag: 0, value: *value }).collect()
    };
    let wrong = |values: &[usize]| Judge::new().wrong(&history, &answers(values), 0).len();
    assert_eq!(wrong(&[0, one, lost, one, new]), 0);
    assert_eq!(wrong(&[0, lost, new]), 0);
    assert_eq!(wrong(&[one, lost, one, lost]), 1, "back to what was lost");
    assert_eq!(wrong(&[0, one, 0]), 1, "older on the same line");
    assert_eq!(wrong(&[one, new, one]), 1, "older on the new line");
    assert_eq!(wrong(&[one, new, lost]), 1, "back to a primary that is none any more");
    assert_eq!(wrong(&[refused]), 1, "never held");
    assert_eq!(wrong(&[9]), 1, "never written");
    assert_eq!(Judge::new().wrong(&history, &answers(&[one, 0, one, 0]), 1).len(), 1, "one step is tolerated");
    assert_eq!((history.lost(), history.count(), history.newest(0)), (1, 2, one));
}
