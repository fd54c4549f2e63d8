//! The gateway's file: its sections, and what is derived and checked between them.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use sixgate_wire::addr::{Ipv6Prefix, Prefix64};

use crate::dns::{self, Dns};
use crate::dns64::{self, Dns64};
use crate::header;
use crate::isatap::{self, Isatap};
use crate::ldap::{self, Ldap};
use crate::metrics::{self, Metrics};
use crate::names::{self, Names};
use crate::nat64::{self, Nat64};
use crate::native::{self, Native};
use crate::policy::{self, Policy};
use crate::reader::{At, Node, Table};
use crate::report::{Report, Span};
use crate::siit::{self, Siit};
use crate::values::{self, NameOrAddress};

mod between;
mod transports;

/// The whole file. A function whose section is `None` is off.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gateway {
    /// The control socket.
    pub control: PathBuf,
    /// Directory of the daemon's state.
    pub state: PathBuf,
    /// `[gateway]`: there are clients.
    pub site: Option<Site>,
    /// `[transports.ip-https]`
    pub ip_https: Option<IpHttps>,
    /// `[pki]`; `None` = our own CA in `state`.
    pub pki: Option<Pki>,
    /// `[nat64]`; on with `[gateway]`.
    pub nat64: Option<Nat64>,
    /// `[siit]`; never beside `nat64`.
    pub siit: Option<Siit>,
    /// `[dns]`; on with `[gateway]`.
    pub dns: Option<Dns>,
    /// `[dns64]`; on with `[gateway]`.
    pub dns64: Option<Dns64>,
    /// `[isatap]`
    pub isatap: Option<Isatap>,
    /// `[ldap]`
    pub ldap: Option<Ldap>,
    /// `[native]`
    pub native: Option<Native>,
    /// `[names]`
    pub names: Option<Names>,
    /// `[metrics]`
    pub metrics: Option<Metrics>,
    /// What may be opened. `None` = nothing is filtered: NAT64 or DNS64 alone, without `[[policy]]`.
    pub policy: Option<Policy>,
}

impl Gateway {
    /// Name of the translator's device, of whichever kind the translator is.
    #[must_use]
    pub fn translator_device(&self) -> Option<&str> {
        let stateful = self.nat64.as_ref().map(|nat64| nat64.device.as_str());
        stateful.or(self.siit.as_ref().map(|siit| siit.device.as_str()))
    }
}

/// `[gateway]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// What clients call this gateway.
    pub public: NameOrAddress,
    /// The interface of the intranet.
    pub inside: String,
    /// Name of the TUN device into the kernel.
    pub device: String,
    /// A /48.
    pub prefix: Ipv6Prefix,
}

impl Site {
    /// `PREFIX:1::/64`, where clients get their addresses.
    #[must_use]
    pub fn clients(&self) -> Ipv6Prefix {
        self.subnet(1)
    }

    /// `PREFIX:2::/64`, the ISATAP link unless its section says otherwise.
    #[must_use]
    pub fn isatap(&self) -> Ipv6Prefix {
        self.subnet(2)
    }

    /// `PREFIX:7777::/96`, NAT64 unless its section says otherwise.
    #[must_use]
    pub fn nat64(&self) -> Prefix64 {
        let prefix = Ipv6Prefix::containing(self.subnet(0x7777).address(), 96);
        Prefix64::new(prefix).expect("octet 8 of a subnet's first address is zero, and RFC 6052 allows 96")
    }

    /// `PREFIX:3333::1`, where clients find DNS64.
    #[must_use]
    pub fn dns64_address(&self) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.subnet(0x3333).address().to_bits() | 1)
    }

    fn subnet(&self, number: u16) -> Ipv6Prefix {
        let address = self.prefix.address().to_bits() | u128::from(number) << 64;
        Ipv6Prefix::containing(Ipv6Addr::from_bits(address), 64)
    }
}

/// `[transports.ip-https]`
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IpHttps {
    /// At least one.
    pub listen: Vec<SocketAddr>,
}

