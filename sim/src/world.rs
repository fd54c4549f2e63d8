//! The machines, and time: it jumps to whatever happens next.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_isatap::Inbound;
use sixgate_isatap::retire::Retire;
use sixgate_reason::Reason;
use sixgate_time::{Duration, Instant};
use sixgate_wire::Packet;

use crate::agenda::Agenda;
use crate::chance::Chance;
use crate::gateway::{self, Gateway};
use crate::station::{Choice, Station};
use crate::talk::{self, Outcome, Talk, TalkId, Transport};

/// The router's address.
pub const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
/// Open flows are counted this often while ISATAP is being retired.
const REVIEW: Duration = Duration::from_secs(30);

/// How the wire between stations and gateway behaves.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// Of a thousand packets so many are lost.
    pub lost: u64,
    /// The shortest delay in milliseconds.
    pub delay: u64,
    /// What may be added to it.
    pub jitter: u64,
}

enum Event {
    AtGateway(Ipv4Addr, Packet),
    AtStation(Ipv4Addr, Packet),
    Speak(TalkId),
    Review,
}

/// Everything, at one moment.
pub struct World {
    /// Now.
    pub now: Instant,
    /// The gateway.
    pub gateway: Gateway,
    /// The stations, by IPv4 address.
    pub stations: BTreeMap<Ipv4Addr, Station>,
    /// Everybody who talks or talked.
    pub talks: Vec<Talk>,
    wire: Wire,
    chance: Chance,
    agenda: Agenda<Event>,
    /// When which station has something to do by itself.
    wakes: BTreeSet<(Instant, Ipv4Addr)>,
    scratch: Packet,
    /// Grows with every packet: two runs that did the same have the same.
    pub trace: u64,
}

