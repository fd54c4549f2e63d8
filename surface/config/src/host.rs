//! The file of an ISATAP host.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::fmt;
use std::path::{Path, PathBuf};

use crate::header;
use crate::isatap;
use crate::reader::{Complaint, Table};
use crate::report::{Report, Rule};
use crate::values::{self, DnsName, NameOrAddress};

/// The whole file, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    /// The control socket.
    pub control: PathBuf,
    /// Directory of the daemon's state.
    pub state: PathBuf,
    /// The IPv4 side; `None` = the interface that leads to the first router.
    pub interface: Option<String>,
    /// Name of the TUN device.
    pub device: String,
    /// At least one.
    pub routers: Vec<RouterSpec>,
    /// Servers that names are asked of; empty = the system's.
    pub nameserver: Vec<SocketAddr>,
}

/// A router of the potential router list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RouterSpec {
    /// To be looked up; every A record is a router.
    Name(DnsName),
    /// As it is.
    Address(Ipv4Addr),
}

impl RouterSpec {
    /// Reads a router as the file and `sixgate isatap join` take it.
    ///
    /// # Errors
    /// One line that says what is wrong and what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        router(text).map_err(|c| format!("{}; {}", c.title, c.label))
    }
}

impl fmt::Display for RouterSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(n) => n.fmt(f),
            Self::Address(a) => a.fmt(f),
        }
    }
}

const DEVICE: &str = "isatap0";

pub(crate) fn read(mut root: Table<'_>, base: &Path, report: &mut Report) -> Option<Host> {
    let header = header::read(&mut root, base, report);
    let section = root.need("host", "{ ... }", report);
    root.finish(report);
    let mut table = section?.table(report)?;
    let interface = table.take("interface").and_then(|n| Some(n.at(n.parse(values::device, report)?)));
    let device = table.take("device").and_then(|n| Some(n.at(n.parse(values::device, report)?)));
    if let (Some(i), Some(d)) = (&interface, &device)
        && i.value == d.value
    {
        d.fault(
            Rule::Device,
            "`interface` and `device` are the same",
            "`device` is made anew; take another name",
            report,
        );
    }
    let routers = table.need("routers", "[\"da-isatap.corp.example\"]", report);
    let routers = routers.map(|n| n.list_of_some(router, report)).unwrap_or_default();
    for (i, at) in routers.iter().enumerate() {
        if routers[..i].iter().any(|r| r.value == at.value) {
            at.fault(Rule::Twice, format!("`{}` is listed twice", at.value), "remove one", report);
        }
    }
    let nameserver = table.take("nameserver").map(|n| n.list_of_some(values::endpoint_or(53), report));
    table.finish(report);
    Some(Host {
        control: header.control,
        state: header.state,
        interface: interface.map(|i| i.value),
        device: device.map_or_else(|| DEVICE.to_owned(), |d| d.value),
        routers: routers.into_iter().map(|r| r.value).collect(),
        nameserver: nameserver.unwrap_or_default().into_iter().map(|s| s.value).collect(),
    })
}

fn router(text: &str) -> Result<RouterSpec, Complaint> {
    match values::name_or_address(text)? {
        NameOrAddress::Address(IpAddr::V4(_)) => isatap::allow::unicast(text).map(RouterSpec::Address),
        NameOrAddress::Address(IpAddr::V6(_)) => Err(Complaint::new(
            Rule::Address,
            format!("`{text}` is no IPv4 address"),
            "an ISATAP router is reached over IPv4; allowed: a name or an IPv4 address",
        )),
        NameOrAddress::Name(_) => isatap::router_name(text).map(RouterSpec::Name),
    }
}
