//! ICMPv4 errors: whatever is read quotes octets of what was given, and is about protocol 41.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sixgate_wire::checksum::Sum;
use sixgate_wire::path_error::PathError;

fuzz_target!(|data: &[u8]| {
    let _ = PathError::parse(data);
    // The same with a checksum that is right, so that what is behind it is reached.
    let mut bytes = data.to_vec();
    let header = usize::from(bytes.first().map_or(0, |b| b & 15)) * 4;
    if bytes.len() >= header + 8 {
        bytes[header + 2..header + 4].fill(0);
        let sum = Sum::new().with(&bytes[header..]).finish();
        bytes[header + 2..header + 4].copy_from_slice(&sum.to_be_bytes());
    }
    if let Some(error) = PathError::parse(&bytes) {
        assert!(
            bytes.ends_with(error.quoted)
                || bytes.windows(error.quoted.len().max(1)).any(|w| w == error.quoted)
        );
    }
});
