//! The plan: segments, machines, addresses. Everything else in this crate reads it from here.

/// A wire: one bridge in the `switch` node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// Intranet, servers: 10.6.0.0/24.
    Corp,
    /// Intranet, workstations: 10.6.8.0/24.
    Desk,
    /// "Internet": 203.0.113.0/24.
    Internet,
    /// Behind the home NAT: 192.168.77.0/24.
    Home,
}

impl Segment {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Corp, Self::Desk, Self::Internet, Self::Home];

    /// The name in reports and of the bridge (with `br-` in front).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Corp => "corp",
            Self::Desk => "desk",
            Self::Internet => "internet",
            Self::Home => "home",
        }
    }

    /// Device name of its bridge.
    #[must_use]
    pub fn bridge(self) -> String {
        format!("br-{}", self.name())
    }
}

/// A machine's interface on a segment: `eth0`, `eth1`, ... in the order of the list.
#[derive(Debug, Clone, Copy)]
pub struct Leg {
    /// The wire it is on.
    pub segment: Segment,
    /// Address with prefix length.
    pub address: &'static str,
}

/// A machine of the lab.
#[derive(Debug)]
pub struct Machine {
    /// The node's name.
    pub name: &'static str,
    /// Its interfaces.
    pub legs: &'static [Leg],
    /// Static IPv4 routes of the machine's own network configuration: destination, next hop.
    pub routes: &'static [(&'static str, &'static str)],
    /// It forwards IPv4 (a router or a NAT).
    pub forwards: bool,
    /// Its `/etc/resolv.conf`.
    pub resolver: &'static str,
    /// `disable_ipv6` for the whole machine, not only for its wires: it has no IPv6 at all.
    pub ipv4_only: bool,
}

impl Machine {
    /// The device name of leg `index` at the switch.
    #[must_use]
    pub fn port(&self, index: usize) -> String {
        format!("{}-{index}", self.name)
    }
}

/// The node that holds the bridges; it has no address.
pub const SWITCH: &str = "switch";

const fn leg(segment: Segment, address: &'static str) -> Leg {
    Leg { segment, address }
}

/// Resolver of everything inside.
const INTRANET: &str = "search corp.example\nnameserver 10.6.0.53\n";
/// Resolver of the home router.
const AT_HOME: &str = "nameserver 192.168.77.1\n";
/// Resolver of the internet.
const OUTSIDE: &str = "nameserver 203.0.113.80\n";

/// All machines except the switch.
pub const MACHINES: &[Machine] = &[
    Machine {
        name: "gateway",
        legs: &[leg(Segment::Internet, "203.0.113.10/24"), leg(Segment::Corp, "10.6.0.1/24")],
        routes: &[("10.6.8.0/24", "10.6.0.254")],
        forwards: false,
        resolver: INTRANET,
        ipv4_only: false,
    },
    // The third leg is the intranet's own way to the internet (masqueraded): sixgate is nobody's IPv4 router.
    Machine {
        name: "router",
        legs: &[
            leg(Segment::Corp, "10.6.0.254/24"),
            leg(Segment::Desk, "10.6.8.254/24"),
            leg(Segment::Internet, "203.0.113.1/24"),
        ],
        routes: &[],
        forwards: true,
        resolver: INTRANET,
        ipv4_only: true,
    },
    Machine {
        name: "files",
        legs: &[leg(Segment::Corp, "10.6.0.30/24")],
        routes: &[("default", "10.6.0.254")],
        forwards: false,
        resolver: INTRANET,
        ipv4_only: true,
    },
    Machine {
        name: "dns",
        legs: &[leg(Segment::Corp, "10.6.0.53/24")],
        routes: &[("default", "10.6.0.254")],
        forwards: false,
        resolver: INTRANET,
        ipv4_only: true,
    },
    Machine {
        name: "helpdesk-01",
        legs: &[leg(Segment::Desk, "10.6.8.20/24")],
        routes: &[("default", "10.6.8.254")],
        forwards: false,
        resolver: INTRANET,
        ipv4_only: false,
    },
    // Has IPv6 in its kernel, like every workstation: only so can "no IPv6 change" be seen.
    Machine {
        name: "bystander-01",
        legs: &[leg(Segment::Desk, "10.6.8.30/24")],
        routes: &[("default", "10.6.8.254")],
        forwards: false,
        resolver: INTRANET,
        ipv4_only: false,
    },
    Machine {
        name: "web",
        legs: &[leg(Segment::Internet, "203.0.113.80/24")],
        routes: &[],
        forwards: false,
        resolver: OUTSIDE,
        ipv4_only: true,
    },
    Machine {
        name: "nat",
        legs: &[leg(Segment::Home, "192.168.77.1/24"), leg(Segment::Internet, "203.0.113.77/24")],
        routes: &[],
        forwards: true,
        resolver: OUTSIDE,
        ipv4_only: true,
    },
    Machine {
        name: "laptop-01",
        legs: &[leg(Segment::Home, "192.168.77.10/24")],
        routes: &[("default", "192.168.77.1")],
        forwards: false,
        resolver: AT_HOME,
        ipv4_only: false,
    },
    Machine {
        name: "laptop-02",
        legs: &[leg(Segment::Home, "192.168.77.11/24")],
        routes: &[("default", "192.168.77.1")],
        forwards: false,
        resolver: AT_HOME,
        ipv4_only: false,
    },
];

/// The machine `name`.
#[must_use]
pub fn machine(name: &str) -> Option<&'static Machine> {
    MACHINES.iter().find(|machine| machine.name == name)
}

/// Names of all nodes, the switch first (the others' cables end there).
pub fn nodes() -> impl Iterator<Item = &'static str> {
    std::iter::once(SWITCH).chain(MACHINES.iter().map(|machine| machine.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_fit_into_the_kernels_fifteen_characters() {
        for machine in MACHINES {
            for index in 0..machine.legs.len() {
                assert!(machine.port(index).len() <= 15, "{}", machine.port(index));
            }
        }
    }

    #[test]
    fn every_address_is_used_once_and_lies_in_its_segment() {
        let mut seen = std::collections::BTreeSet::new();
        for leg in MACHINES.iter().flat_map(|machine| machine.legs) {
            assert!(seen.insert(leg.address), "{} twice", leg.address);
            let prefix = match leg.segment {
                Segment::Corp => "10.6.0.",
                Segment::Desk => "10.6.8.",
                Segment::Internet => "203.0.113.",
                Segment::Home => "192.168.77.",
            };
            assert!(leg.address.starts_with(prefix));
        }
    }

    #[test]
    fn the_gateway_is_nobodys_default_router() {
        for machine in MACHINES {
            assert!(machine.routes.iter().all(|(_, via)| *via != "10.6.0.1" && *via != "203.0.113.10"));
        }
    }
}
