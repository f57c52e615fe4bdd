//! What is fuzzed, by name: functions that take any bytes and fail by panicking. `fuzz/` feeds them; the tests here give them
//! the seeds, so that these stay good without a fuzzer. Each lives beside what it is about.

pub use crate::client::fuzzing::{all_flags, metrics};
pub use crate::context::fuzzing::context;
pub use crate::eval::fuzzing::{evaluation, evaluation_json};
pub use crate::events::fuzzing::spool_file;
pub use crate::ffi::fuzzing::{c_client, c_context};
pub use crate::model::fuzzing::{flag, instant, json, reference, regex, segment, semver};
pub use crate::source::fuzzing::{data_file, fdv2, payload, sse};
pub use crate::store::fuzzing::{redis_reply, redis_url, snapshot_file};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 22] = [
        ("all_flags", all_flags),
        ("c_client", c_client),
        ("c_context", c_context),
        ("context", context),
        ("data_file", data_file),
        ("evaluation", evaluation),
        ("evaluation_json", evaluation_json),
        ("fdv2", fdv2),
        ("flag", flag),
        ("instant", instant),
        ("json", json),
        ("metrics", metrics),
        ("payload", payload),
        ("redis_reply", redis_reply),
        ("redis_url", redis_url),
        ("reference", reference),
        ("regex", regex),
        ("segment", segment),
        ("semver", semver),
        ("snapshot_file", snapshot_file),
        ("spool_file", spool_file),
        ("sse", sse),
    ];

    fn folder(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    fn names(folder: &Path) -> Vec<String> {
        files(folder).iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_target_holds_for_its_seeds_and_for_what_is_left_when_they_are_cut() {
        let mut bad = Vec::new();
        for (name, target) in TARGETS {
            let seeds = files(&folder("seeds").join(name));
            assert!(!seeds.is_empty());
            for path in seeds {
                let seed = fs::read(&path).unwrap();
                let holds = (0..=4).all(|parts| {
                    let part = &seed[..seed.len() * parts / 4];
                    std::panic::catch_unwind(|| target(part)).is_ok()
                });
                bad.extend((!holds).then_some(path));
            }
        }
        assert!(bad.is_empty(), "{bad:#?}");
    }

    #[test]
    fn every_target_has_a_program_and_every_program_a_target() {
        let known: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names(&folder("targets")), known);
        assert_eq!(names(&folder("seeds")), known);
        let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
        for name in known {
            let program = fs::read_to_string(folder("targets").join(name).with_extension("rs")).unwrap();
            assert!(program.contains(&format!("flagstone::fuzzing::{name}(data)")), "{name}");
            assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"\n")), "{name}");
        }
    }
}
