//! Size of the shared library without symbols. Depends on `strip` of the binutils.

use std::process::{Command, id};
use std::{env, fs};

use crate::Outcome;
use crate::report::{Budget, Row, megabytes};

/// Budget in bytes.
const LIBRARY: f64 = 6e6;

/// One row.
pub fn measure() -> Outcome<Vec<Row>> {
    let copy = env::temp_dir().join(format!("libflagstone-stripped-{}.so", id()));
    let stripped =
        Command::new("strip").arg("--strip-unneeded").arg("-o").arg(&copy).arg(env!("FLAGSTONE_LIBRARY")).status();
    let done = stripped.map_err(|error| format!("strip: {error}"))?;
    if !done.success() {
        return Err(format!("strip: {done}").into());
    }
    let size = fs::metadata(&copy)?.len() as f64;
    fs::remove_file(&copy)?;
    Ok(vec![Row::new("libflagstone.so, stripped", megabytes(size)).budget(Budget::AtMost(size, LIBRARY, "6 MB"))])
}
