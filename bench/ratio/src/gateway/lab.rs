//! The laboratory for the time of the measurement.

use std::process::Command;

use sixgate_lab::Lab;

/// A lab that goes when this is dropped.
pub(crate) struct World {
    pub(crate) lab: Lab,
    binary: std::ffi::OsString,
}

const NAME: &str = "bench";

impl World {
    pub(crate) fn up() -> Result<Self, String> {
        let binary =
            std::env::var_os("SIXGATE_BIN").ok_or("SIXGATE_BIN must name the binary (make bench does)")?;
        let done =
            Command::new(&binary).args(["lab", "--name", NAME, "up"]).output().map_err(|e| e.to_string())?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned());
        }
        let lab = Lab::open(NAME).map_err(|e| e.to_string())?;
        Ok(Self { lab, binary })
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // What it cannot remove, the next `up` removes.
        let _ = Command::new(&self.binary).args(["lab", "--name", NAME, "down"]).output();
    }
}
