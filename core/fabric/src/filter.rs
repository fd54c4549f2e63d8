//! The stateful filter: policy says who may open a flow, the table of flows knows what answers one.

use sixgate_reason as reason;
use sixgate_time::Instant;
use sixgate_wire::extension::Upper;
use sixgate_wire::flow::FlowKey;
use sixgate_wire::icmpv6::{self, Icmpv6};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::protocol;
use sixgate_wire::refusal::Refusal;
use sixgate_wire::tcp::Tcp;

use crate::bounded::{Full, Id};
use crate::fabric::Fabric;
use crate::flow::{Direction, Ends, Flow, FlowState, Signal};
use crate::forward::Refused;
use crate::fragment::Later;
use crate::port::PortId;

const DENIED: Refused = Refused::with(reason::POLICY_DENIED, Refusal::Prohibited);
/// Said at once, so that a program tries its next address.
const RETIRED: Refused = Refused::with(reason::FLOW_RETIRED, Refusal::Prohibited);

impl Fabric {
    /// Lets the packet through, or says why not.
    pub(crate) fn filter(
        &mut self,
        now: Instant,
        from: PortId,
        ip: &Ipv6<'_>,
        upper: &Upper,
    ) -> Result<(), Refused> {
        if let Some(fragment) = upper.fragment.filter(|_| upper.is_later_fragment()) {
            return match self.fragments.later(now, ip, &fragment) {
                Later::Within(ends, direction) => self
                    .known(now, &ends)?
                    .map(|id| self.pass(now, id, Signal::Datagram, direction, ip))
                    .ok_or(Refused::silently(reason::FLOW_FRAGMENT_UNKNOWN)),
                Later::Unknown => Err(Refused::silently(reason::FLOW_FRAGMENT_UNKNOWN)),
                Later::Overlaps => Err(Refused::silently(reason::FLOW_FRAGMENT_OVERLAP)),
            };
        }
        let (ends, direction) = self.first_or_whole(now, from, ip, upper)?;
        // An atomic fragment (RFC 6946) is a whole datagram; nothing follows it.
        if let Some(fragment) = upper.fragment.filter(|f| f.more)
            && !self.fragments.first(now, ip, &fragment, ends, direction)
        {
            return Err(Refused::with(reason::FLOW_FRAGMENT_TABLE_FULL, Refusal::AddressUnreachable));
        }
        Ok(())
    }

    /// Lets a packet through whose transport header is there; gives its flow.
    fn first_or_whole(
        &mut self,
        now: Instant,
        from: PortId,
        ip: &Ipv6<'_>,
        upper: &Upper,
    ) -> Result<(Ends, Direction), Refused> {
        let malformed = |e: sixgate_wire::Malformed| Refused::silently(e.reason());
        let transport = ip.bytes().get(upper.offset..).unwrap_or_default();
        let signal = match upper.protocol {
            protocol::ICMPV6 => {
                let icmp = Icmpv6::parse(transport).map_err(malformed)?;
                match (Signal::of_echo(icmp.kind()), icmp.kind()) {
                    (Some(signal), _) => signal,
                    (None, icmpv6::UNREACHABLE..=icmpv6::PARAMETER_PROBLEM) => {
                        return self.error(now, from, ip, &icmp);
                    }
                    // Neighbour discovery and multicast listeners belong to one link; the rest nobody needs across.
                    (None, _) => return Err(Refused::silently(reason::FLOW_ICMP_TYPE)),
                }
            }
            protocol::TCP => Signal::of_tcp(Tcp::parse(transport).map_err(malformed)?.flags()),
            _ => Signal::Datagram,
        };
        let key = FlowKey::of(ip, upper).map_err(malformed)?;
        let (ends, direction) = Ends::of(&key);
        let id = match self.known(now, &ends)? {
            Some(id) => {
                self.check_within(id, signal, direction, &key)?;
                id
            }
            None => self.open(now, signal, ends, direction, &key)?,
        };
        self.pass(now, id, signal, direction, ip);
        Ok((ends, direction))
    }

    /// The flow between these ends, judged by the policy of today. One that it does not allow is forgotten and refused.
    fn known(&mut self, now: Instant, ends: &Ends) -> Result<Option<Id>, Refused> {
        let Some(id) = self.flows.find(now, ends) else { return Ok(None) };
        let flow = self.flows.get(id);
        if flow.epoch == self.epoch {
            return Ok(Some(id));
        }
        let mut opened = flow.opened;
        for direction in Direction::BOTH {
            if opened.has(direction) && !self.allows(&ends.key(direction)) {
                opened.take(direction);
            }
        }
        if opened.none() {
            self.flows.remove(id);
            return Err(DENIED);
        }
        let epoch = self.epoch;
        let flow = self.flows.get_mut(id);
        (flow.opened, flow.epoch) = (opened, epoch);
        Ok(Some(id))
    }

