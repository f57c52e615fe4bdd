//! The program measures everything once, quickly. No figure is judged: only that each is there.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn a_quick_run_measures_every_row_and_writes_where_it_is_told() {
    let out = std::env::temp_dir().join(format!("flagstone-bench-{}.md", std::process::id()));
    let run =
        Command::new(env!("CARGO_BIN_EXE_flagstone-bench")).args(["--quick", "--out"]).arg(&out).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));

    let written = std::fs::read_to_string(&out).unwrap();
    std::fs::remove_file(&out).unwrap();
    assert_eq!(written, String::from_utf8(run.stdout).unwrap());
    for shape in flagdata::Shape::ONE_KIND {
        assert!(written.contains(&format!("| bool by key, {} ", shape.name())));
        assert!(written.contains(&format!("| bool prepared, {} ", shape.name())));
    }
    for what in [
        "load of 1000 flags",
        "load of 10000 flags",
        "p50 of 20",
        "p99 of 20",
        "patch among 10000 flags of 200 bytes",
        "patch among 10000 flags of 5000 bytes",
        "full data set of 10000 flags",
        "p99.9 of evaluations while",
        "slowest evaluation while",
        "10000 held, resident",
        "10000 held, allocated",
        "libflagstone.so, stripped",
    ] {
        assert!(written.contains(what), "{what} is missing in\n{written}");
    }
    let verdicts = written.lines().filter(|line| line.contains("| met ") || line.contains("| **not met** "));
    assert_eq!(verdicts.count(), 12);
    assert!(!written.contains("NaN"));
}

#[test]
fn an_unknown_section_is_named() {
    let run = Command::new(env!("CARGO_BIN_EXE_flagstone-bench")).args(["--only", "load,luck"]).output().unwrap();
    assert!(!run.status.success());
    assert_eq!(String::from_utf8_lossy(&run.stderr), "flagstone-bench: --only: there is no `luck`\n");
}
