//! A pool address that is also the gateway's own: on the device it wears another one.
//!
//! The kernel takes every packet to one of its own addresses for itself, so the ports that belong to the pool are marked
//! by netfilter with an address that is nobody's (see [`crate::parent::ports`]), routed to the device by it, and given
//! their own address back here. Packets on their way out go through the same two steps in reverse. Neither address
//! is ever seen with the other's packets on a wire.

use std::net::Ipv4Addr;

use sixgate_wire::checksum::{Sum, update};
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::{Packet, protocol, tcp, udp};

/// Position of the source address in an IPv4 header.
const SOURCE: usize = 12;
/// Position of the destination address in an IPv4 header.
const DESTINATION: usize = 16;

/// The own addresses of the pool, each with the address it wears on the device. A handful at most, so a list is a table.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Aliases(Vec<Alias>);

/// One own address and its stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    /// The gateway's own address.
    pub(crate) own: Ipv4Addr,
    /// What the device sees instead.
    pub(crate) worn: Ipv4Addr,
}

impl Aliases {
    /// Stand-ins for `own`: 192.0.0.8, the dummy address of RFC 7600, section 4.8, and what IANA left unassigned in
    /// 192.0.0.0/24 behind it. An address keeps the one that it has in `before`: its packets may be under way.
    pub(crate) fn after(before: Option<&Self>, own: &[Ipv4Addr]) -> Self {
        let known = |address: &Ipv4Addr| before?.iter().find(|alias| alias.own == *address);
        let kept: Vec<Alias> = own.iter().filter_map(known).collect();
        let mut free = std::iter::once(8)
            .chain(11..=110)
            .map(|last| Ipv4Addr::new(192, 0, 0, last))
            .filter(|worn| kept.iter().all(|alias| alias.worn != *worn));
        let of = |own: &Ipv4Addr| known(own).or_else(|| free.next().map(|worn| Alias { own: *own, worn }));
        Self(own.iter().filter_map(of).collect())
    }

    /// All pairs.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Alias> + '_ {
        self.0.iter().copied()
    }

    /// A packet from the device: its destination becomes the own address again.
    pub(crate) fn take_off(&self, packet: &mut Packet) {
        let Ok(ip) = Ipv4::parse(packet.bytes()) else { return };
        if let Some(alias) = self.0.iter().find(|a| a.worn == ip.dst()) {
            let alias = *alias;
            replace(packet, DESTINATION, alias.worn, alias.own);
            take_off_quoted(packet, alias);
        }
    }

    /// A packet for the device: its source becomes the stand-in.
    pub(crate) fn put_on(&self, packet: &mut Packet) {
        let Ok(ip) = Ipv4::parse(packet.bytes()) else { return };
        if let Some(alias) = self.0.iter().find(|a| a.own == ip.src()) {
            replace(packet, SOURCE, alias.own, alias.worn);
        }
    }
}

/// The kernel's own errors, of a hop or a way that is not there, quote what left by the device, stand-in and all.
fn take_off_quoted(packet: &mut Packet, alias: Alias) {
    let bytes = packet.bytes_mut();
    let message = usize::from(bytes[0] & 0x0f) * 4;
    let quoted = message + 8;
    let whole = (bytes[6] & 0x3f, bytes[7]) == (0, 0);
    let is_error = whole && bytes[9] == protocol::ICMP && matches!(bytes.get(message), Some(3 | 11 | 12));
    let source = quoted + SOURCE..quoted + SOURCE + 4;
    if !is_error || bytes.get(source.clone()) != Some(&alias.worn.octets()[..]) {
        return;
    }
    let (old, new) = (Sum::new().with_v4(alias.worn), Sum::new().with_v4(alias.own));
    bytes[source].copy_from_slice(&alias.own.octets());
    // This makes up for the address, so the sum of the message stays; what the transport's becomes changes it.
    correct(bytes, quoted + 10, |sum| update(sum, old, new));
    let header = usize::from(bytes[quoted] & 0x0f) * 4;
    let position = match bytes[quoted + 9] {
        protocol::TCP => quoted + header + tcp::CHECKSUM,
        protocol::UDP => quoted + header + udp::CHECKSUM,
        _ => return,
    };
    let Some(&[high, low]) = bytes.get(position..position + 2) else { return };
    let before = u16::from_be_bytes([high, low]);
    let after = update(before, old, new);
    correct(bytes, position, |_| after);
    let word = |word| Sum::new().with_word(word);
    correct(bytes, message + 2, |sum| update(sum, word(before), word(after)));
}

