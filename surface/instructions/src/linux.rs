//! Linux: our own host, which needs neither the kernel's tunnel nor a network daemon.

use crate::Target;
use crate::address;
use crate::parameters::Parameters;
use crate::way::{Check, Output, Sign, Step, Way};

/// The service, as the package installs it.
pub(crate) const UNIT: &str = include_str!("../../../packaging/systemd/sixgate-host.service");

pub(crate) fn way(parameters: &Parameters) -> Way {
    Way {
        target: Target::Linux.word(),
        title: "sixgate on Linux",
        when: "recommended for Linux: routes to the clients only, routers kept on disk, works without the kernel's sit".to_owned(),
        files: vec![
            Output::text("sixgate-host.service", UNIT),
            Output::text("host.toml", file(parameters)),
        ],
        steps: vec![
            Step::new(
                "As root, with the package installed; writes /etc/sixgate/host.toml and starts the service:",
                [format!("sixgate isatap join {}", parameters.router)],
            ),
            Step::new(
                "Or from these files, with /usr/bin/sixgate in place:",
                [
                    "install -D -m 644 host.toml /etc/sixgate/host.toml",
                    "install -D -m 644 sixgate-host.service /etc/systemd/system/sixgate-host.service",
                    "systemctl daemon-reload",
                    "systemctl enable --now sixgate-host.service",
                ],
            ),
        ],
        check: check(parameters),
        undo: vec![Step::new("As root:", ["sixgate isatap leave"])],
    }
}

/// What `sixgate isatap join` would write.
pub(crate) fn file(parameters: &Parameters) -> String {
    format!("schema = 1\n\n[host]\ndevice = \"isatap0\"\nrouters = [\"{}\"]\n", parameters.router)
}

pub(crate) fn check(parameters: &Parameters) -> Check {
    let prefix = parameters.prefix.map(address::beginning);
    let routes: Vec<String> = parameters.routes.iter().map(ToString::to_string).collect();
    let routes = if routes.is_empty() { "the clients' prefix".to_owned() } else { routes.join(", ") };
    Check {
        run: vec!["sixgate status".to_owned(), "ip -6 route show dev isatap0".to_owned()],
        good: vec![
            format!(
                "the router is active, with an address that begins with {}",
                prefix.as_deref().unwrap_or("the ISATAP prefix of the gateway")
            ),
            format!("routes to {routes} and no default route"),
        ],
        bad: vec![
            Sign::new(
                "the router has no address",
                "nobody answers: `sixgate isatap hosts` on the gateway lists this machine as refused when it is not allowed, \
                 and not at all when IPv4 protocol 41 is filtered in between",
            ),
            Sign::new(
                "the name does not resolve",
                "the name is not in DNS, or this machine asks another server: `[host] nameserver`, or give IPv4 addresses",
            ),
            Sign::new("sixgate: no daemon answers", "the service does not run: `journalctl -u sixgate-host`"),
        ],
    }
}
