//! What `doctor` asks of the translator.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sixgate_config::Gateway;
use sixgate_config::nat64::Nat64;
use sixgate_doctor::evidence::{Lead, Nat64Evidence, PoolPart};
use sixgate_io_host::{HostError, Netlink};
use sixgate_nat64::{Level, Wanted};
use sixgate_reason::NAT64_DESTINATION_DENIED;

use super::addresses;
use super::tables::level;
use crate::control::Control;
use crate::seam::Question;

/// Clients that are named.
const BUSIEST: usize = 3;
/// Of documentation (RFC 5737): an address in each prefix, which nobody has.
const SOMEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

impl Control {
    /// Absent where nothing is translated.
    pub(crate) async fn nat64_evidence(&self, config: &Gateway) -> Option<Nat64Evidence> {
        let nat64 = config.nat64.as_ref()?;
        let pools = self.net.ask(Question::Pools).await.unwrap_or_default();
        let counters = self.net.ask(Question::Counters).await.unwrap_or_default();
        let limit = nat64.limits.sessions.unwrap_or(0);
        // A walk over all sessions: only where it may say something.
        let short = limit > 0 || pools.iter().any(|p| p.level != Level::Normal);
        let inside = config.site.as_ref().map(|site| site.inside.as_str());
        let (device_up, leads) = look(nat64, inside).unwrap_or_else(|error| {
            tracing::debug!("what leads to the translator: {error}");
            (Some(true), Vec::new())
        });
        Some(Nat64Evidence {
            device: nat64.device.clone(),
            device_up,
            prefixes: nat64.prefixes.iter().map(ToString::to_string).collect(),
            synthesised: synthesised(config),
            leads,
            pools: pools
                .iter()
                .map(|p| PoolPart {
                    proto: p.protocol.name().to_owned(),
                    what: format!("{}:{}-{}", p.addresses, p.ports.start(), p.ports.end()),
                    used: p.used,
                    total: p.total,
                    level: level(p.level).to_owned(),
                })
                .collect(),
            client_limit: limit,
            busiest: if short { self.busiest().await } else { Vec::new() },
            destinations_denied: counters.of(NAT64_DESTINATION_DENIED),
            well_known_only_global: !nat64.well_known_non_global
                && nat64.prefixes.iter().any(|p| p.is_well_known()),
        })
    }

    /// The clients that have most sessions.
    async fn busiest(&self) -> Vec<(String, u64)> {
        let mut of: HashMap<Ipv6Addr, u64> = HashMap::new();
        let (wanted, mut next) = (Wanted::default(), Some(0));
        while let Some(start) = next {
            let Some(slice) = self.net.ask(|to| Question::Sessions { start, wanted, to }).await else {
                break;
            };
            next = slice.next;
            for session in slice.items {
                *of.entry(session.inside.address).or_default() += 1;
            }
        }
        let mut all: Vec<(Ipv6Addr, u64)> = of.into_iter().collect();
        all.sort_unstable_by_key(|(client, sessions)| (std::cmp::Reverse(*sessions), *client));
        all.truncate(BUSIEST);
        let names = self.client_names();
        let label = |client: Ipv6Addr| names.get(&client).cloned().unwrap_or_else(|| client.to_string());
        all.into_iter().map(|(client, sessions)| (label(client), sessions)).collect()
    }
}

/// The prefixes that DNS64 answers with.
fn synthesised(config: &Gateway) -> Vec<String> {
    let rules = config.dns64.iter().flat_map(|dns64| &dns64.rules);
    let mut prefixes: Vec<String> = rules.map(|rule| rule.prefix.to_string()).collect();
    prefixes.sort();
    prefixes.dedup();
    prefixes
}

/// Whether the device is up, and where the kernel sends what should come to it.
fn look(nat64: &Nat64, inside: Option<&str>) -> Result<(Option<bool>, Vec<Lead>), HostError> {
    let mut netlink = Netlink::new()?;
    let links = netlink.links()?;
    let own: Vec<(u32, Ipv4Addr)> = netlink
        .addresses(None)?
        .into_iter()
        .filter_map(|a| match a.address {
            IpAddr::V4(v4) => Some((a.link, v4)),
            IpAddr::V6(_) => None,
        })
        .collect();
    let inside = links.iter().find(|link| Some(link.name.as_str()) == inside).map(|link| link.index);
    let inside = own.iter().find(|(link, _)| Some(*link) == inside).map(|(_, v4)| *v4);
    let device_up = links.iter().find(|link| link.name == nat64.device).map(|link| link.up);
    let mut lead = |to: String, address: IpAddr, shared: bool| -> Result<Lead, HostError> {
        let path = netlink.route_to(address)?;
        let name = |index: u32| links.iter().find(|link| link.index == index).map(|link| link.name.clone());
        Ok(Lead {
            to,
            address: address.to_string(),
            local: path.as_ref().is_some_and(|path| path.local),
            through: path.and_then(|path| name(path.link)),
            shared,
        })
    };
    let mut leads = Vec::new();
    for prefix in &nat64.prefixes {
        leads.push(lead(prefix.to_string(), prefix.embed(SOMEWHERE).into(), false)?);
    }
    for entry in &nat64.pool {
        let Some(prefix) = addresses(entry, inside) else { continue };
        let shared = prefix.length() == 32 && entry.ports_named;
        let found = lead(prefix.to_string(), prefix.address().into(), shared)?;
        if !leads.contains(&found) {
            leads.push(found);
        }
    }
    // An own address may be any of a pool's, not just the first.
    for (_, own) in own {
        for entry in &nat64.pool {
            let Some(prefix) = addresses(entry, inside).filter(|p| p.contains(own)) else { continue };
            let shared = prefix.length() == 32 && entry.ports_named;
            let known = leads.iter().any(|l| l.address == own.to_string());
            if !shared && !known {
                leads.push(Lead {
                    to: prefix.to_string(),
                    address: own.to_string(),
                    local: true,
                    through: None,
                    shared,
                });
            }
        }
    }
    Ok((device_up, leads))
}
