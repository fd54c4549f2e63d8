//! Native IPv6 beside ISATAP: a host of the intranet with an address of its own learns the way to the clients from the
//! gateway's advertisement, and opens connections to them by plain routing.
//!
//! ```text
//!   files 2001:db8:6::30 --- corp --- eth1 gateway eth0 --- internet --- nat --- laptop-01
//!         10.6.0.30 (IPv6 switched on here)
//! ```

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use std::time::Duration;

use sixgate_e2e::{Counters, World};
use sixgate_lab::product::{GATEWAY_CONFIG, GATEWAY_FILE, SERVICE};
use sixgate_lab::wait_for;

const CLIENTS: &str = "fd6a:7e00:cafe:1::/64";
const HOST: &str = "2001:db8:6::30";
const NATIVE: &str = "\n[native]\nprefixes = [\"2001:db8:6::/64\"]\nADVERTISE\n\
                      [[policy]]\nfrom = \"2001:db8:6::/64\"\nto = \"clients\"\nports = [\"tcp/8080\", \"icmp\"]\n";

/// What an administrator of a segment with IPv6 does on host and gateway; sixgate has no part in it.
fn native_segment(world: &World) {
    world.sh(
        "files",
        &format!(
            "for c in all default eth0 lo; do sysctl -q net.ipv6.conf.$c.disable_ipv6=0; done\n\
             sysctl -q net.ipv6.conf.eth0.accept_ra=1 net.ipv6.conf.eth0.accept_ra_rt_info_max_plen=64\n\
             ip -6 addr add {HOST}/64 dev eth0 nodad"
        ),
    );
    world.sh(
        "gateway",
        "sysctl -q net.ipv6.conf.eth0.disable_ipv6=0 net.ipv6.conf.eth1.disable_ipv6=0\n\
         ip -6 addr add 2001:db8:6::1/64 dev eth1 nodad",
    );
}

/// Gives the gateway another file and starts it anew.
fn restart_with(world: &World, advertise: &str, config: impl FnOnce(String) -> String) {
    let text = format!("{GATEWAY_CONFIG}{}", NATIVE.replace("ADVERTISE", advertise));
    world.write("gateway", GATEWAY_FILE, &config(text), false).unwrap();
    world.restart_gateway();
}

/// What the kernel of `files` knows of the clients' prefix by advertisement.
fn learnt(world: &World) -> String {
    world.sh("files", "ip -6 route show proto ra")
}

fn laptop(world: &World) -> String {
    let said = world.sh("gateway", "sixgate who --json");
    let document: serde_json::Value = serde_json::from_str(&said).unwrap();
    let clients = document["clients"].as_array().unwrap().clone();
    let found = clients.iter().find(|c| c["name"] == "laptop-01").expect("laptop-01 is connected");
    found["address"].as_str().unwrap().to_owned()
}

/// The device by which `files` would send to a client.
fn device_to(world: &World, client: &str) -> String {
    let route = world.sh("files", &format!("ip -6 route get {client} || true"));
    let mut words = route.split_whitespace();
    words.find(|w| *w == "dev").and_then(|_| words.next()).unwrap_or_default().to_owned()
}

/// Asks for routers, as a host does that comes up, and counts what answers within five seconds.
fn advertisements(world: &World) -> usize {
    let said = world.sh(
        "files",
        "timeout 5 tcpdump -l -n -i eth0 'icmp6 and ip6[40] == 134' 2>/dev/null > /tmp/ra & \n\
         sleep 0.5; ip link set eth0 down; ip link set eth0 up; wait; grep -c 'router advertisement' /tmp/ra || true",
    );
    said.trim().parse().unwrap()
}

