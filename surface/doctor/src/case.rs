//! Both ends together, and the questions that rules ask of them.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use jiff::Timestamp;
use sixgate_wire::addr::{Ipv4Prefix, isatap};

use crate::evidence::{AllowedNow, Evidence, GatewayEvidence, Heard, HostEvidence, IsatapPlan, Probe, Role};

/// By how much the clocks of two machines that keep time may differ.
const SKEW: Duration = Duration::from_millis(50);

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The machine that the doctor was asked about.
    pub ours: &'a Evidence,
    /// The other end of the tunnel, where its evidence was given.
    pub other: Option<&'a Evidence>,
}

/// A machine with what its role knows.
#[derive(Debug)]
pub(crate) struct Side<'a, T> {
    pub(crate) all: &'a Evidence,
    pub(crate) role: &'a T,
}

impl<T> Clone for Side<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Side<'_, T> {}

impl<'a> Case<'a> {
    /// The machines, ours first.
    pub(crate) fn sides(&self) -> impl Iterator<Item = &'a Evidence> + use<'a> {
        [Some(self.ours), self.other].into_iter().flatten()
    }

    /// The ISATAP host, if one of the machines is one.
    pub(crate) fn host(&self) -> Option<Side<'a, HostEvidence>> {
        self.sides().find_map(|all| match all.role.as_ref()? {
            Role::Host(role) => Some(Side { all, role: &**role }),
            Role::Gateway(_) | Role::Client(_) => None,
        })
    }

    /// The gateway, if one of the machines is one.
    pub(crate) fn gateway(&self) -> Option<Side<'a, GatewayEvidence>> {
        self.sides().find_map(|all| match all.role.as_ref()? {
            Role::Gateway(role) => Some(Side { all, role: &**role }),
            Role::Host(_) | Role::Client(_) => None,
        })
    }
}

impl<'a> Side<'a, HostEvidence> {
    /// The IPv4 address that the host solicits from.
    pub(crate) fn ipv4(&self) -> Option<Ipv4Addr> {
        self.role.ipv4.or_else(|| self.all.machine.ipv4.first().copied())
    }

    /// The tries of one router.
    pub(crate) fn probe(&self, router: Ipv4Addr) -> Option<&'a Probe> {
        self.all.probes.iter().find(|p| p.router == router)
    }

    /// True when a router of the list advertised while the doctor looked.
    pub(crate) fn is_served(&self) -> bool {
        self.all.probes.iter().any(|p| p.advertised_ms.is_some())
            || self.all.probes.is_empty() && self.role.links.iter().any(|l| l.state == "up")
    }

    /// What the gateway saw of this host since the doctor began.
    pub(crate) fn is_since(&self, at: Timestamp) -> bool {
        at >= self.all.begun.checked_sub(SKEW).unwrap_or(self.all.begun)
    }
}

impl<'a> Side<'a, GatewayEvidence> {
    /// The ISATAP router's own plan.
    pub(crate) fn router(&self) -> Option<&'a IsatapPlan> {
        self.role.isatap.as_ref()
    }

    /// True for an address of this gateway or of another router of the site.
    pub(crate) fn is_router(&self, v4: Ipv4Addr) -> bool {
        let Some(plan) = self.router() else { return false };
        plan.address == Some(v4) || plan.peers.contains(&v4)
    }

    /// The rule that serves this host.
    pub(crate) fn allows(&self, v4: Ipv4Addr) -> Option<&'a AllowedNow> {
        let fits = |prefix: &String| prefix.parse::<Ipv4Prefix>().is_ok_and(|p| p.contains(v4));
        let plan = self.router()?;
        if plan.deny.iter().any(fits) {
            return None;
        }
        plan.allow.iter().find(|a| fits(&a.prefix))
    }

    /// True when this evidence was gathered after the host had solicited: else it says nothing of what arrived.
    pub(crate) fn is_later_than(&self, host: Side<'a, HostEvidence>) -> bool {
        self.all.taken >= host.all.begun
    }

    /// Solicitations of a host that arrived with its own address since then.
    pub(crate) fn heard(&self, host: Side<'a, HostEvidence>, v4: Ipv4Addr) -> Vec<&'a Heard> {
        let from = |h: &&Heard| h.solicitation && h.outer == v4 && host.is_since(h.at);
        self.role.heard.iter().filter(from).collect()
    }
}

impl Heard {
    /// The host's IPv4 address that the inner source embeds, where it is not the outer one.
    pub(crate) fn translated(&self) -> Option<Ipv4Addr> {
        if self.dropped.as_deref() != Some("isatap-source-not-embedded") {
            return None;
        }
        let (_, v4) = isatap::embedded(self.inner?)?;
        (v4 != self.outer).then_some(v4)
    }
}

/// The IPv4 addresses of an answer.
pub(crate) fn v4(addresses: &[IpAddr]) -> Vec<Ipv4Addr> {
    let one = |a: &IpAddr| match a {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(_) => None,
    };
    addresses.iter().filter_map(one).collect()
}

/// Things in one line.
pub(crate) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join(", ")
}

/// A duration as a person says it.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    match seconds {
        0..=119 => format!("{seconds} s ago"),
        120..=7199 => format!("{} min ago", seconds / 60),
        7200..=172_799 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}
