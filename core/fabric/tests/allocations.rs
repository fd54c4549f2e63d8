//! No packet makes the fabric allocate, once it is made and its hosts are known.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::Ipv6Addr;
use std::sync::Arc;

use sixgate_fabric::{Fabric, Identity, Limits, Port, PortId, SnapshotBuilder, Verdict, Zone, group};
use sixgate_time::Instant;
use sixgate_wire::{Packet, ipv6, protocol, tcp};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CLIENT: PortId = PortId(1);
const INSIDE: PortId = PortId(2);

fn packet(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Packet {
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: payload.len() as u16,
        next_header,
        hop_limit: 64,
        src,
        dst,
    };
    Packet::from_slice(&[&header.octets()[..], payload].concat())
}

fn segment(src: Ipv6Addr, dst: Ipv6Addr, ports: (u16, u16), flags: u8) -> Packet {
    let mut header = [0; 20];
    header[0..2].copy_from_slice(&ports.0.to_be_bytes());
    header[2..4].copy_from_slice(&ports.1.to_be_bytes());
    header[12] = 0x50;
    header[13] = flags;
    packet(src, dst, protocol::TCP, &header)
}

#[test]
fn forwarding_filling_refusing_and_expiring_allocate_nothing() {
    const FLOWS: u16 = 500;
    let (laptop, files): (Ipv6Addr, Ipv6Addr) = ("fd00:1::1".parse().unwrap(), "fd00:64::1".parse().unwrap());
    let port = |zone| Port { zone, mtu: 1500, source: "fd00::1".parse().unwrap() };
    let snapshot = SnapshotBuilder::new()
        .port(INSIDE, port(Zone::Intranet))
        .route("fd00:64::/96".parse().unwrap(), INSIDE)
        .build()
        .unwrap();
    let limits = Limits { flows: usize::from(FLOWS), fragments: 100, ..Limits::default() };
    let mut fabric = Fabric::new(limits, [3; 32]);
    fabric.set_snapshot(Arc::new(snapshot));
    fabric.add_port(CLIENT, port(Zone::Clients)).unwrap();
    fabric.add_host(laptop, CLIENT, Identity { groups: group::CLIENTS, name: Identity::NAMELESS });

    let there: Vec<Packet> = (0..FLOWS + 20).map(|p| segment(laptop, files, (p, 80), tcp::SYN)).collect();
    let back: Vec<Packet> =
        (0..FLOWS + 20).map(|p| segment(files, laptop, (80, p), tcp::SYN | tcp::ACK)).collect();
    let fragments: Vec<Packet> = (0_u32..200)
        .map(|id| {
            let [a, b, c, d] = id.to_be_bytes();
            packet(laptop, files, protocol::FRAGMENT, &[17, 0, 0, 1, a, b, c, d, 0, 1, 0, 2, 0, 8, 0, 0])
        })
        .collect();
    let (mut p, mut error) = (Packet::new(), Packet::new());
    let (mut sent, mut refused, mut told) = (0_u32, 0_u32, 0_u32);
    let before = ALLOCATIONS.get();
    for round in 0..20 {
        // Longer than any flow lives: each round begins with a full table of the round before.
        let now = Instant::from_secs(1 + round * 10_000);
        for (from, packets) in [(CLIENT, &there), (INSIDE, &back), (CLIENT, &fragments)] {
            for original in packets {
                p.reset();
                assert!(p.extend(original.bytes()));
                match fabric.forward(now, from, &mut p) {
                    Verdict::Send(_) => sent += 1,
                    Verdict::Refuse { reason, refusal } => {
                        refused += 1;
                        told += u32::from(fabric.refuse(now, reason, refusal, &p, &mut error));
                    }
                }
            }
        }
    }
    let allocations = ALLOCATIONS.get() - before;
    assert_eq!(allocations, 0, "{sent} sent, {refused} refused, {told} told");
    // Every round: all flows and their answers; 20 flows, 20 answers and every fragment's flow find the table full.
    assert_eq!((sent, refused), (20 * 1000, 20 * (40 + 200)));
    assert!(told > 0);
}
