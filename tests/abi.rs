//! What hosts were compiled against stays true: exported symbols, marks of the shared library, layout of structs, values of
//! constants, and a header that every dialect of C takes.
//!
//! `tests/abi/symbols.txt`, `layout.json` and `baseline.abi` say what it is; a change of them is a change of the ABI.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "native/header.rs"]
mod header;
mod native;

use std::fmt::Write as _;
use std::fs;
use std::mem::{align_of, offset_of, size_of};
use std::path::{Path, PathBuf};
use std::process::Command;

use native::{has_tool, link_library_into, output, root, run, shared_library, text, work_dir};
use serde_json::Value;

fn committed_header() -> String {
    fs::read_to_string(root().join("include/flagstone.h")).unwrap()
}

fn layout() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("tests/abi/layout.json")).unwrap()).unwrap()
}

fn symbols() -> Vec<String> {
    fs::read_to_string(root().join("tests/abi/symbols.txt")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_library_exports_the_recorded_symbols_and_nothing_else() {
    let listed = run(Command::new("nm").args(["-D", "--defined-only"]).arg(shared_library()));
    let mut exported: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().last()).collect();
    exported.sort_unstable();
    assert_eq!(exported, symbols());
    assert!(exported.iter().all(|name| name.starts_with("flagstone_")), "{exported:?}");
}

#[test]
fn the_header_declares_the_recorded_symbols_and_nothing_else() {
    assert_eq!(header::functions(&committed_header()), symbols());
}

#[test]
fn the_library_has_its_soname_and_is_never_unloaded_and_needs_no_static_tls() {
    let dynamic = run(Command::new("readelf").args(["--dynamic", "--wide"]).arg(shared_library()));
    assert!(dynamic.contains("Library soname: [libflagstone.so.1]"), "{dynamic}");
    let flags: Vec<&str> = dynamic.lines().filter(|line| line.contains("FLAGS")).collect();
    assert!(flags.iter().any(|line| line.contains("NODELETE")), "{flags:?}");
    // A library with static TLS may fail to load into a running program.
    assert!(!flags.iter().any(|line| line.contains("STATIC_TLS")), "{flags:?}");
}

/// Size and alignment of structs, offset and size of members, as this compiler sees them, in the form of `layout.json`.
macro_rules! measured {
    ($($name:ident { $($member:ident as $c_name:literal),* })*) => {{
        use flagstone::ffi::*;
        let mut structs = serde_json::Map::new();
        $({
            let members = serde_json::json!([$({
                "name": $c_name,
                "offset": offset_of!($name, $member),
                "size": size_of_member(|it: &$name| &raw const it.$member),
            }),*]);
            structs.insert(stringify!($name).to_owned(), serde_json::json!({
                "size": size_of::<$name>(), "align": align_of::<$name>(), "members": members,
            }));
        })*
        Value::Object(structs)
    }};
}

/// Size of what a member's address points to.
fn size_of_member<S, M>(_: impl Fn(&S) -> *const M) -> usize {
    size_of::<M>()
}

#[test]
#[cfg(target_pointer_width = "64")]
fn structs_are_laid_out_as_recorded() {
    let measured = measured! {
        flagstone_str { ptr as "ptr", len as "len" }
        flagstone_bytes { ptr as "ptr", len as "len", owner as "owner" }
        flagstone_big_segment_status {
            struct_size as "struct_size", available as "available", stale as "stale", reserved as "reserved",
            last_sync_ms as "last_sync_ms"
        }
        flagstone_big_segment_store {
            struct_size as "struct_size", reserved as "reserved", user_data as "user_data",
            membership as "membership", metadata as "metadata", drop as "drop"
        }
        flagstone_default {
            value_type as "value_type", is_integer as "is_integer", integer as "integer", number as "number",
            text as "text"
        }
        flagstone_attr { name as "name", r#type as "type", flags as "flags", number as "number", text as "text" }
        flagstone_detail {
            struct_size as "struct_size", value_type as "value_type", reason as "reason", error_kind as "error_kind",
            variation_index as "variation_index", rule_index as "rule_index", flags as "flags",
            big_segments_status as "big_segments_status", number_value as "number_value", text as "text",
            rule_id as "rule_id", prerequisite_key as "prerequisite_key", owner as "owner"
        }
        flagstone_client_status_info {
            struct_size as "struct_size", source_state as "source_state", source_since_ms as "source_since_ms",
            last_error_kind as "last_error_kind", last_error_status as "last_error_status",
            last_error_ms as "last_error_ms", last_error as "last_error", store_available as "store_available",
            reserved as "reserved", store_stale_since_ms as "store_stale_since_ms", owner as "owner"
        }
        flagstone_event {
            struct_size as "struct_size", kind as "kind", level_or_state as "level_or_state", dropped as "dropped",
            unix_ms as "unix_ms", text as "text", extra as "extra", owner as "owner"
        }
        flagstone_notification {
            struct_size as "struct_size", kind as "kind", level_or_state as "level_or_state", dropped as "dropped",
            unix_ms as "unix_ms", text as "text", extra as "extra", owner as "owner"
        }
    };
    let recorded = &layout()["structs"];
    assert_eq!(&measured, recorded, "measured:\n{measured:#}");
    // Nothing lies between or after the members: what is not listed would leave a hole.
    for (name, layout) in recorded.as_object().unwrap() {
        let members = layout["members"].as_array().unwrap();
        let end = members.iter().fold(0, |end, member| {
            assert_eq!(member["offset"].as_u64().unwrap(), end, "{name}.{}", member["name"]);
            end + member["size"].as_u64().unwrap()
        });
        assert_eq!(layout["size"].as_u64().unwrap(), end, "{name}");
    }
}

#[test]
fn the_record_names_every_struct_and_constant_of_the_header() {
    let (header, layout) = (committed_header(), layout());
    let names = |member: &str| -> Vec<String> {
        let mut names: Vec<String> = layout[member].as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(names("structs"), header::structs(&header));
    assert_eq!(names("constants"), header::constants(&header));
}

/// The record as lists of macro calls: `STRUCTS(X)`, `MEMBERS(X)` and `CONSTANTS(X)`.
fn layout_lists(layout: &Value) -> String {
    let (mut structs, mut members, mut constants) = (String::new(), String::new(), String::new());
    for (name, layout) in layout["structs"].as_object().unwrap() {
        write!(structs, " \\\n  X({name}, {}, {})", layout["size"], layout["align"]).unwrap();
        for member in layout["members"].as_array().unwrap() {
            let (of, offset, size) = (member["name"].as_str().unwrap(), &member["offset"], &member["size"]);
            write!(members, " \\\n  X({name}, {of}, {offset}, {size})").unwrap();
        }
    }
    for (name, value) in layout["constants"].as_object().unwrap() {
        write!(constants, " \\\n  X({name}, {value})").unwrap();
    }
    format!("#define STRUCTS(X){structs}\n#define MEMBERS(X){members}\n#define CONSTANTS(X){constants}\n")
}

/// Compiles and runs `layout.c` against a record.
fn check_layout_in_c(dir: &Path, layout: &Value) -> Result<String, String> {
    fs::write(dir.join("layout_lists.h"), layout_lists(layout)).unwrap();
    let program = dir.join("layout");
    let mut compile = Command::new("cc");
    compile.args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]).arg(root().join("tests/c/layout.c"));
    compile.arg("-I").arg(root().join("include")).arg("-I").arg(dir);
    compile.arg("-L").arg(dir).arg("-lflagstone").arg(format!("-Wl,-rpath,{}", dir.display()));
    let compiled = output(compile.arg("-o").arg(&program));
    if !compiled.status.success() {
        return Err(text(&compiled));
    }
    Ok(run(&mut Command::new(program)))
}

#[test]
fn a_c_compiler_sees_the_recorded_layout_and_constants() {
    let dir = work_dir("abi-layout");
    link_library_into(&dir);
    let mut layout = layout();
    let printed = check_layout_in_c(&dir, &layout).unwrap_or_else(|error| panic!("{error}"));
    assert!(printed.ends_with(" passed, 0 failed\n"), "{printed}");
    // The same program refuses a record that is wrong.
    layout["structs"]["flagstone_detail"]["members"][9]["offset"] = 44.into();
    let refused = check_layout_in_c(&dir, &layout).unwrap_err();
    assert!(refused.contains("offset_of_flagstone_detail_text"), "{refused}");
    layout["constants"]["FLAGSTONE_STATUS_CLOSED"] = 7.into();
    assert!(check_layout_in_c(&dir, &layout).unwrap_err().contains("value_of_FLAGSTONE_STATUS_CLOSED"));
}

#[test]
fn the_header_compiles_without_a_warning_in_every_dialect() {
    let dir = work_dir("abi-dialects");
    let source = dir.join("empty.c");
    fs::write(&source, "#include <flagstone.h>\nextern int nothing;\nint nothing = 0;\n").unwrap();
    for (compiler, language, dialect) in [
        ("cc", "c", "-std=c99"),
        ("cc", "c", "-std=c11"),
        ("cc", "c", "-std=c17"),
        ("c++", "c++", "-std=c++11"),
        ("c++", "c++", "-std=c++17"),
        ("c++", "c++", "-std=c++20"),
    ] {
        for define in ["-DNOTHING", "-DFLAGSTONE_STATIC"] {
            let mut command = Command::new(compiler);
            command.args([
                "-x",
                language,
                dialect,
                define,
                "-Wall",
                "-Wextra",
                "-pedantic",
                "-Werror",
                "-fsyntax-only",
            ]);
            run(command.arg("-I").arg(root().join("include")).arg(&source));
        }
    }
}

/// A library with the functions of a header and nothing in them, with all types described: abidiff sees no types in what the
/// Rust compiler makes.
fn stub_library(dir: &Path, name: &str, header: &str) -> PathBuf {
    let source_dir = dir.join(name);
    fs::create_dir_all(&source_dir).unwrap();
    fs::write(source_dir.join("flagstone.h"), header).unwrap();
    let mut source = String::from("#include \"flagstone.h\"\n");
    for declaration in header::declarations(header) {
        writeln!(source, "{declaration} {{ __builtin_trap(); }}").unwrap();
    }
    fs::write(source_dir.join("stub.c"), source).unwrap();
    let library = source_dir.join("libflagstone.so.1");
    let mut compile = Command::new("cc");
    compile.current_dir(&source_dir).args([
        "-std=c11",
        "-g",
        "-shared",
        "-fPIC",
        "-Wl,-soname,libflagstone.so.1",
        "stub.c",
    ]);
    run(compile.arg("-o").arg(&library));
    library
}

/// What abidiff has against `new`, seen by a program that was compiled against `old`; additions of functions are allowed.
fn differences(old: &Path, new: &Path) -> Option<String> {
    let compared = output(Command::new("abidiff").arg("--no-added-syms").args([old, new]));
    (!compared.status.success()).then(|| text(&compared))
}

fn changed(header: &str, from: &str, to: &str) -> String {
    assert!(header.contains(from), "the header has no {from:?}");
    header.replacen(from, to, 1)
}

#[test]
fn abidiff_rejects_headers_that_would_break_a_host() {
    if !has_tool("abidiff", "the comparison of ABIs") {
        return;
    }
    let (dir, header) = (work_dir("abi-canary"), committed_header());
    let now = stub_library(&dir, "now", &header);
    assert_eq!(differences(&now, &stub_library(&dir, "again", &header)), None);
    let breaks = [
        (
            "member",
            changed(&header, "  int32_t rule_index;", "  int32_t inserted;\n  int32_t rule_index;"),
            "flagstone_detail",
        ),
        ("wider", changed(&header, "uint32_t timeout_ms", "uint64_t timeout_ms"), "flagstone_client_start"),
        ("parameter", changed(&header, "double default_value)", "double default_value, int more)"), "double_variation"),
        ("gone", changed(&header, "flagstone_client_wake(", "flagstone_client_wake_up("), "flagstone_client_wake"),
    ];
    for (name, header, named) in breaks {
        let report = differences(&now, &stub_library(&dir, name, &header));
        let report = report.unwrap_or_else(|| panic!("abidiff sees nothing wrong with {name}"));
        assert!(report.contains(named), "{name}: {report}");
    }
}

#[test]
fn the_header_fits_hosts_that_were_compiled_against_the_baseline() {
    if !has_tool("abidiff", "the comparison with the baseline of the ABI") {
        return;
    }
    let now = stub_library(&work_dir("abi-baseline"), "now", &committed_header());
    let baseline = root().join("tests/abi/baseline.abi");
    if std::env::var_os("FLAGSTONE_UPDATE_ABI").is_some() {
        let written = ["--no-corpus-path", "--no-comp-dir-path", "--no-show-locs"];
        run(Command::new("abidw").args(written).arg("--out-file").arg(&baseline).arg(&now));
    }
    let report = differences(&baseline, &now);
    assert!(
        report.is_none(),
        "the ABI has changed: FLAGSTONE_UPDATE_ABI=1 cargo test --test abi records it\n{}",
        report.unwrap_or_default()
    );
}
