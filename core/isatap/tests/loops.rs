//! RFC 6324: several routers of one site, a native IPv6 network that brings a packet wherever an attacker wishes, forged outer sources,
//! forged solicitations, and lists of hosts that name the routers themselves. Whatever is sent, it is encapsulated once at most.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use sixgate_isatap::{AllowRule, Inbound, Router, RouterConfig, RouterOptions, retire::Retire};
use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap::{Form, address, embedded, link_local};
use sixgate_wire::lease::{Lease, LeasedPrefix};
use sixgate_wire::{Packet, ipv6, nd, protocol};

const ROUTERS: usize = 3;
const NOW: Instant = Instant::from_secs(1000);
/// All the IPv4 addresses that anything embeds or comes from: of routers, second ones of routers, of hosts, of nobody.
const WORLD: [[u8; 4]; 12] = [
    [10, 6, 0, 1],
    [10, 6, 0, 2],
    [10, 6, 0, 3],
    [203, 0, 113, 1],
    [203, 0, 113, 2],
    [203, 0, 113, 3],
    [10, 6, 8, 20],
    [10, 6, 8, 21],
    [10, 6, 8, 255],
    [255, 255, 255, 255],
    [224, 0, 0, 1],
    [127, 0, 0, 1],
];

fn world(n: usize) -> Ipv4Addr {
    WORLD[n % WORLD.len()].into()
}

/// The prefix of a router's link: its own, or one for all.
fn prefix(router: usize, shared: bool) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, if shared { 2 } else { 0x20 + router as u16 }, 0, 0, 0, 0)
}

#[derive(Clone, Debug)]
struct Site {
    shared: bool,
    /// Bit m of number n: router n has router m as a peer.
    peers: [u8; ROUTERS],
    /// Every address of the world may be a host, routers included.
    generous: bool,
    on_link: bool,
}

#[derive(Clone, Debug)]
struct Sent {
    src: Ipv6Addr,
    dst: Ipv6Addr,
    /// Into which router, and in protocol 41 from which outer source, or natively.
    into: usize,
    outer: Option<Ipv4Addr>,
}

fn router(site: &Site, n: usize) -> Router {
    let lease = Lease {
        prefixes: vec![LeasedPrefix {
            prefix: Ipv6Prefix::containing(prefix(n, site.shared), 64),
            preferred: 1800,
            valid: 3600,
            on_link: site.on_link,
        }],
        mtu: 1280,
        ..Lease::default()
    };
    let names: &[&str] = if site.generous { &["0.0.0.0/0"] } else { &["10.6.8.0/24"] };
    let config = RouterConfig {
        address: world(n),
        own_addresses: vec![world(n), world(ROUTERS + n)],
        broadcasts: vec![world(8)],
        lease,
        peers: (0..ROUTERS).filter(|m| *m != n && site.peers[n] >> m & 1 != 0).map(world).collect(),
        offers: vec![],
        allow: vec![AllowRule {
            rule: "all".into(),
            prefixes: names.iter().map(|text| text.parse().expect("a prefix")).collect(),
            ..AllowRule::default()
        }],
        deny: vec![],
        most_hosts: 100,
        options: RouterOptions::default(),
        retire: Retire::default(),
    };
    let mut router = Router::new(config, [7; 32]);
    // Everybody has solicited, forged or not, in both forms.
    for v4 in WORLD.map(Ipv4Addr::from) {
        for form in [Form::Private, Form::Global] {
            let mut solicitation = Packet::new();
            let src = link_local(form, v4);
            assert!(nd::write_solicitation(src, link_local(Form::Private, world(n)), &mut solicitation));
            let _ = router.decapsulate(NOW, v4, world(n), &solicitation);
        }
    }
    while router.poll_output(&mut Packet::new()).is_some() {}
    router
}

fn packet(sent: &Sent) -> Packet {
    let header = ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: 8,
        next_header: protocol::UDP,
        hop_limit: 255,
        src: sent.src,
        dst: sent.dst,
    };
    let mut packet = Packet::with_capacity(64);
    assert!(packet.extend(&header.octets()) && packet.extend(&[0; 8]));
    packet
}

