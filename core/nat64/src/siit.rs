//! The stateless translator (RFC 7915) with explicit address mappings (RFC 7757): addresses are the only thing that it
//! decides, and a packet is all that it knows.
//!
//! Driven as [`crate::Nat64`] is, but for time: nothing happens without a packet.

mod addresses;
mod eam;
mod errors;
mod to_v4;
mod to_v6;
mod transport;

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::Reason;
use sixgate_time::{Instant, TokenBucket};
use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};
use sixgate_wire::{Offload, Packet};

use crate::config::ZeroChecksum;
use crate::engine::Verdict;
use crate::engine::own::{Refused4, Refused6, own_error4, own_error6};
use crate::identification::Identifications;
use crate::keyed::Key;
use crate::output::Output;
use crate::share::Share;
use crate::ways::Ways;

pub use addresses::{Addresses, By};
pub use eam::{Eam, EamTable};

/// Settings of a [`Siit`]. The values are taken as they are: they are checked where they are read.
#[derive(Clone, Debug)]
pub struct SiitConfig {
    /// Prefixes that stand for IPv4 (RFC 6052); without any only the mappings translate.
    pub prefixes: Vec<Prefix64>,
    /// Explicit mappings (RFC 7757).
    pub mappings: Vec<Eam>,
    /// What becomes of packets between two nodes that have mappings.
    pub hairpinning: Hairpinning,
    /// Packets without "don't fragment" are cut to this on the IPv6 side (RFC 7915, section 4).
    pub lowest_ipv6_mtu: u16,
    /// IPv4 UDP datagrams without checksum.
    pub zero_checksum: ZeroChecksum,
    /// Lifts RFC 6052, section 3.1 for `64:ff9b::/96`.
    pub well_known_non_global: bool,
    /// Sources of ICMPv4 errors whose IPv6 source has no IPv4 address (RFC 6791); without it `gateway4`.
    pub source4: Option<Ipv4Prefix>,
    /// Sources of ICMPv6 errors whose IPv4 source has no IPv6 address; without it `gateway6`.
    pub source6: Option<Ipv6Prefix>,
    /// Source of our own ICMPv4 errors.
    pub gateway4: Ipv4Addr,
    /// Source of our own ICMPv6 errors.
    pub gateway6: Ipv6Addr,
    /// Writes zero instead of copying traffic class and type of service.
    pub reset_traffic_class: bool,
    /// ICMP errors that we send a second, for each family.
    pub errors_per_second: u32,
    /// Which of several translators this is, as far as they must not do the same: identifications are dealt among them.
    pub share: Share,
}

impl Default for SiitConfig {
    fn default() -> Self {
        Self {
            prefixes: Vec::new(),
            mappings: Vec::new(),
            hairpinning: Hairpinning::Intrinsic,
            lowest_ipv6_mtu: 1280,
            zero_checksum: ZeroChecksum::Drop,
            well_known_non_global: false,
            source4: None,
            source6: None,
            gateway4: Ipv4Addr::UNSPECIFIED,
            gateway6: Ipv6Addr::UNSPECIFIED,
            reset_traffic_class: false,
            errors_per_second: 500,
            share: Share::default(),
        }
    }
}

/// What becomes of a packet from a node with a mapping to the translated address of another (RFC 7757, section 4). The
/// answer must come from the address that was written to, or the node that asked takes it for a stranger's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hairpinning {
    /// It goes out in IPv4 and comes back by itself, if at all, and is answered past the translator.
    Off,
    /// No source of a packet from the IPv4 side is translated by a mapping (section 4.2.1).
    Simple,
    /// Such a packet, and an error about one, turns round in the translator (section 4.2.2).
    Intrinsic,
}

/// A stateless translator.
pub struct Siit {
    config: SiitConfig,
    addresses: Addresses,
    /// Choose among `source4` and `source6`.
    keys: (Key, Key),
    identifications: Identifications,
    errors6: TokenBucket,
    errors4: TokenBucket,
    output: Output,
    scratch: Packet,
}

