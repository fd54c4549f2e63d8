//! Records of TLS after the handshake, from a peer that holds the keys.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| sixgate_io_tls::channel::hostile::records(data));
