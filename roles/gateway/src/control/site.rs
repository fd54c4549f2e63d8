//! What the file and the machine say together: snapshot, router configuration and leases are derived here.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_config::Gateway;
use sixgate_config::isatap::{Isatap, Offer};
use sixgate_fabric::{
    Identity, Policy, Port, Service, Snapshot, SnapshotBuilder, SnapshotFault, Zone, group,
};
use sixgate_isatap::retire::Retire;
use sixgate_isatap::{AllowRule, Holding, RouterConfig, RouterOptions};
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, isatap};
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};
use sixgate_wire::nd::Parameters;

use super::allowed::{self, AllowedNow, Sources};
use super::policy::{Mentioned, compile, isatap_prefixes};
use crate::net::Way;

/// Largest packet of a client's link. TCP carries any size; this is what every link behind the gateway carries as well.
pub(crate) const CLIENT_MTU: u32 = 1500;
/// Largest packet into the kernel's device.
const KERNEL_MTU: u32 = 1500;
/// ISATAP hosts that a router keeps in mind.
const MOST_HOSTS: usize = 65_536;
/// Seconds for which what a client is given is good without being renewed.
const LEASE_LIFETIME: u32 = 86_400;

/// The configuration together with what was found on the machine.
pub(crate) struct Site {
    pub(crate) config: Gateway,
    pub(crate) mentioned: Mentioned,
    /// IPv4 address of the ISATAP link.
    pub(crate) isatap_address: Option<Ipv4Addr>,
    /// All IPv4 addresses of the machine.
    pub(crate) own_addresses: Vec<Ipv4Addr>,
    /// Broadcast addresses of its interfaces.
    pub(crate) broadcasts: Vec<Ipv4Addr>,
    /// What is known beside the file of who is allowed ISATAP.
    pub(crate) sources: Sources,
    /// Who is allowed ISATAP, names resolved.
    pub(crate) allowed: Vec<AllowedNow>,
    /// Who is not, whatever the file says.
    pub(crate) denied: Vec<Ipv4Prefix>,
    /// What of ISATAP is being taken away.
    pub(crate) retire: Retire,
}

impl Site {
    pub(crate) fn new(
        config: Gateway,
        isatap_address: Option<Ipv4Addr>,
        own_addresses: Vec<Ipv4Addr>,
        broadcasts: Vec<Ipv4Addr>,
        sources: Sources,
    ) -> Self {
        let mentioned = config.policy.as_ref().map(Mentioned::in_policy).unwrap_or_default();
        let mut site = Self {
            config,
            mentioned,
            isatap_address,
            own_addresses,
            broadcasts,
            sources,
            allowed: Vec::new(),
            denied: Vec::new(),
            retire: Retire::default(),
        };
        site.reconsider();
        site
    }

    /// Derives who is allowed from what is known; false when that leaves everything as it was.
    pub(crate) fn reconsider(&mut self) -> bool {
        let isatap = self.config.isatap.as_ref();
        let allowed = isatap.map(|isatap| allowed::allowed(isatap, &self.sources)).unwrap_or_default();
        let denied = allowed::denied(&self.sources);
        let news = (&allowed, &denied) != (&self.allowed, &self.denied);
        (self.allowed, self.denied) = (allowed, denied);
        news
    }

    /// Our address in ICMPv6 errors and router advertisements beyond the link.
    pub(crate) fn own_address(&self) -> Option<Ipv6Addr> {
        let isatap = || Some(isatap::own(self.config.isatap.as_ref()?.prefix, self.isatap_address?));
        self.config.site.as_ref().map(sixgate_config::gateway::Site::dns64_address).or_else(isatap)
    }

    /// What the fabric carries; `None` where there is none, and IPv6 goes to the kernel.
    pub(crate) fn fabric_mtu(&self) -> Option<u16> {
        self.own_address().map(|_| CLIENT_MTU as u16)
    }

    /// The port that a client's session is.
    pub(crate) fn client_port(&self) -> Option<Port> {
        let source = self.config.site.as_ref()?.dns64_address();
        Some(Port { zone: Zone::Clients, mtu: CLIENT_MTU, source })
    }

