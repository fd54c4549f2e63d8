//! Two sockets on loopback in a namespace of their own.

use std::net::Ipv6Addr;

use sixgate_wire::checksum::{Sum, pseudo_v6};
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Offload, Segmentation, ipv6};

use super::*;
use crate::testing::{in_namespace, run};

const A: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SRC: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, 0x7f00, 1);
const DST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, 0x7f00, 2);

/// A TCP super-packet with `payload` octets of data whose checksum is left to a device.
fn super_packet(payload: usize, mss: u16) -> Packet {
    let length = 20 + payload;
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: length as u16,
        next_header: protocol::TCP,
        hop_limit: 64,
        src: SRC,
        dst: DST,
    };
    let mut tcp = vec![0x5a; length];
    tcp[..20].fill(0);
    (tcp[12], tcp[13]) = (0x50, 0x10);
    tcp[16..18].copy_from_slice(&pseudo_v6(SRC, DST, protocol::TCP, length as u32).fold().to_be_bytes());
    let mut packet = Packet::new();
    assert!(packet.extend(&header.octets()) && packet.extend(&tcp));
    packet.offload = Offload {
        partial_checksum: Some(PartialChecksum { start: 40, offset: 16 }),
        segmentation: Segmentation::Tcp { mss },
    };
    packet
}

fn receive_all(socket: &mut Proto41, batch: usize, capacity: usize) -> Vec<(Packet, Outer)> {
    let mut packets: Vec<_> = (0..batch).map(|_| Packet::with_capacity(capacity)).collect();
    let mut outer = vec![Outer::default(); batch];
    let mut all = Vec::new();
    loop {
        let n = socket.receive_batch(&mut packets, &mut outer).unwrap();
        if n == 0 {
            return all;
        }
        all.extend(packets[..n].iter().cloned().zip(outer[..n].iter().copied()));
    }
}

#[test]
fn a_super_packet_goes_out_cut_and_arrives_in_order() {
    let namespace = in_namespace(|| {
        let mut a = Proto41::bind(A).unwrap();
        let mut b = Proto41::bind(B).unwrap();
        let big = super_packet(65_000, 1220);
        for _ in 0..3 {
            a.send(B, &big).unwrap();
        }
        a.flush().unwrap();
        let got = receive_all(&mut b, 50, 1500);
        assert_eq!(got.len(), 3 * 54);
        assert_eq!(a.counters().sent, 3 * 54);
        let mut octets = 0;
        for (packet, outer) in &got {
            assert_eq!((outer.src, outer.dst, outer.ttl), (A, B, 64));
            let ip = ipv6::Ipv6::parse(packet.bytes()).unwrap();
            assert!(packet.len() <= 1280 && ip.bytes().len() == packet.len());
            let sum = pseudo_v6(SRC, DST, protocol::TCP, ip.payload().len() as u32);
            assert_eq!(sum.and(Sum::new().with(ip.payload())).fold(), 0xffff);
            assert_eq!(packet.offload, Offload::default());
            let tcp = sixgate_wire::tcp::Tcp::parse(ip.payload()).unwrap();
            assert_eq!(tcp.sequence() as usize, octets % 65_000);
            octets += tcp.payload().len();
        }
        assert_eq!(octets, 3 * 65_000);
    });
    namespace.join().unwrap();
}

#[test]
fn the_outer_header_has_the_congestion_mark_of_the_inner_one_and_no_dscp() {
    let namespace = in_namespace(|| {
        let mut a = Proto41::bind(A).unwrap();
        let mut b = Proto41::bind(B).unwrap();
        for traffic_class in [0xb8, 0xb9, 0xba, 0xbb] {
            let mut packet = super_packet(100, 1220);
            ipv6::set_traffic_class(packet.bytes_mut(), traffic_class);
            a.send(B, &packet).unwrap();
        }
        a.flush().unwrap();
        let tos: Vec<u8> = receive_all(&mut b, 8, 1500).iter().map(|(_, outer)| outer.tos).collect();
        assert_eq!(tos, [0, 1, 2, 3]);
    });
    namespace.join().unwrap();
}

