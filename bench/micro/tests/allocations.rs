//! The benchmark as a test: its times mean nothing here, its status does.

use std::process::Command;

#[test]
fn no_packet_allocates_and_a_super_packet_crosses_whole() {
    let output = Command::new(env!("CARGO_BIN_EXE_sixgate-bench-micro")).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}");
    assert!(table.contains("a packet of 65575 octets crossed the fabric whole"), "{table}");
    for path in ["fabric: ", "nat64: outbound", "nat64: inbound", "siit: ", "iphttps: ", "offload: "] {
        assert!(table.contains(path), "{path}: {table}");
    }
}
