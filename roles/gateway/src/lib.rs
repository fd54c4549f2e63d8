//! The gateway: terminates clients' tunnels, translates, routes ISATAP, answers names, and forwards between them.
//!
//! What it is: the place where the protocol cores, the I/O and the configuration meet. What it is not: a protocol; none
//! is implemented here.
//!
//! ```text
//!  parent   opens devices and sockets, sets up the machine, undoes it at the end      (privileged, before a packet)
//!  net      workers: fabric, NAT64, ISATAP, sessions                                   (packets, no names, no files)
//!  control  TLS handshakes, enrolment, names, control socket                           (tokio; a handshake delays no packet)
//!  seam     the typed messages between net and control, and nothing else
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | `crew` | the workers of `net`: how many, and their end |
//! | `parent` | devices, addresses, routes, netfilter |
//! | `net` | the packet plane |
//! | `control` | the control plane |
//! | `names` | DNS64 service, registration of clients |
//! | `native` | the way to the clients, advertised on segments with IPv6 of their own |
//! | `lease` | addresses that clients are given |
#![forbid(unsafe_code)]

use std::path::Path;

use sixgate_config::Gateway;

mod control;
mod crew;
mod lease;
pub mod names;
mod native;
mod net;
mod parent;
mod run;
mod seam;

pub use sixgate_io_daemon::Failure;

/// Runs the gateway of `config` until SIGTERM or SIGINT; SIGHUP reads `path` again and takes over what can change while
/// running (the translator, policy, and what ISATAP offers to whom), only from a file that is valid in full.
///
/// Everything that was changed on the machine is undone before this returns, and what an earlier run left behind after a
/// kill is undone first.
///
/// # Errors
/// One line.
pub fn run(path: &Path, config: Gateway) -> Result<(), Failure> {
    run::run(path, config)
}
