//! The client's end of the link: asks for a lease, keeps it, notices when the gateway is gone.

use core::net::Ipv6Addr;

use sixgate_reason::{self as reason, Reason};
use sixgate_time::{Duration, Instant};
use sixgate_wire::lease::Lease;
use sixgate_wire::nd::{self, Kind, NeighbourAdvertisement};
use sixgate_wire::{Packet, ipv6::Ipv6};

use crate::Inbound;

/// All routers on the link (RFC 4291, section 2.7.1).
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// A link that was silent for so long is probed: below the idle time-outs of balancers and NATs.
const IDLE: Duration = Duration::from_secs(25);
/// After we sent something and nothing came for so long, the link is probed (RFC 4861, section 10: DELAY_FIRST_PROBE_TIME).
const UNANSWERED: Duration = Duration::from_secs(5);
/// A probe that is not answered for so long means that the gateway is gone. One probe is enough: TCP repeats it.
const PROBE_WAIT: Duration = Duration::from_secs(5);
/// The same after a change of network, when a new connection is likely to be needed and costs little.
const CHANGED_WAIT: Duration = Duration::from_secs(2);
/// Solicitations, and the wait after each (RFC 4861, section 10, without its pauses: this link loses nothing).
const SOLICITATION_WAITS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
/// A lease is asked for again when half of it is over, but not more often than this.
const LEAST_RENEWAL: Duration = Duration::from_secs(30);

/// What the caller must see to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A lease came, the first or one that differs from the last.
    Leased(Lease),
    /// The link is of no use any more; the reason is why. The caller connects anew.
    Dead(Reason),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Probe {
    /// Nothing is asked.
    Idle,
    /// A solicitation is due to be sent; the answer must come by then.
    Due(Instant),
    /// It was sent.
    Sent(Instant),
}

/// The link of one connection.
#[derive(Debug)]
pub struct Client {
    link_local: Ipv6Addr,
    gateway: Option<Ipv6Addr>,
    lease: Option<Lease>,
    event: Option<Event>,
    dead: bool,
    solicitations: usize,
    solicit_due: bool,
    solicit_again: Instant,
    probe: Probe,
    last_received: Instant,
    unanswered_since: Option<Instant>,
    /// Asked by the gateway; to be answered.
    asked_by: Option<Ipv6Addr>,
}

impl Client {
    /// A link that stands since `now`. `seed` makes our link-local address; any will do, since nobody else is on the link.
    #[must_use]
    pub fn new(now: Instant, seed: u64) -> Self {
        // The bit keeps it apart from whatever short identifier the gateway has.
        let link_local = Ipv6Addr::from_bits(0xfe80_u128 << 112 | u128::from(seed | 1 << 63));
        Self {
            link_local,
            gateway: None,
            lease: None,
            event: None,
            dead: false,
            solicitations: 1,
            solicit_due: true,
            solicit_again: now + SOLICITATION_WAITS[0],
            probe: Probe::Idle,
            last_received: now,
            unanswered_since: None,
            asked_by: None,
        }
    }

    /// The lease, once there is one.
    #[must_use]
    pub fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// What becomes of a packet from the gateway. The packet is not changed.
    pub fn inbound(&mut self, now: Instant, packet: &Packet) -> Inbound {
        self.inbound_octets(now, packet.bytes())
    }

    /// The same for a packet that still lies in the stream it came with.
    pub fn inbound_octets(&mut self, now: Instant, packet: &[u8]) -> Inbound {
        let Ok(ip) = Ipv6::parse(packet) else { return Inbound::Drop(reason::MALFORMED_IPV6) };
        self.heard(now);
        if let Some(lease) = &self.lease
            && lease.addresses.contains(&ip.dst())
        {
            return Inbound::Forward;
        }
        match Kind::of(&ip) {
            Some(Kind::RouterAdvertisement) => self.advertisement(now, &ip),
            Some(Kind::NeighbourSolicitation) => self.solicitation(&ip),
            Some(Kind::NeighbourAdvertisement) => match nd::parse_neighbour_advertisement(&ip) {
                Ok(_) => Inbound::Consumed,
                Err(fault) => Inbound::Drop(fault.reason()),
            },
            Some(Kind::RouterSolicitation | Kind::Redirect) => Inbound::Drop(reason::IPHTTPS_ND_INVALID),
            None => Inbound::Drop(reason::IPHTTPS_DESTINATION_FOREIGN),
        }
    }

    /// Whether a packet from our own device may go to the gateway.
    ///
    /// # Errors
    /// The reason when it may not: no lease yet, or a source that is not ours.
    pub fn outbound(&mut self, now: Instant, packet: &Packet) -> Result<(), Reason> {
        let ip = Ipv6::parse(packet.bytes()).map_err(Reason::from)?;
        let ours = self.lease.as_ref().is_some_and(|lease| lease.addresses.contains(&ip.src()));
        if !ours {
            return Err(reason::IPHTTPS_SOURCE_FOREIGN);
        }
        if ip.dst().is_multicast() || ip.dst().is_unicast_link_local() {
            return Err(reason::IPHTTPS_MULTICAST);
        }
        self.unanswered_since.get_or_insert(now);
        Ok(())
    }

