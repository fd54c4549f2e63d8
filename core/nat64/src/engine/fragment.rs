//! Parts of datagrams, in both directions.
//!
//! The first fragment, which has the ports, opens the way; those before it wait. A fragmented ICMP message waits until
//! its last fragment has come as well: the checksum of one family covers the length, which only the last one tells.

use sixgate_reason::{MALFORMED_EXTENSION, MALFORMED_TRANSPORT, NAT64_FRAGMENT_OVERLAP};
use sixgate_time::Instant;
use sixgate_wire::extension::Fragment;
use sixgate_wire::{Offload, Packet};

use super::own::{Refused4, Refused6};
use super::resolve::Target;
use super::{Nat64, Verdict};
use crate::endpoint::Proto;
use crate::fragments::{Datagram, Part};
use crate::translate::{Fragment4, Layout4, Layout6};
use crate::ways::Ways;

impl Nat64 {
    pub(super) fn fragment6(
        &mut self,
        now: Instant,
        packet: &mut Packet,
        at: &Layout6,
        proto: Proto,
        target: Target,
        ways: &impl Ways,
    ) -> Result<Verdict, Refused6> {
        let Some(part) = at.part() else { return Err(Refused6::silent(MALFORMED_EXTENSION)) };
        let datagram = datagram6(at, part);
        let octets = Part { offset: part.offset, length: at.total - at.transport, more: part.more };
        // A fragment is never a super-packet, and no device finishes its checksum.
        packet.offload = Offload::default();
        let id = self
            .fragments6
            .arrive(now, self.config.timeouts.fragment, datagram, octets)
            .map_err(Refused6::silent)?;
        if let Some(mapping) = self.fragments6.mapping(id) {
            self.fragments6.finish(id);
            self.rewrite6(packet, at, proto, &mapping, 0)?;
            return Ok(self.leave_v4(now, packet, self.is_hairpin(target), ways));
        }
        let first = part.offset == 0;
        if first && proto != Proto::Icmp {
            let mapped = self.map6(now, packet.bytes(), packet.offload, at, proto, target);
            let mapping = mapped.map_err(|why| {
                let reason = without_header(why.reason);
                self.fragments6.refuse(id, reason);
                Refused6 { reason, refusal: why.refusal }
            })?;
            self.fragments6.learn(id, mapping);
            self.rewrite6(packet, at, proto, &mapping, 0)?;
            let verdict = self.leave_v4(now, packet, self.is_hairpin(target), ways);
            self.release6(now, id, proto, target, ways);
            return Ok(verdict);
        }
        self.fragments6.hold(id, packet.bytes(), first).map_err(Refused6::silent)?;
        if self.fragments6.first_waits(id) && self.fragments6.total(id).is_some() {
            self.release6(now, id, proto, target, ways);
        }
        Ok(Verdict::Consumed)
    }

    /// Sends what waits.
    fn release6(&mut self, now: Instant, id: u32, proto: Proto, target: Target, ways: &impl Ways) {
        let message_len = self.fragments6.total(id).unwrap_or(0);
        let mut packet = self.scratch.pop().unwrap_or_default();
        while self.fragments6.release(id, &mut packet) {
            // It was read when it came.
            let Ok(at) = Layout6::of(packet.bytes()) else { continue };
            let mapping = match self.fragments6.mapping(id) {
                Some(mapping) => mapping,
                None => match self.map6(now, packet.bytes(), packet.offload, &at, proto, target) {
                    Ok(mapping) => {
                        self.fragments6.learn(id, mapping);
                        mapping
                    }
                    Err(why) => {
                        let reason = self.drop6(now, &packet, why);
                        self.fragments6.refuse(id, reason);
                        self.refused_late(reason);
                        break;
                    }
                },
            };
            let sent = self.rewrite6(&mut packet, &at, proto, &mapping, message_len).is_ok();
            if sent && self.leave_v4(now, &mut packet, self.is_hairpin(target), ways) == Verdict::Translated {
                self.emit(&packet);
            }
        }
        self.fragments6.finish(id);
        self.scratch.push(packet);
    }

