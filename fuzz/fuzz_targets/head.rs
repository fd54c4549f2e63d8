//! Heads of requests and responses: no panic, and a verdict that more octets do not turn into another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_iphttps::head::{parse_request, parse_response};

fuzz_target!(|data: &[u8]| {
    if let Ok(Some(whole)) = parse_request(data) {
        assert!(whole.length <= data.len());
        assert_eq!(parse_request(&data[..whole.length]), Ok(Some(whole)));
    }
    if let Ok(Some(whole)) = parse_response(data) {
        assert!(whole.length <= data.len());
        assert_eq!(parse_response(&data[..whole.length]), Ok(Some(whole)));
    }
});
