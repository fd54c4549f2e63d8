//! The stateful filter on real wires: what is refused outside a flow passes inside it, and the table of flows has an end.
//!
//! ```text
//!  left ════ protocol 41 ════ middle ════ IPv6 ════ right
//!  hosts 10.6.8.20 to .28     router                fd00:1::77, which no kernel has: the test speaks for it
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use sixgate_e2e::Watched;
use sixgate_e2e::packets::{self, datagram, segment};
use sixgate_e2e::plain::{Daemon, Row};
use sixgate_e2e::raw::{Sender, Wire, is_neighbourly};
use sixgate_e2e::watched::Counts;
use sixgate_lab::product;

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 1);
const FAR: Ipv6Addr = Ipv6Addr::new(0xfd00, 1, 0, 0, 0, 0, 0, 0x77);
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

fn host(n: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 6, 8, 20 + n)
}

/// The ISATAP address of that host.
fn address(n: u8) -> Ipv6Addr {
    let v4 = host(n).to_bits();
    Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0x5efe, (v4 >> 16) as u16, v4 as u16)
}

struct World {
    row: Row,
    router: Daemon,
    left: Wire,
    right: Wire,
    /// One a host. While it is open, the kernel says nothing about what comes back.
    hosts: Vec<Sender>,
}

fn world(test: &str) -> World {
    let mut row = Row::new(test);
    for n in 0..9 {
        row.ip("left", &format!("addr add {}/24 dev l0", host(n)));
    }
    row.ip("middle", "addr add 10.6.8.1/24 dev m0");
    row.ip("middle", "addr add fd00:1::1/64 dev m1 nodad");
    let station = row.sh("right", "cat /sys/class/net/r0/address").text;
    row.ip("middle", &format!("-6 neigh add {FAR} lladdr {} dev m1", station.trim()));
    let file = row.file(
        "router",
        "[isatap]\ninterface = \"m0\"\nname = \"da-isatap.corp.example\"\nprefix = \"fd00:2::/64\"\n\
         routes = [{ prefix = \"fd00:1::/64\" }]\n[[isatap.allow]]\nhosts = [\"10.6.8.0/24\"]\n",
    );
    let router = row.daemon("middle", &["run"], &file);
    let (left, right) = (Wire::open(&row.namespace("left"), "l0"), Wire::open(&row.namespace("right"), "r0"));
    let hosts = (0..9).map(|n| Sender::open(&row.namespace("left"), 41, host(n))).collect();
    World { row, router, left, right, hosts }
}

impl World {
    fn sender(&self, n: u8) -> &Sender {
        &self.hosts[usize::from(n)]
    }

    /// What came to the left inside protocol 41, from the transport header on, without the router's own questions to its neighbour.
    fn came_left(&self, many: usize) -> Vec<Vec<u8>> {
        let inner = self.left.expect(many).into_iter().filter(|packet| packet[9] == 41);
        let inner = inner.map(|packet| packet[20..].to_vec()).filter(|packet| !is_neighbourly(packet));
        inner.map(|packet| packet[40..].to_vec()).collect()
    }

    fn came_right(&self, many: usize) -> Vec<Vec<u8>> {
        self.right.expect(many).into_iter().map(|packet| packet[40..].to_vec()).collect()
    }
}

/// Who sends it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum From {
    Left,
    Right,
}

