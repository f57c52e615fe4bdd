//! The committed header is what the sources say.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;

/// The header as generated from `src/ffi`.
fn generated() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is readable");
    let bindings = cbindgen::Builder::new()
        .with_config(config)
        // In the order in which a reader needs them.
        .with_src(root.join("src/ffi/version.rs"))
        .with_src(root.join("src/ffi/bytes.rs"))
        .with_src(root.join("src/ffi/error.rs"))
        .with_src(root.join("src/ffi/config.rs"))
        .with_src(root.join("src/ffi/test_data.rs"))
        .with_src(root.join("src/ffi/client.rs"))
        .with_src(root.join("src/ffi/status.rs"))
        .with_src(root.join("src/ffi/context.rs"))
        .with_src(root.join("src/ffi/context_parts.rs"))
        .with_src(root.join("src/ffi/context_builder.rs"))
        .with_src(root.join("src/ffi/detail.rs"))
        .with_src(root.join("src/ffi/variation.rs"))
        .with_src(root.join("src/ffi/flag.rs"))
        .with_src(root.join("src/ffi/all_flags.rs"))
        .with_src(root.join("src/ffi/notification.rs"))
        .generate()
        .expect("src/ffi is readable");
    let mut text = Vec::new();
    bindings.write(&mut text);
    String::from_utf8(text).expect("the header is UTF-8")
}

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/flagstone.h");
    let generated = generated();
    if std::env::var_os("FLAGSTONE_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).expect("include/flagstone.h is writable");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "include/flagstone.h is out of date: FLAGSTONE_UPDATE_HEADER=1 cargo test --test header"
    );
}
