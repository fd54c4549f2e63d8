//! DNS servers and search suffixes (RFC 8106, section 5).

use alloc::string::String;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::options::{DNSSL, Opt, RDNSS};
use crate::{Packet, be32, ipv6};

/// Octets before the addresses or names.
const HEADER: usize = 8;
/// Largest option: 255 units of eight octets.
const LARGEST: usize = 255 * 8;
/// RFC 1035, section 3.1: octets of a name on the wire.
const LONGEST_NAME: usize = 255;

/// Writes the servers, in as many options as they need.
pub(super) fn write_servers(servers: &[Ipv6Addr], lifetime: u32, out: &mut Packet) -> bool {
    servers.chunks((LARGEST - HEADER) / 16).all(|chunk| {
        // At most 127 addresses in a chunk.
        let units = (1 + chunk.len() * 2) as u8;
        out.extend(&head(RDNSS, units, lifetime)) && chunk.iter().all(|s| out.extend(&s.octets()))
    })
}

/// Reads the servers and their lifetime; `None` when the option must be ignored.
pub(super) fn read_servers(option: Opt<'_>) -> Option<(Vec<Ipv6Addr>, u32)> {
    let (addresses, rest) = option.0[HEADER..].as_chunks::<16>();
    // RFC 8106, section 5.3.1: at least one address, and nothing beside.
    if addresses.is_empty() || !rest.is_empty() {
        return None;
    }
    let servers = addresses.iter().map(|a| ipv6::address(a, 0)).collect();
    Some((servers, be32(option.0, 4)))
}

/// Writes the suffixes, in as many options as they need; false when one is no domain name.
pub(super) fn write_suffixes(suffixes: &[String], lifetime: u32, out: &mut Packet) -> bool {
    let mut names = Vec::new();
    for suffix in suffixes {
        let Some(name) = encode(suffix) else {
            return false;
        };
        if HEADER + names.len() + name.len() > LARGEST {
            if !write_names(&names, lifetime, out) {
                return false;
            }
            names.clear();
        }
        names.extend_from_slice(&name);
    }
    names.is_empty() || write_names(&names, lifetime, out)
}

fn write_names(names: &[u8], lifetime: u32, out: &mut Packet) -> bool {
    let units = (HEADER + names.len()).div_ceil(8);
    let padding = units * 8 - HEADER - names.len();
    // `write_suffixes` keeps it below 256 units, and padding is below eight.
    out.extend(&head(DNSSL, units as u8, lifetime)) && out.extend(names) && out.extend(&[0; 8][..padding])
}

/// Reads the suffixes and their lifetime; `None` when the option must be ignored.
pub(super) fn read_suffixes(option: Opt<'_>) -> Option<(Vec<String>, u32)> {
    let mut rest = &option.0[HEADER..];
    let mut suffixes = Vec::new();
    // A zero octet where a name would begin is padding (RFC 8106, section 5.2).
    while rest.first().is_some_and(|length| *length != 0) {
        let (name, behind) = decode(rest)?;
        suffixes.push(name);
        rest = behind;
    }
    (!suffixes.is_empty()).then(|| (suffixes, be32(option.0, 4)))
}

fn head(kind: u8, units: u8, lifetime: u32) -> [u8; HEADER] {
    let [a, b, c, d] = lifetime.to_be_bytes();
    [kind, units, 0, 0, a, b, c, d]
}

/// The wire form of a name without a dot at either end; `None` when it has none.
fn encode(name: &str) -> Option<Vec<u8>> {
    let mut wire = Vec::with_capacity(name.len() + 2);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|l| (1..=63).contains(l))?;
        wire.push(length);
        wire.extend_from_slice(label.as_bytes());
    }
    wire.push(0);
    (wire.len() <= LONGEST_NAME && name.bytes().all(is_plain)).then_some(wire)
}

/// One name, lower case, and what follows it. Compression is not allowed here (RFC 8106, section 5.2), and octets that
/// no resolver file could hold are not believed.
fn decode(wire: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    let mut rest = wire;
    loop {
        let (length, behind) = rest.split_first()?;
        if *length == 0 {
            return (name.len() + 2 <= LONGEST_NAME).then_some((name, behind));
        }
        if *length > 63 {
            return None;
        }
        let (label, behind) = behind.split_at_checked(usize::from(*length))?;
        if !name.is_empty() {
            name.push('.');
        }
        for octet in label {
            if !is_plain(*octet) || *octet == b'.' {
                return None;
            }
            name.push(char::from(octet.to_ascii_lowercase()));
        }
        if name.len() > LONGEST_NAME {
            return None;
        }
        rest = behind;
    }
}

fn is_plain(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_bad_ones_are_refused() {
        let wire = encode("corp.example").unwrap();
        assert_eq!(wire, b"\x04corp\x07example\0");
        assert_eq!(
            decode(b"\x04CORP\x07example\0rest").unwrap(),
            (String::from("corp.example"), &b"rest"[..])
        );
        for bad in ["", ".", "a..b", "corp.example.", "a b", &"a".repeat(64), &["abcdefg"; 40].join(".")] {
            assert_eq!(encode(bad), None, "{bad}");
        }
        for bad in [&b"\x04cor"[..], b"\xc0\x00", b"\x03a.b\0", b"\x01\n\0", b"\x01a"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }
}