impl World {
    /// So many stations and clients. The clock starts at `now`.
    pub fn new(now: Instant, stations: u8, clients: u32, wire: Wire, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let gateway = Gateway::new(ROUTER, clients, [chance.seed(), chance.seed()]);
        let mut world = Self {
            now,
            gateway,
            stations: BTreeMap::new(),
            talks: Vec::new(),
            wire,
            chance,
            agenda: Agenda::default(),
            wakes: BTreeSet::new(),
            scratch: Packet::with_capacity(2000),
            trace: 0,
        };
        for number in 0..stations {
            let v4 = station(number);
            let seed = world.chance.seed();
            world.stations.insert(v4, Station::new(v4, ROUTER, now, seed));
            world.with(v4, |_, _| ());
        }
        world.agenda.add(now + REVIEW, Event::Review);
        world
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let own = self.wakes.first().map_or(Instant::NEVER, |(at, _)| *at);
            let next = self.agenda.next().min(own).min(self.gateway.next_timeout());
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            while let Some(event) = self.agenda.take(self.now) {
                self.happen(event);
            }
            while let Some((_, v4)) = self.wakes.first().copied().filter(|(at, _)| *at <= self.now) {
                self.with(v4, |station, now| station.host.handle_timeout(now));
            }
            if self.gateway.next_timeout() <= self.now {
                self.gateway.handle_timeout(self.now);
            }
        }
    }

    /// Begins a phase of a retirement, or ends it.
    pub fn retire(&mut self, retire: Retire) {
        self.gateway.retire(self.now, retire);
    }

    /// A program of the station opens a connection to a client whose name has an IPv4 address too. `None` when it takes that.
    pub fn call(&mut self, from: Ipv4Addr, client: u32, transport: Transport, how: Pace) -> Option<TalkId> {
        match self.stations.get(&from)?.choose(self.now, gateway::client(client)) {
            Choice::Ipv4 => None,
            Choice::Isatap(address) => Some(self.call_from(from, address, client, transport, how)),
        }
    }

    /// A program of the station opens a connection from an address of its own choice.
    pub fn call_from(
        &mut self,
        from: Ipv4Addr,
        address: Ipv6Addr,
        client: u32,
        transport: Transport,
        how: Pace,
    ) -> TalkId {
        self.talk(from, address, client, true, transport, how)
    }

    /// A client opens a connection to a station, at the address that it has.
    pub fn call_back(
        &mut self,
        to: Ipv4Addr,
        client: u32,
        transport: Transport,
        how: Pace,
    ) -> Option<TalkId> {
        let (address, _) = self.stations.get(&to)?.addresses(self.now).next()?;
        Some(self.talk(to, address, client, false, transport, how))
    }

    /// How a talk stands.
    #[must_use]
    pub fn talk_of(&self, id: TalkId) -> &Talk {
        &self.talks[id.0]
    }

    /// Talks that were cut.
    #[must_use]
    pub fn cut(&self) -> Vec<&Talk> {
        self.talks.iter().filter(|talk| matches!(talk.outcome, Outcome::Cut(..))).collect()
    }

    fn talk(
        &mut self,
        station: Ipv4Addr,
        address: Ipv6Addr,
        client: u32,
        by_station: bool,
        transport: Transport,
        how: Pace,
    ) -> TalkId {
        let id = TalkId(self.talks.len());
        self.talks.push(Talk {
            station,
            address,
            client,
            by_station,
            transport,
            period: how.period,
            until: self.now + how.lasts,
            outcome: Outcome::Opening,
            answers: 0,
            unanswered: 0,
            due: self.now,
        });
        self.agenda.add(self.now, Event::Speak(id));
        id
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Review => {
                self.gateway.review(self.now);
                self.agenda.add(self.now + REVIEW, Event::Review);
            }
            Event::Speak(id) => {
                if let Some((word, again)) = self.talks[id.0].speak(self.now) {
                    self.agenda.add(again, Event::Speak(id));
                    if let Some(word) = word {
                        self.say(id, word);
                    }
                }
            }
            Event::AtGateway(from, mut packet) => match self.gateway.out_of_host(self.now, from, &mut packet)
            {
                None => {}
                Some(Ok(_)) => self.heard(&packet),
                Some(Err(reason)) => self.refused(&packet, reason),
            },
            Event::AtStation(v4, packet) => {
                if self.stations.get(&v4).is_none_or(|station| station.asleep) {
                    return;
                }
                match self.with(v4, |station, now| station.host.decapsulate(now, ROUTER, v4, &packet)) {
                    Some(Inbound::Forward) => self.heard(&packet),
                    Some(Inbound::Drop(reason)) => self.refused(&packet, reason),
                    Some(Inbound::Consumed) | None => {}
                }
            }
        }
    }

    fn heard(&mut self, packet: &Packet) {
        let Some((id, word)) = talk::read(packet) else { return };
        let Some(talk) = self.talks.get_mut(id.0) else { return };
        if let Some(answer) = talk.hear(word) {
            self.say(id, answer);
        }
    }

    fn refused(&mut self, packet: &Packet, reason: Reason) {
        self.note(u64::from(reason.number()));
        let now = self.now;
        if let Some(talk) = talk::read(packet).and_then(|(id, _)| self.talks.get_mut(id.0)) {
            talk.refused(now, reason);
        }
    }

    fn say(&mut self, id: TalkId, word: talk::Word) {
        let talk = &self.talks[id.0];
        let (station, client) = (talk.station, talk.client);
        let mut packet = talk.packet(id, word, gateway::client(client));
        let from_station =
            sixgate_wire::ipv6::Ipv6::parse(packet.bytes()).is_ok_and(|ip| ip.src() == talk.address);
        if !from_station {
            match self.gateway.out_of_client(self.now, client, &mut packet) {
                Ok(to) => self.carry(Event::AtStation(to, packet)),
                Err(reason) => self.refused(&packet, reason),
            }
            return;
        }
        if self.stations.get(&station).is_none_or(|station| station.asleep) {
            return;
        }
        match self.with(station, |station, now| station.host.encapsulate(now, &packet)) {
            Some(Ok(_)) => self.carry(Event::AtGateway(station, packet)),
            Some(Err(refused)) => self.refused(&packet, refused.reason),
            None => {}
        }
    }

    /// Does something with a station that is on, then what follows from it: its kernel learns, its messages leave, its
    /// next timer is set.
    pub fn with<T>(&mut self, v4: Ipv4Addr, work: impl FnOnce(&mut Station, Instant) -> T) -> Option<T> {
        let station = self.stations.get_mut(&v4)?;
        self.wakes.remove(&(station.wake, v4));
        let done = work(station, self.now);
        station.settle();
        let mut said = Vec::new();
        while station.host.poll_output(&mut self.scratch).is_some() {
            said.push(Event::AtGateway(v4, Packet::from_slice(self.scratch.bytes())));
        }
        station.wake = station.next_timeout();
        if station.wake != Instant::NEVER {
            self.wakes.insert((station.wake, v4));
        }
        for event in said {
            self.carry(event);
        }
        Some(done)
    }

    /// Everything that the router has to say by itself.
    fn settle(&mut self) {
        while let Some(to) = self.gateway.router.poll_output(&mut self.scratch) {
            let packet = Packet::from_slice(self.scratch.bytes());
            self.carry(Event::AtStation(to, packet));
        }
        while self.gateway.router.poll_event().is_some() {}
    }

    fn carry(&mut self, event: Event) {
        let size = match &event {
            Event::AtGateway(v4, packet) | Event::AtStation(v4, packet) => {
                u64::from(v4.to_bits()) << 16 | packet.len() as u64
            }
            Event::Speak(_) | Event::Review => 0,
        };
        self.note(size);
        let (lost, late) = (self.chance.below(1000), self.chance.below(self.wire.jitter + 1));
        if lost >= self.wire.lost {
            self.agenda.add(self.now + Duration::from_millis(self.wire.delay + late), event);
        }
    }

    fn note(&mut self, what: u64) {
        self.trace =
            (self.trace ^ what ^ self.now.as_nanos()).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(7);
    }
}

/// How often somebody speaks, and how long.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Between two things said.
    pub period: Duration,
    /// From the first to the last.
    pub lasts: Duration,
}

/// The IPv4 address of the station with this number.
#[must_use]
pub fn station(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 6, 8, number.saturating_add(10))
}
