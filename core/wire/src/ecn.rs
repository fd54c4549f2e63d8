//! Congestion notification through a tunnel of IPv6 in IPv4 (RFC 6040, which RFC 4213, section 3.5 leaves open).
//!
//! The code point is copied into the outer header on the way in, so that a queue inside the IPv4 network can mark instead of
//! drop, and what was marked there is carried over on the way out. DSCP belongs to the network that gave it and is not copied.

use crate::ipv6::{self, Ipv6};

/// The two bits of a traffic class or type of service.
const MASK: u8 = 0b11;
const NOT_CAPABLE: u8 = 0b00;
const ECT_1: u8 = 0b01;
const MARKED: u8 = 0b11;

/// The type of service of the outer header for a packet with this traffic class (RFC 6040, section 4.1, normal mode).
#[must_use]
pub const fn outer(traffic_class: u8) -> u8 {
    traffic_class & MASK
}

/// Carries over what the outer header says into `packet`, which [`Ipv6::parse`] accepts; false when the packet must be dropped.
///
/// RFC 6040, section 4.2: a mark on a packet whose ends do not understand marks can only be told by losing it.
#[must_use]
pub fn leave(packet: &mut [u8], outer_tos: u8) -> bool {
    let Ok(ip) = Ipv6::parse(packet) else { return false };
    let inner = ip.traffic_class();
    let after = match (inner & MASK, outer_tos & MASK) {
        (NOT_CAPABLE, MARKED) => return false,
        (NOT_CAPABLE, _) => NOT_CAPABLE,
        (_, MARKED) => MARKED,
        (MARKED, _) => MARKED,
        (_, ECT_1) => ECT_1,
        (same, _) => same,
    };
    if inner & MASK != after {
        ipv6::set_traffic_class(packet, inner & !MASK | after);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv6Addr;

    /// Figure 4 of RFC 6040: a row for each inner code point, a column for each outer one; `None` is a drop.
    #[test]
    fn the_table_of_section_4_2() {
        const ECT_0: u8 = 0b10;
        let outer = [NOT_CAPABLE, ECT_0, ECT_1, MARKED];
        let rows = [
            (NOT_CAPABLE, [Some(NOT_CAPABLE), Some(NOT_CAPABLE), Some(NOT_CAPABLE), None]),
            (ECT_0, [Some(ECT_0), Some(ECT_0), Some(ECT_1), Some(MARKED)]),
            (ECT_1, [Some(ECT_1), Some(ECT_1), Some(ECT_1), Some(MARKED)]),
            (MARKED, [Some(MARKED); 4]),
        ];
        for (inner, expected) in rows {
            for (outer, expected) in outer.into_iter().zip(expected) {
                let header = ipv6::Header {
                    traffic_class: 0xb8 | inner,
                    flow_label: 0xabcde,
                    payload_len: 0,
                    next_header: 59,
                    hop_limit: 64,
                    src: Ipv6Addr::LOCALHOST,
                    dst: Ipv6Addr::LOCALHOST,
                };
                let mut packet = header.octets();
                // The outer DSCP is nobody's business.
                let kept = leave(&mut packet, 0x48 | outer);
                assert_eq!(kept, expected.is_some(), "{inner} in {outer}");
                let ip = Ipv6::parse(&packet).unwrap();
                assert_eq!(ip.traffic_class(), 0xb8 | expected.unwrap_or(inner), "{inner} in {outer}");
                assert_eq!((ip.flow_label(), ip.hop_limit()), (0xabcde, 64));
            }
        }
    }

    #[test]
    fn the_outer_header_has_the_code_point_and_no_dscp() {
        assert_eq!((outer(0xb8), outer(0xb9), outer(0xba), outer(0xbb)), (0, 1, 2, 3));
    }
}
