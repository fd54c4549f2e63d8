//! The NAT64 prefix (RFC 8781, section 4).

use super::options::{Opt, PREF64};
use crate::addr::{Ipv6Prefix, Prefix64};
use crate::{Packet, be16};

/// Octets; receivers ignore the option with any other length.
const LENGTH: usize = 16;
/// The lifetime has 13 bits and counts eight seconds each.
const LONGEST: u32 = 65_528;
/// RFC 8781, section 4: prefix length by code.
const LENGTHS: [u8; 6] = [96, 64, 56, 48, 40, 32];

/// Writes the prefix; the lifetime is rounded up to eight seconds and cut to what the field holds.
pub(super) fn write(prefix: Prefix64, lifetime: u32, out: &mut Packet) -> bool {
    let Some(code) = LENGTHS.iter().position(|l| *l == prefix.prefix().length()) else {
        return false;
    };
    // At most 8191 and 5: both fit.
    let field = (lifetime.min(LONGEST).div_ceil(8) << 3) as u16 | code as u16;
    let mut option = [0; LENGTH];
    option[0] = PREF64;
    option[1] = 2;
    option[2..4].copy_from_slice(&field.to_be_bytes());
    option[4..].copy_from_slice(&prefix.prefix().address().octets()[..12]);
    out.extend(&option)
}

/// Reads prefix and lifetime in seconds; `None` when the option must be ignored.
pub(super) fn read(option: Opt<'_>) -> Option<(Prefix64, u32)> {
    if option.0.len() != LENGTH {
        return None;
    }
    let field = be16(option.0, 2);
    let length = *LENGTHS.get(usize::from(field & 7))?;
    let mut octets = [0; 16];
    octets[..12].copy_from_slice(&option.0[4..]);
    let prefix = Prefix64::new(Ipv6Prefix::containing(octets.into(), length))?;
    Some((prefix, u32::from(field & !7)))
}
