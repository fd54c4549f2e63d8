//! ISATAP addresses as people read them: with the IPv4 address dotted.

use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::addr::isatap::{self, Form};

/// The address of a host on the link.
pub(crate) fn on_link(prefix: Ipv6Prefix, v4: Ipv4Addr) -> String {
    dotted(isatap::own(prefix, v4), v4)
}

/// The link-local address: a router's next hop, and all that a host has which nobody answers.
pub(crate) fn link_local(v4: Ipv4Addr) -> String {
    dotted(isatap::link_local(Form::of(v4), v4), v4)
}

/// `PREFIX:0:5efe:`, what every address of the link begins with; one word for both kinds of identifier is not to be had,
/// so this is that of private IPv4 addresses.
pub(crate) fn beginning(prefix: Ipv6Prefix) -> String {
    let [a, b, c, d, ..] = prefix.address().segments();
    format!("{a:x}:{b:x}:{c:x}:{d:x}:0:5efe:")
}

/// The last two groups of the text give way to the IPv4 address.
fn dotted(address: Ipv6Addr, v4: Ipv4Addr) -> String {
    // 1:1 stands in for it: a zero there could vanish into a `::`.
    let marked = Ipv6Addr::from_bits(address.to_bits() & !u128::from(u32::MAX) | 0x0001_0001);
    let text = marked.to_string();
    format!("{}{v4}", text.strip_suffix("1:1").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_as_themselves() {
        let prefix: Ipv6Prefix = "fd6a:7e00:cafe:2::/64".parse().unwrap();
        for v4 in [Ipv4Addr::new(10, 6, 8, 20), Ipv4Addr::new(203, 0, 113, 9), Ipv4Addr::new(94, 254, 0, 0)] {
            assert_eq!(on_link(prefix, v4).parse::<Ipv6Addr>().unwrap(), isatap::own(prefix, v4));
            let local = isatap::link_local(Form::of(v4), v4);
            assert_eq!(link_local(v4).parse::<Ipv6Addr>().unwrap(), local);
        }
        assert_eq!(link_local([10, 6, 0, 1].into()), "fe80::5efe:10.6.0.1");
        let short: Ipv6Prefix = "fd00::/64".parse().unwrap();
        assert_eq!(on_link(short, [10, 6, 0, 1].into()), "fd00::5efe:10.6.0.1");
        assert_eq!(beginning(prefix), "fd6a:7e00:cafe:2:0:5efe:");
    }
}
