//! Packets from and to an ISATAP host with two routers, with time going on.
//!
//! The oracle: nothing goes up that does not embed where it came from or come from a router of the list, or that is not
//! for an address of ours; nothing goes out but to a router or to the host that the destination embeds; whoever applies
//! the events has the routes by which packets go.
#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use sixgate_isatap::{Host, HostConfig, HostEvent, Inbound};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::isatap::{self, Form};
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::{Packet, icmpv6, protocol};

const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
const ROUTERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 6, 0, 1), Ipv4Addr::new(203, 0, 114, 1)];
const OUTER: [Ipv4Addr; 6] = [
    ROUTERS[0],
    ROUTERS[1],
    HOST,
    Ipv4Addr::new(10, 6, 8, 30),
    Ipv4Addr::new(10, 6, 8, 255),
    Ipv4Addr::new(127, 0, 0, 1),
];

fn address(which: u8, v4: Ipv4Addr) -> Ipv6Addr {
    let prefix: Ipv6Addr = if which & 1 == 0 { "fe80::" } else { "fd00:2::" }.parse().unwrap();
    match which >> 1 & 7 {
        0..=3 => isatap::address(prefix, Form::Private, v4),
        4 => isatap::address(prefix, Form::Global, v4),
        5 => "fd00:1::7".parse().unwrap(),
        6 => "ff02::1".parse().unwrap(),
        _ => "fd00:2::dead".parse().unwrap(),
    }
}

fuzz_target!(|data: &[u8]| {
    let mut now = Instant::from_secs(1);
    let config = HostConfig {
        address: HOST,
        own_addresses: vec![HOST],
        broadcasts: vec![Ipv4Addr::new(10, 6, 8, 255)],
        ipv4_mtu: 1500,
    };
    let (mut host, mut out, mut data) = (Host::new(config, [7; 32]), Packet::new(), data);
    host.set_routers(now, &ROUTERS);
    let (mut addresses, mut routes) = (vec![host.link_local()], Vec::new());
    while let Some((head, rest)) = data.split_at_checked(8) {
        let (payload, rest) = rest.split_at(usize::from(head[6]).min(rest.len()));
        data = rest;
        now = now + Duration::from_secs(u64::from(head[7]));
        let pick = |n: u8| OUTER[usize::from(n) % OUTER.len()];
        let outer = pick(head[0]);
        let out_of_link = head[4] & 32 == 0;
        let (near, far) = if out_of_link { (outer, HOST) } else { (HOST, outer) };
        let src = address(head[1], if head[4] & 1 == 0 { near } else { pick(head[2]) });
        let dst = address(head[3], if head[4] & 2 == 0 { far } else { pick(head[2]) });
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: payload.len() as u16,
            next_header: if head[4] & 4 == 0 { protocol::ICMPV6 } else { head[5] },
            hop_limit: if head[4] & 8 == 0 { 255 } else { head[5] },
            src,
            dst,
        };
        let mut packet = Packet::from_slice(&[&header.octets(), payload].concat());
        let body = &mut packet.bytes_mut()[ipv6::HEADER..];
        if body.len() >= icmpv6::HEADER && head[4] & 16 == 0 {
            (body[0], body[1]) = (133 + body[0] % 6, 0);
            icmpv6::finish(body, src, dst);
        }
        let embeds = |address, v4| isatap::embedded(address).is_some_and(|(_, inner)| inner == v4);
        if out_of_link {
            if host.decapsulate(now, outer, HOST, &packet) == Inbound::Forward {
                assert!(ROUTERS.contains(&outer) || embeds(src, outer), "{packet:?} from {outer}");
                assert!(addresses.contains(&dst) && outer != HOST && !addresses.contains(&src));
            }
        } else if let Ok(to) = host.encapsulate(now, &packet) {
            // The kernel's route is the best router's; the source may name another one of the list.
            let leads = |(prefix, _): &(sixgate_wire::addr::Ipv6Prefix, Ipv4Addr)| prefix.contains(dst);
            let routed = ROUTERS.contains(&to) && routes.iter().any(leads);
            assert!(routed || embeds(dst, to), "{packet:?} to {to}");
            assert!(to != HOST && addresses.contains(&src));
        }
        host.handle_timeout(now);
        assert!(host.next_timeout() > now);
        while let Some(to) = host.poll_output(&mut out) {
            assert!(to != HOST && Ipv6::parse(out.bytes()).is_ok());
        }
        while let Some(event) = host.poll_event() {
            match event {
                HostEvent::AddressAdded { address, .. } => {
                    addresses.retain(|a| *a != address);
                    addresses.push(address);
                }
                HostEvent::AddressRenewed { address, .. } => assert!(addresses.contains(&address)),
                HostEvent::AddressRemoved { address, .. } => addresses.retain(|a| *a != address),
                HostEvent::RouteAdded { prefix, router, .. } => {
                    routes.retain(|(p, _)| *p != prefix);
                    routes.push((prefix, router));
                }
                HostEvent::RouteRemoved { prefix, .. } => routes.retain(|(p, _)| *p != prefix),
                HostEvent::HopLimitChanged { hop_limit } => assert_ne!(hop_limit, 0),
                HostEvent::MtuChanged { mtu } => assert!((1280..=1480).contains(&mtu)),
                HostEvent::RouterChanged { router, .. } => assert!(ROUTERS.contains(&router)),
            }
        }
    }
});
