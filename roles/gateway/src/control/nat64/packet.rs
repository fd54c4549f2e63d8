//! A packet field by field, and on one line.

use std::net::{IpAddr, Ipv6Addr};

use data_encoding::HEXLOWER;
use sixgate_api::Nat64Packet;
use sixgate_wire::addr::Prefix64;
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::protocol;
use sixgate_wire::tcp::{ACK, FIN, PSH, RST, SYN, Tcp};

/// ICMP types that are queries, with an identifier.
const QUERIES4: [u8; 2] = [0, 8];
const QUERIES6: [u8; 2] = [128, 129];

/// Reads as far as there is something to read; addresses in `prefixes` are written with their IPv4 part dotted.
pub(crate) fn view(bytes: &[u8], prefixes: &[Prefix64]) -> Nat64Packet {
    let mut packet =
        Nat64Packet { length: bytes.len(), hex: HEXLOWER.encode(bytes), ..Nat64Packet::default() };
    let read = match bytes.first().map(|octet| octet >> 4) {
        Some(4) => ipv4(bytes, &mut packet),
        Some(6) => ipv6(bytes, &mut packet),
        Some(_) | None => None,
    };
    packet.text = match read {
        Some(transport) => line(&packet, transport, prefixes),
        None => format!("{} octets that are no IP packet", bytes.len()),
    };
    packet
}

/// True for an ICMP error.
pub(crate) fn is_error(packet: &Nat64Packet) -> bool {
    match packet.icmp {
        Some((kind, _)) if packet.dont_fragment.is_some() => matches!(kind, 3 | 4 | 5 | 11 | 12),
        Some((kind, _)) => kind < 128,
        None => false,
    }
}

fn ipv4<'a>(bytes: &'a [u8], packet: &mut Nat64Packet) -> Option<&'a [u8]> {
    let ip = Ipv4::parse(bytes).ok()?;
    packet.src = Some(ip.src().into());
    packet.dst = Some(ip.dst().into());
    packet.length = usize::from(ip.total_len());
    packet.hop_limit = ip.ttl();
    packet.traffic_class = ip.tos();
    packet.dont_fragment = Some(ip.dont_fragment());
    packet.fragment =
        ip.is_fragment().then(|| (u32::from(ip.identification()), ip.fragment_offset(), ip.more_fragments()));
    transport(packet, ip.protocol(), ip.payload());
    Some(ip.payload())
}

fn ipv6<'a>(bytes: &'a [u8], packet: &mut Nat64Packet) -> Option<&'a [u8]> {
    let ip = Ipv6::parse(bytes).ok()?;
    packet.src = Some(ip.src().into());
    packet.dst = Some(ip.dst().into());
    packet.length = ip.bytes().len();
    packet.hop_limit = ip.hop_limit();
    packet.traffic_class = ip.traffic_class();
    let Ok(upper) = ip.upper() else {
        packet.proto = ip.next_header().to_string();
        return Some(&[]);
    };
    packet.fragment = upper.fragment.map(|f| (f.identification, f.offset, f.more));
    let payload = ip.bytes().get(upper.offset..).unwrap_or_default();
    transport(packet, upper.protocol, payload);
    Some(payload)
}

fn transport(packet: &mut Nat64Packet, number: u8, payload: &[u8]) {
    packet.proto = match number {
        protocol::TCP => "tcp".to_owned(),
        protocol::UDP => "udp".to_owned(),
        protocol::ICMP => "icmp".to_owned(),
        protocol::ICMPV6 => "icmpv6".to_owned(),
        number => number.to_string(),
    };
    if packet.fragment.is_some_and(|(_, offset, _)| offset != 0) {
        return;
    }
    let word = |at: usize| Some(u16::from_be_bytes([*payload.get(at)?, *payload.get(at + 1)?]));
    match number {
        protocol::TCP | protocol::UDP => (packet.src_port, packet.dst_port) = (word(0), word(2)),
        protocol::ICMP | protocol::ICMPV6 => {
            let Some([kind, code, ..]) = payload.first_chunk::<4>().copied() else { return };
            packet.icmp = Some((kind, code));
            let queries = if number == protocol::ICMP { QUERIES4 } else { QUERIES6 };
            if queries.contains(&kind) {
                (packet.src_port, packet.dst_port) = (word(4), word(4));
            }
            packet.mtu = match (number, kind, code) {
                (protocol::ICMP, 3, 4) => word(6).map(u32::from),
                (protocol::ICMPV6, 2, _) => {
                    Some(u32::from(word(4).unwrap_or(0)) << 16 | u32::from(word(6).unwrap_or(0)))
                }
                _ => None,
            };
        }
        _ => {}
    }
}

