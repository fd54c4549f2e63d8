//! Buffers that are used again, so that the packet path never allocates.

use sixgate_wire::Packet;

/// A stack of empty [`Packet`]s of one capacity, all made at the start.
///
/// When it is empty, [`BufferPool::take`] says so and the caller drops the packet or waits: memory stays bounded.
#[derive(Debug)]
pub struct BufferPool {
    free: Vec<Packet>,
    made: usize,
    capacity: usize,
}

impl BufferPool {
    /// `count` buffers for packets of up to `capacity` octets; [`Packet::LARGEST`] takes any super-packet.
    #[must_use]
    pub fn new(count: usize, capacity: usize) -> Self {
        let free = (0..count).map(|_| Packet::with_capacity(capacity)).collect();
        Self { free, made: count, capacity }
    }

    /// An empty buffer; `None` when all are out.
    pub fn take(&mut self) -> Option<Packet> {
        self.free.pop()
    }

    /// Takes a buffer back. One of another capacity, or one too many, is let go instead.
    pub fn give(&mut self, mut packet: Packet) {
        packet.reset();
        if self.free.len() < self.made && packet.tailroom() == self.capacity {
            self.free.push(packet);
        }
    }

    /// How many buffers are free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_is_empty_and_no_more_than_was_made() {
        let mut pool = BufferPool::new(2, 100);
        let mut first = pool.take().unwrap();
        assert!(first.extend(b"secret") && first.pull_front(2));
        let second = pool.take().unwrap();
        assert!(pool.take().is_none());
        pool.give(first);
        pool.give(Packet::with_capacity(99));
        assert_eq!(pool.free(), 1);
        pool.give(second);
        pool.give(Packet::with_capacity(100));
        assert_eq!(pool.free(), 2);
        let again = pool.take().unwrap();
        assert!(again.is_empty() && again.headroom() == Packet::HEADROOM);
    }
}
