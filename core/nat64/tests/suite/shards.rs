//! Several translators with one pool do together what one does alone.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::prelude::*;
use sixgate_nat64::{
    Config, Inside, Nat64, Outside, Owner, Proto, Shard, ShardMap, Share, StaticBinding, Step, Verdict,
};
use sixgate_reason::{self as reason, Reason};
use sixgate_time::{Duration, Instant};
use sixgate_wire::tcp::{ACK, FIN, SYN};
use sixgate_wire::{Packet, ipv4, protocol};

use crate::support::*;

const SHARDS: u16 = 4;
/// Large enough for any packet here; the sum of a random run is zeroed where ports of the pool stand.
type Octets = Vec<u8>;

/// Translators, the places in front of their tables, and what is on its way between them.
struct Fleet {
    shards: Vec<(Shard, Nat64)>,
    crossing: VecDeque<(u16, Packet)>,
    sent: Vec<Octets>,
    dropped: Vec<Reason>,
    crossings: usize,
}

impl Fleet {
    fn new(of: u16, config: &Config) -> Self {
        let config = Config { share: Share::new(0, of), ..config.clone() };
        let map = Arc::new(ShardMap::new(&config, 128, &[7; 32]));
        let one = |index: u16| {
            let seed = [index as u8 + 1; 32];
            let mut nat = Nat64::new(Config { share: Share::new(index, of), ..config.clone() }, seed);
            nat.set_shards(Arc::clone(&map));
            (Shard::new(Arc::clone(&map), index, config.timeouts.fragment, &seed), nat)
        };
        let (crossing, sent, dropped) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { shards: (0..of).map(one).collect(), crossing, sent, dropped, crossings: 0 }
    }

    /// A packet from the network comes to the shard `at`; gives all that is sent because of it, in order.
    fn takes(&mut self, now: Instant, at: u16, mut packet: Packet) -> Vec<Octets> {
        let step = self.shards[usize::from(at)].0.arrived(now, &packet);
        self.follow(now, at, step, &mut packet);
        while let Some((to, mut packet)) = self.crossing.pop_front() {
            self.crossings += 1;
            assert!(self.crossings < 1_000_000, "a packet goes round and round");
            let step = self.shards[usize::from(to)].0.crossed(now, &packet);
            self.follow(now, to, step, &mut packet);
        }
        std::mem::take(&mut self.sent)
    }

    fn follow(&mut self, now: Instant, at: u16, step: Step, packet: &mut Packet) {
        self.take_step(now, at, step, packet);
        let mut out = Packet::new();
        while let Some(step) = self.shards[usize::from(at)].0.poll_released(&mut out) {
            self.take_step(now, at, step, &mut out);
        }
    }

    fn take_step(&mut self, now: Instant, at: u16, step: Step, packet: &mut Packet) {
        match step {
            Step::Mine => self.translate(now, at, packet),
            Step::To(other) => {
                assert_ne!(other, at);
                self.crossing.push_back((other, packet.clone()));
            }
            Step::Waits => {}
            Step::Drop(reason) => self.dropped.push(reason),
        }
    }

    fn translate(&mut self, now: Instant, at: u16, packet: &mut Packet) {
        let bytes = packet.bytes();
        // The first part of a datagram names the owner, who is asked about it.
        let flags = if bytes.len() >= 20 { u16::from_be_bytes([bytes[6], bytes[7]]) } else { 0 };
        if bytes[0] == 0x45 && flags & 0x3fff == 0x2000 && bytes[9] == protocol::UDP && bytes.len() >= 28 {
            let asked = |n: u16| self.shards[usize::from(n)].0.would_take(bytes);
            assert!((0..self.shards.len() as u16).all(|n| asked(n) == (n == at)), "{at} translates it");
        }
        let nat = &mut self.shards[usize::from(at)].1;
        let verdict = match packet.bytes()[0] >> 4 {
            4 => nat.inbound(now, packet, 1500),
            _ => nat.outbound(now, packet, 1500),
        };
        match verdict {
            Verdict::Translated => self.sent.push(packet.bytes().to_vec()),
            Verdict::Consumed => {}
            Verdict::Drop(reason) => self.dropped.push(reason),
        }
        let mut out = Packet::new();
        while self.shards[usize::from(at)].1.poll_output(&mut out) {
            self.sent.push(out.bytes().to_vec());
        }
        while self.shards[usize::from(at)].1.poll_hairpin(&mut out) {
            let step = self.shards[usize::from(at)].0.arrived(now, &out);
            self.follow(now, at, step, &mut out);
        }
    }

