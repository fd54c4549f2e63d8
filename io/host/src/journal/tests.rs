//! The journal against a kernel and a disk: at the end, after a kill, and where others were at work meanwhile.

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use super::*;
use crate::testing::{Directory, in_namespace, run};

const FORWARD6: &str = "net/ipv6/conf/all/forwarding";
const FORWARD4: &str = "net/ipv4/ip_forward";

fn open(directory: &Directory) -> (Journal, Undone) {
    Journal::open(&directory.path("state/journal")).unwrap()
}

/// A veth pair with an address and some settings that differ from each other.
fn prepare() -> u32 {
    run("ip", "link add v0 type veth peer name v1");
    run("ip", "link set v0 up");
    run("ip", "link set v1 up");
    run("ip", "addr add 192.0.2.1/24 dev v0");
    sysctl::set("net/ipv4/conf/v1/forwarding", "1").unwrap();
    sysctl::set("net/ipv6/conf/v1/forwarding", "1").unwrap();
    sysctl::set("net/ipv4/conf/all/accept_redirects", "0").unwrap();
    Netlink::new().unwrap().link("v0").unwrap().index
}

/// Everything that the journal may change, as text.
fn dump(resolver: &Path) -> String {
    let mut text = String::new();
    for (before, after) in [
        ("net/ipv4/conf", "forwarding"),
        ("net/ipv6/conf", "forwarding"),
        ("net/ipv4/conf", "accept_redirects"),
    ] {
        for name in sysctl::family(before, after) {
            writeln!(text, "{name} {}", sysctl::get(&name).unwrap()).unwrap();
        }
    }
    for arguments in ["-o -4 addr show", "-4 route show table all", "-4 rule show", "-6 rule show"] {
        text += &run("ip", arguments);
    }
    text += &run("nft", "list ruleset");
    write!(text, "{:?}", resolver::read(resolver)).unwrap();
    text
}

/// One change of every kind.
fn change_everything(journal: &mut Journal, link: u32, resolver: &Path) {
    let mut netlink = Netlink::new().unwrap();
    journal.sysctl(FORWARD6, "1").unwrap();
    journal.sysctl(FORWARD4, "1").unwrap();
    journal
        .nft("inet", "sgtest", "table inet sgtest {\n chain c { type filter hook input priority 0; }\n}\n")
        .unwrap();
    journal.resolver(resolver, "nameserver ::1\n").unwrap();
    let address = Address::plain(link, "198.51.100.1".parse::<std::net::IpAddr>().unwrap(), 24);
    journal.address(&mut netlink, &address).unwrap().unwrap();
    let route = Route::dev("203.0.113.0/24".parse::<sixgate_wire::addr::Ipv4Prefix>().unwrap(), link)
        .via("192.0.2.9".parse::<std::net::IpAddr>().unwrap());
    journal.route(&mut netlink, &route).unwrap().unwrap();
    let rule = Rule { v6: true, priority: 900, table: 1000, from: None, to: None, mark: None, input: None };
    journal.rule(&mut netlink, &rule).unwrap().unwrap();
    journal.resolver(resolver, "nameserver ::2\n").unwrap();
}

fn fresh_resolver(directory: &Directory) -> PathBuf {
    let path = directory.path("resolv.conf");
    fs::write(&path, "nameserver 192.0.2.53\n").unwrap();
    path
}

#[test]
fn undoing_leaves_the_host_as_it_was_and_the_journal_empty() {
    let inside = in_namespace(|| {
        let directory = Directory::new();
        let resolver = fresh_resolver(&directory);
        let link = prepare();
        let before = dump(&resolver);
        let (mut journal, _) = open(&directory);
        change_everything(&mut journal, link, &resolver);
        let during = dump(&resolver);
        for change in ["inet sgtest", "198.51.100.1", "203.0.113.0/24", "lookup 1000", "nameserver ::2"] {
            assert!(during.contains(change) && !before.contains(change), "{change} in {during}");
        }
        assert!(
            during.contains("net/ipv6/conf/v0/forwarding 1")
                && during.contains("net/ipv4/conf/v0/forwarding 1")
        );
        let undone = journal.undo();
        assert_eq!(undone, Undone { changes: 8, remarks: vec![] });
        assert_eq!(dump(&resolver), before);
        assert_eq!(fs::read(directory.path("state/journal")).unwrap(), b"");
    });
    inside.join().unwrap();
}

