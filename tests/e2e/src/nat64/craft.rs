//! Packets of both families as values: what a test sends, and what it says must arrive. Written from the RFCs and with nothing of
//! the product, so that both cannot be wrong in the same way.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::packets::{checksum, sum};

/// What an IP header carries, in words that both families know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upper {
    /// A UDP datagram: ports and data.
    Udp(u16, u16, Vec<u8>),
    /// A TCP segment: ports, flags, data.
    Tcp(u16, u16, u8, Vec<u8>),
    /// An echo request: identifier, data behind it (the sequence number is 1).
    Ping(u16, Vec<u8>),
    /// An echo reply.
    Pong(u16, Vec<u8>),
    /// An ICMP message as its family writes it: type, code, the four octets behind the checksum, the rest.
    Icmp(u8, u8, u32, Vec<u8>),
    /// Another protocol.
    Other(u8, Vec<u8>),
}

/// SYN of TCP.
pub const SYN: u8 = 2;
/// FIN with ACK.
pub const FIN: u8 = 0x11;
/// RST.
pub const RST: u8 = 4;
/// ACK.
pub const ACK: u8 = 0x10;
/// SYN with ACK.
pub const SYN_ACK: u8 = 0x12;

impl Upper {
    /// The same with another source port, or another identifier.
    #[must_use]
    pub fn from(&self, port: u16) -> Self {
        match self.clone() {
            Self::Udp(_, to, data) => Self::Udp(port, to, data),
            Self::Tcp(_, to, flags, data) => Self::Tcp(port, to, flags, data),
            Self::Ping(_, data) => Self::Ping(port, data),
            Self::Pong(_, data) => Self::Pong(port, data),
            other @ (Self::Icmp(..) | Self::Other(..)) => other,
        }
    }

    /// The same with another destination port, or another identifier.
    #[must_use]
    pub fn to(&self, port: u16) -> Self {
        match self.clone() {
            Self::Udp(from, _, data) => Self::Udp(from, port, data),
            Self::Tcp(from, _, flags, data) => Self::Tcp(from, port, flags, data),
            other @ (Self::Ping(..) | Self::Pong(..) | Self::Icmp(..) | Self::Other(..)) => other.from(port),
        }
    }

    /// What comes back: ports exchanged, a reply for a request, the same data. A segment is answered with SYN and ACK.
    #[must_use]
    pub fn back(&self) -> Self {
        match self.clone() {
            Self::Udp(from, to, data) => Self::Udp(to, from, data),
            Self::Tcp(from, to, _, data) => Self::Tcp(to, from, SYN_ACK, data),
            Self::Ping(id, data) => Self::Pong(id, data),
            Self::Pong(id, data) => Self::Ping(id, data),
            other @ (Self::Icmp(..) | Self::Other(..)) => other,
        }
    }

    fn octets(&self, icmp: fn(bool) -> u8) -> Vec<u8> {
        match self {
            Self::Udp(from, to, data) => {
                let length = u16::try_from(8 + data.len()).expect("it fits a datagram");
                [&from.to_be_bytes()[..], &to.to_be_bytes(), &length.to_be_bytes(), &[0, 0], data].concat()
            }
            Self::Tcp(from, to, flags, data) => {
                let rest = [0, 0, 0, 1, 0, 0, 0, 1, 5 << 4, *flags, 0xff, 0xff, 0, 0, 0, 0];
                [&from.to_be_bytes()[..], &to.to_be_bytes(), &rest, data].concat()
            }
            Self::Ping(id, data) => [&[icmp(true), 0, 0, 0][..], &id.to_be_bytes(), &[0, 1], data].concat(),
            Self::Pong(id, data) => [&[icmp(false), 0, 0, 0][..], &id.to_be_bytes(), &[0, 1], data].concat(),
            Self::Icmp(kind, code, word, rest) => {
                [&[*kind, *code, 0, 0][..], &word.to_be_bytes(), rest].concat()
            }
            Self::Other(_, data) => data.clone(),
        }
    }

    /// Where the checksum is.
    fn field(&self) -> Option<usize> {
        match self {
            Self::Udp(..) => Some(6),
            Self::Tcp(..) => Some(16),
            Self::Ping(..) | Self::Pong(..) | Self::Icmp(..) => Some(2),
            Self::Other(..) => None,
        }
    }
}

/// An IPv6 packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Six {
    /// All eight bits.
    pub traffic_class: u8,
    /// Twenty bits.
    pub flow_label: u32,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source.
    pub source: Ipv6Addr,
    /// Destination.
    pub destination: Ipv6Addr,
    /// Next header.
    pub next: u8,
    /// Everything behind the header.
    pub body: Vec<u8>,
}

