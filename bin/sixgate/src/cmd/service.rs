//! Services of this machine: started after joining, where systemd runs.

use std::path::Path;
use std::process::Command;

use crate::exit::Trouble;

/// What became of a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Service {
    /// systemd has it.
    Managed,
    /// No systemd here, no such unit, or the caller did not want it.
    Left,
}

/// True when systemd is the init of this machine (sd_booted(3)).
pub(crate) fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Where systemd looks for units (systemd.unit(5)); a binary that was only copied here has none.
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];

fn installed(unit: &str) -> bool {
    UNITS.iter().any(|folder| Path::new(folder).join(unit).exists())
}

/// Starts a unit, and at every boot.
pub(crate) fn start(unit: &str, wanted: bool) -> Result<Service, Trouble> {
    if !wanted || !systemd_runs() || !installed(unit) {
        return Ok(Service::Left);
    }
    systemctl(&["enable", unit])?;
    // A unit that runs already must read the new file.
    systemctl(&["restart", unit])?;
    Ok(Service::Managed)
}

/// Has a unit read its file again, and starts it if it does not run.
pub(crate) fn reload(unit: &str) -> Result<Service, Trouble> {
    if !systemd_runs() || !installed(unit) {
        return Ok(Service::Left);
    }
    systemctl(&["enable", unit])?;
    systemctl(&["reload-or-restart", unit])?;
    Ok(Service::Managed)
}

/// Ends a unit, and its start at boot.
pub(crate) fn stop(unit: &str) -> Result<Service, Trouble> {
    if !systemd_runs() || !installed(unit) {
        return Ok(Service::Left);
    }
    systemctl(&["disable", "--now", unit])?;
    Ok(Service::Managed)
}

fn systemctl(arguments: &[&str]) -> Result<(), Trouble> {
    let command = format!("systemctl {}", arguments.join(" "));
    let done = Command::new("systemctl").args(arguments).output();
    let said = match done {
        Ok(done) if done.status.success() => return Ok(()),
        Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
        Err(e) => e.to_string(),
    };
    Err(Trouble::failed("service", format!("`{command}` failed: {said}")))
}
