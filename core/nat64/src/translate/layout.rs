//! Where things are in a packet that is to be translated, and what makes it untranslatable.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::extension::{self, Fragment};
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::{Malformed, protocol};

/// Loose source routing (RFC 791, section 3.1).
const LOOSE_SOURCE_ROUTE: u8 = 131;
/// Strict source routing.
const STRICT_SOURCE_ROUTE: u8 = 137;

/// Why an IPv6 packet cannot be translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault6 {
    /// Not a packet.
    Malformed(Malformed),
    /// A routing header with segments left; the pointer names its segments-left octet.
    RoutingHeader {
        /// Octets from the start of the packet.
        pointer: u32,
    },
    /// An extension header inside the fragmented part.
    ExtensionAfterFragment,
}

/// Why an IPv4 packet cannot be translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault4 {
    /// Not a packet, or its header is damaged.
    Malformed(Malformed),
    /// A source route that has not reached its end.
    SourceRoute,
}

/// An IPv6 packet as translation sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout6 {
    /// Octets, header included. What lies behind is no part of the packet.
    pub total: usize,
    /// Where the transport header starts; in a later fragment, where its data starts.
    pub transport: usize,
    /// IPv6 number of the transport. [`protocol::AH`] when an authentication header stands in front of it: then that is
    /// what `transport` is the place of.
    pub protocol: u8,
    /// The fragment header, if there is one.
    pub fragment: Option<Fragment>,
    /// Traffic class.
    pub traffic_class: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
}

impl Layout6 {
    /// Reads the headers of a whole packet.
    ///
    /// # Errors
    /// A [`Fault6`].
    pub fn of(bytes: &[u8]) -> Result<Self, Fault6> {
        let ip = Ipv6::parse(bytes).map_err(Fault6::Malformed)?;
        let layout = Self::read(&ip)?;
        Ok(layout)
    }

    /// Reads the headers of a packet that an error quotes and that may be cut short. Also gives the octets that are there.
    ///
    /// # Errors
    /// A [`Fault6`].
    pub fn of_quoted(bytes: &[u8]) -> Result<(Self, &[u8]), Fault6> {
        let ip = Ipv6::parse_quoted(bytes).map_err(Fault6::Malformed)?;
        let mut layout = Self::read(&ip)?;
        layout.total = ipv6::HEADER + usize::from(ip.payload_len());
        Ok((layout, ip.bytes()))
    }

    fn read(ip: &Ipv6<'_>) -> Result<Self, Fault6> {
        let bytes = ip.bytes();
        let upper = ip.upper().map_err(Fault6::Malformed)?;
        // RFC 7915, section 5.1: the pointer of the error names the segments-left octet, the fourth of the header.
        if let Some(at) = upper.routing {
            return Err(Fault6::RoutingHeader { pointer: at as u32 + 3 });
        }
        // RFC 7915, section 5.1.1: an extension header behind the fragment header would be cut across IPv4 fragments.
        if let Some(fragment) = upper.fragment
            && (upper.offset != fragment.at + 8 || is_extension(upper.protocol))
        {
            return Err(Fault6::ExtensionAfterFragment);
        }
        let authentication = authentication(ip, upper.offset);
        Ok(Self {
            total: bytes.len(),
            transport: authentication.unwrap_or(upper.offset),
            protocol: if authentication.is_some() { protocol::AH } else { upper.protocol },
            fragment: upper.fragment,
            traffic_class: ip.traffic_class(),
            hop_limit: ip.hop_limit(),
            src: ip.src(),
            dst: ip.dst(),
        })
    }

    /// The fragment header of a packet that is really a part of one: "atomic" fragments are whole (RFC 6946).
    #[must_use]
    pub fn part(&self) -> Option<Fragment> {
        self.fragment.filter(|f| f.more || f.offset != 0)
    }
}

fn is_extension(next_header: u8) -> bool {
    matches!(
        next_header,
        protocol::HOP_BY_HOP | protocol::ROUTING | protocol::FRAGMENT | protocol::DESTINATION | protocol::AH
    )
}

/// Where among the headers before `end`, which [`extension::walk`] has followed, an authentication header is: it covers
/// addresses, so that what it protects cannot be translated.
fn authentication(ip: &Ipv6<'_>, end: usize) -> Option<usize> {
    let bytes = ip.bytes();
    let (mut next, mut at) = (ip.next_header(), ipv6::HEADER);
    for _ in 0..=extension::MOST_HEADERS {
        if at >= end || at + 1 >= bytes.len() {
            return None;
        }
        if next == protocol::AH {
            return Some(at);
        }
        let length = if next == protocol::FRAGMENT { 8 } else { (usize::from(bytes[at + 1]) + 1) * 8 };
        next = bytes[at];
        at += length;
    }
    None
}

/// Where an IPv4 fragment belongs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment4 {
    /// Offset of this fragment's data, in octets.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
}

/// An IPv4 packet as translation sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout4 {
    /// Octets, header included. What lies behind is no part of the packet.
    pub total: usize,
    /// Where the transport header, or a later fragment's data, starts.
    pub transport: usize,
    /// IPv4 number of the transport.
    pub protocol: u8,
    /// Set for a part of a fragmented datagram.
    pub fragment: Option<Fragment4>,
    /// Identification.
    pub identification: u16,
    /// The "don't fragment" bit.
    pub dont_fragment: bool,
    /// Type of service.
    pub tos: u8,
    /// Time to live.
    pub ttl: u8,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
}

