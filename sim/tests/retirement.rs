//! ISATAP is retired over all its days: fifty hosts, five flows that are open from before, people who go on working.
//!
//! ```text
//!  day -1         0          7             8         15          16         20      27
//!   | users work  | quiet    | withdraw    | clean   | verify    | leave    |       | nobody is left
//!   flow 0 -------|--- ends on day 3
//!   flow 1 -------|----------|--- day 9
//!   flow 2 -------|----------|-------------|--- day 12, it says something every hour and a half
//!   flow 3 -------|----------|-------------|---------|--- day 15 and a half: the straggler
//!   flow 4 -------|----------|-- day 7 and a half; a client opened it, to a host that never opened anything
//! ```
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sixgate_isatap::Standing;
use sixgate_isatap::retire::{HostEvidence, NotYet, Phase, Retirement, Verified};
use sixgate_reason::FLOW_RETIRED;
use sixgate_sim::world::{Pace, station};
use sixgate_sim::{Choice, Outcome, Station, TalkId, Transport, Wire, World, gateway};
use sixgate_time::{Duration, Instant};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
const HOSTS: u8 = 50;
const CLIENTS: u32 = 8;
/// Stations that open something in the days before; the others never do.
const USERS: u8 = 12;
/// The station that a client called.
const CALLED: u8 = 40;
/// It is off from before the quiet phase until after the withdrawal.
const AWAY: u8 = 45;
/// It stays on the network after everybody has left it.
const FORGOTTEN: u8 = 33;

/// The clock counts from 1970, as on a gateway's disk.
const BEGIN: Instant = Instant::from_secs(20_000 * 86_400);

struct Office {
    world: World,
    state: Option<Retirement>,
    flows: Vec<TalkId>,
}

impl Office {
    /// The day before: everybody is served, users open something, five flows are open at its end.
    fn open(seed: u64) -> Self {
        let wire = Wire { lost: 1, delay: 1, jitter: 20 };
        let world = World::new(BEGIN, HOSTS, CLIENTS, wire, seed);
        let mut office = Self { world, state: None, flows: Vec::new() };
        office.world.pass(MINUTE);
        for user in 0..USERS {
            let short = Pace { period: MINUTE, lasts: HOUR / 2 };
            assert!(office.call(user, short).is_some(), "{user} has no ISATAP");
            office.world.pass(HOUR);
        }
        let long = |period, days: u64| Pace { period, lasts: DAY * days as u32 + HOUR * 12 };
        for (user, pace) in [
            (0, long(MINUTE * 5, 3)),
            (1, long(MINUTE * 5, 9)),
            (2, long(HOUR * 3 / 2, 12)),
            (3, long(MINUTE * 10, 15)),
        ] {
            let talk = office.call(user, pace).unwrap();
            office.flows.push(talk);
        }
        let world = &mut office.world;
        let back = world.call_back(station(CALLED), 7, Transport::Udp, long(MINUTE * 2, 7)).unwrap();
        office.flows.push(back);
        office.world.pass(MINUTE);
        assert!(office.flows.iter().all(|flow| office.world.talk_of(*flow).is_open()));
        office
    }

    fn call(&mut self, user: u8, pace: Pace) -> Option<TalkId> {
        self.world.call(station(user), u32::from(user) % CLIENTS, Transport::Tcp, pace)
    }

    fn second(&self) -> u64 {
        self.world.now.as_nanos() / 1_000_000_000
    }

    /// What the gateway knows of its hosts.
    fn evidence(&self) -> Vec<HostEvidence> {
        let seconds = |at: Instant| at.as_nanos() / 1_000_000_000;
        let open = self.world.gateway.open_flows(self.world.now);
        let hosts = self.world.gateway.router.hosts().into_iter();
        let all = hosts.map(|host| HostEvidence {
            ipv4: host.ipv4,
            flows_started: host.flows_started,
            last_flow: host.last_flow.map(seconds),
            open: open.get(&host.ipv4).copied().unwrap_or(0),
            last_rs: host.last_rs.map(seconds),
        });
        all.collect()
    }

    fn enter(&mut self, phase: Phase) {
        let next = Retirement::enter(self.state.as_ref(), phase, self.second(), &self.evidence()).unwrap();
        self.world.retire(next.retire());
        self.state = Some(next);
    }

    fn undo(&mut self) {
        self.world.retire(Default::default());
        self.state = None;
    }

    fn verified(&self) -> Verified {
        let heard = self.world.gateway.router.last_heard().map(|at| at.as_nanos() / 1_000_000_000);
        Verified::of(self.state.as_ref().unwrap(), self.second(), heard, &self.evidence())
    }

