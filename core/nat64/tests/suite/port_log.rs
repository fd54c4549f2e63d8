//! The events of the port log: whoever reads them alone knows who has which port (RFC 6888, section 4; RFC 7422).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use proptest::prelude::*;
use sixgate_nat64::{
    Config, Inside, Nat64, Outside, PoolEntry, PortEvent, Proto, Share, StaticBinding, Timeouts,
};
use sixgate_time::Duration;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::tcp::SYN;

use crate::support::*;

fn logging(size: u16) -> Config {
    let share = Share { unit: size.max(64), ..Share::default() };
    Config { port_block_size: size, share, log_ports: true, ..config() }
}

fn events(nat: &mut Nat64) -> Vec<PortEvent> {
    std::iter::from_fn(|| nat.poll_port_event()).collect()
}

/// What has been allocated and not released.
#[derive(Default)]
struct Reader(BTreeMap<(Ipv4Addr, u16, u16, Option<Proto>), Ipv6Prefix>);

impl Reader {
    fn read(&mut self, events: Vec<PortEvent>) {
        for event in events {
            let key = (event.address, event.first, event.last, event.protocol);
            if event.allocated {
                assert!(self.0.insert(key, event.client).is_none(), "{event:?} is there already");
            } else {
                assert_eq!(self.0.remove(&key), Some(event.client), "{event:?} is not there");
            }
        }
    }

    /// The narrowest record says it.
    fn who(&self, proto: Proto, outside: Outside) -> Option<Ipv6Prefix> {
        let fits = self.0.iter().filter(|((address, first, last, protocol), _)| {
            *address == outside.address
                && (*first..=*last).contains(&outside.port)
                && protocol.is_none_or(|p| p == proto)
        });
        fits.min_by_key(|((_, first, last, _), _)| last - first).map(|(_, client)| *client)
    }
}

fn fixed(port: u16) -> StaticBinding {
    StaticBinding {
        protocol: Proto::Tcp,
        outside: Outside { address: POOL, port },
        inside: Inside { address: neighbour(), port: 443 },
    }
}

#[test]
fn one_record_says_all_of_a_client_and_another_that_it_is_gone() {
    let mut lab = Lab::new(logging(512));
    for port in 5000..5100 {
        lab.out(udp6(client(), port, embed(SERVER), 53, b""));
        lab.out(tcp6(client(), port, embed(SERVER), 80, SYN));
    }
    let got = events(&mut lab.nat);
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!((got[0].client, got[0].protocol), (Ipv6Prefix::containing(client(), 128), None));
    lab.wait_secs(301);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(events(&mut lab.nat), [PortEvent { allocated: false, ..got[0] }]);
}

#[test]
fn a_static_binding_is_told_at_the_start_also_where_its_port_is_in_no_entry() {
    let pool =
        vec![PoolEntry { protocol: None, addresses: "192.0.2.2/32".parse().unwrap(), ports: 1024..=65_535 }];
    let mut nat =
        Nat64::new(Config { pool, statics: vec![fixed(443), fixed(2000)], ..logging(512) }, [1; 32]);
    // The second shares its inside with the first.
    let told = events(&mut nat);
    assert_eq!(
        told.iter().map(|e| (e.first, e.last, e.protocol)).collect::<Vec<_>>(),
        [(443, 443, Some(Proto::Tcp))]
    );
    assert_eq!(told[0].client, Ipv6Prefix::containing(neighbour(), 128));
}

#[test]
fn a_prefix_that_is_a_client_is_told_as_a_prefix() {
    let mut lab = Lab::new(Config { client_prefix_length: 64, ..logging(512) });
    lab.out(udp6(client(), 1, embed(SERVER), 53, b""));
    lab.out(udp6(neighbour(), 1, embed(SERVER), 53, b""));
    let got = events(&mut lab.nat);
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].client.to_string(), "2001:db8:1::/64");
}

#[test]
fn a_change_of_the_settings_tells_only_what_it_changes() {
    let mut lab = Lab::new(logging(512));
    let outside = lab.open_udp(5000, SERVER);
    let block = events(&mut lab.nat);
    lab.nat.reconfigure(Config { max_sessions_per_client: 9, ..logging(512) });
    assert_eq!(events(&mut lab.nat), []);
    // It is still its block: the next port comes from there.
    assert_eq!(lab.open_udp(5002, SERVER) / 512, outside / 512);
    assert_eq!(events(&mut lab.nat), []);
    // Other blocks: what it has is told port by port.
    lab.nat.reconfigure(logging(64));
    let changed = events(&mut lab.nat);
    assert_eq!(changed.len(), 3, "{changed:?}");
    assert_eq!(changed[0], PortEvent { allocated: false, ..block[0] });
    assert!(changed[1..].iter().all(|e| e.allocated && e.first == e.last && e.protocol == Some(Proto::Udp)));
    lab.nat.reconfigure(Config { log_ports: false, ..logging(64) });
    assert_eq!(events(&mut lab.nat).len(), 2, "what nobody follows any more is released");
}

