//! Devices in namespaces of their own: two kernels' TCP through two TUN devices and this crate.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::*;
use crate::testing::{in_namespace, run};
use crate::{Interest, Poller};

/// Opens a device with `addresses` and sets it up.
fn device(name: &str, offload: bool, addresses: &[&str]) -> Tun {
    let tun = Tun::open(name, &TunOptions { mtu: 1400, queues: 1, offload }).unwrap();
    for address in addresses {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        run("ip", &format!("addr add {address} dev {name} {nodad}"));
    }
    tun.set_up().unwrap();
    tun
}

/// Carries packets between two devices until told to stop; the largest that came from `a` is kept.
fn pump(mut a: Tun, mut b: Tun, stop: &AtomicBool, largest: &AtomicUsize) {
    let mut poller = Poller::new(4).unwrap();
    poller.add(&a, 0, Interest::READ).unwrap();
    poller.add(&b, 1, Interest::READ).unwrap();
    let mut packet = Packet::new();
    while !stop.load(Ordering::Relaxed) {
        let _ = poller.wait(Some(Duration::from_millis(20))).unwrap().count();
        while a.receive(&mut packet).unwrap() {
            largest.fetch_max(packet.len(), Ordering::Relaxed);
            b.send_in_place(&mut packet).unwrap();
        }
        while b.receive(&mut packet).unwrap() {
            a.send(&packet).unwrap();
        }
    }
    assert_eq!((a.poll_damaged(), b.poll_damaged()), (None, None));
}

