//! A NAT64 with a clock, and packets written and checked by hand.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use sixgate_nat64::{Config, Filtering, Nat64, PoolEntry, Verdict};
use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::addr::Prefix64;
use sixgate_wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use sixgate_wire::ipv4::{self, Ipv4};
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::{Packet, protocol};

pub(crate) const POOL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
pub(crate) const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 5);
pub(crate) const OTHER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 6);
pub(crate) const GATEWAY4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

pub(crate) fn gateway6() -> Ipv6Addr {
    "2001:db8::1".parse().unwrap()
}

pub(crate) fn client() -> Ipv6Addr {
    "2001:db8:1::8".parse().unwrap()
}

pub(crate) fn neighbour() -> Ipv6Addr {
    "2001:db8:1::9".parse().unwrap()
}

pub(crate) fn prefix() -> Prefix64 {
    Prefix64::new("2001:db8:64::/96".parse().unwrap()).unwrap()
}

pub(crate) fn embed(v4: Ipv4Addr) -> Ipv6Addr {
    prefix().embed(v4)
}

pub(crate) fn config() -> Config {
    Config {
        prefixes: vec![prefix()],
        pool: vec![PoolEntry {
            protocol: None,
            addresses: "192.0.2.2/32".parse().unwrap(),
            ports: 1..=65_535,
        }],
        gateway4: GATEWAY4,
        gateway6: gateway6(),
        max_sessions: 1000,
        ..Config::default()
    }
}

pub(crate) fn filtering() -> Config {
    Config { filtering: Filtering::AddressDependent, ..config() }
}

/// A NAT64 and the time.
pub(crate) struct Lab {
    pub(crate) nat: Nat64,
    pub(crate) now: Instant,
}

impl Lab {
    pub(crate) fn new(config: Config) -> Self {
        Self { nat: Nat64::new(config, [42; 32]), now: Instant::from_secs(1000) }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    pub(crate) fn wait_secs(&mut self, secs: u64) {
        self.wait(Duration::from_secs(secs));
    }

    /// Sends a packet out that must come through.
    pub(crate) fn out(&mut self, mut packet: Packet) -> Packet {
        let verdict = self.nat.outbound(self.now, &mut packet, 1500);
        assert_eq!(verdict, Verdict::Translated);
        packet
    }

    /// Sends a packet in that must come through.
    pub(crate) fn back(&mut self, mut packet: Packet) -> Packet {
        let verdict = self.nat.inbound(self.now, &mut packet, 1500);
        assert_eq!(verdict, Verdict::Translated);
        packet
    }

    pub(crate) fn out_dropped(&mut self, mut packet: Packet) -> Reason {
        match self.nat.outbound(self.now, &mut packet, 1500) {
            Verdict::Drop(reason) => reason,
            verdict @ (Verdict::Translated | Verdict::Consumed) => panic!("{verdict:?} {packet:?}"),
        }
    }

    pub(crate) fn back_dropped(&mut self, mut packet: Packet) -> Reason {
        match self.nat.inbound(self.now, &mut packet, 1500) {
            Verdict::Drop(reason) => reason,
            verdict @ (Verdict::Translated | Verdict::Consumed) => panic!("{verdict:?} {packet:?}"),
        }
    }

    /// All that waits to be sent.
    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        let mut packets = Vec::new();
        let mut out = Packet::new();
        while self.nat.poll_output(&mut out) {
            packets.push(out.clone());
        }
        packets
    }

    /// The one packet that waits to be sent.
    pub(crate) fn drain_one(&mut self) -> Packet {
        let mut packets = self.drain();
        assert_eq!(packets.len(), 1, "{packets:?}");
        packets.remove(0)
    }

    /// A datagram from the client out; gives the outside port.
    pub(crate) fn open_udp(&mut self, from: u16, to: Ipv4Addr) -> u16 {
        let packet = self.out(udp6(client(), from, embed(to), 53, b"question"));
        ports(transport4(&packet)).0
    }

    pub(crate) fn states(&self) -> Vec<&'static str> {
        self.nat.sessions().map(|s| s.state).collect()
    }
}

