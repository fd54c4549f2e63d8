//! The translator at a reload: what leads to its device, and what it is told.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use sixgate_config::Gateway;
use sixgate_io_host::{Journal, Netlink};
use sixgate_nat64::{Level, PoolAlarm, PortEvent, ShardMap};

use super::port_log::PortLog;
use super::{Control, Site, nat64, siit};
use crate::Failure;
use crate::crew::Deal;
use crate::net::{Aliases, Settings};
use crate::parent::{self, Leads, Machine};
use crate::seam::ToNet;

/// What the translator of this file is told; `None` where there is none.
pub(crate) fn translation(
    file: &Gateway,
    inside: Option<Ipv4Addr>,
    gateway4: Ipv4Addr,
    gateway6: Ipv6Addr,
) -> Option<Settings> {
    let stateful = file.nat64.as_ref().map(|section| nat64::settings(section, inside, gateway4, gateway6));
    let stateless = || file.siit.as_ref().map(|section| siit::settings(section, gateway4, gateway6));
    stateful.map(Settings::Stateful).or_else(|| stateless().map(Settings::Stateless))
}

/// What a worker takes over for its translator.
#[derive(Debug)]
pub(crate) struct Renewed {
    /// For all workers: each keeps its own share.
    pub(crate) settings: Settings,
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

    /// Leaves of `new` what running workers can take over, and says what waits.
    pub(crate) fn fit(&self, new: &mut Gateway) {
        for waits in new.nat64.as_mut().map(|file| self.deal.fit(file)).unwrap_or_default() {
            tracing::warn!("reload: {waits}");
        }
    }

    /// Makes what `new` wants beside what is there; `None` where nothing is to change.
    pub(crate) fn prepare(&self, site: &Site, new: &Gateway) -> Result<Option<Change<'_>>, Failure> {
        let mut netlink = Netlink::new()?;
        let machine = Machine::look(&mut netlink, new)?;
        let Ok(before) = self.leads.lock().map(|leads| leads.clone()) else { return Ok(None) };
        let Some(after) = Leads::wanted(new, &machine, &mut netlink, Some(before.aliases()))? else {
            return Ok(None);
        };
        let same = (&site.config.nat64, &site.config.siit) == (&new.nat64, &new.siit);
        if after == before && same {
            return Ok(None);
        }
        let (gateway4, gateway6) = parent::error_sources(&machine, &mut netlink, site.own_address())?;
        let Some(settings) = translation(new, machine.inside, gateway4, gateway6) else { return Ok(None) };
        if let Some(config) = settings.stateful()
            && let Some(said) = self.deal.check(config)?
        {
            tracing::warn!("reload: {said}");
        }
        let map = settings.stateful().and_then(|config| self.deal.map(config));
        let renewed = Renewed { settings, aliases: after.aliases().clone(), map };
        if let Ok(mut journal) = self.journal.lock() {
            after.add(Some(&before), &mut netlink, &mut journal)?;
        }
        Ok(Some(Change { standing: self, netlink, before, after, renewed }))
    }
}

impl Change<'_> {
    /// It is in force: the packet plane is told, and what led to the old pool goes.
    pub(crate) fn keep(mut self, control: &Control) {
        if control.pool_alarms.lock().is_ok_and(|mut alarms| alarms.forget()) {
            tracing::info!("nat64: what was said of the pool is over; what still holds is said again");
        }
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
        self.after.give_way_to(&self.before, &mut self.netlink, &mut journal);
    }
}

impl Control {
    /// Writes down who has which ports.
    pub(super) fn log_ports(&self, at: Timestamp, events: Vec<PortEvent>, lost: u64) {
        let Ok(mut log) = self.port_log.lock() else { return };
        // The file may have been given up meanwhile.
        let Some(log) = &mut *log else { return };
        log.write(at, events);
        if lost > 0 {
            tracing::warn!(
                "nat64.port-log: {lost} records came faster than they could be taken and are lost"
            );
        }
    }

    /// Says how full the pool is where that is news.
    pub(super) fn note_alarm(&self, share: u16, alarm: &PoolAlarm) {
        let said = self.pool_alarms.lock().ok().and_then(|mut alarms| alarms.note(share, alarm));
        match said {
            Some((Level::Normal, line)) => tracing::info!("{line}"),
            Some((Level::High | Level::Full, line)) => tracing::warn!("{line}"),
            None => {}
        }
    }

    /// The port log as the file wants it from now on: the file that was moved away is not written any more.
    pub(super) fn renew_port_log(&self, wanted: Option<&Path>) {
        let Ok(mut log) = self.port_log.lock() else { return };
        match (&*log, wanted) {
            (Some(log), Some(path)) => log.reopen(path),
            (Some(_), None) => *log = None,
            (None, Some(path)) => match PortLog::start(path, Arc::clone(&self.store)) {
                Ok(started) => *log = Some(started),
                Err(e) => tracing::warn!("reload: {e}: who has which ports is not logged"),
            },
            (None, None) => {}
        }
    }

    /// Everything is released.
    pub(super) fn end_port_log(&self) {
        self.renew_port_log(None);
    }
}
