//! The fabric: packets of a known flow, new flows, refusals, and a super-packet that crosses whole.

use std::hint::black_box;
use std::net::Ipv6Addr;
use std::sync::Arc;

use sixgate_fabric::{Fabric, Identity, Limits, Port, PortId, SnapshotBuilder, Verdict, Zone, group};
use sixgate_time::{Duration, Instant};
use sixgate_wire::{Packet, ipv6, tcp};

use crate::measure::Bench;
use crate::packets::{MOST_DATA, datagram, segment, super_packet};

const NAT64: PortId = PortId(0);
/// Sessions; the first one's client is the one that sends.
const CLIENTS: u32 = 1000;
const FIRST: PortId = PortId(100);
const PORTS: (u16, u16) = (50_000, 445);

pub(crate) fn run(bench: &mut Bench) {
    let (client, files) = (address("fd00:1::1"), address("fd00:64::a06:50"));
    let now = Instant::from_secs(1);
    let mut fabric = gateway(client);
    must_pass(&mut fabric, now, FIRST, segment((client, files), PORTS, tcp::SYN, 0, 0));
    must_pass(&mut fabric, now, NAT64, segment((files, client), swapped(), tcp::SYN | tcp::ACK, 0, 0));

    for (name, data) in [("fabric: known flow, small segment", 0), ("fabric: known flow, 1,400 octets", 1340)]
    {
        let p = segment((client, files), PORTS, tcp::ACK, 1, data);
        forward_again(bench, name, &mut fabric, FIRST, p);
    }
    let answer = segment((files, client), swapped(), tcp::ACK, 1, 1340);
    forward_again(bench, "fabric: known flow, answer", &mut fabric, NAT64, answer);

    let whole = super_packet((client, files), PORTS, 1340, MOST_DATA);
    let octets = whole.len();
    let after = must_pass(&mut fabric, now, FIRST, whole.clone());
    let same =
        after.offload == whole.offload && after.bytes()[ipv6::HEADER..] == whole.bytes()[ipv6::HEADER..];
    assert!(same && after.len() == octets, "a super-packet did not cross whole");
    bench.note(format!("a packet of {octets} octets crossed the fabric whole, its offload metadata with it"));
    forward_again(bench, "fabric: known flow, super-packet", &mut fabric, FIRST, whole);

    new_flows(bench, client, files);
    refusals(bench, &mut fabric, client);
}

/// One packet over and over, as if it were read again each time.
fn forward_again(bench: &mut Bench, name: &'static str, fabric: &mut Fabric, from: PortId, mut p: Packet) {
    let mut now = Instant::from_secs(2);
    bench.measure(name, p.len(), 1, || {
        now = now + Duration::from_micros(1);
        ipv6::set_hop_limit(p.bytes_mut(), 64);
        let verdict = fabric.forward(now, from, black_box(&mut p));
        assert!(matches!(verdict, Verdict::Send(_)));
    });
}

/// Every packet opens a flow, and one that is older than its lifetime makes room for it.
fn new_flows(bench: &mut Bench, client: Ipv6Addr, files: Ipv6Addr) {
    let mut fabric = gateway(client);
    let mut p = datagram((client, files), PORTS, 100);
    let (mut now, mut port) = (Instant::from_secs(1), 0_u16);
    bench.measure("fabric: new flow, old one expires", p.len(), 1, || {
        now = now + Duration::from_millis(20);
        port = port.wrapping_add(1);
        ipv6::set_hop_limit(p.bytes_mut(), 64);
        p.bytes_mut()[ipv6::HEADER..ipv6::HEADER + 2].copy_from_slice(&port.to_be_bytes());
        let verdict = fabric.forward(now, FIRST, black_box(&mut p));
        assert!(matches!(verdict, Verdict::Send(_)));
    });
}

fn refusals(bench: &mut Bench, fabric: &mut Fabric, client: Ipv6Addr) {
    let mut p = segment((client, address("2001:db8::1")), PORTS, tcp::SYN, 0, 0);
    let (mut now, mut error) = (Instant::from_secs(2), Packet::new());
    bench.measure("fabric: refusal with its ICMPv6 error", p.len(), 1, || {
        // Slow enough for the limit of one sender, so that an error is written every time.
        now = now + Duration::from_millis(25);
        let verdict = fabric.forward(now, FIRST, black_box(&mut p));
        let Verdict::Refuse { reason, refusal } = verdict else { unreachable!("there is no such route") };
        assert!(fabric.refuse(now, reason, refusal, &p, &mut error));
    });
}

fn gateway(client: Ipv6Addr) -> Fabric {
    let port = |zone| Port { zone, mtu: 1500, source: address("fd00::1") };
    let snapshot = SnapshotBuilder::new()
        .port(NAT64, port(Zone::Intranet))
        .route("fd00:64::/96".parse().expect("a prefix"), NAT64)
        .build()
        .expect("a port and a route to it");
    let mut fabric = Fabric::new(Limits::default(), [42; 32]);
    fabric.set_snapshot(Arc::new(snapshot));
    for n in 0..CLIENTS {
        let id = PortId(FIRST.0 + n);
        fabric.add_port(id, port(Zone::Clients)).expect("a port as it should be");
        let host = Ipv6Addr::from_bits(client.to_bits() + u128::from(n));
        fabric.add_host(host, id, Identity { groups: group::CLIENTS, name: n + 1 });
    }
    fabric
}

fn must_pass(fabric: &mut Fabric, now: Instant, from: PortId, mut p: Packet) -> Packet {
    let verdict = fabric.forward(now, from, &mut p);
    assert!(matches!(verdict, Verdict::Send(_)), "{verdict:?}: {p:?}");
    p
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

fn swapped() -> (u16, u16) {
    (PORTS.1, PORTS.0)
}
