//! While ISATAP is retired: the router is told who has open flows, which only the fabric knows.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use sixgate_fabric::{FlowState, FlowView};
use sixgate_time::Duration;
use sixgate_wire::addr::isatap;

use super::port::Way;
use super::worker::Worker;
use crate::seam::RetirementView;

/// Between two countings.
pub(super) const REVIEW: Duration = Duration::from_secs(30);

impl Worker {
    /// Tells the router who has open flows. What must not be opened any more is refused by the fabric already, so nothing
    /// comes between the counting and the telling.
    pub(super) fn review(&mut self) {
        // A connection that closes may have a last word to say, so its host is not taken from it either.
        let open = self.flows_of_hosts(|_| true);
        if let Some(link) = &mut self.isatap {
            link.router.flows_are_open(self.now, &open);
        }
        self.review_due = self.now + REVIEW;
    }

    /// What control wants to know of a retirement, or before one.
    pub(super) fn retirement(&self) -> RetirementView {
        let Some(link) = &self.isatap else { return RetirementView::default() };
        RetirementView {
            hosts: link.router.retirement(),
            open: self.flows_of_hosts(|flow| flow.state != FlowState::Closing),
            last_heard: link.router.last_heard(),
        }
    }

    /// Hosts with flows of this kind and how many, by address.
    fn flows_of_hosts(&self, counts: impl Fn(&FlowView) -> bool) -> Vec<(Ipv4Addr, u32)> {
        let mut open: BTreeMap<Ipv4Addr, u32> = BTreeMap::new();
        for flow in self.fabric.flows().filter(|flow| flow.expires > self.now && counts(flow)) {
            for end in [flow.key.src, flow.key.dst] {
                if let Some((_, v4)) = isatap::embedded(end)
                    && self.fabric.route(end).is_some_and(|port| Way::of(port) == Way::Isatap)
                {
                    *open.entry(v4).or_default() += 1;
                }
            }
        }
        open.into_iter().collect()
    }
}
