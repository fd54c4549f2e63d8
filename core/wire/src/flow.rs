//! Who talks to whom: the five values that name a flow.

use core::net::Ipv6Addr;

use crate::extension::Upper;
use crate::icmpv6::{self, Icmpv6};
use crate::ipv6::Ipv6;
use crate::tcp::Tcp;
use crate::udp::Udp;
use crate::{Malformed, protocol};

/// The direction-bound name of a flow. For ICMPv6 echo both ports hold the identifier; for other protocols they are zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct FlowKey {
    /// Transport protocol.
    pub protocol: u8,
    /// Source address.
    pub src: Ipv6Addr,
    /// Destination address.
    pub dst: Ipv6Addr,
    /// Source port or echo identifier.
    pub src_port: u16,
    /// Destination port or echo identifier.
    pub dst_port: u16,
}

impl FlowKey {
    /// The key of the packet `ip` whose walk gave `upper`.
    ///
    /// # Errors
    /// [`Malformed::Transport`] when the transport header is cut short. Not to be called for a later fragment.
    pub fn of(ip: &Ipv6<'_>, upper: &Upper) -> Result<Self, Malformed> {
        let transport = &ip.bytes()[upper.offset..];
        let (src_port, dst_port) = match upper.protocol {
            protocol::TCP => {
                let tcp = Tcp::parse(transport)?;
                (tcp.src_port(), tcp.dst_port())
            }
            protocol::UDP => {
                let udp = Udp::parse(transport)?;
                (udp.src_port(), udp.dst_port())
            }
            protocol::ICMPV6 => {
                let icmp = Icmpv6::parse(transport)?;
                match icmp.kind() {
                    icmpv6::ECHO_REQUEST | icmpv6::ECHO_REPLY => (icmp.identifier(), icmp.identifier()),
                    _ => (0, 0),
                }
            }
            _ => (0, 0),
        };
        Ok(Self { protocol: upper.protocol, src: ip.src(), dst: ip.dst(), src_port, dst_port })
    }

    /// The same flow seen from the other end.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            protocol: self.protocol,
            src: self.dst,
            dst: self.src,
            src_port: self.dst_port,
            dst_port: self.src_port,
        }
    }
}
