//! Laws that hold for whatever is sent.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use sixgate_nat64::{Config, Inside, Nat64, Outside, PoolEntry, Proto, StaticBinding, Verdict};
use sixgate_time::{Duration, Instant};
use sixgate_wire::checksum::Sum;
use sixgate_wire::{Packet, Segmentation, protocol};

use crate::support::*;

/// The difference of two one's complement numbers, with one representation of zero.
fn delta(a: u16, b: u16) -> u16 {
    match Sum::new().with_word(a).minus(Sum::new().with_word(b)).fold() {
        0xffff => 0,
        d => d,
    }
}

fn busy() -> Config {
    let inside = Inside { address: client(), port: 7 };
    let statics = Proto::ALL.map(|protocol| StaticBinding {
        protocol,
        outside: Outside { address: POOL, port: 257 },
        inside,
    });
    let pool = PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports: 1..=300 };
    Config { statics: statics.to_vec(), pool: vec![pool], max_sessions: 16, ..config() }
}

/// Octets that look enough like a packet for the translator to read on.
fn aimed(bytes: &[u8], version: u8) -> Packet {
    let mut packet = Packet::from_slice(bytes);
    let length = bytes.len();
    let bytes = packet.bytes_mut();
    if version == 6 && length >= 40 {
        bytes[0] = 0x60;
        bytes[4..6].copy_from_slice(&((length - 40) as u16).to_be_bytes());
        bytes[6] = [6, 17, 58, 44, 0, 43, 60, 51][usize::from(bytes[6] % 8)];
        bytes[24..36].copy_from_slice(&prefix().prefix().address().octets()[..12]);
    }
    if version == 4 && length >= 20 {
        let header = usize::from(bytes[0] & 15).clamp(5, 15).min(length / 4);
        bytes[0] = 0x40 | header as u8;
        bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        bytes[9] = [6, 17, 1, 50][usize::from(bytes[9] % 4)];
        bytes[16..20].copy_from_slice(&POOL.octets());
        bytes[10..12].fill(0);
        let sum = Sum::new().with(&bytes[..header * 4]).finish();
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_octets_never_panic_and_what_passes_is_a_whole_packet(
        packets in prop::collection::vec((any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..200)), 1..12),
        mss in any::<u16>(),
    ) {
        let mut nat = Nat64::new(busy(), [7; 32]);
        let mut out = Packet::new();
        let mut now = Instant::ZERO;
        for (six, aim, bytes) in packets {
            now = now + Duration::from_millis(700);
            let mut packet = if aim { aimed(&bytes, if six { 6 } else { 4 }) } else { Packet::from_slice(&bytes) };
            if mss % 3 == 0 {
                packet.offload.segmentation = Segmentation::Tcp { mss };
            } else if mss % 3 == 1 {
                packet.offload.segmentation = Segmentation::Udp { size: mss };
            }
            let verdict = if six { nat.outbound(now, &mut packet, 1500) } else { nat.inbound(now, &mut packet, 1500) };
            if verdict == Verdict::Translated {
                if six { view4(&packet); } else { view6(&packet); }
            }
            while nat.poll_output(&mut out) {
                if out.bytes()[0] >> 4 == 6 { view6(&out); } else { view4(&out); }
            }
            prop_assert!(nat.session_count() <= 16);
        }
        nat.handle_timeout(Instant::from_secs(1_000_000));
        while nat.poll_output(&mut out) {}
    }

    #[test]
    fn out_and_back_is_identity_and_damage_stays_the_same(
        tcp in any::<bool>(), src_port in 1_u16.., dst_port in 1_u16.., server in any::<[u8; 3]>(),
        data in prop::collection::vec(any::<u8>(), 0..600), damage in any::<u16>(),
    ) {
        let server = Ipv4Addr::new(9, server[0], server[1], server[2]);
        let mut lab = Lab::new(config());
        let number = if tcp { protocol::TCP } else { protocol::UDP };
        let at = if tcp { 16 } else { 6 };
        let mut sent = if tcp {
            tcp6_data(client(), src_port, embed(server), dst_port, 2, &data)
        } else {
            udp6(client(), src_port, embed(server), dst_port, &data)
        };
        let damaged = word(sent.bytes(), 40 + at) ^ damage;
        prop_assume!(damaged != 0);
        sent.bytes_mut()[40 + at..42 + at].copy_from_slice(&damaged.to_be_bytes());
        let wrong = delta(sum6(&sent), 0xffff);
        let out = lab.out(sent);
        prop_assert_eq!(delta(sum4(&out), 0xffff), wrong);
        let ip = view4(&out);
        prop_assert_eq!((ip.src(), ip.dst(), ip.protocol()), (POOL, server, number));
        let (outside, to) = ports(ip.payload());
        prop_assert_eq!(to, dst_port);

        let mut answer = if tcp {
            tcp4_data(server, dst_port, POOL, outside, 0x12, &data)
        } else {
            udp4(server, dst_port, POOL, outside, &data)
        };
        let damaged = word(answer.bytes(), 20 + at) ^ damage;
        prop_assume!(damaged != 0);
        answer.bytes_mut()[20 + at..22 + at].copy_from_slice(&damaged.to_be_bytes());
        let wrong = delta(sum4(&answer), 0xffff);
        let back = lab.back(answer);
        prop_assert_eq!(delta(sum6(&back), 0xffff), wrong);
        let ip = view6(&back);
        prop_assert_eq!((ip.src(), ip.dst(), ports(ip.payload())), (embed(server), client(), (dst_port, src_port)));
        prop_assert_eq!(&ip.payload()[if tcp { 20 } else { 8 }..], &data[..]);
    }

    #[test]
    fn an_echo_out_and_back_is_identity(identifier in any::<u16>(), data in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut lab = Lab::new(config());
        let request = echo6_payload(128, client(), embed(SERVER), identifier, &data);
        let mut packet = lab.out(six(protocol::ICMPV6, client(), embed(SERVER), &request));
        prop_assert_eq!(transport4(&packet)[0], 8);
        // The host turns it round, as hosts do.
        let mut reply = packet.bytes()[20..].to_vec();
        reply[0] = 0;
        packet = lab.back(four(protocol::ICMP, SERVER, POOL, &icmp4_sealed(reply)));
        let message = transport6(&packet);
        prop_assert_eq!((message[0], word(message, 4), &message[8..]), (129, identifier, &data[..]));
    }

    #[test]
    fn no_two_insides_ever_share_an_outside(steps in prop::collection::vec((0_u16..40, 0_u8..6, 0_u64..200), 1..80)) {
        let pool = vec![PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports: 100..=120 }];
        let mut lab = Lab::new(Config { pool, ..config() });
        for (port, to, wait) in steps {
            lab.wait_secs(wait);
            let server = Ipv4Addr::new(9, 9, 9, to + 1);
            let mut packet = udp6(client(), port, embed(server), 53, b"");
            let before = lab.nat.bib().find(|b| b.inside.port == port).map(|b| b.outside);
            let verdict = lab.nat.outbound(lab.now, &mut packet, 1500);
            let bib: Vec<_> = lab.nat.bib().collect();
            let outsides: std::collections::BTreeSet<_> = bib.iter().map(|b| b.outside).collect();
            prop_assert_eq!(outsides.len(), bib.len());
            prop_assert_eq!(lab.nat.sessions().count(), bib.iter().map(|b| b.sessions as usize).sum::<usize>());
            let used = lab.nat.pools().find(|p| p.protocol == Proto::Udp).map(|p| p.used);
            prop_assert_eq!(used, Some(bib.len() as u64));
            if verdict == Verdict::Translated {
                let now = Outside { address: POOL, port: ports(view4(&packet).payload()).0 };
                // Endpoint-independent: a binding that lives is used for every destination.
                if let Some(before) = before && bib.iter().any(|b| b.outside == before && b.inside.port == port) {
                    prop_assert_eq!(now, before);
                }
            }
            lab.drain();
        }
    }
}
