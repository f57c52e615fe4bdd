//! Why there is no token. No message has a secret in it.

/// Why there is no identity, and so no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AwsError {
    /// Nothing in the environment says where one is, and this is no instance.
    #[error(
        "this process has no identity at AWS: not in the environment, no web identity, no container's, no instance's; files with \
         profiles are not read"
    )]
    None,
    /// What the environment says cannot be used.
    #[error("{variable}: {why}")]
    Variable {
        /// The name of the variable.
        variable: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A service does not answer.
    #[error("{place} does not answer: {why}")]
    Silent {
        /// Which one.
        place: &'static str,
        /// What happened.
        why: String,
    },
    /// It answers with an error.
    #[error("{place} answers with status {status}")]
    Status {
        /// Which one.
        place: &'static str,
        /// Of HTTP.
        status: u16,
    },
    /// What it answers cannot be used.
    #[error("what {place} answers cannot be used: {why}")]
    Unusable {
        /// Which one.
        place: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The client is being closed.
    #[error("the client is closed")]
    Ended,
}
