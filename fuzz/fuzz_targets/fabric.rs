//! Packets of many kinds through a small gateway with the standard policy.
//!
//! Beside "never panics" there is an oracle: between two ports where policy opens nothing, a packet passes only after one
//! passed the other way; a refused packet is untouched; tables keep their size.
#![no_main]

use std::net::Ipv6Addr;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use sixgate_fabric::{
    Fabric, Identity, Limits, Port, PortId, Service, SnapshotBuilder, Verdict, Zone, group,
};
use sixgate_reason as reason;
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::Prefix64;
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::{Packet, Segmentation};

const LAPTOP: u32 = 0;
const OTHER: u32 = 1;
const KERNEL: u32 = 2;
const NAT64: u32 = 3;
const ISATAP: u32 = 4;
const PORTS: usize = 5;

/// Each with the port it is behind; the last are behind none.
const ADDRESSES: [(&str, u32); 10] = [
    ("fd00:1::1", LAPTOP),
    ("fd00:1::2", OTHER),
    ("fd00::53", KERNEL),
    ("fd00::54", KERNEL),
    ("fd00:64::a06:50", NAT64),
    ("fd00:64::a06:1", NAT64),
    ("fd00:2::5efe:a06:814", ISATAP),
    ("2001:db8::1", NAT64),
    ("fe80::1", LAPTOP),
    ("ff02::1", OTHER),
];
const NEXT_HEADERS: [u8; 10] = [0, 6, 17, 43, 44, 50, 51, 58, 59, 60];

fn address(n: u8) -> (Ipv6Addr, u32) {
    let (text, port) = ADDRESSES[usize::from(n) % ADDRESSES.len()];
    (text.parse().unwrap(), port)
}

fn gateway() -> Fabric {
    let port = |zone, mtu| Port { zone, mtu, source: "fd00::1".parse().unwrap() };
    let resolver = address(2).0;
    let snapshot = SnapshotBuilder::new()
        .port(PortId(KERNEL), port(Zone::Gateway, 1500))
        .port(PortId(NAT64), port(Zone::Intranet, 1480))
        .port(PortId(ISATAP), port(Zone::Isatap, 1280))
        .route("fd00::/64".parse().unwrap(), PortId(KERNEL))
        .route("fd00:64::/96".parse().unwrap(), PortId(NAT64))
        .route("fd00:2::/64".parse().unwrap(), PortId(ISATAP))
        .prefix64(Prefix64::new("fd00:64::/96".parse().unwrap()).unwrap())
        .isatap("fd00:2::/64".parse().unwrap())
        .service(Service::Udp(resolver, 53))
        .service(Service::Tcp(resolver, 53))
        .service(Service::Echo(resolver))
        .build()
        .unwrap();
    let mut fabric = Fabric::new(Limits { flows: 16, fragments: 4, ..Limits::default() }, [5; 32]);
    fabric.set_snapshot(Arc::new(snapshot));
    for n in [LAPTOP, OTHER] {
        fabric.add_port(PortId(n), port(Zone::Clients, 1400)).unwrap();
        let identity = Identity { groups: group::CLIENTS, name: Identity::NAMELESS };
        fabric.add_host(address(n as u8).0, PortId(n), identity);
    }
    fabric
}

/// Where the standard policy lets a flow begin.
fn may_open(from: u32, to: u32) -> bool {
    match from {
        LAPTOP | OTHER => matches!(to, NAT64 | ISATAP | KERNEL),
        // The echo of the gateway is for its hosts too.
        ISATAP => matches!(to, LAPTOP | OTHER | KERNEL),
        _ => false,
    }
}

/// Eight octets say what the packet is, then comes its payload.
fn next_packet<'a>(data: &mut &'a [u8]) -> Option<(u32, Duration, Packet)> {
    let (head, rest) = data.split_at_checked(8)?;
    let length = usize::from(head[5]).min(rest.len());
    let (payload, rest) = rest.split_at(length);
    *data = rest;
    let (src, from) = address(head[0]);
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: length as u16,
        next_header: NEXT_HEADERS[usize::from(head[2]) % NEXT_HEADERS.len()],
        hop_limit: head[3],
        src,
        dst: address(head[1]).0,
    };
    let bytes: Vec<u8> =
        if head[4] & 0x80 != 0 { payload.to_vec() } else { [&header.octets(), payload].concat() };
    let mut packet = Packet::from_slice(&bytes);
    let size = u16::from(head[6]) * 8;
    packet.offload.segmentation = match head[4] & 3 {
        1 => Segmentation::Tcp { mss: size },
        2 => Segmentation::Udp { size },
        _ => Segmentation::None,
    };
    Some((from, Duration::from_secs(u64::from(head[7])), packet))
}

fuzz_target!(|data: &[u8]| {
    let (mut fabric, mut now, mut out, mut data) = (gateway(), Instant::from_secs(1), Packet::new(), data);
    let mut passed = [[false; PORTS]; PORTS];
    while let Some((from, wait, mut packet)) = next_packet(&mut data) {
        now = now + wait;
        let before = packet.bytes().to_vec();
        match fabric.forward(now, PortId(from), &mut packet) {
            Verdict::Send(PortId(to)) => {
                assert_ne!(to, from);
                let (old, new) = (Ipv6::parse(&before).unwrap(), Ipv6::parse(packet.bytes()).unwrap());
                assert_eq!(new.hop_limit() + 1, old.hop_limit());
                assert_eq!((new.payload(), new.src(), new.dst()), (old.payload(), old.src(), old.dst()));
                let allowed = may_open(from, to) || passed[to as usize][from as usize];
                assert!(allowed, "{packet:?} from {from} to {to}");
                passed[from as usize][to as usize] = true;
            }
            Verdict::Refuse { reason, refusal } => {
                assert_eq!(packet.bytes(), before);
                if matches!(reason, reason::FABRIC_TOO_BIG | reason::FLOW_FRAGMENT_TABLE_FULL) {
                    // Policy had nothing against it: the flow is open, and its answers pass.
                    let to = fabric.route(Ipv6::parse(&before).unwrap().dst()).unwrap().0;
                    assert!(may_open(from, to) || passed[to as usize][from as usize]);
                    passed[from as usize][to as usize] = true;
                }
                if fabric.refuse(now, reason, refusal, &packet, &mut out) {
                    let ip = Ipv6::parse(out.bytes()).unwrap();
                    assert!(out.len() <= 1280);
                    assert_eq!(ip.dst(), Ipv6::parse(&before).unwrap().src());
                }
            }
        }
        assert!(fabric.flow_count() <= 16 && fabric.fragment_count() <= 4);
        if wait.as_secs() & 1 == 1 {
            fabric.handle_timeout(now);
            assert!(fabric.next_timeout() > now);
        }
    }
});
