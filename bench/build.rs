//! Links against the shared library, as a host of another language does.
//!
//! `FLAGSTONE_LIB_DIR` is the folder that holds `libflagstone.so`; without it, the release build of this tree. A library
//! fresh from the compiler has no link called after its soname beside it, so one is made in the output folder.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() {
    println!("cargo:rerun-if-env-changed=FLAGSTONE_LIB_DIR");
    let tree = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let folder =
        env::var("FLAGSTONE_LIB_DIR").map_or_else(|_| Path::new(&tree).join("../target/release"), PathBuf::from);
    match link(&folder.join("libflagstone.so")) {
        Ok(folder) => {
            println!("cargo:rustc-link-search=native={}", folder.display());
            println!("cargo:rustc-link-lib=dylib=flagstone");
            println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.display());
        }
        Err(error) => println!(
            "cargo::error={}: {error}; build the library first, or set FLAGSTONE_LIB_DIR to its folder",
            folder.display()
        ),
    }
}

/// Makes the two names under which a linker and a loader look for `library`; returns their folder.
fn link(library: &Path) -> io::Result<PathBuf> {
    let library = library.canonicalize()?;
    println!("cargo:rerun-if-changed={}", library.display());
    println!("cargo:rustc-env=FLAGSTONE_LIBRARY={}", library.display());
    let folder = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for name in ["libflagstone.so", "libflagstone.so.1"] {
        let link = folder.join(name);
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(&library, &link)?;
    }
    Ok(folder)
}