#[test]
fn what_is_refused_outside_a_flow_passes_inside_it_byte_for_byte() {
    let world = world("fl");
    let (near, far) = (address(0), FAR);
    let host = world.sender(0);
    let station = world.row.station("middle", "m1");
    let send = |from: From, packet: &[u8]| match from {
        From::Left => host.send(ROUTER, packet),
        From::Right => world.right.send(Some(station), packet),
    };
    let came = |from: From, many| match from {
        From::Left => world.came_right(many),
        From::Right => world.came_left(many),
    };
    // The router tells a host's packets from nobody's only when it has heard of the host.
    send(From::Left, &datagram((near, 999), (far, 9), b"here I am"));
    assert_eq!(came(From::Left, 1).len(), 1);

    let question = datagram((near, 1003), (far, 9), b"question");
    let [first, second] = packets::two_fragments(near, far, 1004);
    let [first_back, second_back] = packets::two_fragments(far, near, 1005);
    // The reason outside a flow, the packet, and what opens the flow.
    let cases = [
        (
            "flow-tcp-syn-ack-unknown",
            (From::Right, segment((far, 80), (near, 1001), SYN | ACK)),
            vec![(From::Left, segment((near, 1001), (far, 80), SYN))],
        ),
        (
            "flow-tcp-outside",
            (From::Left, segment((near, 1002), (far, 80), ACK)),
            vec![
                (From::Left, segment((near, 1002), (far, 80), SYN)),
                (From::Right, segment((far, 80), (near, 1002), SYN | ACK)),
            ],
        ),
        (
            "flow-icmp-error-unknown",
            (From::Right, packets::unreachable(far, near, &question)),
            vec![(From::Left, question.clone())],
        ),
        ("flow-fragment-unknown", (From::Left, second), vec![(From::Left, first)]),
        (
            "flow-fragment-unknown",
            (From::Right, second_back),
            vec![(From::Left, datagram((near, 1005), (far, 40_000), b"question")), (From::Right, first_back)],
        ),
        (
            "flow-echo-reply-unknown",
            (From::Right, packets::echo(far, near, 129)),
            vec![(From::Left, packets::echo(near, far, 128))],
        ),
        (
            "policy-denied",
            (From::Right, datagram((far, 7), (near, 1006), b"answer")),
            vec![(From::Left, datagram((near, 1006), (far, 7), b"question"))],
        ),
    ];
    for (reason, (from, packet), opens) in cases {
        let before = world.router.counters();
        send(from, &packet);
        let refused = Counts::from([(reason.to_owned(), 1)]);
        assert_eq!(world.router.counted(&before, 1), refused);
        assert_eq!(came(from, 0), Vec::<Vec<u8>>::new(), "{reason}: it was forwarded");

        // Where an error is due, it goes back to who sent the packet.
        let _ = (world.left.seen(), world.right.seen());
        for (opener, opening) in &opens {
            send(*opener, opening);
            assert_eq!(came(*opener, 1), [&opening[40..]], "{reason}: what opens the flow");
        }
        send(from, &packet);
        assert_eq!(came(from, 1), [&packet[40..]], "{reason}: inside the flow");
        assert_eq!(world.router.counted(&before, 1), refused, "and nothing else was counted");
    }
    assert!(world.router.stop());
}

/// Flows that one source may have, and all together: as the gateway makes its table.
const SHARE: u16 = 16_384;
const HOSTS: u8 = 8;
/// Packets that are too many.
const TOO_MANY: u16 = 100;