impl Six {
    /// A packet with its checksum, hop limit 64.
    #[must_use]
    pub fn of(source: Ipv6Addr, destination: Ipv6Addr, upper: &Upper) -> Self {
        let next = match upper {
            Upper::Udp(..) => 17,
            Upper::Tcp(..) => 6,
            Upper::Ping(..) | Upper::Pong(..) | Upper::Icmp(..) => 58,
            Upper::Other(number, _) => *number,
        };
        let mut body = upper.octets(|request| if request { 128 } else { 129 });
        if let Some(at) = upper.field() {
            let value = checksum(source, destination, next, &body);
            write_checksum(&mut body, at, value, next == 17);
        }
        Self { traffic_class: 0, flow_label: 0, hop_limit: 64, source, destination, next, body }
    }

    /// The same behind an extension header: what follows its first octet, which names the next header.
    #[must_use]
    pub fn behind(mut self, extension: u8, rest: &[u8]) -> Self {
        self.body = [&[self.next][..], rest, &self.body].concat();
        self.next = extension;
        self
    }

    /// In fragments of so many octets of data, all but the last; multiples of eight.
    #[must_use]
    pub fn fragments(&self, identification: u32, size: usize) -> Vec<Self> {
        let last = (self.body.len() - 1) / size;
        let parts = self.body.chunks(size).enumerate();
        parts.map(|(n, part)| self.fragment(identification, n * size, n < last, part)).collect()
    }

    /// One fragment of it, with any octets.
    #[must_use]
    pub fn fragment(&self, identification: u32, offset: usize, more: bool, part: &[u8]) -> Self {
        let place = u16::try_from(offset).expect("an offset") | u16::from(more);
        let header = [&[self.next, 0][..], &place.to_be_bytes(), &identification.to_be_bytes()].concat();
        Self { next: 44, body: [&header, part].concat(), ..self.clone() }
    }

    /// As it is on the wire.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label;
        let length = u16::try_from(self.body.len()).expect("it fits a packet");
        let head = [&first.to_be_bytes()[..], &length.to_be_bytes(), &[self.next, self.hop_limit]].concat();
        [&head[..], &self.source.octets(), &self.destination.octets(), &self.body].concat()
    }

    /// Reads what has arrived.
    ///
    /// # Panics
    /// It is no IPv6 packet of the length that it says.
    #[must_use]
    #[track_caller]
    pub fn read(octets: &[u8]) -> Self {
        assert!(octets.len() >= 40 && octets[0] >> 4 == 6, "no IPv6: {octets:02x?}");
        let first = u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]);
        assert_eq!(usize::from(word(octets, 4)), octets.len() - 40, "payload length: {octets:02x?}");
        Self {
            traffic_class: (first >> 20) as u8,
            flow_label: first & 0xf_ffff,
            hop_limit: octets[7],
            source: crate::packets::octets(&octets[8..24]),
            destination: crate::packets::octets(&octets[24..40]),
            next: octets[6],
            body: octets[40..].to_vec(),
        }
    }
}

/// An IPv4 packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Four {
    /// All eight bits.
    pub tos: u8,
    /// Identification.
    pub identification: u16,
    /// "Don't fragment".
    pub dont_fragment: bool,
    /// More fragments follow.
    pub more: bool,
    /// Offset of this fragment in octets.
    pub offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol.
    pub protocol: u8,
    /// Source.
    pub source: Ipv4Addr,
    /// Destination.
    pub destination: Ipv4Addr,
    /// Options, a multiple of four octets.
    pub options: Vec<u8>,
    /// Everything behind the header.
    pub body: Vec<u8>,
}

impl Four {
    /// A packet with its checksum: time to live 64, identification 7, "don't fragment" set.
    #[must_use]
    pub fn of(source: Ipv4Addr, destination: Ipv4Addr, upper: &Upper) -> Self {
        let protocol = match upper {
            Upper::Udp(..) => 17,
            Upper::Tcp(..) => 6,
            Upper::Ping(..) | Upper::Pong(..) | Upper::Icmp(..) => 1,
            Upper::Other(number, _) => *number,
        };
        let mut body = upper.octets(|request| if request { 8 } else { 0 });
        if let Some(at) = upper.field() {
            let value = if protocol == 1 {
                sum(&body)
            } else {
                let length = u16::try_from(body.len()).expect("it fits a packet").to_be_bytes();
                let front = [&source.octets()[..], &destination.octets(), &[0, protocol], &length].concat();
                sum(&[&front, &body[..]].concat())
            };
            write_checksum(&mut body, at, value, protocol == 17);
        }
        let (dont_fragment, more, offset) = (true, false, 0);
        let (tos, identification, ttl, options) = (0, 7, 64, Vec::new());
        Self {
            tos,
            identification,
            dont_fragment,
            more,
            offset,
            ttl,
            protocol,
            source,
            destination,
            options,
            body,
        }
    }

