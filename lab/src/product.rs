//! sixgate on its machines: the files that a user would write, the commands that a user would type.
//!
//! Nothing here makes a route, a neighbour, an address or a DNS record: that is sixgate's work, and the demo checks it.

use std::time::{Duration, Instant};

use crate::error::LabError;
use crate::handle::{Lab, wait_for};

/// Name of every sixgate daemon as a service of its node ([`Lab::start`]).
pub const SERVICE: &str = "sixgate";
/// The gateway's file.
pub const GATEWAY_FILE: &str = "/etc/sixgate/gateway.toml";
/// A client's file, written by `sixgate join`.
pub const CLIENT_FILE: &str = "/etc/sixgate/client.toml";
/// A host's file, written by `sixgate isatap join`.
pub const HOST_FILE: &str = "/etc/sixgate/host.toml";
/// The key with which the gateway may change the clients' zone.
pub const KEY_FILE: &str = "/etc/sixgate/update.key";
/// Where clients enrol.
pub const URL: &str = "https://da.example.com";
/// A client's device.
pub const CLIENT_DEVICE: &str = "sixgate0";
/// An ISATAP host's device.
pub const HOST_DEVICE: &str = "isatap0";

/// The gateway's file as the lab writes it.
pub const GATEWAY_CONFIG: &str = r#"schema = 1
[gateway]
public = "da.example.com"
inside = "eth1"
prefix = "fd6a:7e00:cafe::/48"

[transports.ip-https]
listen = ["0.0.0.0:443"]

[dns]
upstream = ["10.6.0.53"]

[isatap]
name = "da-isatap.corp.example"
router-lifetime = 0
[[isatap.allow]]
hosts = ["10.6.8.20"]
group = "helpdesk"

[names]
route  = ["corp.example"]
zone   = "clients.corp.example"
update = { server = "10.6.0.53", tsig-file = "/etc/sixgate/update.key" }

[[policy]]
from = "clients"
to   = "intranet"
[[policy]]
from  = "helpdesk"
to    = "clients"
ports = ["tcp/22", "tcp/8080-8081", "icmp"]
"#;

/// Brings up gateway, both laptops and helpdesk-01.
pub(crate) fn start(lab: &Lab, key: &str, tell: &dyn Fn(&str, f64)) -> Result<(), LabError> {
    let part = |what: &str, work: &dyn Fn() -> Result<(), LabError>| {
        let start = Instant::now();
        work()?;
        tell(what, start.elapsed().as_secs_f64());
        Ok::<(), LabError>(())
    };
    lab.write("gateway", GATEWAY_FILE, GATEWAY_CONFIG, false)?;
    lab.write("gateway", KEY_FILE, key, true)?;
    part("gateway: IP-HTTPS, DNS64, NAT64, ISATAP router", &|| gateway(lab))?;
    for laptop in ["laptop-01", "laptop-02"] {
        part(&format!("{laptop} joined and is connected over IP-HTTPS"), &|| {
            enrol(lab, laptop)?;
            client(lab, laptop)
        })?;
    }
    part("helpdesk-01 joined and has an ISATAP address", &|| {
        said(
            lab.run(
                "helpdesk-01",
                &["sixgate", "isatap", "join", "da-isatap.corp.example", "--config", HOST_FILE, "--no-start"],
            ),
            "helpdesk-01: sixgate isatap join",
        )?;
        host(lab)
    })
}

/// Starts the gateway from its file and waits until it is ready.
///
/// # Errors
/// It is not ready within ten seconds: its last words.
pub fn gateway(lab: &Lab) -> Result<(), LabError> {
    daemon(lab, "gateway", &["sixgate", "run", "--config", GATEWAY_FILE])
}

/// Starts the client from its file and waits until it has its address.
///
/// # Errors
/// It is not connected within ten seconds: its last words.
pub fn client(lab: &Lab, node: &str) -> Result<(), LabError> {
    daemon(lab, node, &["sixgate", "client", "run", "--config", CLIENT_FILE])?;
    has_address(lab, node, CLIENT_DEVICE)
}

/// Starts helpdesk-01's ISATAP from its file and waits until it has its address.
///
/// # Errors
/// It has none within ten seconds: its last words.
pub fn host(lab: &Lab) -> Result<(), LabError> {
    daemon(lab, "helpdesk-01", &["sixgate", "host", "run", "--config", HOST_FILE])?;
    has_address(lab, "helpdesk-01", HOST_DEVICE)
}

