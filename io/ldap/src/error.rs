//! Why a directory gives no answer.

use std::fmt;

/// One line that says what, where and what to do. Never holds a password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Error {
    /// A file of the configuration cannot be used.
    File(String),
    /// No server gave an answer; what each said.
    NoServer(Vec<(String, String)>),
    /// The server answered with this about one question.
    Refused(String),
    /// The server does not give this entry: another has it, or we may not see it.
    Withheld(String),
    /// The server was silent, or the connection ended.
    Lost(String),
    /// The directory has no such group.
    NoSuchGroup,
    /// The group has more entries, or groups in more levels, than the configuration allows.
    TooLarge(&'static str),
}

impl Error {
    /// True when another server may know better.
    pub(crate) fn is_of_server(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Lost(_) | Self::NoServer(_) => true,
            Self::File(_) | Self::Withheld(_) | Self::NoSuchGroup | Self::TooLarge(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(what) | Self::Refused(what) | Self::Lost(what) => f.write_str(what),
            Self::Withheld(what) => write!(f, "the group cannot be read: {what}"),
            Self::NoServer(each) => {
                for (i, (server, what)) in each.iter().enumerate() {
                    write!(f, "{}{server}: {what}", if i == 0 { "" } else { "; " })?;
                }
                Ok(())
            }
            Self::NoSuchGroup => f.write_str("the directory has no such group"),
            Self::TooLarge(key) => write!(f, "the group is larger than `{key}` allows"),
        }
    }
}

impl std::error::Error for Error {}

impl From<ldap3::LdapError> for Error {
    fn from(error: ldap3::LdapError) -> Self {
        if let ldap3::LdapError::LdapResult { result } = &error {
            return Self::Refused(refused(result));
        }
        Self::Lost(error.to_string())
    }
}

/// What the server said.
pub(crate) fn refused(result: &ldap3::LdapResult) -> String {
    format!("the server answers {} {}", result.rc, result.text.trim()).trim_end().to_owned()
}
