//! No packet on its way through either end allocates, and no solicitation of a known host.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_isatap::{AllowRule, Host, HostConfig, Inbound, Router, RouterConfig};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::isatap::{Form, address, link_local};
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};
use sixgate_wire::{Packet, ipv6, nd, protocol};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator with the arguments that came; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);

fn data(src: Ipv6Addr, dst: Ipv6Addr) -> Packet {
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: 1200,
        next_header: protocol::UDP,
        hop_limit: 64,
        src,
        dst,
    };
    let mut packet = Packet::with_capacity(1240);
    assert!(packet.extend(&header.octets()) && packet.extend(&[0; 1200]));
    packet
}

fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn packets_and_solicitations_of_known_hosts_allocate_nothing() {
    let prefix: Ipv6Addr = "fd00:2::".parse().unwrap();
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
    let allow = AllowRule {
        rule: "helpdesk".into(),
        prefixes: vec!["10.6.8.0/24".parse().unwrap()],
        ..AllowRule::default()
    };
    let config = RouterConfig {
        address: ROUTER,
        own_addresses: vec![ROUTER],
        broadcasts: vec![],
        lease,
        offers: vec![],
        peers: vec![],
        allow: vec![allow],
        deny: vec![],
        most_hosts: 1000,
        options: sixgate_isatap::RouterOptions::default(),
        retire: sixgate_isatap::retire::Retire::default(),
    };
    let mut router = Router::new(config, [1; 32]);
    let mut host = Host::new(HostConfig { address: HOST, ..HostConfig::default() }, [2; 32]);
    let mut now = Instant::from_secs(100);
    let (mut out, mut solicitation) = (Packet::new(), Packet::new());
    host.set_routers(now, &[ROUTER]);
    assert_eq!(host.poll_output(&mut solicitation), Some(ROUTER));
    assert_eq!(router.decapsulate(now, HOST, ROUTER, &solicitation), Inbound::Consumed);
    assert_eq!(router.poll_output(&mut out), Some(HOST));
    assert_eq!(host.decapsulate(now, ROUTER, HOST, &out), Inbound::Consumed);

    let client: Ipv6Addr = "fd00:1::7".parse().unwrap();
    let own = address(prefix, Form::Private, HOST);
    let (up, down, astray) =
        (data(own, client), data(client, own), data(own, "2001:db8::1".parse().unwrap()));
    let mut asked = Packet::new();
    let target = link_local(Form::Private, ROUTER);
    assert!(nd::write_neighbour_solicitation(link_local(Form::Private, HOST), target, target, &mut asked));
    let count = allocations(|| {
        for _ in 0..250 {
            now = now + Duration::from_millis(100);
            assert_eq!(host.encapsulate(now, &up), Ok(ROUTER));
            assert!(host.encapsulate(now, &astray).is_err());
            assert_eq!(router.decapsulate(now, HOST, ROUTER, &up), Inbound::Forward);
            router.flow_started(now, HOST);
            assert_eq!(router.encapsulate(now, &down), Ok(HOST));
            assert_eq!(host.decapsulate(now, ROUTER, HOST, &down), Inbound::Forward);
            // Both kinds of message share the host's ten a second.
            let message = if now.as_nanos().is_multiple_of(1_000_000_000) { &solicitation } else { &asked };
            assert_eq!(router.decapsulate(now, HOST, ROUTER, message), Inbound::Consumed);
            assert!(router.poll_output(&mut out).is_some());
        }
    });
    assert_eq!(count, 0);
}
