//! Packet views over octets that nobody checked: no panic, offsets inside the packet, and what can be written back is the same.
#![no_main]

use std::net::Ipv6Addr;

use libfuzzer_sys::fuzz_target;
use sixgate_wire::flow::FlowKey;
use sixgate_wire::icmpv6::Icmpv6;
use sixgate_wire::ipv4::{self, Ipv4};
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::refusal::{self, Refusal};
use sixgate_wire::tcp::Tcp;
use sixgate_wire::udp::Udp;
use sixgate_wire::{Packet, extension};

fuzz_target!(|data: &[u8]| {
    if let Ok(ip) = Ipv6::parse(data) {
        assert!(Ipv6::parse_quoted(data).is_ok());
        six(&ip);
    }
    if let Ok(ip) = Ipv6::parse_quoted(data) {
        six(&ip);
        refuse(&ip);
    }
    if let Ok(ip) = Ipv4::parse(data) {
        assert!(Ipv4::parse_quoted(data).is_ok());
        assert_eq!(ip.bytes().len(), usize::from(ip.total_len()));
    }
    if let Ok(ip) = Ipv4::parse_quoted(data) {
        four(&ip);
    }
    transports(data);
    if let Some((first, rest)) = data.split_first()
        && let Ok(upper) = extension::walk(*first, rest, 0)
    {
        assert!(upper.offset <= rest.len() && upper.offset <= extension::MOST_OCTETS);
    }
});

fn six(ip: &Ipv6<'_>) {
    let header = ipv6::Header {
        traffic_class: ip.traffic_class(),
        flow_label: ip.flow_label(),
        payload_len: ip.payload_len(),
        next_header: ip.next_header(),
        hop_limit: ip.hop_limit(),
        src: ip.src(),
        dst: ip.dst(),
    };
    assert_eq!(header.octets(), ip.bytes()[..ipv6::HEADER]);
    assert_eq!(ip.payload(), &ip.bytes()[ipv6::HEADER..]);
    assert!(!format!("{ip:?}").contains('\n'));
    let Ok(upper) = ip.upper() else { return };
    assert!((ipv6::HEADER..=ip.bytes().len()).contains(&upper.offset));
    if let Some(fragment) = upper.fragment {
        assert!(fragment.at + 8 <= upper.offset && fragment.offset % 8 == 0);
    }
    transports(&ip.bytes()[upper.offset..]);
    if !upper.is_later_fragment()
        && let Ok(key) = FlowKey::of(ip, &upper)
    {
        assert_eq!((key.src, key.dst, key.protocol), (ip.src(), ip.dst(), upper.protocol));
        assert_eq!(key.reversed().reversed(), key);
    }
}

fn refuse(ip: &Ipv6<'_>) {
    let (from, mut out) = (Ipv6Addr::from_bits(1 << 120 | 1), Packet::new());
    for refusal in [Refusal::Prohibited, Refusal::TooBig { mtu: 1280 }, Refusal::WrongField { pointer: 40 }] {
        if !refusal::write(refusal, ip.bytes(), from, &mut out) {
            assert!(out.is_empty());
            continue;
        }
        let error = Ipv6::parse(out.bytes()).unwrap();
        assert!(out.len() <= refusal::LARGEST && (error.src(), error.dst()) == (from, ip.src()));
        let icmp = Icmpv6::parse(error.payload()).unwrap();
        assert!(icmp.is_error() && icmp.checksum_ok(error.src(), error.dst()));
        assert!(ip.bytes().starts_with(icmp.body()));
        // RFC 4443, section 2.4 (e.1): no error about an error.
        let mut second = Packet::new();
        assert!(!refusal::write(refusal, out.bytes(), from, &mut second));
    }
}

fn four(ip: &Ipv4<'_>) {
    assert!(!format!("{ip:?}").contains('\n'));
    assert_eq!(ip.header_len() + ip.payload().len(), ip.bytes().len());
    let reserved = ip.bytes()[6] & 0x80 != 0;
    if ip.options().is_empty() && ip.header_checksum_ok() && !reserved {
        let header = ipv4::Header {
            tos: ip.tos(),
            total_len: ip.total_len(),
            identification: ip.identification(),
            dont_fragment: ip.dont_fragment(),
            more_fragments: ip.more_fragments(),
            fragment_offset: ip.fragment_offset(),
            ttl: ip.ttl(),
            protocol: ip.protocol(),
            src: ip.src(),
            dst: ip.dst(),
        };
        let (written, read) = (header.octets(), &ip.bytes()[..ipv4::HEADER]);
        assert_eq!((&written[..10], &written[12..]), (&read[..10], &read[12..]));
    }
}

fn transports(bytes: &[u8]) {
    if let Ok(tcp) = Tcp::parse(bytes) {
        assert_eq!(tcp.header_len() + tcp.payload().len(), bytes.len());
        let _ = (
            tcp.src_port(),
            tcp.dst_port(),
            tcp.sequence(),
            tcp.acknowledgement(),
            tcp.flags(),
            tcp.checksum(),
        );
    }
    if let Ok(udp) = Udp::parse(bytes) {
        assert!(udp.length() >= 8 && udp.payload().len() + 8 == bytes.len());
        let _ = (udp.src_port(), udp.dst_port(), udp.checksum());
    }
    if let Ok(icmp) = Icmpv6::parse(bytes) {
        assert_eq!(icmp.body().len() + 8, bytes.len());
        let _ = (icmp.code(), icmp.word(), icmp.identifier());
    }
}
