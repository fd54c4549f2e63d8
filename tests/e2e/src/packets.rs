//! Packets that no kernel would send for us, and how they get onto the wire.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_lab::{Lab, Output};

/// An IPv6 packet with a UDP datagram.
#[must_use]
pub fn udp(source: Ipv6Addr, destination: Ipv6Addr, port: u16, payload: &[u8]) -> Vec<u8> {
    datagram((source, 40_000), (destination, port), payload)
}

/// As [`udp`], from any port.
#[must_use]
pub fn datagram(from: (Ipv6Addr, u16), to: (Ipv6Addr, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).expect("a short payload");
    let mut datagram = Vec::new();
    datagram.extend_from_slice(&from.1.to_be_bytes());
    datagram.extend_from_slice(&to.1.to_be_bytes());
    datagram.extend_from_slice(&length.to_be_bytes());
    datagram.extend_from_slice(&[0, 0]);
    datagram.extend_from_slice(payload);
    let sum = checksum(from.0, to.0, 17, &datagram);
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    ipv6(from.0, to.0, 17, &datagram)
}

/// An IPv6 packet with a TCP segment without options or data.
#[must_use]
pub fn tcp(source: Ipv6Addr, destination: Ipv6Addr, port: u16, flags: u8) -> Vec<u8> {
    segment((source, 40_000), (destination, port), flags)
}

/// As [`tcp`], from any port.
#[must_use]
pub fn segment(from: (Ipv6Addr, u16), to: (Ipv6Addr, u16), flags: u8) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend_from_slice(&from.1.to_be_bytes());
    segment.extend_from_slice(&to.1.to_be_bytes());
    segment.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    let sum = checksum(from.0, to.0, 6, &segment);
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    ipv6(from.0, to.0, 6, &segment)
}

/// An IPv6 packet with an echo request (128) or reply (129).
#[must_use]
pub fn echo(source: Ipv6Addr, destination: Ipv6Addr, kind: u8) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0, 99, 0, 1];
    let sum = checksum(source, destination, 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv6(source, destination, 58, &message)
}

