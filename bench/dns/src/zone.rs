//! The upstream: nsd with names that have an A and nothing else.

use std::fmt::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::daemon::{self, Killed};

pub(crate) const ZONE: &str = "bench.example";
pub(crate) const PORT: u16 = 5_300;

/// Serves until dropped.
pub(crate) fn serve(folder: &Path, names: u32) -> Result<Killed, String> {
    let mut text = format!(
        "$ORIGIN {ZONE}.\n$TTL 3600\n@ SOA ns root 1 3600 600 86400 3600\n@ NS ns\nns A 192.0.2.53\n"
    );
    for n in 0..names {
        let [_, a, b, c] = n.to_be_bytes();
        // Writing to a string does not fail.
        let _ = writeln!(text, "n{n} A 10.{a}.{b}.{c}");
    }
    daemon::write(&folder.join("bench.zone"), &text)?;
    let conf = format!(
        "server:\n  ip-address: 127.0.0.1@{PORT}\n  server-count: 1\n  username: \"\"\n  database: \"\"\n  pidfile: \"\"\n  \
         zonelistfile: \"{0}/zone.list\"\n  xfrdfile: \"{0}/xfrd.state\"\n  zonesdir: \"{0}\"\n  \
         rrl-ratelimit: 0\n\
         remote-control:\n  control-enable: no\nzone:\n  name: {ZONE}\n  zonefile: bench.zone\n",
        folder.display()
    );
    let file = folder.join("nsd.conf");
    daemon::write(&file, &conf)?;
    let child = spawn(&file)?;
    daemon::wait_for(PORT, "nsd")?;
    Ok(child)
}

fn spawn(file: &Path) -> Result<Killed, String> {
    let mut command = Command::new("taskset");
    command.args(["-c", "1", "nsd", "-d", "-c"]).arg(file).stdout(Stdio::null()).stderr(Stdio::null());
    let child: Child = command.spawn().map_err(|e| format!("nsd: {e}"))?;
    Ok(Killed(child))
}
