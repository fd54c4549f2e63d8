//! A resolver as a process: started on core 0, its processor time and memory read from the kernel.

use std::fs;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peers::Peer;

/// Where every resolver listens in its turn.
pub(crate) const PORT: u16 = 5_353;
const READY: Duration = Duration::from_secs(20);

/// A process that is killed when dropped.
pub(crate) struct Killed(pub(crate) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Daemon {
    process: Killed,
}

impl Daemon {
    pub(crate) fn start(peer: Peer, folder: &Path) -> Result<Self, String> {
        let own = folder.join(peer.name());
        let _not_there = fs::remove_dir_all(&own);
        fs::create_dir_all(&own).map_err(|e| format!("{}: {e}", own.display()))?;
        let arguments = peer.prepare(&own)?;
        let log = own.join("log");
        let out = fs::File::create(&log).map_err(|e| format!("{}: {e}", log.display()))?;
        let error = out.try_clone().map_err(|e| e.to_string())?;
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).args(&arguments).current_dir(&own);
        command.stdin(Stdio::null()).stdout(out).stderr(error);
        let child = command.spawn().map_err(|e| format!("{}: {e}", peer.name()))?;
        let daemon = Self { process: Killed(child) };
        wait_for(PORT, peer.name())
            .map_err(|e| format!("{e}: {}", fs::read_to_string(&log).unwrap_or_default()))?;
        Ok(daemon)
    }

    fn folder(&self) -> String {
        format!("/proc/{}", self.process.0.id())
    }

    /// Nanoseconds on a processor of all its threads so far.
    pub(crate) fn busy(&self) -> Result<u64, String> {
        let tasks = format!("{}/task", self.folder());
        let mut sum = 0;
        for task in fs::read_dir(&tasks).map_err(|e| format!("{tasks}: {e}"))?.flatten() {
            // A thread may just have ended.
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            sum += text.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(sum)
    }

    /// Resident octets, without the parts of files that are shared with others, but with memory that is shared with nobody.
    pub(crate) fn memory(&self) -> Result<u64, String> {
        let file = format!("{}/status", self.folder());
        let text = fs::read_to_string(&file).map_err(|e| format!("{file}: {e}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| format!("{file}: no VmRSS"))
    }
}

/// Waits until something answers on this port.
pub(crate) fn wait_for(port: u16, who: &str) -> Result<(), String> {
    let question = crate::load::question(1, "n0");
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    socket.set_read_timeout(Some(Duration::from_millis(100))).map_err(|e| e.to_string())?;
    let end = Instant::now() + READY;
    while Instant::now() < end {
        let sent = socket.send_to(&question, ("127.0.0.1", port));
        if sent.is_ok() && socket.recv(&mut [0; 1_500]).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("{who} does not answer"))
}

pub(crate) fn sh(line: &str) -> Result<(), String> {
    let status = Command::new("sh").args(["-c", line]).status().map_err(|e| format!("{line}: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{line}: {status}")) }
}

pub(crate) fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}
