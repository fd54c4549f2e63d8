//! Route information (RFC 4191, section 2.3).

use super::options::{Opt, ROUTE};
use crate::addr::Ipv6Prefix;
use crate::lease::{LeasedRoute, Preference};
use crate::{Packet, be32};

/// Writes one route in the shortest form that its prefix fits.
pub(super) fn write(route: &LeasedRoute, out: &mut Packet) -> bool {
    let mut option = [0; 24];
    let units: u8 = match route.prefix.length() {
        0 => 1,
        1..=64 => 2,
        _ => 3,
    };
    option[0] = ROUTE;
    option[1] = units;
    option[2] = route.prefix.length();
    option[3] = bits(route.preference) << 3;
    option[4..8].copy_from_slice(&route.lifetime.to_be_bytes());
    option[8..24].copy_from_slice(&route.prefix.address().octets());
    out.extend(&option[..usize::from(units) * 8])
}

/// Reads one route; `None` when it must be ignored: a length that its prefix does not fit, or the reserved preference.
pub(super) fn read(option: Opt<'_>) -> Option<LeasedRoute> {
    let bytes = option.0;
    let length = bytes[2];
    let room = match bytes.len() {
        8 => 0,
        16 => 64,
        24 => 128,
        _ => return None,
    };
    if length > room {
        return None;
    }
    let mut address = [0; 16];
    let given = &bytes[8..];
    address[..given.len()].copy_from_slice(given);
    let prefix = Ipv6Prefix::containing(address.into(), length);
    if prefix.address().is_multicast() {
        return None;
    }
    Some(LeasedRoute { prefix, preference: preference(bytes[3] >> 3 & 3)?, lifetime: be32(bytes, 4) })
}

pub(super) const fn bits(preference: Preference) -> u8 {
    match preference {
        Preference::High => 0b01,
        Preference::Medium => 0b00,
        Preference::Low => 0b11,
    }
}

/// RFC 4191, section 2.3: an option with the reserved value 10 MUST be ignored.
pub(super) const fn preference(bits: u8) -> Option<Preference> {
    match bits {
        0b01 => Some(Preference::High),
        0b00 => Some(Preference::Medium),
        0b11 => Some(Preference::Low),
        _ => None,
    }
}
