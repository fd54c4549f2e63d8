//! Router solicitation (RFC 4861, section 4.1).

use core::net::Ipv6Addr;

use super::options::{Options, SOURCE_LINK_LAYER};
use super::{Kind, NdFault, check, seal, start};
use crate::ipv6::Ipv6;
use crate::{Packet, icmpv6};

/// Writes a solicitation without options into `out`; false, with `out` empty, when it does not fit.
pub fn write_solicitation(src: Ipv6Addr, dst: Ipv6Addr, out: &mut Packet) -> bool {
    let whole = start(out, Kind::RouterSolicitation, 0);
    seal(out, whole, src, dst)
}

/// Checks a solicitation (RFC 4861, section 6.1.1).
///
/// # Errors
/// The first rule of that section that it breaks.
pub fn parse_solicitation(ip: &Ipv6<'_>) -> Result<(), NdFault> {
    let icmp = check(ip, Kind::RouterSolicitation, icmpv6::HEADER)?;
    Options::check(icmp.body())?;
    if ip.src().is_unspecified() && Options::has(icmp.body(), SOURCE_LINK_LAYER) {
        return Err(NdFault::Source);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipv6::HEADER;

    fn solicitation() -> Packet {
        let mut out = Packet::new();
        assert!(write_solicitation(
            "fe80::5efe:10.6.8.20".parse().unwrap(),
            "fe80::5efe:10.6.0.1".parse().unwrap(),
            &mut out
        ));
        out
    }

    fn verdict(packet: &Packet) -> Result<(), NdFault> {
        parse_solicitation(&Ipv6::parse(packet.bytes()).unwrap())
    }

    /// Appends `option` and makes length and checksum right again.
    fn with_option(option: &[u8]) -> Packet {
        let mut packet = Packet::new();
        assert!(packet.extend(solicitation().bytes()) && packet.extend(option));
        let (src, dst) = {
            let ip = Ipv6::parse(packet.bytes()).unwrap();
            (ip.src(), ip.dst())
        };
        assert!(seal(&mut packet, true, src, dst));
        packet
    }

    #[test]
    fn a_solicitation_is_48_octets_and_is_accepted() {
        let packet = solicitation();
        assert_eq!(packet.len(), 48);
        assert_eq!(verdict(&packet), Ok(()));
    }

    #[test]
    fn each_rule_of_section_6_1_1_has_its_fault() {
        let mut far = solicitation();
        far.bytes_mut()[7] = 254;
        assert_eq!(verdict(&far), Err(NdFault::HopLimit));
        let mut damaged = solicitation();
        damaged.bytes_mut()[HEADER + 5] ^= 1;
        assert_eq!(verdict(&damaged), Err(NdFault::Checksum));
        let mut coded = solicitation();
        coded.bytes_mut()[HEADER + 1] = 1;
        let (src, dst) = ("fe80::5efe:10.6.8.20".parse().unwrap(), "fe80::5efe:10.6.0.1".parse().unwrap());
        assert!(seal(&mut coded, true, src, dst));
        assert_eq!(verdict(&coded), Err(NdFault::Code));
        assert_eq!(verdict(&with_option(&[1, 0, 0, 0, 0, 0, 0, 0])), Err(NdFault::Option));
        assert_eq!(verdict(&with_option(&[1, 2, 0, 0, 0, 0, 0, 0])), Err(NdFault::Option));
        assert_eq!(verdict(&with_option(&[1])), Err(NdFault::Option));
        assert_eq!(verdict(&with_option(&[1, 1, 0, 0, 0, 0, 0, 0])), Ok(()));
    }
}
