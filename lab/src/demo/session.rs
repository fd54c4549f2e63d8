//! An ssh from helpdesk-01 to `cat` on laptop-01, which stays open while something happens to its path.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::manage_out::LAPTOP;
use crate::error::LabError;
use crate::handle::Lab;

/// The session; dropping it ends the ssh.
pub(super) struct Session {
    process: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Session {
    pub(super) fn open(lab: &Lab) -> Result<Self, LabError> {
        let failed = |e: &std::io::Error| LabError::io("run ssh", e);
        let mut process = lab
            .command("helpdesk-01", "ssh")?
            .args(["-o", "BatchMode=yes", LAPTOP, "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed(&e))?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(LabError::failed("ssh has no pipes"));
        };
        let (send, lines) = channel();
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        Ok(Self { process, input, lines })
    }

    pub(super) fn echoes(&mut self, text: &str, within: Duration) -> Result<(), LabError> {
        let sent = self.input.write_all(format!("{text}\n").as_bytes()).and_then(|()| self.input.flush());
        sent.map_err(|e| LabError::io("write to the open ssh", &e))?;
        match self.lines.recv_timeout(within) {
            Ok(line) if line == text => Ok(()),
            Ok(line) => Err(LabError::failed(format!("the open ssh echoed {line:?}, not {text:?}"))),
            Err(_) => {
                Err(LabError::failed(format!("the open ssh did not echo within {} s", within.as_secs())))
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
