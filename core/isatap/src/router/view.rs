//! What a person sees of the hosts, and what is kept of them on disk.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{ISATAP_HOST_UNREACHABLE, ISATAP_RETIRED, Reason};
use sixgate_time::Instant;
use sixgate_wire::addr::isatap::{self, Form};

use super::Router;
use super::hosts::{Host, RefusedHost};

/// A host as `isatap hosts` shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostView {
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// Its address in the first prefix that it is given; `None` for a host that is refused.
    pub address: Option<Ipv6Addr>,
    /// The name by which it was configured, where it was one host.
    pub name: Option<String>,
    /// The group of the rule that serves it.
    pub rule: Option<String>,
    /// Where that rule stands.
    pub origin: Option<String>,
    /// Its first solicitation; `None` when it only sent packets so far.
    pub first_rs: Option<Instant>,
    /// Its last solicitation.
    pub last_rs: Option<Instant>,
    /// Served or refused.
    pub state: HostState,
    /// Why it is refused, or cannot be sent to.
    pub reason: Option<Reason>,
    /// Octets of IPv6 packets from it.
    pub rx_bytes: u64,
    /// Octets of IPv6 packets to it.
    pub tx_bytes: u64,
    /// IPv6 packets from it.
    pub rx_packets: u64,
    /// IPv6 packets to it.
    pub tx_packets: u64,
    /// Flows that it opened through this router, see [`Router::flow_started`].
    pub flows_started: u64,
    /// When it last opened one.
    pub last_flow: Option<Instant>,
    /// How often it was refused since it was last served or first seen.
    pub refusals: u64,
}

/// What becomes of a host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostState {
    /// It has an address and routes from us.
    Served,
    /// It was allowed until a moment ago and is being told that it is not.
    Leaving,
    /// It asked and got nothing.
    Refused,
}

/// What is worth keeping of a host over a restart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RememberedHost {
    /// Its IPv4 address.
    pub ipv4: Ipv4Addr,
    /// The form of its identifier.
    pub form: Form,
    /// The form of ours that it knows.
    pub router_form: Form,
    /// Its first solicitation.
    pub first_rs: Option<Instant>,
    /// Its last solicitation.
    pub last_rs: Option<Instant>,
    /// Flows that it opened.
    pub flows_started: u64,
    /// When it last opened one.
    pub last_flow: Option<Instant>,
    /// Octets of IPv6 packets from it.
    pub rx_bytes: u64,
    /// Octets of IPv6 packets to it.
    pub tx_bytes: u64,
}

/// Something for the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouterEvent {
    /// A host is served that was not.
    HostServed {
        /// Its address.
        ipv4: Ipv4Addr,
    },
    /// A host was refused for the first time.
    HostRefused {
        /// Its address.
        ipv4: Ipv4Addr,
        /// Why.
        reason: Reason,
    },
    /// A host was silent for as long as its address is valid.
    HostForgotten {
        /// Its address.
        ipv4: Ipv4Addr,
    },
}

impl Router {
    /// Every host that is served or was refused, by IPv4 address.
    #[must_use]
    pub fn hosts(&self) -> Vec<HostView> {
        let served = self.hosts.served.iter().map(|(v4, host)| self.view(v4, host));
        let refused = self.hosts.refused.iter().map(|(v4, host)| view_refused(v4, host));
        let mut views: Vec<_> = served.chain(refused).collect();
        views.sort_unstable_by_key(|view| (view.ipv4, view.state != HostState::Served));
        views
    }

    /// How many hosts are served.
    #[must_use]
    pub fn served(&self) -> usize {
        self.hosts.served.len()
    }

    /// How many hosts are listed as refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.hosts.refused.len()
    }

    /// What to keep for [`Router::remember`], by IPv4 address.
    #[must_use]
    pub fn memory_of_hosts(&self) -> Vec<RememberedHost> {
        let remembered = |(ipv4, host): (Ipv4Addr, &Host)| RememberedHost {
            ipv4,
            form: host.theirs,
            router_form: host.ours,
            first_rs: host.first_rs,
            last_rs: host.last_rs,
            flows_started: host.flows_started,
            last_flow: host.last_flow,
            rx_bytes: host.rx_bytes,
            tx_bytes: host.tx_bytes,
        };
        let mut all: Vec<_> = self.hosts.served.iter().map(remembered).collect();
        all.sort_unstable_by_key(|host| host.ipv4);
        all
    }

    pub(super) fn view(&self, ipv4: Ipv4Addr, host: &Host) -> HostView {
        let rule = host.rule.and_then(|number| self.config.allow.get(number as usize));
        let prefix = host.offer.prefixes.first();
        HostView {
            ipv4,
            address: prefix
                .filter(|_| host.withdrawn.is_none())
                .map(|p| isatap::address(p.prefix.address(), host.theirs, ipv4)),
            name: rule.and_then(|r| r.name.clone()),
            rule: rule.map(|r| r.rule.clone()),
            origin: rule.map(|r| r.origin.clone()),
            first_rs: host.first_rs,
            last_rs: host.last_rs,
            state: match rule {
                None => HostState::Leaving,
                Some(_) if host.withdrawn.is_some() => HostState::Refused,
                Some(_) => HostState::Served,
            },
            reason: match rule {
                None => self.allowed.rule(ipv4).err(),
                Some(_) if host.withdrawn.is_some() => Some(ISATAP_RETIRED),
                Some(_) => host.reach.is_unreachable().then_some(ISATAP_HOST_UNREACHABLE),
            },
            rx_bytes: host.rx_bytes,
            tx_bytes: host.tx_bytes,
            rx_packets: host.rx_packets,
            tx_packets: host.tx_packets,
            flows_started: host.flows_started,
            last_flow: host.last_flow,
            refusals: 0,
        }
    }
}

pub(super) fn view_refused(ipv4: Ipv4Addr, host: &RefusedHost) -> HostView {
    HostView {
        ipv4,
        address: None,
        name: None,
        rule: None,
        origin: None,
        first_rs: host.first_rs,
        last_rs: host.last_rs,
        state: HostState::Refused,
        reason: Some(host.reason),
        rx_bytes: 0,
        tx_bytes: 0,
        rx_packets: 0,
        tx_packets: 0,
        flows_started: 0,
        last_flow: None,
        refusals: host.times,
    }
}
