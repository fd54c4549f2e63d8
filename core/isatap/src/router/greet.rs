//! Hosts that were refused and are allowed now: a host that nobody answers asks less and less often, so it is told.

use sixgate_time::Instant;

use super::Router;

impl Router {
    /// Takes every refused host that asked and has a rule now among those that are served. The announcement that follows
    /// tells them.
    pub(super) fn admit_refused(&mut self, now: Instant) {
        if self.closing {
            return;
        }
        for position in 0..self.hosts.refused.positions() {
            let Some((v4, host)) = self.hosts.refused.at(position) else { continue };
            let (Some((theirs, ours)), Ok(rule)) = (host.asked, self.allowed.rule(v4)) else { continue };
            if !self.config.retire.keeps(v4) {
                continue;
            }
            let (first_rs, last_rs) = (host.first_rs, host.last_rs);
            let offer = self.offers.of(&self.config, rule);
            if let Some(host) = self.hosts.admit(now, v4, Some(rule), offer, Some(theirs)) {
                (host.ours, host.first_rs, host.last_rs) = (ours, first_rs, last_rs);
                host.untold = true;
            }
        }
    }
}
