use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::collection::vec as many;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::addr::{Ipv6Prefix, Prefix64};
use crate::ipv6::HEADER;
use crate::lease::{LeasedPrefix, LeasedRoute, Preference};

fn unicast() -> impl Strategy<Value = Ipv6Addr> {
    any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits >> 8 | 0x20 << 120))
}

fn leased_prefix() -> impl Strategy<Value = LeasedPrefix> {
    (unicast(), 1..128_u8, any::<u32>(), any::<u32>(), any::<bool>()).prop_map(
        |(a, l, one, other, on_link)| {
            let prefix = Ipv6Prefix::containing(a, l);
            LeasedPrefix { prefix, preferred: one.min(other), valid: one.max(other), on_link }
        },
    )
}

fn leased_route() -> impl Strategy<Value = LeasedRoute> {
    let preference = prop_oneof![Just(Preference::High), Just(Preference::Medium), Just(Preference::Low)];
    (unicast(), 0..=128_u8, preference, any::<u32>()).prop_map(|(address, length, preference, lifetime)| {
        LeasedRoute { prefix: Ipv6Prefix::containing(address, length), preference, lifetime }
    })
}

fn prefix64() -> impl Strategy<Value = Prefix64> {
    (unicast(), prop_oneof![Just(32_u8), Just(40), Just(48), Just(56), Just(64), Just(96)]).prop_map(
        |(a, l)| {
            let a = Ipv6Addr::from_bits(a.to_bits() & !(0xff << 56));
            Prefix64::new(Ipv6Prefix::containing(a, l)).unwrap()
        },
    )
}

fn lease() -> impl Strategy<Value = Lease> {
    let lists = (
        many(unicast(), 0..4),
        many(leased_prefix(), 0..4),
        many(leased_route(), 0..6),
        many(unicast(), 0..140),
        many("[a-z][a-z0-9-]{0,20}(\\.[a-z]{1,63}){0,3}", 0..30),
    );
    (lists, option::of(prefix64()), any::<u32>(), any::<u16>(), any::<u16>()).prop_map(
        |((addresses, prefixes, routes, name_servers, suffixes), prefix64, mtu, router_lifetime, eights)| {
            let carried = !(addresses.is_empty() && name_servers.is_empty() && suffixes.is_empty());
            let lifetime = match (carried, prefix64) {
                (true, _) => u32::from(eights) * 65_537,
                (false, Some(_)) => u32::from(eights & !7),
                (false, None) => 0,
            };
            Lease {
                addresses,
                prefixes,
                routes,
                prefix64,
                name_servers,
                suffixes,
                mtu,
                router_lifetime,
                lifetime,
            }
        },
    )
}

const SRC: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, 0x0a06, 1);
const DST: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, 0x0a06, 0x0814);

proptest! {
    #[test]
    fn a_lease_comes_back_as_it_was_advertised(lease in lease()) {
        let mut out = Packet::new();
        prop_assert!(write_advertisement(&lease, 64, SRC, DST, &mut out));
        let ip = Ipv6::parse(out.bytes()).unwrap();
        prop_assert_eq!(ip.bytes().len(), out.len());
        prop_assert_eq!(ip.payload()[4], 64);
        prop_assert_eq!(parse_advertisement(&ip), Ok(lease));
    }

    #[test]
    fn any_option_bytes_are_parsed_or_refused(options in many(any::<u8>(), 0..400), at in 0_usize..16) {
        // A few option heads in the right place, so that the inner parsers are reached.
        let mut options = options;
        if options.len() > 2 {
            options[0] = [3, 5, 24, 25, 31, 38, 1, 2][at % 8];
            options[1] = (options.len() / 8) as u8;
        }
        let mut out = Packet::new();
        let whole = start(&mut out, Kind::RouterAdvertisement, 0) && out.extend(&[0; 8]) && out.extend(&options);
        prop_assert!(seal(&mut out, whole, SRC, DST));
        let ip = Ipv6::parse(out.bytes()).unwrap();
        if let Ok(lease) = parse_advertisement(&ip) {
            // What was understood can be said again and is understood the same, lifetimes of PREF64 aside.
            let mut again = Packet::new();
            prop_assert!(write_advertisement(&lease, 0, SRC, DST, &mut again));
            prop_assert_eq!(parse_advertisement(&Ipv6::parse(again.bytes()).unwrap()), Ok(lease));
        }
    }

    #[test]
    fn any_bytes_behind_an_ipv6_header_are_parsed_or_refused(payload in many(any::<u8>(), 0..200), kind in 133..138_u8) {
        let mut out = Packet::new();
        let mut payload = payload;
        if let Some(first) = payload.first_mut() {
            *first = kind;
        }
        prop_assert!(out.extend(&[0; HEADER]) && out.extend(&payload));
        if payload.len() >= 4 {
            prop_assert!(seal(&mut out, true, SRC, DST));
        }
        if let Ok(ip) = Ipv6::parse(out.bytes()) {
            let _ = (parse_advertisement(&ip), crate::nd::parse_solicitation(&ip));
            let _ = (crate::nd::parse_neighbour_solicitation(&ip), crate::nd::parse_neighbour_advertisement(&ip));
        }
    }
}

fn with_options(options: &[u8]) -> Result<Lease, NdFault> {
    let mut out = Packet::new();
    let whole = start(&mut out, Kind::RouterAdvertisement, 0) && out.extend(&[0; 8]) && out.extend(options);
    assert!(seal(&mut out, whole, SRC, DST));
    parse_advertisement(&Ipv6::parse(out.bytes()).unwrap())
}

