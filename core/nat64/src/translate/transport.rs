//! Ports, identifiers and checksums of what the IP header carries.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::checksum::{self, Sum};
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Packet, icmpv6, tcp, udp};

use super::{Carried, Layout4, Ports};
use crate::endpoint::Proto;

/// A part of what a checksum covers, before and after.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) old: Sum,
    pub(super) new: Sum,
}

impl Change {
    /// The change of addresses in the pseudo-header of TCP and UDP: protocol number and length stay what they are.
    pub(super) fn to_v4(old: (Ipv6Addr, Ipv6Addr), new: (Ipv4Addr, Ipv4Addr)) -> Self {
        Self { old: sum6(old), new: sum4(new) }
    }

    /// The other way round.
    pub(super) fn to_v6(old: (Ipv4Addr, Ipv4Addr), new: (Ipv6Addr, Ipv6Addr)) -> Self {
        Self { old: sum4(old), new: sum6(new) }
    }

    fn and(self, other: Self) -> Self {
        Self { old: self.old.and(other.old), new: self.new.and(other.new) }
    }
}

fn sum6((src, dst): (Ipv6Addr, Ipv6Addr)) -> Sum {
    Sum::new().with_v6(src).with_v6(dst)
}

fn sum4((src, dst): (Ipv4Addr, Ipv4Addr)) -> Sum {
    Sum::new().with_v4(src).with_v4(dst)
}

/// Ports in the IPv6 packet's transport header, or the identifier of an ICMPv6 echo message as both.
/// `None` when the header is cut short, or the message is no echo.
#[must_use]
pub fn ends6(proto: Proto, transport: &[u8]) -> Option<Ports> {
    ends(proto, transport, [icmpv6::ECHO_REQUEST, icmpv6::ECHO_REPLY])
}

/// Ports in the IPv4 packet's transport header, or the identifier of an ICMP echo message as both.
/// `None` when the header is cut short, or the message is no echo.
#[must_use]
pub fn ends4(proto: Proto, transport: &[u8]) -> Option<Ports> {
    ends(proto, transport, [super::icmp::ECHO_REQUEST, super::icmp::ECHO_REPLY])
}

fn ends(proto: Proto, transport: &[u8], echo: [u8; 2]) -> Option<Ports> {
    // Eight octets are what every error quotes and every transport has.
    let head = transport.get(..8)?;
    match proto {
        Proto::Tcp | Proto::Udp => Some(Ports {
            src: u16::from_be_bytes([head[0], head[1]]),
            dst: u16::from_be_bytes([head[2], head[3]]),
        }),
        Proto::Icmp => {
            let identifier = u16::from_be_bytes([head[4], head[5]]);
            echo.contains(&head[0]).then_some(Ports { src: identifier, dst: identifier })
        }
    }
}

/// Writes new ports into a TCP or UDP header and corrects the checksum, where it is there, by what changed.
///
/// With `partial` the field holds the sum of the pseudo-header only and the device adds the rest.
pub(super) fn rewrite(proto: Proto, transport: &mut [u8], addresses: Change, ports: Ports, partial: bool) {
    let Some(head) = transport.get_mut(..4) else { return };
    let old = Sum::new().with(head);
    head[..2].copy_from_slice(&ports.src.to_be_bytes());
    head[2..].copy_from_slice(&ports.dst.to_be_bytes());
    let ports = Change { old, new: Sum::new().with(head) };
    let at = match proto {
        Proto::Tcp => tcp::CHECKSUM,
        Proto::Udp => udp::CHECKSUM,
        Proto::Icmp => return,
    };
    let Some(field) = transport.get_mut(at..at + 2) else { return };
    let value = u16::from_be_bytes([field[0], field[1]]);
    if partial {
        field.copy_from_slice(&correct_partial(value, addresses).to_be_bytes());
        return;
    }
    if proto == Proto::Udp && value == 0 {
        // No checksum. The engine decides before it comes here; in a quote it stays what it was.
        return;
    }
    let change = addresses.and(ports);
    let mut value = checksum::update(value, change.old, change.new);
    if proto == Proto::Udp && value == 0 {
        // RFC 768: a checksum that is zero goes out as all ones, because zero means that there is none.
        value = 0xffff;
    }
    field.copy_from_slice(&value.to_be_bytes());
}

/// Corrects the checksum of any other transport whose pseudo-header has the addresses in it, where it is there.
pub(super) fn rewrite_addresses(carried: Carried, transport: &mut [u8], addresses: Change, partial: bool) {
    let Some(at) = carried.checksum() else { return };
    let Some(field) = transport.get_mut(at..at + 2) else { return };
    let value = u16::from_be_bytes([field[0], field[1]]);
    let value = if partial {
        correct_partial(value, addresses)
    } else {
        match checksum::update(value, addresses.old, addresses.new) {
            // RFC 3828, section 3.1: not even UDP-Lite may go without; for the others the two are the same number.
            0 => 0xffff,
            value => value,
        }
    };
    field.copy_from_slice(&value.to_be_bytes());
}

/// Turns an echo message into that of the other family: type, identifier and, for the pseudo-header that only ICMPv6
/// has, the checksum.
pub(super) fn rewrite_echo(message: &mut [u8], kind: u8, identifier: u16, pseudo: Change, partial: bool) {
    let Some(head) = message.get_mut(..8) else { return };
    let value = u16::from_be_bytes([head[2], head[3]]);
    let covered = |head: &[u8]| Sum::new().with(&head[..2]).with(&head[4..6]);
    let old = covered(head);
    head[0] = kind;
    head[4..6].copy_from_slice(&identifier.to_be_bytes());
    let value = if partial {
        correct_partial(value, pseudo)
    } else {
        let change = pseudo.and(Change { old, new: covered(head) });
        checksum::update(value, change.old, change.new)
    };
    head[2..4].copy_from_slice(&value.to_be_bytes());
}

