//! The hand-written flags of the mixed data set. Together they reach every reason and every error kind that data can
//! cause, and use every operator, kind of target and kind of rollout; each tells what it does by its name and rule ids,
//! so that tables printed from them can be read. Depends on `item` and `clauses`.

mod checkout;
mod dependent;
mod odd;
mod targeting;
mod versioned;

use serde_json::Value;

/// Flag keys with their flags, prerequisites before the flags that require them.
pub fn flags() -> Vec<(String, Value)> {
    let areas = [
        checkout::flags(),
        checkout::rollouts(),
        dependent::prerequisites(),
        dependent::segments(),
        targeting::text(),
        targeting::numbers_and_dates(),
        targeting::kinds(),
        versioned::flags(),
        odd::served(),
        odd::malformed(),
        odd::tombstones(),
    ];
    areas.into_iter().flatten().collect()
}