    /// Stations that have an address, and whether new connections may begin from it.
    fn addressed(&self) -> BTreeMap<Ipv4Addr, bool> {
        let stations = self.world.stations.iter();
        stations
            .filter_map(|(v4, s)| s.addresses(self.world.now).next().map(|(_, preferred)| (*v4, preferred)))
            .collect()
    }

    /// A day: at night only those stations are on whose flow is open.
    fn day(&mut self) {
        self.world.pass(HOUR * 10);
        let night = (0..HOSTS).map(station).filter(|v4| *v4 != station(AWAY) && !self.has_flow(*v4));
        let night: Vec<_> = night.collect();
        for v4 in &night {
            self.world.with(*v4, |station, _| station.asleep = true);
        }
        self.world.pass(HOUR * 14 - MINUTE);
        for v4 in &night {
            self.world.with(*v4, |station, _| station.asleep = false);
        }
        self.world.pass(MINUTE);
    }

    fn has_flow(&self, v4: Ipv4Addr) -> bool {
        self.world.talks.iter().any(|talk| talk.station == v4 && talk.is_open())
    }

    fn nothing_is_cut(&self) {
        let cut: Vec<_> = self.world.cut();
        assert!(cut.is_empty(), "{cut:#?}");
    }
}

/// Which of the five flows are open.
fn open(office: &Office) -> Vec<usize> {
    (0..5).filter(|n| office.world.talk_of(office.flows[*n]).is_open()).collect()
}

fn all_days(seed: u64) -> World {
    let mut office = Office::open(seed);
    let in_use: Vec<_> = (0..USERS).chain([CALLED]).map(station).collect();
    office.world.with(station(AWAY), |away, _| away.asleep = true);

    office.enter(Phase::Observe);
    office.world.pass(MINUTE);
    assert!(office.addressed().values().all(|preferred| *preferred));

    // Day 0. Who is in use, or has something open, is deprecated; everybody else has nothing within two hours.
    office.enter(Phase::Quiet);
    assert_eq!(office.state.as_ref().unwrap().in_use, in_use);
    office.world.pass(MINUTE);
    let quiet = office.addressed();
    let awake = |v4: &&Ipv4Addr| **v4 != station(AWAY);
    assert!(quiet.iter().filter(|(v4, _)| awake(v4)).all(|(_, preferred)| !preferred));
    office.world.pass(HOUR * 2);
    let left: Vec<_> = office.addressed().into_keys().filter(|v4| awake(&v4)).collect();
    assert_eq!(left, in_use);
    // New connections choose IPv4, of those in use too.
    for user in 0..HOSTS {
        let choice = office.world.stations[&station(user)].choose(office.world.now, gateway::client(0));
        assert!(user == AWAY || choice == Choice::Ipv4, "station {user}: {choice:?}");
    }
    for _ in 0..7 {
        office.day();
        office.nothing_is_cut();
        assert_eq!(
            office.addressed().len(),
            in_use.len() + usize::from(office.addressed().contains_key(&station(AWAY)))
        );
    }
    assert_eq!(open(&office), [1, 2, 3, 4]);
    assert_eq!(office.world.talk_of(office.flows[0]).outcome, Outcome::Ended);

    // Day 7. Only those with an open flow keep anything, and nobody opens anything, not even by an address from before.
    office.enter(Phase::Withdraw);
    office.world.pass(MINUTE);
    let stubborn = office.world.talk_of(office.flows[3]).address;
    let forced = office.force(3, stubborn);
    let back =
        office.world.call_back(station(3), 2, Transport::Udp, Pace { period: MINUTE, lasts: HOUR }).unwrap();
    office.world.pass(HOUR * 2 + MINUTE);
    for refused in [forced, back] {
        assert_eq!(office.world.talk_of(refused).outcome, Outcome::Refused(FLOW_RETIRED));
    }
    assert_eq!(office.addressed().into_keys().collect::<Vec<_>>(), [1, 2, 3, CALLED].map(station));
    // The one that was away comes back: what it had has ended, and it gets nothing.
    office.world.with(station(AWAY), |away, _| away.asleep = false);
    office.world.pass(MINUTE * 5);
    assert!(!office.addressed().contains_key(&station(AWAY)));
    office.day();

    // Day 8, 12, 15: each is withdrawn from when its own flow has ended.
    office.enter(Phase::Clean);
    office.nothing_is_cut();
    assert_eq!(open(&office), [1, 2, 3]);
    assert_eq!(office.addressed().into_keys().collect::<Vec<_>>(), [1, 2, 3].map(station));
    for _ in 0..7 {
        office.day();
    }
    office.enter(Phase::Verify);
    office.nothing_is_cut();
    assert_eq!(open(&office), [3]);
    assert_eq!(office.addressed().into_keys().collect::<Vec<_>>(), [station(3)]);
    let standing = office.world.gateway.router.retirement().into_iter().filter(|host| host.open > 0);
    assert_eq!(
        standing.map(|h| (h.ipv4, h.standing)).collect::<Vec<_>>(),
        [(station(3), Standing::Deprecated)]
    );
    assert_eq!(office.verified().open, [station(3)]);
    office.day();
    assert_eq!(office.addressed(), BTreeMap::new());
    for flow in &office.flows {
        assert_eq!(office.world.talk_of(*flow).outcome, Outcome::Ended);
    }

    // Day 16. What is left are the machines' own settings: they still ask, and are named.
    assert_eq!(office.verified().asking.len(), usize::from(HOSTS));
    for number in (0..HOSTS).filter(|number| *number != FORGOTTEN) {
        office.world.with(station(number), Station::leave);
    }
    office.world.pass(DAY * 8);
    assert_eq!(office.verified().asking, [station(FORGOTTEN)]);
    assert!(!office.verified().is_over());
    office.world.with(station(FORGOTTEN), Station::leave);
    office.world.pass(DAY * 7 + HOUR);
    assert!(office.verified().is_over(), "{:?}", office.verified());
    office.nothing_is_cut();
    office.world
}

