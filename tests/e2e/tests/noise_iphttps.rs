//! Random bytes at the public port of the gateway: before the handshake, after it, and inside the tunnel of an enrolled client.

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use sixgate_e2e::noise::{Noise, cut, with_version};
use sixgate_e2e::packets::{self, octets};
use sixgate_e2e::raw::{Wire, inside};
use sixgate_e2e::{Watched, World, tls};
use sixgate_lab::product::{self, CLIENT_DEVICE, SERVICE};

const DOOR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), 443);
/// The NAT64 address of `files`.
const FILES: Ipv6Addr = Ipv6Addr::new(0xfd6a, 0x7e00, 0xcafe, 0x7777, 0, 0, 0x0a06, 0x001e);
/// Connections of each kind that cost a program of their own.
const FEW: usize = 6;
const PATIENCE: Duration = Duration::from_secs(5);

fn connect(namespace: &str) -> TcpStream {
    let stream = inside(namespace, || TcpStream::connect_timeout(&DOOR, PATIENCE));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The first message of a handshake, as `openssl` sends it: what a listener of the test's own gets of it.
fn client_hello(world: &World) -> Vec<u8> {
    let listener = inside(&world.namespace("laptop-02"), || TcpListener::bind("127.0.0.1:4433"));
    world
        .start(
            "laptop-02",
            "hello",
            &["openssl", "s_client", "-connect", "127.0.0.1:4433", "-servername", "da.example.com"],
        )
        .unwrap();
    let mut hello = vec![0; 4096];
    let length = listener.accept().unwrap().0.read(&mut hello).unwrap();
    assert_eq!(hello[0], 22, "a handshake record");
    hello.truncate(length);
    hello
}

#[test]
fn before_the_handshake_each_connection_is_one_failed_handshake() {
    const FAILED: &[&str] = &["iphttps-handshake-failed"];
    let mut world = World::up();
    let hello = client_hello(&world);
    let mut noise = Noise::new();
    noise.kind("nothing", FAILED, |_| Vec::new());
    noise.kind("bytes", FAILED, |chance| chance.some(1, 3000));
    noise.kind("a request without TLS", FAILED, |_| {
        b"GET / HTTP/1.1\r\nHost: da.example.com\r\n\r\n".to_vec()
    });
    noise.kind("a hello that is cut", FAILED, |chance| cut(hello.clone(), chance));
    noise.kind("a hello with a wrong byte in its head", FAILED, |chance| {
        let mut hello = hello.clone();
        // Types and lengths of record and message.
        let at = chance.one_of(&[0, 5, 6, 7]);
        hello[at] ^= 0x40;
        hello
    });
    noise.kind("a hello and then bytes", FAILED, |chance| [hello.clone(), chance.some(100, 3000)].concat());
    let namespace = world.namespace("laptop-02");
    noise.is_counted(&mut world, |_, bytes| {
        let mut stream = connect(&namespace);
        // Refused in the middle is refused.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    world.passes('a');
}

#[test]
fn after_the_handshake_each_bad_head_is_one_counter() {
    const WITHOUT: &str = "a tunnel for nobody";
    let mut world = World::up();
    let files = tls::files(&world, "laptop-02");
    let mut noise = Noise::new();
    noise.few(FEW / 2, "nothing", &["iphttps-head-invalid"], |_| Vec::new());
    noise.few(FEW / 2, "bytes", &["iphttps-head-invalid"], |chance| chance.some(1, 2000));
    noise.few(FEW, "another request", &["iphttps-head-invalid"], |chance| {
        let method = chance.one_of(&["GET", "PUT", "CONNECT", "OPTIONS", "DELETE"]);
        format!("{method} /IPTLS HTTP/1.1\r\nHost: da.example.com\r\n\r\n").into_bytes()
    });
    noise.few(FEW, "another place", &["iphttps-head-invalid"], |chance| {
        let place = chance.one_of(&["/", "/IPTLS2", "/iptls/../IPTLS", "/enrol/", "*"]);
        format!("POST {place} HTTP/1.1\r\nHost: da.example.com\r\nContent-Length: 5\r\n\r\n").into_bytes()
    });
    noise.few(FEW, "a head without an end", &["iphttps-head-invalid"], |chance| {
        let mut head = b"POST /IPTLS HTTP/1.1\r\n".to_vec();
        while head.len() < 40_000 {
            head.extend_from_slice(format!("X-{}: {}\r\n", chance.number(), chance.number()).as_bytes());
        }
        head
    });
    noise.few(FEW, WITHOUT, &["iphttps-certificate-missing"], |_| tls::TUNNEL.as_bytes().to_vec());
    noise.few(FEW, "an enrolment that is none", &["enrol-request-invalid", "enrol-limited"], |chance| {
        let body = chance.some(1, 500);
        let head =
            format!("POST /enrol HTTP/1.1\r\nHost: da.example.com\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), &body].concat()
    });
    world.stop("laptop-02", SERVICE).unwrap();
    let lab = sixgate_lab::Lab::clone(&world);
    noise.is_counted(&mut world, |kind, head| {
        let said = tls::say(&lab, "laptop-02", &files, kind.name != WITHOUT, head, "1.5");
        assert!(!said.contains("200 OK"), "{}: {said}", kind.name);
    });
    assert!(!world.who().contains(&"laptop-02".to_owned()));
    world.passes('a');
}

/// What a client can get wrong inside its own tunnel, whose framing it keeps.
fn packets(own: Ipv6Addr) -> Noise {
    let mut noise = Noise::new();
    noise.kind("another's source", &["iphttps-source-foreign"], |chance| {
        let mut source = chance.bytes(16);
        source[0] = 0x20;
        packets::udp(octets(&source), FILES, 9, &chance.some(0, 1200))
    });
    noise.kind("multicast", &["iphttps-multicast", "malformed-extension"], |chance| {
        let mut group = chance.bytes(16);
        group[0] = 0xff;
        packets::udp(own, octets(&group), 9, &chance.some(0, 1200))
    });
    noise.kind("a packet of the link", &["iphttps-link-local"], |chance| {
        let mut far = chance.bytes(16);
        far[..2].copy_from_slice(&[0xfe, 0x80]);
        packets::udp(own, octets(&far), 9, &chance.some(0, 1200))
    });
    noise.kind("a solicitation that is none", &ND, |chance| {
        let mut message = chance.some(1, 200);
        message[0] = chance.one_of(&[133, 135]);
        packets::ipv6(own, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2), 58, &message)
    });
    noise.kind("a transport header that is cut", &["malformed-transport"], |chance| {
        let (next, first, end) = chance.one_of(&[(6, 0, 20), (17, 0, 4), (58, 128, 8)]);
        let mut header = chance.some(1, end);
        header[0] = first;
        packets::ipv6(own, FILES, next, &header)
    });
    noise.kind("an extension header that is cut", &["malformed-extension"], |chance| {
        let mut header = chance.some(8, 40);
        header[1] = 200;
        packets::ipv6(own, FILES, chance.one_of(&[0, 43, 60]), &header)
    });
    noise.kind("a segment of no connection", &["flow-tcp-outside"], |chance| {
        let flags = chance.one_of(&[0x10, 0x11, 0x18, 0x04, 0x14, 0x01]);
        packets::tcp(own, FILES, 1 + chance.below(65_535) as u16, flags)
    });
    noise.kind("a protocol that no NAT64 carries", &["nat64-protocol"], |chance| {
        packets::ipv6(own, FILES, chance.one_of(&[4, 41, 47, 132]), &chance.some(8, 1200))
    });
    noise.kind("an ICMPv6 error about nothing", &["flow-icmp-error-unknown"], |chance| {
        packets::unreachable(own, FILES, &chance.some(0, 1200))
    });
    noise.kind("a later fragment of nothing", &["flow-fragment-unknown"], |chance| {
        let mut fragment = chance.some(8, 1200);
        fragment[2..4].copy_from_slice(&[0, 8]);
        packets::ipv6(own, FILES, 44, &fragment)
    });
    noise
}

const ND: [&str; 9] = [
    "iphttps-nd-invalid",
    "nd-not-nd",
    "nd-hop-limit",
    "nd-code",
    "nd-checksum",
    "nd-length",
    "nd-option",
    "nd-source",
    "malformed-transport",
];

#[test]
fn inside_a_tunnel_each_packet_is_counted_once_and_goes_nowhere() {
    let mut world = World::up();
    let files = tls::files(&world, "laptop-02");
    let own = product::address(&world, "laptop-02", CLIENT_DEVICE).unwrap().parse().unwrap();
    world.stop("laptop-02", SERVICE).unwrap();
    let server = Wire::open(&world.namespace("files"), "eth0");
    let noise = packets(own);
    let lab = sixgate_lab::Lab::clone(&world);
    let mut tunnel = tls::Tunnel::open(&lab, "laptop-02", &files);
    noise.is_counted(&mut world, |_, packet| tunnel.send(packet));

    tunnel.send(&packets::udp(own, FILES, 9, b"honest"));
    let passed = server.expect(1);
    assert_eq!(passed.len(), 1, "{passed:02x?}");
    assert!(passed[0].ends_with(b"honest"));

    // What is no packet ends the tunnel, and that alone.
    for (name, reason, end) in [
        ("no packet", "iphttps-bad-framing", with_version(vec![9; 100], 4)),
        ("a jumbogram", "iphttps-bad-framing", packets::ipv6(own, FILES, 0, &[])),
    ] {
        let before = world.counters();
        tunnel.send(&end);
        assert_eq!(world.counted(&before, 1).keys().collect::<Vec<_>>(), [reason], "{name}");
        world.until("the tunnel's end", 5, || !world.who().contains(&"laptop-02".to_owned()));
        tunnel = tls::Tunnel::open(&lab, "laptop-02", &files);
    }
    let before = world.counters();
    tunnel.send(&packets::udp(own, FILES, 9, b"this is cut")[..50]);
    tunnel.hang_up();
    assert_eq!(world.counted(&before, 1).keys().collect::<Vec<_>>(), ["iphttps-bad-framing"]);
    world.said_once(&world.counters());
    world.passes('a');
}

/// Somebody between laptop-02 and the gateway, who passes on what each says; what the gateway gets can be added to.
fn in_the_middle(namespace: &str) -> thread::JoinHandle<TcpStream> {
    let listener = inside(namespace, || TcpListener::bind("127.0.0.1:4433"));
    let namespace = namespace.to_owned();
    thread::spawn(move || {
        let client = listener.accept().unwrap().0;
        let gateway = inside(&namespace, || TcpStream::connect_timeout(&DOOR, PATIENCE));
        for (from, to) in [(&client, &gateway), (&gateway, &client)] {
            let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            // Ends when either of them does.
            thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
        gateway
    })
}

#[test]
fn a_record_that_is_forged_on_the_way_ends_that_tunnel_under_its_own_reason() {
    let world = World::up();
    let files = tls::files(&world, "laptop-02");
    world.stop("laptop-02", SERVICE).unwrap();
    // Bytes that are no record, and one that looks like a record of application data.
    let record = [&[23, 3, 3, 0, 40][..], &[7; 40]].concat();
    for forged in [vec![7; 100], record] {
        let middle = in_the_middle(&world.namespace("laptop-02"));
        let _tunnel = tls::Tunnel::through(&world, "laptop-02", &files, "127.0.0.1:4433");
        world.until("laptop-02 is connected", 5, || world.who().contains(&"laptop-02".to_owned()));
        let before = world.counters();
        middle.join().unwrap().write_all(&forged).unwrap();
        assert_eq!(world.counted(&before, 1).keys().collect::<Vec<_>>(), ["iphttps-bad-record"]);
        world.until("the tunnel's end", 5, || !world.who().contains(&"laptop-02".to_owned()));
    }
    world.said_once(&world.counters());
    world.passes('a');
}
