//! Speaks HTTP for whoever needs it: headers, proxy, TLS, deadlines, redirects.
//!
//! One place, so that every request this library makes obeys the same rules and none leaks a credential. Blocking; what
//! is blocked can be ended from another thread. Depends on `files` and knows nothing of what is sent or fetched.
//!
//! | Module | Is |
//! |---|---|
//! | `options`, `error` | how requests are made, why they cannot be; a text of neither holds a credential |
//! | `url`, `headers`, `proxy`, `no_proxy`, `tls` | what the options mean for one request |
//! | `forward` | plain requests through an HTTP proxy |
//! | `requester`, `response`, `retry_after` | one request with its redirects, and what comes back |

mod error;
mod forward;
mod headers;
mod no_proxy;
mod options;
mod proxy;
mod requester;
mod response;
mod retry_after;
#[cfg(test)]
mod tests;
mod tls;
mod url;

pub use error::{HttpError, RequestError};
pub use headers::is_valid_sdk_key;
pub use options::{HttpOptions, ProxyEnvironment, ProxyVariable};
pub use proxy::check_proxy;
pub use requester::{Interrupter, Patience, Requester};
pub use response::Response;
pub use url::{check_base, join, shown};
