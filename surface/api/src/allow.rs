//! `isatap allow`, `isatap deny`

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Lets hosts have ISATAP, beside what the file says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AllowRequest {
    /// Names, addresses, prefixes.
    pub hosts: Vec<String>,
    /// Their group for the policy; what the file gives to hosts of this group is given to them.
    #[serde(default)]
    pub group: Option<String>,
}

/// Hosts that a command is about: names, addresses, prefixes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostsRequest {
    /// As the command that allowed or denied them wrote them.
    pub hosts: Vec<String>,
}

/// What a command did.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Changed {
    /// In the order of the request.
    pub hosts: Vec<ChangedHost>,
}

/// What a command did about one host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChangedHost {
    /// As it was written.
    pub host: String,
    /// What holds for it from now on.
    pub change: Change,
    /// What it stands for now.
    pub addresses: Vec<String>,
    /// Why that may not be what was meant.
    pub remark: Option<String>,
}

/// What holds for a host after a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is served.
    Allowed,
    /// It is not served, whatever the file says.
    Denied,
    /// What the file says.
    Forgotten,
    /// No command was about it.
    Unknown,
}

/// Everybody who may have ISATAP, and everybody who was denied it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AllowList {
    /// Those of commands first, then those of the file in its order.
    pub rules: Vec<AllowedHosts>,
    /// By a command.
    pub denied: Vec<DeniedHost>,
}

/// One host, prefix or group that is allowed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AllowedHosts {
    /// A name, an address, a prefix, or the distinguished name of a group of the directory.
    pub host: String,
    /// Which of these.
    pub kind: AllowedKind,
    /// Who said so.
    pub by: AllowedBy,
    /// The line of its rule in the file.
    pub line: Option<usize>,
    /// Their group for the policy.
    pub group: Option<String>,
    /// The prefix that they get.
    pub prefix: String,
    /// What it stands for now.
    pub addresses: Vec<String>,
    /// When DNS or the directory last said so.
    pub as_of: Option<Timestamp>,
    /// Members of the group that are no machines.
    pub others: Option<usize>,
    /// Why the directory's last answer could not be had.
    pub trouble: Option<String>,
}

/// What a rule names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllowedKind {
    /// An address or a prefix.
    Prefix,
    /// A name in DNS.
    Name,
    /// A group of the directory.
    LdapGroup,
}

/// Who allowed a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AllowedBy {
    /// The configuration.
    File,
    /// `isatap allow`
    Runtime,
}

/// A host or prefix that is denied.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeniedHost {
    /// A name, an address or a prefix.
    pub host: String,
    /// What it stands for now.
    pub addresses: Vec<String>,
}
