//! The roaming client: keeps one tunnel to its gateway up, whatever the network under it does.
//!
//! What it is: the place where the protocol cores, the I/O and the configuration meet, on a client. What it is not: a
//! protocol; none is implemented here.
//!
//! ```text
//!  run      device, journal, threads; undoes everything at the end
//!  worker   one thread: TUN device <-> TLS stream                  (packets, no names, no files)
//!  control  resolves, connects, applies leases, watches the network (tokio; delays no packet)
//!  seam     the typed messages between the two, and nothing else
//! ```
//!
//! The device, its address and its routes stay when the tunnel is down, so that connections inside outlive a pulled cable.
//!
//! | module | holds |
//! | --- | --- |
//! | `join` | enrolment: a token becomes a certificate and a file |
//! | `renew` | another certificate before the one that we have ends |
//! | `exchange` | what both ask the gateway, and its answer |
//! | `connect` | one attempt: look up, TCP, TLS, the request |
//! | `resolver` | the gateway's addresses, by the network's own servers, remembered when those are silent |
//! | `race` | several TCP connections at a time, the first to stand wins |
//! | `device` | what a lease makes of the TUN device |
//! | [`names`] | the stub resolver, and which names go into the tunnel |
//! | `network` | what the machine is connected to, to know when that changes |
//! | `status` | what `sixgate status` shows |
#![forbid(unsafe_code)]

use std::path::Path;

use sixgate_config::Client;

mod connect;
mod control;
mod device;
mod exchange;
mod join;
pub mod names;
mod network;
mod race;
mod renew;
mod resolver;
mod run;
mod seam;
mod status;
mod worker;

pub use join::{Join, Joined, join};
pub use sixgate_io_daemon::Failure;

/// Runs the client of `config` until SIGTERM or SIGINT; SIGHUP reads `path` again and takes over gateways and certificates,
/// only from a file that is valid in full.
///
/// Everything that was changed on the machine is undone before this returns, and what an earlier run left behind after a
/// kill is undone first.
///
/// # Errors
/// One line. Losing the gateway is no error.
pub fn run(path: &Path, config: Client) -> Result<(), Failure> {
    run::run(path, config)
}
