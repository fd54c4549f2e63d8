//! What the file and the machine say together: snapshot, router configuration and leases are derived here.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_config::Gateway;
use sixgate_config::isatap::{Advertise, AllowedHost, Isatap};
use sixgate_fabric::{
    Identity, Policy, Port, Service, Snapshot, SnapshotBuilder, SnapshotFault, Zone, group,
};
use sixgate_isatap::{AllowRule, RouterConfig, RouterOptions};
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, isatap};
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};
use sixgate_wire::nd::Parameters;

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

/// A host that an allow rule names, with the addresses that its name has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllowedNow {
    pub(crate) group: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) prefix: Ipv4Prefix,
}

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
    /// Who is allowed ISATAP, names resolved.
    pub(crate) allowed: Vec<AllowedNow>,
}

impl Site {
    pub(crate) fn new(
        config: Gateway,
        isatap_address: Option<Ipv4Addr>,
        own_addresses: Vec<Ipv4Addr>,
        broadcasts: Vec<Ipv4Addr>,
    ) -> Self {
        let mentioned = config.policy.as_ref().map(Mentioned::in_policy).unwrap_or_default();
        let mut site =
            Self { config, mentioned, isatap_address, own_addresses, broadcasts, allowed: Vec::new() };
        site.allowed = site.allowed_by_address();
        site
    }

    /// The hosts that are allowed by address; those that are allowed by name come when their names are resolved.
    pub(crate) fn allowed_by_address(&self) -> Vec<AllowedNow> {
        let rules = self.config.isatap.iter().flat_map(|i| &i.allow);
        rules
            .flat_map(|rule| rule.hosts.iter().map(move |host| (rule, host)))
            .filter_map(|(rule, host)| match host {
                AllowedHost::Prefix(prefix) => {
                    Some(AllowedNow { group: rule.group.clone(), name: None, prefix: *prefix })
                }
                AllowedHost::Name(_) => None,
            })
            .collect()
    }

    /// Our address in ICMPv6 errors and router advertisements beyond the link.
    pub(crate) fn own_address(&self) -> Option<Ipv6Addr> {
        let isatap = || Some(isatap::own(self.config.isatap.as_ref()?.prefix, self.isatap_address?));
        self.config.site.as_ref().map(sixgate_config::gateway::Site::dns64_address).or_else(isatap)
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
        if let (Some(config), Some(v4)) = (&self.config.isatap, self.isatap_address) {
            builder = self.isatap_link(builder, config, v4);
        }
        builder.build().map(Some)
    }

    fn isatap_link(&self, mut builder: SnapshotBuilder, config: &Isatap, v4: Ipv4Addr) -> SnapshotBuilder {
        let own = isatap::own(config.prefix, v4);
        builder = builder
            .port(Way::Isatap.id(), Port { zone: Zone::Isatap, mtu: config.mtu, source: own })
            .route(config.prefix, Way::Isatap.id())
            .route(host(own), Way::Kernel.id())
            .service(Service::Echo(own))
            .isatap(config.prefix);
        if self.config.site.is_none() {
            // A router alone leads to the clients by the kernel's own routes.
            for route in &config.routes {
                let who = Identity { groups: group::CLIENTS, name: Identity::NAMELESS };
                builder = builder.route(route.prefix, Way::Kernel.id()).identity(route.prefix, who);
            }
        }
        let mut known: Vec<Ipv6Prefix> = Vec::new();
        for host in &self.allowed {
            let who = self.mentioned.host(host.name.as_deref(), host.group.as_deref());
            for prefix in isatap_prefixes(config.prefix, host.prefix) {
                // The first rule that names a host decides, as in the router.
                if !known.contains(&prefix) {
                    known.push(prefix);
                    builder = builder.identity(prefix, who);
                }
            }
        }
        builder
    }

    fn policy(&self) -> Policy {
        self.config.policy.as_ref().map_or_else(Policy::standard, |p| compile(p, &self.mentioned))
    }

    /// What the ISATAP router is told.
    pub(crate) fn router(&self) -> Option<RouterConfig> {
        let (config, address) = (self.config.isatap.as_ref()?, self.isatap_address?);
        let prefix = LeasedPrefix {
            prefix: config.prefix,
            preferred: config.preferred_lifetime,
            valid: config.valid_lifetime,
            on_link: false,
        };
        let lease = Lease {
            prefixes: vec![prefix],
            routes: config.routes.clone(),
            mtu: config.mtu,
            router_lifetime: config.router_lifetime,
            lifetime: config.valid_lifetime,
            name_servers: config.advertise.name_servers.clone(),
            suffixes: config.advertise.search.iter().map(|s| s.to_string()).collect(),
            prefix64: config.advertise.nat64_prefix,
            ..Lease::default()
        };
        let allow = |h: &AllowedNow| AllowRule {
            rule: h.group.clone().unwrap_or_else(|| "allowed".to_owned()),
            name: h.name.clone(),
            prefixes: vec![h.prefix],
            ..AllowRule::default()
        };
        Some(RouterConfig {
            address,
            own_addresses: self.own_addresses.clone(),
            broadcasts: self.broadcasts.clone(),
            lease,
            offers: Vec::new(),
            peers: config.peers.clone(),
            allow: self.allowed.iter().map(allow).collect(),
            deny: Vec::new(),
            most_hosts: MOST_HOSTS,
            options: options(&config.advertise),
            retire: sixgate_isatap::retire::Retire::default(),
        })
    }

    /// What every client gets beside its address.
    pub(crate) fn lease(&self) -> Option<Lease> {
        let site = self.config.site.as_ref()?;
        let route = |prefix| LeasedRoute { prefix, preference: Preference::Medium, lifetime: LEASE_LIFETIME };
        let mut routes = vec![route(host(site.dns64_address()))];
        routes.extend(self.config.nat64.iter().flat_map(|n| &n.prefixes).map(|p| route(p.prefix())));
        routes.extend(self.config.isatap.as_ref().map(|i| route(i.prefix)));
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

fn options(config: &Advertise) -> RouterOptions {
    RouterOptions {
        parameters: Parameters {
            hop_limit: config.hop_limit,
            reachable_time: config.reachable_time,
            retrans_timer: config.retrans_timer,
            preference: config.preference,
        },
        probe_hosts: config.probe_hosts,
        renew: config.renew,
    }
}

/// The prefix that is one address.
fn host(address: Ipv6Addr) -> Ipv6Prefix {
    Ipv6Prefix::containing(address, 128)
}
