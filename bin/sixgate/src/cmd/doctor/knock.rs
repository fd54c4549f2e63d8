//! Tries routers: ICMP echo, router solicitation over protocol 41, and what the path takes. All of them at once.
//!
//! A raw socket for protocol 41 gets a copy of every packet, so this works beside a daemon that runs, and without one.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::echoes;
use sixgate_api::Timestamp;
use sixgate_doctor::evidence::{Advertisement, Echo, PathMtu, Probe};
use sixgate_io_link::{Outer, Proto41};
use sixgate_io_probe::{self as icmp, Icmp, Message};
use sixgate_wire::addr::isatap::{self, Form};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::{self, Kind};
use sixgate_wire::{Packet, protocol};

/// A router to be tried.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) router: Ipv4Addr,
    /// It is on the host's own list.
    pub(super) listed: bool,
}

/// When solicitations go out, and what else was not answered is asked again, in milliseconds.
const SOLICIT_AT: [u64; 4] = [0, 300, 700, 1200];
/// When the path is measured, if a packet of 1300 octets did not pass: in steps, then between two steps.
const MEASURE_AT: u64 = 750;
const REFINE_AT: u64 = 1150;
/// Everybody is listened to for this long, because strangers advertise when they like.
const LISTEN_MS: u64 = 500;
/// Who has not answered by then is silent.
const END_MS: u64 = 2000;

/// An IPv6 packet of 1280 octets in its outer header; and the most that an Ethernet takes.
const NEEDED: u16 = 1300;
const ETHERNET: u16 = 1500;
const ALIVE: u16 = 64;
const SMALLEST: u16 = 548;
const STEP: u16 = 32;
/// Hops that are looked at where a path is too narrow.
const HOPS: u8 = 6;

/// What an echo was for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    Alive,
    Size(u16),
    Hop(u8),
}

struct Try {
    target: Target,
    echo: Echo,
    sent_at: Option<Instant>,
    solicited: Vec<u64>,
    advertised: Option<u64>,
    refused_by: Option<Ipv4Addr>,
    untried: Option<String>,
    /// Sizes that were asked for, and whether they were answered.
    sizes: BTreeMap<u16, bool>,
    hops: BTreeMap<u8, Ipv4Addr>,
    told: bool,
}

struct Knocker {
    begun: Instant,
    own: Option<Ipv4Addr>,
    icmp: Result<Icmp, String>,
    link: Option<Proto41>,
    tries: Vec<Try>,
    echoes: Vec<(usize, Purpose)>,
    id: u16,
    heard: Vec<Advertisement>,
}

/// Tries every router; ends as soon as there is nothing left to wait for.
pub(super) fn knock(own: Option<Ipv4Addr>, targets: &[Target]) -> (Vec<Probe>, Vec<Advertisement>) {
    let Some(first) = targets.first() else { return (Vec::new(), Vec::new()) };
    let own = own.or_else(|| source_towards(first.router));
    let icmp = Icmp::open().map_err(|e| e.to_string());
    let link = own.ok_or_else(|| "no IPv4 address leads there".to_owned());
    let link = link.and_then(|own| Proto41::bind(own).map_err(|e| e.to_string()));
    let (link, untried) = match link {
        Ok(link) => (Some(link), None),
        Err(why) => (None, Some(why)),
    };
    let one = |target: &Target| Try {
        target: *target,
        echo: Echo::Untried,
        sent_at: None,
        solicited: Vec::new(),
        advertised: None,
        refused_by: None,
        untried: untried.clone(),
        sizes: BTreeMap::new(),
        hops: BTreeMap::new(),
        told: false,
    };
    let mut knocker = Knocker {
        begun: Instant::now(),
        own,
        icmp,
        link,
        tries: targets.iter().map(one).collect(),
        echoes: Vec::new(),
        id: std::process::id() as u16,
        heard: Vec::new(),
    };
    knocker.run();
    knocker.result()
}

