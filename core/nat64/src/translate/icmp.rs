//! Types, codes, pointers and MTUs of ICMP messages in the other family (RFC 7915, sections 4.2 and 5.2).

use sixgate_wire::icmpv6;

/// Echo reply.
pub(crate) const ECHO_REPLY: u8 = 0;
/// Destination unreachable.
pub(crate) const UNREACHABLE: u8 = 3;
/// Echo request.
pub(crate) const ECHO_REQUEST: u8 = 8;
/// Time exceeded.
pub(crate) const TIME_EXCEEDED: u8 = 11;
/// Parameter problem.
pub(crate) const PARAMETER_PROBLEM: u8 = 12;

/// MTUs that networks have, for routers that do not tell theirs (RFC 1191, section 7).
const PLATEAUS: [u16; 10] = [32_000, 17_914, 8_166, 4_352, 2_002, 1_492, 1_006, 508, 296, 68];

/// MTUs of the links on both sides of the translator, as far as they are known; `u16::MAX` where not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Links {
    /// Of the IPv4 link.
    pub mtu4: u16,
    /// Of the IPv6 link.
    pub mtu6: u16,
}

impl Links {
    /// Nothing is known of either.
    pub const UNKNOWN: Self = Self { mtu4: u16::MAX, mtu6: u16::MAX };
}

/// Type, code and the four octets behind the checksum of an ICMPv4 error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message4 {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// MTU in the low half, or pointer in the first octet.
    pub word: u32,
}

/// Type, code and the four octets behind the checksum of an ICMPv6 error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message6 {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// MTU or pointer.
    pub word: u32,
}

impl Message6 {
    /// The same error about a packet that had a fragment header: IPv4 has no such header, so that a packet which is to
    /// fit the link is smaller by this much more (RFC 7915, section 5.2, "packet too big").
    #[must_use]
    pub const fn less_fragment_header(self) -> Self {
        match self.kind {
            icmpv6::TOO_BIG => Self { word: self.word.saturating_sub(8), ..self },
            _ => self,
        }
    }
}

/// The ICMPv4 error that an ICMPv6 error becomes; `None` when there is no counterpart (RFC 7915, section 5.2).
#[must_use]
pub fn message_to_v4(message: Message6, links: Links) -> Option<Message4> {
    let (kind, code, word) = match (message.kind, message.code) {
        (icmpv6::UNREACHABLE, 0 | 2 | 3) => (UNREACHABLE, 1, 0),
        (icmpv6::UNREACHABLE, 1) => (UNREACHABLE, 10, 0),
        (icmpv6::UNREACHABLE, 4) => (UNREACHABLE, 3, 0),
        (icmpv6::TOO_BIG, _) => (UNREACHABLE, 4, u32::from(mtu_to_v4(message.word, links))),
        (icmpv6::TIME_EXCEEDED, code) => (TIME_EXCEEDED, code, 0),
        (icmpv6::PARAMETER_PROBLEM, 0) => {
            (PARAMETER_PROBLEM, 0, u32::from(pointer_to_v4(message.word)?) << 24)
        }
        (icmpv6::PARAMETER_PROBLEM, 1) => (UNREACHABLE, 2, 0),
        _ => return None,
    };
    Some(Message4 { kind, code, word })
}

