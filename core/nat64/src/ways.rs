//! How large a packet may be: a property of the way that it leaves by, which whoever routes knows.

use core::net::{Ipv4Addr, Ipv6Addr};

/// The MTUs of the ways out of the translator, in octets.
pub trait Ways {
    /// The largest IPv4 packet that the way to `destination` carries.
    fn mtu4(&self, destination: Ipv4Addr) -> u16;
    /// The largest IPv6 packet that the way to `destination` carries.
    fn mtu6(&self, destination: Ipv6Addr) -> u16;
}

/// The same MTU everywhere.
impl Ways for u16 {
    fn mtu4(&self, _: Ipv4Addr) -> u16 {
        *self
    }

    fn mtu6(&self, _: Ipv6Addr) -> u16 {
        *self
    }
}

impl<W: Ways + ?Sized> Ways for &W {
    fn mtu4(&self, destination: Ipv4Addr) -> u16 {
        (**self).mtu4(destination)
    }

    fn mtu6(&self, destination: Ipv6Addr) -> u16 {
        (**self).mtu6(destination)
    }
}