impl World {
    /// Opens a flow from each of these ports of a host, and waits until each has come to the right.
    fn open(&self, n: u8, ports: std::ops::Range<u16>) {
        let host = self.sender(n);
        let ports: Vec<u16> = ports.collect();
        // No more at once than the router's socket holds.
        for some in ports.chunks(512) {
            for port in some {
                host.send(ROUTER, &datagram((address(n), *port), (FAR, 9), b""));
            }
            let end = Instant::now() + Duration::from_secs(10);
            let mut came = 0;
            while came < some.len() {
                assert!(
                    Instant::now() < end,
                    "host {n}: {came} of {}: {:?}",
                    some.len(),
                    self.router.counters()
                );
                came += self.right.seen().len();
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// A flow more is refused under `reason`, with an error that lets the sender try again.
    fn is_refused(&self, n: u8, reason: &str) {
        let before = self.router.counters();
        let host = self.sender(n);
        let _ = self.left.seen();
        for port in 0..TOO_MANY {
            host.send(ROUTER, &datagram((address(n), 50_000 + port), (FAR, 9), b""));
        }
        let refused = Counts::from([(reason.to_owned(), u64::from(TOO_MANY))]);
        assert_eq!(self.router.counted(&before, u64::from(TOO_MANY)), refused);
        assert_eq!(self.right.seen().len(), 0, "{reason}: it was forwarded");
        let told = self.came_left(1);
        // RFC 4443, section 3.1: address unreachable.
        assert!(told.iter().any(|error| error[..2] == [1, 3]), "{reason}: {told:02x?}");
        self.router.said_once(&refused);
    }

    /// The flow from this port passes in both directions.
    fn lives(&self, n: u8, port: u16) {
        let _ = (self.left.seen(), self.right.seen());
        self.sender(n).send(ROUTER, &datagram((address(n), port), (FAR, 9), b"again"));
        assert_eq!(self.came_right(1).len(), 1, "host {n}, port {port}");
        let station = self.row.station("middle", "m1");
        let answer = datagram((FAR, 9), (address(n), port), b"answer");
        self.right.send(Some(station), &answer);
        assert_eq!(self.came_left(1), [&answer[40..]], "host {n}, port {port}");
    }
}

#[test]
fn the_table_of_flows_has_an_end_and_so_has_the_share_of_one_source() {
    let world = world("ft");
    world.open(0, 1..1 + SHARE);
    world.is_refused(0, "flow-source-limit");
    world.lives(0, 1);
    world.lives(0, SHARE);
    for n in 1..HOSTS {
        world.open(n, 1..1 + SHARE);
    }
    // The next source has a share, but there is no room.
    world.is_refused(HOSTS, "flow-table-full");
    for n in 0..HOSTS {
        world.lives(n, 1 + u16::from(n) * 2000);
    }
    let refused = world.router.counters();
    assert_eq!(refused.values().sum::<u64>(), 2 * u64::from(TOO_MANY), "{refused:?}");
    assert!(world.router.stop());
}

#[test]
fn stock_programs_get_answers_errors_and_fragments_through_a_gateway_that_refuses_nothing() {
    let lab = sixgate_e2e::World::up();
    lab.gateway_with(|config| config.replace("\"icmp\"]", "\"icmp\", \"udp/9999\"]"));
    let laptop = product::address(&lab, "laptop-01", product::CLIENT_DEVICE).expect("it has an address");
    // SYN, SYN-ACK and segments, by name; and the first large packet may learn how large the clients' link is.
    lab.passes('b');
    let large = format!("ping -n -c 2 -i 0.2 -s 3000 {laptop}");
    let _ = lab.run("helpdesk-01", &["sh", "-c", &large]);

    let fragments = || -> Vec<u64> {
        let counts = lab.sh("helpdesk-01", "grep -E 'Ip6(FragCreates|ReasmOKs)' /proc/net/snmp6 | sort");
        counts.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse().ok()).collect()
    };
    let (before, fragments_before) = (lab.counters(), fragments());
    let ping = lab.sh("helpdesk-01", &large);
    assert!(ping.contains("2 received"), "{ping}");
    let rise: Vec<u64> = fragments().iter().zip(&fragments_before).map(|(now, then)| now - then).collect();
    let [created, reassembled] = rise.as_slice() else { panic!("{rise:?}") };
    // Two requests in at least two pieces each, and two answers.
    assert!(*created >= 4 && *reassembled == 2, "{rise:?}");
    // Nobody listens: the laptop's own error comes back.
    let closed = format!("echo x | socat -T 3 - UDP6:[{laptop}]:9999");
    let refused = lab.run("helpdesk-01", &["sh", "-c", &closed]).expect("the node is there");
    assert!(refused.stderr.contains("Connection refused"), "{}", refused.said());
    assert_eq!(lab.counted(&before, 0), Counts::new());
}