/// The ICMPv6 error that an ICMPv4 error becomes; `None` when there is no counterpart (RFC 7915, section 4.2).
///
/// `quoted_len` is the total length of the packet that the error quotes, for routers that do not tell an MTU.
#[must_use]
pub fn message_to_v6(message: Message4, quoted_len: u16, links: Links) -> Option<Message6> {
    let (kind, code, word) = match (message.kind, message.code) {
        (UNREACHABLE, 0 | 1 | 5 | 6 | 7 | 8 | 11 | 12) => (icmpv6::UNREACHABLE, 0, 0),
        // The pointer names the next-header field.
        (UNREACHABLE, 2) => (icmpv6::PARAMETER_PROBLEM, 1, 6),
        (UNREACHABLE, 3) => (icmpv6::UNREACHABLE, 4, 0),
        (UNREACHABLE, 4) => (icmpv6::TOO_BIG, 0, mtu_to_v6(message.word as u16, quoted_len, links)),
        (UNREACHABLE, 9 | 10 | 13 | 15) => (icmpv6::UNREACHABLE, 1, 0),
        (TIME_EXCEEDED, code) => (icmpv6::TIME_EXCEEDED, code, 0),
        (PARAMETER_PROBLEM, 0 | 2) => {
            let pointer = (message.word >> 24) as u8;
            (icmpv6::PARAMETER_PROBLEM, 0, u32::from(pointer_to_v6(pointer)?))
        }
        _ => return None,
    };
    Some(Message6 { kind, code, word })
}

/// RFC 7915, section 5.2: the IPv4 header is 20 octets shorter.
fn mtu_to_v4(mtu: u32, links: Links) -> u16 {
    let mtu = mtu.saturating_sub(20).min(u32::from(links.mtu4)).min(u32::from(links.mtu6).saturating_sub(20));
    // At most links.mtu4.
    mtu as u16
}

/// RFC 7915, section 4.2: the IPv6 header is 20 octets longer, and no IPv6 link is narrower than 1,280.
fn mtu_to_v6(mtu: u16, quoted_len: u16, links: Links) -> u32 {
    let mtu = match mtu {
        0 => PLATEAUS.into_iter().find(|p| *p < quoted_len).unwrap_or(68),
        mtu => mtu,
    };
    let mtu = (u32::from(mtu) + 20).min(u32::from(links.mtu6)).min(u32::from(links.mtu4) + 20);
    mtu.max(1280)
}

/// RFC 7915, figure 6.
fn pointer_to_v4(pointer: u32) -> Option<u8> {
    match pointer {
        0 => Some(0),
        1 => Some(1),
        4 | 5 => Some(2),
        6 => Some(9),
        7 => Some(8),
        8..=23 => Some(12),
        24..=39 => Some(16),
        _ => None,
    }
}

