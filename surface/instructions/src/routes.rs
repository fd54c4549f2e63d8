//! Static routes to the clients, for segments with IPv6 of their own on which nothing is advertised.

use core::net::Ipv6Addr;

use sixgate_wire::addr::Ipv6Prefix;

use crate::parameters::Missing;
use crate::way::{Check, Output, Sign, Step, Way};

/// What the routes are made from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Routes {
    /// Where they lead: the clients.
    pub to: Vec<Ipv6Prefix>,
    /// The gateway's address on the segment.
    pub via: Option<Ipv6Addr>,
    /// Somebody advertises the same, so that hosts need nothing.
    pub advertised: bool,
}

/// The ways: one router for all hosts first, single hosts after it.
///
/// # Errors
/// The value that is missing.
pub fn routes(routes: &Routes) -> Result<Vec<Way>, Missing> {
    let via =
        routes.via.ok_or(Missing { what: "the gateway's IPv6 address on the segment", option: "--via" })?;
    if routes.to.is_empty() {
        return Err(Missing { what: "the clients' prefix", option: "--route" });
    }
    Ok(vec![router(routes, via), linux(routes, via), windows(routes, via)])
}

/// A next hop that is only known together with a link.
const fn needs_link(via: Ipv6Addr) -> bool {
    via.is_unicast_link_local()
}

fn router(routes: &Routes, via: Ipv6Addr) -> Way {
    let link = if needs_link(via) { " INTERFACE" } else { "" };
    let ios: Vec<String> = routes.to.iter().map(|to| format!("ipv6 route {to}{link} {via}")).collect();
    let frr: Vec<String> = routes.to.iter().map(|to| format!("ipv6 route {to} {via}{link}")).collect();
    let advertised =
        if routes.advertised { "; not needed by hosts that take the gateway's advertisements" } else { "" };
    Way {
        target: "router",
        title: "The intranet's router",
        when: format!(
            "recommended: one place, and every host that has this router as default goes the right way{advertised}"
        ),
        files: vec![Output::text("cisco-ios.txt", lines(&ios)), Output::text("frr.conf", lines(&frr))],
        steps: vec![
            Step::new("Cisco IOS, in configuration mode:", ios.clone()),
            Step::new("FRR, in `vtysh`, `configure terminal`:", frr.clone()),
        ],
        check: Check {
            run: vec![format!("show ipv6 route {}", routes.to[0])],
            good: vec![format!("a static route via {via}")],
            bad: vec![
                Sign::new("the default route", "the route is missing, or its next hop cannot be resolved"),
                Sign::new("the route is there and clients do not answer", refused()),
            ],
        },
        undo: vec![Step::new("In configuration mode:", ios.iter().map(|line| format!("no {line}")))],
    }
}

fn linux(routes: &Routes, via: Ipv6Addr) -> Way {
    let dev = if needs_link(via) { " dev INTERFACE" } else { "" };
    let add: Vec<String> =
        routes.to.iter().map(|to| format!("ip -6 route replace {to} via {via}{dev}")).collect();
    let networkd: String =
        routes.to.iter().map(|to| format!("[Route]\nDestination={to}\nGateway={via}\n\n")).collect();
    let keep =
        routes.to.iter().map(|to| format!("nmcli connection modify CONNECTION +ipv6.routes '{to} {via}'"));
    Way {
        target: "linux",
        title: "Linux",
        when: "for single machines".to_owned(),
        files: vec![Output::text("sixgate-clients.conf", networkd)],
        steps: vec![
            Step::new("As root, until the next restart:", add),
            Step::new("To keep it with NetworkManager:", keep),
            Step::new(
                "To keep it with systemd-networkd, beside the interface's file NAME.network:",
                [
                    "install -D -m 644 sixgate-clients.conf /etc/systemd/network/NAME.network.d/sixgate-clients.conf",
                    "networkctl reload",
                ],
            ),
            Step::new(
                "Or take the route from advertisements, where the gateway sends them (`[native] advertise`):",
                ["sysctl -w net.ipv6.conf.INTERFACE.accept_ra_rt_info_max_plen=64"],
            ),
        ],
        check: Check {
            run: routes.to.iter().map(|to| format!("ip -6 route get {}", client(*to))).collect(),
            good: vec![format!("via {via}, and a source address of the native prefix")],
            bad: vec![
                Sign::new(
                    "via another router, or dev isatap0",
                    "the route is missing, or has a larger metric",
                ),
                Sign::new("the route is right and clients do not answer", refused()),
            ],
        },
        undo: vec![Step::new("As root:", routes.to.iter().map(|to| format!("ip -6 route del {to}")))],
    }
}