    /// Routes, ports, identities and policy for the fabric; `None` where NAT64 or DNS64 works alone.
    pub(crate) fn snapshot(&self) -> Result<Option<Snapshot>, SnapshotFault> {
        let Some(source) = self.own_address() else { return Ok(None) };
        let kernel_zone = if self.config.site.is_some() { Zone::Gateway } else { Zone::Outside };
        let mut builder = SnapshotBuilder::new()
            .port(Way::Kernel.id(), Port { zone: kernel_zone, mtu: KERNEL_MTU, source })
            .policy(self.policy());
        if let Some(site) = &self.config.site {
            let dns = site.dns64_address();
            builder = builder
                .route(host(dns), Way::Kernel.id())
                .service(Service::Udp(dns, 53))
                .service(Service::Tcp(dns, 53))
                .service(Service::Echo(dns));
            if let Some(nat64) = &self.config.nat64 {
                let port = Port { zone: Zone::Intranet, mtu: CLIENT_MTU, source };
                builder = builder.port(Way::Nat64.id(), port);
                for prefix in &nat64.prefixes {
                    builder = builder.route(prefix.prefix(), Way::Nat64.id()).prefix64(*prefix);
                }
            }
        }
        for prefix in self.config.native.iter().flat_map(|n| &n.prefixes) {
            // The kernel forwards to and from these: netfilter sees that they come by the interfaces that lead to them.
            let who = Identity { groups: group::INTRANET, name: Identity::NAMELESS };
            builder = builder.route(*prefix, Way::Kernel.id()).identity(*prefix, who);
        }
        if let (Some(config), Some(v4)) = (&self.config.isatap, self.isatap_address) {
            builder = self.isatap_link(builder, config, v4);
        }
        builder.build().map(Some)
    }

    fn isatap_link(&self, mut builder: SnapshotBuilder, config: &Isatap, v4: Ipv4Addr) -> SnapshotBuilder {
        let source = isatap::own(config.prefix, v4);
        builder = builder.port(Way::Isatap.id(), Port { zone: Zone::Isatap, mtu: config.mtu, source });
        for prefix in config.prefixes() {
            let own = isatap::own(prefix, v4);
            builder = builder
                .route(prefix, Way::Isatap.id())
                .route(host(own), Way::Kernel.id())
                .service(Service::Echo(own))
                .isatap(prefix);
        }
        if self.config.site.is_none() {
            // A router alone leads to the clients by the kernel's own routes.
            for prefix in config.reached() {
                let who = Identity { groups: group::CLIENTS, name: Identity::NAMELESS };
                builder = builder.route(prefix, Way::Kernel.id()).identity(prefix, who);
            }
        }
        for (prefix, closed) in self.retire.closed(&self.link_prefixes()) {
            builder = if closed { builder.close(prefix) } else { builder.keep_open(prefix) };
        }
        let offers = allowed::offers(config);
        let mut known: HashSet<Ipv4Prefix> = HashSet::new();
        for host in &self.allowed {
            // The first rule that names a host decides, as in the router.
            if !known.insert(host.prefix) {
                continue;
            }
            let who = self.mentioned.host(host.name.as_deref(), host.group.as_deref());
            let link = host.offer.and_then(|at| offers.get(at)).map_or(config.prefix, |offer| offer.prefix);
            for prefix in isatap_prefixes(link, host.prefix) {
                builder = builder.identity(prefix, who);
            }
        }
        builder
    }

    /// The prefix that a host of the ISATAP link has its address in: that of its rule, else that of all. The longest prefix
    /// decides which rule that is, then the first, as in the router.
    pub(crate) fn link_prefix_of(&self, v4: Ipv4Addr) -> Option<Ipv6Prefix> {
        let config = self.config.isatap.as_ref()?;
        let fitting = self.allowed.iter().filter(|host| host.prefix.contains(v4));
        let offer = fitting.min_by_key(|host| Reverse(host.prefix.length())).and_then(|host| host.offer);
        let own = offer.and_then(|at| allowed::offers(config).get(at).map(|offer| offer.prefix));
        Some(own.unwrap_or(config.prefix))
    }

    /// The prefixes that hosts of the ISATAP link have addresses in.
    pub(crate) fn link_prefixes(&self) -> Vec<Ipv6Prefix> {
        let Some(router) = self.router() else { return Vec::new() };
        let leases = core::iter::once(&router.lease).chain(&router.offers);
        let mut prefixes: Vec<_> = leases.flat_map(|lease| &lease.prefixes).map(|p| p.prefix).collect();
        prefixes.sort_unstable();
        prefixes.dedup();
        prefixes
    }

    fn policy(&self) -> Policy {
        self.config.policy.as_ref().map_or_else(Policy::standard, |p| compile(p, &self.mentioned))
    }

    /// What the ISATAP router is told.
    pub(crate) fn router(&self) -> Option<RouterConfig> {
        let (config, address) = (self.config.isatap.as_ref()?, self.isatap_address?);
        let common = Offer {
            prefix: config.prefix,
            routes: config.routes.clone(),
            router_lifetime: config.router_lifetime,
            preferred_lifetime: config.preferred_lifetime,
            valid_lifetime: config.valid_lifetime,
        };
        let allow = |h: &AllowedNow| AllowRule {
            rule: h.group.clone().unwrap_or_else(|| "allowed".to_owned()),
            origin: h.origin.clone(),
            name: h.name.clone(),
            prefixes: vec![h.prefix],
            offer: h.offer,
        };
        Some(RouterConfig {
            address,
            own_addresses: self.own_addresses.clone(),
            broadcasts: self.broadcasts.clone(),
            lease: lease_of(&common, config),
            offers: allowed::offers(config).into_iter().map(|offer| lease_of(offer, config)).collect(),
            peers: config.peers.clone(),
            allow: self.allowed.iter().map(allow).collect(),
            deny: self.denied.clone(),
            most_hosts: MOST_HOSTS,
            options: options(config),
            retire: self.retire.clone(),
        })
    }

