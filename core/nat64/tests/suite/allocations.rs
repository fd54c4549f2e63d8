//! The hot path does not allocate once it is warm.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

use sixgate_nat64::{Config, Shard, ShardMap, Share, Step, Verdict};
use sixgate_time::Instant;
use sixgate_wire::Packet;

use crate::support::*;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts allocations of the thread that makes them: tests run beside each other.
struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches a thread's own cell and
// allocates nothing, because the cell is initialised at compile time.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocations() -> u64 {
    ALLOCATIONS.with(Cell::get)
}

/// Runs the same thing twice and gives the allocations of the second time.
fn when_warm(mut run: impl FnMut()) -> u64 {
    run();
    let before = allocations();
    run();
    allocations() - before
}

fn copy(from: &Packet, to: &mut Packet) {
    to.reset();
    assert!(to.extend(from.bytes()));
    to.offload = from.offload;
}

#[test]
fn counting_counts() {
    assert_eq!(when_warm(|| drop(Vec::<u8>::with_capacity(10))), 1);
}

#[test]
fn packets_of_open_sessions_are_translated_without_allocation() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let out = udp6(client(), 5000, embed(SERVER), 53, &[1; 1200]);
    let back = udp4(SERVER, 53, POOL, outside, &[2; 1200]);
    let mut packet = Packet::new();
    let count = when_warm(|| {
        for _ in 0..100 {
            copy(&out, &mut packet);
            assert_eq!(lab.nat.outbound(lab.now, &mut packet, 1500), Verdict::Translated);
            copy(&back, &mut packet);
            assert_eq!(lab.nat.inbound(lab.now, &mut packet, 1500), Verdict::Translated);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn sessions_come_and_go_without_allocation() {
    let mut lab = Lab::new(config());
    let packets: Vec<Packet> =
        (0..500).map(|port| udp6(client(), port, embed(SERVER), 53, b"question")).collect();
    let mut packet = Packet::new();
    let count = when_warm(|| {
        for each in &packets {
            copy(each, &mut packet);
            assert_eq!(lab.nat.outbound(lab.now, &mut packet, 1500), Verdict::Translated);
        }
        lab.wait_secs(301);
        lab.nat.handle_timeout(lab.now);
        assert_eq!(lab.nat.session_count(), 0);
    });
    assert_eq!(count, 0);
}

#[test]
fn blocks_limits_and_their_events_use_memory_again() {
    let mut lab = Lab::new(Config {
        port_block_size: 64,
        log_ports: true,
        max_sessions_per_client: 600,
        max_ports_per_client: 400,
        new_sessions_per_second_per_client: 1000,
        ..config()
    });
    let packets: Vec<Packet> =
        (0..500).map(|port| udp6(client(), port, embed(SERVER), 53, b"question")).collect();
    let (mut packet, mut out) = (Packet::new(), Packet::new());
    let count = when_warm(|| {
        let mut told = 0;
        for (n, each) in packets.iter().enumerate() {
            copy(each, &mut packet);
            let verdict = lab.nat.outbound(lab.now, &mut packet, 1500);
            assert_eq!(verdict == Verdict::Translated, n < 400, "{n} {verdict:?}");
        }
        lab.wait_secs(301);
        lab.nat.handle_timeout(lab.now);
        while lab.nat.poll_port_event().is_some() {
            told += 1;
        }
        while lab.nat.poll_output(&mut out) || lab.nat.poll_pool_alarm().is_some() {}
        assert_eq!((lab.nat.session_count(), told), (0, 14));
    });
    assert_eq!(count, 0);
}

#[test]
fn errors_and_hairpinned_packets_use_memory_again() {
    let mut lab = Lab::new(config());
    let outside = lab.open_udp(5000, SERVER);
    let refused = tcp6(client(), 9, embed(SERVER), 53, 16);
    let hairpin = udp6(neighbour(), 6000, embed(POOL), outside, b"hello");
    let (mut packet, mut out) = (Packet::new(), Packet::new());
    let count = when_warm(|| {
        for _ in 0..50 {
            copy(&refused, &mut packet);
            lab.nat.outbound(lab.now, &mut packet, 1500);
            copy(&hairpin, &mut packet);
            assert_eq!(lab.nat.outbound(lab.now, &mut packet, 1500), Verdict::Consumed);
            let mut sent = 0;
            while lab.nat.poll_output(&mut out) {
                sent += 1;
            }
            assert_eq!(sent, 2);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn a_stateless_translator_allocates_nothing() {
    use crate::siit::{NODE4, OTHER_NODE4, Stateless, node, siit_config};

    let mut lab = Stateless::new(siit_config());
    let out = udp6(node(), 5000, embed(SERVER), 53, &[1; 1200]);
    let back = udp4(SERVER, 53, NODE4, 5000, &[2; 1200]);
    let turns = udp6(node(), 5000, embed(OTHER_NODE4), 53, &[3; 1200]);
    let refused = udp6(node(), 5000, gateway6(), 53, b"");
    let (mut packet, mut told) = (Packet::new(), Packet::new());
    let count = when_warm(|| {
        for _ in 0..50 {
            for there in [&out, &turns] {
                copy(there, &mut packet);
                assert_eq!(lab.siit.outbound(lab.now, &mut packet, 1500), Verdict::Translated);
            }
            copy(&back, &mut packet);
            assert_eq!(lab.siit.inbound(lab.now, &mut packet, 1500), Verdict::Translated);
            copy(&refused, &mut packet);
            lab.siit.outbound(lab.now, &mut packet, 1500);
            assert!(lab.siit.poll_output(&mut told));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn to_say_whose_a_packet_is_takes_no_allocation() {
    let config = Config { share: Share::new(0, 4), ..config() };
    let map = Arc::new(ShardMap::new(&config, 128, &[7; 32]));
    let mut shard = Shard::new(map, 0, config.timeouts.fragment, &[8; 32]);
    let packets = [
        udp6(client(), 5000, embed(SERVER), 53, &[1; 1200]),
        tcp4(SERVER, 80, POOL, 5000, 16),
        echo4(0, SERVER, POOL, 77),
        error4(OTHER, 3, 3, 0, udp4(POOL, 5000, SERVER, 53, b"").bytes()),
    ];
    let mut crossed = 0;
    let count = when_warm(|| {
        for _ in 0..100 {
            for packet in &packets {
                crossed += usize::from(shard.arrived(Instant::ZERO, packet) != Step::Mine);
            }
        }
    });
    assert_eq!(count, 0);
    assert!(crossed > 0);
}
