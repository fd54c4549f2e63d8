//! The refusal: the ICMPv6 error that tells a sender at once what it would otherwise learn from a timeout.

use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::refusal::{self, Refusal};

use crate::fabric::Fabric;

impl Fabric {
    /// Writes the error about `packet` into `out`; it leaves by the port that `packet` came from, past [`Fabric::forward`].
    ///
    /// False, with `out` empty, when nobody is to be told: there is no `refusal`, RFC 4443 forbids an error, nobody knows
    /// the way back, or errors come too fast. The last alone is counted, see [`Fabric::errors_limited`].
    pub fn refuse(
        &mut self,
        now: Instant,
        _reason: Reason,
        refusal: Option<Refusal>,
        packet: &Packet,
        out: &mut Packet,
    ) -> bool {
        out.reset();
        let Some(refusal) = refusal else { return false };
        let Ok(ip) = Ipv6::parse_quoted(packet.bytes()) else { return false };
        // The error goes where the source is, which is the port that the packet came from: that port verified it.
        let Some(id) = self.route(ip.src()) else { return false };
        let Some(state) = self.ports.get_mut(&id) else { return false };
        if !refusal::write(refusal, packet.bytes(), state.port.source, out) {
            return false;
        }
        // RFC 4443, section 2.4 (f). The sender's tokens first, then the port's: who is noisy does not use up those of others.
        if self.errors_by_source.take(now, ip.src()) && state.errors.take(now) && self.errors.take(now) {
            return true;
        }
        self.errors_limited += 1;
        out.reset();
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::{Limits, Policy};
    use sixgate_reason as reason;
    use sixgate_wire::icmpv6::Icmpv6;
    use sixgate_wire::tcp::SYN;

    fn refuse(fabric: &mut Fabric, now: Instant, packet: &Packet, out: &mut Packet) -> bool {
        fabric.refuse(now, reason::POLICY_DENIED, Some(Refusal::Prohibited), packet, out)
    }

    #[test]
    fn the_error_comes_from_the_address_of_the_sender_s_port() {
        let (mut fabric, mut out) = (fabric(), Packet::new());
        let refused = tcp(laptop(), other(), (5000, 22), SYN);
        assert!(refuse(&mut fabric, at(1), &refused, &mut out));
        let ip = Ipv6::parse(out.bytes()).unwrap();
        assert_eq!((ip.src(), ip.dst()), (addr("fd00:1::ffff"), laptop()));
        let icmp = Icmpv6::parse(ip.payload()).unwrap();
        assert_eq!((icmp.kind(), icmp.code(), icmp.body()), (1, 1, refused.bytes()));
        assert!(icmp.checksum_ok(ip.src(), ip.dst()));
    }

    #[test]
    fn errors_are_limited_on_each_port_and_in_all() {
        let limits = Limits { flows: 8, fragments: 8, errors_per_port: 5, errors: 7, ..Limits::default() };
        let (mut fabric, mut out) = (fabric_with(Policy::standard(), limits), Packet::new());
        let mut sent = |now, src| {
            let refused = tcp(src, addr("2001:db8::1"), (5000, 22), SYN);
            (0..20).filter(|_| refuse(&mut fabric, now, &refused, &mut out)).count()
        };
        assert_eq!((sent(at(1), laptop()), sent(at(1), other())), (5, 2));
        assert_eq!(sent(at(2), helpdesk()), 5);
        assert!(out.is_empty());
        assert_eq!(fabric.errors_limited(), 15 + 18 + 15);
    }

    #[test]
    fn one_noisy_sender_leaves_the_errors_of_its_port_to_the_others() {
        let limits = Limits { flows: 8, fragments: 8, ..Limits::default() };
        let (mut fabric, mut out) = (fabric_with(Policy::standard(), limits), Packet::new());
        let mut told = |src, times: usize| {
            let refused = tcp(src, addr("2001:db8::1"), (5000, 22), SYN);
            (0..times).filter(|_| refuse(&mut fabric, at(1), &refused, &mut out)).count()
        };
        assert_eq!(told(helpdesk(), 10_000), 50);
        // Another host behind the same port.
        assert_eq!(told(addr("fd00:2::5efe:10.6.8.21"), 20), 20);
    }

    #[test]
    fn nobody_is_told_when_there_is_nothing_to_say_or_no_way_back() {
        let (mut fabric, mut out) = (fabric(), Packet::new());
        let from_nowhere = tcp(addr("2001:db8::9"), laptop(), (5000, 22), SYN);
        assert!(!refuse(&mut fabric, at(1), &from_nowhere, &mut out));
        let about = tcp(laptop(), files(), (5000, 22), SYN);
        assert!(!fabric.refuse(at(1), reason::FABRIC_SOURCE_FOREIGN, None, &about, &mut out));
        let error = icmp(laptop(), files(), 1, 0, about.bytes());
        assert!(!refuse(&mut fabric, at(1), &error, &mut out));
        assert_eq!(fabric.errors_limited(), 0);
    }
}