    fn sessions(&self) -> usize {
        self.shards.iter().map(|(_, nat)| nat.session_count()).sum()
    }

    fn waits(&mut self, now: Instant) {
        for (shard, nat) in &mut self.shards {
            shard.handle_timeout(now);
            nat.handle_timeout(now);
            let mut out = Packet::new();
            while nat.poll_output(&mut out) {}
        }
    }
}

/// The packet without what two translators may choose differently: ports of the pool, identifications, and the sums over them.
fn comparable(packet: &[u8]) -> Octets {
    let mut bytes = packet.to_vec();
    blank(&mut bytes);
    bytes
}

fn blank(bytes: &mut [u8]) {
    let four = bytes[0] >> 4 == 4;
    let (src_ours, dst_ours) = if four {
        (bytes[12..16] == POOL.octets(), bytes[16..20] == POOL.octets())
    } else {
        (bytes[8..24] == embed(POOL).octets(), bytes[24..40] == embed(POOL).octets())
    };
    let (mut number, mut at) = if four { (bytes[9], 20) } else { (bytes[6], 40) };
    if four {
        bytes[4..6].fill(0);
        bytes[10..12].fill(0);
    } else if number == protocol::FRAGMENT {
        number = bytes[40];
        if u16::from_be_bytes([bytes[42], bytes[43]]) >= 8 {
            return;
        }
        at = 48;
    }
    if four && u16::from_be_bytes([bytes[6], bytes[7]]) & 0x1fff != 0 {
        return;
    }
    let transport = &mut bytes[at..];
    match number {
        protocol::TCP | protocol::UDP => {
            if src_ours {
                transport[..2].fill(0);
            }
            if dst_ours {
                transport[2..4].fill(0);
            }
            let sum = if number == protocol::TCP { 16 } else { 6 };
            if let Some(sum) = transport.get_mut(sum..sum + 2) {
                sum.fill(0);
            }
        }
        _ => {
            transport[2..4].fill(0);
            let echo = matches!(transport[0], 0 | 8 | 128 | 129);
            if echo && (src_ours || dst_ours) {
                transport[4..6].fill(0);
            } else if !echo {
                blank(&mut transport[8..]);
            }
        }
    }
}

/// The outside port in a packet that leaves.
fn outside_port(packet: &[u8]) -> u16 {
    let at = if packet[9] == protocol::ICMP { 24 } else { 20 };
    u16::from_be_bytes([packet[at], packet[at + 1]])
}

fn client_number(n: u64) -> Ipv6Addr {
    Ipv6Addr::from_bits(client().to_bits() + u128::from(n % 9))
}

fn server_number(n: u64) -> Ipv4Addr {
    Ipv4Addr::from_bits(SERVER.to_bits() + (n % 3) as u32)
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for n in (1..items.len()).rev() {
            items.swap(n, self.roll(n as u64 + 1) as usize);
        }
    }
}

/// What is open, seen from outside the translators: its port with one alone and with the fleet, and the last packet out.
struct Opened {
    proto: Proto,
    inside: Inside,
    ports: [u16; 2],
    left: [Octets; 2],
}

struct Race {
    alone: Fleet,
    fleet: Fleet,
    now: Instant,
    dice: Dice,
    opened: Vec<Opened>,
    /// The last packet that came in to a client, in both worlds.
    came: Option<[Octets; 2]>,
}

impl Race {
    fn new(seed: u64) -> Self {
        let config = Config { max_sessions: 100_000, ..config() };
        let (alone, fleet) = (Fleet::new(1, &config), Fleet::new(SHARDS, &config));
        let now = Instant::from_secs(1000);
        Self { alone, fleet, now, dice: Dice(seed), opened: Vec::new(), came: None }
    }

    /// The same packet, or the same but for ports, into both worlds.
    fn both(&mut self, packets: [Packet; 2]) -> [Vec<Octets>; 2] {
        let at = self.dice.roll(u64::from(SHARDS)) as u16;
        let [one, many] = packets;
        let sent = [self.alone.takes(self.now, 0, one), self.fleet.takes(self.now, at, many)];
        let blanked = sent.each_ref().map(|sent| sent.iter().map(|p| comparable(p)).collect::<Vec<_>>());
        assert_eq!(blanked[0], blanked[1]);
        assert_eq!(self.alone.dropped, self.fleet.dropped);
        assert_eq!(self.alone.sessions(), self.fleet.sessions());
        if let ([one], [many]) = (&sent[0][..], &sent[1][..])
            && one[0] >> 4 == 6
        {
            self.came = Some([one.clone(), many.clone()]);
        }
        sent
    }

