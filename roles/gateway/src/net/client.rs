//! Sessions of clients: a stream of packets each, owned by this worker.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;

use sixgate_fabric::Identity;
use sixgate_io_tls::{Stream, tuning};
use sixgate_iphttps::session::Session;
use sixgate_reason::Reason;
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::offload::Segments;

use crate::seam::ClientView;

/// Octets that may wait for a client that does not take them. More would only be delay: TCP inside backs off by loss.
const LARGEST_BACKLOG: usize = 1 << 20;

/// One session.
pub(crate) struct Client {
    pub(crate) name: String,
    pub(crate) from: SocketAddr,
    pub(crate) since: i64,
    pub(crate) congestion: String,
    pub(crate) stream: Stream,
    pub(crate) session: Session,
    pub(crate) identity: Identity,
    pub(crate) rx_bytes: u64,
    pub(crate) tx_bytes: u64,
    /// When it was last heard.
    pub(crate) last: Option<Instant>,
    /// True while the poller also watches for room to write.
    pub(crate) watches_room: bool,
}

impl Client {
    /// Queues a packet, a super-packet cut into its segments.
    ///
    /// # Errors
    /// The reason when it cannot be queued.
    pub(crate) fn queue(&mut self, packet: &Packet) -> Result<(), Reason> {
        if self.stream.backlog() > LARGEST_BACKLOG {
            return Err(sixgate_reason::IPHTTPS_SEND_BACKLOG);
        }
        self.tx_bytes += packet.len() as u64;
        let mut segments = Segments::new(packet)?;
        while segments.append(self.stream.queue_space()).is_some() {}
        Ok(())
    }

    /// What the session itself has to say: advertisements, neighbour discovery.
    pub(crate) fn queue_own(&mut self, scratch: &mut Packet) {
        while self.session.poll_output(scratch) {
            self.stream.queue(scratch.bytes());
        }
    }

    /// Writes what is queued; true when everything went.
    pub(crate) fn flush(&mut self) -> io::Result<bool> {
        self.stream.flush()
    }

    pub(crate) fn view(&self, session: u32) -> ClientView {
        ClientView {
            session,
            name: self.name.clone(),
            address: self.session.addresses().next(),
            from: self.from,
            since: self.since,
            rx_bytes: self.rx_bytes,
            tx_bytes: self.tx_bytes,
            rtt: tuning::round_trip(&self.stream),
            last: self.last,
            backlog: self.stream.backlog(),
        }
    }
}

/// All sessions of a worker, by a number that stays theirs while they live.
#[derive(Default)]
pub(crate) struct Clients {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Names are chosen by whoever makes tokens, not by clients, and the hash is keyed all the same.
    by_name: HashMap<String, u32>,
    /// The session that is being worked on and is therefore not in its slot.
    busy: Option<u32>,
    /// Sessions with something to write, each once.
    dirty: Vec<u32>,
}

#[derive(Default)]
struct Slot {
    client: Option<Box<Client>>,
    /// It is in the list of those with something to write.
    dirty: bool,
}

impl Clients {
    /// A number for a new session.
    pub(crate) fn reserve(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            // A worker runs out of descriptors long before.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// Puts a session into its slot.
    pub(crate) fn put(&mut self, n: u32, client: Box<Client>) {
        if self.busy == Some(n) {
            self.busy = None;
        } else {
            self.by_name.insert(client.name.clone(), n);
        }
        self.slots[n as usize].client = Some(client);
    }

    /// Takes a session out to work on it; packets for it meanwhile are told by [`Clients::is_busy`].
    pub(crate) fn take(&mut self, n: u32) -> Option<Box<Client>> {
        let client = self.slots.get_mut(n as usize)?.client.take();
        if client.is_some() {
            self.busy = Some(n);
        }
        client
    }

    /// Gives back the number of the session `name`, which is gone.
    pub(crate) fn release(&mut self, n: u32, name: &str) {
        if self.busy == Some(n) {
            self.busy = None;
        }
        if self.by_name.get(name) == Some(&n) {
            self.by_name.remove(name);
        }
        self.slots[n as usize].client = None;
        self.free.push(n);
    }

    pub(crate) fn is_busy(&self, n: u32) -> bool {
        self.busy == Some(n)
    }

    pub(crate) fn get(&self, n: u32) -> Option<&Client> {
        self.slots.get(n as usize)?.client.as_deref()
    }

    pub(crate) fn get_mut(&mut self, n: u32) -> Option<&mut Client> {
        self.slots.get_mut(n as usize)?.client.as_deref_mut()
    }

    /// The session of the client with this name.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// With their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u32, &Client)> {
        (0..).zip(&self.slots).filter_map(|(n, slot)| Some((n, slot.client.as_deref()?)))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.slots.iter().filter_map(|slot| slot.client.as_deref())
    }

    /// Every number in use.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        (0..).zip(&self.slots).filter(|(_, s)| s.client.is_some()).map(|(n, _)| n).collect()
    }

    /// Remembers that a session has something to write.
    pub(crate) fn mark(&mut self, n: u32) {
        let Some(slot) = self.slots.get_mut(n as usize) else { return };
        if !slot.dirty {
            slot.dirty = true;
            self.dirty.push(n);
        }
    }

    /// One session with something to write.
    pub(crate) fn next_dirty(&mut self) -> Option<u32> {
        let n = self.dirty.pop()?;
        self.slots[n as usize].dirty = false;
        Some(n)
    }
}
