//! `flags`: a table of flags or segments.

use std::panic::resume_unwind;

use flagstone::model::{Flag, Interner, Serve};

use crate::arguments::Flags;
use crate::failure::{Failure, Verdict};
use crate::item::{Content, Item, is_meant};
use crate::output::{Output, Table, count, plain};
use crate::place::Place;
use crate::row::Row;

pub fn run(what: &Flags, place: &Place, output: &mut Output) -> Result<Verdict, Failure> {
    let held = place.read_some(output)?;
    let items = if what.segments { &held.segments } else { &held.flags };
    let rows = rows(items, what);
    if output.json {
        output.json(&rows)?;
    } else if what.quiet {
        rows.iter().try_for_each(|row| output.line(plain(&row.key)))?;
    } else {
        print(&rows, items.len(), what.segments, output)?;
    }
    Ok(Verdict::Fine)
}

/// Reading is most of the work, and there may be ten thousands of items.
fn rows(items: &[Item], what: &Flags) -> Vec<Row> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> = items.chunks(share).map(|part| scope.spawn(|| rows_of(part, what))).collect();
        // A list without a part of the flags would be none.
        parts.into_iter().flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

fn rows_of(items: &[Item], what: &Flags) -> Vec<Row> {
    let mut interner = Interner::default();
    let meant = items.iter().filter(|item| is_meant(&item.key, what.pattern.as_deref()));
    meant.filter_map(|item| row(item, what, &mut interner)).collect()
}

fn row(item: &Item, what: &Flags, interner: &mut Interner) -> Option<Row> {
    let row = Row::new(&item.key, item.text.len());
    match item.read(interner).content {
        Ok(Content::Flag(flag)) => is_wanted(&flag, what).then(|| row.with_flag(&flag)),
        Ok(Content::Segment(segment)) => {
            let is_wanted =
                !what.bad && what.uses.as_deref().is_none_or(|key| segment.segments().any(|used| used == key));
            is_wanted.then(|| row.with_segment(&segment))
        }
        Ok(Content::Deleted(_)) => None,
        Err(error) => {
            let is_wanted = what.bad || !(what.on || what.off || what.targeted || what.uses.is_some());
            is_wanted.then(|| Row { error: Some(error.to_string()), ..row })
        }
    }
}

fn is_wanted(flag: &Flag, what: &Flags) -> bool {
    let uses = |key: &str| flag.prerequisite_keys().chain(flag.segments()).any(|used| used == key);
    let is_targeted = || {
        let rolls_out = matches!(flag.fallthrough, Serve::Rollout(_));
        rolls_out || !(flag.targets.is_empty() && flag.rules.is_empty() && flag.prerequisites.is_empty())
    };
    !what.bad
        && (!what.on || flag.on)
        && (!what.off || !flag.on)
        && (!what.targeted || is_targeted())
        && what.uses.as_deref().is_none_or(uses)
}

fn print(rows: &[Row], all: usize, segments: bool, output: &mut Output) -> Result<(), Failure> {
    let mut table = if segments {
        Table::new(&["SEGMENT", "VERSION", "RULES", "BYTES", ""], &[1, 2, 3])
    } else {
        Table::new(&["FLAG", "STATE", "VERSION", "TARGETS", "RULES", "OTHERWISE"], &[2, 3, 4])
    };
    let number = |number: Option<i64>| number.map_or_else(String::new, |number| number.to_string());
    let size = |size: Option<usize>| match size {
        None | Some(0) => String::new(),
        Some(size) => size.to_string(),
    };
    for row in rows {
        let key = output.strong(plain(&row.key));
        let error = row.error.as_ref().map(|error| output.bad(plain(error)));
        table.row(if segments {
            let remark = error.unwrap_or_else(|| if row.big == Some(true) { "big".to_owned() } else { String::new() });
            vec![key, number(row.version), size(row.rules), row.bytes.to_string(), remark]
        } else {
            let state = match row.on {
                Some(true) => output.good("on"),
                Some(false) => output.faint("off"),
                None => output.bad("bad"),
            };
            let serves = error.unwrap_or_else(|| row.serves.clone().unwrap_or_default());
            vec![key, state, number(row.version), size(row.targets), size(row.rules), serves]
        });
    }
    table.print(output)?;
    let noun = if segments { "segment" } else { "flag" };
    let shown = if rows.len() == all { count(all, noun) } else { format!("{} of {}", rows.len(), count(all, noun)) };
    let shown = output.faint(shown);
    output.words(shown)
}
