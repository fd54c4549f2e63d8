//! What is measured beside each other: each between machines and on cables of its own, in the same way.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A way from the IPv6 side to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// The kernel forwards IPv6: the limit.
    Forward,
    /// `sixgate run` with nothing but `[nat64]`.
    Sixgate,
    /// tayga translates one to one, and netfilter puts all of it behind one address.
    Tayga,
}

impl Subject {
    pub(super) const ALL: [Self; 3] = [Self::Forward, Self::Sixgate, Self::Tayga];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Sixgate => "sixgate",
            Self::Tayga => "tayga+nft",
        }
    }

    /// Its number in addresses and device names.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Forward => 1,
            Self::Sixgate => 2,
            Self::Tayga => 3,
        }
    }

    /// The prefix that stands for IPv4 here.
    pub(super) fn prefix(self) -> String {
        format!("2001:db8:64:{}::/96", self.number())
    }

    /// The network between client and gateway: the gateway is 1, the client 2.
    pub(super) const fn inside(self, host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0x100 + self.number() as u16, 0, 0, 0, 0, host)
    }

    /// The network between gateway and server, IPv6.
    pub(super) const fn outside6(self, host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0x200 + self.number() as u16, 0, 0, 0, 0, host)
    }

    /// The same, IPv4.
    pub(super) const fn outside4(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.number(), host)
    }

    /// Where a client finds the server.
    pub(super) const fn target(self) -> Ipv6Addr {
        match self {
            Self::Forward => self.outside6(2),
            Self::Sixgate | Self::Tayga => {
                let [a, b, c, d] = self.outside4(2).octets();
                Ipv6Addr::new(
                    0x2001,
                    0xdb8,
                    0x64,
                    self.number() as u16,
                    0,
                    0,
                    (a as u16) << 8 | b as u16,
                    (c as u16) << 8 | d as u16,
                )
            }
        }
    }

    /// Whether what arrived at the server from `peer` has come the way that is measured: as IPv4 from the pool. A figure whose
    /// packets came another way says nothing, and there must be none.
    pub(super) fn came_right(self, peer: IpAddr) -> Result<(), String> {
        let right = match (self, peer.to_canonical()) {
            (Self::Forward, IpAddr::V6(v6)) => v6 == self.inside(2),
            (Self::Sixgate, IpAddr::V4(v4)) => v4.octets()[..3] == POOL.octets()[..3],
            (Self::Tayga, IpAddr::V4(v4)) => v4 == self.outside4(1),
            (Self::Forward, IpAddr::V4(_)) | (Self::Sixgate | Self::Tayga, IpAddr::V6(_)) => false,
        };
        if right {
            return Ok(());
        }
        let name = self.name();
        Err(format!(
            "{name}: packets reach the server from {peer}: they have not come through what is measured"
        ))
    }
}

/// First address of sixgate's pool, a /24.
pub(super) const POOL: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 0);
/// What tayga gives each client before masquerading: a /24.
pub(super) const TAYGA_POOL: Ipv4Addr = Ipv4Addr::new(192, 168, 255, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_translated_has_come_right() {
        let mapped: IpAddr = "::ffff:198.51.100.7".parse().unwrap();
        assert!(Subject::Sixgate.came_right(mapped).is_ok());
        assert!(Subject::Sixgate.came_right(Subject::Sixgate.inside(2).into()).is_err(), "untranslated");
        assert!(
            Subject::Sixgate.came_right(Subject::Sixgate.outside4(1).into()).is_err(),
            "from the gateway"
        );
        assert!(Subject::Tayga.came_right(TAYGA_POOL.into()).is_err(), "not masqueraded");
        assert!(Subject::Tayga.came_right(Subject::Tayga.outside4(1).into()).is_ok());
        assert!(Subject::Forward.came_right(mapped).is_err());
        assert_eq!(Subject::Sixgate.target(), "2001:db8:64:2::198.18.2.2".parse::<Ipv6Addr>().unwrap());
    }
}