/// Lets a daemon read its file again, and waits until it says that it did.
///
/// # Errors
/// It does not run, or does not say so within ten seconds.
pub fn reload(lab: &Lab, node: &str) -> Result<(), LabError> {
    let before = lab.log(node, SERVICE)?.len();
    lab.signal(node, SERVICE, "HUP")?;
    let said = wait_for(Duration::from_secs(10), || {
        let log = lab.log(node, SERVICE).unwrap_or_default();
        log.get(before..).unwrap_or_default().lines().any(|line| line.ends_with("reloaded"))
    });
    said.map(drop).ok_or_else(|| LabError::failed(format!("{node}: sixgate does not reload")))
}

/// Lets helpdesk-01 look its routers up and solicit them again, as it does by itself every so often. It may be broken.
///
/// # Errors
/// As [`Lab::sh`].
pub fn host_looks_again(lab: &Lab) -> Result<(), LabError> {
    if lab.runs("helpdesk-01", SERVICE) { reload(lab, "helpdesk-01") } else { Ok(()) }
}

/// `token add` on the gateway, `join` on the client with the token on standard input.
///
/// # Errors
/// What either of them said.
pub fn enrol(lab: &Lab, node: &str) -> Result<(), LabError> {
    let token = token(lab, node)?;
    let join = ["sixgate", "join", URL, "-", "--config", CLIENT_FILE, "--no-start"];
    said(lab.run_fed(node, &join, &format!("{token}\n")), &format!("{node}: sixgate join")).map(drop)
}

/// A new token for `client`.
///
/// # Errors
/// What `token add` said.
pub fn token(lab: &Lab, client: &str) -> Result<String, LabError> {
    let answer = said(
        lab.run("gateway", &["sixgate", "token", "add", client, "--json"]),
        "gateway: sixgate token add",
    )?;
    let document: serde_json::Value = serde_json::from_str(&answer)
        .map_err(|e| LabError::failed(format!("token add --json is no JSON: {e}")))?;
    match document.get("token").and_then(|token| token.as_str()) {
        Some(token) => Ok(token.to_owned()),
        None => Err(LabError::failed(format!("token add --json has no .token: {answer}"))),
    }
}

/// The address that sixgate gave to a device of the node: not its link-local one, and none that was withdrawn.
#[must_use]
pub fn address(lab: &Lab, node: &str, device: &str) -> Option<String> {
    let listed =
        lab.run(node, &["ip", "-6", "-o", "address", "show", "dev", device, "scope", "global"]).ok()?.stdout;
    let line = listed.lines().find(|line| !line.contains("tentative") && !line.contains("deprecated"))?;
    let address = line.split_whitespace().nth(3)?;
    Some(address.split('/').next()?.to_owned())
}

fn daemon(lab: &Lab, node: &str, command: &[&str]) -> Result<(), LabError> {
    let before = lab.log(node, SERVICE)?.len();
    lab.start(node, SERVICE, command)?;
    let mut log = String::new();
    let ready = wait_for(Duration::from_secs(10), || {
        log = lab.log(node, SERVICE).unwrap_or_default();
        let new = log.get(before..).unwrap_or_default();
        new.lines().any(|line| line.split_whitespace().last() == Some("ready")) || !lab.runs(node, SERVICE)
    });
    if ready.is_some() && lab.runs(node, SERVICE) {
        return Ok(());
    }
    Err(LabError::failed(format!("{node}: `{}` is not ready: {}", command.join(" "), last_words(lab, node))))
}

/// The last lines of a node's daemon.
pub(crate) fn last_words(lab: &Lab, node: &str) -> String {
    let log = lab.log(node, SERVICE).unwrap_or_default();
    let last: Vec<&str> = log.lines().rev().take(3).collect();
    last.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

fn has_address(lab: &Lab, node: &str, device: &str) -> Result<(), LabError> {
    match wait_for(Duration::from_secs(10), || address(lab, node, device).is_some()) {
        Some(_) => Ok(()),
        None => {
            let log = lab.log(node, SERVICE)?;
            let last = log.lines().last().unwrap_or("its log is empty");
            Err(LabError::failed(format!("{node} has no address on {device}: {last}")))
        }
    }
}

fn said(done: Result<crate::Output, LabError>, what: &str) -> Result<String, LabError> {
    let done = done?;
    if done.ok() {
        Ok(done.stdout)
    } else {
        Err(LabError::failed(format!("{what} ended with {}: {}", done.code, done.said())))
    }
}