    pub(super) fn fragment4(
        &mut self,
        now: Instant,
        packet: &mut Packet,
        at: &Layout4,
        proto: Proto,
        part: Fragment4,
        ways: &impl Ways,
    ) -> Result<Verdict, Refused4> {
        packet.offload = Offload::default();
        let datagram = datagram4(at);
        let octets = Part { offset: part.offset, length: at.total - at.transport, more: part.more };
        let id = self
            .fragments4
            .arrive(now, self.config.timeouts.fragment, datagram, octets)
            .map_err(Refused4::silent)?;
        if let Some(mapping) = self.fragments4.mapping(id) {
            self.fragments4.finish(id);
            let fit = self.fit6(packet, at, ways.mtu6(mapping.dst))?;
            return self.rewrite4(packet, at, proto, &mapping, fit, 0);
        }
        let first = part.offset == 0;
        if first && proto != Proto::Icmp {
            let mapped = self.map4(now, packet.bytes(), packet.offload, at, proto);
            let mapping = mapped.map_err(|why| {
                let reason = without_header(why.reason);
                self.fragments4.refuse(id, reason);
                Refused4 { reason, refusal: why.refusal }
            })?;
            self.fragments4.learn(id, mapping);
            let fit = self.fit6(packet, at, ways.mtu6(mapping.dst));
            let verdict = fit.and_then(|fit| self.rewrite4(packet, at, proto, &mapping, fit, 0));
            self.release4(now, id, proto, ways);
            return verdict;
        }
        self.fragments4.hold(id, packet.bytes(), first).map_err(Refused4::silent)?;
        if self.fragments4.first_waits(id) && self.fragments4.total(id).is_some() {
            self.release4(now, id, proto, ways);
        }
        Ok(Verdict::Consumed)
    }

    /// Sends what waits.
    fn release4(&mut self, now: Instant, id: u32, proto: Proto, ways: &impl Ways) {
        let message_len = self.fragments4.total(id).unwrap_or(0);
        let mut packet = self.scratch.pop().unwrap_or_default();
        while self.fragments4.release(id, &mut packet) {
            // It was read when it came.
            let Ok(at) = Layout4::of(packet.bytes()) else { continue };
            let mapping = match self.fragments4.mapping(id) {
                Some(mapping) => mapping,
                None => match self.map4(now, packet.bytes(), packet.offload, &at, proto) {
                    Ok(mapping) => {
                        self.fragments4.learn(id, mapping);
                        mapping
                    }
                    Err(why) => {
                        let reason = self.drop4(now, &packet, why);
                        self.fragments4.refuse(id, reason);
                        self.refused_late(reason);
                        break;
                    }
                },
            };
            let fit = self.fit6(&packet, &at, ways.mtu6(mapping.dst));
            match fit.and_then(|fit| self.rewrite4(&mut packet, &at, proto, &mapping, fit, message_len)) {
                Ok(Verdict::Translated) => self.emit(&packet),
                Ok(Verdict::Consumed | Verdict::Drop(_)) => {}
                Err(why) => {
                    let reason = self.drop4(now, &packet, why);
                    self.refused_late(reason);
                }
            }
        }
        self.fragments4.finish(id);
        self.scratch.push(packet);
    }
}

/// Which datagram a fragment is of.
pub(super) const fn datagram6(at: &Layout6, part: Fragment) -> Datagram {
    Datagram { src: at.src, dst: at.dst, identification: part.identification, protocol: at.protocol }
}

/// Which datagram a fragment is of.
pub(super) const fn datagram4(at: &Layout4) -> Datagram {
    Datagram {
        src: at.src.to_ipv6_mapped(),
        dst: at.dst.to_ipv6_mapped(),
        identification: at.identification as u32,
        protocol: at.protocol,
    }
}

/// A first fragment that is cut before the end of its transport header hides it from filters: that is no accident.
fn without_header(reason: sixgate_reason::Reason) -> sixgate_reason::Reason {
    if reason == MALFORMED_TRANSPORT { NAT64_FRAGMENT_OVERLAP } else { reason }
}
