//! `sixgate lab exec` and `sixgate lab shell`.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;

use crate::error::LabError;
use crate::handle::Lab;
use crate::{Options, registry};

pub(crate) fn exec(options: &Options, node: &str, command: &[OsString]) -> Result<i32, LabError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(LabError::usage("no command: `sixgate lab exec NODE -- CMD...`"));
    };
    // Nodes can be entered as soon as they are there, also while `up` still works on the rest.
    let state = registry::load(&options.name)?;
    let lab = Lab::of(&options.name, state.nodes);
    let status = lab
        .command(node, program)?
        .args(arguments)
        .status()
        .map_err(|e| LabError::io(&format!("enter {node} (nsenter of util-linux)"), &e))?;
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}

pub(crate) fn shell(options: &Options, node: &str) -> Result<i32, LabError> {
    // The terminal's Ctrl-C is for what runs in the shell, not for us.
    // SAFETY: SIG_IGN is a disposition that the kernel defines; no handler of ours is installed.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let shell = ["bash", "-c", "cd; trap - INT; exec bash --rcfile /root/.bashrc -i"];
    exec(options, node, &shell.map(OsString::from))
}