    fn opens(&mut self) {
        let (host, port) = (client_number(self.dice.roll(9)), 1000 + self.dice.roll(5) as u16);
        let server = embed(server_number(self.dice.roll(3)));
        let (proto, packet) = match self.dice.roll(3) {
            0 => (Proto::Udp, udp6(host, port, server, 53, b"question")),
            1 => {
                let flags = [SYN, ACK, SYN, FIN | ACK][self.dice.roll(4) as usize];
                (Proto::Tcp, tcp6(host, port, server, 80, flags))
            }
            _ => (Proto::Icmp, echo6(128, host, server, port)),
        };
        let [one, many] = self.both([packet.clone(), packet]);
        let (Some(one), Some(many)) = (one.first(), many.first()) else { return };
        if one[0] >> 4 != 4 {
            return;
        }
        let inside = Inside { address: host, port };
        let ports = [outside_port(one), outside_port(many)];
        let left = [one.clone(), many.clone()];
        match self.opened.iter_mut().find(|o| (o.proto, o.inside) == (proto, inside)) {
            Some(known) if known.ports == ports => known.left = left,
            Some(known) => panic!("{} has other ports than before: {ports:?}", known.inside),
            None => self.opened.push(Opened { proto, inside, ports, left }),
        }
    }

    fn chosen(&mut self) -> Option<usize> {
        let many = self.opened.len() as u64;
        (many > 0).then(|| self.dice.roll(many) as usize)
    }

    fn answers(&mut self) {
        let Some(n) = self.chosen() else { return };
        let server = server_number(self.dice.roll(3));
        let flags = [SYN, ACK, SYN | ACK, FIN | ACK][self.dice.roll(4) as usize];
        let kind = [0, 8][self.dice.roll(2) as usize];
        let opened = &self.opened[n];
        let packets = opened.ports.map(|port| match opened.proto {
            Proto::Udp => udp4(server, 53, POOL, port, b"answer"),
            Proto::Tcp => tcp4(server, 80, POOL, port, flags),
            Proto::Icmp => echo4(kind, server, POOL, port),
        });
        self.both(packets);
    }

    fn meets_an_error_outside(&mut self) {
        let Some(n) = self.chosen() else { return };
        let quoted = self.opened[n].left.clone();
        self.both(quoted.map(|quoted| error4(server_number(9), 3, 1, 0, &quoted)));
    }

    fn answers_with_an_error(&mut self) {
        let Some(quoted) = self.came.clone() else { return };
        if quoted[0][6] == protocol::FRAGMENT || quoted[0][6] == protocol::ICMPV6 && quoted[0][40] < 128 {
            return;
        }
        let from = Ipv6Addr::from(<[u8; 16]>::try_from(&quoted[0][24..40]).unwrap());
        self.both(quoted.map(|quoted| error6(from, 1, 4, 0, &quoted)));
    }

    fn sends_fragments_out(&mut self) {
        let host = client_number(self.dice.roll(9));
        let payload = udp6_payload(host, 77, embed(SERVER), 53, &[7; 3000]);
        let id = self.dice.roll(1 << 20) as u32;
        let mut parts: Vec<Packet> = payload
            .chunks(1200)
            .enumerate()
            .map(|(n, chunk)| {
                let field = (n * 1200) as u16 | u16::from(n < 2);
                let head = [&[protocol::UDP, 0][..], &field.to_be_bytes(), &id.to_be_bytes(), chunk];
                six(protocol::FRAGMENT, host, embed(SERVER), &head.concat())
            })
            .collect();
        self.dice.shuffle(&mut parts);
        for part in parts {
            self.both([part.clone(), part]);
        }
    }

    fn gets_fragments(&mut self) {
        let Some(n) = self.chosen() else { return };
        let (proto, ports) = (self.opened[n].proto, self.opened[n].ports);
        let server = server_number(self.dice.roll(3));
        let id = self.dice.roll(1 << 16) as u16;
        let parts = |port: u16| -> Option<Vec<Packet>> {
            let payload = match proto {
                Proto::Udp => udp4_payload(server, 53, POOL, port, &[9; 3000]),
                Proto::Icmp => {
                    let mut message = vec![0, 0, 0, 0];
                    message.extend_from_slice(&port.to_be_bytes());
                    message.extend_from_slice(&[0; 2500]);
                    icmp4_sealed(message)
                }
                Proto::Tcp => return None,
            };
            let chunks: Vec<&[u8]> = payload.chunks(1200).collect();
            let part = |(n, chunk): (usize, &&[u8])| {
                four_with(proto.v4_number(), server, POOL, chunk, |header| ipv4::Header {
                    identification: id,
                    dont_fragment: false,
                    more_fragments: n + 1 < chunks.len(),
                    fragment_offset: (n * 1200) as u16,
                    ..header
                })
            };
            Some(chunks.iter().enumerate().map(part).collect())
        };
        let (Some(one), Some(many)) = (parts(ports[0]), parts(ports[1])) else { return };
        let mut pairs: Vec<(Packet, Packet)> = one.into_iter().zip(many).collect();
        self.dice.shuffle(&mut pairs);
        for (one, many) in pairs {
            self.both([one, many]);
            if self.dice.roll(4) == 0 {
                self.answers();
            }
        }
    }

