//! One router of the list: what it offers, when it is asked, whether it is there.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{
    ISATAP_NO_PREFIX, ISATAP_NO_ROUTE, ISATAP_OFFER_ENDED, ISATAP_PATH_UNREACHABLE, ISATAP_ROUTER_SILENT,
    ISATAP_ROUTER_UNREACHABLE, ISATAP_ROUTER_WITHDRAWN, Reason,
};
use sixgate_time::Instant;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap::{self, Form};

use super::discovery::Discovery;
use super::event::{RouterState, RouterView};
use super::offer::Offer;
use super::reachability::{Reachability, Times};

pub(super) struct Router {
    pub(super) v4: Ipv4Addr,
    /// The form of its identifier: the likely one, then the one that it answers with.
    pub(super) form: Form,
    pub(super) discovery: Discovery,
    pub(super) reachability: Reachability,
    pub(super) times: Times,
    pub(super) offer: Offer,
    /// The IPv4 network said that it cannot be reached, and it has not answered since.
    pub(super) path_failed: bool,
    /// It offered something at some time.
    pub(super) has_offered: bool,
    /// The state that was last told, and since when it is that.
    pub(super) told: RouterState,
    pub(super) since: Instant,
}

impl Router {
    pub(super) fn new(v4: Ipv4Addr, now: Instant) -> Self {
        Self {
            v4,
            form: Form::of(v4),
            discovery: Discovery::new(now),
            reachability: Reachability::Unknown,
            times: Times::default(),
            offer: Offer::default(),
            path_failed: false,
            has_offered: false,
            told: RouterState::Soliciting,
            since: now,
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
        let probe =
            if self.offer.is_empty() { Instant::NEVER } else { self.reachability.next_timeout(self.times) };
        self.discovery.next.min(probe).min(self.offer.next_change())
    }

    /// Why there is no address or no route through it.
    fn reason(&self, state: RouterState) -> Option<Reason> {
        match state {
            RouterState::Soliciting | RouterState::Silent | RouterState::Unreachable if self.path_failed => {
                Some(ISATAP_PATH_UNREACHABLE)
            }
            RouterState::Soliciting => None,
            RouterState::Reachable if self.offer.prefixes.is_empty() => Some(ISATAP_NO_PREFIX),
            RouterState::Reachable if self.offer.routes.is_empty() => Some(ISATAP_NO_ROUTE),
            RouterState::Reachable => None,
            RouterState::Silent if self.has_offered => Some(ISATAP_OFFER_ENDED),
            RouterState::Silent => Some(ISATAP_ROUTER_SILENT),
            RouterState::Withdrawn => Some(ISATAP_ROUTER_WITHDRAWN),
            RouterState::Unreachable => Some(ISATAP_ROUTER_UNREACHABLE),
        }
    }

    pub(super) fn view(&self, own: impl Fn(Ipv6Prefix) -> Ipv6Addr) -> RouterView {
        let state = self.state();
        RouterView {
            router: self.v4,
            next_hop: self.link_local(),
            addresses: self.offer.prefixes.iter().map(|p| own(p.prefix)).collect(),
            state,
            since: self.since,
            reason: self.reason(state),
        }
    }
}
