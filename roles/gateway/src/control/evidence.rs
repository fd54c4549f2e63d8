//! What `doctor` asks of a gateway.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use sixgate_config::Gateway;
use sixgate_config::isatap::Isatap;
use sixgate_doctor::evidence::{
    AllowedNow, GatewayEvidence, Heard, IsatapPlan, Registration, Role, SeenHost, Setting,
};
use sixgate_io_host::{HostError, Netlink, sysctl};
use sixgate_isatap::{HostState, RouterConfig};
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::lease::Lease;

use super::Control;
use super::api::wall;
use crate::net;
use crate::seam::Question;

/// Rules that are listed: what a person can read, and what one host needs is among them or is not there.
const MOST_ALLOWED: usize = 4096;

impl Control {
    /// What this gateway is told, what it heard, and how the kernel is set.
    pub(crate) async fn evidence(&self) -> Role {
        let hosts = self.net.ask(Question::IsatapHosts).await.unwrap_or_default();
        let heard = self.net.ask(Question::IsatapHeard).await.unwrap_or_default();
        let clients = self.net.ask(Question::Clients).await.unwrap_or_default();
        let registered = self.names.as_ref().map(crate::names::Names::registered).unwrap_or_default();
        let (config, router, own) = {
            let Ok(site) = self.site.lock() else { return Role::Gateway(Box::default()) };
            (site.config.clone(), site.router(), site.own_addresses.clone())
        };
        let nat64 = self.nat64_evidence(&config).await;
        Role::Gateway(Box::new(GatewayEvidence {
            nat64,
            state: config.state.display().to_string(),
            isatap: router.map(|router| plan(&config, &router)),
            clients: config.site.as_ref().map(|s| s.clients().to_string()),
            upstream: config.dns.as_ref().map(|d| d.upstream.clone()).unwrap_or_default(),
            suffixes: config.names.iter().flat_map(|n| &n.route).map(ToString::to_string).collect(),
            own: own.into_iter().filter(|v4| !v4.is_loopback()).collect(),
            hosts: hosts
                .iter()
                .map(|h| SeenHost {
                    ipv4: h.ipv4,
                    served: h.state != HostState::Refused,
                    reason: h.reason.map(|r| r.code().to_owned()),
                    last_rs: h.last_rs.map(wall),
                })
                .collect(),
            heard: heard.iter().map(message).collect(),
            settings: settings(&config),
            registered: registered
                .into_iter()
                .map(|r| Registration { name: r.name, failure: r.failure })
                .collect(),
            connected: clients.into_iter().filter_map(|c| Some((c.name, c.address?))).collect(),
        }))
    }
}

fn plan(config: &Gateway, router: &RouterConfig) -> IsatapPlan {
    let isatap = config.isatap.as_ref();
    let rules = router.allow.iter().flat_map(|a| a.prefixes.iter().map(move |p| (a, p)));
    IsatapPlan {
        name: isatap.and_then(|i| i.name.as_ref()).map(ToString::to_string),
        device: isatap.map(|i| i.device.clone()).unwrap_or_default(),
        address: Some(router.address),
        peers: router.peers.clone(),
        prefixes: router.lease.prefixes.iter().map(|p| p.prefix.to_string()).collect(),
        routes: routes(&router.lease),
        router_lifetime: router.lease.router_lifetime,
        allow: rules
            .take(MOST_ALLOWED)
            .map(|(rule, prefix)| AllowedNow {
                prefix: prefix.to_string(),
                name: rule.name.clone(),
                rule: Some(rule.rule.clone()),
                offer: rule.offer.and_then(|n| router.offers.get(n)).map(|o| (routes(o), o.router_lifetime)),
            })
            .collect(),
        deny: router.deny.iter().map(ToString::to_string).collect(),
    }
}

fn routes(lease: &Lease) -> Vec<String> {
    lease.routes.iter().map(|r| r.prefix.to_string()).collect()
}

fn message(heard: &net::Heard) -> Heard {
    Heard {
        at: wall(heard.at),
        outer: heard.outer,
        inner: heard.inner,
        solicitation: heard.solicitation,
        dropped: heard.dropped.map(|r| r.code().to_owned()),
    }
}

