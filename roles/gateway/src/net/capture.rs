//! Copies of packets for whoever captures: what came in and what became of it, what went out.
//!
//! While nobody captures this costs a packet one branch. A reader that is too slow loses copies, never the network packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sixgate_fabric::{Fabric, Grounds, Verdict};
use sixgate_io_link::Outer;
use sixgate_reason::Reason;
use sixgate_wire::checksum::Sum;
use sixgate_wire::flow::FlowKey;
use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::{Packet, Segmentation, protocol};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::nat64::is_v4;
use super::port::Way;

/// Captures at the same time.
const MOST: usize = 4;
/// Octets of copies that may wait for one reader.
const WAITING: u64 = 16 << 20;

/// Where a packet was seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Place {
    /// A port of the fabric.
    Port(Way),
    /// The IPv4 side of the translator.
    Nat64V4,
}

/// What became of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// It came in and goes on to this port. With what lets the flow be opened that it belongs to, and whether it is an answer.
    Passed { to: Way, grounds: Option<(Grounds, bool)> },
    /// It came in and was for the gateway.
    Consumed,
    /// It goes no further.
    Dropped(Reason),
    /// It went out.
    Sent,
}

/// A copy.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) at: SystemTime,
    pub(crate) place: Place,
    pub(crate) bytes: Vec<u8>,
    /// Octets of each segment that this super-packet is cut into on the wire.
    pub(crate) segment: Option<u16>,
    pub(crate) fate: Fate,
}

/// Whose packets are wanted.
#[derive(Clone, Default, Debug)]
pub(crate) struct Wanted {
    /// One of these addresses is an end of the packet, inner or outer.
    pub(crate) host: Option<Vec<IpAddr>>,
    /// This is an end of it.
    pub(crate) client: Option<Ipv6Addr>,
}

/// One who captures. Copies of it count together.
#[derive(Clone)]
pub(crate) struct Tap {
    pub(crate) wanted: Wanted,
    pub(crate) to: Sender<Captured>,
    pub(crate) meter: Arc<Meter>,
}

/// What both ends of a tap count.
#[derive(Default, Debug)]
pub(crate) struct Meter {
    waiting: AtomicU64,
    lost: AtomicU64,
}

impl Meter {
    /// The reader has taken a copy.
    pub(crate) fn took(&self, captured: &Captured) {
        self.waiting.fetch_sub(captured.bytes.len() as u64, Ordering::Relaxed);
    }

    /// Copies that were not made because the reader was too slow.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// All who capture.
#[derive(Default)]
pub(crate) struct Captures {
    taps: Vec<Tap>,
    /// The outer header of the ISATAP packet that is being worked on.
    outer: Option<Outer>,
    /// The ends of the IPv6 packet that is being translated.
    translating: Ends,
}

type Ends = [Option<IpAddr>; 4];

impl Captures {
    pub(crate) fn is_on(&self) -> bool {
        !self.taps.is_empty()
    }

    /// Takes one more; one too many is dropped, and its reader sees the end at once.
    pub(crate) fn add(&mut self, tap: Tap) {
        self.taps.retain(|tap| !tap.to.is_closed());
        if self.taps.len() < MOST {
            self.taps.push(tap);
        }
    }

    /// The outer header of what comes next out of the ISATAP link.
    pub(crate) fn set_outer(&mut self, outer: Option<Outer>) {
        self.outer = outer;
    }

    /// What the fabric said to a packet from the port `from`.
    #[cold]
    pub(crate) fn judged(&mut self, fabric: &Fabric, from: Way, packet: &Packet, verdict: &Verdict) {
        let fate = match verdict {
            Verdict::Send(port) => Fate::Passed { to: Way::of(*port), grounds: grounds(fabric, packet) },
            Verdict::Refuse { reason, .. } => Fate::Dropped(*reason),
        };
        let outer = self.outer.filter(|_| from == Way::Isatap);
        let mut bytes = with_outer(outer, packet.bytes());
        if let (Verdict::Send(_), Some(hop_limit)) =
            (verdict, bytes.get_mut(if outer.is_some() { 27 } else { 7 }))
        {
            // As it came in: the fabric has taken a hop.
            *hop_limit = hop_limit.saturating_add(1);
        }
        self.put(Place::Port(from), bytes, packet, ends(outer, packet.bytes()), fate);
    }

    /// A packet at a port of the fabric, with its fate.
    #[cold]
    pub(crate) fn at_port(&mut self, way: Way, packet: &Packet, fate: Fate) {
        self.put(Place::Port(way), packet.bytes().to_vec(), packet, ends(None, packet.bytes()), fate);
    }

