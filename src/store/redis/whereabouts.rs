//! Where Redis is at present, as plain data for the status: never with anything secret. Depends on `endpoints`.

use std::sync::Arc;

use super::endpoints::Address;

/// Where Redis is at present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whereabouts {
    /// `standalone` or `sentinel`.
    pub topology: &'static str,
    /// Where the server is that is read and written; `None` while that is not known.
    pub address: Option<String>,
    /// Whether that is a `primary` or a `replica`, where sentinels say so.
    pub role: Option<&'static str>,
    /// What sentinels are asked for.
    pub service: Option<String>,
    /// Each sentinel.
    pub sentinels: Vec<KnownSentinel>,
    /// The sentinel whose word counted last.
    pub asked: Option<String>,
}

/// A sentinel, for the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSentinel {
    /// Where it is.
    pub address: String,
    /// It stands in the address of the service; the others were told of.
    pub is_listed: bool,
    /// Why it was of no use when it was asked last, if it was not.
    pub remark: Option<Arc<String>>,
}

impl Whereabouts {
    /// Always at the same address.
    pub fn standalone(address: &Address) -> Self {
        let address = Some(address.to_string());
        Self { topology: "standalone", address, role: None, service: None, sentinels: Vec::new(), asked: None }
    }
}
