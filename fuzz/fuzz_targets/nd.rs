//! Any bytes as a message of neighbour discovery.
//!
//! The oracle: what an advertisement was understood to offer can be said again, and is understood the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::nd::{self, Kind};
use sixgate_wire::{Packet, icmpv6, protocol};

fuzz_target!(|data: &[u8]| {
    let Some((&head, message)) = data.split_first() else { return };
    let src = "fe80::5efe:10.6.0.1".parse().unwrap();
    let dst = "fe80::5efe:10.6.8.20".parse().unwrap();
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: message.len().min(60_000) as u16,
        next_header: protocol::ICMPV6,
        hop_limit: nd::HOP_LIMIT,
        src,
        dst,
    };
    let mut packet = Packet::new();
    assert!(packet.extend(&header.octets()) && packet.extend(&message[..message.len().min(60_000)]));
    // Mostly a right checksum and one of the five types, or nothing behind them would ever be reached.
    let body = &mut packet.bytes_mut()[ipv6::HEADER..];
    if body.len() >= icmpv6::HEADER && head & 0x80 == 0 {
        (body[0], body[1]) = (133 + head % 5, 0);
        icmpv6::finish(body, src, dst);
    }
    let Ok(ip) = Ipv6::parse(packet.bytes()) else { return };
    let kind = Kind::of(&ip);
    let verdicts = [
        nd::parse_solicitation(&ip).is_ok().then_some(Kind::RouterSolicitation),
        nd::parse_neighbour_solicitation(&ip).is_ok().then_some(Kind::NeighbourSolicitation),
        nd::parse_neighbour_advertisement(&ip).is_ok().then_some(Kind::NeighbourAdvertisement),
    ];
    assert!(verdicts.into_iter().flatten().all(|v| kind == Some(v)));
    let Ok(lease) = nd::parse_advertisement(&ip) else { return };
    assert_eq!(kind, Some(Kind::RouterAdvertisement));
    let mut again = Packet::new();
    assert!(nd::write_advertisement(&lease, 64, src, dst, &mut again));
    assert_eq!(nd::parse_advertisement(&Ipv6::parse(again.bytes()).unwrap()), Ok(lease));
});
