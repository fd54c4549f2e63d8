//! IPv6 addresses that carry an IPv4 address, with that part dotted.

use std::net::Ipv6Addr;

use sixgate_wire::addr::isatap;

/// The address as people read it. ISATAP identifiers are recognised; `translated` says that the caller knows the last 32
/// bits for an IPv4 address (a NAT64 prefix of 96 bits).
pub(crate) fn dotted(address: Ipv6Addr, translated: bool) -> String {
    if isatap::embedded(address).is_none() && !translated {
        return address.to_string();
    }
    let segments = address.segments();
    let head = &segments[..6];
    let (start, length) = longest_run_of_zeros(head);
    let hex = |part: &[u16]| part.iter().map(|s| format!("{s:x}")).collect::<Vec<_>>().join(":");
    let [.., a, b, c, d] = address.octets();
    let tail = format!("{a}.{b}.{c}.{d}");
    if length < 2 {
        return format!("{}:{tail}", hex(head));
    }
    let (before, after) = (hex(&head[..start]), hex(&head[start + length..]));
    if after.is_empty() { format!("{before}::{tail}") } else { format!("{before}::{after}:{tail}") }
}

fn longest_run_of_zeros(segments: &[u16]) -> (usize, usize) {
    let mut best = (0, 0);
    let mut start = 0;
    for end in 0..=segments.len() {
        if segments.get(end) == Some(&0) {
            continue;
        }
        // RFC 5952, section 4.2.3: the first of equal runs.
        if end - start > best.1 {
            best = (start, end - start);
        }
        start = end + 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ipv4_part_is_dotted_where_there_is_one() {
        let table = [
            ("fe80::5efe:a06:14", false, "fe80::5efe:10.6.0.20"),
            ("fd6a:7e00:cafe:2:0:5efe:a06:14", false, "fd6a:7e00:cafe:2:0:5efe:10.6.0.20"),
            ("fd6a:7e00:cafe:2:200:5efe:a06:14", false, "fd6a:7e00:cafe:2:200:5efe:10.6.0.20"),
            ("fd6a:7e00:cafe:7777::a06:1e", true, "fd6a:7e00:cafe:7777::10.6.0.30"),
            ("64:ff9b::a06:1e", true, "64:ff9b::10.6.0.30"),
            ("fd6a:7e00:cafe:1:5d3c:91ff:2ab0:7e14", false, "fd6a:7e00:cafe:1:5d3c:91ff:2ab0:7e14"),
        ];
        for (address, translated, text) in table {
            let parsed: Ipv6Addr = address.parse().unwrap();
            assert_eq!(dotted(parsed, translated), text);
            assert_eq!(text.parse::<Ipv6Addr>().unwrap(), parsed, "reads back as itself");
        }
    }
}
