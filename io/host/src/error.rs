//! What a person is told when a setting of the host cannot be read or changed: one line.

use std::{fmt, io};

/// A setting of the host could not be read or changed.
#[derive(Debug)]
pub struct HostError {
    what: String,
    source: io::Error,
    advice: Option<&'static str>,
}

impl HostError {
    pub(crate) fn new(what: impl Into<String>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        // The same thing is missing wherever the system says so.
        let advice = matches!(source.raw_os_error(), Some(libc::EPERM | libc::EACCES))
            .then_some("run as root or with CAP_NET_ADMIN");
        Self { what: what.into(), source, advice }
    }

    pub(crate) fn advise(mut self, advice: &'static str) -> Self {
        self.advice = Some(advice);
        self
    }

    /// What kind of failure the system reported.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The system's error number, if it was the system that failed.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)?;
        match self.advice {
            Some(advice) => write!(f, ": {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for HostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<HostError> for io::Error {
    fn from(error: HostError) -> Self {
        Self::new(error.kind(), error)
    }
}
