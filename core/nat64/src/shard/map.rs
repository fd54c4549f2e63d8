//! The pure function from a packet to the shard that it belongs to.

use alloc::vec::Vec;
use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::Ipv4Prefix;
use sixgate_wire::ipv4::{self, Ipv4};
use sixgate_wire::{ipv6, protocol};

use crate::config::Config;
use crate::endpoint::{Outside, Proto};
use crate::fragments::{Datagram, Part};
use crate::keyed::Key;
use crate::scope;
use crate::share::Share;
use crate::translate::{Layout4, Layout6, Quote4, Quote6};

/// ICMPv4 types of queries that have an identifier and are translated.
pub(super) const QUERIES: [u8; 2] = [0, 8];
/// ICMPv4 types of errors.
const ERRORS: [u8; 5] = [3, 4, 5, 11, 12];
/// ICMPv6 types below this are errors.
pub(super) const FIRST_QUERY6: u8 = 128;

/// Whose packet it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owner {
    /// The shard with this index has its session, or would make it.
    One(u16),
    /// A part of an IPv4 datagram, whose home is the shard with this index.
    Part {
        /// Where the datagram's parts are brought together.
        home: u16,
    },
    /// No shard knows anything of it: whoever has it can deal with it.
    Anybody,
}

/// Who has what, the same for all shards of a translator.
#[derive(Clone)]
pub struct ShardMap {
    share: Share,
    /// Which octets of an address make a client.
    pub(super) client_mask: u128,
    /// Chosen at random: nobody outside can tell which addresses meet in one shard.
    pub(super) of_client: [u64; 5],
    pub(super) of_datagram: [u64; 4],
    sources: Key,
    /// Static bindings by their outside, with the owner of their inside.
    statics: Vec<(Proto, Outside, u16)>,
    pool: Vec<Ipv4Prefix>,
}

impl fmt::Debug for ShardMap {
    /// Without what makes it unpredictable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardMap").field("share", &self.share).finish_non_exhaustive()
    }
}

impl ShardMap {
    /// The map for `config.share.of` shards. Addresses that have the first `client_bits` bits in common are one client and
    /// are not parted; the seed must be the same for all shards.
    #[must_use]
    pub fn new(config: &Config, client_bits: u8, seed: &[u8; 32]) -> Self {
        let hashes = Key::derive(seed, 20);
        let mut map = Self {
            share: config.share,
            client_mask: !u128::MAX.checked_shr(u32::from(client_bits)).unwrap_or(0),
            of_client: core::array::from_fn(|n| hashes.hash(&[0, n as u8])),
            of_datagram: core::array::from_fn(|n| hashes.hash(&[1, n as u8])),
            sources: Key::derive(seed, 22),
            statics: Vec::new(),
            pool: config.pool.iter().map(|entry| entry.addresses).collect(),
        };
        let statics = config.statics.iter();
        map.statics = statics.map(|s| (s.protocol, s.outside, map.of_client(s.inside.address))).collect();
        // The first one counts where two have one outside, as in the translator.
        map.statics.sort_by_key(|s| (s.0, s.1));
        map.statics.dedup_by_key(|s| (s.0, s.1));
        map
    }

    /// How many shards there are.
    #[must_use]
    pub const fn shards(&self) -> u16 {
        if self.share.of == 0 { 1 } else { self.share.of }
    }

    /// The shard of a client.
    #[must_use]
    pub fn of_client(&self, address: Ipv6Addr) -> u16 {
        let bits = address.to_bits() & self.client_mask;
        self.choose(&self.of_client, core::array::from_fn::<u32, 4, _>(|n| (bits >> (96 - 32 * n)) as u32))
    }

    /// A shard by multiply-shift: any two things meet in one with a chance of one in `shards`, and the kernel can do the same
    /// sum ([`ShardMap::steering`]).
    fn choose<const N: usize>(&self, by: &[u64], words: [u32; N]) -> u16 {
        let add = by.first().copied().unwrap_or(0);
        let sum =
            by.iter().skip(1).zip(words).fold(add, |sum, (multiplier, word)| {
                sum.wrapping_add(multiplier.wrapping_mul(u64::from(word)))
            });
        ((sum >> 32) % u64::from(self.shards())) as u16
    }

    /// How many bits of a port say nothing of its shard.
    pub(super) fn unit_bits(&self) -> i32 {
        // At most 15.
        self.share.unit().trailing_zeros() as i32
    }

    /// The shard of an outside transport address.
    #[must_use]
    pub fn of_outside(&self, proto: Proto, outside: Outside) -> u16 {
        if !self.statics.is_empty()
            && let Ok(found) = self.statics.binary_search_by_key(&(proto, outside), |s| (s.0, s.1))
        {
            return self.statics[found].2;
        }
        self.share.owner_of_port(outside.port)
    }

