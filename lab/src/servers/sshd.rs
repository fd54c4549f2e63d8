//! SSH servers (dropbear) and the helpdesk's key (OpenSSH).

use super::listens;
use crate::error::LabError;
use crate::handle::Lab;

/// Starts sshd with a host key of its own.
pub(super) fn start(lab: &Lab, node: &str) -> Result<(), LabError> {
    lab.sh(
        node,
        "mkdir -p /etc/dropbear /root/.ssh; chmod 700 /root /root/.ssh\n\
         rm -f /etc/dropbear/dropbear_*\n\
         dropbearkey -t ed25519 -f /etc/dropbear/dropbear_ed25519_host_key >/dev/null 2>&1\n\
         usermod -s /bin/sh root 2>/dev/null || true",
    )?;
    let key = "/etc/dropbear/dropbear_ed25519_host_key";
    lab.start(
        node,
        "sshd",
        &["dropbear", "-F", "-E", "-s", "-r", key, "-p", "22", "-P", "/run/dropbear.pid"],
    )?;
    listens(lab, node, "sshd", 22)
}

/// Gives `from` a key that `to` accept.
pub(super) fn let_in(lab: &Lab, from: &str, to: &[&str]) -> Result<(), LabError> {
    let public = lab.sh(
        from,
        "ssh-keygen -q -t ed25519 -N '' -C helpdesk -f /root/.ssh/id_ed25519\n\
         printf 'StrictHostKeyChecking accept-new\\nConnectTimeout 10\\nServerAliveInterval 5\\nServerAliveCountMax 12\\n' \
         >/root/.ssh/config\n\
         chmod 600 /root/.ssh/config; cat /root/.ssh/id_ed25519.pub",
    )?;
    to.iter().try_for_each(|node| lab.write(node, "/root/.ssh/authorized_keys", &public, true))
}
