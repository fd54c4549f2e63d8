//! Router advertisement (RFC 4861, section 4.2): one rendering of a lease.

use core::net::Ipv6Addr;

use super::options::{self, Options};
use super::{Kind, NdFault, check, dns, pref64, prefix, route, seal, start};
use crate::ipv6::Ipv6;
use crate::lease::{Lease, Preference};
use crate::{Packet, be32, icmpv6};

/// Octets without options: header, reachable time, retransmission timer.
const FIXED: usize = icmpv6::HEADER + 8;

/// What the header of an advertisement says beside the router lifetime (RFC 4861, section 4.2; RFC 4191, section 2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// What hosts should put into their own packets; zero says nothing.
    pub hop_limit: u8,
    /// Milliseconds for which a neighbour counts as reachable after it answered; zero says nothing.
    pub reachable_time: u32,
    /// Milliseconds between neighbour solicitations; zero says nothing.
    pub retrans_timer: u32,
    /// Of the default route against those of other routers; medium is said where there is no default route.
    pub preference: Preference,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { hop_limit: 64, reachable_time: 0, retrans_timer: 0, preference: Preference::Medium }
    }
}

/// Writes the advertisement of `lease` into `out`; false, with `out` empty, when it does not fit or a suffix is no name.
///
/// `hop_limit` is what hosts should put into their own packets. Lifetimes of PREF64 are rounded up to eight seconds.
pub fn write_advertisement(
    lease: &Lease,
    hop_limit: u8,
    src: Ipv6Addr,
    dst: Ipv6Addr,
    out: &mut Packet,
) -> bool {
    write_advertisement_with(lease, &Parameters { hop_limit, ..Parameters::default() }, src, dst, out)
}

/// Like [`write_advertisement`], with every field of the header.
pub fn write_advertisement_with(
    lease: &Lease,
    parameters: &Parameters,
    src: Ipv6Addr,
    dst: Ipv6Addr,
    out: &mut Packet,
) -> bool {
    // RFC 4191, section 2.2: a router that is no default router says "medium", which is 00.
    let preference = if lease.router_lifetime == 0 { Preference::Medium } else { parameters.preference };
    let word = u32::from(parameters.hop_limit) << 24
        | u32::from(route::bits(preference)) << 19
        | u32::from(lease.router_lifetime);
    let whole = start(out, Kind::RouterAdvertisement, word)
        && out.extend(&parameters.reachable_time.to_be_bytes())
        && out.extend(&parameters.retrans_timer.to_be_bytes())
        && write_options(lease, out);
    seal(out, whole, src, dst)
}

fn write_options(lease: &Lease, out: &mut Packet) -> bool {
    lease.prefixes.iter().all(|p| prefix::write(p, out))
        && lease.addresses.iter().all(|a| prefix::write_address(*a, lease.lifetime, out))
        && lease.routes.iter().all(|r| route::write(r, out))
        && (lease.mtu == 0 || write_mtu(lease.mtu, out))
        && dns::write_servers(&lease.name_servers, lease.lifetime, out)
        && dns::write_suffixes(&lease.suffixes, lease.lifetime, out)
        && lease.prefix64.is_none_or(|p| pref64::write(p, lease.lifetime, out))
}

fn write_mtu(mtu: u32, out: &mut Packet) -> bool {
    let [a, b, c, d] = mtu.to_be_bytes();
    out.extend(&[options::MTU, 1, 0, 0, a, b, c, d])
}

/// Checks an advertisement (RFC 4861, section 6.1.2) and gives what it offers.
///
/// Options that a host must ignore are left out. `mtu` is zero where the router gives none. `lifetime` is the shortest
/// of the addresses, name servers, suffixes and NAT64 prefix that are not being withdrawn; what is being withdrawn is
/// left out beside something that stays, and is given with `lifetime` zero where nothing stays.
///
/// # Errors
/// The first rule of that section that it breaks.
pub fn parse_advertisement(ip: &Ipv6<'_>) -> Result<Lease, NdFault> {
    let icmp = check(ip, Kind::RouterAdvertisement, FIXED)?;
    if !ip.src().is_unicast_link_local() {
        return Err(NdFault::Source);
    }
    let options = &icmp.body()[FIXED - icmpv6::HEADER..];
    Options::check(options)?;
    // First what stays, then, where nothing stays, what goes.
    let staying = read(icmp.word() as u16, options, |lifetime| lifetime != 0);
    if staying.lifetime != 0 { Ok(staying) } else { Ok(read(icmp.word() as u16, options, |_| true)) }
}

/// Checks an advertisement as [`parse_advertisement`] does and gives what its header says beside the router lifetime.
///
/// # Errors
/// The first rule of RFC 4861, section 6.1.2 that it breaks.
pub fn parse_parameters(ip: &Ipv6<'_>) -> Result<Parameters, NdFault> {
    let icmp = check(ip, Kind::RouterAdvertisement, FIXED)?;
    let word = icmp.word();
    // RFC 4191, section 2.2: the reserved value counts as medium, and nothing counts without a default route.
    let preference = route::preference((word >> 19) as u8 & 3).filter(|_| word as u16 != 0);
    Ok(Parameters {
        hop_limit: (word >> 24) as u8,
        reachable_time: be32(icmp.body(), 0),
        retrans_timer: be32(icmp.body(), 4),
        preference: preference.unwrap_or_default(),
    })
}

/// Reads the options; those without a lifetime in [`Lease`] of their own only where `wanted` says so of their lifetime.
fn read(router_lifetime: u16, options: &[u8], wanted: impl Fn(u32) -> bool) -> Lease {
    let mut lease = Lease { router_lifetime, ..Lease::default() };
    let mut shortest = Shortest::default();
    for option in Options::new(options).flatten() {
        match option.kind() {
            options::PREFIX => {
                if let Some(lifetime) = prefix::read(option, &mut lease) {
                    if wanted(lifetime) {
                        shortest.exact(lifetime);
                    } else {
                        lease.addresses.pop();
                    }
                }
            }
            options::ROUTE => lease.routes.extend(route::read(option)),
            options::MTU if option.0.len() == 8 => lease.mtu = be32(option.0, 4),
            options::RDNSS => {
                if let Some((servers, lifetime)) = dns::read_servers(option).filter(|(_, l)| wanted(*l)) {
                    lease.name_servers.extend(servers);
                    shortest.exact(lifetime);
                }
            }
            options::DNSSL => {
                if let Some((suffixes, lifetime)) = dns::read_suffixes(option).filter(|(_, l)| wanted(*l)) {
                    lease.suffixes.extend(suffixes);
                    shortest.exact(lifetime);
                }
            }
            options::PREF64 => {
                if let Some((prefix64, lifetime)) = pref64::read(option).filter(|(_, l)| wanted(*l)) {
                    lease.prefix64 = Some(prefix64);
                    shortest.rounded = Some(lifetime);
                }
            }
            _ => {}
        }
    }
    lease.lifetime = shortest.seconds();
    lease
}

/// The shortest lifetime seen. PREF64 can only say multiples of eight below a day, so it counts where it is alone.
#[derive(Default)]
struct Shortest {
    exact: Option<u32>,
    rounded: Option<u32>,
}

impl Shortest {
    fn exact(&mut self, lifetime: u32) {
        self.exact = Some(self.exact.map_or(lifetime, |l| l.min(lifetime)));
    }

    fn seconds(&self) -> u32 {
        self.exact.or(self.rounded).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