    /// What every client gets beside its address.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let site = self.config.site.as_ref()?;
        let route = |prefix| LeasedRoute { prefix, preference: Preference::Medium, lifetime: LEASE_LIFETIME };
        let mut routes = vec![route(host(site.dns64_address()))];
        routes.extend(self.config.nat64.iter().flat_map(|n| &n.prefixes).map(|p| route(p.prefix())));
        routes.extend(self.config.isatap.iter().flat_map(Isatap::prefixes).map(route));
        routes.extend(self.config.native.iter().flat_map(|n| &n.prefixes).map(|p| route(*p)));
        // Other clients: a name in the clients' zone must lead into the tunnel, whatever policy then says.
        routes.push(route(site.clients()));
        let own = LeasedPrefix {
            prefix: site.clients(),
            preferred: LEASE_LIFETIME,
            valid: LEASE_LIFETIME,
            on_link: false,
        };
        let names = self.config.names.as_ref();
        let mut suffixes: Vec<String> = names.iter().flat_map(|n| &n.route).map(|s| s.to_string()).collect();
        suffixes.extend(names.and_then(|n| n.registration.as_ref()).map(|r| r.zone.to_string()));
        suffixes.sort_unstable();
        suffixes.dedup();
        Some(Lease {
            addresses: Vec::new(),
            // For clients that form addresses by themselves; ours takes the one it is given.
            prefixes: vec![own],
            routes,
            prefix64: self.config.nat64.as_ref().and_then(|n| n.prefixes.first().copied()),
            name_servers: vec![site.dns64_address()],
            suffixes,
            mtu: CLIENT_MTU,
            router_lifetime: 0,
            lifetime: LEASE_LIFETIME,
        })
    }
}

fn options(isatap: &Isatap) -> RouterOptions {
    let config = &isatap.advertise;
    RouterOptions {
        parameters: Parameters {
            hop_limit: config.hop_limit,
            reachable_time: config.reachable_time,
            retrans_timer: config.retrans_timer,
            preference: config.preference,
        },
        probe_hosts: config.probe_hosts,
        renew: config.renew,
        redirects: isatap.redirect.iter().map(|r| Holding { prefix: r.prefix, peer: r.peer }).collect(),
    }
}

/// What hosts are given, as an advertisement says it.
fn lease_of(offer: &Offer, config: &Isatap) -> Lease {
    let prefix = LeasedPrefix {
        prefix: offer.prefix,
        preferred: offer.preferred_lifetime,
        valid: offer.valid_lifetime,
        on_link: false,
    };
    Lease {
        prefixes: vec![prefix],
        routes: offer.routes.clone(),
        mtu: config.mtu,
        router_lifetime: offer.router_lifetime,
        lifetime: offer.valid_lifetime,
        name_servers: config.advertise.name_servers.clone(),
        suffixes: config.advertise.search.iter().map(ToString::to_string).collect(),
        prefix64: config.advertise.nat64_prefix,
        ..Lease::default()
    }
}

/// The prefix that is one address.
fn host(address: Ipv6Addr) -> Ipv6Prefix {
    Ipv6Prefix::containing(address, 128)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_host_has_its_address_in_the_prefix_of_its_rule() {
        let file = r#"schema = 1
[isatap]
interface = "int0"
prefix = "fd00:2::/64"
routes = [{ prefix = "fd00:1::/64" }]
[[isatap.allow]]
hosts = ["10.6.8.0/24"]
[[isatap.allow]]
hosts = ["10.6.8.20", "10.6.9.0/24"]
prefix = "fd00:22::/64"
"#;
        let config = sixgate_config::gateway(Path::new("a.toml"), file).unwrap().value;
        let own = Ipv4Addr::new(10, 6, 0, 1);
        let site = Site::new(config, Some(own), vec![own], vec![], Sources::default());
        let of = |v4: [u8; 4]| site.link_prefix_of(v4.into()).unwrap().to_string();
        assert_eq!(of([10, 6, 8, 7]), "fd00:2::/64");
        assert_eq!(of([10, 6, 8, 20]), "fd00:22::/64");
        assert_eq!(of([10, 6, 9, 9]), "fd00:22::/64");
        assert_eq!(of([10, 7, 0, 1]), "fd00:2::/64");
    }
}
