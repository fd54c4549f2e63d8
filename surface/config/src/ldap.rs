//! `[ldap]`: the directory whose groups `[[isatap.allow]]` names.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};

use crate::reader::{At, Complaint, Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, NameOrAddress};

/// The whole section, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ldap {
    /// Tried in this order; at least one.
    pub servers: Vec<Server>,
    /// Issuers of the servers' certificates; `None` = those that the system trusts.
    pub ca: Option<PathBuf>,
    /// Who asks, and the file with the password; `None` = anonymous.
    pub bind: Option<Bind>,
    /// Where computers and groups are.
    pub base: String,
    /// Between two questions.
    pub refresh: Duration,
    /// For one answer of a server.
    pub timeout: Duration,
    /// Entries of one group, nested ones counted.
    pub most_members: usize,
    /// Groups within groups.
    pub most_depth: usize,
}

/// A server of the directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// As its certificate names it.
    pub host: NameOrAddress,
    /// Default 636 and 389.
    pub port: u16,
    /// How the way to it is protected.
    pub security: Security,
}

/// How the way to a server is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Security {
    /// `ldaps://`
    Tls,
    /// `ldap://`, and TLS before anything else is said (RFC 4511, section 4.14).
    StartTls,
    /// `ldap://` and `danger-plain-text`
    PlainText,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bind {
    /// A distinguished name.
    pub dn: String,
    /// Its first line is the password; nobody but its owner may read it.
    pub password_file: PathBuf,
}

