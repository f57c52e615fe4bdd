//! What `make install` puts down is complete: programs in C and C++ are built from it alone, through pkg-config and through
//! CMake, with the shared library and with the archive; and `make uninstall` takes it away.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod native;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flagdata::PrivateRedis;
use native::{archive, has_tool, output, root, run, shared_library, skip, text, work_dir};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A folder of one's own with the library installed in `prefix` below it. Tests that succeed remove their folders: the
/// archives are large.
fn installed(name: &str) -> (PathBuf, PathBuf) {
    let dir = work_dir(&format!("install-{name}"));
    let prefix = dir.join("a prefix & more");
    install(&prefix, None);
    (dir, prefix)
}

/// Takes away what was installed.
fn uninstall(prefix: &Path) -> std::process::Output {
    output(Command::new(root().join("tools/uninstall.sh")).arg(prefix))
}

fn install(prefix: &Path, destination: Option<&Path>) {
    install_with("", prefix, destination);
}

/// With this program, or an empty word for none.
fn install_with(program: &str, prefix: &Path, destination: Option<&Path>) {
    let library = shared_library();
    assert_eq!(library.parent(), archive().parent());
    let mut command = Command::new(root().join("tools/install.sh"));
    command.env("FLAGSTONE_LIB_DIR", library.parent().unwrap()).env("FLAGSTONE_PROGRAM", program).arg(prefix);
    run(command.args(destination));
}

/// The program as `make build` makes it, which `make test` does first.
fn program() -> Option<String> {
    let target = archive().parent().and_then(Path::parent).unwrap().to_owned();
    let program = target.join("cli/flagstone");
    if program.exists() {
        return Some(program.to_str().unwrap().to_owned());
    }
    skip("target/cli/flagstone (make build)", "the installation of the program");
    None
}

