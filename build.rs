//! Link settings of the shared library. Writes nothing into the source tree.
//!
//! * soname: hosts record `libflagstone.so.1`, so a later major version can live beside this one;
//! * nodelete: threads and the fork handler must never lose their code to a `dlclose`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let os = std::env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
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