/// Replaces the address at `field` and corrects the checksums that cover it. The packet is a checked IPv4 packet.
fn replace(packet: &mut Packet, field: usize, old: Ipv4Addr, new: Ipv4Addr) {
    let (old, new_octets) = (Sum::new().with_v4(old), new.octets());
    let new = Sum::new().with_v4(new);
    let partial = packet.offload.partial_checksum.is_some();
    let bytes = packet.bytes_mut();
    bytes[field..field + 4].copy_from_slice(&new_octets);
    correct(bytes, 10, |sum| update(sum, old, new));
    let header = usize::from(bytes[0] & 0x0f) * 4;
    let first_part = (u16::from(bytes[6] & 0x1f) << 8 | u16::from(bytes[7])) == 0;
    let position = match bytes[9] {
        protocol::TCP => header + tcp::CHECKSUM,
        protocol::UDP => header + udp::CHECKSUM,
        _ => return,
    };
    if !first_part || position + 2 > bytes.len() {
        return;
    }
    if partial {
        // The field holds the pseudo-header sum alone, not complemented.
        correct(bytes, position, |sum| Sum::new().with_word(sum).minus(old).and(new).fold());
    } else if bytes[9] == protocol::TCP {
        correct(bytes, position, |sum| update(sum, old, new));
    } else {
        // RFC 768: zero means that there is no checksum, so a sum of zero is sent as all ones.
        correct(bytes, position, |sum| match sum {
            0 => 0,
            sum => match update(sum, old, new) {
                0 => 0xffff,
                sum => sum,
            },
        });
    }
}

fn correct(bytes: &mut [u8], at: usize, change: impl FnOnce(u16) -> u16) {
    let sum = change(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_wire::checksum::pseudo_v4;
    use sixgate_wire::ipv4::Header;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
    const WORN: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
    const PEER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 30);

    #[test]
    fn an_error_of_the_kernel_quotes_the_own_address_again() {
        let left = udp_packet(WORN, PEER, true);
        let mut error = udp_packet(OWN, WORN, false);
        error.truncate(20);
        assert!(error.extend(&[11, 0, 0, 0, 0, 0, 0, 0]) && error.extend(left.bytes()));
        error.bytes_mut()[9] = protocol::ICMP;
        let sum = Sum::new().with(&error.bytes()[20..]).finish();
        error.bytes_mut()[22..24].copy_from_slice(&sum.to_be_bytes());
        Aliases::after(None, &[OWN]).take_off(&mut error);
        assert_eq!(error.bytes()[16..20], OWN.octets());
        assert_eq!(error.bytes()[40..44], OWN.octets());
        assert_eq!(Sum::new().with(&error.bytes()[28..48]).finish(), 0, "the quoted header");
        let sum = pseudo_v4(OWN, PEER, protocol::UDP, 12).with(&error.bytes()[48..60]).finish();
        assert_eq!(sum, 0, "the quoted datagram");
        assert_eq!(Sum::new().with(&error.bytes()[20..]).finish(), 0, "the message");
    }

    fn udp_packet(src: Ipv4Addr, dst: Ipv4Addr, checksum: bool) -> Packet {
        let header = Header {
            tos: 0,
            total_len: 32,
            identification: 7,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 60,
            protocol: protocol::UDP,
            src,
            dst,
        };
        let mut transport = [0x27, 0x10, 0, 80, 0, 12, 0, 0, 1, 2, 3, 4];
        if checksum {
            let sum = pseudo_v4(src, dst, protocol::UDP, 12).with(&transport).finish();
            transport[6..8].copy_from_slice(&sum.to_be_bytes());
        }
        let mut packet = Packet::with_capacity(64);
        assert!(packet.extend(&header.octets()) && packet.extend(&transport));
        packet
    }

    #[test]
    fn both_ways_give_the_packet_that_the_kernel_would_have_made() {
        let aliases = Aliases::after(None, &[OWN]);
        let mut out = udp_packet(OWN, PEER, true);
        aliases.put_on(&mut out);
        assert_eq!(out.bytes(), udp_packet(WORN, PEER, true).bytes());
        let mut back = udp_packet(PEER, WORN, true);
        aliases.take_off(&mut back);
        assert_eq!(back.bytes(), udp_packet(PEER, OWN, true).bytes());
    }

    #[test]
    fn a_datagram_without_checksum_stays_without() {
        let mut back = udp_packet(PEER, WORN, false);
        Aliases::after(None, &[OWN]).take_off(&mut back);
        assert_eq!(back.bytes(), udp_packet(PEER, OWN, false).bytes());
    }

    #[test]
    fn an_address_keeps_its_stand_in_when_others_come_and_go() {
        let [a, b, c] = [1, 2, 3].map(|last| Ipv4Addr::new(10, 6, 0, last));
        let before = Aliases::after(None, &[a, b]);
        assert_eq!(before.iter().map(|alias| alias.worn.octets()[3]).collect::<Vec<_>>(), [8, 11]);
        let after = Aliases::after(Some(&before), &[c, b]);
        let worn = |own| after.iter().find(|alias| alias.own == own).map(|alias| alias.worn.octets()[3]);
        assert_eq!((worn(a), worn(b), worn(c)), (None, Some(11), Some(8)));
    }

    #[test]
    fn other_addresses_are_left_alone() {
        let before = udp_packet(PEER, OWN, true);
        let mut after = before.clone();
        Aliases::after(None, &[OWN]).take_off(&mut after);
        Aliases::after(None, &[OWN]).put_on(&mut after);
        assert_eq!(after.bytes(), before.bytes());
    }
}