/// Follows a packet through every router that the network may bring it to; gives the most encapsulations of any way.
///
/// What the roles around a router do is part of it: nothing goes back into the link that it came from, nothing link-local is forwarded,
/// and a router's own addresses are where a packet ends.
fn follow(routers: &mut [Router], sent: &Packet, at: usize, outer: Option<Ipv4Addr>, depth: u32) -> u32 {
    if depth == 6 {
        return 0;
    }
    let dst = ipv6::Ipv6::parse(sent.bytes()).expect("a packet").dst();
    let on_link = routers[at].addresses().any(|own| own.octets()[..8] == dst.octets()[..8]);
    let own = routers[at].addresses().any(|own| own == dst);
    match outer {
        Some(outer) => {
            if routers[at].decapsulate(NOW, outer, world(at), sent) != Inbound::Forward {
                return 0;
            }
            if own || on_link || dst.is_unicast_link_local() {
                return 0;
            }
            // Out into the native network, which brings it to whomever it likes, this router among them.
            (0..ROUTERS).map(|next| follow(routers, sent, next, None, depth + 1)).max().unwrap_or(0)
        }
        None => {
            if own || !on_link || dst.is_unicast_link_local() {
                return 0;
            }
            let Ok(to) = routers[at].encapsulate(NOW, sent) else { return 0 };
            assert!(to != world(at) && to != world(ROUTERS + at), "encapsulated to itself");
            assert_eq!(embedded(dst).map(|(_, v4)| v4), Some(to));
            assert!(!to.is_multicast() && !to.is_broadcast() && !to.is_loopback() && to != world(8));
            // Who has this address takes it: a router, or a host, where it ends.
            let next = (0..2 * ROUTERS).find(|n| world(*n) == to).map(|n| n % ROUTERS);
            1 + next.map_or(0, |next| follow(routers, sent, next, Some(world(at)), depth + 1))
        }
    }
}

fn any_address() -> impl Strategy<Value = Ipv6Addr> {
    let isatap =
        (0..ROUTERS, any::<bool>(), 0..WORLD.len(), any::<bool>()).prop_map(|(r, shared, v4, form)| {
            address(prefix(r, shared), if form { Form::Private } else { Form::Global }, world(v4))
        });
    let sixtofour = (0..WORLD.len()).prop_map(|n| {
        let [a, b, c, d] = world(n).octets().map(u16::from);
        Ipv6Addr::new(0x2002, a << 8 | b, c << 8 | d, 0, 0, 0, 0, 1)
    });
    let local = (0..WORLD.len()).prop_map(|n| link_local(Form::Private, world(n)));
    let other =
        prop::sample::select(vec!["2001:db8::1", "fd00:0:0:1::7", "::", "ff02::1", "fd00:0:0:2::dead"])
            .prop_map(|text| text.parse().expect("an address"));
    prop_oneof![6 => isatap, 1 => sixtofour, 1 => local, 1 => other]
}

fn site() -> impl Strategy<Value = Site> {
    (any::<bool>(), any::<[u8; ROUTERS]>(), any::<bool>(), any::<bool>())
        .prop_map(|(shared, peers, generous, on_link)| Site { shared, peers, generous, on_link })
}

fn sent() -> impl Strategy<Value = Sent> {
    (any_address(), any_address(), 0..ROUTERS, prop::option::of((0..WORLD.len()).prop_map(world)))
        .prop_map(|(src, dst, into, outer)| Sent { src, dst, into, outer })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_packet_is_encapsulated_twice_whoever_sends_it_where(
        site in site(),
        all in proptest::collection::vec(sent(), 1..40),
    ) {
        let mut routers: Vec<Router> = (0..ROUTERS).map(|n| router(&site, n)).collect();
        for sent in all {
            let times = follow(&mut routers, &packet(&sent), sent.into, sent.outer, 0);
            prop_assert!(times <= 1, "{times} times: {sent:?}");
        }
    }
}

/// The walk sees what it is to see: a packet to a host is encapsulated, so that "once at most" is not "never".
#[test]
fn a_packet_to_a_host_is_encapsulated_once() {
    let site = Site { shared: false, peers: [7; ROUTERS], generous: true, on_link: false };
    let mut routers: Vec<Router> = (0..ROUTERS).map(|n| router(&site, n)).collect();
    let dst = address(prefix(0, false), Form::Private, world(6));
    let sent = Sent { src: "2001:db8::1".parse().unwrap(), dst, into: 0, outer: None };
    assert_eq!(follow(&mut routers, &packet(&sent), 0, None, 0), 1);
    // The attack of RFC 6324, section 2: it is sent to the second router, which does not send it on.
    let dst = address(prefix(0, false), Form::Private, world(1));
    let looping = Sent { src: "2001:db8::1".parse().unwrap(), dst, into: 0, outer: None };
    assert_eq!(follow(&mut routers, &packet(&looping), 0, None, 0), 1);
}
