//! An installation is complete: a program is built from it in each of the ways that the README names, and runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod native;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use native::{archive, has_tool, root, run, shared_library, work_dir};
use support::{Flag, RedisServer};

/// Installs what was built with this test.
fn installed(dir: &Path) -> PathBuf {
    let built = dir.join("built");
    std::fs::create_dir_all(&built).unwrap();
    std::os::unix::fs::symlink(shared_library(), built.join("libflagstone.so")).unwrap();
    std::os::unix::fs::symlink(archive(), built.join("libflagstone.a")).unwrap();
    let prefix = dir.join("prefix");
    run(Command::new(root().join("tools/install.sh")).arg(&prefix).env("FLAGSTONE_LIB_DIR", &built));
    prefix
}

fn serves_a_flag(program: &Path) {
    let on = Flag::new("new-checkout", 1, "").with("variations", serde_json::json!([true, true])).text();
    let server = RedisServer::holding(&[("new-checkout", on)], &[]);
    let printed = run(Command::new(program).arg(server.url()));
    assert!(printed.contains(" passed, 0 failed"), "{printed}");
}

#[test]
fn a_program_is_built_with_pkg_config_shared_and_static() {
    if !has_tool("pkg-config", "building against an installation with pkg-config") {
        return;
    }
    let dir = work_dir("install-pkg-config");
    let prefix = installed(&dir);
    for (name, options, rpath) in [("shared", vec![], true), ("static", vec!["--static"], false)] {
        let flags = run(Command::new("pkg-config")
            .args(options)
            .args(["--cflags", "--libs", "flagstone"])
            .env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")));
        let program = dir.join(name);
        let mut cc = Command::new("cc");
        cc.arg(root().join("tests/c/smoke.c")).arg("-o").arg(&program);
        if rpath {
            cc.args(flags.split_whitespace()).arg(format!("-Wl,-rpath,{}", prefix.join("lib").display()));
        } else {
            cc.arg("-DFLAGSTONE_STATIC");
            cc.args(
                flags.split_whitespace().map(|flag| if flag == "-lflagstone" { "-l:libflagstone.a" } else { flag }),
            );
        }
        run(&mut cc);
        serves_a_flag(&program);
    }
}

#[test]
fn a_program_is_built_with_cmake_shared_and_static() {
    if !has_tool("cmake", "building against an installation with CMake") {
        return;
    }
    let dir = work_dir("install-cmake");
    let prefix = installed(&dir);
    let project = format!(
        "cmake_minimum_required(VERSION 3.16)\nproject(consumer C)\nfind_package(flagstone {} REQUIRED)\n\
         add_executable(shared {smoke})\ntarget_link_libraries(shared flagstone::flagstone)\n\
         add_executable(static {smoke})\ntarget_link_libraries(static flagstone::static)\n",
        env!("CARGO_PKG_VERSION"),
        smoke = root().join("tests/c/smoke.c").display(),
    );
    std::fs::write(dir.join("CMakeLists.txt"), project).unwrap();
    let build = dir.join("build");
    let prefix_path = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
    run(Command::new("cmake").arg("-S").arg(&dir).arg("-B").arg(&build).arg(prefix_path));
    run(Command::new("cmake").arg("--build").arg(&build));
    serves_a_flag(&build.join("shared"));
    serves_a_flag(&build.join("static"));
}

#[test]
fn cmake_refuses_a_version_that_is_not_compatible() {
    if !has_tool("cmake", "the version check of the CMake package") {
        return;
    }
    let dir = work_dir("install-cmake-version");
    let prefix = installed(&dir);
    let project = "cmake_minimum_required(VERSION 3.16)\nproject(consumer NONE)\nfind_package(flagstone 7.0)\n\
                   message(STATUS \"found: ${flagstone_FOUND}\")\n";
    std::fs::write(dir.join("CMakeLists.txt"), project).unwrap();
    let prefix_path = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
    let printed = run(Command::new("cmake").arg("-S").arg(&dir).arg("-B").arg(dir.join("build")).arg(prefix_path));
    assert!(printed.contains("found: 0"), "{printed}");
}
