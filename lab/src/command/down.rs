//! `sixgate lab down`, and the end after Ctrl-C.

use std::io::Write;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::up::print;
use crate::control::{self, Request};
use crate::error::LabError;
use crate::{Options, registry, topology};

pub(crate) fn down(options: &Options, out: &mut dyn Write) -> Result<(), LabError> {
    let lab = options.name.as_str();
    let there = registry::anything_left(lab) || registry::try_lock(lab)?.is_none();
    end(lab)?;
    if options.json {
        print(out, &format!("{}\n", json!({"schema": 1, "lab": lab, "removed": there})));
    } else if there {
        print(out, &format!(" ✓ lab '{lab}' is gone: 0 namespaces, 0 mounts, 0 processes, 0 files left\n"));
    } else {
        print(out, &format!("lab '{lab}' is not up: nothing to remove\n"));
    }
    Ok(())
}

/// Ends the lab and waits until nothing is left.
pub(crate) fn end(lab: &str) -> Result<(), LabError> {
    if control::call(lab, &Request::Down).is_err() {
        stop_silent_supervisor(lab);
    }
    let lock = registry::wait_lock(lab, Duration::from_secs(15))?;
    // The reaper has done it, unless it was killed too.
    registry::clean(lab)?;
    registry::forget_lock(lab);
    drop(lock);
    match topology::nodes().find(|node| registry::netns(lab, node).exists()) {
        Some(node) => {
            Err(LabError::failed(format!("{} could not be removed", registry::netns(lab, node).display())))
        }
        None => Ok(()),
    }
}

/// After Ctrl-C: ends the lab, says so, and ends this process.
pub(crate) fn end_of_process(lab: &str, signal: i32) -> ! {
    let error = match end(lab) {
        Ok(()) => LabError::interrupted(signal),
        Err(error) => error,
    };
    let _ = writeln!(std::io::stderr(), "sixgate lab: {error}");
    std::process::exit(128 + signal)
}

/// A supervisor that does not answer (or whose lab is half built) is ended by its number, if that is still its own.
fn stop_silent_supervisor(lab: &str) {
    let Ok(state) = registry::load(lab) else { return };
    let command = std::fs::read(format!("/proc/{}/cmdline", state.supervisor)).unwrap_or_default();
    let command: Vec<&[u8]> = command.split(|byte| *byte == 0).collect();
    let expected: [&[u8]; 4] = [b"lab", b"internal", b"supervisor", lab.as_bytes()];
    if command.get(1..5) == Some(&expected[..])
        && let Some(pid) = Pid::from_raw(state.supervisor)
    {
        // It may have ended by itself in between.
        let _ = kill_process(pid, Signal::KILL);
    }
}