/// RFC 7915, figure 3.
fn pointer_to_v6(pointer: u8) -> Option<u8> {
    match pointer {
        0 => Some(0),
        1 => Some(1),
        2 | 3 => Some(4),
        8 => Some(7),
        9 => Some(6),
        12..=15 => Some(8),
        16..=19 => Some(24),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Links = Links::UNKNOWN;

    fn to_v4(kind: u8, code: u8, word: u32) -> Option<(u8, u8, u32)> {
        message_to_v4(Message6 { kind, code, word }, WIDE).map(|m| (m.kind, m.code, m.word))
    }

    fn to_v6(kind: u8, code: u8, word: u32) -> Option<(u8, u8, u32)> {
        message_to_v6(Message4 { kind, code, word }, 1500, WIDE).map(|m| (m.kind, m.code, m.word))
    }

    #[test]
    fn rfc_7915_section_5_2_every_row() {
        for (code, expected) in [
            (0, Some((3, 1, 0))),
            (1, Some((3, 10, 0))),
            (2, Some((3, 1, 0))),
            (3, Some((3, 1, 0))),
            (4, Some((3, 3, 0))),
            (5, None),
            (6, None),
            (7, None),
        ] {
            assert_eq!(to_v4(1, code, 0), expected, "1/{code}");
        }
        assert_eq!(to_v4(2, 0, 1400), Some((3, 4, 1380)));
        assert_eq!(to_v4(3, 0, 0), Some((11, 0, 0)));
        assert_eq!(to_v4(3, 1, 0), Some((11, 1, 0)));
        assert_eq!(to_v4(4, 1, 40), Some((3, 2, 0)));
        assert_eq!(to_v4(4, 2, 40), None);
        for kind in [0, 5, 100, 127, 130, 131, 132, 133, 134, 135, 136, 137, 143, 255] {
            assert_eq!(to_v4(kind, 0, 0), None, "{kind}");
        }
    }

    #[test]
    fn rfc_7915_figure_6_every_pointer() {
        for pointer in 0..50_u32 {
            let expected = match pointer {
                0 => Some(0),
                1 => Some(1),
                2 | 3 => None,
                4 | 5 => Some(2),
                6 => Some(9),
                7 => Some(8),
                8..24 => Some(12),
                24..40 => Some(16),
                _ => None,
            };
            assert_eq!(to_v4(4, 0, pointer), expected.map(|p: u32| (12, 0, p << 24)), "{pointer}");
        }
        assert_eq!(to_v4(4, 0, 256), None);
    }

    #[test]
    fn rfc_7915_section_4_2_every_row() {
        for code in 0..=20 {
            let expected = match code {
                0 | 1 | 5 | 6 | 7 | 8 | 11 | 12 => Some((1, 0, 0)),
                2 => Some((4, 1, 6)),
                3 => Some((1, 4, 0)),
                4 => Some((2, 0, 1520)),
                9 | 10 | 13 | 15 => Some((1, 1, 0)),
                _ => None,
            };
            assert_eq!(to_v6(3, code, 1500), expected, "3/{code}");
        }
        assert_eq!(to_v6(11, 0, 0), Some((3, 0, 0)));
        assert_eq!(to_v6(11, 1, 0), Some((3, 1, 0)));
        assert_eq!(to_v6(12, 1, 0), None);
        assert_eq!(to_v6(12, 3, 0), None);
        for kind in [1, 2, 4, 5, 6, 9, 10, 13, 14, 15, 16, 17, 18, 40, 255] {
            assert_eq!(to_v6(kind, 0, 0), None, "{kind}");
        }
    }

    #[test]
    fn rfc_7915_figure_3_every_pointer() {
        for pointer in 0..40_u32 {
            let expected = match pointer {
                0 => Some(0),
                1 => Some(1),
                2 | 3 => Some(4),
                8 => Some(7),
                9 => Some(6),
                12..16 => Some(8),
                16..20 => Some(24),
                _ => None,
            };
            for code in [0, 2] {
                assert_eq!(to_v6(12, code, pointer << 24), expected.map(|p| (4, 0, p)), "{pointer}");
            }
        }
    }

    #[test]
    fn an_mtu_is_held_to_both_links_and_never_below_1280() {
        let links = Links { mtu4: 1400, mtu6: 1500 };
        let to_v6 =
            |mtu, links| message_to_v6(Message4 { kind: 3, code: 4, word: mtu }, 1500, links).unwrap().word;
        assert_eq!(to_v6(1390, links), 1410);
        assert_eq!(to_v6(9000, links), 1420);
        assert_eq!(to_v6(9000, Links { mtu4: 9000, mtu6: 1500 }), 1500);
        assert_eq!(to_v6(68, links), 1280);
        let to_v4 = |mtu, links| message_to_v4(Message6 { kind: 2, code: 0, word: mtu }, links).unwrap().word;
        assert_eq!(to_v4(1280, links), 1260);
        assert_eq!(to_v4(u32::MAX, links), 1400);
        assert_eq!(to_v4(9000, Links { mtu4: 9000, mtu6: 1500 }), 1480);
        assert_eq!(to_v4(7, links), 0);
    }

    #[test]
    fn a_router_without_mtu_gets_the_plateau_below_the_packet() {
        let of = |len| message_to_v6(Message4 { kind: 3, code: 4, word: 0 }, len, WIDE).unwrap().word;
        assert_eq!(of(1500), 1512);
        assert_eq!(of(1492), 1280);
        assert_eq!(of(65_535), 32_020);
        assert_eq!(of(0), 1280);
    }
}
