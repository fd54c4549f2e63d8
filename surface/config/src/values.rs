//! Texts that are values: addresses, endpoints, prefixes, DNS names, devices.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ops::RangeInclusive;
use std::fmt;

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64, PrefixError};

use crate::reader::Complaint;
use crate::report::Rule;

/// A DNS name: lower case, no dot at either end, at most 253 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DnsName(String);

impl DnsName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The label in front.
    #[must_use]
    pub fn first_label(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }

    /// True when this name is `suffix` or lies below it, on a label border.
    #[must_use]
    pub fn is_within(&self, suffix: &Self) -> bool {
        self.0.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A prefix of either family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum IpPrefix {
    /// IPv4.
    V4(Ipv4Prefix),
    /// IPv6.
    V6(Ipv6Prefix),
}

impl IpPrefix {
    /// True when `address` lies in the prefix; an IPv4-mapped IPv6 address counts as its IPv4 address.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        match (self, address.to_canonical()) {
            (Self::V4(p), IpAddr::V4(a)) => p.contains(a),
            (Self::V6(p), IpAddr::V6(a)) => p.contains(a),
            (Self::V4(_), IpAddr::V6(_)) | (Self::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl fmt::Display for IpPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(p) => p.fmt(f),
            Self::V6(p) => p.fmt(f),
        }
    }
}

/// A name or an address, as people write either.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum NameOrAddress {
    /// To be looked up.
    Name(DnsName),
    /// As it is.
    Address(IpAddr),
}

impl fmt::Display for NameOrAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(n) => n.fmt(f),
            Self::Address(a) => a.fmt(f),
        }
    }
}

pub(crate) fn ipv4(text: &str) -> Result<Ipv4Addr, Complaint> {
    text.parse().map_err(|_| {
        Complaint::new(
            Rule::Address,
            format!("`{text}` is no IPv4 address"),
            "allowed: an address like 10.6.0.1",
        )
    })
}

pub(crate) fn ipv6(text: &str) -> Result<Ipv6Addr, Complaint> {
    text.parse().map_err(|_| {
        Complaint::new(
            Rule::Address,
            format!("`{text}` is no IPv6 address"),
            "allowed: an address like fd64::1",
        )
    })
}

/// `address`, `address:port` or `[address]:port`; without a port, `port` stands in.
pub(crate) fn endpoint_or(port: u16) -> impl Fn(&str) -> Result<SocketAddr, Complaint> {
    move |text| {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(SocketAddr::new(address, port));
        }
        endpoint(text)
    }
}

/// `address:port` or `[address]:port`.
pub(crate) fn endpoint(text: &str) -> Result<SocketAddr, Complaint> {
    let allowed = "allowed: an endpoint like 10.6.0.53:53 or [fd64::53]:53";
    match text.parse::<SocketAddr>() {
        Ok(e) if e.port() != 0 => Ok(e),
        Ok(_) => Err(Complaint::new(Rule::Endpoint, "port 0 is no port", "allowed: ports 1 to 65535")),
        Err(_) => Err(Complaint::new(Rule::Endpoint, format!("`{text}` is no address with a port"), allowed)),
    }
}

pub(crate) fn ipv4_prefix(text: &str) -> Result<Ipv4Prefix, Complaint> {
    text.parse().map_err(|e| prefix_complaint(text, e, "10.6.0.0/24", 32, hint4(text)))
}

pub(crate) fn ipv6_prefix(text: &str) -> Result<Ipv6Prefix, Complaint> {
    text.parse().map_err(|e| prefix_complaint(text, e, "fd64::/64", 128, hint6(text)))
}

/// A prefix of either family.
pub(crate) fn ip_prefix(text: &str) -> Result<IpPrefix, Complaint> {
    if text.contains(':') { ipv6_prefix(text).map(IpPrefix::V6) } else { ipv4_prefix(text).map(IpPrefix::V4) }
}

