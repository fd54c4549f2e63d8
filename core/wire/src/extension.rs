//! The walk over IPv6 extension headers (RFC 8200, section 4), bounded in number and length.

use crate::{Malformed, be16, be32, protocol};

/// More headers than this are refused: nobody sends them in earnest, and a walk must have an end.
pub const MOST_HEADERS: usize = 8;
/// More octets of extension headers than this are refused: the rest of the smallest packet that every link carries is left
/// for what they stand before.
pub const MOST_OCTETS: usize = 1024;

/// Where the transport header is, and what the walk met on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upper {
    /// Protocol of the transport header.
    pub protocol: u8,
    /// Octets from the start of the IPv6 header to the transport header (or, in a later fragment, to the fragment's data).
    pub offset: usize,
    /// The fragment header, if there was one.
    pub fragment: Option<Fragment>,
    /// Offset of a routing header with segments left, if there was one.
    pub routing: Option<usize>,
}

impl Upper {
    /// True when the transport header itself is not in this packet: a fragment that is not the first.
    #[must_use]
    pub fn is_later_fragment(&self) -> bool {
        self.fragment.is_some_and(|f| f.offset != 0)
    }
}

/// A fragment header (RFC 8200, section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where the fragment header itself is, in octets from the start of the IPv6 header.
    pub at: usize,
    /// Offset of this fragment's data, in octets.
    pub offset: u16,
    /// More fragments follow.
    pub more: bool,
    /// Identification.
    pub identification: u32,
}

/// Walks from the header `first` at `offset` of `packet`.
///
/// # Errors
/// [`Malformed::Extension`] when a header is cut short, or beyond [`MOST_HEADERS`] or [`MOST_OCTETS`].
pub fn walk(first: u8, packet: &[u8], offset: usize) -> Result<Upper, Malformed> {
    let start = offset;
    let mut upper = Upper { protocol: first, offset, fragment: None, routing: None };
    for _ in 0..=MOST_HEADERS {
        let at = upper.offset;
        let length = match upper.protocol {
            protocol::HOP_BY_HOP | protocol::DESTINATION | protocol::ROUTING => {
                let header = packet.get(at..at + 8).ok_or(Malformed::Extension)?;
                if upper.protocol == protocol::ROUTING && header[3] != 0 {
                    upper.routing = Some(at);
                }
                (usize::from(header[1]) + 1) * 8
            }
            protocol::FRAGMENT => {
                let header = packet.get(at..at + 8).ok_or(Malformed::Extension)?;
                let field = be16(header, 2);
                let fragment = Fragment {
                    at,
                    offset: field & 0xfff8,
                    more: field & 1 != 0,
                    identification: be32(header, 4),
                };
                // A second fragment header would let two walks disagree about where the data begins.
                if upper.fragment.replace(fragment).is_some() {
                    return Err(Malformed::Extension);
                }
                8
            }
            protocol::AH => {
                let header = packet.get(at..at + 8).ok_or(Malformed::Extension)?;
                (usize::from(header[1]) + 2) * 4
            }
            _ => return Ok(upper),
        };
        let next = at + length;
        if next > packet.len() || next - start > MOST_OCTETS {
            return Err(Malformed::Extension);
        }
        upper.protocol = packet[at];
        upper.offset = next;
        if upper.is_later_fragment() {
            // What follows a later fragment's header is data, whatever its octets look like.
            return Ok(upper);
        }
    }
    Err(Malformed::Extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_transport_behind_options_and_a_fragment_header() {
        let mut p = [0_u8; 40 + 8 + 8 + 8];
        p[40] = protocol::FRAGMENT;
        p[48] = protocol::UDP;
        p[50..52].copy_from_slice(&1_u16.to_be_bytes());
        p[52..56].copy_from_slice(&7_u32.to_be_bytes());
        let upper = walk(protocol::HOP_BY_HOP, &p, 40).unwrap();
        assert_eq!((upper.protocol, upper.offset), (protocol::UDP, 56));
        assert_eq!(upper.fragment, Some(Fragment { at: 48, offset: 0, more: true, identification: 7 }));
    }

    #[test]
    fn a_later_fragment_ends_the_walk_whatever_it_contains() {
        let mut p = [0_u8; 40 + 8 + 8];
        p[40] = protocol::HOP_BY_HOP;
        p[42..44].copy_from_slice(&(1480_u16).to_be_bytes());
        let upper = walk(protocol::FRAGMENT, &p, 40).unwrap();
        assert_eq!((upper.protocol, upper.offset), (protocol::HOP_BY_HOP, 48));
        assert!(upper.is_later_fragment());
    }

    #[test]
    fn endless_and_cut_chains_are_refused() {
        let p = [0_u8; 40 + 8 * 20];
        assert_eq!(walk(protocol::HOP_BY_HOP, &p, 40), Err(Malformed::Extension));
        assert_eq!(walk(protocol::HOP_BY_HOP, &p[..44], 40), Err(Malformed::Extension));
        let mut long = [0_u8; 40 + 8];
        long[41] = 200;
        assert_eq!(walk(protocol::DESTINATION, &long, 40), Err(Malformed::Extension));
    }
}
