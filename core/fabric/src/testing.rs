//! A small gateway for tests, and packets to throw at it.
//!
//! ```text
//!   fd00:1::1 -- LAPTOP --+         +-- NAT64 --- fd00:64::/96
//!   fd00:1::2 -- OTHER  --+ fabric  +-- ISATAP -- fd00:2::/64
//!                         +         +-- KERNEL -- fd00::53 (DNS)
//! ```

extern crate std;

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::addr::Prefix64;
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::refusal::Refusal;
use sixgate_wire::{Packet, icmpv6, protocol};

use crate::{Fabric, Identity, Limits, Policy, Port, PortId, Service, SnapshotBuilder, Verdict, Zone, group};

pub(crate) const KERNEL: PortId = PortId(1);
pub(crate) const NAT64: PortId = PortId(2);
pub(crate) const ISATAP: PortId = PortId(3);
pub(crate) const LAPTOP: PortId = PortId(10);
pub(crate) const OTHER: PortId = PortId(11);

pub(crate) fn addr(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

pub(crate) fn laptop() -> Ipv6Addr {
    addr("fd00:1::1")
}

pub(crate) fn other() -> Ipv6Addr {
    addr("fd00:1::2")
}

/// An IPv4-only server.
pub(crate) fn files() -> Ipv6Addr {
    addr("fd00:64::10.6.0.80")
}

/// A served ISATAP host.
pub(crate) fn helpdesk() -> Ipv6Addr {
    addr("fd00:2::5efe:10.6.8.20")
}

pub(crate) fn resolver() -> Ipv6Addr {
    addr("fd00::53")
}

pub(crate) fn client() -> Identity {
    Identity { groups: group::CLIENTS, name: Identity::NAMELESS }
}

pub(crate) fn at(secs: u64) -> Instant {
    Instant::from_secs(secs)
}

pub(crate) fn snapshot(policy: Policy) -> SnapshotBuilder {
    let port = |zone, mtu| Port { zone, mtu, source: addr("fd00::1") };
    SnapshotBuilder::new()
        .port(KERNEL, port(Zone::Gateway, 1500))
        .port(NAT64, port(Zone::Intranet, 1480))
        .port(ISATAP, port(Zone::Isatap, 1280))
        .route("fd00::/64".parse().unwrap(), KERNEL)
        .route("fd00:64::/96".parse().unwrap(), NAT64)
        .route("fd00:2::/64".parse().unwrap(), ISATAP)
        .prefix64(Prefix64::new("fd00:64::/96".parse().unwrap()).unwrap())
        .isatap("fd00:2::/64".parse().unwrap())
        .service(Service::Udp(resolver(), 53))
        .service(Service::Tcp(resolver(), 53))
        .service(Service::Echo(resolver()))
        .policy(policy)
}

pub(crate) fn fabric_with(policy: Policy, limits: Limits) -> Fabric {
    let mut fabric = Fabric::new(limits, [9; 32]);
    fabric.set_snapshot(Arc::new(snapshot(policy).build().unwrap()));
    for (id, address) in [(LAPTOP, laptop()), (OTHER, other())] {
        fabric.add_port(id, Port { zone: Zone::Clients, mtu: 1400, source: addr("fd00:1::ffff") }).unwrap();
        fabric.add_host(address, id, client());
    }
    fabric
}

pub(crate) fn fabric() -> Fabric {
    fabric_with(Policy::standard(), Limits { flows: 64, fragments: 8, ..Limits::default() })
}

/// The port that an address of the drawing is behind.
pub(crate) fn port_of(address: Ipv6Addr) -> PortId {
    match address {
        a if a == laptop() => LAPTOP,
        a if a == other() => OTHER,
        a if a.segments()[1] == 0x64 => NAT64,
        a if a.segments()[1] == 2 => ISATAP,
        _ => KERNEL,
    }
}

/// Forwards `packet` from the port that its source is behind; the port it left by, or why it did not.
pub(crate) fn send(fabric: &mut Fabric, now: Instant, packet: &Packet) -> Result<PortId, Reason> {
    ask(fabric, now, packet).map_err(|(reason, _)| reason)
}

pub(crate) fn ask(
    fabric: &mut Fabric,
    now: Instant,
    packet: &Packet,
) -> Result<PortId, (Reason, Option<Refusal>)> {
    let from = Ipv6::parse(packet.bytes()).map_or(KERNEL, |ip| port_of(ip.src()));
    let mut packet = packet.clone();
    match fabric.forward(now, from, &mut packet) {
        Verdict::Send(port) => Ok(port),
        Verdict::Refuse { reason, refusal } => Err((reason, refusal)),
    }
}

pub(crate) fn packet(src: Ipv6Addr, dst: Ipv6Addr, next_header: u8, payload: &[u8]) -> Packet {
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: payload.len() as u16,
        next_header,
        hop_limit: 64,
        src,
        dst,
    };
    let mut bytes = header.octets().to_vec();
    bytes.extend_from_slice(payload);
    Packet::from_slice(&bytes)
}

pub(crate) fn tcp_header(ports: (u16, u16), flags: u8) -> Vec<u8> {
    let mut header = vec![0; 20];
    header[0..2].copy_from_slice(&ports.0.to_be_bytes());
    header[2..4].copy_from_slice(&ports.1.to_be_bytes());
    header[12] = 0x50;
    header[13] = flags;
    header
}

pub(crate) fn tcp(src: Ipv6Addr, dst: Ipv6Addr, ports: (u16, u16), flags: u8) -> Packet {
    packet(src, dst, protocol::TCP, &tcp_header(ports, flags))
}

pub(crate) fn udp_header(ports: (u16, u16), data: usize) -> Vec<u8> {
    let mut header = vec![0; 8 + data];
    header[0..2].copy_from_slice(&ports.0.to_be_bytes());
    header[2..4].copy_from_slice(&ports.1.to_be_bytes());
    header[4..6].copy_from_slice(&(8 + data as u16).to_be_bytes());
    header
}

pub(crate) fn udp(src: Ipv6Addr, dst: Ipv6Addr, ports: (u16, u16)) -> Packet {
    packet(src, dst, protocol::UDP, &udp_header(ports, 4))
}

/// An ICMPv6 message whose body is `body`.
pub(crate) fn icmp(src: Ipv6Addr, dst: Ipv6Addr, kind: u8, word: u32, body: &[u8]) -> Packet {
    let mut message = vec![kind, 0, 0, 0];
    message.extend_from_slice(&word.to_be_bytes());
    message.extend_from_slice(body);
    icmpv6::finish(&mut message, src, dst);
    packet(src, dst, protocol::ICMPV6, &message)
}

pub(crate) fn echo(src: Ipv6Addr, dst: Ipv6Addr, kind: u8, identifier: u16) -> Packet {
    icmp(src, dst, kind, u32::from(identifier) << 16 | 1, b"payload")
}

/// The fragment of a datagram of `protocol` at `offset` with this data.
pub(crate) fn fragment(
    src: Ipv6Addr,
    dst: Ipv6Addr,
    protocol: u8,
    (offset, more, identification): (u16, bool, u32),
    data: &[u8],
) -> Packet {
    let mut payload = vec![protocol, 0];
    payload.extend_from_slice(&(offset | u16::from(more)).to_be_bytes());
    payload.extend_from_slice(&identification.to_be_bytes());
    payload.extend_from_slice(data);
    packet(src, dst, sixgate_wire::protocol::FRAGMENT, &payload)
}
