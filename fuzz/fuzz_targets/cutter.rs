//! The cut between packets: the same packets however the stream is split, and never an octet twice.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_iphttps::cutter::Packets;

fuzz_target!(|data: &[u8]| {
    let Some((&step, stream)) = data.split_first() else { return };
    let mut whole = Packets::new(stream);
    let at_once: Vec<&[u8]> = whole.by_ref().map_while(Result::ok).collect();
    assert_eq!(at_once.iter().map(|p| p.len()).sum::<usize>(), whole.consumed());

    let (mut consumed, mut given) = (0, 0);
    for end in (0..=stream.len()).step_by(usize::from(step) + 1).chain([stream.len()]) {
        let mut part = Packets::new(&stream[consumed..end.max(consumed)]);
        for packet in part.by_ref().map_while(Result::ok) {
            assert_eq!(packet, at_once[given]);
            given += 1;
        }
        consumed += part.consumed();
    }
    assert_eq!(given, at_once.len());
});
