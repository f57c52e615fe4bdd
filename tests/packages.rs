//! What packages are made with: one version everywhere, libraries that are refused where they would not work, folders that an
//! installation goes to. The packages themselves are made and used by `make wheels`, `deb`, `dotnet-package` and `conan`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod native;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use native::{cargo, has_tool, output, root, run, shared_library, skip, text, work_dir};

#[test]
fn every_file_that_says_a_version_says_that_of_the_crate() {
    let said = output(&mut Command::new(root().join("tools/version.sh")));
    assert!(said.status.success(), "{}", text(&said));
    assert_eq!(text(&said).trim(), env!("CARGO_PKG_VERSION"));
}

/// A folder with what says versions, and what cargo wants to be there.
fn copy_of_the_tree(name: &str) -> PathBuf {
    let dir = work_dir(name);
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        "CHANGELOG.md",
        "conanfile.py",
        "bindings/python/pyproject.toml",
        "bindings/dotnet/Directory.Build.props",
        "bindings/dotnet/test/consumer/Consumer.csproj",
        "examples/dotnet/WebApp.csproj",
        "docs/start/dotnet.md",
        "bench/Cargo.lock",
        "fuzz/Cargo.lock",
    ] {
        fs::create_dir_all(dir.join(file).parent().unwrap()).unwrap();
        fs::copy(root().join(file), dir.join(file)).unwrap();
    }
    std::os::unix::fs::symlink(root().join("src"), dir.join("src")).unwrap();
    run(Command::new("cp").args(["-r", "capi", "tools"]).arg(&dir).current_dir(root()));
    dir
}