/// `[pki]`: an organisation's own certificates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pki {
    /// Issuers of clients.
    pub ca: PathBuf,
    /// Our certificate, with its chain.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

const DEVICE: &str = "sixgate0";

pub(crate) fn read(mut root: Table<'_>, base: &Path, report: &mut Report) -> Option<Gateway> {
    let header = header::read(&mut root, base, report);
    root.not_yet("cluster", "clusters", report);
    let gateway = root.take("gateway");
    let site_read = gateway.as_ref().and_then(|n| read_site(n, report));
    let site = site_read.as_ref().map(|s| &s.value);
    let has_gateway = gateway.is_some();

    let transports = root.take("transports");
    let ip_https = transports.as_ref().and_then(|n| transports::read(n, report));
    let pki_node = root.take("pki");
    let pki = pki_node.as_ref().and_then(|n| read_pki(n, base, report));
    let names_node = root.take("names");
    let names = names_node.as_ref().and_then(|n| names::read(n, base, report));

    let nat64_node = root.take("nat64");
    let nat64 =
        nat64_node.as_ref().and_then(|n| nat64::read(n, site.map(Site::nat64), has_gateway, base, report));
    let siit_node = root.take("siit");
    let siit = siit_node.as_ref().and_then(|n| siit::read(n, report));
    let dns_node = root.take("dns");
    let routes = names.as_ref().map_or(&[][..], |n| n.route.as_slice());
    let dns = dns_node.as_ref().and_then(|n| dns::read(n, base, site, has_gateway, routes, report));
    let dns64_node = root.take("dns64");
    let first_prefix = match (&nat64, &siit, site) {
        (Some(read), _, _) => read.value.prefixes.first().copied(),
        (None, Some(read), _) => read.value.prefixes.first().copied(),
        (None, None, Some(site)) => Some(site.nat64()),
        (None, None, None) => None,
    };
    let dns64 = dns64_node.as_ref().and_then(|n| dns64::read(n, first_prefix, report));
    let isatap_node = root.take("isatap");
    let isatap = isatap_node.as_ref().and_then(|n| isatap::read(n, site, has_gateway, report));
    let ldap_node = root.take("ldap");
    let ldap = ldap_node.as_ref().and_then(|n| ldap::read(n, base, report));
    let native_node = root.take("native");
    let native = native_node.as_ref().and_then(|n| native::read(n, site, report));
    let metrics = root.take("metrics").and_then(|n| metrics::read(&n, report));
    let policy_node = root.take("policy");
    let given_policy = policy_node.as_ref().map(|n| policy::read(n, report));
    let translates = nat64_node.is_some() || siit_node.is_some();
    let has_something = has_gateway || translates || dns_node.is_some() || isatap_node.is_some();
    let empty = root.is_empty_but(&["schema", "control", "state"]);
    root.finish(report);

    between::needs(
        &between::Sections {
            gateway: gateway.as_ref(),
            transports: transports.as_ref(),
            pki: pki_node.as_ref(),
            names: names_node.as_ref(),
            dns: dns_node.as_ref(),
            dns64: dns64_node.as_ref(),
            native: native_node.as_ref(),
        },
        report,
    );
    if let Some(siit) = &siit_node {
        let others = [nat64_node.as_ref(), gateway.as_ref(), isatap_node.as_ref(), policy_node.as_ref()];
        between::one_translator(siit, others.into_iter().flatten(), report);
    }
    between::directory(ldap_node.as_ref(), isatap.as_ref(), report);
    if !has_something && empty {
        report.nothing_to_do();
    }
    let uses =
        between::uses(site_read.as_ref(), nat64.as_ref(), siit.as_ref(), isatap.as_ref(), native.as_ref());
    between::prefixes(&uses, dns64.as_ref(), report);
    between::devices(site_read.as_ref(), nat64.as_ref(), isatap.as_ref(), report);
    if let (Some(policy), Some(node)) = (&given_policy, &policy_node)
        && has_gateway
        && !report.has_errors()
    {
        between::coverage(policy, node, report);
    }
    if let (Some(node), None, true) = (&native_node, &given_policy, has_gateway) {
        between::native_policy(node, report);
    }

    let site = site_read.map(|s| s.value);
    let nat64 = nat64.map(|r| r.value).or_else(|| site.as_ref().map(|s| Nat64::derived(s.nat64())));
    let dns64 = dns64.map(|r| r.value).or_else(|| site.as_ref().map(|_| Dns64::derived(first_prefix)));
    let isatap = isatap.map(|r| r.value);
    let policy = given_policy
        .or_else(|| (has_gateway || isatap.is_some()).then(|| policy::default(isatap.as_ref(), has_gateway)));
    Some(Gateway {
        control: header.control,
        state: header.state,
        site,
        ip_https,
        pki,
        nat64,
        siit: siit.map(|r| r.value),
        dns,
        dns64,
        isatap,
        ldap,
        native: native.map(|r| r.value),
        names,
        metrics,
        policy,
    })
}