    /// A packet of the ISATAP link.
    #[cold]
    pub(crate) fn at_isatap(&mut self, outer: Outer, packet: &Packet, fate: Fate) {
        let bytes = with_outer(Some(outer), packet.bytes());
        self.put(Place::Port(Way::Isatap), bytes, packet, ends(Some(outer), packet.bytes()), fate);
    }

    /// The IPv6 packet that goes into the translator; what comes out belongs to the same two.
    #[cold]
    pub(crate) fn before_translation(&mut self, packet: &Packet) {
        self.translating = ends(None, packet.bytes());
        self.at_port(Way::Nat64, packet, Fate::Sent);
    }

    /// The packet that came out of the translator: IPv4, or IPv6 where it works alone.
    #[cold]
    pub(crate) fn after_translation(&mut self, packet: &Packet) {
        let ends = both(ends(None, packet.bytes()), self.translating);
        let place = if is_v4(packet) { Place::Nat64V4 } else { Place::Port(Way::Nat64) };
        self.put(place, packet.bytes().to_vec(), packet, ends, Fate::Sent);
    }

    /// What comes next out of the translator belongs to nobody that is known here.
    pub(crate) fn translation_is_over(&mut self) {
        self.translating = [None; 4];
    }

    /// An IPv4 packet that came to the translator, and the IPv6 packet that it became.
    #[cold]
    pub(crate) fn translated_in(&mut self, came: &Packet, became: Option<&Packet>, fate: Fate) {
        let inner = became.map_or([None; 4], |packet| ends(None, packet.bytes()));
        self.put(Place::Nat64V4, came.bytes().to_vec(), came, both(ends(None, came.bytes()), inner), fate);
    }