impl Server {
    /// As a URL: what the file says, with the port.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = match self.security {
            Security::Tls => "ldaps",
            Security::StartTls | Security::PlainText => "ldap",
        };
        match &self.host {
            NameOrAddress::Address(core::net::IpAddr::V6(address)) => {
                format!("{scheme}://[{address}]:{}", self.port)
            }
            host @ (NameOrAddress::Name(_) | NameOrAddress::Address(_)) => {
                format!("{scheme}://{host}:{}", self.port)
            }
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

pub(crate) fn read(node: &Node<'_>, base: &Path, report: &mut Report) -> Option<Ldap> {
    let mut table = node.table(report)?;
    let urls = table.need("url", "[\"ldaps://dc1.corp.example\"]", report);
    let urls = urls.map(|n| n.list_of_some(url, report)).unwrap_or_default();
    for (i, at) in urls.iter().enumerate() {
        if urls[..i].iter().any(|u| u.value == at.value) {
            at.fault(Rule::Twice, "this server is listed twice", "remove one", report);
        }
    }
    let plain = protection(&mut table, &urls, report);
    let ca = table.take("ca").and_then(|n| n.parse(values::path, report)).map(|p| base.join(p));
    let bind = bind(&mut table, base, report);
    let below = table.need("base", "\"DC=corp,DC=example\"", report).and_then(|n| n.parse(dn, report));
    let mut number = |key, low, high, default, report: &mut Report| {
        table.take(key).and_then(|n| n.number(low, high, report)).unwrap_or(default)
    };
    let refresh = number("refresh", 10, 86_400, 300, report);
    let timeout = number("timeout", 1, 60, 5, report);
    let members = number("most-members", 1, 1_000_000, 10_000, report);
    let depth = number("most-depth", 1, 64, 16, report);
    table.finish(report);
    let server = |At { value: (secure, host, port), .. }: At<(bool, NameOrAddress, u16)>| Server {
        host,
        port,
        security: match (secure, plain) {
            (true, _) => Security::Tls,
            (false, false) => Security::StartTls,
            (false, true) => Security::PlainText,
        },
    };
    Some(Ldap {
        servers: urls.into_iter().map(server).collect(),
        ca,
        bind,
        base: below?,
        refresh: Duration::from_secs(refresh),
        timeout: Duration::from_secs(timeout),
        most_members: usize::try_from(members).unwrap_or(usize::MAX),
        most_depth: usize::try_from(depth).unwrap_or(usize::MAX),
    })
}

/// True when `ldap://` goes without TLS, which takes two keys that say so.
fn protection(table: &mut Table<'_>, urls: &[At<(bool, NameOrAddress, u16)>], report: &mut Report) -> bool {
    let has_plain_url = urls.iter().any(|u| !u.value.0);
    let danger = table.take("danger-plain-text");
    let start_tls = table.take("start-tls");
    let wants_plain = danger.as_ref().and_then(|n| n.boolean(report)).unwrap_or(false);
    let wants_tls = start_tls.as_ref().and_then(|n| n.boolean(report));
    for node in danger.iter().filter(|_| wants_plain).chain(&start_tls) {
        if !has_plain_url && !urls.is_empty() {
            let title = format!("`{}` is about ldap:// and there is no such URL", node.name());
            node.fault(Rule::Conflict, title, "ldaps:// is TLS from the first octet", report);
        }
    }
    match (&start_tls, wants_tls) {
        (Some(node), Some(true)) if wants_plain => {
            node.fault(Rule::Conflict, "both TLS and no TLS", "`danger-plain-text` is true", report);
        }
        (Some(node), Some(false)) if !wants_plain && has_plain_url => {
            node.fault(
                Rule::Conflict,
                "the password and the answers would cross the network in the clear",
                "who can change them decides who gets in; allowed only with `danger-plain-text = true`",
                report,
            );
        }
        _ => {}
    }
    wants_plain
}

fn bind(table: &mut Table<'_>, base: &Path, report: &mut Report) -> Option<Bind> {
    let who = table.take("bind-dn").and_then(|n| n.parse(dn, report));
    let file = table.take("password-file").and_then(|n| n.parse(values::path, report));
    match (table.has("bind-dn"), table.has("password-file")) {
        (true, false) => table.missing("password-file", "\"ldap.password\"", report),
        (false, true) => table.missing("bind-dn", "\"CN=sixgate,OU=Services,DC=corp,DC=example\"", report),
        _ => {}
    }
    Some(Bind { dn: who?, password_file: base.join(file?) })
}

/// `ldap://HOST[:PORT]` or `ldaps://HOST[:PORT]`.
fn url(text: &str) -> Result<(bool, NameOrAddress, u16), Complaint> {
    let wrong = || {
        Complaint::new(
            Rule::Url,
            format!("`{text}` is no URL of a directory"),
            "allowed: ldaps://NAME[:PORT] or ldap://NAME[:PORT], without a path",
        )
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
    let (secure, default) = match scheme {
        "ldaps" => (true, 636),
        "ldap" => (false, 389),
        _ => return Err(wrong()),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        Some((address, port)) => (address, port.strip_prefix(':')),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().ok().filter(|p| *p != 0).ok_or_else(wrong)?,
        None => default,
    };
    let host = values::name_or_address(host).map_err(|_| wrong())?;
    Ok((secure, host, port))
}

/// A distinguished name (RFC 4514): `CN=Helpdesk,OU=Groups,DC=corp,DC=example`.
pub(crate) fn dn(text: &str) -> Result<String, Complaint> {
    let wrong = |label: &str| Complaint::new(Rule::Dn, format!("`{text}` is no distinguished name"), label);
    if text.len() > 1024 {
        return Err(wrong("allowed: up to 1024 octets"));
    }
    for part in parts(text) {
        let Some((kind, value)) = part.split_once('=') else {
            return Err(wrong(
                "allowed: TYPE=value between commas, like CN=Helpdesk,OU=Groups,DC=corp,DC=example",
            ));
        };
        let kind = kind.trim();
        let fits =
            !kind.is_empty() && kind.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.'));
        if !fits || value.trim().is_empty() {
            return Err(wrong("allowed: TYPE=value, neither of them empty"));
        }
    }
    Ok(text.to_owned())
}

/// The value in front: `Helpdesk` of `CN=Helpdesk,OU=Groups`. Empty where the text is no distinguished name.
pub(crate) fn first_value(dn: &str) -> String {
    let first = parts(dn).into_iter().next().unwrap_or_default();
    first.split_once('=').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// The parts between commas that no backslash escapes.
fn parts(text: &str) -> Vec<&str> {
    let (mut all, mut begin, mut escaped) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            ',' if !escaped => {
                all.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    all.push(&text[begin..]);
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_name_or_is_not(text in ".{0,80}") {
            let parts = parts(&text);
            prop_assert_eq!(parts.join(","), text.clone());
            let _ = (dn(&text), url(&text), first_value(&text));
        }
    }

    #[test]
    fn a_distinguished_name_has_parts_that_escapes_do_not_end() {
        let good = "CN=Support\\, second line,OU=Groups,DC=corp,DC=example";
        assert!(dn(good).is_ok());
        assert_eq!(parts(good).len(), 4);
        assert_eq!(first_value("CN=Helpdesk,OU=Groups"), "Helpdesk");
        for bad in ["", "Helpdesk", "CN=", "CN=a,,DC=b", "=a", "C N=a", "CN=a,DC"] {
            assert!(dn(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn urls_have_a_scheme_a_host_and_perhaps_a_port() {
        for (text, secure, port) in [
            ("ldaps://dc1.corp.example", true, 636),
            ("ldap://10.6.0.12:3389", false, 3389),
            ("ldaps://[fd00::12]/", true, 636),
            ("ldap://[fd00::12]:390", false, 390),
        ] {
            let (s, _, p) = url(text).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!((s, p), (secure, port), "{text}");
        }
        for bad in
            ["dc1", "http://dc1", "ldap://", "ldap://dc1:0", "ldap://dc1:x", "ldaps://dc1/dc=x", "ldap://a b"]
        {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