/// An IPv6 packet with an ICMPv6 port unreachable that quotes `packet`.
#[must_use]
pub fn unreachable(source: Ipv6Addr, destination: Ipv6Addr, packet: &[u8]) -> Vec<u8> {
    let mut message = vec![1, 4, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(packet);
    let sum = checksum(source, destination, 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv6(source, destination, 58, &message)
}

/// A message of neighbour discovery: hop limit 255, `body` behind type, code and checksum.
#[must_use]
pub fn neighbour_discovery(source: Ipv6Addr, destination: Ipv6Addr, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0];
    message.extend_from_slice(body);
    let sum = checksum(source, destination, 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = ipv6(source, destination, 58, &message);
    packet[7] = 255;
    packet
}

/// A last fragment of a TCP segment whose first one nobody has seen.
#[must_use]
pub fn second_fragment(source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
    // RFC 8200, section 4.5: offset 8 octets, no more fragments.
    let mut fragment = vec![6, 0, 0, 8, 0, 0, 0, 77];
    fragment.extend_from_slice(&[0x55; 16]);
    ipv6(source, destination, 44, &fragment)
}

/// A router advertisement for a /64 that is valid for an hour and preferred for so many seconds.
#[must_use]
pub fn advertisement(source: Ipv6Addr, destination: Ipv6Addr, prefix: Ipv6Addr, preferred: u16) -> Vec<u8> {
    let mut message = vec![134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    // RFC 4861, section 4.6.2: autonomous, not on-link.
    let [high, low] = preferred.to_be_bytes();
    message.extend_from_slice(&[3, 4, 64, 0x40, 0, 0, 0x0e, 0x10, 0, 0, high, low, 0, 0, 0, 0]);
    message.extend_from_slice(&prefix.octets());
    let sum = checksum(source, destination, 58, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = ipv6(source, destination, 58, &message);
    packet[7] = 255;
    packet
}

/// The first of two fragments of a UDP datagram of 32 octets, and the second.
#[must_use]
pub fn two_fragments(source: Ipv6Addr, destination: Ipv6Addr, port: u16) -> [Vec<u8>; 2] {
    let whole = udp(source, destination, port, &[0x55; 24]);
    [(0_u8, 1), (16, 0)].map(|(offset, more)| {
        let mut fragment = vec![17, 0, 0, offset | more, 0, 0, 0, 78];
        let start = 40 + usize::from(offset);
        fragment.extend_from_slice(&whole[start..start + 16]);
        ipv6(source, destination, 44, &fragment)
    })
}

/// An IPv6 packet with any payload.
#[must_use]
pub fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend_from_slice(&u16::try_from(payload.len()).expect("a short payload").to_be_bytes());
    packet.extend_from_slice(&[next, 64]);
    packet.extend_from_slice(&source.octets());
    packet.extend_from_slice(&destination.octets());
    packet.extend_from_slice(payload);
    packet
}

/// An IPv4 packet with any payload.
#[must_use]
pub fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend_from_slice(&u16::try_from(20 + payload.len()).expect("a short payload").to_be_bytes());
    packet.extend_from_slice(&[0, 7, 0, 0, 64, protocol, 0, 0]);
    packet.extend_from_slice(&source.octets());
    packet.extend_from_slice(&destination.octets());
    let sum = sum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// The message of an ICMPv4 error about `packet`, with the MTU that only one of them has.
#[must_use]
pub fn ipv4_error(kind: u8, code: u8, mtu: u16, packet: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0, 0, 0];
    message.extend_from_slice(&mtu.to_be_bytes());
    message.extend_from_slice(packet);
    let sum = sum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    message
}

/// The address that 16 bytes are.
#[must_use]
pub fn octets(bytes: &[u8]) -> Ipv6Addr {
    Ipv6Addr::from(<[u8; 16]>::try_from(bytes).expect("16 bytes"))
}

/// RFC 8200, section 8.1.
pub(crate) fn checksum(source: Ipv6Addr, destination: Ipv6Addr, next: u8, payload: &[u8]) -> u16 {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&source.octets());
    bytes.extend_from_slice(&destination.octets());
    bytes.extend_from_slice(&u32::try_from(payload.len()).expect("a short payload").to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, next]);
    bytes.extend_from_slice(payload);
    sum(&bytes)
}

/// RFC 1071.
pub(crate) fn sum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded")
}

/// The bytes as an argument of `printf`.
#[must_use]
pub fn octal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:03o}")).collect()
}

/// Sends `payload` from `node` to an IPv4 address as protocol 41, past every check of its kernel.
#[must_use]
pub fn protocol_41(lab: &Lab, node: &str, to: &str, payload: &[u8]) -> Output {
    let script = format!("printf '{}' | socat -u - IP4-SENDTO:{to}:41", octal(payload));
    let done = lab.run(node, &["sh", "-c", &script]).expect("the node is there");
    assert!(done.ok(), "{node} cannot send protocol 41: {}", done.said());
    done
}

/// Collects UDP datagrams to `port` of `node` in a file, from now on.
pub fn listen(lab: &Lab, node: &str, port: u16) {
    let from = format!("UDP6-RECV:{port}");
    lab.start(node, "listener", &["socat", "-u", &from, "CREATE:/tmp/received"]).expect("socat starts");
    let bound = format!("grep -q ':{port:04X} ' /proc/net/udp6");
    let there = sixgate_lab::wait_for(std::time::Duration::from_secs(3), || {
        lab.run(node, &["sh", "-c", &bound]).is_ok_and(|done| done.ok())
    });
    assert!(there.is_some(), "socat does not listen on {node}");
}

/// What has come since [`listen`].
#[must_use]
pub fn received(lab: &Lab, node: &str) -> String {
    lab.run(node, &["cat", "/tmp/received"]).map(|done| done.stdout).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_has_the_length_that_its_header_says_and_a_checksum_that_sums_to_nothing() {
        let (a, b) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        let packet = udp(a, b, 9, b"abc");
        assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
        assert_eq!(checksum(a, b, 17, &packet[40..]), 0);
    }
}