#[test]
fn a_new_version_is_written_to_every_file_that_says_it_and_cuts_the_changelog() {
    let dir = copy_of_the_tree("packages-version");
    let version = |words: &[&str]| output(Command::new(dir.join("tools/version.sh")).args(words));
    let changes = fs::read_to_string(dir.join("CHANGELOG.md")).unwrap();
    let refused = version(&["tomorrow"]);
    assert!(!refused.status.success() && text(&refused).contains("tomorrow is no version"), "{}", text(&refused));
    assert_eq!(text(&version(&[])).trim(), env!("CARGO_PKG_VERSION"));

    let written = version(&["98.7.6"]);
    assert!(written.status.success(), "{}", text(&written));
    assert_eq!(text(&version(&[])).trim(), "98.7.6");
    let cut = fs::read_to_string(dir.join("CHANGELOG.md")).unwrap();
    assert!(cut.starts_with(&changes[..changes.find("## Unreleased\n").unwrap()]));
    assert!(cut.contains("## Unreleased\n\n## 98.7.6 - 20"), "{}", &cut[..200]);
    let locked = fs::read_to_string(dir.join("Cargo.lock")).unwrap();
    for package in ["flagstone", "flagstone-capi", "flagstone-cli", "fakeld", "flagdata"] {
        assert!(locked.contains(&format!("name = \"{package}\"\nversion = \"98.7.6\"")), "{package}");
    }

    let beside = fs::read_to_string(dir.join("bench/Cargo.lock")).unwrap();
    assert!(beside.contains("name = \"flagdata\"\nversion = \"98.7.6\""));

    let recipe = dir.join("conanfile.py");
    fs::write(&recipe, fs::read_to_string(&recipe).unwrap().replace("98.7.6", "98.7.5")).unwrap();
    let differs = version(&[]);
    assert!(!differs.status.success(), "{}", text(&differs));
    assert!(text(&differs).contains("conanfile.py says 98.7.5, and Cargo.toml 98.7.6"), "{}", text(&differs));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_platform_that_the_toolchain_has_no_standard_library_for_is_left_out_with_the_way_to_get_it() {
    if !has_tool("python3", "the list of libraries") {
        return;
    }
    let dir = work_dir("packages-left-out");
    let toolchain = dir.join("rustc");
    fs::write(&toolchain, format!("#!/bin/sh\necho {}\n", dir.display())).unwrap();
    run(Command::new("chmod").arg("+x").arg(&toolchain));
    let natives = |words: &[&str]| {
        let mut command = Command::new(root().join("tools/natives.sh"));
        output(
            command
                .env("CARGO_TARGET_DIR", &dir)
                .env("RUSTC", &toolchain)
                .env_remove("FLAGSTONE_BUILD_STD")
                .args(words),
        )
    };
    // Of an earlier run: it must not be taken for one of this.
    let earlier = dir.join("natives/linux-x64");
    fs::create_dir_all(&earlier).unwrap();
    fs::write(earlier.join("libflagstone.so"), "").unwrap();
    let said = natives(&[]);
    assert!(said.status.success(), "{}", text(&said));
    for (rid, target) in [
        ("linux-x64", "x86_64-unknown-linux-gnu"),
        ("linux-arm64", "aarch64-unknown-linux-gnu"),
        ("linux-musl-x64", "x86_64-unknown-linux-musl"),
        ("linux-musl-arm64", "aarch64-unknown-linux-musl"),
        ("win-x64", "x86_64-pc-windows-gnu"),
        ("osx-x64", "x86_64-apple-darwin"),
        ("osx-arm64", "aarch64-apple-darwin"),
    ] {
        let line = format!(
            "{rid}: left out, the toolchain lacks the standard library of {target}: rustup target add {target}"
        );
        assert!(text(&said).contains(&line), "{line}: {}", text(&said));
    }
    assert!(!earlier.exists());
    let manifest = fs::read_to_string(dir.join("natives/manifest.json")).unwrap();
    assert!(manifest.contains("\"natives\": []"), "{manifest}");
    // Whoever asks for one by name wants it.
    assert_eq!(natives(&["linux-x64"]).status.code(), Some(1));
    let unknown = natives(&["beos-x64"]);
    assert!(!unknown.status.success() && text(&unknown).contains("beos-x64 is no platform that is known here"));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn packing_without_what_is_packed_says_what_to_run_before() {
    let dir = work_dir("packages-nothing");
    for (script, words, advice) in [
        ("wheels.sh", &[][..], "run make natives"),
        ("wheels.sh", &["test"], "run make wheels"),
        ("dotnet-package.sh", &[], "run make natives"),
        ("deb.sh", &[], "run make build"),
        ("deb.sh", &["test"], "run make deb"),
        ("conan.sh", &["slow"], "usage: "),
        ("supply-chain.sh", &["all"], "usage: "),
    ] {
        let mut command = Command::new(root().join("tools").join(script));
        let said = output(command.env("CARGO_TARGET_DIR", &dir).args(words));
        assert_eq!(said.status.code(), Some(1), "{script}: {}", text(&said));
        assert!(text(&said).contains(advice), "{script}: {}", text(&said));
    }
    fs::remove_dir_all(dir).unwrap();
}

/// A folder as `make natives` makes it, with this file for one platform; what is said of it.
fn inspected(dir: &Path, rid: &str, library: &Path) -> (Option<i32>, String) {
    let place = dir.join(rid);
    fs::create_dir_all(&place).unwrap();
    fs::copy(library, place.join("libflagstone.so")).unwrap();
    let mut command = Command::new("python3");
    // As it is without zig, whoever has run `make natives` here.
    command.env("CARGO_TARGET_DIR", dir).arg(root().join("tools/natives.py")).arg(dir).arg(rid);
    let said = output(&mut command);
    (said.status.code(), text(&said))
}

fn compiled(dir: &Path, name: &str, source: &str) -> PathBuf {
    let (code, library) = (dir.join("source.c"), dir.join(name));
    fs::write(&code, source).unwrap();
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC"]).arg(&code).arg("-o").arg(&library).args(["-Wl,--no-as-needed", "-L"]).arg(dir);
    // The first one is needed by the second one.
    run(command.args((name != "strange.so").then_some("-l:strange.so")));
    library
}

#[test]
fn a_library_that_would_not_work_on_its_platform_is_refused_with_reasons() {
    if !has_tool("python3", "the inspection of libraries") {
        return;
    }
    let dir = work_dir("packages-natives");
    // Whatever this machine is, one of these is another one.
    let (here, there) = if cfg!(target_arch = "x86_64") { ("x64", "arm64") } else { ("arm64", "x64") };
    let (code, said) = inspected(&dir, &format!("linux-{there}"), &shared_library());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&format!("linux-{there}: REFUSED: it is for another platform: elf ")), "{said}");
    assert!(!said.contains("exports also") && !said.contains("it lacks"), "{said}");
    assert!(said.contains("built, not run"), "{said}");

    let (code, said) = inspected(&dir, &format!("linux-musl-{here}"), &shared_library());
    assert!(code == Some(1) && said.contains("it is for another platform") && said.contains("glibc"), "{said}");

    compiled(&dir, "strange.so", "int strange;");
    let foreign = compiled(&dir, "foreign.so", "int flagstone_more(void) { return 1; }");
    let (code, said) = inspected(&dir, &format!("linux-{here}"), &foreign);
    assert_eq!(code, Some(1), "{said}");
    for reason in [
        "it lacks flagstone_abi_version",
        "it exports also flagstone_more",
        "its name is missing",
        "it needs strange.so",
        "a panic in it would end the program: it has no .gcc_except_table",
    ] {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    assert!(said.contains("it cannot be loaded: strange.so: "), "{said}");

    fs::write(dir.join(format!("linux-{here}/libflagstone.so")), b"\x7fELF\x02\x01 no more").unwrap();
    let mut command = Command::new("python3");
    let damaged = output(command.arg(root().join("tools/natives.py")).arg(&dir).arg(format!("linux-{here}")));
    assert!(!damaged.status.success() && text(&damaged).contains("is damaged"), "{}", text(&damaged));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_library_that_was_built_is_loaded_by_its_inspection() {
    if !has_tool("python3", "the inspection of libraries") {
        return;
    }
    let dir = work_dir("packages-loaded");
    let here = if cfg!(target_arch = "x86_64") { "linux-x64" } else { "linux-arm64" };
    // It may need a glibc that is newer than packages allow, and be a debug build: nothing else may be held against it.
    let (_, said) = inspected(&dir, here, &shared_library());
    assert!(said.contains(&format!("loaded here: {}", env!("CARGO_PKG_VERSION"))), "{said}");
    let others: Vec<&str> = said
        .lines()
        .filter(|line| {
            line.contains("REFUSED") && !["it needs glibc", "carries the path"].iter().any(|it| line.contains(it))
        })
        .collect();
    assert_eq!(others, Vec::<&str>::new());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn the_programs_in_c_are_compiled_for_a_library_that_was_built_and_run_with_it() {
    if !has_tool("python3", "the C tests of libraries for other machines") {
        return;
    }
    let dir = work_dir("packages-programs");
    let rid = if cfg!(target_arch = "x86_64") { "linux-x64" } else { "linux-arm64" };
    let test = |words: &[&str]| {
        let mut command = Command::new("python3");
        command.env("CARGO_TARGET_DIR", &dir).arg(root().join("tools/natives-test.py")).arg(dir.join("natives"));
        output(command.args(words))
    };
    let none = test(&[]);
    assert!(!none.status.success() && text(&none).contains("run make natives"), "{}", text(&none));
    fs::create_dir_all(dir.join("natives").join(rid)).unwrap();
    fs::copy(shared_library(), dir.join("natives").join(rid).join("libflagstone.so")).unwrap();
    let said = test(&["smoke", rid]);
    assert!(said.status.success(), "{}", text(&said));
    assert!(text(&said).contains(&format!("{rid}: 1 passed, 0 failed\n")), "{}", text(&said));
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn what_is_published_as_crates_is_all_that_the_library_is_made_of() {
    let list = |package: &str| {
        let listed =
            run(cargo().args(["package", "--quiet", "--list", "--allow-dirty", "--offline", "--package", package]));
        listed.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    let (engine, library) = (list("flagstone"), list("flagstone-capi"));
    for file in
        ["src/lib.rs", "src/ffi/mod.rs", "include/flagstone.h", "include/flagstone.hpp", "Cargo.lock", "LICENSE"]
    {
        assert!(engine.iter().any(|listed| listed == file), "{file}: {engine:?}");
    }
    assert!(!engine.iter().any(|listed| listed.starts_with("tests/") || listed.starts_with("bindings/")), "{engine:?}");
    for file in ["lib.rs", "build.rs"] {
        assert!(library.iter().any(|listed| listed == file), "{file}: {library:?}");
    }
}

/// Installs files that stand for the libraries: where they go is what counts here.
fn install(dir: &Path, libdir: &str, destination: Option<&Path>) -> String {
    install_with("", dir, libdir, destination, &[])
}

/// With this program, or an empty word for none, and this in the environment.
fn install_with(
    program: &str,
    dir: &Path,
    libdir: &str,
    destination: Option<&Path>,
    environment: &[(&str, &str)],
) -> String {
    let libraries = dir.join("libraries");
    fs::create_dir_all(&libraries).unwrap();
    for library in ["libflagstone.so", "libflagstone.a"] {
        fs::write(libraries.join(library), "").unwrap();
    }
    let mut command = Command::new(root().join("tools/install.sh"));
    command.env("FLAGSTONE_LIB_DIR", libraries).env("FLAGSTONE_PROGRAM", program).env("FLAGSTONE_LIBDIR", libdir);
    run(command.envs(environment.iter().copied()).arg(dir.join("prefix")).args(destination))
}

#[test]
fn libraries_go_to_another_folder_when_told_so_and_are_found_there_by_pkg_config_and_cmake() {
    if !has_tool("pkg-config", "where pkg-config finds the library") || !has_tool("cmake", "where CMake finds it") {
        return;
    }
    let dir = work_dir("packages-libdir");
    install(&dir, "lib/one-machine", None);
    let place = dir.join("prefix/lib/one-machine");
    let mut command = Command::new("pkg-config");
    let words = run(command.env("PKG_CONFIG_PATH", place.join("pkgconfig")).args(["--libs", "flagstone"]));
    assert!(words.contains(&format!("-L{}", place.display())), "{words}");
    let mut command = Command::new("cmake");
    command.args(["-G", "Unix Makefiles", "-S"]).arg(root().join("tests/c/cmake")).arg("-B").arg(dir.join("build"));
    run(command.arg(format!("-Dflagstone_DIR={}", place.join("cmake/flagstone").display())));
    for (program, library) in [("with_shared", "libflagstone.so.1"), ("with_static", "libflagstone.a")] {
        let link = fs::read_to_string(dir.join(format!("build/CMakeFiles/{program}.dir/link.txt"))).unwrap();
        assert!(link.contains(place.join(library).to_str().unwrap()), "{link}");
    }
    let flags = fs::read_to_string(dir.join("build/CMakeFiles/with_shared.dir/flags.make")).unwrap();
    assert!(flags.contains(dir.join("prefix/include").to_str().unwrap()), "{flags}");
    run(Command::new(root().join("tools/uninstall.sh")).arg(dir.join("prefix")));
    assert!(!place.exists() && !dir.join("prefix").exists(), "the prefix that was made goes, too");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_installation_says_what_to_do_where_the_dynamic_linker_does_not_look() {
    let dir = work_dir("packages-linker");
    let said = install(&dir, "lib", None);
    let place = dir.join("prefix/lib").display().to_string();
    assert!(said.contains(&format!("{place} is no folder of the dynamic linker")), "{said}");
    assert!(said.contains("LD_LIBRARY_PATH") && said.contains("-Wl,-rpath,") && said.contains("ldconfig"), "{said}");
    // What is staged will be somewhere else.
    assert_eq!(install(&dir, "lib", Some(&dir.join("staged"))), "");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn an_installation_says_how_pkg_config_cmake_and_the_shell_find_what_they_would_not() {
    if !has_tool("pkg-config", "what is said of pkg-config") {
        return;
    }
    let dir = work_dir("packages-finding");
    // It writes no pages and no completions: that it is there is what counts here.
    let program = dir.join("program");
    fs::write(&program, "#!/bin/sh\ncase $1 in man) mkdir \"$3\"; : >\"$3/flagstone.1\" ;; esac\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let said = install_with(program.to_str().unwrap(), &dir, "lib", None, &[]);
    let prefix = dir.join("prefix");
    let (descriptions, programs) = (prefix.join("lib/pkgconfig"), prefix.join("bin"));
    for words in [
        format!("PKG_CONFIG_PATH={}", descriptions.display()),
        format!("CMAKE_PREFIX_PATH={}", prefix.display()),
        format!("PATH={}:$PATH", programs.display()),
    ] {
        assert!(said.lines().any(|line| line.contains(&words)), "{words} in {said}");
    }
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let found = [("PATH", path.as_str()), ("PKG_CONFIG_PATH", descriptions.to_str().unwrap())];
    let said = install_with(program.to_str().unwrap(), &dir, "lib", None, &found);
    assert!(!said.contains("pkg-config") && !said.contains("the shell"), "{said}");
    assert_eq!(install_with(program.to_str().unwrap(), &dir, "lib", Some(&dir.join("staged")), &[]), "");
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn whoever_may_not_write_there_is_told_so_and_what_to_run_and_nothing_is_installed() {
    let dir = work_dir("packages-rights");
    let (prefix, script) = (dir.join("prefix"), root().join("tools/install.sh"));
    fs::create_dir(&prefix).unwrap();
    fs::set_permissions(&prefix, fs::Permissions::from_mode(0o555)).unwrap();
    for library in ["libflagstone.so", "libflagstone.a"] {
        fs::write(dir.join(library), "").unwrap();
    }
    let nobody = |command: &mut Command| {
        // Root may write everywhere.
        let is_root = fs::metadata(&dir).unwrap().uid() == 0;
        output(if is_root { command.uid(65534).gid(65534) } else { command })
    };
    if !nobody(Command::new("test").arg("-r").arg(&script)).status.success() {
        return skip("a folder that everybody may read", "an installation without the right to write");
    }
    let refused =
        nobody(Command::new(&script).env("FLAGSTONE_LIB_DIR", &dir).env("FLAGSTONE_PROGRAM", "").arg(&prefix));
    let told = format!("may not write to {0}: run tools/install.sh {0} as root", prefix.display());
    assert!(refused.status.code() == Some(1) && text(&refused).contains(&told), "{}", text(&refused));
    assert_eq!(fs::read_dir(&prefix).unwrap().count(), 0);
    fs::remove_dir_all(dir).unwrap();
}
