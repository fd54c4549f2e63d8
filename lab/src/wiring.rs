//! Bridges, cables, addresses: plain `ip`, inside the namespaces, so that the machine itself never sees a device.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use crate::error::LabError;
use crate::handle::Lab;
use crate::topology::{MACHINES, Machine, SWITCH, Segment};

/// Plugs everything together.
pub(crate) fn wire(lab: &Lab) -> Result<(), LabError> {
    let mut bridges = String::new();
    for segment in Segment::ALL {
        let bridge = segment.bridge();
        // No spanning tree, no multicast guesses: a plain switch that forwards from the first frame on.
        let _ =
            writeln!(bridges, "link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0");
        let _ = writeln!(bridges, "link set {bridge} up");
    }
    // Before any device is there: none of the switch's ever has an IPv6 address.
    lab.sh(SWITCH, "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")?;
    ip_batch(lab, SWITCH, &bridges)?;
    thread::scope(|scope| {
        let jobs: Vec<_> = MACHINES.iter().map(|machine| scope.spawn(move || plug(lab, machine))).collect();
        jobs.into_iter()
            .try_for_each(|job| job.join().unwrap_or_else(|_| Err(LabError::failed("a wiring thread ended"))))
    })
}

fn plug(lab: &Lab, machine: &Machine) -> Result<(), LabError> {
    let switch = crate::registry::netns(lab.name(), SWITCH);
    let switch = switch.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let mut links = String::new();
    let mut ports = String::new();
    let mut quiet = String::new();
    let mut config = String::new();
    for (index, leg) in machine.legs.iter().enumerate() {
        let port = machine.port(index);
        let _ = writeln!(links, "link add eth{index} type veth peer name {port} netns {switch}");
        let _ = writeln!(ports, "link set {port} master {} up", leg.segment.bridge());
        // Only this interface: devices that sixgate makes keep the kernel's default.
        let _ = write!(quiet, " net.ipv6.conf.eth{index}.disable_ipv6=1");
        let _ = writeln!(config, "address add {} dev eth{index}", leg.address);
        let _ = writeln!(config, "link set eth{index} up");
    }
    for (destination, via) in machine.routes {
        let _ = writeln!(config, "route add {destination} via {via}");
    }
    if machine.ipv4_only {
        quiet.push_str(" net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1");
    }
    if machine.forwards {
        quiet.push_str(" net.ipv4.ip_forward=1");
    }
    ip_batch(lab, machine.name, &links)?;
    lab.sh(machine.name, &format!("sysctl -qw{quiet}"))?;
    ip_batch(lab, SWITCH, &ports)?;
    ip_batch(lab, machine.name, &config)?;
    match machine.name {
        "router" => masquerade(lab, "router", "eth2"),
        "nat" => masquerade(lab, "nat", "eth1"),
        _ => Ok(()),
    }
}

/// Everything that leaves by `device` gets its address.
fn masquerade(lab: &Lab, node: &str, device: &str) -> Result<(), LabError> {
    let rules = format!(
        "nft add table ip nat\n\
         nft 'add chain ip nat out {{ type nat hook postrouting priority srcnat; }}'\n\
         nft add rule ip nat out oifname {device} masquerade"
    );
    lab.sh(node, &rules).map(drop)
}

/// `ip -batch` in a node's network namespace, by its name.
fn ip_batch(lab: &Lab, node: &str, lines: &str) -> Result<(), LabError> {
    let failed = |e: &std::io::Error| LabError::io("run ip (iproute2)", e);
    let mut child = Command::new("ip")
        .args(["-n", &format!("sg-{}-{node}", lab.name()), "-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed(&e))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(lines.as_bytes()).map_err(|e| failed(&e))?;
    }
    let done = child.wait_with_output().map_err(|e| failed(&e))?;
    if done.status.success() {
        return Ok(());
    }
    Err(LabError::failed(format!(
        "{node}: {}",
        String::from_utf8_lossy(&done.stderr).trim().replace('\n', " ")
    )))
}