impl Knocker {
    fn run(&mut self) {
        let mut due: Vec<u64> = SOLICIT_AT.iter().copied().chain([MEASURE_AT, REFINE_AT, END_MS]).collect();
        due.sort_unstable();
        for at in due {
            while self.elapsed() < at {
                if self.elapsed() >= LISTEN_MS && self.is_done() {
                    return;
                }
                let until = if self.elapsed() < LISTEN_MS { at.min(LISTEN_MS) } else { at };
                self.listen(Duration::from_millis(until.saturating_sub(self.elapsed()).max(1)));
            }
            self.act(at);
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Nothing is left that an answer could change.
    fn is_done(&self) -> bool {
        self.tries.iter().all(|t| {
            let link = t.advertised.is_some() || t.untried.is_some();
            link && matches!(t.echo, Echo::Answered(_)) && t.sizes.get(&NEEDED) == Some(&true)
        })
    }

    fn act(&mut self, at: u64) {
        for n in 0..self.tries.len() {
            if SOLICIT_AT.contains(&at) {
                self.solicit(n);
                // Twice at least, for whoever listens at the other end.
                if at <= SOLICIT_AT[1] || !matches!(self.tries[n].echo, Echo::Answered(_)) {
                    self.echo(n, Purpose::Alive);
                }
                if self.tries[n].sizes.get(&NEEDED) != Some(&true) {
                    self.echo(n, Purpose::Size(NEEDED));
                }
                if at == 0 {
                    self.echo(n, Purpose::Size(ETHERNET));
                }
            }
            let narrow = matches!(self.tries[n].echo, Echo::Answered(_))
                && self.tries[n].sizes.get(&NEEDED) != Some(&true);
            if narrow && at == MEASURE_AT {
                (SMALLEST..NEEDED)
                    .step_by(usize::from(STEP))
                    .for_each(|size| self.echo(n, Purpose::Size(size)));
                (1..=HOPS).for_each(|ttl| self.echo(n, Purpose::Hop(ttl)));
            }
            if narrow && at == REFINE_AT {
                let passed = self.tries[n].sizes.iter().filter(|(_, ok)| **ok).map(|(size, _)| *size).max();
                let from = passed.unwrap_or(ALIVE).max(SMALLEST);
                (from + 1..(from + STEP).min(NEEDED)).for_each(|size| self.echo(n, Purpose::Size(size)));
            }
        }
    }

    fn solicit(&mut self, n: usize) {
        let elapsed = self.elapsed();
        let (Some(own), Some(link), one) = (self.own, self.link.as_mut(), &mut self.tries[n]) else { return };
        if one.advertised.is_some() {
            return;
        }
        let router = one.target.router;
        let source = isatap::link_local(Form::of(own), own);
        let mut packet = Packet::new();
        // Routers may listen to either form of an address that looks global.
        let global = (Form::of(router) == Form::Global).then_some(Form::Global);
        for form in [Some(Form::Private), global].into_iter().flatten() {
            if nd::write_solicitation(source, isatap::link_local(form, router), &mut packet) {
                // Refused by the kernel it was not sent, and the counts say so.
                let _ = link.send(router, &packet);
            }
        }
        match link.flush() {
            Ok(_) => one.solicited.push(elapsed),
            Err(e) if one.solicited.is_empty() => one.untried = Some(e.to_string()),
            Err(_) => {}
        }
    }

    fn echo(&mut self, n: usize, purpose: Purpose) {
        let (Ok(socket), one) = (&self.icmp, &mut self.tries[n]) else { return };
        let (octets, ttl, whole) = match purpose {
            Purpose::Alive => (ALIVE, 64, false),
            Purpose::Size(size) => (size, 64, true),
            Purpose::Hop(ttl) => (NEEDED, ttl, true),
        };
        let mark = echoes::mark(self.own.unwrap_or(Ipv4Addr::UNSPECIFIED));
        let seq = u16::try_from(self.echoes.len()).unwrap_or(u16::MAX);
        let sent = socket.echo(one.target.router, &icmp::Echo { id: self.id, seq, octets, ttl, whole, mark });
        self.echoes.push((n, purpose));
        match purpose {
            Purpose::Alive if sent.is_ok() => {
                one.sent_at = one.sent_at.or(Some(Instant::now()));
                if one.echo == Echo::Untried {
                    one.echo = Echo::Silent;
                }
            }
            Purpose::Size(size) => {
                one.sizes.entry(size).or_insert(false);
            }
            Purpose::Alive | Purpose::Hop(_) => {}
        }
    }

    fn listen(&mut self, longest: Duration) {
        let mut fds = Vec::new();
        if let Ok(socket) = &self.icmp {
            fds.push(socket.as_fd());
        }
        if let Some(link) = &self.link {
            fds.push(link.as_fd());
        }
        // An error here is an early end of the wait.
        if fds.is_empty() {
            std::thread::sleep(longest);
        } else if icmp::wait(&fds, longest).is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
        while let Some(message) = self.icmp.as_ref().ok().and_then(|s| s.receive().ok().flatten()) {
            self.message(message);
        }
        self.read_link();
    }

    fn message(&mut self, message: Message) {
        let ours =
            |id: u16, seq: u16| (id == self.id).then(|| self.echoes.get(usize::from(seq))).flatten().copied();
        match message {
            Message::Request { .. } => {}
            Message::Reply { id, seq, .. } => {
                let Some((n, purpose)) = ours(id, seq) else { return };
                let one = &mut self.tries[n];
                match purpose {
                    Purpose::Alive => {
                        let since = one.sent_at.map_or(0.0, |at| at.elapsed().as_secs_f64() * 1000.0);
                        if !matches!(one.echo, Echo::Answered(_)) {
                            one.echo = Echo::Answered((since * 1000.0).round() / 1000.0);
                        }
                    }
                    Purpose::Size(size) => {
                        one.sizes.insert(size, true);
                    }
                    Purpose::Hop(_) => {}
                }
            }
            Message::Expired { from, quoted } => {
                let purpose = quoted.echo.and_then(|(id, seq)| ours(id, seq));
                if let Some((n, Purpose::Hop(ttl))) = purpose {
                    self.tries[n].hops.insert(ttl, from);
                }
            }
            Message::Unreachable { from, code, quoted } => {
                let Some(one) = self.tries.iter_mut().find(|t| t.target.router == quoted.to) else { return };
                match code {
                    2 if quoted.protocol == protocol::IPV6 => one.refused_by = Some(from),
                    4 => one.told = true,
                    _ => {}
                }
            }
        }
    }

    fn read_link(&mut self) {
        let Some(link) = &mut self.link else { return };
        let mut packets: Vec<Packet> = (0..16).map(|_| Packet::new()).collect();
        let mut outer = vec![Outer::default(); packets.len()];
        while let Ok(count) = link.receive_batch(&mut packets, &mut outer) {
            for (packet, outer) in packets[..count].iter().zip(&outer) {
                let Ok(ip) = Ipv6::parse(packet.bytes()) else { continue };
                if Kind::of(&ip) != Some(Kind::RouterAdvertisement) {
                    continue;
                }
                let Ok(lease) = nd::parse_advertisement(&ip) else { continue };
                let now = Timestamp::now();
                let ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                // A router that takes its offer back has not answered a solicitation.
                let offers = lease.prefixes.iter().any(|p| p.valid > 0);
                if let Some(one) = self.tries.iter_mut().find(|t| t.target.router == outer.src && offers) {
                    one.advertised = one.advertised.or(Some(ms));
                }
                if let Some(known) = self.heard.iter_mut().find(|a| a.from == outer.src) {
                    (known.count, known.last) = (known.count + 1, now);
                } else {
                    self.heard.push(Advertisement {
                        from: outer.src,
                        count: 1,
                        first: now,
                        last: now,
                        router_lifetime: lease.router_lifetime,
                        prefixes: lease
                            .prefixes
                            .iter()
                            .filter(|p| p.valid > 0)
                            .map(|p| p.prefix.to_string())
                            .collect(),
                        routes: lease
                            .routes
                            .iter()
                            .filter(|r| r.lifetime > 0)
                            .map(|r| r.prefix.to_string())
                            .collect(),
                        dropped: None,
                    });
                }
            }
            if count == 0 {
                break;
            }
        }
    }

    fn result(self) -> (Vec<Probe>, Vec<Advertisement>) {
        let probes = self.tries.into_iter().map(Try::probe).collect();
        (probes, self.heard)
    }
}

impl Try {
    fn probe(self) -> Probe {
        let answered = matches!(self.echo, Echo::Answered(_));
        let passed = self.sizes.iter().filter(|(_, ok)| **ok).map(|(size, _)| *size).max().unwrap_or(ALIVE);
        let lost =
            self.sizes.iter().find(|(size, ok)| !**ok && **size > passed).map(|(size, _)| u32::from(*size));
        let mtu = answered.then(|| PathMtu {
            passed: u32::from(passed),
            lost,
            last_hop: self.hops.values().next_back().copied(),
            told: self.told,
        });
        Probe {
            router: self.target.router,
            listed: self.target.listed,
            echo: self.echo,
            solicited_ms: self.solicited,
            advertised_ms: self.advertised,
            refused_by: self.refused_by,
            untried: self.untried,
            mtu,
        }
    }
}

/// The address that the kernel would use towards `router`. Nothing is sent.
fn source_towards(router: Ipv4Addr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((router, 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        std::net::IpAddr::V4(v4) => Some(v4),
        std::net::IpAddr::V6(_) => None,
    }
}
