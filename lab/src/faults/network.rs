//! Faults of the path between helpdesk-01 and the gateway, made on the intranet's router.

use super::stranger;
use super::{Fault, Undo};
use crate::error::LabError;
use crate::handle::Lab;

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "proto41-dropped",
        code: "SG-ISATAP-003",
        node: "router",
        what: "a firewall rule drops IPv4 protocol 41",
        make: |lab, _| {
            table(
                lab,
                "lab_proto41",
                "chain f { type filter hook forward priority 0; policy accept; ip protocol 41 counter drop; }",
            )
        },
        mend: |lab, _| untable(lab, "lab_proto41"),
    },
    Fault {
        name: "nat-between",
        code: "SG-ISATAP-009",
        node: "router",
        what: "a NAT rewrites the source of what leaves 10.6.8.0/24",
        // Connection tracking leaves alone what passed before the rule was there, and protocol 41 has only one flow.
        make: |lab, _| {
            table(
                lab,
                "lab_nat",
                "chain p { type filter hook postrouting priority 90; policy accept; \
                 oifname eth0 ip protocol 41 ip saddr 10.6.8.0/24 counter ip saddr set 10.6.0.254; }\n\
                 chain n { type nat hook postrouting priority 100; policy accept; \
                 oifname eth0 ip protocol != 41 ip saddr 10.6.8.0/24 counter masquerade; }",
            )
        },
        mend: |lab, _| untable(lab, "lab_nat"),
    },
    Fault {
        name: "mtu-small",
        code: "SG-ISATAP-010",
        node: "router",
        what: "the link to 10.6.0.0/24 takes 1200 octets, and ICMP \"fragmentation needed\" is filtered",
        make: narrow,
        mend: |lab, undo| {
            untable(lab, "lab_mtu")?;
            for (prefix, device) in NARROW {
                let before = super::kept(undo, prefix)?;
                lab.sh("router", &format!("ip route del {prefix} dev {device}; ip route add {before}"))?;
            }
            Ok(())
        },
    },
    Fault {
        name: "stranger-advertises",
        code: "SG-ISATAP-005",
        node: "bystander-01",
        what: "a machine that is no router sends router advertisements to helpdesk-01",
        make: stranger::begin,
        mend: |lab, _| stranger::end(lab),
    },
];

const NARROW: [(&str, &str); 2] = [("10.6.0.0/24", "eth0"), ("10.6.8.0/24", "eth1")];

fn narrow(lab: &Lab, undo: &mut Undo) -> Result<(), LabError> {
    for (prefix, device) in NARROW {
        let before = lab.sh("router", &format!("ip -4 route show {prefix} dev {device}"))?;
        undo.insert(prefix.to_owned(), format!("{} dev {device}", before.trim()));
        // Locked, the route's MTU holds for what is forwarded too.
        lab.sh("router", &format!("ip route change {} dev {device} mtu lock 1200", before.trim()))?;
    }
    table(
        lab,
        "lab_mtu",
        "chain o { type filter hook output priority 0; policy accept; \
         icmp type destination-unreachable icmp code 4 counter drop; }",
    )
}

fn table(lab: &Lab, name: &str, chain: &str) -> Result<(), LabError> {
    let done = lab.run_fed("router", &["nft", "-f", "-"], &format!("table ip {name} {{\n{chain}\n}}\n"))?;
    if done.ok() { Ok(()) } else { Err(LabError::failed(format!("router: nft: {}", done.said()))) }
}

fn untable(lab: &Lab, name: &str) -> Result<(), LabError> {
    lab.sh("router", &format!("nft delete table ip {name} 2>/dev/null || true")).map(drop)
}
