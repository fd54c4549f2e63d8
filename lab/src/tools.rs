//! The stock programs that the lab needs, and what to say when one is missing.

use crate::error::LabError;

/// Program and Debian package.
const TOOLS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("sysctl", "procps"),
    ("nft", "nftables"),
    ("named", "bind9"),
    ("rndc-confgen", "bind9"),
    ("dig", "bind9-dnsutils"),
    ("nginx", "nginx-light"),
    ("dropbear", "dropbear-bin"),
    ("dropbearkey", "dropbear-bin"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("curl", "curl"),
    ("socat", "socat"),
    ("ping", "iputils-ping"),
];

/// Root, and every program that the lab runs.
pub(crate) fn check() -> Result<(), LabError> {
    if !rustix::process::geteuid().is_root() {
        return Err(LabError::failed(
            "the lab needs root, for network namespaces and mounts: try `sudo sixgate lab up`",
        ));
    }
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/local/sbin:/usr/sbin:/sbin";
    let found = |tool: &str| path.split(':').any(|folder| std::path::Path::new(folder).join(tool).is_file());
    let mut missing: Vec<&str> =
        TOOLS.iter().filter(|(tool, _)| !found(tool)).map(|(_, package)| *package).collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(LabError::failed(format!("the lab needs more programs: apt-get install {}", missing.join(" "))))
}
