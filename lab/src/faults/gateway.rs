//! Faults of the gateway's file and of its kernel's settings.

use super::{Fault, Undo, kept};
use crate::error::LabError;
use crate::handle::Lab;
use crate::product::{self, GATEWAY_FILE, SERVICE};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: "host-not-allowed",
        code: "SG-ISATAP-004",
        node: "gateway",
        what: "the allow rule names 10.6.8.99 in place of helpdesk-01, and the gateway reloads",
        make: |lab, _| edit(lab, ALLOWED, NOT_ALLOWED),
        mend: |lab, _| {
            edit(lab, NOT_ALLOWED, ALLOWED)?;
            product::host_looks_again(lab)
        },
    },
    Fault {
        name: "no-route-offered",
        code: "SG-ISATAP-011",
        node: "gateway",
        what: "`routes` of [isatap] is empty, and the gateway reloads",
        make: |lab, _| edit(lab, LIFETIME, NO_ROUTES),
        mend: |lab, _| edit(lab, NO_ROUTES, LIFETIME),
    },
    Fault {
        name: "forwarding-off",
        code: "SG-ISATAP-006",
        node: "gateway",
        what: "net.ipv4.conf.eth1.forwarding is set to 0",
        make: |lab, undo| set(lab, undo, "net.ipv4.conf.eth1.forwarding", "0"),
        mend: |lab, undo| reset(lab, undo, "net.ipv4.conf.eth1.forwarding"),
    },
    Fault {
        name: "advertising-off",
        code: "SG-ISATAP-006",
        node: "gateway",
        what: "the gateway's file has no [isatap] section any more, and the gateway is started anew",
        make: |lab, undo| {
            let text = lab.sh("gateway", &format!("cat {GATEWAY_FILE}"))?;
            undo.insert(GATEWAY_FILE.to_owned(), text.clone());
            start_with(lab, &without_isatap(&text))
        },
        mend: |lab, undo| {
            start_with(lab, kept(undo, GATEWAY_FILE)?)?;
            product::host_looks_again(lab)
        },
    },
    Fault {
        name: "sysctl-changed",
        code: "SG-SYS-005",
        node: "gateway",
        what: "a hardening script sets net.ipv4.conf.all.rp_filter to 1",
        make: |lab, undo| set(lab, undo, "net.ipv4.conf.all.rp_filter", "1"),
        mend: |lab, undo| reset(lab, undo, "net.ipv4.conf.all.rp_filter"),
    },
    Fault {
        name: "ip-forward-written",
        code: "SG-SYS-005",
        node: "gateway",
        what: "another program turns net.ipv4.ip_forward on and off again, which resets every interface",
        make: |lab, undo| {
            for key in FORWARDING {
                undo.insert(
                    (*key).to_owned(),
                    lab.sh("gateway", &format!("sysctl -n {key}"))?.trim().to_owned(),
                );
            }
            lab.sh("gateway", "sysctl -qw net.ipv4.ip_forward=1; sysctl -qw net.ipv4.ip_forward=0").map(drop)
        },
        mend: |lab, undo| FORWARDING.iter().try_for_each(|key| reset(lab, undo, key)),
    },
];

const ALLOWED: &str = "hosts = [\"10.6.8.20\"]";
const NOT_ALLOWED: &str = "hosts = [\"10.6.8.99\"]";
const LIFETIME: &str = "router-lifetime = 0\n";
const NO_ROUTES: &str = "router-lifetime = 0\nroutes = []\n";
const FORWARDING: &[&str] = &["net.ipv4.conf.eth1.forwarding", "net.ipv4.conf.nat64.forwarding"];

/// Replaces a line of the gateway's file, and lets the gateway read it again.
fn edit(lab: &Lab, from: &str, to: &str) -> Result<(), LabError> {
    let text = lab.sh("gateway", &format!("cat {GATEWAY_FILE}"))?;
    if !text.contains(from) {
        return Err(LabError::failed(format!("{GATEWAY_FILE} does not say `{}` any more", from.trim())));
    }
    lab.write("gateway", GATEWAY_FILE, &text.replacen(from, to, 1), false)?;
    product::reload(lab, "gateway")
}

/// The file without `[isatap]` and what belongs to it.
fn without_isatap(text: &str) -> String {
    let mut within = false;
    let keeps = |line: &&str| {
        if line.starts_with('[') {
            within = line.trim_start_matches('[').starts_with("isatap");
        }
        !within
    };
    text.lines().filter(keeps).map(|line| format!("{line}\n")).collect()
}

/// Writes the gateway's file and starts the gateway from it.
fn start_with(lab: &Lab, text: &str) -> Result<(), LabError> {
    lab.write("gateway", GATEWAY_FILE, text, false)?;
    lab.stop("gateway", SERVICE)?;
    product::gateway(lab)
}

fn set(lab: &Lab, undo: &mut Undo, key: &str, value: &str) -> Result<(), LabError> {
    undo.insert(key.to_owned(), lab.sh("gateway", &format!("sysctl -n {key}"))?.trim().to_owned());
    lab.sh("gateway", &format!("sysctl -qw {key}={value}")).map(drop)
}

fn reset(lab: &Lab, undo: &Undo, key: &str) -> Result<(), LabError> {
    lab.sh("gateway", &format!("sysctl -qw {key}={}", kept(undo, key)?)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_without_isatap_has_everything_else() {
        let left = without_isatap(product::GATEWAY_CONFIG);
        assert!(!left.contains("isatap") && !left.contains("10.6.8.20"), "{left}");
        for section in ["[gateway]", "[transports.ip-https]", "[dns]", "[names]", "[[policy]]"] {
            assert_eq!(left.matches(section).count(), product::GATEWAY_CONFIG.matches(section).count());
        }
    }
}