fn windows(routes: &Routes, via: Ipv6Addr) -> Way {
    let add = |to: &Ipv6Prefix| {
        format!("New-NetRoute -DestinationPrefix '{to}' -InterfaceAlias 'Ethernet' -NextHop '{via}'")
    };
    Way {
        target: "windows",
        title: "Windows",
        when: "for single machines; Windows takes the route from advertisements by itself where the gateway sends them".to_owned(),
        files: vec![Output::text(
            "routes.ps1",
            format!(
                "#Requires -RunAsAdministrator\r\n$ErrorActionPreference = 'Stop'\r\n{}",
                routes.to.iter().map(|to| format!("{}\r\n", add(to))).collect::<String>()
            ),
        )],
        steps: vec![Step::new(
            "In PowerShell, as administrator; `Get-NetAdapter` has the name of the interface; the route outlives a restart:",
            routes.to.iter().map(add),
        )],
        check: Check {
            run: routes.to.iter().map(|to| format!("Find-NetRoute -RemoteIPAddress '{}'", client(*to))).collect(),
            good: vec![format!("NextHop {via}, and a source address of the native prefix")],
            bad: vec![
                Sign::new("another NextHop", "the route is missing, or another has a smaller metric"),
                Sign::new("the route is right and clients do not answer", refused()),
            ],
        },
        undo: vec![Step::new(
            "In PowerShell, as administrator:",
            routes.to.iter().map(|to| format!("Remove-NetRoute -DestinationPrefix '{to}' -Confirm:$false")),
        )],
    }
}

/// Some address of a client, for a look at the route.
fn client(prefix: Ipv6Prefix) -> Ipv6Addr {
    Ipv6Addr::from_bits(prefix.address().to_bits() | 1)
}

fn refused() -> String {
    "the gateway's policy has no rule for this host (`sixgate counters`: policy-denied), or the prefix is not in `[native] prefixes`"
        .to_owned()
}

fn lines(commands: &[String]) -> String {
    commands.iter().map(|c| format!("{c}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_next_hop_comes_with_its_link() {
        let set = |via: &str| {
            let to = vec!["fd6a:7e00:cafe:1::/64".parse().unwrap()];
            routes(&Routes { to, via: Some(via.parse().unwrap()), advertised: false }).unwrap()
        };
        let commands = |ways: &[Way], n: usize| ways[n].steps[0].commands[0].clone();
        let global = set("2001:db8:6::1");
        assert_eq!(commands(&global, 0), "ipv6 route fd6a:7e00:cafe:1::/64 2001:db8:6::1");
        assert_eq!(commands(&global, 1), "ip -6 route replace fd6a:7e00:cafe:1::/64 via 2001:db8:6::1");
        assert_eq!(global[1].check.run[0], "ip -6 route get fd6a:7e00:cafe:1::1");
        let local = set("fe80::1");
        assert_eq!(commands(&local, 0), "ipv6 route fd6a:7e00:cafe:1::/64 INTERFACE fe80::1");
        assert_eq!(
            commands(&local, 1),
            "ip -6 route replace fd6a:7e00:cafe:1::/64 via fe80::1 dev INTERFACE"
        );
    }

    #[test]
    fn what_is_missing_names_its_option() {
        let none = Routes { to: Vec::new(), via: None, advertised: false };
        assert_eq!(routes(&none).unwrap_err().option, "--via");
        let some = Routes { via: Some(Ipv6Addr::LOCALHOST), ..none };
        assert_eq!(routes(&some).unwrap_err().option, "--route");
    }
}
