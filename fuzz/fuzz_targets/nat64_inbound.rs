//! Any octets from the IPv4 side, against a NAT64 with bindings of every protocol: no panic, and what is translated is
//! a whole IPv6 packet from the prefix.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_nat64::{Config, Inside, Nat64, Outside, PoolEntry, Proto, StaticBinding, Verdict};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::Prefix64;
use sixgate_wire::checksum::Sum;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Offload, Packet, Segmentation};

fuzz_target!(|data: &[u8]| {
    let prefix = Prefix64::new("2001:db8:64::/96".parse().unwrap()).unwrap();
    let address = [192, 0, 2, 2].into();
    let pool = PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports: 1..=300 };
    let inside = Inside { address: "2001:db8::8".parse().unwrap(), port: 7 };
    let statics = Proto::ALL.map(|protocol| StaticBinding {
        protocol,
        outside: Outside { address, port: 257 },
        inside,
    });
    let config = Config {
        prefixes: vec![prefix],
        pool: vec![pool],
        statics: statics.to_vec(),
        max_sessions: 8,
        ..Config::default()
    };
    let mut nat = Nat64::new(config, [1; 32]);
    let mut out = Packet::with_capacity(4096);
    let mut now = Instant::ZERO;
    let mut rest = data;
    while let Some(([high, low], behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes([*high & 0x1f, *low])).min(behind.len());
        let (bytes, next) = behind.split_at(length);
        rest = next;
        let mut packet = Packet::from_slice(bytes);
        packet.offload = offload(*high, bytes);
        if high & 0x80 == 0 && length >= 20 {
            let bytes = packet.bytes_mut();
            let header = usize::from(bytes[0] & 15).clamp(5, 15).min(length / 4);
            bytes[0] = 0x40 | header as u8;
            bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            bytes[16..20].copy_from_slice(&[192, 0, 2, 2]);
            bytes[10..12].fill(0);
            let sum = Sum::new().with(&bytes[..header * 4]).finish();
            bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        now = now + Duration::from_millis(u64::from(*low) * 100);
        if nat.inbound(now, &mut packet, 1500) == Verdict::Translated {
            let ip = Ipv6::parse(packet.bytes()).unwrap();
            assert!(ip.bytes().len() == packet.len());
            assert!(prefix.contains(ip.src()) && ip.dst() == inside.address);
        }
        while nat.poll_output(&mut out) {}
    }
    nat.handle_timeout(Instant::from_secs(1_000_000));
});

/// What a device would say of the packet: two bits of the length's high octet decide it.
fn offload(high: u8, bytes: &[u8]) -> Offload {
    let size = u16::from(bytes.last().copied().unwrap_or(0)) * 8;
    let (segmentation, offset) = match high & 0x60 {
        0x20 => (Segmentation::Tcp { mss: size }, 16),
        0x40 => (Segmentation::Udp { size }, 6),
        0x60 => (Segmentation::None, 6),
        _ => return Offload::default(),
    };
    Offload { partial_checksum: Some(PartialChecksum { start: 20, offset }), segmentation }
}