pub(crate) fn ports(transport: &[u8]) -> (u16, u16) {
    (word(transport, 0), word(transport, 2))
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn six(next_header: u8, src: Ipv6Addr, dst: Ipv6Addr, payload: &[u8]) -> Packet {
    let header = ipv6::Header {
        traffic_class: 0xba,
        flow_label: 0x12345,
        payload_len: payload.len() as u16,
        next_header,
        hop_limit: 64,
        src,
        dst,
    };
    let mut packet = Packet::new();
    assert!(packet.extend(&header.octets()) && packet.extend(payload));
    packet
}

pub(crate) fn four(number: u8, src: Ipv4Addr, dst: Ipv4Addr, payload: &[u8]) -> Packet {
    four_with(number, src, dst, payload, |header| header)
}

/// Like [`four`], with a header that `change` made.
pub(crate) fn four_with(
    number: u8,
    src: Ipv4Addr,
    dst: Ipv4Addr,
    payload: &[u8],
    change: impl Fn(ipv4::Header) -> ipv4::Header,
) -> Packet {
    let header = change(ipv4::Header {
        tos: 0xb9,
        total_len: (20 + payload.len()) as u16,
        identification: 0x4321,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        ttl: 64,
        protocol: number,
        src,
        dst,
    });
    let mut packet = Packet::new();
    assert!(packet.extend(&header.octets()) && packet.extend(payload));
    packet
}

/// Writes the checksum at `at` so that everything with `pseudo` adds up.
fn sealed(mut bytes: Vec<u8>, at: usize, pseudo: Sum) -> Vec<u8> {
    bytes[at..at + 2].fill(0);
    let sum = match pseudo.with(&bytes).finish() {
        0 => 0xffff,
        sum => sum,
    };
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn udp(src_port: u16, dst_port: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = [src_port, dst_port, (8 + data.len()) as u16, 0].map(u16::to_be_bytes).concat();
    bytes.extend_from_slice(data);
    bytes
}

fn tcp(src_port: u16, dst_port: u16, flags: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = [src_port, dst_port].map(u16::to_be_bytes).concat();
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 2, 0x50, flags, 0xff, 0, 0, 0, 0, 0]);
    bytes.extend_from_slice(data);
    bytes
}

fn echo(kind: u8, identifier: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0, 0, 0];
    bytes.extend_from_slice(&identifier.to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    bytes.extend_from_slice(data);
    bytes
}

pub(crate) fn udp6_payload(src: Ipv6Addr, sport: u16, dst: Ipv6Addr, dport: u16, data: &[u8]) -> Vec<u8> {
    let bytes = udp(sport, dport, data);
    let pseudo = pseudo_v6(src, dst, protocol::UDP, bytes.len() as u32);
    sealed(bytes, 6, pseudo)
}

pub(crate) fn udp6(src: Ipv6Addr, sport: u16, dst: Ipv6Addr, dport: u16, data: &[u8]) -> Packet {
    six(protocol::UDP, src, dst, &udp6_payload(src, sport, dst, dport, data))
}

pub(crate) fn udp4_payload(src: Ipv4Addr, sport: u16, dst: Ipv4Addr, dport: u16, data: &[u8]) -> Vec<u8> {
    let bytes = udp(sport, dport, data);
    let pseudo = pseudo_v4(src, dst, protocol::UDP, bytes.len() as u16);
    sealed(bytes, 6, pseudo)
}

pub(crate) fn udp4(src: Ipv4Addr, sport: u16, dst: Ipv4Addr, dport: u16, data: &[u8]) -> Packet {
    four(protocol::UDP, src, dst, &udp4_payload(src, sport, dst, dport, data))
}

pub(crate) fn tcp6(src: Ipv6Addr, sport: u16, dst: Ipv6Addr, dport: u16, flags: u8) -> Packet {
    tcp6_data(src, sport, dst, dport, flags, &[])
}

pub(crate) fn tcp6_data(
    src: Ipv6Addr,
    sport: u16,
    dst: Ipv6Addr,
    dport: u16,
    flags: u8,
    data: &[u8],
) -> Packet {
    let bytes = tcp(sport, dport, flags, data);
    let pseudo = pseudo_v6(src, dst, protocol::TCP, bytes.len() as u32);
    six(protocol::TCP, src, dst, &sealed(bytes, 16, pseudo))
}

pub(crate) fn tcp4(src: Ipv4Addr, sport: u16, dst: Ipv4Addr, dport: u16, flags: u8) -> Packet {
    tcp4_data(src, sport, dst, dport, flags, &[])
}

pub(crate) fn tcp4_data(
    src: Ipv4Addr,
    sport: u16,
    dst: Ipv4Addr,
    dport: u16,
    flags: u8,
    data: &[u8],
) -> Packet {
    let bytes = tcp(sport, dport, flags, data);
    let pseudo = pseudo_v4(src, dst, protocol::TCP, bytes.len() as u16);
    four(protocol::TCP, src, dst, &sealed(bytes, 16, pseudo))
}

