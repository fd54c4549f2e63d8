//! Both, step by step. Also the oracle of a fuzz target.

use std::collections::{BTreeMap, BTreeSet};

use sixgate_nat64::{
    Config, Filtering, Inside, Nat64, Outside, PoolEntry, Proto, StaticBinding, Verdict, Ways, ZeroChecksum,
};
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};

use crate::asks::Kind;
use crate::dice::Dice;
use crate::octets::{Prefix, be16, put16, seal4, sealed, sum};
use crate::packets::{self, CLIENTS, POOL, Scene};
use crate::state::{Fate, Model, Protocol, Settings};
use crate::write::Sent;

pub(crate) const GATEWAY4: [u8; 4] = [192, 0, 2, 1];
pub(crate) const GATEWAY6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const PROTOCOLS: [(Protocol, Proto); 3] = [(6, Proto::Tcp), (17, Proto::Udp), (1, Proto::Icmp)];

fn proto(number: Protocol) -> Proto {
    PROTOCOLS.iter().find(|(n, _)| *n == number).unwrap().1
}

fn number(proto: Proto) -> Protocol {
    PROTOCOLS.iter().find(|(_, p)| *p == proto).unwrap().0
}

#[derive(Clone, Copy)]
pub(crate) struct Mtus(pub(crate) u16, pub(crate) u16);

impl Ways for Mtus {
    fn mtu4(&self, _: std::net::Ipv4Addr) -> u16 {
        self.0
    }

    fn mtu6(&self, _: std::net::Ipv6Addr) -> u16 {
        self.1
    }
}

/// Settings by chance, and the same for the shipped one.
fn settings(dice: &mut Dice<'_>) -> (Settings, Config) {
    let texts: &[&str] = dice.pick(&[
        &["2001:db8:64::/96", "2001:db8:6400::/40"][..],
        &["64:ff9b::/96"],
        &["2001:db8:64::/64", "2001:dc8::/32"],
        &["2001:db8:64::/56", "2001:db8:65::/48", "64:ff9b::/96"],
    ]);
    let shipped: Vec<Prefix64> = texts.iter().map(|t| Prefix64::new(t.parse().unwrap()).unwrap()).collect();
    let prefix = |p: &Prefix64| Prefix {
        octets: p.prefix().address().octets(),
        bits: usize::from(p.prefix().length()),
    };
    let statics: Vec<_> = PROTOCOLS.iter().map(|(n, _)| (*n, (POOL, 7), (CLIENTS[0], 7))).collect();
    let set = Settings {
        prefixes: shipped.iter().map(prefix).collect(),
        pool: POOL,
        ports: (1000, dice.pick(&[1007, 1003, 1001])),
        statics: statics.clone(),
        address_dependent: dice.roll(2) == 1,
        echo_in: !dice.once_in(4),
        compute: !dice.once_in(4),
        lifted: dice.roll(2) == 0,
        reset: dice.once_in(4),
        lowest: dice.pick(&[1280, 1280, 1500, 1352]),
        mtu4: dice.pick(&[1500, 1400, 1280, 576, 9000]),
        mtu6: dice.pick(&[1500, 1400, 1280, 9000, 1283]),
        gateway4: GATEWAY4,
        gateway6: GATEWAY6,
        source4: (dice.roll(2) == 1).then_some([198, 18, 0, 1]),
        source6: (dice.roll(2) == 1).then_some(packets::CLIENTS[0]),
    };
    let statics = statics.iter().map(|(n, outside, inside)| StaticBinding {
        protocol: proto(*n),
        outside: Outside { address: outside.0.into(), port: outside.1 },
        inside: Inside { address: inside.0.into(), port: inside.1 },
    });
    let config = Config {
        prefixes: shipped,
        pool: vec![PoolEntry {
            protocol: None,
            addresses: "192.0.2.2/32".parse().unwrap(),
            ports: set.ports.0..=set.ports.1,
        }],
        statics: statics.collect(),
        filtering: if set.address_dependent {
            Filtering::AddressDependent
        } else {
            Filtering::EndpointIndependent
        },
        inbound_icmp_echo: set.echo_in,
        lowest_ipv6_mtu: set.lowest as u16,
        zero_checksum: if set.compute { ZeroChecksum::Compute } else { ZeroChecksum::Drop },
        well_known_non_global: set.lifted,
        gateway4: GATEWAY4.into(),
        gateway6: GATEWAY6.into(),
        source4: set.source4.map(|a| Ipv4Prefix::new(a.into(), 32).unwrap()),
        source6: set.source6.map(|a| Ipv6Prefix::new(a.into(), 128).unwrap()),
        reset_traffic_class: set.reset,
        max_sessions: 512,
        // The rate has a test of its own.
        errors_per_second: 1_000_000,
        ..Config::default()
    };
    (set, config)
}

