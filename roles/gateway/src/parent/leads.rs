//! What leads to the translator's device: routes of prefixes and pool, and netfilter rules for ports of own addresses.
//!
//! Set up at the start and changed by a reload. Routes go with the device; rules are in the journal.

use std::net::Ipv4Addr;

use sixgate_config::nat64::Nat64;
use sixgate_config::{Gateway, Siit};
use sixgate_io_host::{HostError, Journal, Netlink, Route};
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix};

use super::Machine;
use super::devices::through;
use super::halves;
use super::ports::{self, Taken};
use crate::Failure;
use crate::control::nat64 as settings;
use crate::net::Aliases;

/// What leads to a translator's device, or is to lead there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Leads {
    device: String,
    /// Of the IPv6 side.
    prefixes: Vec<Ipv6Prefix>,
    /// Pool addresses that are nobody's but the pool's, or IPv4 halves of mappings.
    routed: Vec<Ipv4Prefix>,
    /// Ports of own addresses.
    taken: Vec<Taken>,
    /// The stand-ins of those addresses.
    aliases: Aliases,
}

impl Leads {
    /// What the file wants on this machine. An address that has a stand-in in `before` keeps it.
    /// `None` where the file has no translator.
    pub(crate) fn wanted(
        file: &Gateway,
        machine: &Machine,
        netlink: &mut Netlink,
        before: Option<&Aliases>,
    ) -> Result<Option<Self>, Failure> {
        match (&file.nat64, &file.siit) {
            (Some(nat64), _) => Self::stateful(nat64, machine, before).map(Some),
            (None, Some(siit)) => Self::stateless(siit, netlink).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn stateless(siit: &Siit, netlink: &mut Netlink) -> Result<Self, Failure> {
        let (halves, routed) = halves::of(siit, netlink)?;
        let prefixes = different(siit.prefixes.iter().map(|p| p.prefix()).chain(halves));
        let (device, aliases) = (siit.device.clone(), Aliases::after(None, &[]));
        Ok(Self { device, prefixes, routed, taken: Vec::new(), aliases })
    }

    fn stateful(nat64: &Nat64, machine: &Machine, before: Option<&Aliases>) -> Result<Self, Failure> {
        let (taken, routed) = split_pool(nat64, machine)?;
        let mut own: Vec<Ipv4Addr> = Vec::new();
        for address in taken.iter().map(|t| t.own) {
            if !own.contains(&address) {
                own.push(address);
            }
        }
        let prefixes = different(nat64.prefixes.iter().map(|p| p.prefix()));
        let aliases = Aliases::after(before, &own);
        Ok(Self { device: nat64.device.clone(), prefixes, routed, taken, aliases })
    }

    pub(crate) const fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    /// Makes the routes and rules that `before` has not. What was made is taken back when something fails.
    pub(crate) fn add(
        &self,
        before: Option<&Self>,
        netlink: &mut Netlink,
        journal: &mut Journal,
    ) -> Result<(), Failure> {
        let index = netlink.link(&self.device)?.index;
        let there = before.map(|b| b.routes(index)).unwrap_or_default();
        let mut made = Vec::new();
        let mut outcome = Ok(());
        for route in self.routes(index).into_iter().filter(|route| !there.contains(route)) {
            outcome = netlink.add_route(&route);
            if outcome.is_err() {
                break;
            }
            made.push(route);
        }
        let outcome = outcome.and_then(|()| self.set_rules(before, journal));
        if outcome.is_err() {
            for route in made {
                // It may be gone with what made the other fail.
                let _ = netlink.remove_route(&route);
            }
        }
        Ok(outcome?)
    }

    /// Takes away the routes that `after` has no more.
    pub(crate) fn remove_beside(&self, after: &Self, netlink: &mut Netlink) -> Result<(), Failure> {
        let index = netlink.link(&self.device)?.index;
        let kept = after.routes(index);
        let mut outcome = Ok(());
        for route in self.routes(index).into_iter().filter(|route| !kept.contains(route)) {
            // One that stays is no reason for others to stay.
            outcome = outcome.and(netlink.remove_route(&route).map(|_| ()));
        }
        Ok(outcome?)
    }

    /// Undoes [`Leads::add`]: the rules become those of `before`, whose routes are all still there. Neither waits for the other.
    pub(crate) fn give_way_to(&self, before: &Self, netlink: &mut Netlink, journal: &mut Journal) {
        let rules = before.set_rules(Some(self), journal).err().map(Failure::from);
        let routes = self.remove_beside(before, netlink).err();
        for e in rules.into_iter().chain(routes) {
            tracing::warn!("reload: what leads to the translator is not what it was: {e}");
        }
    }

    fn routes(&self, index: u32) -> Vec<Route> {
        let six = self.prefixes.iter().map(|prefix| through(*prefix, index));
        let four = self.routed.iter().map(|prefix| Route::dev(*prefix, index));
        let worn = self.aliases.iter().map(|a| Route::dev(Ipv4Prefix::containing(a.worn, 32), index));
        six.chain(four).chain(worn).collect()
    }

    /// One script, so that no packet sees half of it.
    fn set_rules(&self, before: Option<&Self>, journal: &mut Journal) -> Result<(), HostError> {
        let there = before.is_some_and(|b| !b.taken.is_empty());
        if before.is_some_and(|b| (&b.taken, &b.aliases) == (&self.taken, &self.aliases))
            || (self.taken.is_empty() && !there)
        {
            return Ok(());
        }
        let table = ports::table(&self.device);
        let mut script = String::new();
        if there {
            script = format!("table ip {table}\ndelete table ip {table}\n");
        }
        if self.taken.is_empty() {
            return journal.nft("ip", &table, &script).map(|_| ());
        }
        let rules = ports::rules(&self.device, &self.aliases, &self.taken);
        let whole = journal.nft("ip", &table, &format!("{script}{}{rules}", ports::whole(&self.device)));
        let Err(why) = whole else { return Ok(()) };
        tracing::debug!(%why, "the kernel does not put fragments together");
        journal.nft("ip", &table, &(script + &rules))?;
        tracing::info!(
            "fragmented datagrams to this machine's own address do not come in: the kernel has no nft_tproxy"
        );
        Ok(())
    }
}

/// Each of them once.
fn different(prefixes: impl Iterator<Item = Ipv6Prefix>) -> Vec<Ipv6Prefix> {
    let mut seen = Vec::new();
    for prefix in prefixes {
        if !seen.contains(&prefix) {
            seen.push(prefix);
        }
    }
    seen
}

/// The pool in two: ranges of own addresses, which netfilter hands over, and prefixes that are routed here.
fn split_pool(nat64: &Nat64, machine: &Machine) -> Result<(Vec<Taken>, Vec<Ipv4Prefix>), Failure> {
    let (mut taken, mut routed) = (Vec::new(), Vec::new());
    for entry in &nat64.pool {
        let Some(prefix) = settings::addresses(entry, machine.inside) else { continue };
        let own: Vec<Ipv4Addr> = machine.own().filter(|a| prefix.contains(*a)).collect();
        if own.is_empty() {
            if !routed.contains(&prefix) {
                routed.push(prefix);
            }
            continue;
        }
        if prefix.length() != 32 {
            return Err(Failure::new(format!(
                "nat64.pool {prefix} contains this machine's own address {}: list that one alone, with its ports",
                own[0]
            )));
        }
        if !entry.ports_named {
            return Err(Failure::new(format!(
                "nat64.pool {} is this machine's own address: say which ports, as in \"{}:10000-29999\"",
                own[0], own[0]
            )));
        }
        taken.push(Taken { own: own[0], protocol: entry.protocol, ports: entry.ports.clone() });
    }
    // A static binding needs the address in the pool, not the port.
    for binding in &nat64.statics {
        let (own, port) = (*binding.outside.ip(), binding.outside.port());
        let is_taken = |t: &Taken| {
            t.own == own && t.protocol.is_none_or(|p| p == binding.protocol) && t.ports.contains(&port)
        };
        if machine.own().any(|a| a == own) && !taken.iter().any(is_taken) {
            taken.push(Taken { own, protocol: Some(binding.protocol), ports: port..=port });
        }
    }
    Ok((taken, routed))
}
