//! The stock servers of the lab, with the files that an administrator would write.

mod named;
mod nginx;
mod sshd;

use std::thread;
use std::time::Duration;

use crate::error::LabError;
use crate::handle::{Lab, wait_for};

/// Key with which the gateway may change the clients' zone: name, algorithm, file content for both ends.
pub(crate) use named::update_key;
pub(crate) use nginx::ROOT;

/// A script that prints all that a machine has of IPv6, without what counts down.
pub(crate) const IPV6_STATE: &str =
    "ip -6 -o address | sed 's/_lft [0-9]*sec//g'; ip -6 route show table all; ip -6 rule";

/// RFC 6724, section 2.1 with one label for all of IPv6: a private IPv6 address is then used towards any IPv6 destination that
/// there is a route to. The worst case for a host with a tunnel, and the default of programs that do not ask the table.
const PREFERS_IPV6: &str = "label ::1/128 0\nlabel ::/0 1\nlabel ::ffff:0:0/96 4\n\
                            precedence ::1/128 50\nprecedence ::/0 40\nprecedence ::ffff:0:0/96 10\n";

/// Starts all of them and waits until each answers.
pub(crate) fn start(lab: &Lab, update_key: &str) -> Result<(), LabError> {
    let jobs: [&(dyn Fn() -> Result<(), LabError> + Sync); 8] = [
        &|| named::intranet(lab, update_key),
        &|| named::internet(lab),
        &|| named::home(lab),
        &|| nginx::start(lab, "files", "80", "It works: files.corp.example\n"),
        &|| nginx::start(lab, "web", "80", "It works: web.example.com\n"),
        &|| workstation(lab, "helpdesk-01"),
        &|| workstation(lab, "laptop-01"),
        &|| workstation(lab, "laptop-02"),
    ];
    thread::scope(|scope| {
        let running: Vec<_> = jobs.iter().map(|job| scope.spawn(*job)).collect();
        running
            .into_iter()
            .try_for_each(|job| job.join().unwrap_or_else(|_| Err(LabError::failed("a server thread ended"))))
    })?;
    lab.sh("bystander-01", &format!("mkdir -p /run/lab; {{ {IPV6_STATE}; }} >/run/lab/ipv6-before"))?;
    lab.write("helpdesk-01", "/etc/gai.conf", PREFERS_IPV6, false)?;
    sshd::let_in(lab, "helpdesk-01", &["laptop-01", "laptop-02"])
}

/// What somebody may want to reach on a workstation: an HTTP service and sshd, on IPv4 and IPv6.
fn workstation(lab: &Lab, node: &str) -> Result<(), LabError> {
    nginx::start(lab, node, "[::]:8080 ipv6only=off", &format!("It works: {node}\n"))?;
    sshd::start(lab, node)
}

/// Waits until something listens on a TCP port of the node.
fn listens(lab: &Lab, node: &str, service: &str, port: u16) -> Result<(), LabError> {
    answers(
        lab,
        node,
        service,
        &format!("grep -q ':{port:04X} [0-9A-F]*:0000 0A' /proc/net/tcp /proc/net/tcp6 2>/dev/null"),
    )
}

/// Waits until a script, run inside the node, ends with 0.
fn answers(lab: &Lab, node: &str, service: &str, script: &str) -> Result<(), LabError> {
    match wait_for(Duration::from_secs(10), || {
        lab.run(node, &["sh", "-c", script]).is_ok_and(|done| done.ok())
    }) {
        Some(_) => Ok(()),
        None => {
            let log = lab.log(node, service).unwrap_or_default();
            let last = log.lines().last().unwrap_or("it says nothing").to_owned();
            Err(LabError::failed(format!("{node}: {service} does not answer: {last}")))
        }
    }
}
