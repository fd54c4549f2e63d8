//! What this test program is when its environment says so.

use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use sixgate_io_link::{Interest, Outer, Poller, Proto41, Tun, TunOptions, clock};
use sixgate_isatap::{AllowRule, Inbound, Router, RouterConfig};
use sixgate_wire::lease::{Lease, LeasedPrefix, LeasedRoute, Preference};
use sixgate_wire::{Packet, refusal};

/// Does nothing in the test run itself.
pub(crate) fn play() {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    match variable("SIXGATE_PART").as_str() {
        "host" => host(Path::new(&variable("SIXGATE_FILE"))),
        "router" => router(variable("SIXGATE_ROUTER").parse().unwrap()),
        "names" => names(),
        "sink" => sink(&variable("SIXGATE_ADDRESS")),
        "source" => source(&variable("SIXGATE_ADDRESS"), variable("SIXGATE_MEGABYTES").parse().unwrap()),
        "connect" => connect(&variable("SIXGATE_ADDRESS")),
        "echo" => echo(&variable("SIXGATE_ADDRESS")),
        "talk" => talk(&variable("SIXGATE_ADDRESS")),
        _ => {}
    }
}

fn say(line: &str) {
    // Not `println!`: what the test harness captures would come too late.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn host(file: &Path) {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let text = std::fs::read_to_string(file).unwrap();
    let config = sixgate_config::host(file, &text).unwrap_or_else(|r| panic!("{}", r.render())).value;
    if let Err(failure) = sixgate_role_host::run(file, config) {
        panic!("{failure}");
    }
}

/// A router that serves the wire's network and routes between it and the kernel. Of several, the one with the lowest
/// address carries the way back.
fn router(address: Ipv4Addr) {
    let last = address.octets()[3];
    let (device, own) = (format!("r{last}"), format!("fd00:2::5efe:a06:8{last:02x}"));
    let mut tun = Tun::open(&device, &TunOptions { mtu: 1280, queues: 1, offload: true }).unwrap();
    tun.set_up().unwrap();
    for arguments in [
        format!("-6 address add {own}/128 dev {device}"),
        format!("-6 route add fd00:2::/64 dev {device} metric {}", 100 + u32::from(last)),
    ] {
        let status = std::process::Command::new("ip").args(arguments.split(' ')).status().unwrap();
        assert!(status.success());
    }
    let mut socket = Proto41::bind(address).unwrap();
    let prefix = "fd00:2::/64".parse().unwrap();
    let lease = Lease {
        prefixes: vec![LeasedPrefix { prefix, preferred: 1800, valid: 3600, on_link: false }],
        routes: vec![LeasedRoute {
            prefix: "fd00:1::/64".parse().unwrap(),
            preference: Preference::Medium,
            lifetime: 1800,
        }],
        mtu: 1280,
        ..Lease::default()
    };
    let allow = AllowRule {
        rule: "all".into(),
        prefixes: vec!["10.6.8.0/24".parse().unwrap()],
        ..AllowRule::default()
    };
    let config = RouterConfig {
        address,
        own_addresses: vec![address],
        broadcasts: vec![],
        lease,
        offers: vec![],
        peers: vec![],
        allow: vec![allow],
        deny: vec![],
        most_hosts: 100,
        options: sixgate_isatap::RouterOptions::default(),
        retire: sixgate_isatap::retire::Retire::default(),
    };
    let mut router = Router::new(config, [1; 32]);
    let mut poller = Poller::new(4).unwrap();
    poller.add(&tun, 0, Interest::READ).unwrap();
    poller.add(&socket, 1, Interest::READ).unwrap();
    let mut packets: Vec<Packet> = (0..64).map(|_| Packet::new()).collect();
    let mut outer = [Outer::default(); 64];
    let (mut packet, mut out) = (Packet::new(), Packet::new());
    say("router ready");
    loop {
        let _ = poller.wait(None).unwrap().count();
        let now = clock::now();
        let n = socket.receive_batch(&mut packets, &mut outer).unwrap();
        for (packet, outer) in packets[..n].iter().zip(&outer) {
            if router.decapsulate(now, outer.src, outer.dst, packet) == Inbound::Forward {
                let _ = tun.send(packet);
            }
        }
        while tun.receive(&mut packet).unwrap() {
            match router.encapsulate(now, &packet) {
                Ok(to) => socket.send(to, &packet).unwrap(),
                Err(refused) => {
                    let from = own.parse().unwrap();
                    if refused.refusal.is_some_and(|r| refusal::write(r, packet.bytes(), from, &mut out)) {
                        let _ = tun.send(&out);
                    }
                }
            }
        }
        while let Some(to) = router.poll_output(&mut out) {
            socket.send(to, &out).unwrap();
        }
        let _ = socket.flush();
    }
}

/// Answers every question for an A record with the router's address. Whatever else is asked has no records.
fn names() {
    let socket = UdpSocket::bind("10.6.8.1:53").unwrap();
    say("names ready");
    let mut question = [0; 512];
    loop {
        let (n, from) = socket.recv_from(&mut question).unwrap();
        // One question: its name ends with a zero octet, then come type and class.
        let end = 12 + question[12..n].iter().position(|octet| *octet == 0).unwrap() + 5;
        let is_a = question[end - 4..end - 2] == [0, 1];
        let mut answer = question[..end].to_vec();
        answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
        if is_a {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 6, 8, 1]);
        }
        socket.send_to(&answer, from).unwrap();
    }
}

fn sink(address: &str) {
    let listener = TcpListener::bind(address).unwrap();
    say("listening");
    let (mut stream, _) = listener.accept().unwrap();
    let (mut buffer, mut sum) = (vec![0; 1 << 16], Sum::default());
    loop {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            n => sum.add(&buffer[..n]),
        }
    }
    say(&format!("sum {sum:?}"));
}

fn source(address: &str, megabytes: usize) {
    let mut stream = TcpStream::connect(address).unwrap();
    let (mut sum, mut state) = (Sum::default(), 1_u32);
    for _ in 0..megabytes {
        let block: Vec<u8> = (0..1_000_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        stream.write_all(&block).unwrap();
        sum.add(&block);
    }
    say(&format!("sum {sum:?}"));
}

/// Length and FNV-1a of a stream.
#[derive(Default, Debug)]
struct Sum(u64, u64);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        self.0 += bytes.len() as u64;
        for byte in bytes {
            self.1 = (self.1 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// Gives back what comes, octet by octet.
fn echo(address: &str) {
    let listener = TcpListener::bind(address).unwrap();
    say("listening");
    let (mut stream, _) = listener.accept().unwrap();
    let mut octet = [0];
    while stream.read(&mut octet).unwrap() == 1 {
        stream.write_all(&octet).unwrap();
    }
}

/// Sends an octet twenty times a second for eight seconds and waits for each to come back; says the longest wait.
fn talk(address: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let (start, mut longest, mut count) = (Instant::now(), Duration::ZERO, 0_u8);
    say("talking");
    while start.elapsed() < Duration::from_secs(8) {
        let sent = Instant::now();
        stream.write_all(&[count]).unwrap();
        let mut back = [0];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back[0], count);
        longest = longest.max(sent.elapsed());
        count = count.wrapping_add(1);
        std::thread::sleep(Duration::from_millis(50));
    }
    say(&format!("longest wait {}", longest.as_millis()));
}

fn connect(address: &str) {
    let start = Instant::now();
    let error = TcpStream::connect(address).expect_err("nobody is there");
    say(&format!("failed after {}", start.elapsed().as_micros()));
    say(&error.to_string());
}
