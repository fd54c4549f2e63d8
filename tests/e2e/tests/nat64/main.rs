//! The translator between two wires, packet by packet: RFC 7915 and RFC 6146 as somebody sees them who has nothing but a file for
//! `sixgate run` and both wires. `NAT64_SUBJECT=tayga` runs the same against tayga with nft behind it.

mod bindings;
mod errors;
mod fragments;
mod headers;
mod pools;
mod refused;
mod settings;
mod sizes;

use sixgate_e2e::nat64::{Setting, run};

#[test]
fn headers() {
    run("nh", &Setting::default(), headers::CASES);
}

#[test]
fn errors() {
    run("ne", &Setting::default(), errors::CASES);
}

#[test]
fn refused() {
    run("nr", &Setting::default(), refused::CASES);
    let source_routes =
        ["sysctl -qw net.ipv4.conf.all.accept_source_route=1 net.ipv4.conf.m1.accept_source_route=1"];
    run("nz", &Setting { gateway: &source_routes, ..Setting::default() }, refused::SOURCE_ROUTES);
}

#[test]
fn fragments() {
    run("nf", &Setting::default(), fragments::CASES);
}

/// Of a client that no case has.
const STATICS: &str = "static = [\"tcp 198.51.100.2:443 = [2001:db8:1:aaaa::8]:4443\", \
                       \"udp 198.51.100.2:53 = [2001:db8:1:aaaa::8]:5353\", \
                       \"icmp 198.51.100.2:7 = [2001:db8:1:aaaa::8]:70\"]\n";

#[test]
fn bindings() {
    run("nb", &Setting { keys: STATICS, ..Setting::default() }, bindings::OPEN);
}

#[test]
fn bindings_with_a_filter() {
    let keys = format!("filtering = \"address-dependent\"\n{STATICS}");
    run("nx", &Setting { keys: &keys, ..Setting::default() }, bindings::FILTERED);
}

#[test]
fn sizes() {
    run("n4", &Setting { mtu4: 1400, ..Setting::default() }, sizes::NARROW4);
    run("n6", &Setting { mtu6: 1380, ..Setting::default() }, sizes::NARROW6);
    run("nt", &Setting { mtu4: 1000, ..Setting::default() }, sizes::TINY4);
    run("nw", &Setting { keys: "lowest-ipv6-mtu = 1500\n", ..Setting::default() }, sizes::WIDE);
}

/// RFC 3704, strict: a source must come from where the way to it leads. Our own errors must leave all the same.
#[test]
fn a_gateway_that_looks_at_reverse_paths() {
    let strict = ["sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1"];
    let setting = Setting { gateway: &strict, ..Setting::default() };
    run("rr", &setting, refused::CASES);
    run("rb", &Setting { keys: STATICS, ..setting.clone() }, bindings::OPEN);
    run("rn", &Setting { mtu6: 1380, ..setting.clone() }, sizes::NARROW6);
    let peer = Some("its pool is never the gateway's address here");
    run("ro", &Setting { pool: pools::OWN, peer, ..setting }, pools::OF_OWN);
}

#[test]
fn settings() {
    run("np", &Setting { keys: settings::PREFIXES, ..Setting::default() }, settings::OF_PREFIXES);
    run("ns", &Setting { keys: settings::STRICT, ..Setting::default() }, settings::OF_STRICT);
    let well_known = Setting { prefix: "64:ff9b::/96", ..Setting::default() };
    run("nk", &well_known, settings::OF_WELL_KNOWN);
    run("nl", &Setting { keys: "well-known-non-global = true\n", ..well_known }, settings::OF_LIFTED);
}

#[test]
fn pools() {
    run(
        "no",
        &Setting { pool: pools::RANGES, peer: Some("it has one range"), ..Setting::default() },
        pools::OF_RANGES,
    );
    let own = Setting {
        pool: pools::OWN,
        peer: Some("its pool is never the gateway's address here"),
        ..Setting::default()
    };
    run("na", &own, pools::OF_OWN);
    let statics = Setting { keys: pools::OWN_STATICS, ..own };
    run("nq", &statics, pools::OF_OWN_STATICS);
    run("nc", &Setting { keys: "max-sessions-per-client = 4\n", ..Setting::default() }, pools::OF_LIMITED);
}
