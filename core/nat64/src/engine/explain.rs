//! What would become of a packet, and why, without letting it happen.
//!
//! Nothing is decided here. The packet takes the real way through a twin: an engine that has of the tables just what
//! this packet can touch, a copy of it. What the twin did with it is what the engine would do, and the engine itself is
//! only read.

mod ends;
mod twin;

use alloc::vec::Vec;
use core::cell::Cell;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::NAT64_SOURCE_MARTIAN;
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::addr::Prefix64;
use sixgate_wire::ipv6::Ipv6;

use super::resolve::Target;
use super::{BibView, EXPIRIES_A_PACKET, Nat64, SessionView, Verdict};
use crate::endpoint::{Peer, Proto};
use crate::pool::PoolView;
use crate::ways::Ways;
use ends::{End, Ends};

/// What would become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What the engine would answer.
    pub verdict: Verdict,
    /// The packet as it would leave; empty unless it is translated.
    pub packet: Vec<u8>,
    /// What would come out beside it: errors, fragments, the hairpinned packet.
    pub output: Vec<Vec<u8>>,
    /// What is due at this moment and would come out before, whatever the packet is: every packet ends what is over.
    pub due: Vec<Vec<u8>>,
    /// The prefix that the IPv6 destination is in, and the address that it embeds.
    pub target: Option<(Prefix64, Ipv4Addr)>,
    /// The destination is one of our own addresses: the packet would come in again.
    pub hairpin: bool,
    /// Bindings and sessions, in the order in which the packet meets them; none where it ends before.
    pub uses: Vec<Use>,
    /// What was asked of the way that an IPv4 packet leaves by, and the MTU that it has.
    pub way4: Option<(Ipv4Addr, u16)>,
    /// What was asked of the way that an IPv6 packet leaves by, and the MTU that it has.
    pub way6: Option<(Ipv6Addr, u16)>,
    /// The rate of our own errors is used up at this moment: for each family, IPv6 first.
    pub silenced: [bool; 2],
    /// What the client of the inside has at this moment: sessions and outside ports.
    pub client: Option<(u32, u32)>,
    /// A packet to an address of the pool whose binding another translator has, which shares the pool.
    pub crosses: Option<Vec<u8>>,
}

/// A binding and a session of it, before and after the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// Protocol.
    pub protocol: Proto,
    /// The IPv4 end.
    pub peer: Peer,
    /// The binding that is there.
    pub binding_before: Option<BibView>,
    /// The binding that there would be.
    pub binding: Option<BibView>,
    /// The session that is there.
    pub session_before: Option<SessionView>,
    /// The session that there would be.
    pub session: Option<SessionView>,
    /// The part of the pool that the outside end is of; a static binding may have one of none.
    pub pool: Option<PoolView>,
}

impl Nat64 {
    /// What would become of `packet` at `now`; its version says from which side it comes. Nothing changes: no table, no
    /// timer, no token and no random number. For people who ask why, not for the packet path: it copies.
    #[must_use]
    pub fn explain(&self, now: Instant, packet: &[u8], ways: impl Ways) -> Explanation {
        self.explain_from(now, packet, ways, true)
    }

    /// The same for a packet that another translator has turned back, which shares the pool: [`Explanation::crosses`].
    #[must_use]
    pub fn explain_crossed(&self, now: Instant, packet: &[u8], ways: impl Ways) -> Explanation {
        self.explain_from(now, packet, ways, false)
    }

