//! What `doctor` asks of a host: what it was told, what it solicited, who advertised, which addresses it had.
//!
//! Nothing here is on the path of data packets: only messages of neighbour discovery are looked at.

mod addresses;

use std::collections::VecDeque;
use std::net::Ipv4Addr;

use jiff::Timestamp;
use sixgate_config::Host;
use sixgate_doctor::evidence::{Advertisement, HostEvidence, Link, Setting};
use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_host::sysctl;
use sixgate_isatap::RouterState;
use sixgate_reason::Reason;
use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::{self, Kind};

use crate::routers::Routers;
use crate::seam::View;

pub(crate) use addresses::Addresses;

/// Solicitations that are remembered.
const MOST_SENT: usize = 32;
/// Senders of advertisements that are remembered; anybody may become one.
const MOST_SENDERS: usize = 16;
const SHORTEST_PAUSE_MS: i64 = 10_000;

/// What the worker remembers of router discovery.
#[derive(Clone, Default)]
pub(crate) struct Remembered {
    solicited: VecDeque<Timestamp>,
    advertisements: Vec<Advertisement>,
}

impl Remembered {
    /// A message of our own is on its way.
    pub(crate) fn sent(&mut self, packet: &Packet) {
        if kind(packet) == Some(Kind::RouterSolicitation) {
            if self.solicited.len() >= MOST_SENT {
                self.solicited.pop_front();
            }
            self.solicited.push_back(Timestamp::now());
        }
    }

    /// A message of neighbour discovery came, or something was dropped.
    pub(crate) fn came(&mut self, from: Ipv4Addr, packet: &Packet, dropped: Option<Reason>) {
        if kind(packet) != Some(Kind::RouterAdvertisement) {
            return;
        }
        let now = Timestamp::now();
        let mut new = advertisement(from, packet, now);
        new.dropped = dropped.map(|r| r.code().to_owned());
        if let Some(known) = self.advertisements.iter_mut().find(|a| a.from == from) {
            // After a long pause it begins anew, so that the mean interval stays one.
            if !is_pause(known, now) {
                (new.count, new.first) = (known.count.saturating_add(1), known.first);
            }
            *known = new;
            return;
        }
        if self.advertisements.len() >= MOST_SENDERS
            && let Some(oldest) = (0..self.advertisements.len()).min_by_key(|n| self.advertisements[*n].last)
        {
            self.advertisements.swap_remove(oldest);
        }
        self.advertisements.push(new);
    }
}

/// What a host of this file would do; all that can be said of one that does not run.
#[must_use]
pub fn planned(config: &Host) -> HostEvidence {
    let (routers, _) = Routers::load(&config.routers, &config.state);
    let nameservers = if config.nameserver.is_empty() {
        ResolvConf::of_system().map(|c| c.servers).unwrap_or_default()
    } else {
        config.nameserver.clone()
    };
    HostEvidence {
        state: config.state.display().to_string(),
        device: config.device.clone(),
        interface: config.interface.clone(),
        routers: config.routers.iter().map(ToString::to_string).collect(),
        nameservers,
        list: routers.list(),
        held: Addresses::load(&config.state).held(),
        settings: settings(&config.device),
        ..HostEvidence::default()
    }
}

/// What a running host knows beside.
pub(crate) fn of(config: &Host, view: View, addresses: &Addresses) -> HostEvidence {
    let link = |r: &sixgate_isatap::RouterView| Link {
        router: r.router,
        state: state(r.state).to_owned(),
        address: r.addresses.first().copied(),
    };
    HostEvidence {
        interface: view.interface,
        ipv4: view.ipv4,
        list: view.routers.iter().map(|r| r.router).collect(),
        links: view.routers.iter().map(link).collect(),
        solicited: view.remembered.solicited.into(),
        advertisements: view.remembered.advertisements,
        held: addresses.held(),
        ..planned(config)
    }
}

/// A router's state in one word.
pub(crate) const fn state(state: RouterState) -> &'static str {
    match state {
        RouterState::Soliciting => "soliciting",
        RouterState::Silent => "silent",
        RouterState::Reachable => "up",
        RouterState::Withdrawn => "withdrawn",
        RouterState::Unreachable => "unreachable",
    }
}

/// What the device is set to at the start, as far as it matters afterwards.
fn settings(device: &str) -> Vec<Setting> {
    let one = |key: &str, purpose: &str| {
        let name = format!("net/ipv6/conf/{device}/{key}");
        let found = sysctl::get(&name).ok();
        Setting { name, wanted: vec!["0".to_owned()], found, purpose: purpose.to_owned() }
    };
    vec![
        one("disable_ipv6", "IPv6 on the ISATAP device"),
        one("forwarding", "what comes out of the tunnel is for this machine alone (RFC 6324)"),
    ]
}

/// An advertisement as evidence; what cannot be read offers nothing.
fn advertisement(from: Ipv4Addr, packet: &Packet, now: Timestamp) -> Advertisement {
    let ip = Ipv6::parse(packet.bytes()).ok();
    let lease = ip.and_then(|ip| nd::parse_advertisement(&ip).ok()).unwrap_or_default();
    Advertisement {
        from,
        count: 1,
        first: now,
        last: now,
        router_lifetime: lease.router_lifetime,
        prefixes: lease.prefixes.iter().filter(|p| p.valid > 0).map(|p| p.prefix.to_string()).collect(),
        routes: lease.routes.iter().filter(|r| r.lifetime > 0).map(|r| r.prefix.to_string()).collect(),
        dropped: None,
    }
}

/// The sender was silent for ten times its mean interval, and for longer than any burst has gaps.
fn is_pause(known: &Advertisement, now: Timestamp) -> bool {
    let ms = |from: Timestamp, to: Timestamp| to.as_millisecond().saturating_sub(from.as_millisecond());
    let gaps = i64::try_from(known.count.max(2) - 1).unwrap_or(i64::MAX);
    ms(known.last, now) > (ms(known.first, known.last) / gaps * 10).max(SHORTEST_PAUSE_MS)
}

fn kind(packet: &Packet) -> Option<Kind> {
    Kind::of(&Ipv6::parse(packet.bytes()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sixgate_reason::ISATAP_RA_NOT_FROM_ROUTER;
    use sixgate_wire::lease::Lease;

    fn message(write: impl FnOnce(&mut Packet) -> bool) -> Packet {
        let mut packet = Packet::new();
        assert!(write(&mut packet));
        packet
    }

    #[test]
    fn senders_of_advertisements_are_counted_and_bounded() {
        let (a, b) = ("fe80::5efe:10.6.0.1".parse().unwrap(), "fe80::5efe:10.6.8.20".parse().unwrap());
        let ra = message(|p| nd::write_advertisement(&Lease::default(), 64, a, b, p));
        let rs = message(|p| nd::write_solicitation(b, a, p));
        let mut remembered = Remembered::default();
        for n in 0..40 {
            remembered.sent(&rs);
            remembered.came(Ipv4Addr::new(10, 0, 0, n), &ra, Some(ISATAP_RA_NOT_FROM_ROUTER));
        }
        remembered.came(Ipv4Addr::new(10, 0, 0, 39), &ra, None);
        remembered.came(Ipv4Addr::new(10, 9, 9, 9), &rs, None);
        assert_eq!(remembered.solicited.len(), MOST_SENT);
        assert_eq!(remembered.advertisements.len(), MOST_SENDERS);
        let last = remembered.advertisements.iter().find(|x| x.from == Ipv4Addr::new(10, 0, 0, 39)).unwrap();
        assert_eq!((last.count, last.dropped.clone()), (2, None));
    }
}