impl Siit {
    /// A translator with these settings.
    #[must_use]
    pub fn new(config: SiitConfig, seed: [u8; 32]) -> Self {
        let rate = config.errors_per_second;
        Self {
            addresses: addresses(&config),
            keys: (Key::derive(&seed, 8), Key::derive(&seed, 9)),
            identifications: Identifications::new(Key::derive(&seed, 7), config.share),
            errors6: TokenBucket::new(rate, rate),
            errors4: TokenBucket::new(rate, rate),
            output: Output::default(),
            scratch: Packet::new(),
            config,
        }
    }

    /// Takes over other settings, the share apart.
    pub fn reconfigure(&mut self, config: SiitConfig) {
        let rate = config.errors_per_second;
        if rate != self.config.errors_per_second {
            self.errors6 = TokenBucket::new(rate, rate);
            self.errors4 = TokenBucket::new(rate, rate);
        }
        self.addresses = addresses(&config);
        self.config = SiitConfig { share: self.config.share, ..config };
    }

    /// Translates a packet from the IPv6 side. `ways` says how large it may be.
    ///
    /// A packet that turns round (RFC 7757, section 4.2.2) is [`Verdict::Translated`] too, and of IPv6 again. Drain
    /// [`Siit::poll_output`] afterwards. With [`Verdict::Drop`] and [`Verdict::Consumed`] the packet's content is of no
    /// more use.
    pub fn outbound(&mut self, now: Instant, packet: &mut Packet, ways: impl Ways) -> Verdict {
        match self.take_v6(now, packet, &ways) {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Drop(self.drop6(now, packet, why)),
        }
    }

    /// Translates a packet from the IPv4 side. `ways` says how large it may be. Otherwise like [`Siit::outbound`].
    pub fn inbound(&mut self, now: Instant, packet: &mut Packet, ways: impl Ways) -> Verdict {
        self.enter_v4(now, packet, &ways, false)
    }

    /// Moves the next packet to be sent into `out`; false when there is none. Its version says to which side it goes.
    pub fn poll_output(&mut self, out: &mut Packet) -> bool {
        self.output.poll(out)
    }

    /// Packets of the output that were lost because nobody drained it or `out` was too small.
    #[must_use]
    pub const fn output_lost(&self) -> u64 {
        self.output.lost()
    }

    /// Which address stands for which.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Settings.
    #[must_use]
    pub const fn config(&self) -> &SiitConfig {
        &self.config
    }

    /// An IPv4 packet, which has `turned` round in here or came from outside.
    fn enter_v4(&mut self, now: Instant, packet: &mut Packet, ways: &impl Ways, turned: bool) -> Verdict {
        match self.take_v4(packet, ways, turned) {
            Ok(verdict) => verdict,
            Err(why) => Verdict::Drop(self.drop4(now, packet, why)),
        }
    }

    /// The verdict on an IPv6 packet that `why` refuses; `packet` is still what it was.
    fn drop6(&mut self, now: Instant, packet: &Packet, why: Refused6) -> Reason {
        if let Some(refusal) = why.refusal
            && own_error6(self.config.gateway6, packet.bytes(), refusal, &mut self.scratch)
            && self.errors6.take(now)
        {
            self.output.push(&[self.scratch.bytes()], Offload::default());
        }
        why.reason
    }

    /// The verdict on an IPv4 packet that `why` refuses; `packet` is still what it was.
    fn drop4(&mut self, now: Instant, packet: &Packet, why: Refused4) -> Reason {
        if let Some(refusal) = why.refusal
            && let Some(error) = own_error4(self.config.gateway4, packet.bytes(), refusal)
            && self.errors4.take(now)
        {
            let (header, icmp, quoted) = error.octets(&mut self.identifications);
            self.output.push(&[&header, &icmp, quoted], Offload::default());
        }
        why.reason
    }
}

fn addresses(config: &SiitConfig) -> Addresses {
    Addresses::new(config.prefixes.clone(), config.mappings.clone(), config.well_known_non_global)
}
