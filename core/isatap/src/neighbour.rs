//! What both ends do alike: read a decapsulated packet, answer a neighbour solicitation.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{ISATAP_ND_INVALID, ISATAP_NOT_IPV6, MALFORMED_IPV6, Reason};
use sixgate_wire::Packet;
use sixgate_wire::addr::isatap::{self, Form};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::nd::{self, NeighbourAdvertisement};

use crate::queue::{Message, Outgoing};

/// The IPv6 packet inside protocol 41.
pub(crate) fn read(packet: &Packet) -> Result<Ipv6<'_>, Reason> {
    let bytes = packet.bytes();
    if bytes.first().is_none_or(|first| first >> 4 != 6) {
        return Err(ISATAP_NOT_IPV6);
    }
    Ipv6::parse(bytes).map_err(|_| MALFORMED_IPV6)
}

/// The form of `address` when it is a link-local ISATAP address that embeds `v4`.
pub(crate) fn link_local_form(address: Ipv6Addr, v4: Ipv4Addr) -> Option<Form> {
    let (form, embedded) = isatap::embedded(address)?;
    (isatap::is_link_local(address) && embedded == v4).then_some(form)
}

/// The answer to the neighbour solicitation `ip` that came from `from`, if its target is ours (RFC 4861, section 7.2.4).
pub(crate) fn answer(
    ip: &Ipv6<'_>,
    from: Ipv4Addr,
    router: bool,
    is_ours: impl Fn(Ipv6Addr) -> bool,
) -> Result<Outgoing, Reason> {
    let asked = nd::parse_neighbour_solicitation(ip).map_err(|_| ISATAP_ND_INVALID)?;
    // RFC 5214, section 6.3: without multicast there is no duplicate address detection, so nobody asks without a source; and the
    // question goes to the target itself, for there is no multicast.
    if ip.src().is_unspecified() || ip.dst() != asked.target || !is_ours(asked.target) {
        return Err(ISATAP_ND_INVALID);
    }
    let message = NeighbourAdvertisement { target: asked.target, router, solicited: true, replace: false };
    Ok(Outgoing { to: from, src: asked.target, dst: ip.src(), message: Message::AdvertiseNeighbour(message) })
}