#[test]
fn the_octets_of_a_targeted_advertisement_are_these() {
    let lease = Lease {
        prefixes: vec![LeasedPrefix {
            prefix: "fd6a:7e00:cafe:2::/64".parse().unwrap(),
            preferred: 14_400,
            valid: 86_400,
            on_link: true,
        }],
        routes: vec![LeasedRoute {
            prefix: "fd6a:7e00:cafe:1::/64".parse().unwrap(),
            preference: Preference::Medium,
            lifetime: 3600,
        }],
        mtu: 1280,
        ..Lease::default()
    };
    let mut out = Packet::new();
    assert!(write_advertisement(&lease, 64, SRC, DST, &mut out));
    let mut wanted: Vec<u8> = vec![134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    wanted.extend([3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0]);
    wanted.extend([0xfd, 0x6a, 0x7e, 0, 0xca, 0xfe, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    wanted.extend([24, 2, 64, 0, 0, 0, 0x0e, 0x10, 0xfd, 0x6a, 0x7e, 0, 0xca, 0xfe, 0, 1]);
    wanted.extend([5, 1, 0, 0, 0, 0, 5, 0]);
    let mut got = out.bytes()[HEADER..].to_vec();
    got[2..4].fill(0);
    assert_eq!(got, wanted);
}

#[test]
fn what_a_host_must_ignore_is_left_out() {
    // Preferred longer than valid; not autonomous; link-local; the reserved preference; a /96 in two units.
    let mut options = Vec::new();
    for (flags, valid, preferred, first) in [(0xc0, 1, 2, 0xfd_u8), (0x80, 2, 1, 0xfd), (0xc0, 2, 1, 0xfe)] {
        options.extend([3, 4, 64, flags, 0, 0, 0, valid, 0, 0, 0, preferred, 0, 0, 0, 0, first, 0x80]);
        options.extend([0; 14]);
    }
    options.extend([24, 2, 64, 0x10, 0, 0, 0, 9, 0xfd, 0, 0, 0, 0, 0, 0, 0]);
    options.extend([24, 2, 96, 0, 0, 0, 0, 9, 0xfd, 0, 0, 0, 0, 0, 0, 0]);
    options.extend([25, 1, 0, 0, 0, 0, 0, 9]);
    options.extend([38, 2, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    options.extend([250, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(with_options(&options), Ok(Lease::default()));
}

#[test]
fn a_withdrawn_server_is_left_out_beside_one_that_stays() {
    let server = |last: u8, lifetime: u8| {
        let mut option = vec![25, 3, 0, 0, 0, 0, 0, lifetime, 0xfd];
        option.extend([0; 14]);
        option.push(last);
        option
    };
    let lease = with_options(&[server(1, 0), server(2, 9), server(3, 7)].concat()).unwrap();
    assert_eq!((lease.name_servers.len(), lease.lifetime), (2, 7));
    let gone = with_options(&server(1, 0)).unwrap();
    assert_eq!((gone.name_servers.len(), gone.lifetime), (1, 0));
}

#[test]
fn a_source_that_is_not_link_local_is_refused() {
    let mut out = Packet::new();
    let global = "fd00::1".parse().unwrap();
    assert!(write_advertisement(&Lease::default(), 64, global, DST, &mut out));
    assert_eq!(parse_advertisement(&Ipv6::parse(out.bytes()).unwrap()), Err(NdFault::Source));
}

#[test]
fn a_buffer_that_is_too_small_stays_empty() {
    let mut out = Packet::with_capacity(60);
    let lease = Lease { mtu: 1280, ..Lease::default() };
    assert!(!write_advertisement(&lease, 64, SRC, DST, &mut out) && out.is_empty());
    let lease = Lease { suffixes: vec![String::from("a..b")], ..Lease::default() };
    assert!(!write_advertisement(&lease, 64, SRC, DST, &mut Packet::new()));
}

#[test]
fn the_header_says_what_was_written_and_a_preference_only_of_a_default_route() {
    let (router, host) = ("fe80::5efe:a06:1".parse().unwrap(), "fe80::5efe:a06:814".parse().unwrap());
    let said = Parameters {
        hop_limit: 32,
        reachable_time: 30_000,
        retrans_timer: 500,
        preference: Preference::High,
    };
    let mut out = Packet::new();
    let lease = Lease { router_lifetime: 600, ..Lease::default() };
    assert!(write_advertisement_with(&lease, &said, router, host, &mut out));
    assert_eq!(parse_parameters(&Ipv6::parse(out.bytes()).unwrap()), Ok(said));
    // The reserved value counts as medium.
    out.bytes_mut()[45] = 0b0001_0000;
    icmpv6::finish(&mut out.bytes_mut()[40..], router, host);
    let reserved = Parameters { preference: Preference::Medium, ..said };
    assert_eq!(parse_parameters(&Ipv6::parse(out.bytes()).unwrap()), Ok(reserved));
    // Without a default route there is nothing to prefer.
    let none = Lease { router_lifetime: 0, ..lease };
    assert!(write_advertisement_with(&none, &said, router, host, &mut out));
    out.bytes_mut()[45] = 0b0000_1000;
    icmpv6::finish(&mut out.bytes_mut()[40..], router, host);
    assert_eq!(parse_parameters(&Ipv6::parse(out.bytes()).unwrap()), Ok(reserved));
}
