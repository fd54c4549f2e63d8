//! Who has which outside ports, and what is told of it.

use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::Nat64;
use crate::bib::Binding;
use crate::pool::{PoolAlarm, PortEvent};

impl Nat64 {
    /// Ports that somebody got or gave back, in order; with [`crate::Config::log_ports`] only. A record of one port says more
    /// than one of a block around it: where no block is free, single ports are given of what others do not use.
    ///
    /// To be called until it is dry after each packet, or a few.
    pub fn poll_port_event(&mut self) -> Option<PortEvent> {
        self.pool.poll_event()
    }

    /// Port events that were lost because nobody fetched them, since the last call.
    pub const fn take_lost_port_events(&mut self) -> u64 {
        self.pool.take_lost_events()
    }

    /// A part of the pool that is nearly all taken, or no longer so; each change once.
    pub fn poll_pool_alarm(&mut self) -> Option<PoolAlarm> {
        self.pool.poll_alarm()
    }

    /// Takes the port of a binding out of the pool; false when it is not ours to give or taken already.
    pub(super) fn take_port(&mut self, binding: &Binding) -> bool {
        self.config.share.has(binding.outside.port)
            && self.pool.take(binding.proto, self.payer(binding), binding.inside, binding.outside)
    }

    /// Gives it back.
    pub(super) fn release_port(&mut self, binding: &Binding) {
        self.pool.release(binding.proto, self.payer(binding), binding.inside, binding.outside);
    }

    /// Everything that the log has as allocated and not released, in order.
    pub(super) fn port_records(&self) -> Vec<PortEvent> {
        if !self.pool.logs() {
            return Vec::new();
        }
        let mut records: Vec<PortEvent> = self.pool.owned_blocks().collect();
        for (_, binding) in self.bib.iter() {
            let in_block = self
                .payer(binding)
                .is_some_and(|client| self.pool.is_in_own_block(binding.proto, client, binding.outside));
            if !in_block && self.config.share.has(binding.outside.port) {
                records.push(PortEvent::single(binding.proto, binding.inside, binding.outside, true));
            }
        }
        records.sort_unstable();
        records
    }

    /// The client whose share a binding is in; `None` for a static one.
    fn payer(&self, binding: &Binding) -> Option<Ipv6Addr> {
        (!binding.fixed).then(|| self.config.client(binding.inside.address))
    }
}
