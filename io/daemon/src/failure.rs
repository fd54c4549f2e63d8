//! Why a daemon did not start, or ended.

use std::fmt;

/// Why the daemon did not start, or ended: one line that says what, where and what to do.
///
/// Every error turns into one by `?`; for that it is none itself.
#[derive(Clone, Debug)]
pub struct Failure {
    text: String,
    code: Option<String>,
}

impl Failure {
    /// A failure without a reason of the registry.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Self {
        Self { text: what.into(), code: None }
    }

    /// A failure with the code of its reason.
    #[must_use]
    pub fn coded(code: impl Into<String>, what: impl Into<String>) -> Self {
        Self { text: what.into(), code: Some(code.into()) }
    }

    /// The code of the reason, where the registry has one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_turns_into_its_own_line() {
        let fails = || -> Result<(), Failure> { Err(std::io::Error::other("no such device"))? };
        let failure = fails().unwrap_err();
        assert_eq!((failure.to_string().as_str(), failure.code()), ("no such device", None));
        assert_eq!(Failure::coded("tls-expired", "it is too late").code(), Some("tls-expired"));
    }
}