#[test]
fn nothing_is_advertised_unless_the_file_says_where() {
    let world = World::up();
    native_segment(&world);
    assert_eq!(advertisements(&world), 0);
    // Native hosts, and still nobody who tells them.
    restart_with(&world, "", |config| config);
    assert_eq!(advertisements(&world), 0);
    // The way that is printed is the way that works.
    world.sh("files", &format!("ip -6 addr add {HOST}/64 dev eth0 nodad; true"));
    let said = world.sh("gateway", "sixgate isatap instructions --for routes --json");
    let document: serde_json::Value = serde_json::from_str(&said).unwrap();
    let command = document["ways"][1]["steps"][0]["commands"][0].as_str().unwrap().to_owned();
    assert_eq!(command, format!("ip -6 route replace {CLIENTS} via 2001:db8:6::1"));
    world.sh("files", &command);
    let client = laptop(&world);
    let said =
        world.sh("files", &format!("curl -sS -m 5 -o /dev/null -w '%{{http_code}}' http://[{client}]:8080/"));
    assert_eq!(said, "200");
}

#[test]
fn a_native_host_learns_the_way_and_opens_what_policy_allows() {
    let world = World::up();
    native_segment(&world);
    let untouched = settings(&world);
    restart_with(&world, "advertise = [\"eth1\"]", |config| config);
    world.until("files has the route", 5, || learnt(&world).contains(CLIENTS));
    // Also when it asks, which is how the other test knows that nobody answers.
    assert!(advertisements(&world) > 0);
    world.sh("files", &format!("ip -6 addr add {HOST}/64 dev eth0 nodad"));
    world.until("files has the route again", 5, || learnt(&world).contains(CLIENTS));
    let routes = learnt(&world);
    assert!(
        routes.lines().count() == 1 && !routes.contains("default"),
        "the clients and nothing else: {routes}"
    );

    let status = world.sh("gateway", "sixgate status");
    assert!(status.contains("2001:db8:6::/64, advertised on eth1"), "{status}");

    let client = laptop(&world);
    let open = |port: u16| {
        let get = format!(
            "curl -sS -m 5 -o /dev/null -w '%{{http_code}}' http://[{client}]:{port}/ 2>&1 || echo \" $?\""
        );
        world.sh("files", &get)
    };
    assert_eq!(open(8080).trim(), "200");
    // The other way round by the same rule that lets clients reach the intranet, and by a route that the client was given.
    world.sh("laptop-01", &format!("ping -n -c 1 -W 2 {HOST}"));

    // Refused at once, and under the name of the policy.
    let counters = Counters::of(&world, "gateway");
    let refused = open(8081);
    assert!(refused.trim().ends_with(" 7"), "{refused}");
    counters.rose("policy-denied");
    // An address beside the native prefix is nobody of the intranet.
    let counters = Counters::of(&world, "gateway");
    let strange = world.sh(
        "files",
        &format!("ip -6 addr add 2001:db8:66::30/64 dev eth0 nodad; ping -n -c 1 -W 2 -I 2001:db8:66::30 {client} || true"),
    );
    assert!(!strange.contains(" 0% packet loss"), "{strange}");
    counters.rose("policy-denied");

    by_another_interface(&world, &client);
    assert_eq!(advertisements_withdrawn(&world), "");
    world.until("the machine is as it was", 3, || settings(&world) == untouched);
}

