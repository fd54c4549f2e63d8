//! SIGHUP: the file is read again, and what can change while running changes, all of it or nothing.

use std::path::Path;
use std::sync::Arc;

use sixgate_config::isatap::Isatap;
use sixgate_config::nat64::Nat64;
use sixgate_config::{Dns, Dns64, Gateway, Siit};

use super::port_log::PortLog;
use super::translator::Change;
use super::{Control, Site, allowed};
use crate::names::NamesConfig;
use crate::parent;
use crate::seam::ToNet;

/// Reads the file again. A file that is not valid in full changes nothing.
pub(crate) fn reload(path: &Path, control: &Control) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) => {
            tracing::warn!("reload: {}: {e}: nothing changed", path.display());
            return;
        }
    };
    match sixgate_config::gateway(path, &text) {
        Ok(checked) => apply(control, checked.value),
        Err(report) => tracing::warn!("reload: nothing changed:\n{}", report.render()),
    }
}

fn apply(control: &Control, new: Gateway) {
    let Ok(mut site) = control.site.lock() else { return };
    if !same_beside(&site.config, &new) {
        tracing::warn!(
            "reload: only [nat64] and [siit] without `device` and `workers`, and without prefixes that [native] advertises, \
             [[policy]], \
             [ldap], what [isatap] offers, and to whom, and how [dns] and [dns64] answer change while running; the rest \
             waits for a restart"
        );
    }
    if let Some(ldap) = &new.ldap
        && let Err(e) = allowed::groups::directory(ldap)
    {
        tracing::warn!("reload: [ldap] {e}: nothing changed");
        return;
    }
    let mut config = taken_over(&site.config, &new);
    if let Some(standing) = &control.translator {
        standing.fit(&mut config);
    }
    // A pool whose log cannot be written must not be used by it.
    let wanted = |config: &Gateway| config.nat64.as_ref().and_then(|nat64| nat64.port_log.clone());
    if let Some(path) = wanted(&config).filter(|path| wanted(&site.config).as_ref() != Some(path))
        && let Err(e) = PortLog::probe(&path)
    {
        tracing::warn!("reload: {e}: nothing changed");
        return;
    }
    let change = match control.translator.as_ref().map(|standing| standing.prepare(&site, &config)) {
        None => None,
        Some(Ok(change)) => change,
        Some(Err(e)) => {
            tracing::warn!("reload: {e}: nothing changed");
            return;
        }
    };
    // What is known of names and groups stays: a host that is named now as before is served now as before.
    let sources = std::mem::take(&mut site.sources);
    let mut next =
        Site::new(config, site.isatap_address, site.own_addresses.clone(), site.broadcasts.clone(), sources);
    if next.mentioned.too_many() {
        tracing::warn!("reload: [[policy]] names more than 61 groups, clients and hosts: nothing changed");
        site.sources = std::mem::take(&mut next.sources);
        change.into_iter().for_each(Change::take_back);
        return;
    }
    let before = site.config.isatap.as_ref().map(Isatap::prefixes).unwrap_or_default();
    let after = next.config.isatap.as_ref().map(Isatap::prefixes).unwrap_or_default();
    if let (Some(isatap), Some(v4)) = (&next.config.isatap, site.isatap_address)
        && let Err(e) = parent::change_prefixes(&isatap.device, v4, &before, &after)
    {
        tracing::warn!("reload: the prefixes of the ISATAP link: {e}: nothing changed");
        site.sources = std::mem::take(&mut next.sources);
        change.into_iter().for_each(Change::take_back);
        return;
    }
    next.retire.clone_from(&site.retire);
    *site = next;
    control.renew_port_log(site.config.nat64.as_ref().and_then(|nat64| nat64.port_log.as_deref()));
    // What a name is answered with leads to a translator that is there: it goes first.
    if let Some(change) = change {
        change.keep(control);
    }
    control.publish(&site);
    if let (Some(names), Some(answers)) = (&control.names, NamesConfig::of(&site.config)) {
        names.reconfigure(&answers);
    }
    control.groups_wanted.notify_one();
    control.names_wanted.notify_one();
    tracing::info!("reloaded");
}

