//! The gateway's end against a client that says anything: only own sources pass, answers and addresses stay bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_iphttps::Inbound;
use sixgate_iphttps::session::{Event, Session, SessionConfig};
use sixgate_time::{Duration, Instant};
use sixgate_wire::Packet;
use sixgate_wire::icmpv6;
use sixgate_wire::ipv6::{HEADER, Ipv6};
use sixgate_wire::lease::{Lease, LeasedPrefix};

const CHUNK: usize = 96;

fuzz_target!(|data: &[u8]| {
    let lease = Lease {
        addresses: vec!["fd00:1::a".parse().unwrap()],
        prefixes: vec![LeasedPrefix {
            prefix: "fd00:1::/64".parse().unwrap(),
            preferred: 600,
            valid: 900,
            on_link: false,
        }],
        lifetime: 900,
        ..Lease::default()
    };
    let mut session = Session::new(SessionConfig { lease, ..SessionConfig::default() });
    let mut now = Instant::from_secs(1);
    let mut out = Packet::new();
    for chunk in data.chunks(CHUNK) {
        let (control, octets) = (chunk[0], &chunk[1..]);
        now = now + Duration::from_secs(u64::from(control & 0x3f) * 60);
        let mut packet = Packet::from_slice(octets);
        // Most inputs would die at the length and the checksum, which others' targets look at.
        if control & 0x80 != 0 && octets.len() > HEADER + icmpv6::HEADER {
            let bytes = packet.bytes_mut();
            bytes[0] = 0x60;
            bytes[4..6].copy_from_slice(&((octets.len() - HEADER) as u16).to_be_bytes());
            bytes[6] = 58;
            let (src, dst) = Ipv6::parse(bytes).map(|ip| (ip.src(), ip.dst())).unwrap();
            icmpv6::finish(&mut bytes[HEADER..], src, dst);
        }
        let verdict = session.inbound(now, &packet);
        if verdict == Inbound::Forward {
            let src = Ipv6::parse(packet.bytes()).unwrap().src();
            assert!(session.addresses().any(|a| a == src));
        }
        let mut answers = 0;
        while session.poll_output(&mut out) {
            assert!(Ipv6::parse(out.bytes()).is_ok());
            answers += 1;
        }
        assert!(answers <= 1);
        while let Some(event) = session.poll_event() {
            match event {
                Event::Claimed(address) if control & 0x40 != 0 => session.grant(now, address),
                Event::Claimed(address) => drop(session.refuse(address)),
                Event::Released(address) => assert!(session.addresses().all(|a| a != address)),
            }
        }
        assert!(session.addresses().count() <= 16);
    }
});
