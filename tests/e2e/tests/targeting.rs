//! Who has ISATAP: rules with offers of their own, commands, names while DNS is down.

use std::time::{Duration, Instant};

use sixgate_e2e::World;
use sixgate_e2e::plain::wait;
use sixgate_e2e::served::{
    SOON, has, host, listed, name_server, reaches, router, row, stop_name_server, text,
};

#[test]
fn a_rule_gives_its_hosts_a_prefix_and_routes_of_their_own() {
    let mut row = row("o");
    let common = "[[isatap.allow]]\nhosts = [\"10.6.8.0/24\"]\ngroup = \"staff\"\n";
    let own = "[[isatap.allow]]\nhosts = [\"10.6.8.20\"]\ngroup = \"admins\"\nprefix = \"fd00:22::/64\"\n\
               routes = [{ prefix = \"fd00:11::/64\" }]\npreferred-lifetime = 1800\n";
    let file = router(&row, "router", &format!("{common}{own}"));
    let daemon = row.daemon("middle", &["run"], &file);
    let _host = host(&mut row);
    assert!(wait(SOON, || has(&row, "fd00:22::")), "{}", row.sh("left", "ip -6 addr").text);
    assert!(!has(&row, "fd00:2::"));
    assert!(wait(SOON, || reaches(&row, "fd00:11::7")), "{}", daemon.ask(&["counters"]));
    assert!(!reaches(&row, "fd00:1::7"), "only the rule's own route is offered");
    let shown = listed(&daemon);
    assert_eq!((&shown["rule"], &shown["origin"]), (&"admins".into(), &"line 11".into()));
    assert_eq!(shown["address"], "fd00:22::5efe:a06:814");
    let middle = row.sh("middle", "ip -6 addr show dev isatap0; ip -6 route show dev isatap0").text;
    for own in ["fd00:2::5efe:a06:801/64", "fd00:22::5efe:a06:801/64", "fd00:2::/64", "fd00:22::/64"] {
        assert!(middle.contains(own), "{middle}");
    }

    // Moved to the rule of all, the host gives its prefix back; the device no longer has it.
    router(&row, "router", common);
    daemon.reload();
    assert!(
        wait(SOON, || has(&row, "fd00:2::") && !has(&row, "fd00:22::")),
        "{}",
        row.sh("left", "ip -6 addr").text
    );
    assert!(wait(SOON, || reaches(&row, "fd00:1::7")), "{}", daemon.ask(&["counters"]));
    assert!(!row.sh("middle", "ip -6 addr show dev isatap0").text.contains("fd00:22:"));
    assert!(daemon.stop());
}

#[test]
fn commands_take_effect_at_once_and_outlive_the_daemon() {
    let mut row = row("c");
    let rules = "[[isatap.allow]]\nhosts = [\"10.6.8.0/24\"]\ngroup = \"staff\"\n";
    let file = router(&row, "router", rules);
    let daemon = row.daemon("middle", &["run"], &file);
    let _host = host(&mut row);
    assert!(wait(SOON, || has(&row, "fd00:2::") && reaches(&row, "fd00:1::7")));

    let started = Instant::now();
    let denied = daemon.ask(&["isatap", "deny", "10.6.8.20"]);
    assert_eq!(denied["hosts"][0]["change"], "denied", "{denied}");
    assert!(wait(Duration::from_secs(1), || !has(&row, "fd00:2::")), "{}", row.sh("left", "ip -6 addr").text);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let shown = listed(&daemon);
    assert_eq!(
        (&shown["state"], &shown["reason"]),
        (&"refused".into(), &"isatap-host-denied".into()),
        "{shown}"
    );
    // A packet of it goes nowhere, whatever its kernel still believes.
    row.ip("left", "-6 route replace fd00:1::/64 dev isatap0 via fe80::5efe:a06:801");
    assert!(!reaches(&row, "fd00:1::7"));

    // The denial stands after a restart and after the file was read again.
    assert!(daemon.stop());
    let daemon = row.daemon("middle", &["run"], &file);
    daemon.reload();
    let list = daemon.ask(&["isatap", "allow", "--list"]);
    assert_eq!(list["denied"][0]["host"], "10.6.8.20", "{list}");
    assert_eq!((&list["rules"][0]["by"], &list["rules"][0]["line"]), (&"file".into(), &8.into()), "{list}");
    std::thread::sleep(Duration::from_secs(2));
    assert!(!has(&row, "fd00:2::"));

    // Forgotten, the file holds again: at the host's next solicitation.
    let forgotten = daemon.ask(&["isatap", "allow", "--forget", "10.6.8.20"]);
    assert_eq!(forgotten["hosts"][0]["change"], "forgotten", "{forgotten}");
    assert!(wait(Duration::from_secs(20), || has(&row, "fd00:2::")), "{}", row.sh("left", "ip -6 addr").text);

    // Out of the file, in by command, with its group.
    router(&row, "router", "[[isatap.allow]]\nhosts = [\"10.6.9.9\"]\n");
    let allowed = daemon.ask(&["isatap", "allow", "10.6.8.20", "--group", "admins"]);
    assert_eq!(allowed["hosts"][0]["change"], "allowed", "{allowed}");
    daemon.reload();
    assert!(has(&row, "fd00:2::") && reaches(&row, "fd00:1::7"));
    let shown = listed(&daemon);
    assert_eq!((&shown["rule"], &shown["origin"]), (&"admins".into(), &"runtime".into()), "{shown}");

    // Words that mean nothing change nothing.
    let wrong = daemon.ask(&["isatap", "allow", "10.6.8.21", "0.0.0.0/0"]);
    assert_eq!(wrong["error"]["code"], "request-invalid", "{wrong}");
    assert_eq!(daemon.ask(&["isatap", "allow", "--list"])["rules"].as_array().map(Vec::len), Some(2));
    let unknown = daemon.ask(&["isatap", "allow", "--forget", "10.6.8.99"]);
    assert_eq!(unknown["hosts"][0]["change"], "unknown", "{unknown}");
    let kept = text(&file);
    assert!(!kept.contains("10.6.8.20"), "the file is the administrator's: {kept}");
    assert!(daemon.stop());
}

