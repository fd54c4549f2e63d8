//! What a translator leaves on its machine: nothing.

use sixgate_e2e::plain::Row;

/// An IPv6 side on the left, an IPv4 side on the right.
pub(crate) fn row(test: &str) -> Row {
    let row = Row::new(test);
    row.ip("left", "addr add 2001:db8::8/64 dev l0 nodad");
    row.ip("middle", "addr add 2001:db8::1/64 dev m0 nodad");
    row.ip("left", "-6 route add default via 2001:db8::1");
    row.ip("middle", "addr add 192.0.2.1/24 dev m1");
    row.ip("right", "addr add 192.0.2.80/24 dev r0");
    row.ip("right", "route add default via 192.0.2.1");
    row
}

/// Everything of the middle machine that a translator could change.
fn settings(row: &Row) -> String {
    let all = "ip link; ip addr; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; nft list ruleset; \
               sysctl -a 2>/dev/null | grep -v -e 'fs\\.' -e kernel\\. -e '\\.neigh\\.' -e nf_conntrack -e 'expires'";
    let text = row.sh("middle", all).text;
    // Link-local addresses come when the kernel has made sure of them.
    let passing =
        |line: &&str| ["multicast ff00::", "expires", "fe80:"].iter().any(|what| line.contains(what));
    let lasting = text.lines().filter(|line| !passing(line));
    lasting.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn same(before: &str, after: &str) {
    let only = |a: &str, b: &str| {
        let lines: Vec<String> =
            a.lines().filter(|l| !b.lines().any(|m| m == *l)).map(str::to_owned).collect();
        lines
    };
    assert_eq!((only(before, after), only(after, before)), (Vec::new(), Vec::new()));
}

const FOREIGN: &str =
    "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"198.51.100.0/28\", \"203.0.113.9:1000-2000\"]\n";
const OWN: &str = "[nat64]\nprefix = \"2001:db8:64::/96\"\npool = [\"192.0.2.1:10000-29999\"]\n";

#[test]
fn routes_and_forwarding_are_there_at_ready_and_gone_at_the_end() {
    let mut row = row("kr");
    let before = settings(&row);
    assert!(
        row.sh("middle", "sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding").text.contains("0\n0")
    );
    let file = row.file("nat64", FOREIGN);
    let daemon = row.daemon("middle", &["run"], &file);
    let says = |command: &str, what: &str| {
        let text = row.sh("middle", command).text;
        assert!(text.contains(what), "{command}: {text}");
    };
    says("ip -6 route get 2001:db8:64::203.0.113.1", "dev nat64");
    says("ip route get 198.51.100.0", "dev nat64");
    says("ip route get 198.51.100.15", "dev nat64");
    says("ip route get 203.0.113.9", "dev nat64");
    says("ip route show; ip route get 203.0.113.8 2>&1", "unreachable");
    says("sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding", "1\n1");
    assert!(daemon.stop());
    same(&before, &settings(&row));
}

#[test]
fn a_killed_one_leaves_nothing_after_the_next_has_ended() {
    for (name, sections) in [("kf", FOREIGN), ("ko", OWN)] {
        let mut row = row(name);
        let before = settings(&row);
        let file = row.file("nat64", sections);
        let mut daemon = row.daemon("middle", &["run"], &file);
        daemon.kill();
        let daemon = row.daemon("middle", &["run"], &file);
        let ping = row.sh("left", "ping -n -c 1 -W 3 2001:db8:64::192.0.2.80");
        assert!(ping.good, "{}", ping.text);
        assert!(daemon.stop());
        same(&before, &settings(&row));
        // And forwarding that was on before stays on.
        assert!(row.sh("middle", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1").good);
        let before = settings(&row);
        let mut daemon = row.daemon("middle", &["run"], &file);
        daemon.kill();
        assert!(row.daemon("middle", &["run"], &file).stop());
        same(&before, &settings(&row));
    }
}
