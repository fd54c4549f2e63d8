//! Any octets from the IPv6 side: no panic, and what is translated is a whole IPv4 packet from the pool.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_nat64::{Config, Nat64, PoolEntry, Verdict};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::Prefix64;
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Offload, Packet, Segmentation};

fuzz_target!(|data: &[u8]| {
    let prefix = Prefix64::new("2001:db8:64::/96".parse().unwrap()).unwrap();
    let pool = PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports: 1..=4 };
    let gateway4 = [192, 0, 2, 1].into();
    let config =
        Config { prefixes: vec![prefix], pool: vec![pool], max_sessions: 8, gateway4, ..Config::default() };
    let mut nat = Nat64::new(config, [1; 32]);
    let mut out = Packet::with_capacity(4096);
    let mut now = Instant::ZERO;
    // Packets follow each other, each behind its length; the fixed header is aimed at the prefix so that most get in.
    let mut rest = data;
    while let Some(([high, low], behind)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes([*high & 0x1f, *low])).min(behind.len());
        let (bytes, next) = behind.split_at(length);
        rest = next;
        let mut packet = Packet::from_slice(bytes);
        packet.offload = offload(*high, bytes);
        if high & 0x80 == 0 && length >= 40 {
            let payload = (length - 40) as u16;
            let bytes = packet.bytes_mut();
            bytes[0] = 0x60;
            bytes[4..6].copy_from_slice(&payload.to_be_bytes());
            bytes[24..36].copy_from_slice(&prefix.prefix().address().octets()[..12]);
        }
        now = now + Duration::from_millis(u64::from(*low) * 100);
        if nat.outbound(now, &mut packet, 1500) == Verdict::Translated {
            let ip = Ipv4::parse(packet.bytes()).unwrap();
            assert!(ip.header_checksum_ok() && ip.bytes().len() == packet.len());
            assert!(ip.src().octets()[..3] == [192, 0, 2] && (1..=2).contains(&ip.src().octets()[3]));
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
    Offload { partial_checksum: Some(PartialChecksum { start: 40, offset }), segmentation }
}