#[test]
fn what_a_run_left_behind_is_undone_at_the_next_start() {
    let inside = in_namespace(|| {
        let directory = Directory::new();
        let resolver = fresh_resolver(&directory);
        let link = prepare();
        let before = dump(&resolver);
        let (mut journal, _) = open(&directory);
        change_everything(&mut journal, link, &resolver);
        drop(journal);
        assert_ne!(dump(&resolver), before);
        let (_journal, undone) = open(&directory);
        assert_eq!(undone, Undone { changes: 8, remarks: vec![] });
        assert_eq!(dump(&resolver), before);
    });
    inside.join().unwrap();
}

/// Not a test of its own: the process that the next test kills. It makes and undoes changes until then.
#[test]
#[ignore = "runs until it is killed, by the test below"]
fn child_that_is_killed() {
    let Ok(directory) = env::var("SIXGATE_JOURNAL_TEST") else { return };
    let directory = PathBuf::from(directory);
    let link = Netlink::new().unwrap().link("v0").unwrap().index;
    let (mut journal, _) = Journal::open(&directory.join("state/journal")).unwrap();
    loop {
        change_everything(&mut journal, link, &directory.join("resolv.conf"));
        assert_eq!(journal.undo().remarks, Vec::<String>::new());
    }
}

#[test]
fn a_kill_at_any_moment_leaves_nothing_after_the_next_start() {
    let inside = in_namespace(|| {
        let directory = Directory::new();
        let resolver = fresh_resolver(&directory);
        prepare();
        let before = dump(&resolver);
        let mut found_changes = 0;
        for round in 0..40_u64 {
            let mut child = Command::new(env::current_exe().unwrap())
                .args(["--exact", "journal::tests::child_that_is_killed", "--ignored", "--nocapture"])
                .env("SIXGATE_JOURNAL_TEST", &directory.0)
                .stdout(Stdio::null())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap();
            // Until it has begun, then a moment that differs from round to round.
            let begun = Instant::now();
            while fs::metadata(directory.path("state/journal")).map_or(0, |m| m.len()) == 0 {
                assert!(begun.elapsed() < Duration::from_secs(20), "the child does not begin");
                thread::sleep(Duration::from_micros(200));
            }
            thread::sleep(Duration::from_micros(round * 7919 % 60_000));
            child.kill().unwrap();
            child.wait().unwrap();
            let (journal, undone) = open(&directory);
            found_changes += undone.changes;
            assert_eq!(undone.remarks, Vec::<String>::new(), "round {round}");
            assert_eq!(dump(&resolver), before, "round {round}");
            drop(journal);
        }
        assert!(found_changes > 40, "the kills came too early to show anything: {found_changes}");
    });
    inside.join().unwrap();
}

#[test]
fn a_running_daemon_keeps_its_journal_to_itself() {
    let directory = Directory::new();
    let (_journal, _) = open(&directory);
    let error = Journal::open(&directory.path("state/journal")).unwrap_err().to_string();
    assert!(error.contains("another sixgate") && !error.contains('\n'), "{error}");
}

#[test]
fn what_others_changed_meanwhile_stays_theirs_and_is_told() {
    let inside = in_namespace(|| {
        let directory = Directory::new();
        let resolver = fresh_resolver(&directory);
        let (mut journal, _) = open(&directory);
        journal.sysctl("net/ipv4/tcp_keepalive_time", "100").unwrap();
        journal.resolver(&resolver, "nameserver ::1\n").unwrap();
        sysctl::set("net/ipv4/tcp_keepalive_time", "55").unwrap();
        fs::write(&resolver, "nameserver 192.0.2.99\n").unwrap();
        let remarks = journal.undo().remarks;
        assert_eq!(sysctl::get("net/ipv4/tcp_keepalive_time").unwrap(), "55");
        assert_eq!(fs::read_to_string(&resolver).unwrap(), "nameserver 192.0.2.99\n");
        assert_eq!(remarks.len(), 2);
        assert!(remarks[0].contains("resolv.conf is left as it is"), "{remarks:?}");
        assert!(remarks[1].contains("tcp_keepalive_time is left at 55"), "{remarks:?}");
    });
    inside.join().unwrap();
}

#[test]
fn a_device_that_others_set_meanwhile_keeps_their_value() {
    let inside = in_namespace(|| {
        let directory = Directory::new();
        prepare();
        let (mut journal, _) = open(&directory);
        journal.sysctl(FORWARD6, "1").unwrap();
        sysctl::set("net/ipv6/conf/v1/forwarding", "0").unwrap();
        journal.undo();
        assert_eq!(sysctl::get("net/ipv6/conf/v1/forwarding").unwrap(), "0");
    });
    inside.join().unwrap();
}

