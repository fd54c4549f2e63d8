//! Chance that nobody outside can guess: message ids.

/// A message id (RFC 5452, section 9.2).
pub(crate) fn id() -> u16 {
    let mut octets = [0; 2];
    // Without the system's random source an id from the clock's finest digits is the best that is left.
    if getrandom::fill(&mut octets).is_err() {
        let nanos = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.subsec_nanos());
        return u16::try_from(nanos & 0xffff).unwrap_or(0);
    }
    u16::from_be_bytes(octets)
}
