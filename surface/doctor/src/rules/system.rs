//! SG-SYS-001 to 004, 006, 007: the machine and the daemon's process.

use sixgate_reason::diagnoses::{SG_SYS_001, SG_SYS_002, SG_SYS_003, SG_SYS_004, SG_SYS_006, SG_SYS_007};

use crate::case::Case;
use crate::evidence::{Evidence, Process};
use crate::finding::{Check, Finding};

/// File descriptors that a daemon needs beside what it has open, to take one more client and write one more file.
const SPARE_FILES: u64 = 16;
/// What a state file may grow by at a time.
const SPARE_OCTETS: u64 = 1 << 20;
const SPARE_NODES: u64 = 8;
/// Time synchronisation turns the clock of the time that passed as well; what is left is a step.
const STEP_MS: u64 = 5_000;

pub(super) fn daemon(case: &Case<'_>) -> Vec<Check> {
    each(case, |e| {
        let (name, daemon) = (&e.machine.name, &e.daemon);
        let Some(role) = &daemon.role else { return Check::skipped("no daemon is known to belong here") };
        if daemon.answers {
            return Check::passed(format!("{name}: the {role} answers at {}", daemon.socket));
        }
        let mut finding = Finding::new(
            &SG_SYS_007,
            format!("the {role} on {name} does not run"),
            format!("nobody answers at {}", daemon.socket),
        )
        .unless(&[&SG_SYS_001, &SG_SYS_002, &SG_SYS_004]);
        finding = finding.because(match &daemon.failure {
            Some(failure) => format!("its last words: {failure}"),
            None => "it left no last words: it was ended in order, killed, or never started".to_owned(),
        });
        if let Some(config) = &daemon.config {
            let command = match role.as_str() {
                "gateway" => "sixgate run",
                "client" => "sixgate client run",
                _ => "sixgate host run",
            };
            finding =
                finding.next(format!("sixgate check {config}")).next(format!("{command} --config {config}"));
        }
        finding.into()
    })
}

pub(super) fn tun(case: &Case<'_>) -> Vec<Check> {
    each(case, |e| {
        let name = &e.machine.name;
        let Some(why) = &e.machine.no_tun else {
            return Check::passed(format!("{name}: /dev/net/tun is there"));
        };
        let finding = Finding::new(
            &SG_SYS_001,
            format!("{name} has no TUN device"),
            format!("/dev/net/tun cannot be opened: {why}"),
        )
        .because(format!("opening /dev/net/tun: {why}"))
        .next("modprobe tun; ls -l /dev/net/tun");
        if e.daemon.answers {
            return finding
                .because("the daemon that runs opened it before; it will not start again")
                .warning()
                .into();
        }
        match &e.daemon.failure {
            Some(failure) => finding.because(format!("the daemon's last words: {failure}")).into(),
            None => finding.into(),
        }
    })
}

/// Names and numbers of capabilities(7).
const CAPABILITIES: &[(&str, u32)] =
    &[("CAP_NET_ADMIN", 12), ("CAP_NET_RAW", 13), ("CAP_NET_BIND_SERVICE", 10)];

pub(super) fn capabilities(case: &Case<'_>) -> Vec<Check> {
    each(case, |e| {
        let name = &e.machine.name;
        let needed = match e.daemon.role.as_deref() {
            Some("gateway") => 3,
            Some("host") => 2,
            Some(_) => 1,
            None => return Check::skipped("capabilities: no daemon"),
        };
        let text = e.daemon.process.as_ref().and_then(|p| p.capabilities.as_deref());
        let Some(had) = text.and_then(|t| u64::from_str_radix(t, 16).ok()) else {
            return Check::skipped("capabilities: the daemon left no record of its start");
        };
        let missing: Vec<&str> = CAPABILITIES[..needed]
            .iter()
            .filter(|(_, bit)| had >> bit & 1 == 0)
            .map(|(name, _)| *name)
            .collect();
        if missing.is_empty() {
            return Check::passed(format!("{name}: the daemon has its capabilities"));
        }
        let mut finding = Finding::new(
            &SG_SYS_002,
            format!("the daemon on {name} lacks {}", missing.join(", ")),
            "it was started without a capability that it needs",
        )
        .because(format!("CapEff of the daemon at its start: {}", text.unwrap_or_default()))
        .fix(format!(
            "give the daemon {}: CapabilityBoundingSet= and AmbientCapabilities= of its service, --cap-add of the container, or root",
            missing.join(", ")
        ))
        .next(format!("capsh --decode={}", text.unwrap_or_default()));
        if let Some(failure) = &e.daemon.failure {
            finding = finding.because(format!("its last words: {failure}"));
        }
        finding.into()
    })
}

pub(super) fn files(case: &Case<'_>) -> Vec<Check> {
    each(case, |e| {
        let name = &e.machine.name;
        let Some(Process { pid, files: Some(open), files_limit: Some(limit), .. }) = &e.daemon.process else {
            return Check::skipped("open files: the daemon's process was not seen");
        };
        if limit.saturating_sub(*open) >= SPARE_FILES {
            return Check::passed(format!("{name}: {open} of {limit} file descriptors are in use"));
        }
        Finding::new(
            &SG_SYS_003,
            format!("the daemon on {name} has {open} of {limit} file descriptors in use"),
            "its limit of open files is used up: new connections will be turned away",
        )
        .because(format!("/proc/{pid}/limits: Max open files {limit}; /proc/{pid}/fd holds {open}"))
        .next(format!("prlimit --pid {pid} --nofile=65536"))
        .into()
    })
}

pub(super) fn disks(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for e in case.sides() {
        for disk in &e.machine.disks {
            let name = &e.machine.name;
            let no_nodes = disk.files_free.is_some_and(|n| n < SPARE_NODES);
            if disk.free >= SPARE_OCTETS && !no_nodes {
                checks.push(Check::passed(format!("{name}: there is space in {}", disk.path)));
                continue;
            }
            let why = if no_nodes { "no inodes are left" } else { "no space is left" };
            let nodes = disk.files_free.map(|n| format!(", {n} inodes")).unwrap_or_default();
            checks.push(
                Finding::new(
                    &SG_SYS_004,
                    format!("{name}: the file system of {} is full", disk.path),
                    format!("{why} where the daemon keeps its state"),
                )
                .because(format!(
                    "{}: {} KiB of {} KiB free{nodes}",
                    disk.path,
                    disk.free / 1024,
                    disk.total / 1024
                ))
                .next(format!("df -h {0}; df -i {0}", disk.path))
                .into(),
            );
        }
    }
    checks
}

pub(super) fn clock(case: &Case<'_>) -> Vec<Check> {
    each(case, |e| {
        let name = &e.machine.name;
        let Some(jump) = e.daemon.clock_jump_ms else {
            return Check::skipped("clock: the daemon left no record of its start");
        };
        if jump.unsigned_abs() < STEP_MS {
            return Check::passed(format!("{name}: the clock runs evenly"));
        }
        let by = format!("{}{} s", if jump < 0 { "-" } else { "+" }, jump.unsigned_abs() / 1000);
        Finding::new(
            &SG_SYS_006,
            format!("the clock of {name} jumped by {by} since the daemon started"),
            "wall-clock time moved by more than the time that passed",
        )
        .warning()
        .because(format!("clock against /proc/uptime, then and now: {by}"))
        .not("a slow drift: that moves both together")
        .next("timedatectl")
        .into()
    })
}

fn each(case: &Case<'_>, check: impl Fn(&Evidence) -> Check) -> Vec<Check> {
    case.sides().map(check).collect()
}
