//! rtnetlink: what `ip link`, `ip address`, `ip route` and `ip rule` do.
//!
//! A [`Netlink`] speaks to the network namespace in which its thread opened it. Calls wait for the kernel's answer,
//! which comes at once.

// The kernel's lists of attributes grow, and what is not named here is not looked at.
#![allow(clippy::wildcard_enum_match_arm)]

mod address;
mod link;
mod monitor;
mod path;
mod route;
mod rule;

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_core::{NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::io;

use crate::HostError;

pub use address::Address;
pub use link::Link;
pub use monitor::Monitor;
pub use path::Path;
pub use route::{PROTOCOL, Route, RouteKind};
pub use rule::Rule;

/// A conversation with the kernel about links, addresses, routes and rules.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens the conversation.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn new() -> Result<Self, HostError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok::<_, io::Error>(socket)
        };
        let socket = open().map_err(|e| HostError::new("cannot open a netlink socket", e))?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks for a change and waits until it is made.
    fn change(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK | flags).map(drop)
    }

    /// Asks for everything of a kind.
    fn dump(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.exchange(message, NLM_F_REQUEST | NLM_F_DUMP)
    }

    /// Asks for one thing.
    fn ask(&mut self, message: RouteNetlinkMessage) -> io::Result<Vec<RouteNetlinkMessage>> {
        // The acknowledgement marks the end, whether or not there was an answer.
        self.exchange(message, NLM_F_REQUEST | NLM_F_ACK)
    }

    fn exchange(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::from(message));
        request.finalize();
        let mut octets = vec![0; request.buffer_len()];
        request.serialize(&mut octets);
        self.socket.send(&octets, 0)?;

        let mut answers = Vec::new();
        loop {
            let (datagram, _) = match self.socket.recv_from_full() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                received => received?,
            };
            if self.take(&datagram, &mut answers)? {
                return Ok(answers);
            }
        }
    }

    /// Reads the messages of one datagram; true when the conversation has ended.
    fn take(&self, mut datagram: &[u8], answers: &mut Vec<RouteNetlinkMessage>) -> io::Result<bool> {
        while let Ok(buffer) = NetlinkBuffer::new_checked(datagram) {
            let length = buffer.length() as usize;
            let (octets, ours) = (&datagram[..length], buffer.sequence_number() == self.sequence);
            datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
            if !ours {
                continue;
            }
            // A message with an attribute that this library cannot read yet is passed over: one strange route must not
            // hide all others.
            let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(octets) else { continue };
            match message.payload {
                NetlinkPayload::Done(_) => return Ok(true),
                NetlinkPayload::Error(error) if error.code.is_none() => return Ok(true),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::InnerMessage(answer) => answers.push(answer),
                NetlinkPayload::Overrun(_) => return Err(io::Error::from_raw_os_error(libc::ENOBUFS)),
                _ => {}
            }
        }
        Ok(false)
    }
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Netlink").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
