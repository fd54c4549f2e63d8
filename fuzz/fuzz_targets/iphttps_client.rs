//! The client's end against a gateway that says anything: only own destinations pass, deadlines lie ahead.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_iphttps::Inbound;
use sixgate_iphttps::client::{Client, Event};
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::icmpv6;
use sixgate_wire::ipv6::{HEADER, Ipv6};

const CHUNK: usize = 160;

fuzz_target!(|data: &[u8]| {
    let mut now = Instant::from_secs(1);
    let mut client = Client::new(now, 7);
    let mut out = Packet::new();
    let mut dead = false;
    for chunk in data.chunks(CHUNK) {
        let (control, octets) = (chunk[0], &chunk[1..]);
        let mut packet = Packet::from_slice(octets);
        if control & 0x80 != 0 && octets.len() > HEADER + icmpv6::HEADER {
            let bytes = packet.bytes_mut();
            bytes[0] = 0x60;
            bytes[4..6].copy_from_slice(&((octets.len() - HEADER) as u16).to_be_bytes());
            bytes[6] = 58;
            let (src, dst) = Ipv6::parse(bytes).map(|ip| (ip.src(), ip.dst())).unwrap();
            icmpv6::finish(&mut bytes[HEADER..], src, dst);
        }
        if client.inbound(now, &packet) == Inbound::Forward {
            let dst = Ipv6::parse(packet.bytes()).unwrap().dst();
            assert!(client.lease().unwrap().addresses.contains(&dst));
        }
        if control & 1 != 0 {
            client.network_changed(now);
        }
        if control & 2 != 0 {
            let _ = client.outbound(now, &packet);
        }
        while client.poll_output(&mut out) {
            assert!(Ipv6::parse(out.bytes()).is_ok());
        }
        while let Some(event) = client.poll_event() {
            match event {
                Event::Leased(lease) => assert!(!lease.addresses.is_empty()),
                Event::Dead(_) => dead = true,
            }
        }
        if control & 4 != 0 && client.next_timeout() != Instant::NEVER {
            now = now.max(client.next_timeout());
            client.handle_timeout(now);
            assert!(client.next_timeout() > now, "a deadline that does not move would spin");
        }
        assert!(!dead || client.next_timeout() == Instant::NEVER);
    }
});
