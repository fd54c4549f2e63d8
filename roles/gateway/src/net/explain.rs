//! A packet that nobody sends: what the translator would do with it.

use std::sync::Arc;

use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;

use super::port::Way;
use super::worker::Worker;
use crate::seam::Explained;

impl Worker {
    /// Asks the translator, and the fabric about the IPv6 side of it; `None` where there is no translator, or where the
    /// packet belongs to another worker's.
    ///
    /// With `crossed` another worker has turned it back to the pool.
    pub(super) fn explain(&mut self, packet: &[u8], crossed: bool) -> Option<Explained> {
        if self.crossing.as_ref().is_some_and(|crossing| !crossing.would_take(packet)) {
            return None;
        }
        let ways = Arc::clone(&self.nat64.as_ref()?.ways);
        let engine = self.stateful()?;
        let explanation = if crossed {
            engine.explain_crossed(self.now, packet, &*ways)
        } else {
            engine.explain(self.now, packet, &*ways)
        };
        let config = engine.config();
        let mut explained = Explained {
            probe: None,
            pools: engine.pools().collect(),
            prefixes: config.prefixes.clone(),
            filtering: config.filtering,
            client_limits: (config.max_sessions_per_client, config.max_ports_per_client),
            lowest_ipv6_mtu: config.lowest_ipv6_mtu,
            explanation,
        };
        if self.has_fabric {
            let six = |bytes: &[u8]| bytes.first().is_some_and(|octet| octet >> 4 == 6);
            if six(packet) {
                let from = Ipv6::parse(packet).ok().and_then(|ip| self.fabric.route(ip.src()));
                let packet = Packet::from_slice(packet);
                explained.probe = from.and_then(|from| self.fabric.probe(self.now, from, &packet));
            } else if six(&explained.explanation.packet) {
                let packet = Packet::from_slice(&explained.explanation.packet);
                explained.probe = self.fabric.probe(self.now, Way::Nat64.id(), &packet);
            }
        }
        Some(explained)
    }
}