#[test]
fn a_name_keeps_its_address_while_dns_is_down_and_loses_it_when_dns_says_so() {
    let mut row = row("n");
    name_server(&mut row, "10.6.8.20");
    let rules = "[[isatap.allow]]\nhosts = [\"ws-1.corp.example\"]\ngroup = \"staff\"\n\
                 [dns]\nlisten = [\"127.0.0.1:5353\"]\nupstream = [\"127.0.0.1:5301\"]\n";
    let file = router(&row, "router", rules);
    let daemon = row.daemon("middle", &["run"], &file);
    let _host = host(&mut row);
    assert!(wait(Duration::from_secs(15), || has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "hosts"]));
    assert!(wait(SOON, || reaches(&row, "fd00:1::7")));

    stop_name_server(&row);
    // Neither reading the file again nor a restart without DNS takes anything away.
    daemon.reload();
    assert!(reaches(&row, "fd00:1::7"));
    assert!(daemon.stop());
    let daemon = row.daemon("middle", &["run"], &file);
    assert!(wait(SOON, || has(&row, "fd00:2::") && reaches(&row, "fd00:1::7")));
    let list = daemon.ask(&["isatap", "allow", "--list"]);
    assert_eq!(list["rules"][0]["addresses"][0], "10.6.8.20", "{list}");
    assert!(list["rules"][0]["as_of"].is_string(), "{list}");

    // DNS is back and says that the name belongs to somebody else.
    name_server(&mut row, "10.6.8.99");
    daemon.reload();
    assert!(wait(Duration::from_secs(15), || !has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "hosts"]));
    let shown = listed(&daemon);
    assert_eq!(shown["state"], "refused", "{shown}");

    // A name that a command allows is looked up at once.
    let started = Instant::now();
    let allowed = daemon.ask(&["isatap", "allow", "ws-1.corp.example"]);
    assert_eq!(allowed["hosts"][0]["addresses"][0], "10.6.8.99", "{allowed}");
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(daemon.stop());
}

#[test]
fn a_denied_name_that_is_gone_from_dns_stays_denied() {
    let mut row = row("g");
    name_server(&mut row, "10.6.8.20");
    let rules = "[[isatap.allow]]\nhosts = [\"10.6.8.0/24\"]\n\
                 [dns]\nlisten = [\"127.0.0.1:5353\"]\nupstream = [\"127.0.0.1:5301\"]\n";
    let file = router(&row, "router", rules);
    let daemon = row.daemon("middle", &["run"], &file);
    let _host = host(&mut row);
    assert!(wait(SOON, || has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "hosts"]));
    let denied = daemon.ask(&["isatap", "deny", "ws-1.corp.example"]);
    assert_eq!(denied["hosts"][0]["addresses"][0], "10.6.8.20", "{denied}");
    assert!(wait(SOON, || !has(&row, "fd00:2::")), "{}", daemon.ask(&["isatap", "hosts"]));

    stop_name_server(&row);
    let folder = row.folder().display().to_string();
    assert!(row.sh("middle", &format!("sed -i '/^ws-1/d' {folder}/zone")).good);
    row.start("middle", &format!("named -g -c {folder}/named.conf"));
    let is_gone = || {
        let said = row.sh("middle", "dig +time=1 +tries=1 -p 5301 @127.0.0.1 ws-1.corp.example");
        said.text.contains("status: NXDOMAIN")
    };
    assert!(wait(SOON, is_gone), "named does not say that the name is gone");
    let again = daemon.ask(&["isatap", "deny", "ws-1.corp.example"]);
    assert_eq!(again["hosts"][0]["addresses"][0], "10.6.8.20", "{again}");
    assert!(daemon.stop());
    let daemon = row.daemon("middle", &["run"], &file);
    std::thread::sleep(Duration::from_secs(3));
    assert!(!has(&row, "fd00:2::"), "{}", daemon.ask(&["isatap", "hosts"]));
    assert!(text(&file.with_extension("log")).contains("stay denied"));
}

/// In the lab: clients that are connected learn of a group's new prefix, or their answers would go elsewhere.
#[test]
fn manage_out_goes_on_when_a_group_gets_a_prefix_of_its_own() {
    let world = World::up();
    world.passes('b');
    world.gateway_with(|file| {
        file.replace("group = \"helpdesk\"", "group = \"helpdesk\"\nprefix = \"fd6a:7e00:cafe:22::/64\"")
    });
    let route = "ip -6 route show dev sixgate0";
    world.until("laptop-01 sends answers to the new prefix into the tunnel", 5, || {
        world.sh("laptop-01", route).contains("fd6a:7e00:cafe:22::/64")
    });
    let own = "ip -6 addr show dev isatap0 | grep -v deprecated";
    world.until("helpdesk-01 has an address in it", 5, || {
        world.sh("helpdesk-01", own).contains("fd6a:7e00:cafe:22:0:5efe:a06:814")
    });
    let done = world.sh("helpdesk-01", "ping -n -c 2 -i 0.2 -W 3 laptop-01.clients.corp.example");
    assert!(done.contains("bytes from"), "{done}");
    world.is_quiet();
}
