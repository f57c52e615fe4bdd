//! `import`: flags and segments of a file are written to Redis, as the library writes them: versions are compared there and then.
//! What is replaced or removed whatever its version is what was shown before, or nothing is.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use flagstone::model::{Interner, Kind};
use flagstone::store::{Depot, NewItem, Written};
use serde::Serialize;

use crate::arguments::{At, Import, LONGEST_SECONDS};
use crate::failure::{Failure, Verdict};
use crate::interrupt::Protected;
use crate::item::{Item, noun};
use crate::output::{Output, count, plain};
use crate::place::{Held, Place};

/// Items that are written in one round trip.
const BATCH: usize = 100;

/// What is to become of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// There is none of the kind.
    New,
    /// There is an older one.
    Newer,
    /// There is one that is as new or newer, and it stays.
    Kept,
    /// There is one that is as new or newer, and it goes.
    Forced,
    /// The very same is there.
    Same,
    /// It is there, and not in the file, and goes.
    Removed,
}

/// One item of the file, or of Redis.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Step {
    kind: &'static str,
    key: String,
    fate: Fate,
    before: Option<i64>,
    after: Option<i64>,
    /// The text that goes.
    #[serde(skip)]
    goes: Option<Vec<u8>>,
}

impl Step {
    fn writes(&self) -> bool {
        !matches!(self.fate, Fate::Kept | Fate::Same)
    }
}

fn writes(steps: &[Step]) -> usize {
    steps.iter().filter(|step| step.writes()).count()
}

pub fn run(what: &Import, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let items = items(&what.from, place, output)?;
    // The output of something that failed is no data set.
    if items.is_empty() || what.replace && !items.iter().any(|item| item.kind == Kind::Flag) {
        return Err(Failure::Missing("there are no flags in it: nothing was written".to_owned()));
    }
    let depot = place.depot()?;
    let held = Held::from(depot.read().map_err(|error| place.placed(error))?);
    let mut steps = plan(&items, &held, what);
    if !output.json {
        print(&steps, place, output)?;
    }
    // Without the marker nobody knows whether all of it is there.
    let is_needed = writes(&steps) > 0 || held.inited == Some(false);
    let is_done = is_needed && !what.dry_run;
    if is_done {
        agree(what, writes(&steps), output)?;
        let done = write(&depot, &items, &steps, &held, what, output)?;
        let planned = std::mem::replace(&mut steps, done);
        if !output.json {
            print_outrun(&planned, &steps, output)?;
        }
    }
    if output.json {
        output.json(&serde_json::json!({ "written": is_done, "items": steps }))?;
    } else if is_done {
        let done = output.good(format!("{} written", count(writes(&steps), "item")));
        output.words(done)?;
    } else {
        let nothing = if is_needed { "a dry run: nothing was written" } else { "nothing to write" };
        let nothing = output.faint(nothing);
        output.words(nothing)?;
    }
    let is_kept = steps.iter().any(|step| step.fate == Fate::Kept);
    Ok(if is_kept { Verdict::Found } else { Verdict::Fine })
}

/// The items of the file; each must be one that clients can read.
fn items(path: &Path, place: &Place, output: &Output) -> Result<Vec<NewItem>, Failure> {
    let (Place::Redis(at) | Place::Files(_, at)) = place;
    let mut at = At { options: Vec::new(), file: vec![path.to_owned()], ..at.clone() };
    if path == Path::new("-") {
        at.file = vec!["/dev/stdin".into()];
        // Whoever writes there has time.
        at.timeout = LONGEST_SECONDS;
    }
    let held = Place::of(&at).read(output)?;
    let mut interner = Interner::default();
    held.items().map(|item| new_item(item, &mut interner)).collect()
}

fn new_item(item: &Item, interner: &mut Interner) -> Result<NewItem, Failure> {
    let Item { kind, key, text, .. } = item;
    match item.read(interner).content {
        Ok(content) => Ok(NewItem { kind: *kind, key: key.clone(), version: content.version(), text: text.clone() }),
        Err(error) => Err(Failure::Usage(format!("{} {key:?} cannot be imported: {error}", noun(*kind)))),
    }
}

