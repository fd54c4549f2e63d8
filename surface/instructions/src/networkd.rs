//! systemd-networkd: the kernel's own tunnel, as far as it goes.
//!
//! networkd can make the tunnel (`Kind=sit`, `ISATAP=yes`) and give it addresses and routes. It does not look for routers:
//! its router solicitations are multicast, which this link does not carry, and nothing in it fills the kernel's list of
//! potential routers, without which the kernel drops what a router sends on behalf of others. So everything that a router
//! advertisement would say is written down, and a service of its own fills the list.

use core::net::Ipv4Addr;

use crate::Target;
use crate::address;
use crate::parameters::{Missing, Parameters};
use crate::way::{Check, Output, Sign, Step, Way};
use sixgate_wire::addr::Ipv6Prefix;

/// A name that no other part of the system gives.
const DEVICE: &str = "isatap-net";

pub(crate) fn way(parameters: &Parameters) -> Result<Way, Missing> {
    let prefix = parameters.prefix.ok_or(Missing { what: "the ISATAP prefix", option: "--prefix" })?;
    let missing = |what, option| Err(Missing { what, option });
    let Some(router) = parameters.addresses.first().copied() else {
        return missing("the router's IPv4 address", "--address");
    };
    if parameters.routes.is_empty() {
        return missing("what the hosts are to reach", "--route");
    }
    if parameters.hosts.is_empty() {
        return missing("the IPv4 address of the host", "--host");
    }
    let mut files: Vec<Output> = Vec::new();
    for host in &parameters.hosts {
        files.push(Output::text(format!("{host}/50-{DEVICE}.netdev"), netdev(*host, parameters.mtu)));
        files.push(Output::text(
            format!("{host}/50-{DEVICE}.network"),
            network(prefix, *host, router, &parameters.routes),
        ));
    }
    files.push(Output::text(format!("{DEVICE}-routers.service"), routers(&parameters.addresses)));
    let first = parameters.hosts[0];
    Ok(Way {
        target: Target::Networkd.word(),
        title: "systemd-networkd",
        when: "only where sixgate cannot be installed: no router discovery, so nothing follows when the router, the prefix or the \
               host's address changes; one router; the kernel sends to hosts behind different IPv4 routers by one path; needs \
               the kernel's sit"
            .to_owned(),
        files,
        steps: vec![
            Step::new(
                format!("As root on {first}, with its two files:"),
                [
                    format!("install -m 644 {first}/50-{DEVICE}.netdev {first}/50-{DEVICE}.network /etc/systemd/network/"),
                    format!("install -m 644 {DEVICE}-routers.service /etc/systemd/system/"),
                    "networkctl reload".to_owned(),
                    "systemctl daemon-reload".to_owned(),
                    format!("systemctl enable --now {DEVICE}-routers.service"),
                ],
            ),
            Step::by_hand("Allow the host on the gateway all the same: a router that does not know it sends it nothing back."),
        ],
        check: check(prefix, first, router, &parameters.routes),
        undo: vec![Step::new(
            "As root:",
            [
                format!("systemctl disable --now {DEVICE}-routers.service"),
                format!("rm /etc/systemd/network/50-{DEVICE}.* /etc/systemd/system/{DEVICE}-routers.service"),
                format!("networkctl delete {DEVICE}"),
            ],
        )],
    })
}

fn netdev(host: Ipv4Addr, mtu: u32) -> String {
    format!(
        "[NetDev]\nName={DEVICE}\nKind=sit\nMTUBytes={mtu}\n\n\
         [Tunnel]\nIndependent=yes\nISATAP=yes\nLocal={host}\nTTL=64\nDiscoverPathMTU=no\n"
    )
}

fn network(prefix: Ipv6Prefix, host: Ipv4Addr, router: Ipv4Addr, routes: &[Ipv6Prefix]) -> String {
    let own = address::on_link(prefix, host);
    let hop = address::link_local(router);
    let routes: String = routes
        .iter()
        .map(|route| format!("\n[Route]\nDestination={route}\nGateway={hop}\nGatewayOnLink=yes\n"))
        .collect();
    format!(
        "[Match]\nName={DEVICE}\n\n\
         [Network]\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nConfigureWithoutCarrier=yes\n\
         Address={}/64\nAddress={own}/64\n{routes}",
        address::link_local(host)
    )
}

/// Fills the kernel's list of potential routers (RFC 5214, section 8.3.2).
fn routers(addresses: &[Ipv4Addr]) -> String {
    let commands: String = addresses
        .iter()
        .map(|a| format!("ExecStart=/usr/sbin/ip tunnel prl prl-nodefault {a} dev {DEVICE}\n"))
        .collect();
    format!(
        "[Unit]\nDescription=Routers of the ISATAP tunnel\n\
         BindsTo=sys-subsystem-net-devices-{device}.device\nAfter=sys-subsystem-net-devices-{device}.device\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\n{commands}\n\
         [Install]\nWantedBy=sys-subsystem-net-devices-{device}.device\n",
        // systemd.unit(5): a hyphen within a part of the path.
        device = DEVICE.replace('-', "\\x2d")
    )
}

fn check(prefix: Ipv6Prefix, host: Ipv4Addr, router: Ipv4Addr, routes: &[Ipv6Prefix]) -> Check {
    let hop = address::link_local(router);
    Check {
        run: vec![
            format!("networkctl status {DEVICE}"),
            format!("ip -6 address show dev {DEVICE}"),
            format!("ip -6 route show dev {DEVICE}"),
            format!("ping -c 3 {hop}%{DEVICE}"),
        ],
        good: vec![
            format!("the address {}", address::on_link(prefix, host)),
            format!(
                "routes to {} via {hop}",
                routes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
            "the router answers the ping".to_owned(),
        ],
        bad: vec![
            Sign::new(
                "the device is not there",
                "the kernel has no sit: `modprobe sit`; without it take sixgate",
            ),
            Sign::new(
                "the router answers, clients do not",
                format!(
                    "the kernel's list of routers is empty: `systemctl status {DEVICE}-routers`; or the host is not allowed"
                ),
            ),
            Sign::new(
                "the router does not answer",
                "IPv4 protocol 41 is filtered in between, or the host is not allowed",
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_say_what_an_advertisement_would() {
        let prefix = "fd6a:7e00:cafe:2::/64".parse().unwrap();
        let routes = ["fd6a:7e00:cafe:1::/64".parse().unwrap()];
        let text = network(prefix, [10, 6, 8, 20].into(), [10, 6, 0, 1].into(), &routes);
        for line in [
            "Address=fd6a:7e00:cafe:2:0:5efe:10.6.8.20/64",
            "Address=fe80::5efe:10.6.8.20/64",
            "Destination=fd6a:7e00:cafe:1::/64",
            "Gateway=fe80::5efe:10.6.0.1",
            "IPv6AcceptRA=no",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in\n{text}");
        }
        assert!(netdev([10, 6, 8, 20].into(), 1280).contains("\nISATAP=yes\nLocal=10.6.8.20\n"));
        assert!(
            routers(&[[10, 6, 0, 1].into()])
                .contains("ip tunnel prl prl-nodefault 10.6.0.1 dev isatap-net\n")
        );
    }
}
