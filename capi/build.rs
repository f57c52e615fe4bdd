//! Link settings of the shared library. Writes nothing into the source tree.
//!
//! * soname: hosts record `libflagstone.so.1`, so a later major version can live beside this one;
//! * nodelete: threads and the fork handler must never lose their code to a `dlclose`.
//!
//! With a static C library there is no shared one of ours: rustc leaves it out and says nothing, so this does.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "musl")
        && features.split(',').any(|it| it == "crt-static")
    {
        println!("cargo:warning=no libflagstone.so for musl without RUSTFLAGS=\"-C target-feature=-crt-static\"");
    }
    match os.as_str() {
        "linux" | "android" | "freebsd" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libflagstone.so.1");
            println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
        }
        "macos" => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libflagstone.1.dylib");
        }
        _ => {}
    }
}
