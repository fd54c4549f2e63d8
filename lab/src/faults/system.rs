//! Faults of the machines that sixgate runs on: what a daemon may, and what it finds.

use std::time::Duration;

use super::{Broken, Fault, Undo, kept};
use crate::error::LabError;
use crate::handle::{Lab, wait_for};
use crate::product::{self, GATEWAY_FILE, HOST_FILE, SERVICE};

pub(super) static FAULTS: &[Fault] = &[
    Fault {
        name: NO_TUN,
        code: "SG-SYS-001",
        node: HOST,
        what: "/dev/net/tun is not there, and the host's daemon is started anew",
        make: |lab, _| {
            lab.sh(HOST, "mount -t tmpfs -o mode=755 none /dev/net")?;
            restart(lab, HOST)
        },
        mend: |lab, _| {
            lab.sh(HOST, "umount /dev/net")?;
            restart(lab, HOST)
        },
    },
    Fault {
        name: NO_CAPABILITY,
        code: "SG-SYS-002",
        node: HOST,
        what: "the host's daemon is started anew without CAP_NET_RAW",
        make: |lab, _| restart(lab, HOST),
        mend: |lab, _| restart(lab, HOST),
    },
    Fault {
        name: FEW_FILES,
        code: "SG-SYS-003",
        node: GATEWAY,
        what: "the gateway may open a few more files, and then none",
        make: |lab, undo| {
            let limits =
                lab.sh(GATEWAY, &format!("prlimit --pid {PID} --nofile --raw --noheadings -o SOFT,HARD"))?;
            undo.insert("limits".to_owned(), limits.split_whitespace().collect::<Vec<_>>().join(":"));
            limit_files(lab)
        },
        mend: |lab, undo| {
            lab.sh(GATEWAY, &format!("prlimit --pid {PID} --nofile={}", kept(undo, "limits")?)).map(drop)
        },
    },
    Fault {
        name: "disk-full",
        code: "SG-SYS-004",
        node: GATEWAY,
        what: "the file system of /var/lib/sixgate is full",
        make: fill,
        mend: |lab, undo| {
            let size = kept(undo, "size")?;
            lab.sh(GATEWAY, &format!("rm -f {FILLER}; mount -o remount,size={size}k {STATE}")).map(drop)
        },
    },
    Fault {
        name: CLOCK,
        code: "SG-SYS-006",
        node: GATEWAY,
        what: "the gateway is started with a clock that is 90 s slow, and the clock is then set right",
        make: |lab, undo| {
            // Before anything is stopped: what is missing must not cost the gateway.
            undo.insert(LIBRARY.to_owned(), faketime(lab)?);
            set_clock(lab, "-90")?;
            restart(lab, GATEWAY)?;
            set_clock(lab, "+0")
        },
        mend: |lab, undo| if undo.contains_key(LIBRARY) { restart(lab, GATEWAY) } else { Ok(()) },
    },
];

const HOST: &str = "helpdesk-01";
const GATEWAY: &str = "gateway";
const NO_TUN: &str = "no-tun";
const NO_CAPABILITY: &str = "no-capability";
const FEW_FILES: &str = "few-files";
const CLOCK: &str = "clock-jumped";
const STATE: &str = "/var/lib/sixgate";
const FILLER: &str = "/var/lib/sixgate/filler";
const PID: &str = "\"$(cat /run/lab/sixgate.pid)\"";
/// What the process of the gateway reads its clock's error from; nobody else's clock is touched.
const CLOCK_FILE: &str = "/run/lab/clock";
const LIBRARY: &str = "library";
/// Descriptors that are left: enough to be asked how it is.
const LEFT: usize = 6;

/// Ends a daemon and starts it again, in the way that the faults of its node ask for.
fn restart(lab: &Lab, node: &str) -> Result<(), LabError> {
    let broken = Broken::load(lab);
    let is = |fault: &str| broken.faults.contains_key(fault);
    let preload =
        if node == GATEWAY && is(CLOCK) { Some(format!("LD_PRELOAD={}", faketime(lab)?)) } else { None };
    lab.stop(node, SERVICE)?;
    let mut command: Vec<&str> = Vec::new();
    let run: &[&str] = if node == HOST {
        if is(NO_CAPABILITY) {
            command.extend(["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]);
        }
        &["sixgate", "host", "run", "--config", HOST_FILE]
    } else {
        if let Some(preload) = &preload {
            command.extend([
                "env",
                preload,
                CLOCK_VARIABLE,
                "FAKETIME_NO_CACHE=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1",
            ]);
        }
        &["sixgate", "run", "--config", GATEWAY_FILE]
    };
    command.extend_from_slice(run);
    let before = lab.log(node, SERVICE)?.len();
    lab.start(node, SERVICE, &command)?;
    let may_fail = node == HOST && (is(NO_TUN) || is(NO_CAPABILITY));
    let done = wait_for(Duration::from_secs(10), || {
        let log = lab.log(node, SERVICE).unwrap_or_default();
        log.get(before..).unwrap_or_default().lines().any(|l| l.split_whitespace().last() == Some("ready"))
            || !lab.runs(node, SERVICE)
    });
    if !may_fail && (done.is_none() || !lab.runs(node, SERVICE)) {
        return Err(LabError::failed(format!(
            "{node}: sixgate is not ready: {}",
            product::last_words(lab, node)
        )));
    }
    if node == GATEWAY {
        // Clients come back by themselves; a lab that is half back is not what the fault is about.
        wait_for(Duration::from_secs(20), || connected(lab) >= 2);
        if is(FEW_FILES) {
            limit_files(lab)?;
        }
    }
    Ok(())
}

/// The library that tells one process another time.
fn faketime(lab: &Lab) -> Result<String, LabError> {
    let found = lab.sh(GATEWAY, "ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -1")?;
    match found.trim() {
        "" => Err(LabError::failed("libfaketime.so.1 is not there; install the Debian package libfaketime")),
        path => Ok(path.to_owned()),
    }
}

/// How many clients the gateway has.
fn connected(lab: &Lab) -> usize {
    let Ok(done) = lab.run(GATEWAY, &["sixgate", "who", "--json"]) else { return 0 };
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap_or_default();
    document["clients"].as_array().map_or(0, Vec::len)
}

const CLOCK_VARIABLE: &str = "FAKETIME_TIMESTAMP_FILE=/run/lab/clock";

fn set_clock(lab: &Lab, by: &str) -> Result<(), LabError> {
    lab.write(GATEWAY, CLOCK_FILE, &format!("{by}\n"), false)
}

fn limit_files(lab: &Lab) -> Result<(), LabError> {
    let script = format!("n=$(ls /proc/{PID}/fd | wc -l); prlimit --pid {PID} --nofile=$((n + {LEFT})):");
    lab.sh(GATEWAY, &script).map(drop)
}

/// Makes the file system as small as what is on it, nearly, and fills the rest.
fn fill(lab: &Lab, undo: &mut Undo) -> Result<(), LabError> {
    let size = lab.sh(GATEWAY, &format!("df -k --output=size {STATE} | tail -1"))?;
    undo.insert("size".to_owned(), size.trim().to_owned());
    let script = format!(
        "used=$(df -k --output=used {STATE} | tail -1); mount -o remount,size=$((used + 512))k {STATE}\n\
         dd if=/dev/zero of={FILLER} bs=4k 2>/dev/null || true"
    );
    lab.sh(GATEWAY, &script).map(drop)
}