    fn meets_another(&mut self) {
        let Some(n) = self.chosen() else { return };
        let host = client_number(self.dice.roll(9));
        let port = 2000 + self.dice.roll(3) as u16;
        let opened = &self.opened[n];
        let packets = opened.ports.map(|outside| match opened.proto {
            Proto::Udp => udp6(host, port, embed(POOL), outside, b"hello"),
            Proto::Tcp => tcp6(host, port, embed(POOL), outside, SYN),
            // An identifier names one end only, so two insides cannot meet by it.
            Proto::Icmp => udp6(host, port, embed(POOL), 9, b"nobody"),
        });
        self.both(packets);
    }

    fn goes_on(&mut self) {
        match self.dice.roll(20) {
            0..6 => self.opens(),
            6..11 => self.answers(),
            11..13 => self.meets_an_error_outside(),
            13..15 => self.answers_with_an_error(),
            15 => self.sends_fragments_out(),
            16 => self.gets_fragments(),
            17..19 => self.meets_another(),
            _ => {
                self.now = self.now + Duration::from_secs(self.dice.roll(90));
                self.alone.waits(self.now);
                self.fleet.waits(self.now);
                // A SYN to a port that is nobody's waits at the port's owner, and an inside that another owns does not find
                // it there (RFC 6146, section 3.5.2.2, lets it): here ports of the ended are left alone.
                let bound: Vec<_> = self.alone.shards[0].1.bib().map(|b| (b.protocol, b.inside)).collect();
                self.opened.retain(|opened| bound.contains(&(opened.proto, opened.inside)));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_fleet_translates_as_one_alone_but_for_ports(seed: u64) {
        let mut race = Race::new(seed);
        for _ in 0..250 {
            race.goes_on();
        }
        prop_assert!(race.fleet.crossings > 0 && race.alone.crossings == 0);
    }

    #[test]
    fn random_octets_have_an_owner_and_end_somewhere(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        version in prop_oneof![Just(4_u8), Just(6)],
        at in 0..SHARDS,
    ) {
        let mut fleet = Fleet::new(SHARDS, &config());
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = version << 4 | *first & 0x0f | 5;
            fleet.takes(Instant::from_secs(1), at, Packet::from_slice(&bytes));
        }
    }
}

fn map_of(config: &Config, of: u16, bits: u8) -> ShardMap {
    ShardMap::new(&Config { share: Share::new(0, of), ..config.clone() }, bits, &[3; 32])
}

#[test]
fn clients_are_spread_and_a_client_is_a_prefix() {
    let counted = |map: &ShardMap, step: u128| {
        let mut counts = HashMap::new();
        for n in 0..4000_u128 {
            *counts.entry(map.of_client(Ipv6Addr::from_bits(client().to_bits() + n * step))).or_insert(0) +=
                1;
        }
        counts
    };
    let hosts = counted(&map_of(&config(), SHARDS, 128), 1);
    assert!(hosts.len() == 4 && hosts.values().all(|n| (600..1400).contains(n)), "{hosts:?}");
    let one_network = counted(&map_of(&config(), SHARDS, 64), 1);
    assert_eq!(one_network.len(), 1);
    let networks = counted(&map_of(&config(), SHARDS, 64), 1 << 64);
    assert!(networks.values().all(|n| (600..1400).contains(n)), "{networks:?}");
    assert_eq!(
        map_of(&config(), SHARDS, 0).of_client(client()),
        map_of(&config(), SHARDS, 0).of_client(neighbour())
    );
}

#[test]
fn a_session_and_its_errors_have_one_owner_in_both_directions() {
    let map = map_of(&config(), SHARDS, 128);
    for n in 0..200_u16 {
        let host = Ipv6Addr::from_bits(client().to_bits() + u128::from(n));
        let owner = Owner::One(map.of_client(host));
        for packet in [
            udp6(host, n, embed(SERVER), 53, b""),
            tcp6(host, n, embed(SERVER), 80, ACK),
            echo6(128, host, embed(SERVER), n),
            error6(gateway6(), 2, 0, 1400, udp6(embed(SERVER), 53, host, n, b"").bytes()),
            six(protocol::FRAGMENT, host, embed(SERVER), &[17, 0, 0, 8, 0, 0, 0, 1, 9, 9]),
            six(protocol::DESTINATION, host, embed(SERVER), &[17, 0, 1, 4, 0, 0, 0, 0]),
        ] {
            assert_eq!(map.owner(packet.bytes()), owner, "{packet:?}");
        }
        let port = n * 300 + 1;
        let owner = Owner::One(Share::new(0, SHARDS).owner_of_port(port));
        for packet in [
            udp4(SERVER, 53, POOL, port, b""),
            tcp4(SERVER, 80, POOL, port, ACK),
            echo4(0, SERVER, POOL, port),
            error4(OTHER, 3, 3, 0, udp4(POOL, port, SERVER, 53, b"").bytes()),
            error4(OTHER, 11, 0, 0, echo4(8, POOL, SERVER, port).bytes()),
        ] {
            assert_eq!(map.owner(packet.bytes()), owner, "{packet:?}");
        }
    }
    assert_eq!(map.owner(&[]), Owner::Anybody);
    assert_eq!(map.owner(four(50, SERVER, POOL, &[0; 8]).bytes()), Owner::Anybody);
    assert_eq!(map.owner(four(1, SERVER, POOL, &[13, 0, 0, 0, 0, 0, 0, 0]).bytes()), Owner::Anybody);
}

#[test]
fn a_static_binding_belongs_to_the_owner_of_its_inside_and_nobody_gives_its_port_away() {
    for port in [64, 128, 192, 256] {
        let outside = Outside { address: POOL, port };
        let inside = Inside { address: client(), port: 443 };
        let statics = vec![StaticBinding { protocol: Proto::Tcp, outside, inside }];
        let config = Config { statics, ..config() };
        let map = map_of(&config, SHARDS, 128);
        let owner = map.of_client(client());
        assert_eq!(map.owner(tcp4(SERVER, 80, POOL, port, SYN).bytes()), Owner::One(owner));
        let by_port = Share::new(0, SHARDS).owner_of_port(port);
        assert_eq!(map.owner(udp4(SERVER, 80, POOL, port, b"").bytes()), Owner::One(by_port));

        let mut fleet = Fleet::new(SHARDS, &config);
        let now = Instant::from_secs(1000);
        let came = fleet.takes(now, 1, tcp4(SERVER, 80, POOL, port, SYN));
        assert_eq!((came.len(), &came[0][24..40]), (1, &client().octets()[..]));
        let left = fleet.takes(now, 2, tcp6(client(), 443, embed(SERVER), 80, SYN | ACK));
        assert_eq!(outside_port(&left[0]), port);
        let told: Vec<_> =
            fleet.shards.iter().flat_map(|(_, nat)| nat.bib()).filter(|b| b.is_static).collect();
        assert_eq!((told.len(), told[0].outside, told[0].sessions), (1, outside, 1));
        let used: u64 = fleet.shards.iter().flat_map(|(_, nat)| nat.pools()).map(|p| p.used).sum();
        assert_eq!(used, 1);
    }
}

#[test]
fn only_fragments_whose_first_one_comes_pass_and_the_others_are_counted() {
    let mut fleet = Fleet::new(SHARDS, &config());
    let now = Instant::from_secs(1000);
    let part = |offset: u16, more, id| {
        four_with(17, SERVER, POOL, &[1; 16], |header| ipv4::Header {
            identification: id,
            dont_fragment: false,
            more_fragments: more,
            fragment_offset: offset,
            ..header
        })
    };
    for id in 0..20 {
        assert!(fleet.takes(now, id % SHARDS, part(16, false, id)).is_empty());
    }
    // A second end, and what a translator refuses anyway, leave no trace.
    fleet.takes(now, 0, part(32, false, 3));
    assert_eq!(fleet.dropped, [reason::NAT64_FRAGMENT_OVERLAP]);
    let mut damaged = part(48, false, 99);
    damaged.bytes_mut()[10] ^= 1;
    fleet.takes(now, 0, damaged);
    assert_eq!(fleet.dropped[1..], [reason::MALFORMED_IPV4]);
    fleet.waits(now + Duration::from_secs(2));
    let shards = fleet.shards.iter_mut();
    let late: usize = shards.map(|(shard, _)| std::iter::from_fn(|| shard.poll_late_drop()).count()).sum();
    assert_eq!(late, 20);
    assert!(fleet.shards.iter().all(|(shard, _)| shard.next_timeout() == Instant::NEVER));
}