    /// Inside a flow almost everything passes; what opens or answers needs that its direction was allowed.
    fn check_within(
        &mut self,
        id: Id,
        signal: Signal,
        direction: Direction,
        key: &FlowKey,
    ) -> Result<(), Refused> {
        let flow = self.flows.get(id);
        match signal {
            // RFC 9293, section 3.5: both may open at once; a SYN that meets a SYN is an answer.
            Signal::Syn if flow.state == FlowState::SynSent => Ok(()),
            // A new connection between the ports of one that has ended.
            Signal::Syn if flow.state == FlowState::Closing && self.snapshot.is_closed(key) => Err(RETIRED),
            Signal::Syn | Signal::Request => {
                if !flow.opened.has(direction) {
                    if self.snapshot.is_closed(key) {
                        return Err(RETIRED);
                    }
                    if !self.allows(key) {
                        return Err(DENIED);
                    }
                    self.flows.get_mut(id).opened.add(direction);
                }
                Ok(())
            }
            Signal::Reply if !flow.opened.has(direction.opposite()) => {
                Err(Refused::with(reason::FLOW_ECHO_REPLY_UNKNOWN, Refusal::Prohibited))
            }
            Signal::SynAck
            | Signal::Fin
            | Signal::Rst
            | Signal::Segment
            | Signal::Reply
            | Signal::Datagram => Ok(()),
        }
    }

    fn open(
        &mut self,
        now: Instant,
        signal: Signal,
        ends: Ends,
        direction: Direction,
        key: &FlowKey,
    ) -> Result<Id, Refused> {
        let unknown = match signal {
            Signal::Syn | Signal::Request | Signal::Datagram => None,
            Signal::SynAck => Some(reason::FLOW_TCP_SYN_ACK_UNKNOWN),
            Signal::Fin | Signal::Rst | Signal::Segment => Some(reason::FLOW_TCP_OUTSIDE),
            Signal::Reply => Some(reason::FLOW_ECHO_REPLY_UNKNOWN),
        };
        if let Some(reason) = unknown {
            return Err(Refused::with(reason, Refusal::Prohibited));
        }
        if self.snapshot.is_closed(key) {
            return Err(RETIRED);
        }
        if !self.allows(key) {
            return Err(DENIED);
        }
        let flow = Flow::new(key.protocol, direction, self.epoch);
        let id = self.flows.insert(now, flow.state.class(), key.src, ends, flow).map_err(|full| {
            let reason = match full {
                Full::Share => reason::FLOW_SOURCE_LIMIT,
                Full::Table => reason::FLOW_TABLE_FULL,
            };
            // Policy has nothing against this flow, so the sender may try again: 1/3, not 1/1.
            Refused::with(reason, Refusal::AddressUnreachable)
        })?;
        self.flows_opened += 1;
        Ok(id)
    }

    fn pass(&mut self, now: Instant, id: Id, signal: Signal, direction: Direction, ip: &Ipv6<'_>) {
        let flow = self.flows.get_mut(id);
        flow.count(direction, ip.bytes().len());
        flow.advance(signal, direction);
        let class = flow.state.class();
        self.flows.touch(now, id, class);
    }

    /// An ICMPv6 error passes when it quotes a packet of a flow, goes to who sent that packet, and comes from where that
    /// packet went. It does not prolong the flow. Gives the error's direction in the flow.
    fn error(
        &mut self,
        now: Instant,
        from: PortId,
        ip: &Ipv6<'_>,
        icmp: &Icmpv6<'_>,
    ) -> Result<(Ends, Direction), Refused> {
        let unknown = Refused::silently(reason::FLOW_ICMP_ERROR_UNKNOWN);
        let quote = Ipv6::parse_quoted(icmp.body()).map_err(|_| unknown)?;
        let upper = quote.upper().map_err(|_| unknown)?;
        if quote.src() != ip.dst() || self.route(quote.dst()) != Some(from) {
            return Err(unknown);
        }
        let (ends, sent) = self.quoted(now, &quote, &upper).ok_or(unknown)?;
        self.known(now, &ends)?.ok_or(unknown)?;
        Ok((ends, sent.opposite()))
    }
}

#[cfg(test)]
mod tests;