/// `tcp 192.0.2.2:1 > 198.51.100.7:443 syn, 40 octets, ttl 63, df, tos 0xb9`
fn line(packet: &Nat64Packet, payload: &[u8], prefixes: &[Prefix64]) -> String {
    let with_port = packet.icmp.is_none();
    let end = |address: Option<IpAddr>, port: Option<u16>| {
        let port = port.filter(|_| with_port);
        match (address, port) {
            (Some(IpAddr::V4(v4)), Some(port)) => format!("{v4}:{port}"),
            (Some(IpAddr::V4(v4)), None) => v4.to_string(),
            (Some(IpAddr::V6(v6)), Some(port)) => format!("[{}]:{port}", dotted(v6, prefixes)),
            (Some(IpAddr::V6(v6)), None) => dotted(v6, prefixes),
            (None, _) => "?".to_owned(),
        }
    };
    let (src, dst) = (end(packet.src, packet.src_port), end(packet.dst, packet.dst_port));
    let mut text = format!("{} {src} > {dst}", packet.proto);
    if packet.proto == "tcp"
        && packet.src_port.is_some()
        && let Ok(tcp) = Tcp::parse(payload)
    {
        for (bit, name) in [(SYN, "syn"), (ACK, "ack"), (FIN, "fin"), (RST, "rst"), (PSH, "psh")] {
            if tcp.flags() & bit != 0 {
                text.push_str(&format!(" {name}"));
            }
        }
    }
    if let Some((kind, code)) = packet.icmp {
        let four = packet.dont_fragment.is_some();
        text.push_str(&format!(" {}", icmp_name(four, kind, code)));
        match (packet.src_port, packet.mtu) {
            (Some(id), _) => text.push_str(&format!(" id {id}")),
            (None, Some(mtu)) => text.push_str(&format!(" mtu {mtu}")),
            (None, None) => {}
        }
    }
    text.push_str(&format!(", {} octets", packet.length));
    let (hops, class) = if packet.dont_fragment.is_some() { ("ttl", "tos") } else { ("hop limit", "class") };
    text.push_str(&format!(", {hops} {}", packet.hop_limit));
    if packet.dont_fragment == Some(true) {
        text.push_str(", df");
    }
    if packet.traffic_class != 0 {
        text.push_str(&format!(", {class} {:#04x}", packet.traffic_class));
    }
    if let Some((id, offset, more)) = packet.fragment {
        text.push_str(&format!(", fragment {id:#x}:{offset}{}", if more { "+" } else { "" }));
    }
    text
}

/// The address as people read it: its last 32 bits dotted where they are an IPv4 address.
pub(super) fn dotted(address: Ipv6Addr, prefixes: &[Prefix64]) -> String {
    let embeds = |p: &&Prefix64| p.prefix().length() == 96 && p.contains(address);
    let Some(v4) = prefixes.iter().find(embeds).and_then(|p| p.extract(address)) else {
        return address.to_string();
    };
    let head = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u32::MAX)).to_string();
    // What is left out must be more than the place of the IPv4 address.
    let before = if address.segments()[5] == 0 { None } else { head.strip_suffix(':') };
    format!("{}{v4}", before.or_else(|| head.strip_suffix("0:0")).unwrap_or(&head))
}

