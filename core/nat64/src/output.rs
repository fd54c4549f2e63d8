//! Packets that are to be sent beside the one in hand: errors, fragments, hairpinned packets, probes.
//!
//! They are copied into one stretch of memory that is used again as soon as it has been drained.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use sixgate_wire::{Offload, Packet};

/// Most octets that wait; what does not fit is lost, as on any full queue.
const MOST_OCTETS: usize = 512 * 1024;

#[derive(Default)]
pub(crate) struct Output {
    octets: Vec<u8>,
    items: VecDeque<Item>,
    lost: u64,
}

struct Item {
    start: usize,
    end: usize,
    offload: Offload,
}

impl Output {
    /// Adds a packet made of `parts` that follow each other.
    pub(crate) fn push(&mut self, parts: &[&[u8]], offload: Offload) {
        let start = self.octets.len();
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if start + length > MOST_OCTETS {
            self.lost += 1;
            return;
        }
        for part in parts {
            self.octets.extend_from_slice(part);
        }
        self.items.push_back(Item { start, end: self.octets.len(), offload });
    }

    /// Moves the oldest packet into `out`; false when there is none.
    pub(crate) fn poll(&mut self, out: &mut Packet) -> bool {
        while let Some(item) = self.items.pop_front() {
            out.reset();
            let fits = self.octets.get(item.start..item.end).is_some_and(|octets| out.extend(octets));
            out.offload = item.offload;
            if self.items.is_empty() {
                self.octets.clear();
            }
            if fits {
                return true;
            }
            self.lost += 1;
        }
        out.reset();
        false
    }

    /// True when nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Packets that did not fit, here or in the buffer that was to take them.
    pub(crate) const fn lost(&self) -> u64 {
        self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_come_out_in_order_and_what_does_not_fit_is_counted() {
        let mut output = Output::default();
        output.push(&[&[1, 2], &[3]], Offload::default());
        output.push(&[&[0; 300]], Offload::default());
        output.push(&[&[4]], Offload::default());
        let mut out = Packet::with_capacity(100);
        assert!(output.poll(&mut out));
        assert_eq!(out.bytes(), [1, 2, 3]);
        assert!(output.poll(&mut out));
        assert_eq!(out.bytes(), [4]);
        assert!(!output.poll(&mut out) && out.is_empty());
        assert_eq!(output.lost(), 1);
        for _ in 0..20 {
            output.push(&[&[0; 65_000]], Offload::default());
        }
        assert_eq!(output.lost(), 1 + 12);
    }
}