/// An address, which means itself alone, or a prefix.
pub(crate) fn ipv4_address_or_prefix(text: &str) -> Result<Ipv4Prefix, Complaint> {
    if text.contains('/') { ipv4_prefix(text) } else { ipv4(text).map(|a| Ipv4Prefix::containing(a, 32)) }
}

/// An address, which means itself alone, or a prefix.
pub(crate) fn ipv6_address_or_prefix(text: &str) -> Result<Ipv6Prefix, Complaint> {
    if text.contains('/') { ipv6_prefix(text) } else { ipv6(text).map(|a| Ipv6Prefix::containing(a, 128)) }
}

/// A prefix for RFC 6052 addresses.
pub(crate) fn prefix64(text: &str) -> Result<Prefix64, Complaint> {
    let prefix = ipv6_prefix(text)?;
    let address = prefix.address();
    let kind = match address.octets() {
        [0xff, ..] => Some("multicast"),
        [0xfe, b, ..] if b & 0xc0 == 0x80 => Some("link-local"),
        // ::/80 and longer: unspecified, loopback, IPv4-compatible and IPv4-mapped addresses.
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ..] => Some("reserved (RFC 4291)"),
        _ => None,
    };
    if let Some(kind) = kind {
        return Err(Complaint::new(
            Rule::PrefixUse,
            format!("`{text}` cannot carry IPv4 addresses"),
            format!("this prefix is {kind}; allowed: a prefix of your own, or 64:ff9b::/96"),
        ));
    }
    Prefix64::new(prefix).ok_or_else(|| {
        // RFC 6052, section 2.2.
        if prefix.length() == 96 {
            Complaint::new(
                Rule::PrefixUse,
                "bits 64 to 71 of a NAT64 prefix must be zero",
                "RFC 6052 keeps them for the \"u\" octet",
            )
        } else {
            Complaint::new(
                Rule::PrefixLength,
                "NAT64 prefix length must be 32, 40, 48, 56, 64 or 96",
                "RFC 6052 does not allow this length",
            )
        }
    })
}

/// A prefix of exactly this length.
pub(crate) fn ipv6_prefix_of(
    length: u8,
    use_: &'static str,
) -> impl Fn(&str) -> Result<Ipv6Prefix, Complaint> {
    move |text| {
        let prefix = ipv6_prefix(text)?;
        if prefix.length() != length {
            return Err(Complaint::new(
                Rule::PrefixLength,
                format!("{use_} prefix length must be {length}"),
                format!("this one is {}", prefix.length()),
            ));
        }
        let octets = prefix.address().octets();
        if octets[0] == 0xff || (octets[0] == 0xfe && octets[1] & 0xc0 == 0x80) || octets[..6] == [0; 6] {
            return Err(Complaint::new(
                Rule::PrefixUse,
                format!("`{text}` cannot be given to hosts"),
                "allowed: a global or unique local (fd00::/8) prefix",
            ));
        }
        Ok(prefix)
    }
}

pub(crate) fn name(text: &str) -> Result<DnsName, Complaint> {
    let wrong = |label: &str| Complaint::new(Rule::Name, format!("`{text}` is no DNS name"), label);
    let bare = text.strip_suffix('.').unwrap_or(text);
    if !bare.is_ascii() {
        return Err(wrong("write names outside ASCII as xn--..."));
    }
    if bare.is_empty() || bare.len() > 253 {
        return Err(wrong("allowed: 1 to 253 characters"));
    }
    for label in bare.split('.') {
        if label.is_empty() || label.len() > 63 {
            return Err(wrong("allowed: labels of 1 to 63 characters between single dots"));
        }
        if !label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_') {
            return Err(wrong("allowed: letters, digits, hyphen and underscore"));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(wrong("a label does not begin or end with a hyphen"));
        }
    }
    Ok(DnsName(bare.to_ascii_lowercase()))
}

