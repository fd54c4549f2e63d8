//! Listening to another's ISATAP: no panic, every packet noted once, and never more pairs than there is room for.
#![no_main]

use std::net::Ipv4Addr;

use libfuzzer_sys::fuzz_target;
use sixgate_isatap::listen::Listener;
use sixgate_time::Instant;
use sixgate_wire::Packet;

fuzz_target!(|data: &[u8]| {
    let mut listener = Listener::default();
    let (mut heard, mut rest) = (0, data);
    while let Some((&[from, to, length], after)) = rest.split_first_chunk() {
        let (packet, after) = after.split_at(after.len().min(usize::from(length)));
        rest = after;
        let node = |n| Ipv4Addr::new(10, 6, 8, n);
        listener.hear(Instant::from_secs(heard), node(from), node(to), &Packet::from_slice(packet));
        heard += 1;
        let noted: u64 = listener.pairs().map(|p| p.solicitations + p.advertisements + p.packets).sum();
        assert_eq!(noted + listener.other(), heard);
        assert!(listener.pairs().all(|p| p.first <= p.last && p.prefixes.len() <= 16));
    }
});
