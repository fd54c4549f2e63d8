//! The gateway: core's ISATAP router and fabric, put together as the gateway's worker does, with clients behind.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use sixgate_fabric::{Fabric, Identity, Limits, Policy, Port, PortId, SnapshotBuilder, Verdict, Zone, group};
use sixgate_isatap::retire::Retire;
use sixgate_isatap::{AllowRule, Inbound, Router, RouterConfig, RouterOptions};
use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::addr::{Ipv6Prefix, isatap};
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};

const LINK: PortId = PortId(1);
/// The first client's port.
const CLIENTS: u32 = 100;

/// Router and fabric.
pub struct Gateway {
    /// The ISATAP router.
    pub router: Router,
    /// Policy and flows.
    pub fabric: Fabric,
    config: RouterConfig,
    clients: u32,
}

/// The prefix of the link.
#[must_use]
pub fn link_prefix() -> Ipv6Prefix {
    Ipv6Prefix::containing(Ipv6Addr::new(0xfd6a, 0x7e00, 0xcafe, 2, 0, 0, 0, 0), 64)
}

/// The address of the client with this number.
#[must_use]
pub fn client(number: u32) -> Ipv6Addr {
    let [high, low] = [(number >> 16) as u16, number as u16];
    Ipv6Addr::new(0xfd6a, 0x7e00, 0xcafe, 1, 0, 0, high, low.wrapping_add(1))
}

impl Gateway {
    /// A gateway that serves every host of 10.6.0.0/16 and has so many clients.
    pub fn new(address: Ipv4Addr, clients: u32, seeds: [[u8; 32]; 2]) -> Self {
        let lease = Lease {
            prefixes: vec![LeasedPrefix {
                prefix: link_prefix(),
                preferred: 14_400,
                valid: 86_400,
                on_link: false,
            }],
            routes: vec![LeasedRoute {
                prefix: Ipv6Prefix::containing(client(0), 64),
                preference: Preference::Medium,
                lifetime: 3600,
            }],
            mtu: 1280,
            ..Lease::default()
        };
        let allow = AllowRule {
            rule: "everybody".to_owned(),
            prefixes: vec![sixgate_wire::addr::Ipv4Prefix::containing(Ipv4Addr::new(10, 6, 0, 0), 16)],
            ..AllowRule::default()
        };
        let config = RouterConfig {
            address,
            own_addresses: vec![address],
            broadcasts: Vec::new(),
            lease,
            offers: Vec::new(),
            peers: Vec::new(),
            allow: vec![allow],
            deny: Vec::new(),
            most_hosts: 1000,
            retire: Retire::default(),
            options: RouterOptions::default(),
        };
        let mut gateway = Self {
            router: Router::new(config.clone(), seeds[0]),
            fabric: Fabric::new(Limits { flows: 4096, ..Limits::default() }, seeds[1]),
            config,
            clients,
        };
        gateway.publish();
        gateway
    }

    /// Retires: nothing new is opened from then on where nothing shall be, then hosts are told.
    pub fn retire(&mut self, now: Instant, retire: Retire) {
        self.config.retire = retire;
        self.publish();
        self.router.reconfigure(now, self.config.clone());
        self.review(now);
    }

    /// Tells the router who has open flows.
    pub fn review(&mut self, now: Instant) {
        let open: Vec<(Ipv4Addr, u32)> = self.open_flows(now).into_iter().collect();
        self.router.flows_are_open(now, &open);
    }

    /// Open flows by host.
    pub fn open_flows(&self, now: Instant) -> BTreeMap<Ipv4Addr, u32> {
        let mut open = BTreeMap::new();
        for flow in self.fabric.flows().filter(|flow| flow.expires > now) {
            for end in [flow.key.src, flow.key.dst].into_iter().filter(|end| link_prefix().contains(*end)) {
                if let Some((_, v4)) = isatap::embedded(end) {
                    *open.entry(v4).or_default() += 1;
                }
            }
        }
        open
    }

    fn publish(&mut self) {
        let source = isatap::own(link_prefix(), self.config.address);
        let mut builder = SnapshotBuilder::new()
            .policy(Policy::standard())
            .port(LINK, Port { zone: Zone::Isatap, mtu: 1280, source })
            .route(link_prefix(), LINK)
            .isatap(link_prefix());
        // The standard policy lets nobody but served hosts open; here clients may as well.
        let everybody = Identity { groups: group::CLIENTS | group::SERVED, name: Identity::NAMELESS };
        for number in 0..self.clients {
            let port = Port { zone: Zone::Clients, mtu: 1400, source };
            let (address, id) = (Ipv6Prefix::containing(client(number), 128), PortId(CLIENTS + number));
            builder = builder.port(id, port).route(address, id).identity(address, everybody);
        }
        for (prefix, closed) in self.config.retire.closed(&[link_prefix()]) {
            builder = if closed { builder.close(prefix) } else { builder.keep_open(prefix) };
        }
        // Every part above is one that a builder takes.
        if let Ok(snapshot) = builder.build() {
            self.fabric.set_snapshot(Arc::new(snapshot));
        }
    }

    /// A packet out of protocol 41: to which client it goes, or why nowhere; `None` when it was for the router.
    pub(crate) fn out_of_host(
        &mut self,
        now: Instant,
        from: Ipv4Addr,
        packet: &mut Packet,
    ) -> Option<Result<u32, Reason>> {
        match self.router.decapsulate(now, from, self.config.address, packet) {
            Inbound::Consumed => None,
            Inbound::Drop(reason) => Some(Err(reason)),
            Inbound::Forward => {
                let before = self.fabric.flows_opened();
                let verdict = self.fabric.forward(now, LINK, packet);
                if self.fabric.flows_opened() > before {
                    self.router.flow_started(now, from);
                }
                Some(match verdict {
                    Verdict::Send(PortId(port)) if port >= CLIENTS => Ok(port - CLIENTS),
                    Verdict::Send(_) => Err(sixgate_reason::FABRIC_NO_ROUTE),
                    Verdict::Refuse { reason, .. } => Err(reason),
                })
            }
        }
    }

    /// A packet of a client: to which host it goes, or why nowhere.
    pub(crate) fn out_of_client(
        &mut self,
        now: Instant,
        number: u32,
        packet: &mut Packet,
    ) -> Result<Ipv4Addr, Reason> {
        match self.fabric.forward(now, PortId(CLIENTS + number), packet) {
            Verdict::Send(LINK) => self.router.encapsulate(now, packet).map_err(|refused| refused.reason),
            Verdict::Send(_) => Err(sixgate_reason::FABRIC_NO_ROUTE),
            Verdict::Refuse { reason, .. } => Err(reason),
        }
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.router.next_timeout().min(self.fabric.next_timeout())
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.router.next_timeout() <= now {
            self.router.handle_timeout(now);
        }
        if self.fabric.next_timeout() <= now {
            self.fabric.handle_timeout(now);
        }
    }
}