fn plan(items: &[NewItem], held: &Held, what: &Import) -> Vec<Step> {
    let mut interner = Interner::default();
    let mut version = |item: &Item| item.read(&mut interner).content.ok().map(|content| content.version());
    let mut steps = Vec::new();
    for item in items {
        let there = held.find(item.kind, &item.key);
        let before = there.and_then(&mut version);
        let fate = match there {
            None => Fate::New,
            Some(there) if is_same(there, item) => Fate::Same,
            // What cannot be read is older than everything.
            Some(_) if before.is_none_or(|before| before < item.version) => Fate::Newer,
            Some(_) if what.force => Fate::Forced,
            Some(_) => Fate::Kept,
        };
        let goes = there.filter(|_| matches!(fate, Fate::Newer | Fate::Forced)).map(|there| there.text.clone());
        let (key, after) = (item.key.clone(), Some(item.version));
        steps.push(Step { kind: noun(item.kind), key, fate, before, after, goes });
    }
    if what.replace {
        let named: HashSet<_> = items.iter().map(|item| (item.kind, item.key.as_str())).collect();
        for there in held.items().filter(|there| !named.contains(&(there.kind, there.key.as_str()))) {
            let (key, before, goes) = (there.key.clone(), version(there), Some(there.text.clone()));
            steps.push(Step { kind: noun(there.kind), key, fate: Fate::Removed, before, after: None, goes });
        }
    }
    steps
}

/// Whether both say the same, however it is written.
fn is_same(there: &Item, item: &NewItem) -> bool {
    if there.text == item.text {
        return true;
    }
    let json = there.json();
    !json.is_null() && json == Item::new(item.kind, item.key.clone().into(), item.text.clone()).json()
}

fn print(steps: &[Step], place: &Place, output: &mut Output) -> Result<(), Failure> {
    output.words(format!("to {}", plain(&place.describe())))?;
    for step in steps.iter().filter(|step| step.fate != Fate::Same) {
        let version =
            |version: Option<i64>| version.map_or_else(|| "unreadable".to_owned(), |version| version.to_string());
        let (before, after) = (version(step.before), version(step.after));
        let (sign, words) = match step.fate {
            Fate::New => (output.good("+"), format!("version {after}")),
            Fate::Newer => (output.doubtful("~"), format!("version {before} → {after}")),
            Fate::Forced => (output.bad("~"), format!("version {before} → {after}, which is no newer")),
            Fate::Kept => (output.faint("="), format!("version {before} stays: {after} is no newer (--force)")),
            Fate::Removed => (output.bad("−"), format!("version {before} is removed")),
            Fate::Same => continue,
        };
        let key = output.strong(plain(&step.key));
        output.words(format!("{sign} {} {key}  {words}", step.kind))?;
    }
    let mut sums = BTreeMap::new();
    steps.iter().for_each(|step| *sums.entry(step.fate).or_insert(0_usize) += 1);
    let name = |fate: &Fate| match fate {
        Fate::New => "new",
        Fate::Newer => "newer",
        Fate::Kept => "left alone",
        Fate::Forced => "forced",
        Fate::Same => "the same",
        Fate::Removed => "removed",
    };
    let sums: Vec<String> = sums.iter().map(|(fate, number)| format!("{number} {}", name(fate))).collect();
    let sums = output.faint(sums.join(", "));
    output.words(sums)
}

/// What was to be written, and somebody else was faster.
fn print_outrun(planned: &[Step], done: &[Step], output: &mut Output) -> Result<(), Failure> {
    for (_, step) in planned.iter().zip(done).filter(|(planned, done)| planned.writes() && !done.writes()) {
        let (sign, key) = (output.faint("="), output.strong(plain(&step.key)));
        output.words(format!("{sign} {} {key}  stays: meanwhile somebody wrote one that is as new", step.kind))?;
    }
    Ok(())
}

