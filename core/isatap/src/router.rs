//! The router: serves the hosts that policy names, on one IPv4 address.

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{
    ISATAP_HOST_NOT_ALLOWED, ISATAP_HOST_TABLE_FULL, ISATAP_HOST_UNREACHABLE, ISATAP_IDENTIFIER_TWIN,
    ISATAP_LOOP, ISATAP_MULTICAST, ISATAP_NEIGHBOUR_UNKNOWN, ISATAP_NEXT_HOP_NONE, ISATAP_OUTER_UNUSABLE,
    ISATAP_PATH_TOO_BIG, ISATAP_PREFIX_NOT_OF_HOST, ISATAP_RETIRED, ISATAP_RS_LIMITED,
    ISATAP_SOURCE_NOT_EMBEDDED, ISATAP_SOURCE_OFF_LINK, ISATAP_TUNNEL_ADDRESS, MALFORMED_IPV6, Reason,
};
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::addr::Ipv4Prefix;
use sixgate_wire::addr::isatap::{self, Form};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::Kind;
use sixgate_wire::refusal::Refusal;

use crate::neighbour;
use crate::queue::Queue;
use crate::site::Site;
use crate::verdict::{Inbound, Refused};

mod allow;
mod announce;
mod config;
mod discovery;
mod echo;
mod greet;
mod hosts;
mod offers;
mod options;
mod path;
mod probe;
mod reach;
mod redirect;
mod refresh;
mod retire;
mod view;

pub use config::{AllowRule, RouterConfig};
pub use options::RouterOptions;
pub use redirect::Holding;
pub use retire::{RetiringHost, Standing};
pub use view::{HostState, HostView, RememberedHost, RouterEvent};

use allow::Allowed;
use announce::Announcement;
use hosts::Hosts;
use offers::Offers;
use reach::{Doubts, Event, Step};
use refresh::Refresh;

/// Messages that may wait to be taken; more than a sweep adds at once.
const MOST_WAITING: usize = 1024;

/// An ISATAP router (RFC 5214, section 8).
///
/// Time per packet and per solicitation does not depend on the number of hosts.
pub struct Router {
    config: RouterConfig,
    site: Site,
    allowed: Allowed,
    offers: Offers,
    hosts: Hosts,
    queue: Queue,
    announcement: Option<Announcement>,
    refresh: Refresh,
    doubts: Doubts,
    /// The IPv4 links of this machine.
    near: Vec<Ipv4Prefix>,
    closing: bool,
    /// While ISATAP is being retired: when hosts that keep something are told again.
    renewal: Instant,
    last_heard: Option<Instant>,
}

impl Router {
    /// A router without hosts. `seed` keys the tables and should be random.
    #[must_use]
    pub fn new(config: RouterConfig, seed: [u8; 32]) -> Self {
        Self {
            site: Site::new(config.address, &config.own_addresses, &config.broadcasts),
            allowed: Allowed::new(&config, &seed),
            offers: Offers::new(&config),
            hosts: Hosts::new(config.most_hosts, &seed),
            queue: Queue::new(MOST_WAITING),
            announcement: None,
            refresh: Refresh::NEW,
            doubts: Doubts::new(),
            near: Vec::new(),
            closing: false,
            renewal: Instant::ZERO,
            last_heard: None,
            config: config.sorted(),
        }
    }

    /// Takes another configuration. Hosts that are not allowed any more get a withdrawal, those that are offered something else now are told, those
    /// that asked before they were allowed too.
    pub fn reconfigure(&mut self, now: Instant, config: RouterConfig) {
        self.site = Site::new(config.address, &config.own_addresses, &config.broadcasts);
        self.allowed.replace(&config);
        self.offers = Offers::new(&config);
        let before = (self.config.retire.is_on(), self.config.options.clone());
        self.config = config.sorted();
        let (allowed, offers, config) = (&self.allowed, &self.offers, &self.config);
        let somebody_loses = self.hosts.reconsider(config.most_hosts, |v4| {
            let rule = allowed.rule(v4).ok()?;
            Some((rule, offers.of(config, rule)))
        });
        self.give_back();
        self.admit_refused(now);
        let retires = before.0 || self.config.retire.is_on();
        let rounds = if somebody_loses || retires { announce::REPEATED } else { 1 };
        self.announce(now, rounds, retires || before.1 != self.config.options);
    }

