//! Packets from one worker to another: a ring of buffers with one writer and one reader, and a way back for empty ones.
//!
//! A buffer that crosses comes back, so that neither end allocates and each keeps as many as it had.

use rtrb::{Consumer, Producer, RingBuffer};
use sixgate_wire::Packet;

use crate::Waker;

/// The writer's end.
#[derive(Debug)]
pub struct Outgoing {
    full: Producer<Packet>,
    empty: Consumer<Packet>,
    waker: Waker,
    /// Something was put in that the reader has not been woken for.
    untold: bool,
}

/// The reader's end.
#[derive(Debug)]
pub struct Incoming {
    full: Consumer<Packet>,
    empty: Producer<Packet>,
}

/// A ring for `capacity` packets, whose reader is woken by `waker`.
#[must_use]
pub fn ring(capacity: usize, waker: Waker) -> (Outgoing, Incoming) {
    let (full, taken) = RingBuffer::new(capacity);
    // One is in the reader's hand, and one in the writer's when it sees the way back empty.
    let (back, empty) = RingBuffer::new(capacity + 2);
    (Outgoing { full, empty, waker, untold: false }, Incoming { full: taken, empty: back })
}

impl Outgoing {
    /// Puts a packet in; the reader sees it at the latest after [`Outgoing::tell`].
    ///
    /// # Errors
    /// The packet, when the ring is full.
    pub fn send(&mut self, packet: Packet) -> Result<(), Packet> {
        self.full.push(packet).map_err(|rtrb::PushError::Full(packet)| packet)?;
        self.untold = true;
        Ok(())
    }

    /// A buffer that has come back.
    pub fn take_back(&mut self) -> Option<Packet> {
        self.empty.pop().ok()
    }

    /// Wakes the reader, once for all that was put in since the last time.
    pub fn tell(&mut self) {
        if std::mem::take(&mut self.untold) {
            self.waker.wake();
        }
    }
}

impl Incoming {
    /// The next packet.
    pub fn receive(&mut self) -> Option<Packet> {
        self.full.pop().ok()
    }

    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.full.is_empty()
    }

    /// Sends a buffer back. Only those that came may go this way, so there is always room.
    pub fn give_back(&mut self, mut packet: Packet) {
        packet.reset();
        // Without a writer nobody wants it.
        let _ = self.empty.push(packet);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::{Interest, Poller};

    #[test]
    fn packets_cross_in_order_and_buffers_come_back() {
        let waker = Waker::new().unwrap();
        let (mut out, mut coming) = ring(4, waker.clone());
        let reader = thread::spawn(move || {
            let mut poller = Poller::new(4).unwrap();
            poller.add(&waker, 0, Interest::READ).unwrap();
            let mut seen = Vec::new();
            while seen.len() < 1000 {
                assert_eq!(poller.wait(Some(Duration::from_secs(10))).unwrap().count(), 1, "nobody said");
                waker.drain();
                while let Some(packet) = coming.receive() {
                    seen.push(u16::from_be_bytes([packet.bytes()[0], packet.bytes()[1]]));
                    coming.give_back(packet);
                }
            }
            assert!(coming.is_empty());
            seen
        });
        let (mut made, mut number) = (0, 0_u16);
        while number < 1000 {
            let mut packet = out.take_back().unwrap_or_else(|| {
                made += 1;
                Packet::with_capacity(64)
            });
            assert!(packet.is_empty() && packet.extend(&number.to_be_bytes()));
            while let Err(back) = out.send(packet) {
                packet = back;
                out.tell();
                thread::yield_now();
            }
            out.tell();
            number += 1;
        }
        assert_eq!(reader.join().unwrap(), (0..1000).collect::<Vec<u16>>());
        assert!(made <= 6, "{made} buffers for a ring of four");
    }

    #[test]
    fn a_full_ring_gives_the_packet_back() {
        let (mut out, coming) = ring(2, Waker::new().unwrap());
        assert!(out.send(Packet::with_capacity(1)).is_ok() && out.send(Packet::with_capacity(2)).is_ok());
        assert_eq!(out.send(Packet::with_capacity(3)).unwrap_err().tailroom(), 3);
        drop(coming);
        assert!(out.take_back().is_none());
    }
}