pub(crate) fn echo6_payload(kind: u8, src: Ipv6Addr, dst: Ipv6Addr, identifier: u16, data: &[u8]) -> Vec<u8> {
    icmp6_sealed(src, dst, echo(kind, identifier, data))
}

/// An ICMPv6 message with its checksum.
pub(crate) fn icmp6_sealed(src: Ipv6Addr, dst: Ipv6Addr, message: Vec<u8>) -> Vec<u8> {
    let pseudo = pseudo_v6(src, dst, protocol::ICMPV6, message.len() as u32);
    sealed(message, 2, pseudo)
}

/// An ICMPv4 message with its checksum.
pub(crate) fn icmp4_sealed(message: Vec<u8>) -> Vec<u8> {
    sealed(message, 2, Sum::new())
}

pub(crate) fn echo6(kind: u8, src: Ipv6Addr, dst: Ipv6Addr, identifier: u16) -> Packet {
    six(protocol::ICMPV6, src, dst, &echo6_payload(kind, src, dst, identifier, b"ping"))
}

pub(crate) fn echo4(kind: u8, src: Ipv4Addr, dst: Ipv4Addr, identifier: u16) -> Packet {
    four(protocol::ICMP, src, dst, &icmp4_sealed(echo(kind, identifier, b"ping")))
}

/// An ICMPv4 error that quotes `quoted`.
pub(crate) fn error4(src: Ipv4Addr, kind: u8, code: u8, word: u32, quoted: &[u8]) -> Packet {
    let mut message = vec![kind, code, 0, 0];
    message.extend_from_slice(&word.to_be_bytes());
    message.extend_from_slice(quoted);
    let to = Ipv4::parse_quoted(quoted).unwrap().src();
    four(protocol::ICMP, src, to, &icmp4_sealed(message))
}

/// An ICMPv6 error that quotes `quoted`.
pub(crate) fn error6(src: Ipv6Addr, kind: u8, code: u8, word: u32, quoted: &[u8]) -> Packet {
    let mut message = vec![kind, code, 0, 0];
    message.extend_from_slice(&word.to_be_bytes());
    message.extend_from_slice(quoted);
    let to = Ipv6::parse_quoted(quoted).unwrap().src();
    six(protocol::ICMPV6, src, to, &icmp6_sealed(src, to, message))
}

/// The IPv4 packet, if it is one and its header adds up.
pub(crate) fn view4(packet: &Packet) -> Ipv4<'_> {
    let ip = Ipv4::parse(packet.bytes()).unwrap();
    assert!(ip.header_checksum_ok());
    assert_eq!(ip.bytes().len(), packet.len());
    ip
}

pub(crate) fn view6(packet: &Packet) -> Ipv6<'_> {
    let ip = Ipv6::parse(packet.bytes()).unwrap();
    assert_eq!(ip.bytes().len(), packet.len());
    ip
}

/// The folded sum over all that the transport checksum covers: 0xffff when it is right.
pub(crate) fn sum4(packet: &Packet) -> u16 {
    let ip = view4(packet);
    let payload = ip.payload();
    match ip.protocol() {
        protocol::ICMP => Sum::new().with(payload).fold(),
        number => pseudo_v4(ip.src(), ip.dst(), number, payload.len() as u16).with(payload).fold(),
    }
}

pub(crate) fn sum6(packet: &Packet) -> u16 {
    let ip = view6(packet);
    let payload = ip.payload();
    pseudo_v6(ip.src(), ip.dst(), ip.next_header(), payload.len() as u32).with(payload).fold()
}

/// The transport header of an IPv4 packet whose checksums are right.
pub(crate) fn transport4(packet: &Packet) -> &[u8] {
    assert_eq!(sum4(packet), 0xffff, "{packet:?}");
    view4(packet).payload()
}

/// The transport header of an IPv6 packet whose checksum is right.
pub(crate) fn transport6(packet: &Packet) -> &[u8] {
    assert_eq!(sum6(packet), 0xffff, "{packet:?}");
    view6(packet).payload()
}

/// Type and code of the ICMP message in `packet`, and the word behind its checksum.
pub(crate) fn icmp(packet: &Packet) -> (u8, u8, u32) {
    let message = if packet.bytes()[0] >> 4 == 6 { transport6(packet) } else { transport4(packet) };
    let word = u32::from_be_bytes([message[4], message[5], message[6], message[7]]);
    (message[0], message[1], word)
}

/// The packet that the ICMP message in `packet` quotes.
pub(crate) fn quoted(packet: &Packet) -> &[u8] {
    let message = if packet.bytes()[0] >> 4 == 6 { transport6(packet) } else { transport4(packet) };
    &message[8..]
}
