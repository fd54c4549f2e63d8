//! A table with a million sessions: what it takes of memory, and what one packet costs beside a table of a thousand.

use std::hint::black_box;
use std::net::Ipv6Addr;

use sixgate_nat64::{Config, Nat64, PoolEntry, Verdict};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::Prefix64;
use sixgate_wire::{Packet, ipv6, udp};

use crate::measure::Bench;
use crate::packets::{datagram, refill};

const MANY: u32 = 1_000_000;
const FEW: u32 = 1000;
/// What a million sessions may take, in octets.
const MOST_MEMORY: u64 = 400_000_000;
/// An idle table of the same size may take.
const MOST_IDLE: u64 = 20_000_000;
const MTU: u16 = 1500;

/// Whose sessions they are.
#[derive(Clone, Copy)]
enum Owners {
    /// Each session has a client and a binding of its own: the worst case.
    Each,
    /// A thousand sessions share a binding.
    Shared,
}

pub(crate) fn run(bench: &mut Bench) {
    // Without optimisation, as the test of this crate runs it, a million takes a minute: only for who asks.
    if !bench.wants("sessions", !cfg!(debug_assertions)) {
        return;
    }
    packets_of(bench, "nat64: any of 1,000 sessions", FEW, Owners::Each);
    packets_of(bench, "nat64: any of 1,000,000 sessions", MANY, Owners::Each);
    packets_of(bench, "nat64: any of 1,000,000 sessions, shared", MANY, Owners::Shared);
}

fn packets_of(bench: &mut Bench, name: &'static str, sessions: u32, owners: Owners) {
    let before = resident();
    let mut nat = translator();
    let idle = resident().saturating_sub(before);
    let mut template = datagram((Ipv6Addr::from_bits(0x2001_0db8 << 96), peer()), (1, 53), 16);
    // Any but none: nobody on the way looks whether it is right.
    template.bytes_mut()[ipv6::HEADER + udp::CHECKSUM] = 1;
    let (mut now, mut p) = (Instant::from_secs(1), Packet::new());
    for n in 0..sessions {
        now = now + Duration::from_micros(1);
        refill(&mut p, &template);
        aim(&mut p, owners, n);
        assert_eq!(nat.outbound(now, &mut p, MTU), Verdict::Translated);
    }
    assert_eq!(nat.session_count(), sessions as usize);
    let taken = resident().saturating_sub(before);
    if sessions == MANY {
        bench.demand(format!("{name}: {} MB", taken / 1_000_000), "400 MB", taken <= MOST_MEMORY);
        bench.demand(format!("{name}, none yet: {} MB", idle / 1_000_000), "20 MB", idle <= MOST_IDLE);
    }
    let mut random = 1_u64;
    bench.measure(name, template.len(), 1, || {
        now = now + Duration::from_micros(1);
        // Xorshift: every session is as likely as any other, and none is where the last one was.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let n = (((random >> 32) * u64::from(sessions)) >> 32) as u32;
        refill(&mut p, &template);
        aim(&mut p, owners, n);
        assert_eq!(nat.outbound(now, black_box(&mut p), MTU), Verdict::Translated);
    });
}

/// Makes the packet one of session `n`.
fn aim(p: &mut Packet, owners: Owners, n: u32) {
    let bytes = p.bytes_mut();
    let (client, peer_port) = match owners {
        Owners::Each => (n, 53),
        Owners::Shared => (n / 1000, (n % 1000) as u16 + 1),
    };
    bytes[20..24].copy_from_slice(&client.to_be_bytes());
    bytes[ipv6::HEADER + 2..ipv6::HEADER + 4].copy_from_slice(&peer_port.to_be_bytes());
}

fn peer() -> Ipv6Addr {
    "fd00:64::192.0.2.80".parse().expect("an address")
}

fn translator() -> Nat64 {
    let prefix = Prefix64::new("fd00:64::/96".parse().expect("a prefix")).expect("of a length that embeds");
    let pool = PoolEntry {
        protocol: None,
        addresses: "198.51.100.0/24".parse().expect("a prefix"),
        ports: 1..=u16::MAX,
    };
    let config =
        Config { prefixes: vec![prefix], pool: vec![pool], max_sessions: MANY as usize, ..Config::default() };
    Nat64::new(config, [42; 32])
}

/// Octets of this process that are in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    pages * 4096
}
