//! Redirect (RFC 4861, section 4.5).

use core::net::Ipv6Addr;

use super::{Kind, seal, start};
use crate::Packet;

/// Writes a redirect without options into `out`: packets to `destination` are better sent to `target`. False, with `out` empty, when it
/// does not fit.
///
/// On links without link-layer addresses there is none of the target to tell; the packet that caused it need not be quoted, since a
/// receiver acts on the destination.
pub fn write_redirect(
    src: Ipv6Addr,
    dst: Ipv6Addr,
    target: Ipv6Addr,
    destination: Ipv6Addr,
    out: &mut Packet,
) -> bool {
    let whole =
        start(out, Kind::Redirect, 0) && out.extend(&target.octets()) && out.extend(&destination.octets());
    seal(out, whole, src, dst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::icmpv6::Icmpv6;
    use crate::ipv6::Ipv6;

    #[test]
    fn a_redirect_has_both_addresses_and_hop_limit_255() {
        let address = |text: &str| text.parse::<Ipv6Addr>().unwrap();
        let (src, dst) = (address("fe80::5efe:10.6.0.1"), address("fd00:2::5efe:10.6.8.20"));
        let (target, destination) = (address("fe80::5efe:10.6.0.2"), address("fd00:1::7"));
        let mut out = Packet::new();
        assert!(write_redirect(src, dst, target, destination, &mut out));
        let ip = Ipv6::parse(out.bytes()).unwrap();
        let icmp = Icmpv6::parse(ip.payload()).unwrap();
        assert!(icmp.checksum_ok(src, dst));
        assert_eq!((ip.hop_limit(), icmp.kind(), icmp.code(), out.len()), (255, 137, 0, 80));
        assert_eq!(icmp.body(), [target.octets(), destination.octets()].concat());
    }
}
