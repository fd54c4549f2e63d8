//! Cutting and merging of packets that nobody checked: no panic, no byte of a packet lost, whatever the metadata says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_wire::offload::{Coalescer, Segments, finish_checksum};
use sixgate_wire::packet::PartialChecksum;
use sixgate_wire::{Packet, Segmentation};

/// Largest piece of the input that becomes one packet of the coalescer.
const PIECE: usize = 256;

fuzz_target!(|data: &[u8]| {
    let Some((head, rest)) = data.split_at_checked(7) else { return };
    let word = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);

    let mut packet = Packet::from_slice(rest);
    packet.offload.partial_checksum =
        (head[6] & 4 != 0).then(|| PartialChecksum { start: word(0), offset: word(2) });
    packet.offload.segmentation = match head[6] & 3 {
        0 => Segmentation::None,
        1 => Segmentation::Tcp { mss: word(4) },
        _ => Segmentation::Udp { size: word(4) },
    };
    let _ = sixgate_wire::offload::wire_len(&packet);
    let mut pieces = Vec::new();
    if let Ok(mut segments) = Segments::new(&packet) {
        let mut out = Packet::new();
        let announced = segments.remaining();
        while segments.fill(&mut out) {
            assert!(out.len() <= sixgate_wire::offload::wire_len(&packet));
            pieces.push(out.clone());
        }
        assert_eq!(pieces.len(), announced);
    }
    finish_checksum(&mut packet);

    let mut coalescer = Coalescer::new(2);
    let mut octets = 0;
    let mut emit = |p: &mut Packet| octets += p.len();
    for chunk in rest.chunks(PIECE) {
        coalescer.push(chunk, &mut emit);
    }
    for piece in &pieces {
        coalescer.push(piece.bytes(), &mut emit);
    }
    coalescer.flush(&mut emit);
    let given = rest.len() + pieces.iter().map(Packet::len).sum::<usize>();
    // Merging takes headers away, and nothing else can become less.
    assert!(octets <= given);
});
