//! From the IPv4 side to the IPv6 side (RFC 7915, section 4).

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{
    BUFFER_FULL, NAT64_DESTINATION_DENIED, NAT64_HOP_LIMIT, NAT64_PROTOCOL, NAT64_SOURCE_MARTIAN,
    NAT64_TOO_BIG, NAT64_UDP_ZERO_CHECKSUM, SIIT_DESTINATION_UNMAPPED, SIIT_ICMP_FRAGMENT,
    SIIT_SOURCE_UNMAPPED,
};
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::{Offload, Packet};

use super::transport::Behind;
use super::{Hairpinning, Siit};
use crate::config::ZeroChecksum;
use crate::endpoint::Proto;
use crate::engine::Verdict;
use crate::engine::own::{Refusal4, Refused4};
use crate::fit::{Fit, give_checksum};
use crate::scope;
use crate::translate::{Carried, Layout4, Mapping6, V6Options, v4_to_v6};
use crate::ways::Ways;

/// ICMPv4 types of errors, whether or not they have a counterpart.
const ERRORS: [u8; 5] = [3, 4, 5, 11, 12];

impl Siit {
    /// The packet is unchanged where this refuses it. With `turned` it was an IPv6 packet a moment ago.
    pub(super) fn take_v4(
        &mut self,
        packet: &mut Packet,
        ways: &impl Ways,
        turned: bool,
    ) -> Result<Verdict, Refused4> {
        let ip = Ipv4::parse(packet.bytes()).map_err(|fault| Refused4::silent(fault.reason()))?;
        let (src, dst, total) = (ip.src(), ip.dst(), ip.bytes().len());
        // What lies behind the packet is not to be quoted either.
        packet.truncate(total);
        if scope::unusable_v4(src) {
            return Err(Refused4::silent(NAT64_SOURCE_MARTIAN));
        }
        let to = self.destination6(dst)?;
        let at = Layout4::of(packet.bytes()).map_err(Refused4::fault)?;
        if at.ttl <= 1 {
            return Err(Refused4::with(NAT64_HOP_LIMIT, Refusal4::TimeExceeded));
        }
        let carried = Carried::from_v4(at.protocol)
            .ok_or(Refused4::with(NAT64_PROTOCOL, Refusal4::ProtocolUnreachable))?;
        let icmp = carried == Carried::Known(Proto::Icmp);
        // RFC 7915, section 1.2. The checksum would cover a length that only the last fragment tells.
        if icmp && at.fragment.is_some() {
            return Err(Refused4::silent(SIIT_ICMP_FRAGMENT));
        }
        if icmp && packet.bytes().get(at.transport).is_some_and(|kind| ERRORS.contains(kind)) {
            return self.error4(packet, &at, to, ways, turned);
        }
        let from = self
            .source6_of(src, self.knows_no_source_mapping(turned))
            .ok_or(Refused4::with(SIIT_SOURCE_UNMAPPED, Refusal4::Prohibited))?;
        let octets = &packet.bytes()[at.transport..at.total];
        let part = at.fragment.map(|f| f.offset);
        let behind = Behind { carried, octets, part, offload: packet.offload };
        let ports = behind.ends4().map_err(Refused4::silent)?;
        // RFC 7915, section 4.5.
        if behind.lacks_checksum()
            && (at.fragment.is_some() || self.config.zero_checksum == ZeroChecksum::Drop)
        {
            return Err(Refused4::with(NAT64_UDP_ZERO_CHECKSUM, Refusal4::Prohibited));
        }
        let fit = Fit::of(packet, &at, ways.mtu6(to), self.config.lowest_ipv6_mtu)
            .map_err(|mtu| Refused4::with(NAT64_TOO_BIG, Refusal4::FragmentationNeeded { mtu }))?;
        if at.fragment.is_some() {
            packet.offload = Offload::default();
        } else {
            give_checksum(packet, &at, carried);
        }
        let mapping = Mapping6 { src: from, dst: to, src_port: ports.src, dst_port: ports.dst };
        let options = V6Options {
            traffic_class: if self.config.reset_traffic_class { 0 } else { at.tos },
            fragment_header: fit.fragment_header,
            message_len: (at.total - at.transport) as u32,
        };
        if !v4_to_v6(packet, &at, carried, &mapping, &options) {
            return Err(Refused4::silent(BUFFER_FULL));
        }
        if fit.apply(packet, &mut self.output) { Ok(Verdict::Translated) } else { Ok(Verdict::Consumed) }
    }

    /// The IPv6 destination.
    fn destination6(&self, dst: Ipv4Addr) -> Result<Ipv6Addr, Refused4> {
        if scope::unusable_v4(dst) {
            return Err(Refused4::silent(NAT64_DESTINATION_DENIED));
        }
        let unmapped = Refused4::with(SIIT_DESTINATION_UNMAPPED, Refusal4::HostUnreachable);
        self.addresses.to_v6(dst).map(|(v6, _)| v6).ok_or(unmapped)
    }

    /// The IPv6 source, not by a mapping when `embedded`.
    pub(super) fn source6_of(&self, src: Ipv4Addr, embedded: bool) -> Option<Ipv6Addr> {
        let found = if embedded { self.addresses.embed(src) } else { self.addresses.to_v6(src) };
        found.map(|(v6, _)| v6)
    }

    /// RFC 7757, sections 4.2.1 and 4.2.2: the address that a node wrote to is the one it must be answered from.
    pub(super) fn knows_no_source_mapping(&self, turned: bool) -> bool {
        turned || self.config.hairpinning == Hairpinning::Simple
    }
}