#[test]
fn what_a_kernel_left_unfinished_is_marked() {
    let namespace = in_namespace(|| {
        let mut a = Proto41::bind(A).unwrap();
        let mut b = Proto41::bind(B).unwrap();
        let mut merged = super_packet(5_000, 1220);
        merged.offload = Offload::default();
        a.send(B, &merged).unwrap();
        a.flush().unwrap();
        let got = receive_all(&mut b, 4, 9000);
        assert_eq!(got[0].0.bytes(), merged.bytes());
        assert_eq!(got[0].0.offload, super_packet(5_000, 1220).offload);
    });
    namespace.join().unwrap();
}

#[test]
fn a_packet_that_is_too_large_is_counted_and_its_neighbours_arrive() {
    let namespace = in_namespace(|| {
        let mut a = Proto41::bind(A).unwrap();
        let mut b = Proto41::bind(B).unwrap();
        for payload in [100, 1400, 200] {
            let mut packet = super_packet(payload, 9000);
            packet.offload.segmentation = Segmentation::None;
            a.send(B, &packet).unwrap();
        }
        a.flush().unwrap();
        let lengths: Vec<_> = receive_all(&mut b, 8, 1300).iter().map(|(p, _)| p.len()).collect();
        assert_eq!(lengths, [160, 260]);
        assert_eq!(b.counters().damaged, 1);
    });
    namespace.join().unwrap();
}

#[test]
fn one_destination_without_a_route_does_not_stop_the_others() {
    let namespace = in_namespace(|| {
        let mut a = Proto41::bind(A).unwrap();
        let mut b = Proto41::bind(B).unwrap();
        let packet = super_packet(100, 1220);
        for to in [B, Ipv4Addr::new(192, 0, 2, 1), B] {
            a.send(to, &packet).unwrap();
        }
        assert!(a.flush().is_err());
        assert_eq!((a.counters().sent, a.counters().failed), (2, 1));
        assert!(a.flush().is_ok());
        assert_eq!(receive_all(&mut b, 8, 1500).len(), 2);
    });
    namespace.join().unwrap();
}

#[test]
fn sockets_that_share_an_address_divide_the_senders() {
    let namespace = in_namespace(|| {
        let mut shares: Vec<_> = (0..2)
            .map(|i| {
                let socket = Proto41::bind(B).unwrap();
                socket.share(i, 2).unwrap();
                socket
            })
            .collect();
        assert!(shares[0].share(2, 2).is_err());
        for last in [1, 3, 4] {
            let mut from = Proto41::bind(Ipv4Addr::new(127, 0, 0, last)).unwrap();
            from.send(B, &super_packet(100, 1220)).unwrap();
            from.flush().unwrap();
        }
        let senders: Vec<Vec<_>> = shares
            .iter_mut()
            .map(|s| receive_all(s, 8, 1500).iter().map(|(_, o)| o.src.octets()[3]).collect())
            .collect();
        assert_eq!(senders, [vec![4], vec![1, 3]]);
    });
    namespace.join().unwrap();
}

#[test]
fn packets_go_out_without_the_dont_fragment_bit() {
    let namespace = in_namespace(|| {
        run("ip", "link set lo mtu 1000");
        let mut a = Proto41::bind(A).unwrap();
        let mut b = Proto41::bind(B).unwrap();
        a.send(B, &super_packet(1220, 1220)).unwrap();
        a.flush().unwrap();
        // Reassembled by the kernel.
        assert_eq!(receive_all(&mut b, 8, 1500)[0].0.len(), 1280);
    });
    namespace.join().unwrap();
}

#[test]
fn errors_are_one_line_that_says_what_to_do() {
    let namespace = in_namespace(|| {
        let foreign = Proto41::bind(Ipv4Addr::new(192, 0, 2, 1)).unwrap_err().to_string();
        assert!(
            foreign.contains("192.0.2.1") && foreign.contains("not an address of this machine"),
            "{foreign}"
        );
        let mut caps = rustix::thread::capabilities(None).unwrap();
        caps.effective.remove(rustix::thread::CapabilitySet::NET_RAW);
        rustix::thread::set_capabilities(None, caps).unwrap();
        let denied = Proto41::bind(A).unwrap_err().to_string();
        assert!(denied.contains("CAP_NET_RAW"), "{denied}");
    });
    namespace.join().unwrap();
}
