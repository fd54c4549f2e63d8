//! 770 to 799: the machine that sixgate runs on.

use super::Diagnosis;

/// No TUN.
pub static SG_SYS_001: Diagnosis = Diagnosis {
    number: 770,
    code: "SG-SYS-001",
    text: "there is no TUN device",
    meaning: "Sixgate moves packets through a TUN device and cannot start without /dev/net/tun.",
    causes: &[
        "a container or virtual server without the device",
        "the kernel module `tun` is not loaded, or was removed from under the running kernel by an update",
        "a service sandbox (PrivateDevices=yes, DeviceAllow=) hides it",
    ],
    proof: &["`ls -l /dev/net/tun`", "`grep -w tun /proc/misc`"],
    fix: "`modprobe tun`; in a container pass the device in (`--device /dev/net/tun`)",
    references: &["docs/doctor.md"],
    reasons: &[],
};

/// A capability is missing.
pub static SG_SYS_002: Diagnosis = Diagnosis {
    number: 771,
    code: "SG-SYS-002",
    text: "the daemon lacks a capability",
    meaning: "Sixgate needs CAP_NET_ADMIN (devices, routes), CAP_NET_RAW (protocol 41) and, on a gateway, CAP_NET_BIND_SERVICE \
              (port 443). Without one of them it ends at the start.",
    causes: &[
        "a service file that bounds capabilities too far",
        "a container without NET_ADMIN or NET_RAW",
        "started by an ordinary user",
    ],
    proof: &["`grep Cap /proc/PID/status`, then `capsh --decode=`"],
    fix: "give the daemon the named capability: CapabilityBoundingSet= and AmbientCapabilities= of the service, `--cap-add` of the \
          container, or root",
    references: &["capabilities(7)"],
    reasons: &[],
};

/// Too few descriptors.
pub static SG_SYS_003: Diagnosis = Diagnosis {
    number: 772,
    code: "SG-SYS-003",
    text: "the daemon's limit of open files is nearly or wholly used up",
    meaning: "Every connection takes a file descriptor. At the limit new clients are turned away and log-ins fail, while those who \
              are connected go on.",
    causes: &[
        "a limit of the service or the shell that is too low",
        "more clients than the machine was planned for",
    ],
    proof: &["`ls /proc/PID/fd | wc -l` against `grep 'open files' /proc/PID/limits`"],
    fix: "raise the limit: LimitNOFILE= of the service, `prlimit --pid PID --nofile=65536` for the running daemon",
    references: &["getrlimit(2)"],
    reasons: &[],
};

/// The disk is full.
pub static SG_SYS_004: Diagnosis = Diagnosis {
    number: 773,
    code: "SG-SYS-004",
    text: "the disk of the state directory is full",
    meaning: "Enrolment, the list of hosts and the journal of changes are written there. Traffic goes on, but nothing new is kept: \
              tokens cannot be used, and a restart may find old state.",
    causes: &["logs or captures on the same file system", "a quota", "no inodes left"],
    proof: &["`df -h DIR` and `df -i DIR`"],
    fix: "free space on that file system",
    references: &[],
    reasons: &[],
};

/// Somebody changed a setting.
pub static SG_SYS_005: Diagnosis = Diagnosis {
    number: 774,
    code: "SG-SYS-005",
    text: "a kernel setting that sixgate needs was changed by somebody else",
    meaning: "Sixgate set this sysctl when it started, or needs it to be so, and it has another value by now.",
    causes: &[
        "a hardening script or `sysctl --system` after a package update",
        "another program wrote net.ipv4.ip_forward: that resets the forwarding of every single interface",
        "a network manager that brought an interface up again",
    ],
    proof: &["`sysctl NAME`", "`grep -r NAME /etc/sysctl.d /etc/sysctl.conf`"],
    fix: "set it back, and take it out of whatever sets it; restarting the daemon sets it too",
    references: &["docs/doctor.md"],
    reasons: &[],
};

/// The clock jumped.
pub static SG_SYS_006: Diagnosis = Diagnosis {
    number: 775,
    code: "SG-SYS-006",
    text: "the system's clock jumped since the daemon started",
    meaning: "Wall-clock time moved by more than the time that passed. Certificates, tokens and times in lists are judged by it, so \
              clients may be refused as expired or not yet valid, and what was logged before has other times.",
    causes: &[
        "the machine started with a wrong clock and time synchronisation corrected it later",
        "a virtual machine was paused, restored or moved",
        "somebody set the clock",
    ],
    proof: &["`timedatectl`, and the times of neighbouring lines in the daemon's log"],
    fix: "let time synchronisation run before the daemon starts (After=time-sync.target), then restart the daemon",
    references: &["docs/doctor.md"],
    reasons: &[],
};

/// It does not run.
pub static SG_SYS_007: Diagnosis = Diagnosis {
    number: 776,
    code: "SG-SYS-007",
    text: "the daemon does not run",
    meaning: "Nobody answers at the control socket. Whatever this machine should do, it does not do.",
    causes: &["it was never started", "it ended with an error, which stands below", "it was killed"],
    proof: &["`sixgate status`", "`systemctl status sixgate` and its log"],
    fix: "start it, and read its last line if it ends again",
    references: &["docs/doctor.md"],
    reasons: &[],
};

pub(super) static ALL: &[&Diagnosis] =
    &[&SG_SYS_001, &SG_SYS_002, &SG_SYS_003, &SG_SYS_004, &SG_SYS_005, &SG_SYS_006, &SG_SYS_007];
