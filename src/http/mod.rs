//! Speaks HTTP for whoever needs it: headers, proxy, TLS, deadlines, redirects.
//!
//! One place, so that every request this library makes obeys the same rules and leaks the same nothing. Depends on no
//! other module of the crate and knows nothing of what is sent or fetched.

mod options;

pub use options::{HttpError, HttpOptions, ProxyEnvironment};
