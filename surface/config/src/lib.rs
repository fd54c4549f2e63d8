//! The configuration files of sixgate: TOML text in, checked types or every fault with its place out.
//!
//! No file is opened here: the caller reads the text and says what the file is called, so that relative paths can be
//! resolved and faults can name it. A checked type holds only what is valid, defaults and derived values included; no
//! role looks at TOML again.
//!
//! ```
//! use std::path::Path;
//! let text = "schema = 1\n[dns]\nlisten = [\"[::1]:53\"]\n";
//! let checked = sixgate_config::gateway(Path::new("/etc/sixgate/sixgate.toml"), text).expect("valid");
//! assert_eq!(checked.value.dns.expect("[dns] is there").listen.len(), 1);
//!
//! let report = sixgate_config::gateway(Path::new("a.toml"), "schema = 2\n").expect_err("invalid");
//! assert!(report.render().contains("a.toml:1:10"));
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`report`], [`rule`] | faults with file, line, column and what is allowed; the list of rules |
//! | [`gateway`](mod@gateway) | the gateway's file, and what is derived between its sections |
//! | [`nat64`], [`siit`], [`dns`], [`dns64`], [`isatap`], [`ldap`], [`native`], [`names`], [`policy`] | its sections |
//! | [`header`] | what every file may say |
//! | [`client`](mod@client), [`host`](mod@host) | the files of the other roles |
//! | [`values`] | names, endpoints, prefixes |
#![forbid(unsafe_code)]

use std::path::Path;

pub mod client;
pub mod dns;
pub mod dns64;
pub mod gateway;
pub mod header;
pub mod host;
pub mod isatap;
pub mod ldap;
mod metrics;
pub mod names;
pub mod nat64;
pub mod native;
pub mod policy;
mod reader;
pub mod report;
pub mod rule;
pub mod siit;
pub mod values;

pub use client::Client;
pub use dns::{Dns, QueryLog, QueryPrivacy};
pub use dns64::Dns64;
pub use gateway::{Gateway, IpHttps, Pki, Site};
pub use host::Host;
pub use isatap::Isatap;
pub use ldap::Ldap;
pub use metrics::Metrics;
pub use names::{Names, Registration};
pub use nat64::Nat64;
pub use native::Native;
pub use policy::Policy;
pub use report::{Finding, Report, Severity};
pub use rule::Rule;
pub use siit::Siit;
pub use values::{DnsName, IpPrefix, NameOrAddress};

use reader::Table;
use report::Fault;

/// A valid file: its value, and warnings if there are any.
#[derive(Clone, Debug)]
pub struct Checked<T> {
    /// What the file says, defaults filled in.
    pub value: T,
    /// Has no errors; may have warnings.
    pub report: Report,
}

/// A valid file of any role.
#[derive(Clone, Debug)]
pub enum File {
    /// For `sixgate run`.
    Gateway(Box<Gateway>),
    /// For `sixgate client run`.
    Client(Client),
    /// For `sixgate host run`.
    Host(Host),
}

/// Whose file it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// `sixgate run`
    Gateway,
    /// `sixgate client run`
    Client,
    /// `sixgate host run`
    Host,
}

/// Reads a file of any role: `[client]` and `[host]` say whose it is, any other is a gateway's.
///
/// # Errors
/// Every fault of the file.
pub fn any(file: &Path, text: &str) -> Result<Checked<File>, Report> {
    checked(file, text, None)
}

/// Reads a gateway's file.
///
/// # Errors
/// Every fault of the file; a file of another role is one.
pub fn gateway(file: &Path, text: &str) -> Result<Checked<Gateway>, Report> {
    let Checked { value, report } = checked(file, text, Some(Role::Gateway))?;
    match value {
        File::Gateway(value) => Ok(Checked { value: *value, report }),
        File::Client(_) | File::Host(_) => Err(report),
    }
}

/// Reads a client's file.
///
/// # Errors
/// As [`gateway`](fn@gateway).
pub fn client(file: &Path, text: &str) -> Result<Checked<Client>, Report> {
    let Checked { value, report } = checked(file, text, Some(Role::Client))?;
    match value {
        File::Client(value) => Ok(Checked { value, report }),
        File::Gateway(_) | File::Host(_) => Err(report),
    }
}

/// Reads an ISATAP host's file.
///
/// # Errors
/// As [`gateway`](fn@gateway).
pub fn host(file: &Path, text: &str) -> Result<Checked<Host>, Report> {
    let Checked { value, report } = checked(file, text, Some(Role::Host))?;
    match value {
        File::Host(value) => Ok(Checked { value, report }),
        File::Gateway(_) | File::Client(_) => Err(report),
    }
}

fn checked(file: &Path, text: &str, wanted: Option<Role>) -> Result<Checked<File>, Report> {
    let mut report = Report::new(file, text);
    let (tree, faults) = toml::de::DeTable::parse_recoverable(text);
    if !faults.is_empty() {
        // A tree that was mended by the parser would give faults that the user did not make.
        for fault in faults {
            syntax(&fault, text, &mut report);
        }
        report.sort();
        return Err(report);
    }
    let root = Table::root(tree.get_ref());
    let base = file.parent().unwrap_or_else(|| Path::new(""));
    let value = match role(&root, wanted, &mut report) {
        Role::Gateway => gateway::read(root, base, &mut report).map(Box::new).map(File::Gateway),
        Role::Client => client::read(root, base, &mut report).map(File::Client),
        Role::Host => host::read(root, base, &mut report).map(File::Host),
    };
    report.sort();
    match value {
        Some(value) if !report.has_errors() => Ok(Checked { value, report }),
        _ => Err(report),
    }
}

fn syntax(fault: &toml::de::Error, text: &str, report: &mut Report) {
    let end = text.len();
    let span = fault.span().unwrap_or(end..end);
    report.add(Fault {
        severity: Severity::Error,
        rule: Rule::Syntax,
        key: String::new(),
        title: "this is not TOML".to_owned(),
        span,
        label: fault.message().to_owned(),
        also: Vec::new(),
        help: None,
    });
}

fn role(root: &Table<'_>, wanted: Option<Role>, report: &mut Report) -> Role {
    let found = if root.has("client") {
        Role::Client
    } else if root.has("host") {
        Role::Host
    } else {
        Role::Gateway
    };
    // A file without [client] and [host] is read as the wanted role's, whose reader says what is missing.
    let (section, command) = match (wanted, found) {
        (Some(Role::Client | Role::Gateway), Role::Host) => ("host", "sixgate host run"),
        (Some(Role::Host | Role::Gateway), Role::Client) => ("client", "sixgate client run"),
        (Some(wanted), _) => return wanted,
        (None, found) => return found,
    };
    if let Some((key, span, _)) = root.each().into_iter().find(|(k, _, _)| *k == section) {
        report.add(Fault {
            severity: Severity::Error,
            rule: Rule::Role,
            key: key.to_owned(),
            title: format!("this is a file for `{command}`"),
            span,
            label: format!("[{key}] makes it one"),
            also: Vec::new(),
            help: None,
        });
    }
    found
}
