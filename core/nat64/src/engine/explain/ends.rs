//! By which entries of the tables a packet can go.

use sixgate_wire::ipv4::Ipv4;
use sixgate_wire::ipv6::Ipv6;

use crate::endpoint::{Inside, Outside, Peer, Proto};
use crate::engine::Nat64;
use crate::engine::fragment::{datagram4, datagram6};
use crate::engine::outbound::{peer_port, quoted_peer_port};
use crate::translate::{Layout4, Layout6, Quote4, Quote6, ends4, ends6};

/// The key of a binding: either end of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    Inside(Inside),
    Outside(Outside),
}

/// The keys of a binding and of one of its sessions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ends {
    pub(super) proto: Proto,
    pub(super) end: End,
    pub(super) peer: Peer,
}

impl Ends {
    /// The binding's number in the tables of `nat`.
    pub(super) fn binding(&self, nat: &Nat64) -> Option<u32> {
        match self.end {
            End::Inside(inside) => nat.bib.by_inside(self.proto, inside),
            End::Outside(outside) => nat.bib.by_outside(self.proto, outside),
        }
    }

    /// The session's number in the tables of `nat`.
    pub(super) fn session(&self, nat: &Nat64) -> Option<u32> {
        match self.end {
            End::Inside(inside) => nat.sessions.by_inside(self.proto, inside, self.peer),
            End::Outside(outside) => nat.sessions.by_outside(self.proto, outside, self.peer),
        }
    }

    /// By which a packet comes in that left by these to one of our own addresses; `nat` is the engine that it left.
    pub(super) fn hairpinned(&self, nat: &Nat64) -> Option<Self> {
        let left = nat.bib.get(self.binding(nat)?)?.outside;
        // An ICMP query has one identifier for both of its ends.
        let port = if self.proto == Proto::Icmp { left.port } else { self.peer.port };
        let end = End::Outside(Outside { address: self.peer.address, port });
        let peer = Peer { address: left.address, port: peer_port(self.proto, left.port) };
        Some(Self { proto: self.proto, end, peer })
    }
}

impl Nat64 {
    /// The ends of a packet, or of the one that an ICMP error quotes; `None` when it has none that the tables know.
    pub(super) fn ends(&self, packet: &[u8]) -> Option<Ends> {
        match packet.first()? >> 4 {
            4 => self.ends4(packet),
            _ => self.ends6(packet),
        }
    }

    fn ends6(&self, packet: &[u8]) -> Option<Ends> {
        let ip = Ipv6::parse(packet).ok()?;
        let target = self.target(ip.src(), ip.dst()).ok()?;
        let at = Layout6::of(packet).ok()?;
        let proto = Proto::from_v6(at.protocol)?;
        if let Some(part) = at.part()
            && part.offset != 0
        {
            // The first fragment, which may wait for this one, has the ports.
            return self.ends6(self.fragments6.waiting_first(&datagram6(&at, part))?);
        }
        let transport = packet.get(at.transport..at.total)?;
        if proto == Proto::Icmp && at.part().is_none() && transport.first().is_some_and(|kind| *kind < 128) {
            let quote = Quote6::of(transport)?;
            let prefix = self.config.prefixes.get(usize::from(target.prefix))?;
            let address = prefix.extract(quote.layout.src)?;
            let peer = Peer { address, port: quoted_peer_port(quote.proto, quote.ports, true) };
            let inside = Inside { address: quote.layout.dst, port: quote.ports.dst };
            return Some(Ends { proto: quote.proto, end: End::Inside(inside), peer });
        }
        let ports = ends6(proto, transport)?;
        let inside = Inside { address: at.src, port: ports.src };
        let peer = Peer { address: target.address, port: peer_port(proto, ports.dst) };
        Some(Ends { proto, end: End::Inside(inside), peer })
    }

    fn ends4(&self, packet: &[u8]) -> Option<Ends> {
        Ipv4::parse(packet).ok()?;
        let at = Layout4::of(packet).ok()?;
        let proto = Proto::from_v4(at.protocol)?;
        if let Some(part) = at.fragment
            && part.offset != 0
        {
            return self.ends4(self.fragments4.waiting_first(&datagram4(&at))?);
        }
        let transport = packet.get(at.transport..at.total)?;
        let error = |kind: &u8| crate::engine::inbound::ERRORS.contains(kind);
        if proto == Proto::Icmp && at.fragment.is_none() && transport.first().is_some_and(error) {
            let quote = Quote4::of(transport)?;
            let outside = Outside { address: quote.layout.src, port: quote.ports.src };
            let port = quoted_peer_port(quote.proto, quote.ports, false);
            let peer = Peer { address: quote.layout.dst, port };
            return Some(Ends { proto: quote.proto, end: End::Outside(outside), peer });
        }
        let ports = ends4(proto, transport)?;
        let outside = Outside { address: at.dst, port: ports.dst };
        let peer = Peer { address: at.src, port: peer_port(proto, ports.src) };
        Some(Ends { proto, end: End::Outside(outside), peer })
    }
}
