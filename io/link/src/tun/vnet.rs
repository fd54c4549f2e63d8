//! The header before each packet of a TUN device (virtio 1.2, section 5.1.6: `virtio_net_hdr`), and our metadata.
//!
//! ```text
//!  0      flags         1 = the checksum is not finished
//!  1      gso type      0 none, 1 TCP in IPv4, 4 TCP in IPv6, 5 UDP; 0x80 beside them: TCP with CWR
//!  2..4   header length all headers before the payload
//!  4..6   gso size      payload octets a segment
//!  6..8   csum start    from the start of the IP header
//!  8..10  csum offset   from csum start
//! ```

use sixgate_wire::ipv4::{self, Ipv4};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::tcp::Tcp;
use sixgate_wire::{Offload, Packet, Segmentation, udp};

/// Octets of the header, without the buffer count that only a queue of real virtio has.
pub(super) const HEADER: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const NONE: u8 = 0;
const TCP_V4: u8 = 1;
const TCP_V6: u8 = 4;
const UDP: u8 = 5;
const WITH_CWR: u8 = 0x80;
/// Congestion window reduced, in the flags of TCP.
const CWR: u8 = 0x80;

/// What the kernel says of `packet`; `None` when the packet is not IP, not whole, or what is said does not fit it.
///
/// "Data valid" (flag 2) is of no use here: whoever ends the packet's way checks the checksum itself.
pub(super) fn decode(header: &[u8; HEADER], packet: &[u8]) -> Option<Offload> {
    let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let version = packet.first()? >> 4;
    match version {
        4 => _ = Ipv4::parse(packet).ok()?,
        6 => _ = Ipv6::parse(packet).ok()?,
        _ => return None,
    }
    let partial_checksum = if header[0] & NEEDS_CHECKSUM == 0 {
        None
    } else {
        let partial = PartialChecksum { start: word(6), offset: word(8) };
        let (start, field) =
            (usize::from(partial.start), usize::from(partial.start) + usize::from(partial.offset));
        if start < ipv4::HEADER || field + 2 > packet.len() {
            return None;
        }
        Some(partial)
    };
    let size = word(4);
    let segmentation = match (header[1] & !WITH_CWR, version) {
        (NONE, 4 | 6) => Segmentation::None,
        (TCP_V4, 4) | (TCP_V6, 6) if size > 0 => Segmentation::Tcp { mss: size },
        (UDP, 4 | 6) if size > 0 => Segmentation::Udp { size },
        _ => return None,
    };
    Some(Offload { partial_checksum, segmentation })
}

/// What the kernel is told of `packet`; `None` when its metadata does not fit it.
pub(super) fn encode(packet: &Packet) -> Option<[u8; HEADER]> {
    let mut header = [0; HEADER];
    let bytes = packet.bytes();
    if let Some(partial) = packet.offload.partial_checksum {
        if usize::from(partial.start) + usize::from(partial.offset) + 2 > bytes.len() {
            return None;
        }
        header[0] = NEEDS_CHECKSUM;
        header[6..8].copy_from_slice(&partial.start.to_le_bytes());
        header[8..10].copy_from_slice(&partial.offset.to_le_bytes());
    }
    let (kind, size) = match packet.offload.segmentation {
        Segmentation::None => return Some(header),
        Segmentation::Tcp { mss } => (if bytes.first()? >> 4 == 6 { TCP_V6 } else { TCP_V4 }, mss),
        Segmentation::Udp { size } => (UDP, size),
    };
    let transport = transport(bytes)?;
    let (payload, cwr) = if kind == UDP {
        (transport + udp::HEADER, false)
    } else {
        let tcp = Tcp::parse(bytes.get(transport..)?).ok()?;
        (transport + tcp.header_len(), tcp.flags() & CWR != 0)
    };
    // The kernel keeps the headers apart from the payload, and this is where it divides.
    let length = u16::try_from(payload).ok().filter(|_| payload <= bytes.len() && size > 0)?;
    header[1] = if cwr { kind | WITH_CWR } else { kind };
    header[2..4].copy_from_slice(&length.to_le_bytes());
    header[4..6].copy_from_slice(&size.to_le_bytes());
    Some(header)
}

fn transport(bytes: &[u8]) -> Option<usize> {
    if bytes.first()? >> 4 == 6 {
        Ipv6::parse(bytes).ok()?.upper().ok().map(|u| u.offset)
    } else {
        Ipv4::parse(bytes).ok().map(|ip| ip.header_len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp_v6(flags: u8) -> Packet {
        let mut bytes = [0_u8; 200];
        bytes[0] = 0x60;
        bytes[4..6].copy_from_slice(&160_u16.to_be_bytes());
        bytes[6] = 6;
        bytes[52] = 0x80;
        bytes[53] = flags;
        let mut packet = Packet::from_slice(&bytes);
        packet.offload = Offload {
            partial_checksum: Some(PartialChecksum { start: 40, offset: 16 }),
            segmentation: Segmentation::Tcp { mss: 64 },
        };
        packet
    }

    #[test]
    fn a_super_packet_is_said_as_the_kernel_says_it() {
        let packet = tcp_v6(0x10);
        let header = encode(&packet).unwrap();
        assert_eq!(header, [1, 4, 72, 0, 64, 0, 40, 0, 16, 0]);
        assert_eq!(decode(&header, packet.bytes()), Some(packet.offload));
        assert_eq!(encode(&tcp_v6(0x90)).unwrap()[1], 0x84);
    }

    #[test]
    fn what_does_not_fit_the_packet_is_refused() {
        let packet = tcp_v6(0x10);
        let good = encode(&packet).unwrap();
        let with = |at: usize, value: u8| {
            let mut header = good;
            header[at] = value;
            decode(&header, packet.bytes())
        };
        // TCP in IPv4 and an unknown type for an IPv6 packet, no segment size, checksum in the IP header and outside.
        for (at, value) in [(1, 1), (1, 3), (1, 9), (4, 0), (6, 19), (6, 183), (7, 1)] {
            assert_eq!(with(at, value), None, "{at} {value}");
        }
        assert!(with(6, 182).is_some());
        assert_eq!(decode(&[0; HEADER], &[]), None);
        assert_eq!(decode(&[0; HEADER], &[0x50; 40]), None);
    }

    #[test]
    fn metadata_that_does_not_fit_is_not_told_to_the_kernel() {
        let mut packet = tcp_v6(0x10);
        packet.truncate(60);
        assert_eq!(encode(&packet), None);
        let mut packet = Packet::from_slice(&[0x45; 30]);
        packet.offload.partial_checksum = Some(PartialChecksum { start: 20, offset: 16 });
        assert_eq!(encode(&packet), None);
        packet.offload = Offload { partial_checksum: None, segmentation: Segmentation::Udp { size: 9 } };
        assert_eq!(encode(&packet), None);
    }
}
