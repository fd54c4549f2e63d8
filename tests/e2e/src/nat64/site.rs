//! The two wires and the gateway between them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::subject::{Subject, Translator};
use crate::plain::{Daemon, Row};
use crate::raw::Wire;

/// What a gateway is told.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// The prefix that cases write to, a /96; others may stand in `keys`.
    pub prefix: &'a str,
    /// Entries of the pool.
    pub pool: &'a [&'a str],
    /// More lines of `[nat64]`, and tables of its own behind them.
    pub keys: &'a str,
    /// MTU of the wire on the IPv4 side.
    pub mtu4: u16,
    /// MTU of the wire on the IPv6 side.
    pub mtu6: u16,
    /// Commands on the gateway, before it starts.
    pub gateway: &'a [&'a str],
    /// Why the peer cannot be told the like, and need not be asked.
    pub peer: Option<&'a str>,
}

impl Default for Setting<'_> {
    fn default() -> Self {
        Self {
            prefix: "2001:db8:64::/96",
            pool: &["198.51.100.0/28"],
            keys: "",
            mtu4: 1500,
            mtu6: 1500,
            gateway: &[],
            peer: None,
        }
    }
}

/// The gateway's own address on the IPv6 side.
pub const GATEWAY6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
/// The gateway's own address on the IPv4 side.
pub const GATEWAY4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Wires with a translator between them.
pub struct Site {
    /// The machines.
    pub row: Row,
    /// Who translates.
    pub subject: Subject,
    /// What it was told.
    prefix: Ipv6Addr,
    /// The client's end of the IPv6 wire.
    pub inside: Wire,
    /// The server's end of the IPv4 wire.
    pub outside: Wire,
    stations: ([u8; 6], [u8; 6]),
    translator: Translator,
}

impl Site {
    /// Cables, routes, the translator; needs root.
    #[must_use]
    pub fn new(test: &str, setting: &Setting<'_>) -> Self {
        let mut row = Row::new(test);
        let subject = Subject::chosen();
        let quiet = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.ip_forward=0";
        assert!(row.sh("left", quiet).good && row.sh("right", quiet).good);
        // Each error that its kernel owes is to be seen, not one a second.
        let errors = "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0";
        assert!(row.sh("middle", errors).good);
        for (machine, device, mtu) in [
            ("left", "l0", setting.mtu6),
            ("middle", "m0", setting.mtu6),
            ("middle", "m1", setting.mtu4),
            ("right", "r0", setting.mtu4),
        ] {
            row.ip(machine, &format!("link set {device} mtu {mtu}"));
        }
        neighbours(&row);
        for command in setting.gateway {
            let said = row.sh("middle", command);
            assert!(said.good, "{command}: {}", said.text);
        }
        let translator = subject.start(&mut row, setting);
        let (inside, outside) =
            (Wire::open(&row.namespace("left"), "l0"), Wire::open(&row.namespace("right"), "r0"));
        let stations = (row.station("middle", "m0"), row.station("middle", "m1"));
        let prefix = setting.prefix.split_once('/').expect("a prefix").0.parse().expect("an address");
        Self { row, subject, prefix, inside, outside, stations, translator }
    }

    /// What stands for an IPv4 address in the prefix.
    #[must_use]
    pub fn embed(&self, address: Ipv4Addr) -> Ipv6Addr {
        Ipv6Addr::from_bits(self.prefix.to_bits() | u128::from(address.to_bits()))
    }

    /// Puts a packet on the IPv6 wire, towards the gateway.
    pub fn client_says(&self, packet: &[u8]) {
        self.inside.send(Some(self.stations.0), packet);
    }

    /// Puts a packet on the IPv4 wire, towards the gateway.
    pub fn server_says(&self, packet: &[u8]) {
        self.outside.send(Some(self.stations.1), packet);
    }

    /// The daemon, where it is ours.
    #[must_use]
    pub const fn daemon(&self) -> Option<&Daemon> {
        self.translator.daemon()
    }

    /// Ends it; ours must end with 0.
    pub fn stop(self) {
        if let Translator::Ours(daemon) = self.translator {
            assert!(daemon.stop(), "the daemon ends in order");
        }
    }
}

/// Everybody is behind one next hop on either side, which has no kernel that answers for it.
fn neighbours(row: &Row) {
    let hex = |station: [u8; 6]| station.map(|octet| format!("{octet:02x}")).join(":");
    let (client, server) = (hex(row.station("left", "l0")), hex(row.station("right", "r0")));
    row.ip("middle", "addr add 2001:db8::1/64 dev m0 nodad");
    row.ip("middle", &format!("-6 neigh add 2001:db8::2 lladdr {client} dev m0 nud permanent"));
    row.ip("middle", "-6 route add 2001:db8:1::/48 via 2001:db8::2");
    row.ip("middle", "addr add 192.0.2.1/24 dev m1");
    row.ip("middle", &format!("neigh add 192.0.2.2 lladdr {server} dev m1 nud permanent"));
    row.ip("middle", "route add default via 192.0.2.2");
}