/// What was set at the start and is needed for as long as the gateway runs.
fn settings(config: &Gateway) -> Vec<Setting> {
    let mut all = Vec::new();
    let mut need = |name: String, wanted: &[&str], purpose: &str| {
        let found = sysctl::get(&name).ok();
        let wanted = wanted.iter().map(|v| (*v).to_owned()).collect();
        all.push(Setting { name, wanted, found, purpose: purpose.to_owned() });
    };
    let forwarding = |version: &str, device: &str| format!("net/{version}/conf/{device}/forwarding");
    if let Some(device) = config.translator_device() {
        let answers = "answers of IPv4 servers on their way into the translator";
        match &config.site {
            Some(site) => {
                need(forwarding("ipv4", &site.inside), &["1"], answers);
                need(forwarding("ipv4", device), &["1"], "what the translator sends to IPv4 servers");
            }
            None => {
                need("net/ipv4/ip_forward".to_owned(), &["1"], "what the translator sends and gets in IPv4")
            }
        }
        // The stricter of this one and the device's own is in force.
        let loose = ["0", "2"];
        need(
            "net/ipv4/conf/all/rp_filter".to_owned(),
            &loose,
            "addresses that stand in for our own on the translator's device",
        );
        need(format!("net/ipv4/conf/{device}/rp_filter"), &loose, "the translator's device");
    }
    if config.site.is_none() && (config.translator_device().is_some() || config.isatap.is_some()) {
        need(forwarding("ipv6", "all"), &["1"], "packets between our devices and the others");
        if let Some(isatap) = &config.isatap {
            need(
                forwarding("ipv6", &isatap.device),
                &["1"],
                "packets between the ISATAP link and the clients",
            );
            for device in behind(isatap) {
                need(forwarding("ipv6", &device), &["1"], "packets between the ISATAP hosts and `routes`");
            }
        }
    }
    let devices =
        config.site.iter().map(|s| s.device.as_str()).chain(config.isatap.iter().map(|i| i.device.as_str()));
    for device in devices.chain(config.translator_device()) {
        need(format!("net/ipv6/conf/{device}/disable_ipv6"), &["0"], "IPv6 on a device of ours");
    }
    all
}

/// The links that what hosts send into `routes` leaves by. What cannot be looked up is left out.
fn behind(isatap: &Isatap) -> Vec<String> {
    links_towards(isatap).unwrap_or_else(|error| {
        tracing::debug!("the links behind the routes of [isatap]: {error}");
        Vec::new()
    })
}

fn links_towards(isatap: &Isatap) -> Result<Vec<String>, HostError> {
    let mut netlink = Netlink::new()?;
    let mut found = BTreeSet::new();
    for route in &isatap.routes {
        if let Some(path) = netlink.route_to(IpAddr::V6(somewhere_in(route.prefix)))?
            && !path.local
        {
            found.insert(path.link);
        }
    }
    let links = netlink.links()?.into_iter().filter(|link| found.contains(&link.index));
    Ok(links.map(|link| link.name).filter(|name| *name != isatap.device).collect())
}

/// An address of the prefix that is hardly ours: the first ones are, as a router's own or as its anycast address.
fn somewhere_in(prefix: Ipv6Prefix) -> Ipv6Addr {
    let host = u128::MAX.checked_shr(u32::from(prefix.length())).unwrap_or(0);
    let address = Ipv6Addr::from_bits(prefix.address().to_bits() | (host & !0xff) | (host & 0xfd));
    // The last address of a prefix of all addresses is multicast, and no way of packets.
    if address.is_multicast() { prefix.address() } else { address }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_stands_for_a_prefix_is_in_it_and_not_its_first() {
        for (prefix, expected) in [
            ("fd00:1::/64", "fd00:1::ffff:ffff:ffff:fffd"),
            ("fd00::/8", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffd"),
            ("fd00:1::7/128", "fd00:1::7"),
            ("::/0", "::"),
        ] {
            let prefix: Ipv6Prefix = prefix.parse().unwrap();
            let address = somewhere_in(prefix);
            assert_eq!(address, expected.parse::<Ipv6Addr>().unwrap(), "{prefix}");
            assert!(prefix.contains(address));
        }
    }
}
