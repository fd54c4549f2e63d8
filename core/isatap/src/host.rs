//! The host: finds its routers, takes what they offer, sends each packet to the right one.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_time::{Duration, Instant};
use sixgate_wire::Packet;
use sixgate_wire::addr::isatap::{self, Form};

use crate::queue::{Message, Outgoing, Queue};
use crate::site::Site;

mod choice;
mod discovery;
mod event;
mod offer;
mod packets;
mod path;
mod reachability;
mod router;
mod way;

pub use event::{HostEvent, Lifetimes, RouterState, RouterView};

use choice::Chosen;
use router::Router;

/// Routers that are used at once; further ones of a list are not looked at.
pub const MOST_ROUTERS: usize = 32;
/// Messages that may wait to be taken.
const MOST_WAITING: usize = 128;
/// The smallest MTU of IPv6, and the link's where no router says otherwise (RFC 4213, section 3.2).
const LOWEST_MTU: u32 = 1280;
/// What systems use without a router's word (RFC 1700).
const USUAL_HOP_LIMIT: u8 = 64;
/// An IPv6 packet that fits the largest IPv4 packet.
const HIGHEST_MTU: u32 = 65_515;

/// What a host is told of its machine.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// The IPv4 address of the interface towards the routers: the host's identifier on the link.
    pub address: Ipv4Addr,
    /// Every IPv4 address of this machine, of any interface: nothing is ever encapsulated to one (RFC 6324).
    pub own_addresses: Vec<Ipv4Addr>,
    /// The broadcast addresses of its interfaces, for the same purpose.
    pub broadcasts: Vec<Ipv4Addr>,
    /// Largest IPv4 packet of that interface, in octets; zero when it is not known.
    pub ipv4_mtu: u32,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::UNSPECIFIED,
            own_addresses: Vec::new(),
            broadcasts: Vec::new(),
            ipv4_mtu: 0,
        }
    }
}

/// An ISATAP host (RFC 5214).
pub struct Host {
    address: Ipv4Addr,
    site: Site,
    highest_mtu: u32,
    /// What packets into the link begin with, the system's own value until a router says one.
    hop_limit: u8,
    routers: Vec<Router>,
    chosen: Chosen,
    queue: Queue,
    events: VecDeque<HostEvent>,
    /// State of the generator that spreads repeated solicitations.
    chance: u64,
}

impl Host {
    /// A host that knows no router. `seed` spreads its solicitations and should be random.
    #[must_use]
    pub fn new(config: HostConfig, seed: [u8; 32]) -> Self {
        let mut chance = [0; 8];
        chance.copy_from_slice(&seed[..8]);
        Self {
            address: config.address,
            site: Site::new(config.address, &config.own_addresses, &config.broadcasts),
            highest_mtu: highest_mtu(config.ipv4_mtu),
            hop_limit: USUAL_HOP_LIMIT,
            routers: Vec::new(),
            chosen: Chosen::new(LOWEST_MTU),
            queue: Queue::new(MOST_WAITING),
            events: VecDeque::new(),
            chance: u64::from_le_bytes(chance),
        }
    }

    /// The link-local address of this host.
    #[must_use]
    pub fn link_local(&self) -> Ipv6Addr {
        isatap::link_local(Form::of(self.address), self.address)
    }

    /// The largest packet that the link takes, as its routers say.
    #[must_use]
    pub fn mtu(&self) -> u32 {
        self.chosen.mtu
    }

    /// Replaces the list of potential routers (RFC 5214, section 8.1), the most wanted first.
    ///
    /// New ones are solicited at once; what those offered that are not listed any more is gone. Addresses that cannot be
    /// another node's are left out, and so is everything beyond [`MOST_ROUTERS`].
    pub fn set_routers(&mut self, now: Instant, routers: &[Ipv4Addr]) {
        let mut known = core::mem::take(&mut self.routers);
        for v4 in routers {
            if self.routers.len() >= MOST_ROUTERS
                || !self.site.is_other_node(*v4)
                || self.router(*v4).is_some()
            {
                continue;
            }
            let router = match known.iter().position(|r| r.v4 == *v4) {
                Some(at) => known.swap_remove(at),
                None => Router::new(*v4, now),
            };
            self.routers.push(router);
        }
        self.handle_timeout(now);
    }

    /// Takes what has changed of the machine beside the address of the host; that address makes it another host.
    ///
    /// Nothing that routers gave is lost by it: an address that some other interface gets must not cut a connection.
    pub fn set_machine(&mut self, now: Instant, config: &HostConfig) {
        self.site = Site::new(self.address, &config.own_addresses, &config.broadcasts);
        self.highest_mtu = highest_mtu(config.ipv4_mtu);
        let site = &self.site;
        self.routers.retain(|router| site.is_other_node(router.v4));
        self.handle_timeout(now);
    }

    /// The machine slept, while the clock stood still: what was offered is so much nearer its end, and whether a router
    /// is there must be asked, for the network may be another one.
    pub fn slept(&mut self, now: Instant, how_long: Duration) {
        for router in &mut self.routers {
            router.offer.age(how_long);
            router.reachability.doubt(now);
        }
        self.solicit_again(now);
    }

    /// Solicits every router afresh: after the interface came back.
    pub fn solicit_again(&mut self, now: Instant) {
        for router in &mut self.routers {
            router.discovery.restart(now);
        }
        self.handle_timeout(now);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.solicit_due(now);
        self.probe_due(now);
        self.choose(now);
    }

    /// When [`Host::handle_timeout`] is to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        self.routers.iter().map(Router::next_timeout).min().unwrap_or(Instant::NEVER)
    }

    /// Takes the next message that is to be sent: written into `out`, with its outer destination.
    pub fn poll_output(&mut self, out: &mut Packet) -> Option<Ipv4Addr> {
        while let Some(outgoing) = self.queue.pop() {
            if outgoing.write(out) {
                return Some(outgoing.to);
            }
        }
        None
    }

    /// Takes the next change that the kernel or the log must know.
    pub fn poll_event(&mut self) -> Option<HostEvent> {
        self.events.pop_front()
    }

    /// The routers, in the order of the list.
    #[must_use]
    pub fn routers(&self) -> Vec<RouterView> {
        let own = |prefix| isatap::own(prefix, self.address);
        self.routers.iter().map(|router| router.view(own)).collect()
    }

    fn router(&self, v4: Ipv4Addr) -> Option<usize> {
        self.routers.iter().position(|r| r.v4 == v4)
    }

    fn send(&mut self, to: Ipv4Addr, dst: Ipv6Addr, message: Message) -> bool {
        self.queue.push(Outgoing { to, src: self.link_local(), dst, message })
    }

    /// `around`, at random up to a tenth shorter or longer, so that hosts that lost one router do not ask in step.
    fn spread(&mut self, around: Duration) -> Duration {
        // splitmix64
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let percent = 90 + ((z ^ z >> 31) % 21) as u32;
        around * percent / 100
    }
}

/// What fits through the interface without fragments (RFC 4213, section 3.2).
fn highest_mtu(ipv4_mtu: u32) -> u32 {
    const OUTER_HEADER: u32 = 20;
    if ipv4_mtu == 0 {
        HIGHEST_MTU
    } else {
        ipv4_mtu.saturating_sub(OUTER_HEADER).clamp(LOWEST_MTU, HIGHEST_MTU)
    }
}

#[cfg(test)]
mod tests;
