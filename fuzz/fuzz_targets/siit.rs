//! Any octets from either side of the stateless translator, under any of its settings: no panic, and what is translated is a
//! whole packet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_nat64::{Eam, Hairpinning, Siit, SiitConfig, Verdict, ZeroChecksum};
use sixgate_time::Instant;
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};
use sixgate_wire::checksum::Sum;
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::{Packet, Segmentation};

fn config(settings: u8, lengths: [u8; 2]) -> SiitConfig {
    let prefix = Prefix64::new("2001:db8:64::/96".parse().unwrap()).unwrap();
    let v6 = Ipv6Prefix::containing("2001:db8:1::8".parse().unwrap(), lengths[0] % 129);
    let v4 = Ipv4Prefix::containing("198.51.100.8".parse().unwrap(), lengths[1] % 33);
    let fixed = Eam { v6: "2001:db8:1::/120".parse().unwrap(), v4: "198.51.100.0/24".parse().unwrap() };
    SiitConfig {
        prefixes: if settings & 1 == 0 { vec![prefix] } else { Vec::new() },
        mappings: Eam::new(v6, v4).into_iter().chain([fixed]).collect(),
        hairpinning: [Hairpinning::Intrinsic, Hairpinning::Simple, Hairpinning::Off]
            [usize::from(settings >> 1) % 3],
        zero_checksum: if settings & 0x80 == 0 { ZeroChecksum::Drop } else { ZeroChecksum::Compute },
        source4: (settings & 0x40 == 0).then(|| "192.0.2.64/26".parse().unwrap()),
        gateway6: "2001:db8:f::1".parse().unwrap(),
        ..SiitConfig::default()
    }
}

/// A header of the node's to the server, or back, so that most get in.
fn aim(packet: &mut Packet, other: bool) {
    let bytes = packet.bytes_mut();
    let length = bytes.len();
    if length >= 40 && bytes[0] >> 4 == 6 {
        bytes[4..6].copy_from_slice(&((length - 40) as u16).to_be_bytes());
        bytes[8..24].copy_from_slice(&"2001:db8:1::8".parse::<std::net::Ipv6Addr>().unwrap().octets());
        let to = if other { "2001:db8:64::198.51.100.9" } else { "2001:db8:64::203.0.113.5" };
        bytes[24..40].copy_from_slice(&to.parse::<std::net::Ipv6Addr>().unwrap().octets());
    } else if length >= 20 {
        bytes[0] = 0x40 | (bytes[0] & 15).clamp(5, 15);
        bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
        bytes[12..20].copy_from_slice(&[203, 0, 113, 5, 198, 51, 100, 8]);
        bytes[10..12].fill(0);
        let header = (usize::from(bytes[0] & 15) * 4).min(length);
        let sum = Sum::new().with(&bytes[..header]).finish();
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

fn whole(packet: &Packet) {
    if packet.bytes()[0] >> 4 == 6 {
        assert_eq!(Ipv6::parse(packet.bytes()).unwrap().bytes().len(), packet.len());
    } else {
        let ip = Ipv4::parse(packet.bytes()).unwrap();
        assert!(ip.header_checksum_ok() && ip.bytes().len() == packet.len());
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(([settings, first, second], mut rest)) = data.split_first_chunk::<3>() else { return };
    let mut siit = Siit::new(config(*settings, [*first, *second]), [1; 32]);
    let mut out = Packet::new();
    // Packets follow each other, each behind its length.
    while let Some(([high, low], behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes([high & 0x0f, *low])).min(behind.len());
        let (bytes, next) = behind.split_at(length);
        rest = next;
        let mut packet = Packet::from_slice(bytes);
        if high & 0x80 == 0 {
            aim(&mut packet, high & 0x40 != 0);
        }
        if high & 0x20 != 0 {
            packet.offload.segmentation = Segmentation::Tcp { mss: u16::from(*low) * 8 };
        } else if high & 0x10 != 0 {
            packet.offload.segmentation = Segmentation::Udp { size: u16::from(*low) * 8 };
        }
        let six = packet.bytes().first().is_some_and(|octet| octet >> 4 == 6);
        let verdict = if six {
            siit.outbound(Instant::ZERO, &mut packet, 1500)
        } else {
            siit.inbound(Instant::ZERO, &mut packet, 1500)
        };
        if verdict == Verdict::Translated {
            whole(&packet);
        }
        while siit.poll_output(&mut out) {
            whole(&out);
        }
    }
});