impl Office {
    /// A program that keeps to the tunnel whatever the kernel says.
    fn force(&mut self, user: u8, address: std::net::Ipv6Addr) -> TalkId {
        self.world.call_from(station(user), address, 1, Transport::Tcp, Pace { period: MINUTE, lasts: HOUR })
    }
}

#[test]
fn no_flow_is_cut_in_all_its_days_and_at_the_end_nobody_has_an_address() {
    let world = all_days(1);
    let answers: u64 = world.talks.iter().map(|talk| talk.answers).sum();
    assert!(world.talks.len() == 19 && answers > 10_000, "{} talks, {answers} answers", world.talks.len());
}

#[test]
fn the_same_seed_gives_the_same_day_and_another_one_another() {
    let traces = [5, 5, 6].map(|seed| Office::open(seed).world.trace);
    assert!(traces[0] == traces[1] && traces[0] != traces[2], "{traces:?}");
}

#[test]
fn every_phase_can_be_undone() {
    for last in [Phase::Quiet, Phase::Withdraw, Phase::Clean, Phase::Verify] {
        let mut office = Office::open(7);
        for phase in Phase::ALL.into_iter().filter(|phase| *phase != Phase::Observe && *phase <= last) {
            office.enter(phase);
            office.world.pass(HOUR * 5);
        }
        assert!(office.addressed().len() < usize::from(HOSTS));
        office.undo();
        // A host that was not answered asks again after half a minute; most are told at once.
        office.world.pass(MINUTE);
        let back = office.addressed();
        assert_eq!(back.len(), usize::from(HOSTS), "after {last:?}");
        assert!(back.values().all(|preferred| *preferred), "after {last:?}");
        for user in 0..HOSTS {
            let pace = Pace { period: MINUTE, lasts: MINUTE * 5 };
            let talk = office.call(user, pace).unwrap();
            office.world.pass(MINUTE);
            assert!(office.world.talk_of(talk).is_open(), "station {user} after {last:?}");
        }
        office.world.pass(HOUR);
        office.nothing_is_cut();
        assert_eq!(open(&office), [0, 1, 2, 3, 4], "after {last:?}");
    }
}

#[test]
fn one_phase_back_is_possible_and_two_forward_are_not() {
    let mut office = Office::open(3);
    let ask = |office: &Office, phase| Retirement::enter(office.state.as_ref(), phase, office.second(), &[]);
    assert_eq!(ask(&office, Phase::Withdraw), Err(NotYet::Before(Phase::Quiet)));
    office.enter(Phase::Quiet);
    office.world.pass(HOUR);
    office.enter(Phase::Withdraw);
    office.world.pass(HOUR * 3);
    assert_eq!(office.addressed().len(), 5);
    office.enter(Phase::Quiet);
    office.world.pass(MINUTE);
    // Those in use have their deprecated addresses again.
    let (used, idle) = (office.addressed(), office.world.stations.len());
    assert!(used.len() < idle && used.values().all(|preferred| !preferred));
    assert!(used.len() >= 5, "{used:?}");
    office.nothing_is_cut();
}