impl Layout4 {
    /// Reads the header of a whole packet.
    ///
    /// # Errors
    /// A [`Fault4`].
    pub fn of(bytes: &[u8]) -> Result<Self, Fault4> {
        let ip = Ipv4::parse(bytes).map_err(Fault4::Malformed)?;
        if !ip.header_checksum_ok() {
            return Err(Fault4::Malformed(Malformed::Ipv4));
        }
        check_options(ip.options())?;
        Ok(Self::read(&ip))
    }

    /// Reads the header of a packet that an error quotes and that may be cut short. Also gives the octets that are there.
    ///
    /// Neither checksum nor options are looked at: routers on the way changed them.
    ///
    /// # Errors
    /// A [`Fault4`].
    pub fn of_quoted(bytes: &[u8]) -> Result<(Self, &[u8]), Fault4> {
        let ip = Ipv4::parse_quoted(bytes).map_err(Fault4::Malformed)?;
        let mut layout = Self::read(&ip);
        layout.total = usize::from(ip.total_len());
        Ok((layout, ip.bytes()))
    }

    fn read(ip: &Ipv4<'_>) -> Self {
        let fragment =
            ip.is_fragment().then(|| Fragment4 { offset: ip.fragment_offset(), more: ip.more_fragments() });
        Self {
            total: ip.bytes().len(),
            transport: ip.header_len(),
            protocol: ip.protocol(),
            fragment,
            identification: ip.identification(),
            dont_fragment: ip.dont_fragment(),
            tos: ip.tos(),
            ttl: ip.ttl(),
            src: ip.src(),
            dst: ip.dst(),
        }
    }
}

/// RFC 7915, section 4.1: options are left behind, but a source route with hops to go must be refused.
fn check_options(mut options: &[u8]) -> Result<(), Fault4> {
    const MALFORMED: Fault4 = Fault4::Malformed(Malformed::Ipv4);
    while let Some((&kind, rest)) = options.split_first() {
        match kind {
            0 => return Ok(()),
            1 => options = rest,
            _ => {
                let length = usize::from(*rest.first().ok_or(MALFORMED)?);
                if length < 2 || length > options.len() {
                    return Err(MALFORMED);
                }
                if kind == LOOSE_SOURCE_ROUTE || kind == STRICT_SOURCE_ROUTE {
                    // The pointer counts from the option's first octet, starting with one.
                    let pointer = options.get(2).filter(|_| length >= 3).ok_or(MALFORMED)?;
                    if usize::from(*pointer) <= length {
                        return Err(Fault4::SourceRoute);
                    }
                }
                options = &options[length..];
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    fn v6(first: u8, rest: &[u8]) -> Vec<u8> {
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: rest.len() as u16,
            next_header: first,
            hop_limit: 9,
            src: "2001:db8::1".parse().unwrap(),
            dst: "64:ff9b::1".parse().unwrap(),
        };
        let mut bytes = header.octets().to_vec();
        bytes.extend_from_slice(rest);
        bytes
    }

    #[test]
    fn segments_left_point_at_their_octet() {
        let packet = v6(protocol::ROUTING, &[17, 0, 0, 2, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Layout6::of(&packet), Err(Fault6::RoutingHeader { pointer: 43 }));
    }

    #[test]
    fn a_finished_routing_header_is_skipped() {
        let packet = v6(protocol::ROUTING, &[17, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        let layout = Layout6::of(&packet).unwrap();
        assert_eq!((layout.transport, layout.protocol, layout.total), (48, protocol::UDP, 56));
    }

    #[test]
    fn an_extension_behind_the_fragment_header_is_refused_in_every_fragment() {
        for offset in [0_u8, 8] {
            let packet = v6(protocol::FRAGMENT, &[60, 0, 0, offset | 1, 0, 0, 0, 1, 17, 0, 1, 4, 0, 0, 0, 0]);
            assert_eq!(Layout6::of(&packet), Err(Fault6::ExtensionAfterFragment), "{offset}");
        }
    }

    #[test]
    fn authentication_hides_the_transport() {
        let packet = v6(protocol::AH, &[6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9, 9, 9]);
        let layout = Layout6::of(&packet).unwrap();
        assert_eq!((layout.protocol, layout.transport), (protocol::AH, 40));
    }

    #[test]
    fn an_atomic_fragment_is_whole() {
        let packet = v6(protocol::FRAGMENT, &[17, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0, 0]);
        let layout = Layout6::of(&packet).unwrap();
        assert!(layout.fragment.is_some() && layout.part().is_none());
    }

    #[test]
    fn only_a_source_route_with_hops_to_go_is_refused() {
        assert_eq!(check_options(&[131, 7, 4, 1, 2, 3, 4, 0]), Err(Fault4::SourceRoute));
        assert_eq!(check_options(&[1, 137, 7, 4, 1, 2, 3, 4]), Err(Fault4::SourceRoute));
        assert_eq!(check_options(&[131, 7, 8, 1, 2, 3, 4, 0]), Ok(()));
        assert_eq!(check_options(&[148, 4, 0, 0]), Ok(()));
        for bad in [&[148, 5, 0, 0][..], &[148, 1, 0, 0], &[1, 1, 1, 131], &[131, 2, 0, 0]] {
            assert_eq!(check_options(bad), Err(Fault4::Malformed(Malformed::Ipv4)), "{bad:?}");
        }
    }
}
