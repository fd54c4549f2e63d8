//! The ISATAP host: gives one workstation of an IPv4-only intranet a way to the clients, and to nothing else.
//!
//! What it is: the place where the ISATAP core, a TUN device, the raw socket of protocol 41, name look-ups and the
//! control socket meet. What it is not: a protocol; that is `sixgate-isatap`.
//!
//! ```text
//!   programs <-> kernel <-> TUN isatap0 <-> worker <-> protocol 41 <-> routers
//!                 ^                          |  ^
//!                 +-- addresses and routes --+  | list of routers, questions
//!                                            control: look-ups, signals, control socket (tokio)
//! ```
//!
//! Everything that is changed on the machine hangs on the device, and the device goes with the process: so a daemon that
//! ends, by a signal or by a kill, leaves no address, route or setting behind.
//!
//! | module | holds |
//! | --- | --- |
//! | `run` | from a valid file to a running host and back |
//! | `worker` | the loop that moves packets |
//! | `kernel` | the host's addresses and routes on the device |
//! | `site` | which interface, which IPv4 address |
//! | `routers` | the list of potential routers, its cache on disk |
//! | `left` | what is still there of a host that has ended |
//! | `lookup` | names of routers to addresses, again and again |
//! | `control` | signals and the control socket |
//! | `seam` | what control and worker say to each other |
//! | `evidence` | what `doctor` asks of a host, running or not |
#![forbid(unsafe_code)]

use std::path::Path;

use sixgate_config::Host;

pub use evidence::planned;

mod control;
mod evidence;
mod kernel;
mod left;
mod lookup;
mod routers;
mod run;
mod seam;
mod site;
mod worker;

pub use left::{Left, forget, left};
pub use sixgate_io_daemon::Failure;

/// Runs the host of `config` until SIGTERM or SIGINT; SIGHUP reads `path` again and takes over its routers and name
/// servers, if the file is valid in full.
///
/// Losing every router, and every name server, leaves it running. Must be called outside of a tokio runtime.
///
/// # Errors
/// One line.
pub fn run(path: &Path, config: Host) -> Result<(), Failure> {
    run::run(path, config)
}
