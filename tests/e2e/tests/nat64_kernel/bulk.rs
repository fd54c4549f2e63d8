//! Bulk between real stacks: super-packets cross whole, and arrive as they were sent, with every kind of offload.

use std::time::Duration;

use sixgate_e2e::plain::{Row, wait};

use super::traces::row;

const SERVER: &str = "2001:db8:64::192.0.2.80";
const MEBIBYTES: usize = 24;

/// A file goes one way and comes back the other.
fn carries(row: &mut Row) {
    let folder = row.folder().display().to_string();
    let make = format!("head -c {}M /dev/urandom >{folder}/sent", MEBIBYTES);
    assert!(row.sh("left", &make).good);
    row.start("right", "socat TCP4-LISTEN:8080,reuseaddr,fork EXEC:cat");
    let listens = || row.sh("right", "ss -ltn | grep -q :8080").good;
    assert!(wait(Duration::from_secs(5), listens), "the server listens");
    let carry = format!("socat -t 10 -T 20 - TCP6:[{SERVER}]:8080 <{folder}/sent >{folder}/came");
    let carried = row.sh_within("left", 60, &carry);
    assert!(carried.good, "{}", carried.text);
    let same = row.sh("left", &format!("cmp {folder}/sent {folder}/came"));
    assert!(same.good, "{}", same.text);
}

/// What a machine's TCP has found wrong.
fn bad_checksums(row: &Row, machine: &str) -> String {
    row.sh(machine, "nstat -asz TcpInCsumErrors UdpInCsumErrors Udp6InCsumErrors Icmp6InCsumErrors IcmpInCsumErrors | grep -v '#'").text
}

#[test]
fn a_file_arrives_as_it_was_sent_with_every_kind_of_offload() {
    let mut row = row("kb");
    let file = row.file("nat64", "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0/28\"]\n");
    let daemon = row.daemon("middle", &["run"], &file);
    carries(&mut row);
    // Without offloads at the ends every packet is one, with a checksum of its own; without them in the middle each checksum that we
    // leave to the device must be made, and the ends look at it.
    let all = "tso gso gro tx rx";
    for machines in [&[("left", "l0"), ("right", "r0")][..], &[("middle", "m0"), ("middle", "m1")]] {
        for (machine, device) in machines {
            for what in all.split(' ') {
                // Some cannot be turned off, which is as good.
                let _ = row.sh(machine, &format!("ethtool -K {device} {what} off"));
            }
        }
        carries(&mut row);
    }
    for machine in ["left", "right"] {
        let wrong = bad_checksums(&row, machine);
        assert!(wrong.lines().all(|line| line.split_whitespace().nth(1) == Some("0")), "{machine}: {wrong}");
    }
    assert!(daemon.stop());
}

#[test]
fn super_packets_cross_whole() {
    let mut row = row("kg");
    let file = row.file("nat64", "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0/28\"]\n");
    let daemon = row.daemon("middle", &["run"], &file);
    let counted = |row: &Row, field: &str| -> u64 {
        row.sh("middle", &format!("cat /sys/class/net/nat64/statistics/{field}"))
            .text
            .trim()
            .parse()
            .expect("a number")
    };
    for (direction, packets, bytes) in [("", "tx_packets", "tx_bytes"), ("-R", "tx_packets", "tx_bytes")] {
        row.start("right", "iperf3 -s -1 -p 5301");
        assert!(wait(Duration::from_secs(5), || row.sh("right", "ss -ltn | grep -q :5301").good));
        let before = (counted(&row, packets), counted(&row, bytes));
        let ran = row.sh_within("left", 30, &format!("iperf3 -6 -c {SERVER} -p 5301 -t 2 {direction}"));
        assert!(ran.good, "{}", ran.text);
        let after = (counted(&row, packets), counted(&row, bytes));
        // Both ways through the device are in the count: data one way, acknowledgements the other.
        let mean = (after.1 - before.1) / (after.0 - before.0).max(1);
        assert!(mean > 3000, "a packet had {mean} octets {direction}");
    }
    assert!(daemon.stop());
}
