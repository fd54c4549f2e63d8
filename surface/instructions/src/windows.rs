//! The check on a Windows machine, the same for every way.

use crate::address;
use crate::parameters::Parameters;
use crate::way::{Check, Sign};

/// What to run, and how to read it. `policy` is the command that shows whether the policy is applied.
pub(crate) fn check(parameters: &Parameters, policy: Option<&str>) -> Check {
    let mut run = vec![
        "Get-NetIsatapConfiguration".to_owned(),
        "Get-NetIPAddress -AddressFamily IPv6 | Where-Object IPAddress -match '5efe' | Format-Table IPAddress, PrefixOrigin"
            .to_owned(),
        "Get-NetRoute -AddressFamily IPv6 | Where-Object NextHop -match '5efe'".to_owned(),
    ];
    run.extend(policy.map(str::to_owned));
    let prefix = parameters.prefix.map(address::beginning);
    let begins =
        prefix.as_deref().unwrap_or("the ISATAP prefix of the gateway, then 5efe and the IPv4 address,");
    let hop = parameters
        .addresses
        .first()
        .map_or_else(|| "fe80::5efe:ROUTER".to_owned(), |a| address::link_local(*a));
    let mut good = vec![
        format!("State Enabled, Router {}", parameters.router),
        format!("an address that begins with {begins} PrefixOrigin RouterAdvertisement"),
    ];
    if parameters.routes.is_empty() {
        good.push(format!("a route to the clients' prefix, next hop {hop}"));
    }
    good.extend(parameters.routes.iter().map(|route| format!("a route to {route}, next hop {hop}")));
    if parameters.default_route {
        good.push(format!("a route to ::/0, next hop {hop}: this router offers one"));
    } else {
        good.push(
            "no route to ::/0 with such a next hop: nothing of the Internet goes through the tunnel"
                .to_owned(),
        );
    }
    let mut bad = vec![
        Sign::new(
            "no address with 5efe at all",
            match policy {
                Some(_) => {
                    "the policy has not arrived (is the computer in the group, has it restarted since?), or 0x01 in \
                     HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip6\\Parameters\\DisabledComponents turns tunnels off"
                }
                None => {
                    "the state is not Enabled, or 0x01 in HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip6\\Parameters\\\
                     DisabledComponents turns tunnels off"
                }
            },
        ),
        Sign::new(
            "only an address that begins with fe80::5efe: or fe80::200:5efe:",
            "no router answers; `sixgate isatap hosts` on the gateway lists the computer as refused when it is not allowed, \
             and not at all when the name leads elsewhere or IPv4 protocol 41 is filtered in between",
        ),
    ];
    if !parameters.default_route {
        bad.push(Sign::new(
            "a route to ::/0 with a next hop that has 5efe in it",
            "another ISATAP router answers; look for the name `isatap` in DNS: `Resolve-DnsName isatap`",
        ));
    }
    Check { run, good, bad }
}
