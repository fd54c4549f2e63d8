//! Neighbour solicitation and advertisement (RFC 4861, sections 4.3 and 4.4).

use core::net::Ipv6Addr;

use super::options::{Options, SOURCE_LINK_LAYER};
use super::{Kind, NdFault, check, seal, start};
use crate::icmpv6::{self, Icmpv6};
use crate::ipv6::{self, Ipv6};
use crate::{Packet, be16};

/// Octets of either message without options.
const FIXED: usize = icmpv6::HEADER + 16;
const ROUTER: u32 = 0x8000_0000;
const SOLICITED: u32 = 0x4000_0000;
const OVERRIDE: u32 = 0x2000_0000;

/// What a neighbour solicitation asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighbourSolicitation {
    /// The address that is looked for; a unicast address.
    pub target: Ipv6Addr,
}

/// What a neighbour advertisement says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeighbourAdvertisement {
    /// The address that is spoken for; a unicast address.
    pub target: Ipv6Addr,
    /// The sender is a router.
    pub router: bool,
    /// This answers a solicitation, so it proves that the neighbour is reachable.
    pub solicited: bool,
    /// What was cached is to be replaced.
    pub replace: bool,
}

/// Writes a solicitation without options into `out`; false, with `out` empty, when it does not fit.
pub fn write_neighbour_solicitation(
    src: Ipv6Addr,
    dst: Ipv6Addr,
    target: Ipv6Addr,
    out: &mut Packet,
) -> bool {
    let whole = start(out, Kind::NeighbourSolicitation, 0) && out.extend(&target.octets());
    seal(out, whole, src, dst)
}

/// Writes an advertisement without options into `out`; false, with `out` empty, when it does not fit.
pub fn write_neighbour_advertisement(
    src: Ipv6Addr,
    dst: Ipv6Addr,
    message: &NeighbourAdvertisement,
    out: &mut Packet,
) -> bool {
    let flag = |set: bool, bit: u32| if set { bit } else { 0 };
    let word =
        flag(message.router, ROUTER) | flag(message.solicited, SOLICITED) | flag(message.replace, OVERRIDE);
    let whole = start(out, Kind::NeighbourAdvertisement, word) && out.extend(&message.target.octets());
    seal(out, whole, src, dst)
}

/// Checks a solicitation (RFC 4861, section 7.1.1).
///
/// # Errors
/// The first rule of that section that it breaks.
pub fn parse_neighbour_solicitation(ip: &Ipv6<'_>) -> Result<NeighbourSolicitation, NdFault> {
    let icmp = check(ip, Kind::NeighbourSolicitation, FIXED)?;
    let (target, options) = target(&icmp)?;
    if ip.src().is_unspecified() && (!is_solicited_node(ip.dst()) || Options::has(options, SOURCE_LINK_LAYER))
    {
        return Err(NdFault::Source);
    }
    Ok(NeighbourSolicitation { target })
}

/// Checks an advertisement (RFC 4861, section 7.1.2).
///
/// # Errors
/// The first rule of that section that it breaks.
pub fn parse_neighbour_advertisement(ip: &Ipv6<'_>) -> Result<NeighbourAdvertisement, NdFault> {
    let icmp = check(ip, Kind::NeighbourAdvertisement, FIXED)?;
    let (target, _) = target(&icmp)?;
    let word = icmp.word();
    let solicited = word & SOLICITED != 0;
    if solicited && ip.dst().is_multicast() || ip.src().is_unspecified() {
        return Err(NdFault::Source);
    }
    Ok(NeighbourAdvertisement {
        target,
        router: word & ROUTER != 0,
        solicited,
        replace: word & OVERRIDE != 0,
    })
}

/// The target and the options behind it. [`check`] has seen that the sixteen octets are there.
fn target<'a>(icmp: &Icmpv6<'a>) -> Result<(Ipv6Addr, &'a [u8]), NdFault> {
    let body = icmp.body();
    let target = ipv6::address(body, 0);
    let options = &body[16..];
    Options::check(options)?;
    if target.is_multicast() || target.is_unspecified() {
        return Err(NdFault::Target);
    }
    Ok((target, options))
}

/// RFC 4291, section 2.7.1: `ff02::1:ff00:0/104`.
fn is_solicited_node(address: Ipv6Addr) -> bool {
    let octets = address.octets();
    octets[..2] == [0xff, 0x02] && octets[2..11] == [0; 9] && be16(&octets, 11) == 0x01ff
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unicast() -> impl Strategy<Value = Ipv6Addr> {
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits >> 8 | 0x20 << 120))
    }

    proptest! {
        #[test]
        fn a_solicitation_comes_back_as_it_was_written(src in unicast(), dst in unicast(), to in unicast()) {
            let mut out = Packet::with_capacity(100);
            prop_assert!(write_neighbour_solicitation(src, dst, to, &mut out));
            let ip = Ipv6::parse(out.bytes()).unwrap();
            prop_assert_eq!(parse_neighbour_solicitation(&ip), Ok(NeighbourSolicitation { target: to }));
        }

        #[test]
        fn an_advertisement_comes_back_as_it_was_written(
            src in unicast(), dst in unicast(), target in unicast(), flags in any::<[bool; 3]>(),
        ) {
            let [router, solicited, replace] = flags;
            let message = NeighbourAdvertisement { target, router, solicited, replace };
            let mut out = Packet::with_capacity(100);
            prop_assert!(write_neighbour_advertisement(src, dst, &message, &mut out));
            let ip = Ipv6::parse(out.bytes()).unwrap();
            prop_assert_eq!(parse_neighbour_advertisement(&ip), Ok(message));
        }
    }

    #[test]
    fn an_address_check_must_go_to_the_solicited_node_group() {
        let target = "fd00::1".parse().unwrap();
        let mut out = Packet::with_capacity(100);
        let mut verdict = |dst: &str| {
            assert!(write_neighbour_solicitation(
                Ipv6Addr::UNSPECIFIED,
                dst.parse().unwrap(),
                target,
                &mut out
            ));
            parse_neighbour_solicitation(&Ipv6::parse(out.bytes()).unwrap())
        };
        assert_eq!(verdict("ff02::1:ff00:1"), Ok(NeighbourSolicitation { target }));
        assert_eq!(verdict("fd00::1"), Err(NdFault::Source));
        assert_eq!(verdict("ff02::1"), Err(NdFault::Source));
    }

    #[test]
    fn a_multicast_target_and_a_solicited_answer_to_a_group_are_refused() {
        let group: Ipv6Addr = "ff02::1".parse().unwrap();
        let one: Ipv6Addr = "fd00::1".parse().unwrap();
        let mut out = Packet::with_capacity(100);
        assert!(write_neighbour_solicitation(one, one, group, &mut out));
        assert_eq!(parse_neighbour_solicitation(&Ipv6::parse(out.bytes()).unwrap()), Err(NdFault::Target));
        let message = NeighbourAdvertisement { target: one, router: false, solicited: true, replace: false };
        assert!(write_neighbour_advertisement(one, group, &message, &mut out));
        assert_eq!(parse_neighbour_advertisement(&Ipv6::parse(out.bytes()).unwrap()), Err(NdFault::Source));
    }
}