    /// In fragments of so many octets of data, all but the last; multiples of eight.
    #[must_use]
    pub fn fragments(&self, size: usize) -> Vec<Self> {
        let last = (self.body.len() - 1) / size;
        let parts = self.body.chunks(size).enumerate();
        parts.map(|(n, part)| self.fragment(n * size, n < last, part)).collect()
    }

    /// One fragment of it, with any octets; it says nothing of "don't fragment".
    #[must_use]
    pub fn fragment(&self, offset: usize, more: bool, part: &[u8]) -> Self {
        let offset = u16::try_from(offset).expect("an offset");
        Self { offset, more, dont_fragment: false, body: part.to_vec(), ..self.clone() }
    }

    /// As it is on the wire.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let total = u16::try_from(header + self.body.len()).expect("it fits a packet");
        let flags = u16::from(self.dont_fragment) << 14 | u16::from(self.more) << 13 | (self.offset / 8);
        let mut octets = vec![0x40 | u8::try_from(header / 4).expect("a header"), self.tos];
        octets.extend_from_slice(&total.to_be_bytes());
        octets.extend_from_slice(&self.identification.to_be_bytes());
        octets.extend_from_slice(&flags.to_be_bytes());
        octets.extend_from_slice(&[self.ttl, self.protocol, 0, 0]);
        octets.extend_from_slice(&self.source.octets());
        octets.extend_from_slice(&self.destination.octets());
        octets.extend_from_slice(&self.options);
        let value = sum(&octets);
        octets[10..12].copy_from_slice(&value.to_be_bytes());
        octets.extend_from_slice(&self.body);
        octets
    }

    /// Reads what has arrived.
    ///
    /// # Panics
    /// It is no IPv4 packet of the length that it says, or its header's checksum is wrong.
    #[must_use]
    #[track_caller]
    pub fn read(octets: &[u8]) -> Self {
        assert!(octets.len() >= 20 && octets[0] >> 4 == 4, "no IPv4: {octets:02x?}");
        let header = usize::from(octets[0] & 15) * 4;
        assert_eq!(usize::from(word(octets, 2)), octets.len(), "total length: {octets:02x?}");
        assert_eq!(sum(&octets[..header]), 0, "header checksum: {octets:02x?}");
        Self::read_quoted(octets)
    }

    /// Reads what an error quotes, which may be cut.
    ///
    /// # Panics
    /// Not even its header is whole.
    #[must_use]
    #[track_caller]
    pub fn read_quoted(octets: &[u8]) -> Self {
        let header = usize::from(octets[0] & 15) * 4;
        let flags = word(octets, 6);
        let address =
            |at: usize| Ipv4Addr::from([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
        Self {
            tos: octets[1],
            identification: word(octets, 4),
            dont_fragment: flags & 0x4000 != 0,
            more: flags & 0x2000 != 0,
            offset: (flags & 0x1fff) * 8,
            ttl: octets[8],
            protocol: octets[9],
            source: address(12),
            destination: address(16),
            options: octets[20..header].to_vec(),
            body: octets[header..].to_vec(),
        }
    }

    /// The source port, or the identifier of an echo message.
    #[must_use]
    pub fn from_port(&self) -> u16 {
        if self.protocol == 1 { word(&self.body, 4) } else { word(&self.body, 0) }
    }
}

/// Changes a checksum that is there, as a broken network would.
#[must_use]
pub fn damaged(mut body: Vec<u8>, at: usize) -> Vec<u8> {
    body[at] ^= 0x5a;
    body
}

/// The 16 bits at a place.
#[must_use]
pub fn word(octets: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([octets[at], octets[at + 1]])
}

/// Data that is nowhere the same.
#[must_use]
pub fn data(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 256 * 3 + 1) as u8).collect()
}

fn write_checksum(body: &mut [u8], at: usize, value: u16, is_udp: bool) {
    // RFC 768: zero means that there is none.
    let value = if is_udp && value == 0 { 0xffff } else { value };
    body[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let six = Six::of(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, &Upper::Ping(9, data(33)));
        assert_eq!(Six::read(&six.octets()), six);
        let four = Four {
            options: vec![1; 4],
            ..Four::of([10, 0, 0, 1].into(), [10, 0, 0, 2].into(), &Upper::Tcp(1, 2, SYN, vec![]))
        };
        assert_eq!(Four::read(&four.octets()), four);
        let parts = six.fragments(5, 16);
        assert_eq!((parts.len(), parts[2].body.len(), parts[0].body[3], parts[2].body[3]), (3, 8 + 9, 1, 32));
    }
}
