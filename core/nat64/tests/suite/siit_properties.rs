//! Laws of the stateless translator, for whatever is sent.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use sixgate_nat64::{Addresses, Eam, Hairpinning, Siit, SiitConfig, Verdict, ZeroChecksum};
use sixgate_time::Instant;
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};
use sixgate_wire::checksum::Sum;
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Packet, Segmentation};

use crate::siit::*;
use crate::support::*;

fn any_config() -> impl Strategy<Value = SiitConfig> {
    (any::<bool>(), 0_usize..3, any::<bool>(), 1280_u16..1600, any::<bool>()).prop_map(
        |(prefix, hairpinning, compute, lowest_ipv6_mtu, pool)| SiitConfig {
            prefixes: if prefix { siit_config().prefixes } else { Vec::new() },
            hairpinning: [Hairpinning::Off, Hairpinning::Simple, Hairpinning::Intrinsic][hairpinning],
            zero_checksum: if compute { ZeroChecksum::Compute } else { ZeroChecksum::Drop },
            lowest_ipv6_mtu,
            source4: pool.then(|| "192.0.2.64/26".parse().unwrap()),
            ..siit_config()
        },
    )
}

/// Octets that look enough like a packet between two nodes for the translator to read on.
fn aimed(bytes: &[u8], version: u8) -> Packet {
    let mut packet = Packet::from_slice(bytes);
    let length = bytes.len();
    let bytes = packet.bytes_mut();
    if version == 6 && length >= 40 {
        bytes[0] = 0x60;
        bytes[4..6].copy_from_slice(&((length - 40) as u16).to_be_bytes());
        bytes[6] = [6, 17, 58, 44, 0, 43, 60, 51, 33, 136, 132, 1][usize::from(bytes[6] % 12)];
        let (src, dst) = (node(), if bytes[24] & 1 == 0 { embed(OTHER_NODE4) } else { embed(SERVER) });
        bytes[8..24].copy_from_slice(&src.octets());
        bytes[24..40].copy_from_slice(&dst.octets());
    }
    if version == 4 && length >= 20 {
        let header = usize::from(bytes[0] & 15).clamp(5, 15).min(length / 4);
        bytes[0] = 0x40 | header as u8;
        bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        bytes[9] = [6, 17, 1, 50, 33, 136, 132, 44][usize::from(bytes[9] % 8)];
        bytes[12..16].copy_from_slice(&SERVER.octets());
        bytes[16..20].copy_from_slice(&NODE4.octets());
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
        config in any_config(),
        packets in prop::collection::vec((any::<bool>(), 0..8, prop::collection::vec(any::<u8>(), 0..200)), 1..12),
        mss in any::<u16>(), start in 0_u16..80,
    ) {
        let mut siit = Siit::new(config, [7; 32]);
        let mut out = Packet::new();
        for (six, aim, bytes) in packets {
            let mut packet = if aim > 0 { aimed(&bytes, if six { 6 } else { 4 }) } else { Packet::from_slice(&bytes) };
            match mss % 4 {
                0 => packet.offload.segmentation = Segmentation::Tcp { mss },
                1 => packet.offload.segmentation = Segmentation::Udp { size: mss },
                2 => packet.offload.partial_checksum = Some(PartialChecksum { start, offset: mss % 64 }),
                _ => {}
            }
            let now = Instant::from_secs(1);
            let verdict = if six { siit.outbound(now, &mut packet, 1500) } else { siit.inbound(now, &mut packet, 1500) };
            if verdict == Verdict::Translated {
                if packet.bytes()[0] >> 4 == 6 { view6(&packet); } else { prop_assert!(six); view4(&packet); }
            }
            while siit.poll_output(&mut out) {
                if out.bytes()[0] >> 4 == 6 { view6(&out); } else { view4(&out); }
            }
        }
    }

    #[test]
    fn there_and_back_is_identity_for_mapped_nodes_of_any_transport(
        host: u8, server: [u8; 3], number in prop::sample::select(vec![6_u8, 17, 33, 47, 50, 132, 136, 253]),
        data in prop::collection::vec(any::<u8>(), 20..600), hop in 3_u8..,
    ) {
        let mut lab = Stateless::new(siit_config());
        let src: Ipv6Addr = Ipv6Addr::from_bits(node().to_bits() & !0xff | u128::from(host));
        let server = Ipv4Addr::new(9, server[0], server[1], server[2]);
        let mut data = data;
        match number {
            // What the header must say so that it is one.
            6 => data[12] = 0x50,
            17 => { data[4..6].copy_from_slice(&8_u16.to_be_bytes()); data[6] |= 1; }
            _ => {}
        }
        let mut sent = six(number, src, embed(server), &data);
        sent.bytes_mut()[7] = hop;
        // The flow label does not cross.
        sent.bytes_mut()[1] &= 0xf0;
        sent.bytes_mut()[2..4].fill(0);
        let before = sent.bytes().to_vec();
        let out = lab.out(sent);
        let back = lab.back(out);
        let mut after = back.bytes().to_vec();
        prop_assert_eq!(after[7], hop - 2);
        after[7] = hop;
        // A checksum of all ones and one of all zeros are the same number.
        let at = 40 + match number { 6 => 16, 17 | 33 | 136 => 6, _ => 0 };
        if after[at..at + 2] != before[at..at + 2] {
            let is_zero = |octets: &[u8]| octets == [0, 0] || octets == [0xff, 0xff];
            prop_assert!(at > 40 && is_zero(&before[at..at + 2]) && is_zero(&after[at..at + 2]));
            after[at..at + 2].copy_from_slice(&before[at..at + 2]);
        }
        prop_assert_eq!(after, before);
    }

    #[test]
    fn a_mapped_address_comes_back_whatever_else_is_mapped(
        entries in prop::collection::vec((0_u8..=32, any::<u32>(), 0_u8..=128, any::<u128>()), 0..30), v4: u32,
    ) {
        let entries: Vec<Eam> = entries.into_iter().filter_map(|(l4, a4, l6, a6)| {
            Eam::new(Ipv6Prefix::containing(Ipv6Addr::from_bits(a6), l6), Ipv4Prefix::containing(Ipv4Addr::from_bits(a4), l4))
        }).collect();
        // Apart on the IPv6 side, whatever they do on the other.
        let apart: Vec<Eam> = entries.iter().enumerate()
            .filter(|(n, e)| entries[..*n].iter().all(|o| !o.v6.overlaps(e.v6))).map(|(_, e)| *e).collect();
        let addresses = Addresses::new(vec![], apart, false);
        let v4 = Ipv4Addr::from_bits(v4);
        if let Some((v6, _)) = addresses.to_v6(v4) {
            prop_assert_eq!(addresses.to_v4(v6).map(|found| found.0), Some(v4));
        }
    }
}