struct Both {
    nat: Nat64,
    model: Model,
    ways: Mtus,
    now: u64,
    seen6: Vec<Vec<u8>>,
    seen4: Vec<Vec<u8>>,
    met: BTreeMap<String, usize>,
    buffer: Packet,
}

impl Both {
    fn instant(&self) -> Instant {
        Instant::from_secs(1000 + self.now)
    }

    fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while self.nat.poll_output(&mut self.buffer) {
            all.push(self.buffer.bytes().to_vec());
        }
        all
    }

    fn wait(&mut self, secs: u64) {
        self.now += secs;
        self.nat.handle_timeout(self.instant());
        let mut shipped: Vec<_> = self.drain().into_iter().map(|bytes| blurred(bytes, true, true)).collect();
        let expected = self.model.pass_time(self.now);
        let mut expected: Vec<_> = expected.into_iter().map(|sent| blurred(sent.bytes, true, true)).collect();
        shipped.sort();
        expected.sort();
        assert_eq!(shipped, expected, "what time brings");
    }

    fn send(&mut self, bytes: &[u8], six: bool) {
        let mut packet = Packet::with_capacity(bytes.len());
        assert!(packet.extend(bytes));
        let now = self.instant();
        let verdict = if six {
            self.nat.outbound(now, &mut packet, self.ways)
        } else {
            self.nat.inbound(now, &mut packet, self.ways)
        };
        let mut shipped = self.drain();
        let fate = match verdict {
            Verdict::Translated => {
                shipped.insert(0, packet.bytes().to_vec());
                Fate::Translated
            }
            Verdict::Consumed => Fate::Consumed,
            Verdict::Drop(reason) => Fate::Drop(reason),
        };
        let nat = &self.nat;
        let oracle = |protocol: Protocol, inside: (crate::octets::A6, u16)| {
            let inside = Inside { address: inside.0.into(), port: inside.1 };
            let found = nat.bib().find(|b| b.protocol == proto(protocol) && b.inside == inside)?;
            Some((found.outside.address.octets(), found.outside.port))
        };
        let (expected_fate, expected) =
            if six { self.model.outbound(bytes, &oracle) } else { self.model.inbound(bytes) };
        assert_eq!(fate, expected_fate, "of {}", hex(bytes));
        note(&mut self.met, fate, bytes, &shipped);
        assert_eq!(shipped.len(), expected.len(), "packets out of {}", hex(bytes));
        for (shipped, expected) in shipped.iter().zip(&expected) {
            let Sent { bytes: right, fresh, quotes_fresh } = expected.clone();
            let (a, b) = (blurred(shipped.clone(), fresh, quotes_fresh), blurred(right, fresh, quotes_fresh));
            assert_eq!(hex(&a), hex(&b), "out of {}", hex(bytes));
        }
        for packet in shipped {
            let seen = if packet[0] >> 4 == 6 { &mut self.seen6 } else { &mut self.seen4 };
            seen.push(packet);
            if seen.len() > 8 {
                seen.remove(0);
            }
        }
        self.compare();
    }

    /// The tables.
    fn compare(&self) {
        let shipped: BTreeSet<_> = self
            .nat
            .bib()
            .map(|b| {
                let inside = (b.inside.address.octets(), b.inside.port);
                (number(b.protocol), inside, (b.outside.address.octets(), b.outside.port))
            })
            .collect();
        assert_eq!(shipped, self.model.bindings().into_iter().collect(), "bindings");
        let shipped: BTreeSet<_> = self
            .nat
            .sessions()
            .map(|s| {
                let inside = (s.inside.address.octets(), s.inside.port);
                let peer = (s.peer.address.octets(), s.peer.port);
                (number(s.protocol), inside, peer, s.state, s.expires)
            })
            .collect();
        let expected: BTreeSet<_> = self
            .model
            .sessions
            .iter()
            .map(|((p, inside, peer), s)| {
                (*p, *inside, *peer, name(s.kind), Instant::from_secs(1000 + s.expires))
            })
            .collect();
        assert_eq!(shipped, expected, "sessions");
    }
}

