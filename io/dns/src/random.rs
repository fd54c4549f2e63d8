//! Chance that nobody outside can guess: message ids and the case of names.

/// Fresh octets.
pub(crate) fn octets<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    // Without the system's random source the clock's finest digits are the best that is left.
    if getrandom::fill(&mut octets).is_err() {
        let nanos = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.subsec_nanos());
        for (octet, digit) in octets.iter_mut().zip(nanos.to_le_bytes().into_iter().cycle()) {
            *octet = digit;
        }
    }
    octets
}

/// A message id (RFC 5452, section 9.2).
pub(crate) fn id() -> u16 {
    u16::from_be_bytes(octets())
}