    fn put(&mut self, place: Place, bytes: Vec<u8>, packet: &Packet, ends: Ends, fate: Fate) {
        let at = SystemTime::now();
        let segment = match packet.offload.segmentation {
            Segmentation::None => None,
            Segmentation::Tcp { mss } => Some(mss),
            Segmentation::Udp { size } => Some(size),
        };
        self.taps.retain(|tap| {
            if !tap.wanted.admits(&ends) {
                return !tap.to.is_closed();
            }
            tap.give(Captured { at, place, bytes: bytes.clone(), segment, fate })
        });
    }
}

impl Tap {
    /// False when nobody reads any more.
    fn give(&self, captured: Captured) -> bool {
        let octets = captured.bytes.len() as u64;
        if self.meter.waiting.load(Ordering::Relaxed) + octets > WAITING {
            self.meter.lost.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        // Counted first: the reader may take it before this thread goes on.
        self.meter.waiting.fetch_add(octets, Ordering::Relaxed);
        match self.to.try_send(captured) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.meter.waiting.fetch_sub(octets, Ordering::Relaxed);
                self.meter.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

impl Wanted {
    fn admits(&self, ends: &Ends) -> bool {
        let is_end = |address: IpAddr| ends.contains(&Some(address));
        self.host.as_ref().is_none_or(|addresses| addresses.iter().any(|a| is_end(*a)))
            && self.client.is_none_or(|client| is_end(IpAddr::V6(client)))
    }
}

/// What lets the flow be opened that the packet belongs to, and whether the packet answers it.
fn grounds(fabric: &Fabric, packet: &Packet) -> Option<(Grounds, bool)> {
    let ip = Ipv6::parse(packet.bytes()).ok()?;
    let upper = ip.upper().ok().filter(|upper| !upper.is_later_fragment())?;
    let key = FlowKey::of(&ip, &upper).ok()?;
    let opens = fabric.grounds(&key).map(|grounds| (grounds, false));
    opens.or_else(|| fabric.grounds(&key.reversed()).map(|grounds| (grounds, true)))
}

/// The ends of a packet, and of the one around it.
fn ends(outer: Option<Outer>, bytes: &[u8]) -> Ends {
    let around = outer.map(|o| (IpAddr::V4(o.src), IpAddr::V4(o.dst)));
    let own = match Ipv6::parse_quoted(bytes) {
        Ok(ip) => Some((IpAddr::V6(ip.src()), IpAddr::V6(ip.dst()))),
        Err(_) => Ipv4::parse(bytes).ok().map(|ip| (IpAddr::V4(ip.src()), IpAddr::V4(ip.dst()))),
    };
    [own.map(|e| e.0), own.map(|e| e.1), around.map(|e| e.0), around.map(|e| e.1)]
}

fn both(one: Ends, other: Ends) -> Ends {
    [one[0], one[1], other[0], other[1]]
}

/// The packet in its outer header, of which the socket keeps addresses, time to live and type of service.
fn with_outer(outer: Option<Outer>, packet: &[u8]) -> Vec<u8> {
    let Some(outer) = outer else { return packet.to_vec() };
    let mut header = [0; 20];
    header[0] = 0x45;
    header[1] = outer.tos;
    // A merged packet may be longer than IPv4 can say; readers go by the length of the record then.
    let length = u16::try_from(packet.len() + 20).unwrap_or(0);
    header[2..4].copy_from_slice(&length.to_be_bytes());
    header[8] = outer.ttl;
    header[9] = protocol::IPV6;
    header[12..16].copy_from_slice(&outer.src.octets());
    header[16..20].copy_from_slice(&outer.dst.octets());
    let sum = Sum::default().with(&header).finish();
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&header[..], packet].concat()
}

/// The outer header of what we send: the kernel writes the rest of it.
pub(crate) const fn own_outer(src: Ipv4Addr, dst: Ipv4Addr) -> Outer {
    Outer { src, dst, ttl: 64, tos: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn packet(src: &str, dst: &str) -> Packet {
        let mut bytes = vec![0; 48];
        bytes[0] = 0x60;
        bytes[5] = 8;
        bytes[6] = protocol::UDP;
        bytes[7] = 64;
        bytes[8..24].copy_from_slice(&src.parse::<Ipv6Addr>().unwrap().octets());
        bytes[24..40].copy_from_slice(&dst.parse::<Ipv6Addr>().unwrap().octets());
        Packet::from_slice(&bytes)
    }

    fn tap(wanted: Wanted, room: usize) -> (Captures, mpsc::Receiver<Captured>, Arc<Meter>) {
        let (to, from) = mpsc::channel(room);
        let meter = Arc::new(Meter::default());
        let mut captures = Captures::default();
        captures.add(Tap { wanted, to, meter: Arc::clone(&meter) });
        (captures, from, meter)
    }

    #[test]
    fn a_packet_of_the_isatap_link_is_shown_in_its_outer_header() {
        let (mut captures, mut from, _) = tap(Wanted::default(), 8);
        let outer =
            Outer { src: Ipv4Addr::new(10, 6, 8, 20), dst: Ipv4Addr::new(10, 6, 0, 1), ttl: 63, tos: 3 };
        captures.at_isatap(outer, &packet("fd00:2::1", "fd00:1::1"), Fate::Consumed);
        let seen = from.try_recv().unwrap();
        let ip = Ipv4::parse(&seen.bytes).unwrap();
        assert_eq!((ip.src(), ip.dst(), ip.ttl(), ip.protocol()), (outer.src, outer.dst, 63, 41));
        assert_eq!(Sum::default().with(&seen.bytes[..20]).finish(), 0);
        assert_eq!(&seen.bytes[20..], packet("fd00:2::1", "fd00:1::1").bytes());
    }

    #[test]
    fn only_what_is_wanted_is_copied_by_inner_and_outer_ends() {
        let host = vec!["10.6.8.20".parse().unwrap(), "fd00:2::5efe:a06:814".parse().unwrap()];
        let client = Some("fd00:1::1".parse().unwrap());
        let (mut captures, mut from, _) = tap(Wanted { host: Some(host), client }, 8);
        let outer = |last| own_outer(Ipv4Addr::new(10, 6, 0, 1), Ipv4Addr::new(10, 6, 8, last));
        captures.at_isatap(outer(20), &packet("fd00:1::1", "fe80::1"), Fate::Sent);
        captures.at_isatap(outer(21), &packet("fd00:1::1", "fe80::1"), Fate::Sent);
        captures.at_port(Way::Kernel, &packet("fd00:1::1", "fd00:2::5efe:a06:814"), Fate::Sent);
        captures.at_port(Way::Kernel, &packet("fd00:1::2", "fd00:2::5efe:a06:814"), Fate::Sent);
        let mut seen = 0;
        while from.try_recv().is_ok() {
            seen += 1;
        }
        assert_eq!(seen, 2);
    }

    #[test]
    fn a_reader_that_is_slow_loses_copies_and_is_told_and_one_that_left_costs_nothing_more() {
        let (mut captures, mut from, meter) = tap(Wanted::default(), 2);
        for _ in 0..5 {
            captures.at_port(Way::Kernel, &packet("fd00::1", "fd00::2"), Fate::Sent);
        }
        assert_eq!(meter.lost(), 3);
        let captured = from.try_recv().unwrap();
        meter.took(&captured);
        assert_eq!(meter.waiting.load(Ordering::Relaxed), 48);
        drop(from);
        captures.at_port(Way::Kernel, &packet("fd00::1", "fd00::2"), Fate::Sent);
        assert!(!captures.is_on());
    }
}