/// A neighbour on the internet with an address of the native prefix, and what was never forwarded before.
fn by_another_interface(world: &World, client: &str) {
    let gateway =
        world.sh("gateway", "ip -6 -o addr show dev eth0 scope link | awk '{print $4}' | cut -d/ -f1");
    let gateway = gateway.trim();
    world.sh(
        "web",
        &format!(
            "for c in all default eth0 lo; do sysctl -q net.ipv6.conf.$c.disable_ipv6=0; done\n\
             ip -6 addr add 2001:db8:6::99/128 dev eth0 nodad; ip -6 addr add 2001:db8:80::80/64 dev eth0 nodad\n\
             until ip -6 addr show dev eth0 scope link | grep -q 'inet6 fe80'; do sleep 0.1; done\n\
             ip -6 route add {CLIENTS} via {gateway} dev eth0; ip -6 route add 2001:db8:6::30 via {gateway} dev eth0"
        ),
    );
    let spoofed = world.sh("web", &format!("ping -n -c 1 -W 2 -I 2001:db8:6::99 {client} || true"));
    assert!(!spoofed.contains(" 0% packet loss"), "{spoofed}");
    assert_eq!(refused(world, "admin-prohibited"), 1);
    world.sh("gateway", "ip -6 addr add 2001:db8:80::1/64 dev eth0 nodad");
    world.sh("files", "ip -6 route add 2001:db8:80::/64 via 2001:db8:6::1");
    let across = world.sh("web", &format!("ping -n -c 1 -W 2 -I 2001:db8:80::80 {HOST} || true"));
    assert!(!across.contains(" 0% packet loss"), "the gateway is no router between its interfaces: {across}");
    assert_eq!(refused(world, "drop"), 1);
    world.sh("gateway", &format!("ping -n -c 1 -W 2 {HOST} && ping -n -c 1 -W 2 2001:db8:80::80"));
    world.sh("gateway", "ip -6 addr del 2001:db8:80::1/64 dev eth0");
    world.sh("files", "ip -6 route del 2001:db8:80::/64 via 2001:db8:6::1");
}

/// How many packets the rule with this verdict has met.
fn refused(world: &World, verdict: &str) -> u64 {
    let rules = world.sh("gateway", "nft list table ip6 sixgate_sixgate0_native");
    let rule = rules
        .lines()
        .find(|line| line.contains(verdict))
        .unwrap_or_else(|| panic!("no {verdict} in {rules}"));
    let mut words = rule.split_whitespace().skip_while(|w| *w != "packets");
    words.nth(1).unwrap().parse().unwrap()
}

/// Ends the gateway; what `files` still knows two seconds later.
fn advertisements_withdrawn(world: &World) -> String {
    world.stop("gateway", SERVICE).unwrap();
    wait_for(Duration::from_secs(2), || learnt(world).is_empty());
    learnt(world)
}

/// What the gateway may have changed on its machine.
fn settings(world: &World) -> String {
    let read = "sysctl -a 2>/dev/null | grep -e 'ipv6.*forwarding' -e 'accept_ra ='; nft list tables";
    let text = world.sh("gateway", read);
    let lines =
        text.lines().filter(|l| !l.contains("sixgate0") && !l.contains("nat64") && !l.contains("isatap0"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_host_that_has_both_takes_the_native_way() {
    let world = World::up();
    native_segment(&world);
    restart_with(&world, "advertise = [\"eth1\"]", |config| {
        config.replace("\"10.6.8.20\"", "\"10.6.8.20\", \"10.6.0.30\"")
    });
    world.until("files has the route", 5, || learnt(&world).contains(CLIENTS));
    world.sh("files", "sixgate isatap join 10.6.0.1 --config /etc/sixgate/host.toml --no-start");
    world.start("files", SERVICE, &["sixgate", "host", "run", "--config", "/etc/sixgate/host.toml"]).unwrap();
    let by_isatap =
        || world.sh("files", "ip -6 route show dev isatap0 2>/dev/null || true").contains(CLIENTS);
    world.until("files has ISATAP too", 10, by_isatap);

    let client = laptop(&world);
    assert_eq!(device_to(&world, &client), "eth0");
    let from = world.sh("files", &format!("ip -6 route get {client}"));
    assert!(from.contains(&format!("src {HOST}")), "{from}");
    let get = format!("curl -sS -m 5 -o /dev/null -w '%{{http_code}}' http://[{client}]:8080/");
    assert_eq!(world.sh("files", &get), "200");

    // Without the native way ISATAP is there at once.
    world.sh("files", &format!("ip -6 route del {CLIENTS} dev eth0"));
    assert_eq!(device_to(&world, &client), "isatap0");
    world.stop("files", SERVICE).unwrap();
}