    /// The network under the connection may have changed: asks at once whether the gateway is still there.
    pub fn network_changed(&mut self, now: Instant) {
        let until = now + CHANGED_WAIT;
        self.probe = match self.probe {
            Probe::Sent(deadline) if deadline <= until => self.probe,
            Probe::Idle | Probe::Due(_) | Probe::Sent(_) => Probe::Due(until),
        };
    }

    /// Writes the next packet for the gateway into `out`; false when there is none.
    pub fn poll_output(&mut self, out: &mut Packet) -> bool {
        if self.solicit_due {
            self.solicit_due = false;
            return nd::write_solicitation(self.link_local, ALL_ROUTERS, out);
        }
        if let Some(asker) = self.asked_by.take() {
            let message = NeighbourAdvertisement {
                target: self.link_local,
                router: false,
                solicited: true,
                replace: true,
            };
            return nd::write_neighbour_advertisement(self.link_local, asker, &message, out);
        }
        if let (Probe::Due(deadline), Some(gateway)) = (self.probe, self.gateway) {
            self.probe = Probe::Sent(deadline);
            return nd::write_neighbour_solicitation(self.link_local, gateway, gateway, out);
        }
        false
    }

    /// The next thing that the caller must see to.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.event.take()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.dead {
            return;
        }
        self.solicit(now);
        let (Probe::Due(deadline) | Probe::Sent(deadline)) = self.probe else {
            if now >= self.probe_at() {
                self.probe = Probe::Due(now + PROBE_WAIT);
            }
            return;
        };
        if now >= deadline && !self.dead {
            self.die(reason::IPHTTPS_GATEWAY_SILENT);
        }
    }

    /// When [`Client::handle_timeout`] is to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        if self.dead {
            return Instant::NEVER;
        }
        let probe = match self.probe {
            Probe::Idle => self.probe_at(),
            Probe::Due(deadline) | Probe::Sent(deadline) => deadline,
        };
        probe.min(self.solicit_again)
    }

    fn probe_at(&self) -> Instant {
        // Without a lease the solicitations are the probe.
        if self.gateway.is_none() {
            return Instant::NEVER;
        }
        let idle = self.last_received + IDLE;
        self.unanswered_since.map_or(idle, |since| idle.min(since + UNANSWERED))
    }

    /// Anything that comes proves that the gateway is there: it came over TLS.
    fn heard(&mut self, now: Instant) {
        self.last_received = now;
        self.unanswered_since = None;
        self.probe = Probe::Idle;
    }

    fn solicit(&mut self, now: Instant) {
        if now < self.solicit_again {
            return;
        }
        let Some(wait) = SOLICITATION_WAITS.get(self.solicitations) else {
            return self.die(reason::IPHTTPS_NO_ADVERTISEMENT);
        };
        self.solicitations += 1;
        self.solicit_due = true;
        self.solicit_again = now + *wait;
    }

    fn die(&mut self, why: Reason) {
        self.dead = true;
        self.event = Some(Event::Dead(why));
    }

    fn advertisement(&mut self, now: Instant, ip: &Ipv6<'_>) -> Inbound {
        let lease = match nd::parse_advertisement(ip) {
            Ok(lease) => lease,
            Err(fault) => return Inbound::Drop(fault.reason()),
        };
        if lease.addresses.is_empty() {
            self.die(reason::IPHTTPS_NO_ADDRESS);
            return Inbound::Consumed;
        }
        self.gateway = Some(ip.src());
        self.solicitations = 0;
        self.solicit_due = false;
        self.solicit_again = now + renewal(&lease);
        if !self.dead && self.lease.as_ref() != Some(&lease) {
            self.event = Some(Event::Leased(lease.clone()));
            self.lease = Some(lease);
        }
        Inbound::Consumed
    }

    fn solicitation(&mut self, ip: &Ipv6<'_>) -> Inbound {
        match nd::parse_neighbour_solicitation(ip) {
            Ok(asked) if asked.target == self.link_local && !ip.src().is_unspecified() => {
                self.asked_by = Some(ip.src());
                Inbound::Consumed
            }
            Ok(_) => Inbound::Drop(reason::IPHTTPS_DESTINATION_FOREIGN),
            Err(fault) => Inbound::Drop(fault.reason()),
        }
    }
}

/// Half of what ends first.
fn renewal(lease: &Lease) -> Duration {
    let routes = lease.routes.iter().map(|r| r.lifetime);
    let prefixes = lease.prefixes.iter().map(|p| p.preferred);
    let shortest =
        routes.chain(prefixes).chain([lease.lifetime]).filter(|s| *s > 0).min().unwrap_or(u32::MAX);
    (Duration::from_secs(u64::from(shortest)) / 2).max(LEAST_RENEWAL)
}

#[cfg(test)]
mod tests;
