//! Packets from and to an ISATAP router of small tables, with time going on.
//!
//! The oracle is RFC 5214, section 7.3 and RFC 6324 in a few lines: what is forwarded embeds where it came from, what is
//! sent goes to a host that is allowed or to a peer, nobody who is not allowed gets a message, tables keep their size.
#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use sixgate_isatap::{AllowRule, Holding, HostState, Inbound, Router, RouterConfig, RouterOptions};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::isatap::{self, Form};
use sixgate_wire::icmpv6::Icmpv6;
use sixgate_wire::ipv6::{self, Ipv6};
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};
use sixgate_wire::path_error::PathFault;
use sixgate_wire::refusal::Refusal;
use sixgate_wire::{Packet, icmpv6, protocol};

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 2);
const MOST: usize = 4;

/// Octets choose among these; 10.6.8.0/24 is allowed.
const OUTER: [Ipv4Addr; 12] = [
    ROUTER,
    PEER,
    Ipv4Addr::new(10, 6, 8, 1),
    Ipv4Addr::new(10, 6, 8, 2),
    Ipv4Addr::new(10, 6, 8, 3),
    Ipv4Addr::new(10, 6, 8, 4),
    Ipv4Addr::new(10, 6, 8, 5),
    Ipv4Addr::new(10, 6, 8, 255),
    Ipv4Addr::new(10, 6, 9, 1),
    Ipv4Addr::new(203, 0, 113, 10),
    Ipv4Addr::new(255, 255, 255, 255),
    Ipv4Addr::new(0, 0, 0, 0),
];

fn allowed(v4: Ipv4Addr) -> bool {
    v4.octets()[..3] == [10, 6, 8]
}

fn address(which: u8, v4: Ipv4Addr) -> Ipv6Addr {
    let prefix: Ipv6Addr = if which & 1 == 0 { "fe80::" } else { "fd00:2::" }.parse().unwrap();
    match which >> 1 & 7 {
        0..=2 => isatap::address(prefix, Form::Private, v4),
        3 => isatap::address(prefix, Form::Global, v4),
        4 => "fd00:1::7".parse().unwrap(),
        5 => "ff02::2".parse().unwrap(),
        6 => "2002:cb00:710a::1".parse().unwrap(),
        _ => "fd00:2::dead".parse().unwrap(),
    }
}

fn router() -> Router {
    let lease = Lease {
        prefixes: vec![LeasedPrefix {
            prefix: "fd00:2::/64".parse().unwrap(),
            preferred: 1800,
            valid: 3600,
            on_link: false,
        }],
        routes: vec![LeasedRoute {
            prefix: "fd00:1::/64".parse().unwrap(),
            preference: Preference::Medium,
            lifetime: 1800,
        }],
        mtu: 1280,
        ..Lease::default()
    };
    let config = RouterConfig {
        address: ROUTER,
        own_addresses: vec![ROUTER, Ipv4Addr::new(203, 0, 113, 10)],
        broadcasts: vec![Ipv4Addr::new(10, 6, 8, 255)],
        lease,
        offers: vec![],
        peers: vec![PEER],
        allow: vec![AllowRule {
            rule: "helpdesk".into(),
            prefixes: vec!["10.6.8.0/24".parse().unwrap()],
            ..AllowRule::default()
        }],
        deny: vec![],
        most_hosts: MOST,
        options: RouterOptions {
            redirects: vec![Holding { prefix: "fd00:1::/64".parse().unwrap(), peer: PEER }],
            ..RouterOptions::default()
        },
        retire: sixgate_isatap::retire::Retire::default(),
    };
    Router::new(config, [7; 32])
}

fuzz_target!(|data: &[u8]| {
    let (mut router, mut now, mut out, mut data) = (router(), Instant::from_secs(1), Packet::new(), data);
    while let Some((head, rest)) = data.split_at_checked(8) {
        let (payload, rest) = rest.split_at(usize::from(head[6]).min(rest.len()));
        data = rest;
        now = now + Duration::from_secs(u64::from(head[7]) * 8);
        let pick = |n: u8| OUTER[usize::from(n) % OUTER.len()];
        let outer = pick(head[0]);
        let src = address(head[1], if head[4] & 1 == 0 { outer } else { pick(head[2]) });
        let dst = address(head[3], if head[4] & 2 == 0 { ROUTER } else { pick(head[2]) });
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
        if head[4] & 32 == 0 {
            let verdict = router.decapsulate(now, outer, ROUTER, &packet);
            if verdict == Inbound::Forward {
                let embeds = isatap::embedded(src).is_some_and(|(_, v4)| v4 == outer);
                assert!(outer == PEER || embeds && allowed(outer), "{packet:?} from {outer}");
                assert!(!dst.is_multicast());
                if router.answer_echo(now, outer, &mut packet) {
                    let reply = Ipv6::parse(packet.bytes()).unwrap();
                    assert_eq!((reply.src(), reply.dst()), (dst, src));
                    assert!(
                        Icmpv6::parse(reply.payload()).unwrap().checksum_ok(dst, src)
                            && dst.is_unicast_link_local()
                    );
                }
            }
        } else if head[4] & 128 != 0 {
            let fault = match head[5] & 3 {
                0 => PathFault::Unreachable,
                1 => PathFault::Expired,
                _ => PathFault::TooBig { mtu: u16::from(head[5]) << 4 },
            };
            packet.truncate(usize::from(head[6]) / 2);
            if let Ok(told) = router.path_failed(now, outer, fault, &packet) {
                assert!(outer == PEER || allowed(outer));
                assert!(told.refusal.is_none() || packet.len() >= ipv6::HEADER);
                assert!(!matches!(told.refusal, Some(Refusal::TooBig { mtu: 0..1280 })));
            }
        } else if let Ok(to) = router.encapsulate(now, &packet) {
            assert!(to == PEER || allowed(to) && to != Ipv4Addr::new(10, 6, 8, 255), "{packet:?} to {to}");
            assert_eq!(isatap::embedded(dst).unwrap().1, to);
        }
        if head[4] & 64 != 0 {
            router.handle_timeout(now);
            assert!(router.next_timeout() > now);
        }
        while let Some(to) = router.poll_output(&mut out) {
            assert!(to == PEER || allowed(to), "a message to {to}");
            assert!(Ipv6::parse(out.bytes()).is_ok());
        }
        while router.poll_event().is_some() {}
        let served = router.hosts().iter().filter(|h| h.state != HostState::Refused).count();
        assert!(served <= MOST && served == router.served());
    }
});
