//! The flow that an ICMPv6 error quotes.

use sixgate_wire::flow::FlowKey;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::{extension::Upper, icmpv6, protocol};

/// The key of a quoted packet, seen from its sender; `None` when the quote is too short to name a flow.
///
/// Stricter views do not fit here: an error that began as an ICMPv4 one quotes eight octets of the transport header
/// (RFC 792), which is less than a TCP header.
pub(crate) fn key(ip: &Ipv6<'_>, upper: &Upper) -> Option<FlowKey> {
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