/// Packets that the device of the calling thread's namespace has given to its kernel.
fn packets_in(device: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    let line = text.lines().find_map(|l| l.trim().strip_prefix(device)?.strip_prefix(':')).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Sends `LENGTH` octets by TCP from one namespace to another; gives the largest packet and how many came in.
fn bulk(offload: bool, from: &'static str, to: &'static str, at: &'static str) -> (usize, u64) {
    const LENGTH: usize = 8 << 20;
    let data: Vec<u8> = (0..LENGTH).map(|i| (i ^ i >> 8 ^ i >> 16) as u8).collect();
    let expected = data.clone();
    let (give_tun, take_tun) = mpsc::channel();
    let (give_ready, take_ready) = mpsc::channel();
    let server = in_namespace(move || {
        give_tun.send(device("tb", true, &[to])).unwrap();
        let listener = TcpListener::bind((at, 4000)).unwrap();
        give_ready.send(()).unwrap();
        let mut got = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
        assert!(got == expected, "{} octets, and they differ", got.len());
        packets_in("tb")
    });
    let b = take_tun.recv().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let largest = Arc::new(AtomicUsize::new(0));
    let (stop2, largest2) = (stop.clone(), largest.clone());
    let client = in_namespace(move || {
        let a = device("ta", offload, &[from]);
        take_ready.recv().unwrap();
        let (stop, largest) = (stop2.clone(), largest2);
        let pump = std::thread::spawn(move || pump(a, b, &stop, &largest));
        let mut stream = TcpStream::connect((at, 4000)).unwrap();
        stream.write_all(&data).unwrap();
        drop(stream);
        pump
    });
    let pump = client.join().unwrap();
    let packets = server.join().unwrap();
    stop.store(true, Ordering::Relaxed);
    pump.join().unwrap();
    (largest.load(Ordering::Relaxed), packets)
}

#[test]
fn a_super_packet_crosses_from_tun_to_tun_whole_ipv4() {
    let (largest, packets) = bulk(true, "192.0.2.1/24", "192.0.2.2/24", "192.0.2.2");
    assert!(largest > 60_000, "{largest}");
    // Cut to the MTU, 8 MiB would be more than 6,000 packets for the other kernel.
    assert!(packets < 1_000, "{packets}");
}

#[test]
fn a_super_packet_crosses_from_tun_to_tun_whole_ipv6() {
    let (largest, packets) = bulk(true, "fd00::1/64", "fd00::2/64", "fd00::2");
    assert!(largest > 60_000, "{largest}");
    assert!(packets < 1_000, "{packets}");
}

#[test]
fn without_offload_the_kernel_cuts_first() {
    let (largest, packets) = bulk(false, "192.0.2.1/24", "192.0.2.2/24", "192.0.2.2");
    assert_eq!(largest, 1400);
    assert!(packets > 6_000, "{packets}");
}

#[test]
fn udp_super_packets_are_given_and_taken() {
    let namespace = in_namespace(|| {
        let mut tun = device("tu", true, &["192.0.2.1/24"]);
        let socket = UdpSocket::bind(("192.0.2.1", 5000)).unwrap();
        crate::sockopt::set_int(socket.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 1000).unwrap();
        socket.send_to(&[7; 10_500], ("192.0.2.9", 5000)).unwrap();
        let mut packet = Packet::new();
        // The kernel may have something of its own to say on a new device.
        let found = (0..20).any(|_| tun.receive(&mut packet).unwrap() && packet.len() == 10_528);
        assert!(found);
        assert_eq!(packet.offload.segmentation, Segmentation::Udp { size: 1000 });
        // Turned round, it comes back as eleven datagrams.
        let bytes = packet.bytes_mut();
        bytes[12..20].copy_from_slice(&[192, 0, 2, 9, 192, 0, 2, 1]);
        tun.send(&packet).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut buffer = [0; 2000];
        let sizes: Vec<_> = (0..11).map(|_| socket.recv_from(&mut buffer).unwrap().0).collect();
        assert_eq!(sizes, [[1000; 10].as_slice(), &[500]].concat());
    });
    namespace.join().unwrap();
}

#[test]
fn queues_share_a_device_and_the_last_one_takes_it_away() {
    let namespace = in_namespace(|| {
        let first = Tun::open("tq", &TunOptions { queues: 2, ..TunOptions::default() }).unwrap();
        let second = first.open_queue().unwrap();
        drop(first);
        run("ip", "link show tq");
        drop(second);
        assert!(!run("ip", "link show").contains("tq"));
    });
    namespace.join().unwrap();
}

#[test]
fn a_packet_larger_than_the_buffer_is_counted_and_the_next_one_comes() {
    let namespace = in_namespace(|| {
        let mut tun = device("td", true, &["192.0.2.1/24"]);
        let socket = UdpSocket::bind(("192.0.2.1", 5000)).unwrap();
        socket.send_to(&[7; 1000], ("192.0.2.9", 5000)).unwrap();
        // A router solicitation, which the kernel may send beside these, has 48 octets; this has 49.
        socket.send_to(&[7; 21], ("192.0.2.9", 5000)).unwrap();
        let mut packet = Packet::with_capacity(200);
        let found = (0..20).any(|_| tun.receive(&mut packet).unwrap() && packet.len() == 49);
        assert!(found);
        assert_eq!(tun.poll_damaged(), Some(sixgate_reason::MALFORMED_IPV4));
        assert_eq!(tun.poll_damaged(), None);
    });
    namespace.join().unwrap();
}

#[test]
fn errors_are_one_line_that_says_what_to_do() {
    let namespace = in_namespace(|| {
        let _first = Tun::open("te", &TunOptions::default()).unwrap();
        let taken = Tun::open("te", &TunOptions::default()).unwrap_err().to_string();
        assert!(taken.contains("te") && taken.contains("choose another name"), "{taken}");
        let long = Tun::open("a-name-that-is-too-long", &TunOptions::default()).unwrap_err().to_string();
        assert!(long.contains("1 to 15 letters"), "{long}");
        let absent = cannot_open(Errno::NOENT).to_string();
        assert!(absent.contains("modprobe tun") && !absent.contains('\n'), "{absent}");
        // CAP_NET_ADMIN gone from this thread alone.
        let mut caps = rustix::thread::capabilities(None).unwrap();
        caps.effective.remove(rustix::thread::CapabilitySet::NET_ADMIN);
        rustix::thread::set_capabilities(None, caps).unwrap();
        let denied = Tun::open("tf", &TunOptions::default()).unwrap_err().to_string();
        assert!(denied.contains("CAP_NET_ADMIN"), "{denied}");
    });
    namespace.join().unwrap();
}

#[test]
fn a_program_names_the_queue_of_each_packet() {
    let test = in_namespace(|| {
        let options = TunOptions { mtu: 1400, queues: 2, offload: true };
        let mut first = Tun::open("tq", &options).unwrap();
        let mut second = first.open_queue().unwrap();
        run("ip", "addr add 10.9.0.1/24 dev tq");
        first.set_up().unwrap();
        // Copies the context, loads the low octet of the destination port, and answers its lowest bit.
        let (copy, registers) = (0xbf, if cfg!(target_endian = "little") { 0x16 } else { 0x61 });
        let program = [(copy, registers, 0_i32), (0x30, 0, 23), (0x57, 0, 1), (0x95, 0, 0)];
        let program = program.map(|(code, registers, constant)| {
            let [a, b, c, d] = constant.to_ne_bytes();
            [code, registers, 0, 0, a, b, c, d]
        });
        assert!(
            Steering::load(&program[1..]).is_err(),
            "a program that reads what it has not set is refused"
        );
        let steering = Steering::load(&program).expect("this test loads a program: run it as root");
        first.steer(&steering).unwrap();
        drop(steering);
        let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
        let mut packet = Packet::new();
        for port in 4000..4040_u16 {
            socket.send_to(b"x", ("10.9.0.2", port)).unwrap();
            let (here, there) =
                if port % 2 == 0 { (&mut first, &mut second) } else { (&mut second, &mut first) };
            // The kernel says a word of its own now and then, by version 6.
            while here.receive(&mut packet).unwrap() && packet.bytes()[0] >> 4 == 6 {}
            assert_eq!(packet.bytes()[22..24], port.to_be_bytes());
            while there.receive(&mut packet).unwrap() {
                assert_eq!(packet.bytes()[0] >> 4, 6, "{port} came to the other queue");
            }
        }
    });
    test.join().unwrap();
}
