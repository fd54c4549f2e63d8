//! What the fabric would do with a packet that opens a flow, without opening it: for people who ask why.

use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::flow::FlowKey;
use sixgate_wire::ipv6::Ipv6;

use crate::fabric::{Fabric, Grounds, Verdict};
use crate::flow::Ends;
use crate::forward::Refused;
use crate::policy::Party;
use crate::port::PortId;

/// The answer to such a question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// Who sends it.
    pub from: Party,
    /// Who it is for.
    pub to: Party,
    /// What lets the flow be opened; `None` when nothing does.
    pub grounds: Option<Grounds>,
    /// The first rule about these two that names other ports.
    pub other_ports: Option<usize>,
}

impl Fabric {
    /// What [`Fabric::forward`] would say to `packet`, which came from the port `from` and opens a flow. The packet goes the
    /// real way, and the flow that it opened is forgotten again.
    ///
    /// `None` when it opens none: it cannot be read, or a flow between its ends is open. Then other ports have to be tried.
    pub fn probe(&mut self, now: Instant, from: PortId, packet: &Packet) -> Option<Probe> {
        let ip = Ipv6::parse(packet.bytes()).ok()?;
        let key = FlowKey::of(&ip, &ip.upper().ok()?).ok()?;
        let (ends, _) = Ends::of(&key);
        if self.flows.find(now, &ends).is_some() {
            return None;
        }
        let opened = self.flows_opened;
        let verdict = match self.decide(now, from, packet) {
            Ok((port, ..)) => Verdict::Send(port),
            Err(Refused(reason, refusal)) => Verdict::Refuse { reason, refusal },
        };
        if let Some(id) = self.flows.find(now, &ends) {
            self.flows.remove(id);
        }
        self.flows_opened = opened;
        let (from, to) = (self.party(key.src), self.party(key.dst));
        let other_ports = self.snapshot.policy.about(&from, &to);
        Some(Probe { verdict, from, to, grounds: self.grounds(&key), other_ports })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use crate::{Limits, Policy, Ports, Rule, Selector, group};
    use alloc::vec;
    use sixgate_reason as reason;
    use sixgate_wire::refusal::Refusal;
    use sixgate_wire::tcp::SYN;

    fn helpdesk_may_ssh() -> Fabric {
        let rule = |ports| Rule {
            from: vec![Selector::Group(group::SERVED)],
            to: vec![Selector::Group(group::CLIENTS)],
            ports,
        };
        let policy = Policy::new(vec![rule(vec![Ports::Icmp]), rule(vec![Ports::Tcp(22, 22)])]);
        fabric_with(policy, Limits { flows: 8, fragments: 8, ..Limits::default() })
    }

    #[test]
    fn a_question_is_answered_as_the_packet_would_be_and_opens_nothing() {
        let mut fabric = helpdesk_may_ssh();
        let syn = tcp(helpdesk(), laptop(), (40_000, 22), SYN);
        let probe = fabric.probe(at(1), ISATAP, &syn).unwrap();
        assert_eq!((probe.verdict, probe.grounds), (Verdict::Send(LAPTOP), Some(Grounds::Rule(1))));
        assert_eq!((fabric.flow_count(), fabric.flows_opened()), (0, 0));
        let denied = tcp(helpdesk(), laptop(), (40_000, 3389), SYN);
        let probe = fabric.probe(at(1), ISATAP, &denied).unwrap();
        let refused = Verdict::Refuse { reason: reason::POLICY_DENIED, refusal: Some(Refusal::Prohibited) };
        assert_eq!((probe.verdict, probe.grounds, probe.other_ports), (refused, None, Some(0)));
        let stranger = tcp(files(), laptop(), (40_000, 22), SYN);
        assert_eq!(fabric.probe(at(1), NAT64, &stranger).unwrap().other_ports, None);
        let service = udp(laptop(), resolver(), (40_000, 53));
        assert_eq!(fabric.probe(at(1), LAPTOP, &service).unwrap().grounds, Some(Grounds::Service));
    }

    #[test]
    fn an_open_flow_is_left_alone() {
        let mut fabric = helpdesk_may_ssh();
        let syn = tcp(helpdesk(), laptop(), (40_000, 22), SYN);
        assert_eq!(send(&mut fabric, at(1), &syn), Ok(LAPTOP));
        let before: alloc::vec::Vec<_> = fabric.flows().collect();
        assert_eq!(fabric.probe(at(2), ISATAP, &syn), None);
        assert_eq!(fabric.flows().collect::<alloc::vec::Vec<_>>(), before);
    }
}