    /// Says what this machine's IPv4 addresses and the broadcast addresses of its networks are: RFC 6324, section 3.3, speaks of those of
    /// any interface, whenever they came. Hosts are not told, since nothing that they are offered changes.
    pub fn set_own(&mut self, own: Vec<Ipv4Addr>, broadcasts: Vec<Ipv4Addr>) {
        self.site = Site::new(self.config.address, &own, &broadcasts);
        (self.config.own_addresses, self.config.broadcasts) = (own, broadcasts);
    }

    /// Says which IPv4 addresses are on links of this machine: answering an unknown one makes the kernel look for its station, so that
    /// forged ones are answered at a lower rate.
    pub fn set_near(&mut self, near: Vec<Ipv4Prefix>) {
        self.near = near;
    }

    /// Tells whether packets come faster than they are dealt with. Then hosts that are known are served first, and newcomers as far
    /// as 2000 a second.
    pub fn set_pressed(&mut self, pressed: bool) {
        self.hosts.pressed = pressed;
    }

    /// The link-local address of this router, in the form that its IPv4 address asks for.
    #[must_use]
    pub fn link_local(&self) -> Ipv6Addr {
        isatap::link_local(Form::of(self.config.address), self.config.address)
    }

    /// The IPv4 address that hosts are told.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.config.address
    }

    /// The addresses of this router in its prefixes of 64 bits.
    pub fn addresses(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        let v4 = self.config.address;
        self.offers.prefixes().iter().filter(|p| p.length() == 64).map(move |p| isatap::own(*p, v4))
    }

    /// Judges a packet that came in protocol 41 from `outer_src` to `outer_dst`.
    pub fn decapsulate(
        &mut self,
        now: Instant,
        outer_src: Ipv4Addr,
        outer_dst: Ipv4Addr,
        packet: &Packet,
    ) -> Inbound {
        match self.judge(now, outer_src, outer_dst, packet) {
            Ok(inbound) => inbound,
            Err(reason) => Inbound::Drop(reason),
        }
    }

    fn judge(
        &mut self,
        now: Instant,
        outer_src: Ipv4Addr,
        outer_dst: Ipv4Addr,
        packet: &Packet,
    ) -> Result<Inbound, Reason> {
        if !self.site.is_other_node(outer_src) || !self.site.is_own(outer_dst) {
            return Err(ISATAP_OUTER_UNUSABLE);
        }
        let ip = neighbour::read(packet)?;
        let (src, dst) = (ip.src(), ip.dst());
        let from_peer = self.config.is_peer(outer_src);
        if !from_peer {
            self.last_heard = Some(now);
        }
        let form = self.verify_source(src, outer_src, from_peer)?;
        if let Some(kind) = Kind::of(&ip) {
            return self.discover(now, outer_src, from_peer, kind, &ip);
        }
        self.check_ends(src, dst)?;
        if !from_peer {
            self.heard(now, outer_src, form, src, packet.len())?;
            if !self.config.options.redirects.is_empty() {
                self.redirect(now, outer_src, &ip);
            }
        }
        Ok(Inbound::Forward)
    }

    /// What holds for a packet that is to be forwarded, whoever sent it.
    fn check_ends(&self, src: Ipv6Addr, dst: Ipv6Addr) -> Result<(), Reason> {
        if dst.is_multicast() {
            return Err(ISATAP_MULTICAST);
        }
        // RFC 6324, section 3.3: neither end may be a tunnel address that leads back to this machine.
        if self.leads_back(dst) || self.leads_back(src) {
            return Err(ISATAP_TUNNEL_ADDRESS);
        }
        if dst.is_unicast_link_local() && !self.is_own_target(dst) {
            return Err(ISATAP_NEXT_HOP_NONE);
        }
        Ok(())
    }

    /// RFC 5214, section 7.3: the inner source embeds the outer one and is on the link, or the outer one is a router.
    fn verify_source(
        &self,
        src: Ipv6Addr,
        outer_src: Ipv4Addr,
        from_peer: bool,
    ) -> Result<Option<Form>, Reason> {
        let embedded = isatap::embedded(src).filter(|(_, v4)| *v4 == outer_src);
        if from_peer {
            if src.is_multicast() || src.is_unspecified() || src.is_loopback() {
                return Err(ISATAP_SOURCE_NOT_EMBEDDED);
            }
            if self.is_own_target(src) {
                return Err(ISATAP_LOOP);
            }
            return Ok(embedded.map(|(form, _)| form));
        }
        let (form, _) = embedded.ok_or(ISATAP_SOURCE_NOT_EMBEDDED)?;
        if isatap::is_link_local(src) || self.is_on_link(src) {
            return Ok(Some(form));
        }
        Err(ISATAP_SOURCE_OFF_LINK)
    }

    /// Counts a packet of a host, and learns of a host that was served before this router knew it.
    ///
    /// A host whose router lost its memory does not solicit again for hours, so data is as good as a solicitation; it is as easily
    /// forged, too, and has the same limit.
    fn heard(
        &mut self,
        now: Instant,
        v4: Ipv4Addr,
        form: Option<Form>,
        src: Ipv6Addr,
        len: usize,
    ) -> Result<(), Reason> {
        if self.hosts.served_mut(v4).is_none() {
            let rule = self.admissible(v4).inspect_err(|reason| self.hosts.refuse(now, v4, *reason, None))?;
            let offer = self.offers.of(&self.config, rule);
            if !offers::has(offer, src) {
                return Err(ISATAP_PREFIX_NOT_OF_HOST);
            }
            if !self.hosts.take_newcomer(now, self.is_near(v4)) {
                return Err(ISATAP_RS_LIMITED);
            }
            let host = self.hosts.admit(now, v4, Some(rule), offer, form).ok_or(ISATAP_HOST_TABLE_FULL)?;
            host.ours = Form::of(self.config.address);
        }
        let Some(host) = self.hosts.served_mut(v4) else { return Err(ISATAP_HOST_TABLE_FULL) };
        if host.rule.is_none() {
            return Err(self.allowed.rule(v4).err().unwrap_or(ISATAP_HOST_NOT_ALLOWED));
        }
        host.received(form, src, len)?;
        host.reach.on(now, Event::Heard);
        self.hosts.heard(now, v4, false);
        Ok(())
    }

    /// The rule by which a host that is not in the table may come into it.
    fn admissible(&self, v4: Ipv4Addr) -> Result<u32, Reason> {
        let rule = self.allowed.rule(v4)?;
        // Whoever has an open flow is in the table; the others get nothing new while ISATAP is being retired.
        if self.config.retire.keeps(v4) { Ok(rule) } else { Err(ISATAP_RETIRED) }
    }

    /// True for an address on an IPv4 link of this machine.
    fn is_near(&self, v4: Ipv4Addr) -> bool {
        self.near.iter().any(|prefix| prefix.contains(v4))
    }

    /// The outer destination of a packet that leaves into the ISATAP link.
    ///
    /// # Errors
    /// Why it cannot leave, and the ICMPv6 error for its sender.
    pub fn encapsulate(&mut self, now: Instant, packet: &Packet) -> Result<Ipv4Addr, Refused> {
        let ip = Ipv6::parse(packet.bytes()).map_err(|_| Refused::silently(MALFORMED_IPV6))?;
        let dst = ip.dst();
        let unreachable = |reason| Refused::with(reason, Refusal::AddressUnreachable);
        if dst.is_multicast() {
            return Err(Refused::silently(ISATAP_MULTICAST));
        }
        // RFC 6324, section 3.3: a source that leads back here has been here; an error about it would come back too.
        if self.leads_back(ip.src()) {
            return Err(Refused::silently(ISATAP_TUNNEL_ADDRESS));
        }
        if self.site.leads_back(dst) {
            return Err(unreachable(ISATAP_TUNNEL_ADDRESS));
        }
        if !self.is_on_link(dst) && !isatap::is_link_local(dst) {
            return Err(Refused::with(ISATAP_NEXT_HOP_NONE, Refusal::NoRoute));
        }
        // A destination in the prefix that is no ISATAP address dies silently in the kernel's router; here the sender
        // is told, so that it tries the next address.
        let (form, v4) = isatap::embedded(dst).ok_or(unreachable(ISATAP_NEXT_HOP_NONE))?;
        // RFC 6324, section 3.3: whatever the form, never to ourselves.
        if self.site.is_own(v4) {
            return Err(unreachable(ISATAP_LOOP));
        }
        if !self.site.is_other_node(v4) {
            return Err(unreachable(ISATAP_NEXT_HOP_NONE));
        }
        let Some(host) = self.hosts.served_mut(v4).filter(|host| host.rule.is_some()) else {
            if self.config.is_peer(v4) {
                return Ok(v4);
            }
            return Err(unreachable(ISATAP_NEIGHBOUR_UNKNOWN));
        };
        if !host.forms.has(form) {
            return Err(unreachable(ISATAP_IDENTIFIER_TWIN));
        }
        if !host.may_have(dst) {
            return Err(unreachable(ISATAP_PREFIX_NOT_OF_HOST));
        }
        if let Some(mtu) = path::exceeded(now, &mut host.path_mtu, packet) {
            return Err(Refused::with(ISATAP_PATH_TOO_BIG, Refusal::TooBig { mtu }));
        }
        let asks = self.config.options.probe_hosts && self.doubts.has_room();
        let step = if asks { host.reach.on(now, Event::Sent) } else { Step::Nothing };
        let usable = !host.reach.is_unreachable();
        if usable {
            host.tx_packets += 1;
            host.tx_bytes += packet.len() as u64;
        }
        self.follow(v4, step);
        if usable { Ok(v4) } else { Err(unreachable(ISATAP_HOST_UNREACHABLE)) }
    }

    /// Notes that a host opened a flow: whoever forwards its packets says so, once for each flow.
    ///
    /// Says who needs ISATAP: a host that never opens one loses nothing without it.
    pub fn flow_started(&mut self, now: Instant, v4: Ipv4Addr) {
        if let Some(host) = self.hosts.served_mut(v4) {
            host.flows_started += 1;
            host.last_flow = Some(now);
        }
    }

    /// Takes the next message that is to be sent: written into `out`, with its outer destination.
    pub fn poll_output(&mut self, out: &mut Packet) -> Option<Ipv4Addr> {
        while let Some(outgoing) = self.queue.pop() {
            if outgoing.write_with(&self.config.options.parameters, out) {
                return Some(outgoing.to);
            }
        }
        None
    }

    /// Takes the next event.
    pub fn poll_event(&mut self) -> Option<RouterEvent> {
        self.hosts.poll_event()
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.hosts.expire(now, self.offers.memory());
        self.renew(now);
        self.continue_announcement(now);
        self.refresh(now);
        self.resolve_doubts(now);
    }

    /// When [`Router::handle_timeout`] is to be called next.
    #[must_use]
    pub fn next_timeout(&self) -> Instant {
        let announcement = self.announcement.as_ref().map_or(Instant::NEVER, |a| a.due);
        let hosts = self.hosts.next_expiry(self.offers.memory()).min(self.doubts.next_due());
        announcement.min(hosts).min(self.next_renewal()).min(self.next_refresh())
    }

    fn is_on_link(&self, address: Ipv6Addr) -> bool {
        self.offers.is_on_link(address)
    }

    /// True for a tunnel address of any kind that leads back to this machine and is not our own on this link.
    fn leads_back(&self, address: Ipv6Addr) -> bool {
        self.site.leads_back(address) || self.site.is_embedded_in(address) && !self.is_own_target(address)
    }

    /// True for our own addresses on the link, in either form.
    fn is_own_target(&self, address: Ipv6Addr) -> bool {
        isatap::embedded(address).is_some_and(|(_, v4)| v4 == self.config.address)
            && (isatap::is_link_local(address) || self.is_on_link(address))
    }
}

#[cfg(test)]
mod tests;