    /// Whose packet `bytes` is. Reads what it needs and judges nothing: that is the owner's business.
    #[must_use]
    pub fn owner(&self, bytes: &[u8]) -> Owner {
        let owner = match bytes.first().map(|first| first >> 4) {
            Some(4) => self.owner4(bytes),
            Some(6) => self.owner6(bytes),
            _ => None,
        };
        owner.unwrap_or(Owner::Anybody)
    }

    /// Which datagram an IPv4 fragment is a part of, and its home.
    pub(super) fn datagram(&self, ip: &Ipv4<'_>) -> (Datagram, u16) {
        let datagram = Datagram {
            src: ip.src().to_ipv6_mapped(),
            dst: ip.dst().to_ipv6_mapped(),
            identification: u32::from(ip.identification()),
            protocol: ip.protocol(),
        };
        let rest = u32::from(ip.identification()) << 8 | u32::from(ip.protocol());
        let home = self.choose(&self.of_datagram, [ip.src().to_bits(), ip.dst().to_bits(), rest]);
        (datagram, home)
    }

    /// The octets of a datagram that a fragment has, unless a translator refuses it whatever the others say: then it must
    /// not keep a good one out.
    pub(super) fn worth_keeping(&self, bytes: &[u8]) -> Option<Part> {
        let at = Layout4::of(bytes).ok()?;
        let ours = self.pool.iter().any(|prefix| prefix.contains(at.dst))
            || self.statics.iter().any(|(_, outside, _)| outside.address == at.dst);
        let carried = Proto::from_v4(at.protocol).is_some();
        let part = at.fragment.filter(|_| ours && carried && at.ttl > 1 && !scope::unusable_v4(at.src))?;
        Some(Part { offset: part.offset, length: at.total - at.transport, more: part.more })
    }

    /// What the first fragment of a datagram says of its owner.
    pub(super) fn owner_by_first(&self, ip: &Ipv4<'_>) -> Option<u16> {
        let (proto, outside) = outside_of(ip.dst(), ip.protocol(), ip.payload())?;
        Some(self.of_outside(proto, outside))
    }

    /// The key for choices that all shards must make alike.
    pub(crate) const fn sources(&self) -> Key {
        self.sources
    }

    fn owner4(&self, bytes: &[u8]) -> Option<Owner> {
        let header = bytes.first_chunk::<{ ipv4::HEADER }>()?;
        if header[6] & 0x3f != 0 || header[7] != 0 {
            let ip = Ipv4::parse(bytes).ok()?;
            return Some(Owner::Part { home: self.datagram(&ip).1 });
        }
        let dst = [header[16], header[17], header[18], header[19]].into();
        let transport = bytes.get(usize::from(header[0] & 0x0f) * 4..)?;
        if let Some((proto, outside)) = outside_of(dst, header[9], transport) {
            return Some(Owner::One(self.of_outside(proto, outside)));
        }
        if header[9] != protocol::ICMP || !ERRORS.contains(transport.first()?) {
            return None;
        }
        // What lies behind the packet is no part of its quote.
        let quote = Quote4::of(Ipv4::parse(bytes).ok()?.payload())?;
        let outside = Outside { address: quote.layout.src, port: quote.ports.src };
        Some(Owner::One(self.of_outside(quote.proto, outside)))
    }

    fn owner6(&self, bytes: &[u8]) -> Option<Owner> {
        let header = bytes.first_chunk::<{ ipv6::HEADER }>()?;
        let mut src = [0; 16];
        src.copy_from_slice(&header[8..24]);
        let transport = match header[6] {
            protocol::TCP | protocol::UDP => None,
            protocol::ICMPV6 => Some(ipv6::HEADER),
            // Behind other headers there may be an ICMPv6 error as well; a fragmented one is no error to anybody.
            _ => Layout6::of(bytes)
                .ok()
                .filter(|at| at.protocol == protocol::ICMPV6 && at.part().is_none())
                .map(|at| at.transport),
        };
        if let Some(message) = transport.and_then(|at| bytes.get(at..))
            && message.first().is_some_and(|kind| *kind < FIRST_QUERY6)
        {
            return Some(Owner::One(self.of_client(Quote6::of(message)?.layout.dst)));
        }
        Some(Owner::One(self.of_client(src.into())))
    }
}

/// The outside transport address that a packet to `dst` is for, if it says.
fn outside_of(dst: Ipv4Addr, number: u8, transport: &[u8]) -> Option<(Proto, Outside)> {
    let (proto, at) = match number {
        protocol::TCP => (Proto::Tcp, 2),
        protocol::UDP => (Proto::Udp, 2),
        protocol::ICMP if QUERIES.contains(transport.first()?) => (Proto::Icmp, 4),
        _ => return None,
    };
    let port = transport.get(at..at + 2)?;
    Some((proto, Outside { address: dst, port: u16::from_be_bytes([port[0], port[1]]) }))
}