#[test]
fn nothing_is_told_where_nobody_asked() {
    let mut lab =
        Lab::new(Config { port_block_size: 512, share: Share { unit: 512, ..Share::default() }, ..config() });
    lab.open_udp(5000, SERVER);
    lab.wait_secs(301);
    lab.nat.handle_timeout(lab.now);
    assert_eq!(events(&mut lab.nat), []);
}

#[test]
fn the_queue_has_a_bound_and_says_what_it_lost() {
    let pool =
        vec![PoolEntry { protocol: None, addresses: "192.0.2.0/28".parse().unwrap(), ports: 1..=65_535 }];
    let mut lab = Lab::new(Config { pool, max_sessions: 20_000, ..logging(0) });
    for n in 0..10_000 {
        lab.out(udp6(client(), n, embed(SERVER), 53, b""));
    }
    assert_eq!((events(&mut lab.nat).len(), lab.nat.take_lost_port_events()), (8192, 10_000 - 8192));
    assert_eq!(lab.nat.take_lost_port_events(), 0);
}

#[test]
fn what_a_change_tells_takes_no_room_from_what_follows() {
    let many = |port| StaticBinding { inside: Inside { address: neighbour(), port }, ..fixed(port) };
    let settings = || Config { max_sessions: 20_000, ..logging(0) };
    let mut lab = Lab::new(settings());
    let statics = (20_000..30_000).map(many).collect();
    lab.nat.reconfigure(Config { statics, ..settings() });
    // Nobody has read yet.
    let outside = lab.open_udp(5000, SERVER);
    assert_eq!(lab.nat.take_lost_port_events(), 0);
    let all = events(&mut lab.nat);
    assert_eq!((all.len(), all.last().unwrap().first), (10_001, outside));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Sessions come and go, settings change in between: the reader of the events knows every binding's client, and nothing
    /// is left when all is over.
    #[test]
    fn the_log_answers_whatever_changes(
        steps in prop::collection::vec((0_u8..24, 0_u16..4, any::<u16>(), any::<bool>()), 1..250),
    ) {
        let pools = [("192.0.2.2/32", 1000..=1400), ("192.0.2.2/31", 900..=1300), ("192.0.2.2/32", 1..=65_535)];
        let settings = |n: u16| {
            let (addresses, ports) = pools[usize::from(n % 3)].clone();
            let pool = vec![PoolEntry { protocol: None, addresses: addresses.parse().unwrap(), ports }];
            let statics = if n.is_multiple_of(2) { vec![fixed(1100)] } else { vec![] };
            let timeouts = Timeouts { udp: Duration::from_secs(20), tcp_transitory: Duration::from_secs(30), ..Timeouts::default() };
            let client_prefix_length = [128, 64][usize::from(n / 6 % 2)];
            Config { pool, statics, timeouts, client_prefix_length, ..logging([64, 64, 128, 0][usize::from(n / 12 % 4)]) }
        };
        let mut lab = Lab::new(settings(0));
        let mut reader = Reader::default();
        for (what, host, port, tcp) in steps {
            let from = std::net::Ipv6Addr::new(0x2001, 0xdb8, 1, host / 2, 0, 0, 0, 8 + host);
            match what {
                0 => lab.nat.reconfigure(settings(port)),
                1 | 2 => { lab.wait_secs(u64::from(port % 25)); lab.nat.handle_timeout(lab.now); }
                _ => {
                    let mut packet = if tcp { tcp6(from, port, embed(SERVER), 80, SYN) } else { udp6(from, port, embed(SERVER), 53, b"") };
                    let _ = lab.nat.outbound(lab.now, &mut packet, 1500);
                }
            }
            reader.read(events(&mut lab.nat));
            for binding in lab.nat.bib() {
                let who = reader.who(binding.protocol, binding.outside);
                prop_assert!(who.is_some_and(|client| client.contains(binding.inside.address)), "{binding:?} {who:?}");
            }
        }
        lab.nat.reconfigure(Config { statics: vec![], ..lab.nat.config().clone() });
        lab.wait_secs(8000);
        lab.nat.handle_timeout(lab.now);
        lab.wait_secs(8000);
        lab.nat.handle_timeout(lab.now);
        reader.read(events(&mut lab.nat));
        prop_assert!(reader.0.is_empty(), "{:?}", reader.0);
        prop_assert_eq!(lab.nat.take_lost_port_events(), 0);
    }
}