#[test]
fn what_is_there_already_is_neither_changed_nor_taken_away() {
    let inside = in_namespace(|| {
        let directory = Directory::new();
        let link = prepare();
        let mut netlink = Netlink::new().unwrap();
        let (mut journal, _) = open(&directory);
        run("ip", "route add 203.0.113.0/24 via 192.0.2.9");
        let route = Route::dev("203.0.113.0/24".parse::<sixgate_wire::addr::Ipv4Prefix>().unwrap(), link);
        assert_eq!(journal.route(&mut netlink, &route).unwrap(), None);
        let address = Address::plain(link, "192.0.2.1".parse::<std::net::IpAddr>().unwrap(), 24);
        assert_eq!(journal.address(&mut netlink, &address).unwrap(), None);
        sysctl::set(FORWARD4, "1").unwrap();
        assert_eq!(journal.sysctl(FORWARD4, "1").unwrap(), None);
        assert_eq!(journal.undo().changes, 0);
        assert!(run("ip", "route show").contains("203.0.113.0/24"));
        assert!(run("ip", "addr show dev v0").contains("192.0.2.1"));
    });
    inside.join().unwrap();
}

#[test]
fn one_change_can_be_undone_before_the_others() {
    let inside = in_namespace(|| {
        let directory = Directory::new();
        let link = prepare();
        let mut netlink = Netlink::new().unwrap();
        let (mut journal, _) = open(&directory);
        let first = Address::plain(link, "198.51.100.1".parse::<std::net::IpAddr>().unwrap(), 24);
        let second = Address::plain(link, "203.0.113.2".parse::<std::net::IpAddr>().unwrap(), 24);
        let id = journal.address(&mut netlink, &first).unwrap().unwrap();
        journal.address(&mut netlink, &second).unwrap().unwrap();
        assert_eq!(journal.revert(id), None);
        assert_eq!(journal.revert(id), None);
        let shown = run("ip", "addr show dev v0");
        assert!(!shown.contains("198.51.100.1") && shown.contains("203.0.113.2"), "{shown}");
        drop(journal);
        let (_journal, undone) = open(&directory);
        assert_eq!(undone.changes, 1);
        assert!(!run("ip", "addr show dev v0").contains("203.0.113.2"));
    });
    inside.join().unwrap();
}

#[test]
fn a_change_that_fails_is_struck_out() {
    let inside = in_namespace(|| {
        let directory = Directory::new();
        let (mut journal, _) = open(&directory);
        assert!(journal.nft("inet", "sgtest", "nonsense\n").is_err());
        assert!(journal.sysctl("net/ipv4/ip_forward", "nonsense").is_err());
        assert_eq!(journal.undo().changes, 0);
    });
    inside.join().unwrap();
}

#[test]
fn a_line_that_is_cut_short_is_passed_over() {
    let directory = Directory::new();
    let resolver = fresh_resolver(&directory);
    let (mut journal, _) = open(&directory);
    journal.resolver(&resolver, "nameserver ::1\n").unwrap();
    drop(journal);
    let path = directory.path("state/journal");
    let mut text = fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"made\":{\"id\":1,\"nam");
    fs::write(&path, text).unwrap();
    let (_journal, undone) = open(&directory);
    assert_eq!(undone, Undone { changes: 1, remarks: vec![] });
    assert_eq!(fs::read_to_string(&resolver).unwrap(), "nameserver 192.0.2.53\n");
}

#[test]
fn changes_of_another_namespace_are_not_undone_in_this_one() {
    let directory = Directory::new();
    let path = directory.path("state/journal");
    let there = path.clone();
    let inside = in_namespace(move || {
        let (mut journal, _) = Journal::open(&there).unwrap();
        journal.sysctl("net/ipv4/tcp_keepalive_time", "4321").unwrap();
        record::namespace()
    });
    let theirs = inside.join().unwrap();
    let inside = in_namespace(move || {
        // Numbers of namespaces are given again; then there is nothing to see here.
        if record::namespace() == theirs {
            return;
        }
        sysctl::set("net/ipv4/tcp_keepalive_time", "4321").unwrap();
        Journal::open(&path).unwrap();
        assert_eq!(sysctl::get("net/ipv4/tcp_keepalive_time").unwrap(), "4321");
    });
    inside.join().unwrap();
}
