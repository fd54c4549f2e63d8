//! The translator at a reload: what leads to its device, and what it is told.

use std::sync::{Arc, Mutex};

use sixgate_config::Gateway;
use sixgate_io_host::{Journal, Netlink};
use sixgate_nat64::{Config, ShardMap};

use super::nat64::settings;
use super::{Control, Site};
use crate::Failure;
use crate::crew::Deal;
use crate::net::Aliases;
use crate::parent::{self, Leads, Machine};
use crate::seam::ToNet;

/// What a worker takes over for its translator.
#[derive(Debug)]
pub(crate) struct Renewed {
    /// For all workers: each keeps its own share.
    pub(crate) config: Config,
    pub(crate) aliases: Aliases,
    /// Which worker has what, where there are several.
    pub(crate) map: Option<Arc<ShardMap>>,
}

/// What stands on the machine for the translator.
pub(crate) struct Standing {
    leads: Mutex<Leads>,
    journal: Arc<Mutex<Journal>>,
    deal: Deal,
}

/// A change that is half made: what leads to the device is there, old and new.
pub(crate) struct Change<'a> {
    standing: &'a Standing,
    netlink: Netlink,
    before: Leads,
    after: Leads,
    renewed: Renewed,
}

impl Standing {
    pub(crate) fn new(leads: Leads, journal: Arc<Mutex<Journal>>, deal: Deal) -> Self {
        Self { leads: Mutex::new(leads), journal, deal }
    }

    /// Makes what `new` wants beside what is there; `None` where nothing is to change.
    pub(crate) fn prepare(&self, site: &Site, new: &Gateway) -> Result<Option<Change<'_>>, Failure> {
        let Some(nat64) = &new.nat64 else { return Ok(None) };
        let mut netlink = Netlink::new()?;
        let machine = Machine::look(&mut netlink, new)?;
        let Ok(before) = self.leads.lock().map(|leads| leads.clone()) else { return Ok(None) };
        let after = Leads::wanted(nat64, &machine, Some(before.aliases()))?;
        if after == before && site.config.nat64 == new.nat64 {
            return Ok(None);
        }
        let (gateway4, gateway6) = parent::error_sources(&machine, &mut netlink, site.own_address())?;
        let config = settings(nat64, machine.inside, gateway4, gateway6);
        let map = self.deal.map(&config);
        let renewed = Renewed { config, aliases: after.aliases().clone(), map };
        if let Ok(mut journal) = self.journal.lock() {
            after.add(Some(&before), &mut netlink, &mut journal)?;
        }
        Ok(Some(Change { standing: self, netlink, before, after, renewed }))
    }
}

impl Change<'_> {
    /// It is in force: the packet plane is told, and what led to the old pool goes.
    pub(crate) fn keep(mut self, control: &Control) {
        control.net.tell(ToNet::Nat64(Arc::new(self.renewed)));
        if let Err(e) = self.before.remove_beside(&self.after, &mut self.netlink) {
            tracing::warn!("reload: a route that led to the translator stays until the end: {e}");
        }
        if let Ok(mut leads) = self.standing.leads.lock() {
            *leads = self.after;
        }
    }

    /// Something else failed: all is as it was.
    pub(crate) fn take_back(mut self) {
        let Ok(mut journal) = self.standing.journal.lock() else { return };
        let rules = self.before.add(Some(&self.after), &mut self.netlink, &mut journal);
        if let Err(e) = rules.and_then(|()| self.after.remove_beside(&self.before, &mut self.netlink)) {
            tracing::warn!("reload: what leads to the translator is not what it was: {e}");
        }
    }
}
