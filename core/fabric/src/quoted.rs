//! The flow that an error quotes.

use sixgate_time::Instant;
use sixgate_wire::flow::FlowKey;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::{extension::Upper, icmpv6, protocol};

use crate::fabric::Fabric;
use crate::flow::{Direction, Ends};

impl Fabric {
    /// True when `quoted`, a packet as far as an error of the network below has it, belongs to a flow that is open, whichever way it went.
    ///
    /// For errors that anybody can forge and that are no packets of the fabric, such as ICMPv4 about a tunnel.
    pub fn has_flow_of(&mut self, now: Instant, quoted: &[u8]) -> bool {
        let Ok(quote) = Ipv6::parse_quoted(quoted) else { return false };
        let Ok(upper) = quote.upper() else { return false };
        let ends = self.quoted(now, &quote, &upper);
        ends.is_some_and(|(ends, _)| self.flows.find(now, &ends).is_some())
    }

    /// The ends of a quoted packet and the way it went; whether there is a flow between them is not said.
    pub(crate) fn quoted(
        &mut self,
        now: Instant,
        quote: &Ipv6<'_>,
        upper: &Upper,
    ) -> Option<(Ends, Direction)> {
        match upper.fragment.filter(|_| upper.is_later_fragment()) {
            Some(fragment) => self.fragments.quoted(now, quote, &fragment),
            None => key(quote, upper).map(|key| Ends::of(&key)),
        }
    }
}

/// The key of a quoted packet, seen from its sender; `None` when the quote is too short to name a flow.
///
/// Stricter views do not fit here: an error that began as an ICMPv4 one quotes eight octets of the transport header
/// (RFC 792), which is less than a TCP header.
fn key(ip: &Ipv6<'_>, upper: &Upper) -> Option<FlowKey> {
    let transport = ip.bytes().get(upper.offset..)?;
    let word = |at: usize| Some(u16::from_be_bytes([*transport.get(at)?, *transport.get(at + 1)?]));
    let (src_port, dst_port) = match upper.protocol {
        protocol::TCP | protocol::UDP => (word(0)?, word(2)?),
        protocol::ICMPV6 => match transport.first()? {
            &icmpv6::ECHO_REQUEST | &icmpv6::ECHO_REPLY => (word(4)?, word(4)?),
            // RFC 4443, section 2.4 (e.1): nobody answers an error with an error.
            _ => return None,
        },
        _ => (0, 0),
    };
    Some(FlowKey { protocol: upper.protocol, src: ip.src(), dst: ip.dst(), src_port, dst_port })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use sixgate_wire::tcp::SYN;

    #[test]
    fn a_quote_is_known_by_its_flow_in_either_direction_until_the_flow_ends() {
        let mut fabric = fabric();
        let sent = tcp(laptop(), helpdesk(), (40_000, 22), SYN);
        assert!(!fabric.has_flow_of(at(1), sent.bytes()));
        assert_eq!(send(&mut fabric, at(1), &sent), Ok(ISATAP));
        // An ICMPv4 error may quote eight octets of the transport header and no more.
        assert!(fabric.has_flow_of(at(1), &sent.bytes()[..48]));
        assert!(fabric.has_flow_of(at(1), tcp(helpdesk(), laptop(), (22, 40_000), SYN).bytes()));
        for foreign in [
            tcp(laptop(), helpdesk(), (40_001, 22), SYN),
            tcp(other(), helpdesk(), (40_000, 22), SYN),
            udp(laptop(), helpdesk(), (40_000, 22)),
        ] {
            assert!(!fabric.has_flow_of(at(1), foreign.bytes()), "{foreign:?}");
        }
        for short in [0, 8, 39, 43] {
            assert!(!fabric.has_flow_of(at(1), &sent.bytes()[..short]));
        }
        assert!(!fabric.has_flow_of(at(1000), sent.bytes()));
    }

    #[test]
    fn a_quoted_later_fragment_is_known_by_its_first_one() {
        let mut fabric = fabric();
        let fragment = |offset, more, payload: &[u8]| {
            let head = [protocol::UDP, 0, (offset >> 8) as u8, offset as u8 | u8::from(more), 0, 0, 0, 7];
            packet(laptop(), helpdesk(), protocol::FRAGMENT, &[&head[..], payload].concat())
        };
        let later = fragment(8, false, &[0; 8]);
        assert!(!fabric.has_flow_of(at(1), later.bytes()));
        let first = fragment(0, true, &[0x9c, 0x40, 0, 53, 0, 16, 0, 0]);
        assert_eq!(send(&mut fabric, at(1), &first), Ok(ISATAP));
        assert!(fabric.has_flow_of(at(1), later.bytes()));
    }
}
