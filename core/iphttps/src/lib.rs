//! IP-HTTPS (MS-IPHTTPS): IPv6 packets back to back in the body of one HTTP request and its response.
//!
//! What it is: the heads of the messages ([`head`]), the cut between packets ([`cutter`]), and the two ends of the link,
//! [`session::Session`] in the gateway and [`client::Client`] in the client, which speak neighbour discovery on it.
//! What it is not: TLS, sockets, or a clock; octets and time come in, packets and deadlines go out.
//!
//! The rules are those that the original has for clients without authentication, always: nothing of one client's
//! multicast reaches another, link-local traffic is for the gateway alone, and a client sends from its own addresses.
//!
//! Both ends are driven alike: after every call drain `poll_output` and `poll_event`, and call `handle_timeout` when
//! `next_timeout` has come.
//!
//! ```
//! use sixgate_iphttps::{Inbound, cutter::Packets, session::Session};
//! use sixgate_time::Instant;
//! use sixgate_wire::Packet;
//!
//! fn received(session: &mut Session, now: Instant, plaintext: &[u8], packet: &mut Packet) -> Result<usize, ()> {
//!     let mut packets = Packets::new(plaintext);
//!     while let Some(octets) = packets.next() {
//!         packet.reset();
//!         packet.extend(octets.map_err(|_| ())?); // bad framing: nothing behind it can be found again
//!         match session.inbound(now, packet) {
//!             Inbound::Forward => { /* into the fabric */ }
//!             Inbound::Consumed => {}
//!             Inbound::Drop(_reason) => { /* count it */ }
//!         }
//!         while session.poll_output(packet) { /* queue it for this client */ }
//!         while let Some(_event) = session.poll_event() { /* an address was claimed */ }
//!     }
//!     Ok(packets.consumed()) // the rest is the start of a packet
//! }
//! # received(&mut Session::new(Default::default()), Instant::ZERO, &[], &mut Packet::new()).unwrap();
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod client;
pub mod cutter;
pub mod head;
pub mod session;

use sixgate_reason::Reason;

/// What becomes of a packet that came over the link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inbound {
    /// Its addresses are verified; it goes on.
    Forward,
    /// It was for us and has been dealt with.
    Consumed,
    /// It goes no further.
    Drop(Reason),
}