    fn explain_from(&self, now: Instant, packet: &[u8], ways: impl Ways, network: bool) -> Explanation {
        let first = self.ends(packet);
        let hairpin = self.target_of(packet).is_some_and(|target| self.is_hairpin(target));
        let mut ends: Vec<Ends> = first.into_iter().collect();
        if hairpin && let Some(first) = first {
            // Which binding it comes in by depends on the end that it would leave from.
            let mut twin = self.twin(packet, &ends);
            twin.expire(now, EXPIRIES_A_PACKET);
            let _ = pass(&mut twin, now, packet, &ways, network);
            ends.extend(first.hairpinned(&twin));
        }
        let mut twin = self.twin(packet, &ends);
        let before: Vec<_> = ends.iter().map(|ends| found(self, ends)).collect();
        let recorder = Recorder { ways: &ways, way4: Cell::new(None), way6: Cell::new(None) };
        twin.expire(now, EXPIRIES_A_PACKET);
        let due = drained(&mut twin);
        let (verdict, left) = pass(&mut twin, now, packet, &recorder, network);
        let output = drained(&mut twin);
        let mut out = Packet::new();
        let crosses = twin.poll_hairpin(&mut out).then(|| out.bytes().to_vec());
        if crosses.is_some() {
            // By which binding it comes in again, the other translator knows.
            ends.truncate(1);
        }
        let uses = ends.iter().zip(before).map(|(ends, before)| used(&twin, ends, before)).collect();
        let client = match first.map(|f| f.end) {
            Some(End::Inside(inside)) => Some(inside.address),
            Some(End::Outside(_)) | None => None,
        };
        let (mut errors6, mut errors4) = (self.errors6, self.errors4);
        Explanation {
            verdict,
            packet: left,
            output,
            due,
            target: self
                .target_of(packet)
                .and_then(|t| Some((*self.config.prefixes.get(usize::from(t.prefix))?, t.address))),
            hairpin,
            uses,
            way4: recorder.way4.get(),
            way6: recorder.way6.get(),
            silenced: [!errors6.take(now), !errors4.take(now)],
            client: client.map(|client| self.clients.counts_of(self.clients.of(client))),
            crosses,
        }
    }

    /// Where an IPv6 packet goes, if it may.
    fn target_of(&self, packet: &[u8]) -> Option<Target> {
        let ip = Ipv6::parse(packet).ok()?;
        self.target(ip.src(), ip.dst()).ok()
    }
}

/// Sends a copy of the packet through; gives the verdict, and the packet if it was translated. Whoever reads from the
/// network looks for forgeries.
fn pass(
    twin: &mut Nat64,
    now: Instant,
    packet: &[u8],
    ways: &impl Ways,
    network: bool,
) -> (Verdict, Vec<u8>) {
    let mut copy = Packet::from_slice(packet);
    let four = packet.first().is_some_and(|octet| octet >> 4 == 4);
    let verdict = match four {
        true if network && twin.is_forged(&copy) => Verdict::Drop(NAT64_SOURCE_MARTIAN),
        true => twin.take_v4(now, &mut copy, ways),
        false => twin.take_v6(now, &mut copy, ways),
    };
    match verdict {
        Verdict::Translated => (verdict, copy.bytes().to_vec()),
        Verdict::Consumed | Verdict::Drop(_) => (verdict, Vec::new()),
    }
}

/// All that waits to be sent.
fn drained(twin: &mut Nat64) -> Vec<Vec<u8>> {
    let mut out = Packet::new();
    core::iter::from_fn(|| twin.poll_output(&mut out).then(|| out.bytes().to_vec())).collect()
}

fn found(nat: &Nat64, ends: &Ends) -> (Option<BibView>, Option<SessionView>) {
    let id = ends.binding(nat);
    let session = ends.session(nat);
    (
        id.and_then(|id| nat.bib.get(id)).map(Nat64::view_binding),
        session.and_then(|id| nat.sessions.get(id)).and_then(|s| nat.view_session(s)),
    )
}

fn used(twin: &Nat64, ends: &Ends, before: (Option<BibView>, Option<SessionView>)) -> Use {
    let (binding, session) = found(twin, ends);
    let outside = binding.or(before.0).map(|b| b.outside);
    Use {
        protocol: ends.proto,
        peer: ends.peer,
        binding_before: before.0,
        binding,
        session_before: before.1,
        session,
        pool: outside.and_then(|outside| twin.pool.view_of(ends.proto, outside)),
    }
}

/// Remembers what the translator wanted to know of the ways out.
struct Recorder<'a, W> {
    ways: &'a W,
    way4: Cell<Option<(Ipv4Addr, u16)>>,
    way6: Cell<Option<(Ipv6Addr, u16)>>,
}

impl<W: Ways> Ways for Recorder<'_, W> {
    fn mtu4(&self, destination: Ipv4Addr) -> u16 {
        let mtu = self.ways.mtu4(destination);
        self.way4.set(Some((destination, mtu)));
        mtu
    }

    fn mtu6(&self, destination: Ipv6Addr) -> u16 {
        let mtu = self.ways.mtu6(destination);
        self.way6.set(Some((destination, mtu)));
        mtu
    }
}
