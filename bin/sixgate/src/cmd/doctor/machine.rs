//! What the command line sees of the machine by itself, whether a daemon runs or not.

use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;

use sixgate_api::Timestamp;
use sixgate_doctor::evidence::{Daemon, Disk, Machine, Process};
use sixgate_io_dns::resolv_conf::ResolvConf;
use sixgate_io_host::Netlink;
use sixgate_wire::addr::isatap;

use crate::record::{self, Start};

const TUN: &str = "/dev/net/tun";

/// The machine, with the file systems of these directories.
pub(super) fn machine(directories: &[&Path]) -> Machine {
    let addresses = Netlink::new().and_then(|mut n| n.addresses(None)).unwrap_or_default();
    let (mut ipv4, mut tunnel) = (Vec::new(), Vec::new());
    for address in addresses {
        match address.address {
            IpAddr::V4(v4) if !v4.is_loopback() => ipv4.push(v4),
            IpAddr::V6(v6) if isatap::embedded(v6).is_some() => tunnel.push(v6),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
    }
    Machine {
        name: fs::read_to_string("/proc/sys/kernel/hostname")
            .map(|n| n.trim().to_owned())
            .unwrap_or_default(),
        ipv4,
        isatap: tunnel,
        search: ResolvConf::of_system().map(|c| c.search).unwrap_or_default(),
        no_tun: no_tun(),
        disks: directories.iter().filter_map(|d| disk(d)).collect(),
    }
}

/// The daemon as its record and `/proc` show it.
pub(super) fn daemon(socket: &Path, answers: bool, start: Option<&Start>) -> Daemon {
    let mut daemon = Daemon { answers, socket: socket.display().to_string(), ..Daemon::default() };
    let Some(start) = start else { return daemon };
    daemon.role = Some(start.role.clone());
    daemon.config = Some(start.config.display().to_string());
    daemon.failure = start.failure.clone().filter(|_| !answers);
    daemon.process = Some(Process {
        pid: i32::try_from(start.pid).unwrap_or_default(),
        capabilities: start.capabilities.clone(),
        files: answers.then(|| open_files(start.pid)).flatten(),
        files_limit: answers.then(|| files_limit(start.pid)).flatten(),
    });
    daemon.clock_jump_ms = answers.then(|| clock_jump(start)).flatten();
    daemon
}

/// By how much the clock moved beside the time that passed.
fn clock_jump(start: &Start) -> Option<i64> {
    let (uptime, now) = (record::uptime()?, Timestamp::now());
    let passed = uptime - start.uptime;
    // The machine was started anew since.
    if passed < 0.0 {
        return None;
    }
    let by_the_clock = now.as_millisecond() - start.at.as_millisecond();
    Some(by_the_clock - (passed * 1000.0) as i64)
}

/// Why the TUN device cannot be used. That only root may open it is no fault.
fn no_tun() -> Option<String> {
    match fs::File::options().read(true).write(true).open(TUN) {
        Ok(_) => None,
        Err(e) if e.kind() == ErrorKind::PermissionDenied && !is_root() => None,
        Err(e) => Some(e.to_string()),
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn disk(path: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(path).ok()?;
    Some(Disk {
        path: path.display().to_string(),
        free: found.f_bavail.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
        files_free: (found.f_files > 0).then_some(found.f_favail),
    })
}

fn open_files(pid: u32) -> Option<u64> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64)
}

/// The soft limit; a daemon without one has no limit to reach.
fn files_limit(pid: u32) -> Option<u64> {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
