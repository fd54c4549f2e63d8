//! The translator between two wires, packet by packet: RFC 7915 and RFC 6146 as somebody sees them who has nothing but a file for
//! `sixgate run` and both wires. `NAT64_SUBJECT=tayga` runs the same against tayga with nft behind it.

mod bindings;
mod errors;
mod fragments;
mod headers;
mod refused;

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