/// Counts what came of which kind of packet.
pub(crate) fn note(met: &mut BTreeMap<String, usize>, fate: Fate, bytes: &[u8], shipped: &[Vec<u8>]) {
    let side = if bytes.first().is_some_and(|octet| octet >> 4 == 6) { "6" } else { "4" };
    let what = match fate {
        Fate::Translated => format!("{side} translated as {}", kind_of(&shipped[0])),
        Fate::Consumed => format!("{side} consumed"),
        Fate::Drop(reason) => format!("{side} {}", reason.code()),
    };
    *met.entry(what).or_default() += 1;
}

fn kind_of(packet: &[u8]) -> String {
    let (mut next, mut at) = if packet[0] >> 4 == 6 { (packet[6], 40) } else { (packet[9], 20) };
    let mut part = packet[0] >> 4 == 4 && be16(packet, 6) & 0x3fff != 0;
    if next == 44 {
        (next, at, part) = (packet[40], 48, true);
    }
    match next {
        _ if part => format!("part of {next}"),
        1 | 58 => format!("icmp {}/{}", packet[at], packet[at + 1]),
        _ => format!("{next}"),
    }
}

const fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Datagram | Kind::Query => "open",
        Kind::V4Init => "v4-init",
        Kind::V6Init => "v6-init",
        Kind::Established => "established",
        Kind::V4Fin => "v4-fin-rcv",
        Kind::V6Fin => "v6-fin-rcv",
        Kind::BothFin => "v4-fin-v6-fin-rcv",
        Kind::Trans => "trans",
    }
}

/// The packet without the identification that chance gave it, or gave the one that it quotes. Its header must add up.
pub(crate) fn blurred(mut bytes: Vec<u8>, fresh: bool, quotes_fresh: bool) -> Vec<u8> {
    if bytes[0] >> 4 != 4 {
        return bytes;
    }
    assert_eq!((sum(&bytes[..20]), usize::from(be16(&bytes, 2))), (0, bytes.len()), "{}", hex(&bytes));
    if quotes_fresh {
        assert_eq!(sum(&bytes[20..]), 0, "{}", hex(&bytes));
        put16(&mut bytes, 28 + 4, 0);
        seal4(&mut bytes[28..]);
        put16(&mut bytes, 22, 0);
        let field = sealed(&[&bytes[20..]]);
        put16(&mut bytes, 22, field);
    }
    if fresh {
        put16(&mut bytes, 4, 0);
        seal4(&mut bytes);
    }
    bytes
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Sends what `steps` make of it through both and gives what was met.
pub(crate) fn run(start: &[u8], steps: &[Vec<u8>]) -> BTreeMap<String, usize> {
    let (set, config) = settings(&mut Dice(start));
    let ways = Mtus(set.mtu4 as u16, set.mtu6 as u16);
    let nat = Nat64::new(config, [9; 32]);
    let mut both = Both {
        nat,
        model: Model::new(set),
        ways,
        now: 0,
        seen6: Vec::new(),
        seen4: Vec::new(),
        met: BTreeMap::new(),
        buffer: Packet::with_capacity(4096),
    };
    for step in steps {
        let dice = &mut Dice(step);
        let wait = if dice.once_in(3) { dice.pick(&[1, 2, 6, 59, 240, 301, 7440]) } else { 0 };
        both.wait(wait);
        let bindings = both.model.bindings();
        let outside = |p, inside| bindings.iter().find(|b| (b.0, b.1) == (p, inside)).unwrap().2;
        let sessions: Vec<_> =
            both.model.sessions.keys().map(|(p, i, peer)| (*p, outside(*p, *i), *peer)).collect();
        let scene = Scene {
            prefixes: &both.model.set.prefixes.clone(),
            bindings: &bindings,
            sessions: &sessions,
            seen6: &both.seen6.clone(),
            seen4: &both.seen4.clone(),
        };
        let six = dice.roll(2) == 0;
        let packets = if six { packets::from_v6(dice, &scene) } else { packets::from_v4(dice, &scene) };
        for packet in packets {
            both.send(&packet, six);
        }
    }
    both.wait(20_000);
    both.wait(20_000);
    assert_eq!(both.nat.session_count(), 0);
    both.met
}