/// The configuration that runs, with what can change while running as the new file says.
fn taken_over(old: &Gateway, new: &Gateway) -> Gateway {
    let mut taken = old.clone();
    taken.policy.clone_from(&new.policy);
    taken.ldap.clone_from(&new.ldap);
    if let (Some(mine), Some(theirs)) = (&mut taken.isatap, &new.isatap) {
        *mine = offered_by(mine, theirs);
    }
    if let (Some(mine), Some(theirs)) = (&mut taken.siit, &new.siit) {
        *mine = Siit { device: mine.device.clone(), workers: mine.workers, ..theirs.clone() };
    }
    if let (Some(mine), Some(theirs)) = (&mut taken.nat64, &new.nat64) {
        *mine = translated_by(mine, theirs, old.native.as_ref().is_some_and(|native| native.pref64));
    }
    if let Some((dns, dns64)) = answered_by(old, new, &taken) {
        (taken.dns, taken.dns64) = (Some(dns), dns64);
    }
    taken
}

/// The link as it is, with what the new file offers on it: sockets, devices and addresses stay.
fn offered_by(old: &Isatap, new: &Isatap) -> Isatap {
    let mut offered = Isatap {
        interface: old.interface.clone(),
        address: old.address,
        device: old.device.clone(),
        prefix: old.prefix,
        mtu: old.mtu,
        ..new.clone()
    };
    for offer in offered.allow.iter_mut().filter_map(|rule| rule.offer.as_mut()) {
        if offer.prefix == new.prefix {
            offer.prefix = old.prefix;
        }
    }
    offered
}

/// The translator by the new file. Its device stays, its workers, and prefixes that hosts have been told of in advertisements.
fn translated_by(old: &Nat64, new: &Nat64, advertised: bool) -> Nat64 {
    let prefixes = if advertised { old.prefixes.clone() } else { new.prefixes.clone() };
    Nat64 { device: old.device.clone(), workers: old.workers, prefixes, ..new.clone() }
}

/// How names are answered by the new file: who listens where, and who may ask, stays. `None` where that cannot change alone:
/// addresses that are made must lead to a translator that is there.
fn answered_by(old: &Gateway, new: &Gateway, taken: &Gateway) -> Option<(Dns, Option<Dns64>)> {
    let (mine, theirs) = (old.dns.as_ref()?, new.dns.as_ref()?);
    let prefixes = |of: &Gateway| {
        let stateful = of.nat64.as_ref().map(|nat64| nat64.prefixes.clone());
        stateful.or_else(|| of.siit.as_ref().map(|siit| siit.prefixes.clone()))
    };
    if prefixes(taken) != prefixes(new) || old.site != new.site {
        return None;
    }
    let dns = Dns {
        listen: mine.listen.clone(),
        allow: mine.allow.clone(),
        rate_limit: mine.rate_limit,
        ..theirs.clone()
    };
    Some((dns, new.dns64.clone()))
}

/// True when nothing differs that only a restart can change.
fn same_beside(old: &Gateway, new: &Gateway) -> bool {
    taken_over(old, new) == *new
}

impl Control {
    /// Tells the packet plane what the site is now.
    pub(crate) fn publish(&self, site: &Site) {
        match site.snapshot() {
            Ok(Some(snapshot)) => self.net.tell(ToNet::Snapshot(Arc::new(snapshot))),
            Ok(None) => {}
            Err(fault) => tracing::warn!("the new rules cannot be used: {fault}"),
        }
        if let Some(router) = site.router() {
            self.net.tell(ToNet::Isatap(Box::new(router)));
        }
        if let Some(door) = &self.door {
            door.mentioned(site.mentioned.clone());
            if let Some(lease) = site.lease() {
                door.offers(lease);
            }
        }
    }
}