fn icmp_name(four: bool, kind: u8, code: u8) -> String {
    let name = match (four, kind, code) {
        (true, 8, _) | (false, 128, _) => "echo request",
        (true, 0, _) | (false, 129, _) => "echo reply",
        (true, 3, 0) => "network unreachable",
        (true, 3, 1) => "host unreachable",
        (true, 3, 2) => "protocol unreachable",
        (true, 3, 3) | (false, 1, 4) => "port unreachable",
        (true, 3, 4) => "fragmentation needed",
        (true, 3, 5) => "source route failed",
        (true, 3, 9 | 10 | 13) | (false, 1, 1) => "administratively prohibited",
        (true, 11, _) | (false, 3, _) => "time exceeded",
        (true, 12, _) | (false, 4, _) => "parameter problem",
        (false, 1, 0) => "no route",
        (false, 1, 3) => "address unreachable",
        (false, 1, 5) => "source address failed policy",
        (false, 2, _) => "packet too big",
        (_, kind, code) => return format!("type {kind} code {code}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hex: &str) -> Nat64Packet {
        view(&HEXLOWER.decode(hex.replace(' ', "").as_bytes()).unwrap(), &[])
    }

    #[test]
    fn a_segment_is_read_field_by_field() {
        let packet =
            read("45b90028 00014000 3f060000 c0000202 c6336407 9c4001bb 00000000 00000000 50020000 00000000");
        assert_eq!(
            packet.text,
            "tcp 192.0.2.2:40000 > 198.51.100.7:443 syn, 40 octets, ttl 63, df, tos 0xb9"
        );
        assert_eq!(
            (packet.src_port, packet.dst_port, packet.dont_fragment),
            (Some(40_000), Some(443), Some(true))
        );
        assert!(!is_error(&packet));
    }

    #[test]
    fn an_error_says_its_mtu_and_a_fragment_where_it_belongs() {
        let too_big = read(
            "60000000 00083a40 20010db8000000000000000000000001 20010db8000000000000000000000008 02000000 0000058c",
        );
        assert_eq!(
            too_big.text,
            "icmpv6 2001:db8::1 > 2001:db8::8 packet too big mtu 1420, 48 octets, hop limit 64"
        );
        assert!(is_error(&too_big));
        let later = read("45000018 00070002 40110000 c0000202 c6336407 00000000");
        assert_eq!(later.text, "udp 192.0.2.2 > 198.51.100.7, 24 octets, ttl 64, fragment 0x7:16");
    }

    #[test]
    fn what_is_cut_short_or_nothing_is_said_so() {
        for bytes in [&[][..], &[0x45], &[0x60; 39], &[0x00; 60]] {
            assert!(view(bytes, &[]).text.ends_with("no IP packet"), "{bytes:?}");
        }
        let mut six = vec![0; 40];
        six[0] = 0x60;
        six[6] = protocol::TCP;
        assert_eq!(view(&six, &[]).text, "tcp :: > ::, 40 octets, hop limit 0");
    }

    #[test]
    fn an_embedded_address_is_dotted_and_reads_back_as_itself() {
        let prefix = |text: &str| Prefix64::new(text.parse().unwrap()).unwrap();
        let prefixes = ["64:ff9b::/96", "2001:db8:1:2:3:4::/96", "2001:db8:0:0:0:1::/96"].map(prefix);
        for (text, becomes) in [
            ("64:ff9b::c000:250", "64:ff9b::192.0.2.80"),
            ("2001:db8:1:2:3:4:c000:250", "2001:db8:1:2:3:4:192.0.2.80"),
            ("2001:db8::1:c000:250", "2001:db8::1:192.0.2.80"),
            ("2001:db8::8", "2001:db8::8"),
        ] {
            let address: Ipv6Addr = text.parse().unwrap();
            let dotted = dotted(address, &prefixes);
            assert_eq!(dotted, becomes);
            assert_eq!(dotted.parse::<Ipv6Addr>().map(|a| a.to_string()), Ok(text.to_owned()), "{dotted}");
        }
    }
}
