//! ISATAP interface identifiers (RFC 5214, section 6.1): `[0200:]5efe:` and an IPv4 address.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::Ipv6Prefix;

/// `fe80::/64`.
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);

/// The two forms of an identifier: the "u" bit says whether the IPv4 address is globally unique.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum Form {
    /// `0000:5efe:a.b.c.d`
    Private,
    /// `0200:5efe:a.b.c.d`
    Global,
}

impl Form {
    /// The form that our own address of this kind takes; peers may have judged otherwise and are taken at their word.
    #[must_use]
    pub const fn of(v4: Ipv4Addr) -> Self {
        let [a, b, c, _] = v4.octets();
        let special = v4.is_private()
            || v4.is_loopback()
            || v4.is_link_local()
            || v4.is_multicast()
            || a == 0
            || a >= 240
            || (a == 192 && b == 0 && c == 2)
            || (a == 192 && b == 88 && c == 99)
            || (a == 198 && b & 0xfe == 18);
        if special { Self::Private } else { Self::Global }
    }
}

/// The address in the /64 of `prefix` (bits behind 64 are ignored) whose identifier has this form and IPv4 address.
#[must_use]
pub fn address(prefix: Ipv6Addr, form: Form, v4: Ipv4Addr) -> Ipv6Addr {
    let high = prefix.to_bits() & !u128::from(u64::MAX);
    let u = match form {
        Form::Private => 0_u64,
        Form::Global => 0x0200_0000_0000_0000,
    };
    let low = u | 0x0000_5efe_0000_0000 | u64::from(v4.to_bits());
    Ipv6Addr::from_bits(high | u128::from(low))
}

/// Our own address in `prefix` for `v4`.
#[must_use]
pub fn own(prefix: Ipv6Prefix, v4: Ipv4Addr) -> Ipv6Addr {
    address(prefix.address(), Form::of(v4), v4)
}

/// The link-local address with this form and IPv4 address.
#[must_use]
pub fn link_local(form: Form, v4: Ipv4Addr) -> Ipv6Addr {
    address(LINK_LOCAL, form, v4)
}

/// The form and IPv4 address inside `address`; `None` when its identifier is no ISATAP identifier.
#[must_use]
pub fn embedded(address: Ipv6Addr) -> Option<(Form, Ipv4Addr)> {
    let [_, _, _, _, u, tag, high, low] = address.segments();
    let form = match (u, tag) {
        (0, 0x5efe) => Form::Private,
        (0x0200, 0x5efe) => Form::Global,
        _ => return None,
    };
    Some((form, Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low))))
}

/// True for an ISATAP address whose first 64 bits are `fe80::`.
#[must_use]
pub fn is_link_local(address: Ipv6Addr) -> bool {
    address.to_bits() >> 64 == LINK_LOCAL.to_bits() >> 64 && embedded(address).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_round_trip() {
        let v4 = Ipv4Addr::new(10, 6, 8, 20);
        let private: Ipv6Addr = "fe80::5efe:10.6.8.20".parse().unwrap();
        let global: Ipv6Addr = "fe80::200:5efe:10.6.8.20".parse().unwrap();
        assert_eq!(link_local(Form::Private, v4), private);
        assert_eq!(link_local(Form::Global, v4), global);
        assert_eq!(embedded(private), Some((Form::Private, v4)));
        assert_eq!(embedded(global), Some((Form::Global, v4)));
        assert_eq!(embedded("fe80::1:5efe:10.6.8.20".parse().unwrap()), None);
        assert!(is_link_local(private) && !is_link_local("fd00::5efe:10.6.8.20".parse().unwrap()));
    }

    #[test]
    fn the_form_follows_the_kind_of_address() {
        assert_eq!(Form::of(Ipv4Addr::new(10, 6, 0, 1)), Form::Private);
        assert_eq!(Form::of(Ipv4Addr::new(203, 0, 114, 1)), Form::Global);
        // RFC 6598 space is shared, not private; the kernel's sit judges so too.
        assert_eq!(Form::of(Ipv4Addr::new(100, 64, 0, 1)), Form::Global);
    }
}
