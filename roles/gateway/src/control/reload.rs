//! SIGHUP: the file is read again, and what can change while running changes, all of it or nothing.

use std::path::Path;
use std::sync::Arc;

use sixgate_config::isatap::Isatap;
use sixgate_config::{Dns, Dns64, Gateway};

use super::{Control, Site};
use crate::names::NamesConfig;
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
            "reload: only [[policy]], what [isatap] offers, and to whom, and how [dns] and [dns64] answer change while \
             running; the rest waits for a restart"
        );
    }
    let mut config = site.config.clone();
    config.policy.clone_from(&new.policy);
    if let (Some(mine), Some(theirs)) = (&mut config.isatap, &new.isatap) {
        *mine = offered_by(mine, theirs);
    }
    if let Some((dns, dns64)) = answered_by(&site.config, &new) {
        (config.dns, config.dns64) = (Some(dns), dns64);
    }
    let next = Site::new(config, site.isatap_address, site.own_addresses.clone(), site.broadcasts.clone());
    if next.mentioned.too_many() {
        tracing::warn!("reload: [[policy]] names more than 61 groups, clients and hosts: nothing changed");
        return;
    }
    *site = next;
    control.publish(&site);
    if let (Some(names), Some(answers)) = (&control.names, NamesConfig::of(&site.config)) {
        names.reconfigure(&answers);
    }
    tracing::info!("reloaded");
}

/// The link as it is, with what the new file offers on it: sockets, devices and addresses stay.
fn offered_by(old: &Isatap, new: &Isatap) -> Isatap {
    Isatap {
        interface: old.interface.clone(),
        address: old.address,
        device: old.device.clone(),
        prefix: old.prefix,
        mtu: old.mtu,
        ..new.clone()
    }
}

/// How names are answered by the new file: who listens where, and who may ask, stays. `None` where that cannot change alone:
/// addresses that are made must lead to a translator that is there.
fn answered_by(old: &Gateway, new: &Gateway) -> Option<(Dns, Option<Dns64>)> {
    let (mine, theirs) = (old.dns.as_ref()?, new.dns.as_ref()?);
    if old.nat64 != new.nat64 || old.site != new.site {
        return None;
    }
    let dns = Dns { listen: mine.listen.clone(), allow: mine.allow.clone(), ..theirs.clone() };
    Some((dns, new.dns64.clone()))
}

/// True when nothing differs that only a restart can change.
fn same_beside(old: &Gateway, new: &Gateway) -> bool {
    let mut taken = old.clone();
    taken.policy.clone_from(&new.policy);
    if let (Some(mine), Some(theirs)) = (&mut taken.isatap, &new.isatap) {
        *mine = offered_by(mine, theirs);
    }
    if let Some((dns, dns64)) = answered_by(old, new) {
        (taken.dns, taken.dns64) = (Some(dns), dns64);
    }
    taken == *new
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
        }
    }
}