fn correct_partial(value: u16, change: Change) -> u16 {
    Sum::new().with_word(value).minus(change.old).and(change.new).fold()
}

/// Computes the checksum of an IPv4 UDP datagram that has none, so that it can be corrected like any other.
///
/// False when the datagram is not whole.
pub fn fill_udp_checksum(datagram: &mut [u8], src: Ipv4Addr, dst: Ipv4Addr) -> bool {
    let Some(head) = datagram.get_mut(..udp::HEADER) else { return false };
    head[udp::CHECKSUM..].fill(0);
    let length = u16::from_be_bytes([head[4], head[5]]);
    let Some(covered) = datagram.get(..usize::from(length)).filter(|c| c.len() >= udp::HEADER) else {
        return false;
    };
    let pseudo = checksum::pseudo_v4(src, dst, Proto::Udp.v4_number(), length);
    let sum = match pseudo.with(covered).finish() {
        0 => 0xffff,
        sum => sum,
    };
    datagram[udp::CHECKSUM..udp::HEADER].copy_from_slice(&sum.to_be_bytes());
    true
}

/// Makes a UDP super-packet without checksum one whose checksums the device makes, a datagram at a time.
pub fn prepare_udp_partial(packet: &mut Packet, at: &Layout4) {
    let (Ok(start), Ok(length)) = (u16::try_from(at.transport), u16::try_from(at.total - at.transport))
    else {
        return;
    };
    let sum = checksum::pseudo_v4(at.src, at.dst, Proto::Udp.v4_number(), length).fold();
    let field = at.transport + udp::CHECKSUM;
    if let Some(field) = packet.bytes_mut().get_mut(field..field + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
        packet.offload.partial_checksum = Some(PartialChecksum { start, offset: udp::CHECKSUM as u16 });
    }
}

/// Does what the device would have done: adds the rest to a checksum that covers only the pseudo-header.
pub fn finish_partial(packet: &mut Packet) {
    let Some(partial) = packet.offload.partial_checksum.take() else { return };
    let Some(covered) = packet.bytes_mut().get_mut(usize::from(partial.start)..) else { return };
    let sum = match Sum::new().with(covered).finish() {
        // Right for every transport: the two are the same number, and for UDP zero would mean that there is none.
        0 => 0xffff,
        sum => sum,
    };
    let at = usize::from(partial.offset);
    if let Some(field) = covered.get_mut(at..at + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const B: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 30);

    #[test]
    fn a_udp_checksum_never_becomes_zero() {
        // Of all source ports one makes the new checksum zero.
        let six = (Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
        let mut met = false;
        for port in 1..=u16::MAX {
            let mut datagram = [0, 1, 0, 2, 0, 8, 0, 0];
            assert!(fill_udp_checksum(&mut datagram, A, B));
            rewrite(
                Proto::Udp,
                &mut datagram,
                Change::to_v6((A, B), six),
                Ports { src: port, dst: 2 },
                false,
            );
            let field = [datagram[6], datagram[7]];
            assert_ne!(field, [0, 0]);
            met |= field == [0xff, 0xff];
            let whole = checksum::pseudo_v6(six.0, six.1, 17, 8).with(&datagram);
            assert_eq!(whole.fold(), 0xffff);
        }
        assert!(met);
    }

    #[test]
    fn a_datagram_that_is_not_whole_gets_no_checksum() {
        assert!(!fill_udp_checksum(&mut [0, 1, 0, 2, 0, 9, 0, 0], A, B));
        assert!(!fill_udp_checksum(&mut [0, 1, 0, 2, 0, 7, 0, 0], A, B));
        assert!(!fill_udp_checksum(&mut [0; 7], A, B));
    }

    #[test]
    fn a_partial_checksum_is_the_sum_of_the_new_pseudo_header_whatever_the_ports() {
        let six = (Ipv6Addr::LOCALHOST, "2001:db8::77".parse().unwrap());
        let mut segment = [0_u8; 20];
        segment[16..18].copy_from_slice(&checksum::pseudo_v4(A, B, 6, 20).fold().to_be_bytes());
        let ports = Ports { src: 40_000, dst: 443 };
        rewrite(Proto::Tcp, &mut segment, Change::to_v6((A, B), six), ports, true);
        let expected = checksum::pseudo_v6(six.0, six.1, 6, 20).fold();
        assert_eq!(u16::from_be_bytes([segment[16], segment[17]]), expected);
    }

    #[test]
    fn ends_of_messages_that_are_no_echo_are_none() {
        assert_eq!(
            ends6(Proto::Icmp, &[128, 0, 0, 0, 0x12, 0x34, 0, 0]),
            Some(Ports { src: 0x1234, dst: 0x1234 })
        );
        assert_eq!(ends6(Proto::Icmp, &[1, 0, 0, 0, 0x12, 0x34, 0, 0]), None);
        assert_eq!(ends4(Proto::Icmp, &[8, 0, 0, 0, 0, 9, 0, 0]), Some(Ports { src: 9, dst: 9 }));
        assert_eq!(ends4(Proto::Udp, &[0, 1, 0, 2, 0, 0, 0]), None);
    }
}
