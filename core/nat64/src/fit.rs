//! Whether an IPv4 packet fits the IPv6 link after translation, and what must be done so that it does (RFC 7915, section 4).

use sixgate_wire::{Offload, Packet, Segmentation};

use crate::endpoint::Proto;
use crate::output::Output;
use crate::translate::{
    Carried, Layout4, cut, cut_datagrams, fill_udp_checksum, finish_partial, largest_v6, prepare_udp_partial,
};

/// No IPv6 link is narrower.
const NARROWEST: u16 = 1280;

/// How a packet fits the IPv6 link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fit {
    /// Goes out with a fragment header.
    pub(crate) fragment_header: bool,
    /// Octets of a packet; what is larger and has a fragment header is cut.
    limit: usize,
    /// A super-packet is to be cut into smaller segments than it says.
    mss: Option<u16>,
}

impl Fit {
    /// For a link of `mtu6`, behind which no packet without "don't fragment" may be larger than `lowest`.
    ///
    /// # Errors
    /// The MTU that the sender of a packet with "don't fragment" is to be told.
    pub(crate) fn of(packet: &Packet, at: &Layout4, mtu6: u16, lowest: u16) -> Result<Self, u16> {
        let mtu6 = usize::from(mtu6.max(NARROWEST));
        let segmentation = packet.offload.segmentation;
        let largest = largest_v6(packet.bytes(), at, segmentation);
        let growth = if at.fragment.is_some() { 28 } else { 20 };
        if at.dont_fragment {
            if largest - 20 + growth > mtu6 {
                // At most 65,535 - 20.
                return Err((mtu6 - growth) as u16);
            }
            return Ok(Self { fragment_header: at.fragment.is_some(), limit: usize::MAX, mss: None });
        }
        let limit = mtu6.min(usize::from(lowest)).max(usize::from(NARROWEST));
        if largest <= limit {
            return Ok(Self { fragment_header: at.fragment.is_some(), limit, mss: None });
        }
        if let Segmentation::Tcp { mss } = segmentation {
            // The segments do not exist yet: they may as well be made to fit, instead of being made and cut.
            let mss = usize::from(mss).saturating_sub(largest - limit).max(1);
            return Ok(Self { fragment_header: false, limit, mss: Some(mss as u16) });
        }
        Ok(Self { fragment_header: true, limit, mss: None })
    }

    /// Makes the translated `packet` fit. False when all of it is in `output`; otherwise the first piece is `packet`.
    pub(crate) fn apply(self, packet: &mut Packet, output: &mut Output) -> bool {
        if let Some(mss) = self.mss {
            packet.offload.segmentation = Segmentation::Tcp { mss };
        }
        if !self.fragment_header || packet.len() <= self.limit {
            return true;
        }
        if let Segmentation::Udp { size } = packet.offload.segmentation {
            cut_datagrams(packet, size, self.limit, |piece| output.push(&piece, Offload::default()));
            return false;
        }
        // No device could finish a checksum across fragments.
        finish_partial(packet);
        cut(packet, self.limit, |piece| output.push(&piece, Offload::default()));
        true
    }
}

/// Gives a whole UDP datagram the checksum that it lacks, where its lack was let pass (RFC 7915, section 4.5).
pub(crate) fn give_checksum(packet: &mut Packet, at: &Layout4, carried: impl Into<Carried>) {
    if carried.into() != Carried::Known(Proto::Udp) || packet.offload.partial_checksum.is_some() {
        return;
    }
    let missing = packet.bytes().get(at.transport + 6..at.transport + 8) == Some(&[0, 0]);
    if !missing {
        return;
    }
    match packet.offload.segmentation {
        // Each datagram needs its own: the device makes them.
        Segmentation::Udp { .. } => prepare_udp_partial(packet, at),
        Segmentation::None | Segmentation::Tcp { .. } => {
            fill_udp_checksum(&mut packet.bytes_mut()[at.transport..at.total], at.src, at.dst);
        }
    }
}
