//! The C library: what the crate `flagstone` exports, as a shared library and as an archive. A crate of its own, so that these
//! are built when somebody asks for them and are optimised as a whole; it adds nothing. Depends on that crate alone.

pub use engine::ffi;