/// Files and links below a folder.
fn files(folder: &Path, below: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, below, found);
        } else {
            found.insert(path.strip_prefix(below).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// A Redis with the flag that the first program asks for.
fn redis() -> PrivateRedis {
    let redis = PrivateRedis::start().expect("redis-server is needed (package redis-server)");
    let flag =
        r#"{"key":"new-checkout","version":1,"on":true,"variations":[false,true],"fallthrough":{"variation":1}}"#;
    let words = ["launchdarkly:features", "new-checkout", flag];
    redis::cmd("HSET").arg(&words).exec(&mut redis.connect().unwrap()).unwrap();
    redis
}

/// Runs the first program, which must find the flag.
fn serves(program: &Path, library_path: Option<&Path>) {
    let redis = redis();
    let mut command = Command::new(program);
    command.arg(redis.url()).env_remove("LD_LIBRARY_PATH");
    if let Some(path) = library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    let printed = run(&mut command);
    assert!(printed.ends_with(" passed, 0 failed\n"), "{printed}");
}

/// Whether a program loads the shared library.
fn loads_the_library(program: &Path) -> bool {
    run(Command::new("readelf").args(["--dynamic", "--wide"]).arg(program)).contains("[libflagstone.so.1]")
}

/// What pkg-config says, split as a shell would.
fn pkg_config(prefix: &Path, arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(arguments).arg("flagstone");
    run(&mut command).split_whitespace().map(str::to_owned).collect()
}

fn compile_smoke(program: &Path, flags: &[String]) {
    let mut command = Command::new("cc");
    command.args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror"]).arg(root().join("tests/c/smoke.c"));
    run(command.args(flags).arg("-o").arg(program));
}

/// Runs the program that uses the whole of the C++ header.
fn wraps(program: &Path, library_path: &Path) {
    let printed = run(Command::new(program).env("LD_LIBRARY_PATH", library_path));
    assert!(printed.ends_with(" passed, 0 failed\n"), "{printed}");
}

#[test]
fn everything_is_installed_where_hosts_look_for_it() {
    let (dir, prefix) = installed("files");
    let mut found = BTreeSet::new();
    files(&prefix, &prefix, &mut found);
    let expected = [
        "include/flagstone.h",
        "include/flagstone.hpp",
        "include/flagstone/base.hpp",
        "include/flagstone/big_segments.hpp",
        "include/flagstone/client.hpp",
        "include/flagstone/config.hpp",
        "include/flagstone/context.hpp",
        "include/flagstone/default.hpp",
        "include/flagstone/detail.hpp",
        "include/flagstone/flag.hpp",
        "include/flagstone/migration.hpp",
        "lib/cmake/flagstone/flagstoneConfig.cmake",
        "lib/cmake/flagstone/flagstoneConfigVersion.cmake",
        "lib/libflagstone.a",
        "lib/libflagstone.so",
        "lib/libflagstone.so.1",
        "lib/pkgconfig/flagstone.pc",
        "share/flagstone/manifest",
    ];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    assert_eq!(fs::read_link(prefix.join("lib/libflagstone.so")).unwrap(), Path::new("libflagstone.so.1"));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_program_is_installed_with_its_manual_and_completions_and_runs_there() {
    let Some(program) = program() else { return };
    let dir = work_dir("install-program");
    let prefix = dir.join("a prefix & more");
    install_with(&program, &prefix, None);
    for place in [
        "share/man/man1/flagstone.1",
        "share/man/man1/flagstone-doctor.1",
        "share/bash-completion/completions/flagstone",
        "share/zsh/site-functions/_flagstone",
        "share/fish/vendor_completions.d/flagstone.fish",
    ] {
        assert!(prefix.join(place).is_file(), "{place}");
    }
    let installed = prefix.join("bin/flagstone");
    assert_eq!(run(Command::new(&installed).arg("--version")), format!("flagstone {VERSION}\n"));
    assert!(!run(Command::new("readelf").args(["--dynamic", "--wide"]).arg(&installed)).contains("libflagstone"));
    let flags =
        run(Command::new(&installed).args(["flags", "-q", "--file"]).arg(root().join("examples/cli/flags.yaml")));
    assert_eq!(flags, "new-checkout\npayments-v2\nsearch-engine\n");
    // An installation without it takes it away again.
    install(&prefix, None);
    assert!(!installed.exists() && !prefix.join("share/man/man1/flagstone.1").exists());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_was_installed_is_removed_and_nothing_else() {
    let dir = work_dir("install-uninstall");
    let (prefix, others) = (dir.join("a prefix & more"), ["include/other.h", "lib/pkgconfig/other.pc"]);
    fs::create_dir_all(prefix.join("include")).unwrap();
    fs::write(prefix.join(others[0]), "").unwrap();
    install(&prefix, None);
    fs::write(prefix.join(others[1]), "").unwrap();
    // What an earlier version put down and this one does not have goes with the next installation; places outside do not.
    fs::write(prefix.join("include/gone.h"), "").unwrap();
    fs::write(dir.join("outside"), "").unwrap();
    let manifest = prefix.join("share/flagstone/manifest");
    let listed = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, listed + "include/gone.h\n../outside\n").unwrap();
    install(&prefix, None);
    assert!(!prefix.join("include/gone.h").exists() && dir.join("outside").exists());

    let removed = uninstall(&prefix);
    assert!(removed.status.success() && text(&removed).is_empty(), "{}", text(&removed));
    let mut left = BTreeSet::new();
    files(&prefix, &prefix, &mut left);
    assert_eq!(left.iter().map(String::as_str).collect::<Vec<_>>(), others);
    assert!(!prefix.join("share").exists() && !prefix.join("lib/cmake").exists(), "folders that were made go, too");
    let again = uninstall(&prefix);
    assert!(again.status.code() == Some(1) && text(&again).contains("nothing was installed"), "{}", text(&again));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_staged_installation_names_its_final_place() {
    let dir = work_dir("install-staged");
    install(Path::new("/opt/flagstone"), Some(&dir));
    let described = fs::read_to_string(dir.join("opt/flagstone/lib/pkgconfig/flagstone.pc")).unwrap();
    assert!(described.lines().any(|line| line == "prefix=/opt/flagstone"), "{described}");
    assert!(described.lines().any(|line| line == format!("Version: {VERSION}")), "{described}");
    assert!(!described.contains('@') && !described.contains(dir.to_str().unwrap()), "{described}");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_installation_without_a_library_says_what_to_do() {
    let dir = work_dir("install-nothing");
    let mut command = Command::new(root().join("tools/install.sh"));
    let refused = output(command.env("FLAGSTONE_LIB_DIR", &dir).env("FLAGSTONE_PROGRAM", "").arg(dir.join("prefix")));
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("make build"), "{}", text(&refused));
    assert!(!dir.join("prefix").exists());
}

#[test]
fn pkg_config_builds_a_program_with_the_shared_library_and_with_the_archive() {
    if !has_tool("pkg-config", "programs that are built through pkg-config") {
        return;
    }
    // The words of pkg-config are split at spaces here: no spaces in this prefix.
    let dir = work_dir("install-pkg-config");
    let prefix = dir.join("prefix");
    install(&prefix, None);
    assert_eq!(pkg_config(&prefix, &["--modversion"]), [VERSION]);

    let shared = dir.join("with-shared");
    compile_smoke(&shared, &pkg_config(&prefix, &["--cflags", "--libs"]));
    assert!(loads_the_library(&shared));
    serves(&shared, Some(&prefix.join("lib")));

    let in_cxx = dir.join("in-cxx");
    let mut command = Command::new("c++");
    command.args(["-std=c++17", "-pthread"]).arg(root().join("tests/c/wrapper.cpp"));
    run(command.args(pkg_config(&prefix, &["--cflags", "--libs"])).arg("-o").arg(&in_cxx));
    wraps(&in_cxx, &prefix.join("lib"));

    // As it says, with the shared library; with the archive; and with nothing but archives, in both ways that linkers have.
    let words = pkg_config(&prefix, &["--static", "--cflags", "--libs"]);
    for (name, archive, more) in [
        ("as-it-says", false, None),
        ("with-archive", true, Some("-DFLAGSTONE_STATIC")),
        ("static", false, Some("-static")),
        ("static-pie", false, Some("-static-pie")),
    ] {
        let mut flags = words.clone();
        let library = flags.iter().position(|flag| flag == "-lflagstone").unwrap();
        if archive {
            flags[library] = "-l:libflagstone.a".to_owned();
        }
        flags.extend(more.map(str::to_owned));
        let program = dir.join(name);
        compile_smoke(&program, &flags);
        assert_eq!(loads_the_library(&program), more.is_none(), "{name}");
        serves(&program, more.is_none().then(|| prefix.join("lib")).as_deref());
    }
    fs::remove_dir_all(dir).unwrap();
}

/// Configures the host project; what CMake said when it failed.
fn configure(build: &Path, prefix: &Path, version: &str) -> Result<(), String> {
    let mut command = Command::new("cmake");
    command.arg("-S").arg(root().join("tests/c/cmake")).arg("-B").arg(build);
    command.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.display())).arg(format!("-DWANTED_VERSION={version}"));
    let configured = output(&mut command);
    if configured.status.success() { Ok(()) } else { Err(text(&configured)) }
}

#[test]
fn cmake_builds_a_program_with_the_shared_library_and_with_the_archive() {
    if !has_tool("cmake", "programs that are built through CMake") {
        return;
    }
    let (dir, prefix) = installed("cmake");
    let build = dir.join("build");
    configure(&build, &prefix, VERSION).unwrap();
    run(Command::new("cmake").arg("--build").arg(&build));
    let (shared, with_archive) = (build.join("with_shared"), build.join("with_static"));
    assert!(loads_the_library(&shared) && !loads_the_library(&with_archive));
    serves(&shared, None);
    serves(&with_archive, None);
    wraps(&build.join("in_cxx"), &prefix.join("lib"));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn cmake_refuses_a_version_that_does_not_fit() {
    if !has_tool("cmake", "versions of the CMake package") {
        return;
    }
    let (dir, prefix) = installed("cmake-versions");
    let mut parts = VERSION.split('.').map(|part| part.parse::<u32>().unwrap());
    let (major, minor, patch) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    let line = if major == 0 { format!("0.{minor}") } else { major.to_string() };
    configure(&dir.join("same-line"), &prefix, &line).unwrap();
    let other_lines =
        [format!("{major}.{}", minor + 1), format!("{}.0", major + 1), format!("{major}.{minor}.{}", patch + 1)];
    for (index, version) in other_lines.iter().enumerate() {
        let refused = configure(&dir.join(format!("other-{index}")), &prefix, version).unwrap_err();
        assert!(refused.contains(&format!("compatible with requested version \"{version}\"")), "{refused}");
    }
    fs::remove_dir_all(dir).unwrap();
}
