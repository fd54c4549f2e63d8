//! The packet that an ICMP error quotes, and the extension behind it (RFC 4884).

use sixgate_wire::icmpv6;

use super::icmp::{PARAMETER_PROBLEM, TIME_EXCEEDED, UNREACHABLE};
use super::{Carried, Layout4, Layout6, Ports, ends4, ends6};
use crate::endpoint::Proto;

/// The quoted packet of an ICMPv6 error.
#[derive(Clone, Copy, Debug)]
pub struct Quote6<'a, T = Proto> {
    /// Its headers; `total` is what its length field says, not what is quoted.
    pub layout: Layout6,
    /// Its transport.
    pub proto: T,
    /// Its ports, or the identifier of its echo message; zero where it has neither.
    pub ports: Ports,
    /// Its octets, as far as they are quoted.
    pub(super) bytes: &'a [u8],
    /// The extension structure, or nothing.
    pub(super) extension: &'a [u8],
}

impl<'a> Quote6<'a> {
    /// Reads the error `message`, which starts at the ICMPv6 header.
    ///
    /// `None` when the quoted packet is not one that a NAT64 sends: cut short before its ports, a later fragment, an
    /// ICMP message other than an echo, another protocol.
    #[must_use]
    pub fn of(message: &'a [u8]) -> Option<Self> {
        let (layout, bytes, extension) = read6(message)?;
        if layout.part().is_some_and(|f| f.offset != 0) {
            return None;
        }
        let proto = Proto::from_v6(layout.protocol)?;
        let ports = ends6(proto, bytes.get(layout.transport..)?)?;
        Some(Self { layout, proto, ports, bytes, extension })
    }
}

impl<'a> Quote6<'a, Carried> {
    /// Reads the error `message`, which starts at the ICMPv6 header, whatever the quoted packet carries.
    ///
    /// `None` when it is not one that a stateless translator sends: cut short before its ports, an ICMP message other
    /// than an echo, a part of an ICMP message.
    #[must_use]
    pub fn of_any(message: &'a [u8]) -> Option<Self> {
        let (layout, bytes, extension) = read6(message)?;
        let carried = Carried::from_v6(layout.protocol)?;
        let part = layout.part().map(|f| f.offset);
        let ports = ends_of_any(carried, part, |proto| ends6(proto, bytes.get(layout.transport..)?))?;
        Some(Self { layout, proto: carried, ports, bytes, extension })
    }
}

fn read6(message: &[u8]) -> Option<(Layout6, &[u8], &[u8])> {
    let body = message.get(icmpv6::HEADER..)?;
    // RFC 4884, section 4: in units of 64 bits, and only in these two messages.
    let length = match message[0] {
        icmpv6::UNREACHABLE | icmpv6::TIME_EXCEEDED => usize::from(message[4]) * 8,
        _ => 0,
    };
    let (quoted, extension) = split(body, length);
    let (layout, bytes) = Layout6::of_quoted(quoted).ok()?;
    Some((layout, bytes, extension))
}

/// The quoted packet of an ICMPv4 error.
#[derive(Clone, Copy, Debug)]
pub struct Quote4<'a, T = Proto> {
    /// Its headers; `total` is what its length field says, not what is quoted.
    pub layout: Layout4,
    /// Its transport.
    pub proto: T,
    /// Its ports, or the identifier of its echo message; zero where it has neither.
    pub ports: Ports,
    /// Its octets, as far as they are quoted.
    pub(super) bytes: &'a [u8],
    /// The extension structure, or nothing.
    pub(super) extension: &'a [u8],
}

impl<'a> Quote4<'a> {
    /// Reads the error `message`, which starts at the ICMP header. `None` as in [`Quote6::of`].
    #[must_use]
    pub fn of(message: &'a [u8]) -> Option<Self> {
        let (layout, bytes, extension) = read4(message)?;
        if layout.fragment.is_some_and(|f| f.offset != 0) {
            return None;
        }
        let proto = Proto::from_v4(layout.protocol)?;
        let ports = ends4(proto, bytes.get(layout.transport..)?)?;
        Some(Self { layout, proto, ports, bytes, extension })
    }
}

impl<'a> Quote4<'a, Carried> {
    /// Reads the error `message`, which starts at the ICMP header. `None` as in [`Quote6::of_any`].
    #[must_use]
    pub fn of_any(message: &'a [u8]) -> Option<Self> {
        let (layout, bytes, extension) = read4(message)?;
        let carried = Carried::from_v4(layout.protocol)?;
        let part = layout.fragment.map(|f| f.offset);
        let ports = ends_of_any(carried, part, |proto| ends4(proto, bytes.get(layout.transport..)?))?;
        Some(Self { layout, proto: carried, ports, bytes, extension })
    }
}

fn read4(message: &[u8]) -> Option<(Layout4, &[u8], &[u8])> {
    let body = message.get(icmpv6::HEADER..)?;
    // RFC 4884, section 4: in units of 32 bits.
    let length = match message[0] {
        UNREACHABLE | TIME_EXCEEDED | PARAMETER_PROBLEM => usize::from(message[5]) * 4,
        _ => 0,
    };
    let (quoted, extension) = split(body, length);
    let (layout, bytes) = Layout4::of_quoted(quoted).ok()?;
    Some((layout, bytes, extension))
}

/// Ports of a quoted packet that may carry anything and be a part of a datagram, at the offset `part`.
fn ends_of_any(
    carried: Carried,
    part: Option<u16>,
    ends: impl FnOnce(Proto) -> Option<Ports>,
) -> Option<Ports> {
    match (carried, part) {
        // RFC 7915, section 1.2: fragments of ICMP messages are not translated.
        (Carried::Known(Proto::Icmp), Some(_)) => None,
        (Carried::Known(proto), None | Some(0)) => ends(proto),
        (Carried::Known(Proto::Tcp | Proto::Udp), Some(_)) | (Carried::Other(_), _) => {
            Some(Ports { src: 0, dst: 0 })
        }
    }
}

/// The quoted datagram and what follows it; all is datagram when the length field says nothing or lies.
fn split(body: &[u8], length: usize) -> (&[u8], &[u8]) {
    match length {
        0 => (body, &[]),
        _ => body.split_at_checked(length).unwrap_or((body, &[])),
    }
}
