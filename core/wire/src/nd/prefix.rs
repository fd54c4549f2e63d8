//! Prefix information (RFC 4861, section 4.6.2).

use core::net::Ipv6Addr;

use super::options::{Opt, PREFIX};
use crate::addr::Ipv6Prefix;
use crate::lease::{Lease, LeasedPrefix};
use crate::{Packet, be32, ipv6};

const LENGTH: usize = 32;
const ON_LINK: u8 = 0x80;
const AUTONOMOUS: u8 = 0x40;

/// Writes one autonomous prefix.
pub(super) fn write(leased: &LeasedPrefix, out: &mut Packet) -> bool {
    let mut option = [0; LENGTH];
    option[0] = PREFIX;
    option[1] = 4;
    option[2] = leased.prefix.length();
    option[3] = AUTONOMOUS | if leased.on_link { ON_LINK } else { 0 };
    option[4..8].copy_from_slice(&leased.valid.to_be_bytes());
    option[8..12].copy_from_slice(&leased.preferred.to_be_bytes());
    option[16..32].copy_from_slice(&leased.prefix.address().octets());
    out.extend(&option)
}

/// Writes an address that belongs to the peer alone, as a prefix of 128 bits that is not on-link.
pub(super) fn write_address(address: Ipv6Addr, lifetime: u32, out: &mut Packet) -> bool {
    let prefix = Ipv6Prefix::containing(address, 128);
    write(&LeasedPrefix { prefix, preferred: lifetime, valid: lifetime, on_link: false }, out)
}

/// Reads one option into the lease and gives the lifetime of an address, which has none of its own there.
///
/// Options that a host must not use are ignored: wrong length, link-local, preferred longer than valid
/// (RFC 4862, section 5.5.3 (b) and (c)), and those that are not autonomous (a).
pub(super) fn read(option: Opt<'_>, lease: &mut Lease) -> Option<u32> {
    let bytes = option.0;
    if bytes.len() != LENGTH || bytes[2] > 128 || bytes[3] & AUTONOMOUS == 0 {
        return None;
    }
    let (valid, preferred) = (be32(bytes, 4), be32(bytes, 8));
    let prefix = Ipv6Prefix::containing(ipv6::address(bytes, 16), bytes[2]);
    let address = prefix.address();
    if preferred > valid || address.is_unicast_link_local() || address.is_multicast() {
        return None;
    }
    if prefix.length() == 128 {
        lease.addresses.push(address);
        return Some(valid);
    }
    lease.prefixes.push(LeasedPrefix { prefix, preferred, valid, on_link: bytes[3] & ON_LINK != 0 });
    None
}