/// Asks whoever sits there, unless it was said before.
fn agree(what: &Import, writes: usize, output: &mut Output) -> Result<(), Failure> {
    if what.yes {
        return Ok(());
    }
    if output.json || !io::stdin().is_terminal() || !output.is_terminal {
        return Err(Failure::Usage("nothing was written: --yes writes without asking".to_owned()));
    }
    output.finish()?;
    let mut err = io::stderr();
    write!(err, "Write {}? [y/N] ", count(writes, "item"))?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(Failure::Output)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Usage("nothing was written".to_owned())),
    }
}

/// Writes what was planned; the steps as they came out. The first ones are those of the items.
fn write(
    depot: &Depot,
    items: &[NewItem],
    steps: &[Step],
    held: &Held,
    what: &Import,
    output: &Output,
) -> Result<Vec<Step>, Failure> {
    let mut done = steps.to_vec();
    if what.force || what.replace || held.inited == Some(false) {
        // The lock of writers is not left behind.
        let protected = Protected::begin()?;
        let go_on = || match protected.is_end_wanted() {
            true => Err(Failure::Changed("nothing was written".to_owned())),
            false => Ok(()),
        };
        depot.rewrite_while(go_on, |contents| {
            go_on()?;
            let held = contents.into();
            done = plan(items, &held, what);
            if (what.force || what.replace) && done != steps {
                let words = "nothing was written: meanwhile somebody changed what would be replaced; try again";
                return Err(Failure::Changed(words.to_owned()));
            }
            merged(items, &held, what)
        })?;
        if protected.is_end_wanted() {
            // Whoever wanted the end came too late, and the status alone would say otherwise.
            writeln!(io::stderr(), "everything was written before the end")?;
        }
        return Ok(done);
    }
    let mut bar = output.progress("writing", writes(steps));
    // Flags refer to segments: those are there first.
    for kind in [Kind::Segment, Kind::Flag] {
        let of_kind = items.iter().enumerate().filter(|(_, item)| item.kind == kind);
        let planned = of_kind.filter(|(at, _)| steps.get(*at).is_some_and(Step::writes));
        let (places, items): (Vec<usize>, Vec<NewItem>) = planned.map(|(at, item)| (at, item.clone())).unzip();
        for (places, batch) in places.chunks(BATCH).zip(items.chunks(BATCH)) {
            for ((&at, item), outcome) in places.iter().zip(batch).zip(depot.write_newer(batch)?) {
                match outcome {
                    Written::Applied => {}
                    Written::Newer => done.iter_mut().skip(at).take(1).for_each(|step| step.fate = Fate::Kept),
                    Written::Rejected(reason) => {
                        return Err(Failure::Away(format!("{} {:?} is refused: {reason}", noun(kind), item.key)));
                    }
                }
            }
            bar.inc(batch.len());
        }
    }
    Ok(done)
}

/// What is to be there, by what is there at this moment.
fn merged(items: &[NewItem], held: &Held, what: &Import) -> Result<Vec<NewItem>, Failure> {
    let mut all: BTreeMap<(Kind, String), NewItem> = BTreeMap::new();
    let mut interner = Interner::default();
    for there in held.items() {
        if !there.has_text_key {
            return Err(Failure::Usage(format!(
                "{} {:?} is there, whose key is no text: it would be lost",
                noun(there.kind),
                there.key
            )));
        }
        let version = there.read(&mut interner).content.map_or(i64::MIN, |content| content.version());
        let item = NewItem { kind: there.kind, key: there.key.clone(), version, text: there.text.clone() };
        all.insert((item.kind, item.key.clone()), item);
    }
    for item in items {
        let place = (item.kind, item.key.clone());
        let is_newer = all.get(&place).is_none_or(|there| there.version < item.version);
        if is_newer || what.force {
            all.insert(place, item.clone());
        }
    }
    if what.replace {
        let named: HashSet<_> = items.iter().map(|item| (item.kind, item.key.as_str())).collect();
        all.retain(|(kind, key), _| named.contains(&(*kind, key.as_str())));
    }
    Ok(all.into_values().collect())
}
