//! The file of a roaming client.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::header;
use crate::reader::{Complaint, Node, Table};
use crate::report::{Report, Rule};
use crate::values::{self, NameOrAddress};

/// The whole file, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    /// The control socket.
    pub control: PathBuf,
    /// Directory of the daemon's state.
    pub state: PathBuf,
    /// The name in the certificate.
    pub name: String,
    /// In the order in which they are tried; at least one.
    pub gateway: Vec<GatewayUrl>,
    /// Certificate of the CA that signs gateways; pinned.
    pub ca: PathBuf,
    /// Our certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Name of the TUN device.
    pub device: String,
    /// In order of preference; at least one.
    pub transports: Vec<Transport>,
}

/// `https://host[:port]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GatewayUrl {
    /// Where it is.
    pub host: NameOrAddress,
    /// 443 when the URL has none.
    pub port: u16,
}

/// A way to the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// IPv6 in TLS over TCP.
    IpHttps,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IpHttps => "ip-https",
        })
    }
}

impl fmt::Display for GatewayUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            NameOrAddress::Address(core::net::IpAddr::V6(a)) => write!(f, "https://[{a}]")?,
            host @ (NameOrAddress::Address(_) | NameOrAddress::Name(_)) => write!(f, "https://{host}")?,
        }
        if self.port == HTTPS { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

impl GatewayUrl {
    /// Reads a URL as the file and `sixgate join` take it.
    ///
    /// # Errors
    /// One line that says what is wrong and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        url(text).map_err(|c| format!("{}; {}", c.title, c.label))
    }
}

const HTTPS: u16 = 443;
const DEVICE: &str = "sixgate0";

pub(crate) fn read(mut root: Table<'_>, base: &Path, report: &mut Report) -> Option<Client> {
    let header = header::read(&mut root, base, report);
    let section = root.need("client", "{ ... }", report);
    root.finish(report);
    let mut table = section?.table(report)?;
    let name = table.need("name", "\"laptop-01\"", report).and_then(|n| n.parse(values::label, report));
    let gateway = table.need("gateway", "[\"https://da.example.com\"]", report);
    let gateway = gateway.map(|n| n.list_of_some(url, report)).unwrap_or_default();
    for (i, at) in gateway.iter().enumerate() {
        if gateway[..i].iter().any(|g| g.value == at.value) {
            at.fault(Rule::Twice, format!("`{}` is listed twice", at.value), "remove one", report);
        }
    }
    let mut path = |key, example, report: &mut Report| {
        table.need(key, example, report).and_then(|n| n.parse(values::path, report)).map(|p| base.join(p))
    };
    let ca = path("ca", "\"ca.pem\"", report);
    let cert = path("cert", "\"laptop-01.pem\"", report);
    let key = path("key", "\"laptop-01.key\"", report);
    let device = table.take("device").and_then(|n| n.parse(values::device, report));
    let transports = match table.take("transports") {
        Some(n) => read_transports(&n, report),
        None => vec![Transport::IpHttps],
    };
    table.finish(report);
    Some(Client {
        control: header.control,
        state: header.state,
        name: name?,
        gateway: gateway.into_iter().map(|g| g.value).collect(),
        ca: ca?,
        cert: cert?,
        key: key?,
        device: device.unwrap_or_else(|| DEVICE.to_owned()),
        transports,
    })
}

fn read_transports(node: &Node<'_>, report: &mut Report) -> Vec<Transport> {
    let items = node.items(report);
    if items.is_empty() {
        node.fault(Rule::Empty, "`transports` is empty", "at least one element is needed", report);
    }
    let mut found = Vec::new();
    for item in items {
        match item.text(report) {
            Some("ip-https") if found.contains(&Transport::IpHttps) => {
                item.fault(Rule::Twice, "`ip-https` is listed twice", "remove one", report);
            }
            Some("ip-https") => found.push(Transport::IpHttps),
            Some(word @ ("masque" | "teredo" | "6to4")) => {
                report.not_yet(&item.key, item.span.clone(), &format!("the transport {word}"));
            }
            Some(word) => {
                item.fault(
                    Rule::Choice,
                    format!("`{word}` is no transport"),
                    "allowed: \"ip-https\"",
                    report,
                );
            }
            None => {}
        }
    }
    found
}

fn url(text: &str) -> Result<GatewayUrl, Complaint> {
    let wrong = |label: &str| Complaint::new(Rule::Url, format!("`{text}` is no gateway"), label);
    let allowed = "allowed: https://NAME or https://NAME:PORT";
    let rest = text.strip_prefix("https://").ok_or_else(|| wrong(allowed))?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(['/', '?', '#', '@']) {
        return Err(wrong(allowed));
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').ok_or_else(|| wrong(allowed))?,
        None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
    };
    let port = match port.strip_prefix(':') {
        Some(p) => p.parse().ok().filter(|p| *p != 0).ok_or_else(|| wrong("allowed: ports 1 to 65535"))?,
        None if port.is_empty() => HTTPS,
        None => return Err(wrong(allowed)),
    };
    Ok(GatewayUrl { host: values::name_or_address(host)?, port })
}