/// `[gateway]` with the places that checks between sections need.
pub(crate) struct SiteRead {
    pub(crate) value: Site,
    pub(crate) header: Span,
    pub(crate) prefix: At<Ipv6Prefix>,
    pub(crate) inside: At<String>,
    pub(crate) device: Named,
}

/// The name of a device of ours, and whether the file says it.
pub(crate) struct Named {
    pub(crate) at: At<String>,
    pub(crate) is_default: bool,
}

impl Named {
    /// The name that is given, or the default one, whose place is the section's.
    pub(crate) fn or_default(given: Option<At<String>>, default: &str, table: &Table<'_>) -> Self {
        let is_default = given.is_none();
        let here = || At { value: default.to_owned(), span: table.span.clone(), key: table.join("device") };
        Self { at: given.unwrap_or_else(here), is_default }
    }
}

fn read_site(node: &Node<'_>, report: &mut Report) -> Option<SiteRead> {
    let mut table = node.table(report)?;
    let header = table.span.clone();
    let public = table.need("public", "\"da.example.com\"", report);
    let public = public.and_then(|n| n.parse(values::name_or_address, report));
    let inside = table.need("inside", "\"eth1\"", report);
    let inside = inside.and_then(|n| Some(n.at(n.parse(values::device, report)?)));
    let prefix = table.need("prefix", "\"fd6a:7e00:cafe::/48\"", report);
    let prefix =
        prefix.and_then(|n| Some(n.at(n.parse(values::ipv6_prefix_of(48, "the gateway's"), report)?)));
    let device = table.take("device").and_then(|n| Some(n.at(n.parse(values::device, report)?)));
    let device = Named::or_default(device, DEVICE, &table);
    table.finish(report);
    let (inside, prefix) = (inside?, prefix?);
    let value = Site {
        public: public?,
        inside: inside.value.clone(),
        device: device.at.value.clone(),
        prefix: prefix.value,
    };
    Some(SiteRead { value, header, prefix, inside, device })
}

fn read_pki(node: &Node<'_>, base: &Path, report: &mut Report) -> Option<Pki> {
    let mut table = node.table(report)?;
    table.not_yet("crl", "revocation lists", report);
    table.not_yet("deny", "revocation lists", report);
    let mut path = |key, example, report: &mut Report| {
        table.need(key, example, report).and_then(|n| n.parse(values::path, report)).map(|p| base.join(p))
    };
    let ca = path("ca", "\"ca.pem\"", report);
    let cert = path("cert", "\"server.pem\"", report);
    let key = path("key", "\"server.key\"", report);
    table.finish(report);
    Some(Pki { ca: ca?, cert: cert?, key: key? })
}

/// Where IP-HTTPS listens when the section does not say.
fn any_https() -> Vec<SocketAddr> {
    vec![SocketAddr::from((Ipv4Addr::UNSPECIFIED, 443))]
}
