//! Much of what is bad: bounded memory, bounded answers, and others are served.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use sixgate_e2e::nat64::craft::data;
use sixgate_e2e::nat64::{Case, Four, Outside, Setting, Six, Talk, Upper, run};
use sixgate_e2e::raw::Wire;

#[test]
fn fragments_that_never_become_whole() {
    run(
        "ff",
        &Setting { peer: Some("its kernel's limits are another matter"), ..Setting::default() },
        &[
            Case::new("10,000 first fragments stay under the limit, both ways", first_fragments),
            Case::new("10,000 later fragments stay under the limit, both ways", later_fragments),
        ],
    );
}

#[test]
fn errors_of_our_own() {
    run(
        "fe",
        &Setting { mtu4: 1400, peer: Some("the kernel answers"), ..Setting::default() },
        &[Case::new("a flood of packets that are too big gets a bounded number of answers", too_big)],
    );
}

#[test]
fn sources_that_nobody_has() {
    run(
        "fm",
        &Setting { peer: Some("counts nothing"), ..Setting::default() },
        &[Case::new("each is counted at the device, and makes no state", martians)],
    );
}

/// Octets that the daemon has in memory.
fn resident(t: &Talk<'_>) -> u64 {
    let pid = t.site.daemon().expect("ours").pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number") << 10
}

/// More than the bounds of the tables (2 MiB of each family) and what an allocator adds.
const ROOM: u64 = 12 << 20;

/// A datagram in three fragments still crosses, both ways, for somebody else and for who sent the flood.
fn still_carries(t: &mut Talk<'_>) {
    let (flooder, server) = (t.client, t.server);
    let other = (Ipv6Addr::from_bits(flooder.to_bits() + 0x100), Ipv4Addr::new(203, 0, 119, 99));
    for (client, from) in [other, (flooder, server)] {
        (t.client, t.server) = (client, server);
        let parts = t.six(&Upper::Udp(4000, 53, data(3000))).fragments(20_000, 1200);
        for n in [2, 1, 0] {
            t.client_says(&parts[n]);
        }
        let heard = [t.server_hears(), t.server_hears(), t.server_hears()];
        let first = heard.iter().find(|four| four.offset == 0).expect("a first one");
        let at = Outside { address: first.source, port: first.from_port() };
        t.server = from;
        let parts = t.four(at, &Upper::Udp(53, 0, data(2000))).fragments(1000);
        for n in [2, 1, 0] {
            t.server_says(&parts[n]);
        }
        let _ = [t.client_hears(), t.client_hears(), t.client_hears()];
    }
    (t.client, t.server) = (flooder, server);
}

fn first_fragments(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    let echo = t.opens(&Upper::Ping(9, data(9)));
    let before = resident(t);
    // Those of echo messages wait for the last, which tells the length; those of datagrams pass on.
    let out = [t.six(&Upper::Udp(4000, 53, data(1200))), t.six(&Upper::Ping(9, data(1200)))];
    let back = [t.four(at, &Upper::Udp(53, 0, data(1200))), t.four(echo, &Upper::Pong(0, data(1200)))];
    for n in 0..10_000_u32 {
        let six = &out[n as usize % 2];
        t.client_says(&six.fragment(n, 0, true, &six.body[..1000]));
        let four = &back[n as usize % 2];
        let four = Four { identification: n as u16, ..four.clone() };
        t.server_says(&four.fragment(0, true, &four.body[..1000]));
        if n % 100 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
    let grown = resident(t).saturating_sub(before);
    assert!(grown < ROOM, "{grown} octets more");
    let _ = (t.server_hears_all(), t.client_hears_all());
    still_carries(t);
    // Half of them waited, and each is accounted for when its time is over; a queue on the way has no room for some on a busy machine.
    std::thread::sleep(std::time::Duration::from_millis(2500));
    t.counted_at_least(&["nat64-fragment-unknown", "nat64-fragment-limit"], 2_000);
}

fn later_fragments(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    let before = resident(t);
    let (six, four) = (t.six(&Upper::Udp(4000, 53, data(1200))), t.four(at, &Upper::Udp(53, 0, data(1200))));
    for n in 0..10_000_u32 {
        t.client_says(&six.fragment(n, 1000, true, &six.body[..1000]));
        let four = Four { identification: n as u16, ..four.clone() };
        t.server_says(&four.fragment(1000, true, &four.body[..1000]));
        if n % 100 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
    let grown = resident(t).saturating_sub(before);
    assert!(grown < ROOM, "{grown} octets more");
    assert!(t.server_hears_all().is_empty() && t.client_hears_all().is_empty());
    still_carries(t);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    t.counted_at_least(&["nat64-fragment-unknown", "nat64-fragment-limit"], 4_000);
}

fn too_big(t: &mut Talk<'_>) {
    let six = t.six(&Upper::Udp(4000, 53, data(1400)));
    let since = Instant::now();
    for n in 0..5_000 {
        t.client_says(&six);
        if n % 100 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
    let answers = t.client_hears_all();
    let most = 500.0 + 500.0 * since.elapsed().as_secs_f64();
    let many = answers.len();
    assert!(many >= 100 && (many as f64) <= most, "{many} answers, at most {most}");
    assert!(answers.iter().all(|six| (six.next, six.body[0]) == (58, 2)));
    // What the device's queue had no room for is nobody's.
    t.counted_at_least(&["nat64-too-big"], 2_000);
}

fn martians(t: &mut Talk<'_>) {
    let at = t.opens(&Upper::Udp(4000, 53, data(9)));
    let state = t.state().len();
    let device = Wire::open(&t.site.row.namespace("middle"), "nat64");
    let sources4 = [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "169.254.3.4",
        "224.0.0.5",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "198.51.100.3",
    ];
    for source in sources4 {
        let four =
            Four::of(source.parse().expect("an address"), at.address, &Upper::Udp(53, at.port, data(9)));
        device.send(None, &four.octets());
    }
    let sources6 = ["::", "::1", "ff02::1", "ff0e::9", "::ffff:10.0.0.1"];
    for source in sources6 {
        let six = Six::of(source.parse().expect("an address"), t.server6(), &Upper::Udp(4000, 53, data(9)));
        device.send(None, &six.octets());
    }
    t.client_hears_nothing();
    t.server_hears_nothing();
    t.counted("nat64-source-martian", (sources4.len() + sources6.len()) as u64);
    assert_eq!(t.state().len(), state);
    let daemon = t.site.daemon().expect("ours");
    let bindings = daemon.ask(&["nat64", "bib"])["bib"].as_array().map(Vec::len);
    assert_eq!(bindings, Some(1), "nobody else has one");
}
