//! The translator between two wires, packet by packet: RFC 7915 and RFC 6146 as somebody sees them who has nothing but a file for
//! `sixgate run` and both wires. `NAT64_SUBJECT=tayga` runs the same against tayga with nft behind it.

mod errors;
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
