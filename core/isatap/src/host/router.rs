//! One router of the list: what it offers, when it is asked, whether it is there.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{ISATAP_ROUTER_SILENT, ISATAP_ROUTER_UNREACHABLE, ISATAP_ROUTER_WITHDRAWN};
use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap::{self, Form};

use super::discovery::Discovery;
use super::event::{RouterState, RouterView};
use super::offer::Offer;
use super::reachability::Reachability;

pub(super) struct Router {
    pub(super) v4: Ipv4Addr,
    /// The form of its identifier: the likely one, then the one that it answers with.
    pub(super) form: Form,
    pub(super) discovery: Discovery,
    pub(super) reachability: Reachability,
    pub(super) offer: Offer,
    /// The state that was last told.
    pub(super) told: RouterState,
}

impl Router {
    pub(super) fn new(v4: Ipv4Addr, now: Instant) -> Self {
        Self {
            v4,
            form: Form::of(v4),
            discovery: Discovery::new(now),
            reachability: Reachability::Unknown,
            offer: Offer::default(),
            told: RouterState::Soliciting,
        }
    }

    pub(super) fn link_local(&self) -> Ipv6Addr {
        isatap::link_local(self.form, self.v4)
    }

    /// True when packets may be sent to it.
    pub(super) fn is_usable(&self) -> bool {
        match self.reachability {
            Reachability::Reachable { .. } | Reachability::Probing { .. } => true,
            Reachability::Unknown | Reachability::Failed => false,
        }
    }

    pub(super) fn state(&self) -> RouterState {
        match self.reachability {
            Reachability::Failed => RouterState::Unreachable,
            _ if self.offer.is_of_use() => RouterState::Reachable,
            _ if self.discovery.is_silent() => RouterState::Silent,
            Reachability::Unknown => RouterState::Soliciting,
            Reachability::Reachable { .. } | Reachability::Probing { .. } => RouterState::Withdrawn,
        }
    }

    pub(super) fn next_timeout(&self) -> Instant {
        let probe = if self.offer.is_empty() { Instant::NEVER } else { self.reachability.next_timeout() };
        self.discovery.next.min(probe).min(self.offer.next_change())
    }

    pub(super) fn view(&self, own: impl Fn(Ipv6Prefix) -> Ipv6Addr) -> RouterView {
        let state = self.state();
        RouterView {
            router: self.v4,
            next_hop: self.link_local(),
            address: self.offer.prefixes.first().map(|p| own(p.prefix)),
            state,
            reason: match state {
                RouterState::Soliciting | RouterState::Reachable => None,
                RouterState::Silent => Some(ISATAP_ROUTER_SILENT),
                RouterState::Withdrawn => Some(ISATAP_ROUTER_WITHDRAWN),
                RouterState::Unreachable => Some(ISATAP_ROUTER_UNREACHABLE),
            },
        }
    }
}