/// A name of one label, as clients have.
pub(crate) fn label(text: &str) -> Result<String, Complaint> {
    let name = name(text)?;
    if name.as_str().contains('.') {
        return Err(Complaint::new(
            Rule::Name,
            format!("`{text}` is more than one label"),
            "allowed: one label without dots, like laptop-01",
        ));
    }
    Ok(name.as_str().to_owned())
}

pub(crate) fn name_or_address(text: &str) -> Result<NameOrAddress, Complaint> {
    if let Ok(address) = text.parse() {
        return Ok(NameOrAddress::Address(address));
    }
    // A name whose last label is a number is a mistyped address (as in RFC 3696, section 2), never a host.
    if text.rsplit('.').next().is_some_and(|l| !l.is_empty() && l.bytes().all(|c| c.is_ascii_digit())) {
        return Err(Complaint::new(
            Rule::Address,
            format!("`{text}` is neither an address nor a name"),
            "allowed: a DNS name, or an address like 10.6.0.2",
        ));
    }
    name(text).map(NameOrAddress::Name)
}

/// A name for a network device (IFNAMSIZ is 16 with the final zero octet).
pub(crate) fn device(text: &str) -> Result<String, Complaint> {
    let fits = !text.is_empty()
        && text.len() <= 15
        && text != "."
        && text != ".."
        && text.bytes().all(|c| c.is_ascii_graphic() && c != b'/' && c != b':' && c != b'%');
    if fits {
        return Ok(text.to_owned());
    }
    Err(Complaint::new(
        Rule::Device,
        format!("`{text}` cannot name a device"),
        "allowed: 1 to 15 characters without space, `/`, `:` and `%`",
    ))
}

pub(crate) fn path(text: &str) -> Result<String, Complaint> {
    if text.is_empty() || text.contains('\0') {
        return Err(Complaint::new(
            Rule::Path,
            "this path names no file",
            "allowed: a path, relative to this file",
        ));
    }
    Ok(text.to_owned())
}

/// `N` or `LOW-HIGH`, from 1.
pub(crate) fn ports(text: &str) -> Result<RangeInclusive<u16>, Complaint> {
    let one = |t: &str| t.parse::<u16>().ok().filter(|_| t.bytes().all(|c| c.is_ascii_digit()));
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    match (one(low), one(high)) {
        (Some(low), Some(high)) if low >= 1 && low <= high => Ok(low..=high),
        (Some(low), Some(high)) if low > high => Err(Complaint::new(
            Rule::Ports,
            format!("port range `{text}` is empty"),
            format!("did you mean {high}-{low}?"),
        )),
        _ => Err(Complaint::new(
            Rule::Ports,
            format!("`{text}` is no port and no range of ports"),
            "allowed: a number from 1 to 65535, or LOW-HIGH",
        )),
    }
}

fn prefix_complaint(
    text: &str,
    error: PrefixError,
    example: &str,
    width: u8,
    hint: Option<String>,
) -> Complaint {
    match error {
        PrefixError::Syntax => Complaint::new(
            Rule::Prefix,
            format!("`{text}` is no prefix"),
            format!("allowed: address/length like {example}"),
        ),
        PrefixError::Length => Complaint::new(
            Rule::PrefixLength,
            format!("prefix length in `{text}` is larger than the address"),
            format!("allowed: 0 to {width}"),
        ),
        PrefixError::HostBits => Complaint::new(
            Rule::Prefix,
            format!("`{text}` has bits set behind the prefix length"),
            hint.map_or_else(|| "clear them".to_owned(), |h| format!("did you mean {h}?")),
        ),
    }
}

fn hint4(text: &str) -> Option<String> {
    let (address, length) = text.split_once('/')?;
    Some(Ipv4Prefix::containing(address.parse().ok()?, length.parse().ok()?).to_string())
}

fn hint6(text: &str) -> Option<String> {
    let (address, length) = text.split_once('/')?;
    Some(Ipv6Prefix::containing(address.parse().ok()?, length.parse().ok()?).to_string())
}
