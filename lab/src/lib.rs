//! The laboratory: the whole world of a sixgate deployment in network namespaces of one Linux machine.
//!
//! What it is: an intranet of two IPv4-only segments behind a router, an "internet", a home behind a NAT, real servers (bind9,
//! nginx, dropbear), and the shipped binary on gateway, clients and helpdesk workstation, started with files that a user would
//! write. What it is not: part of the product. It puts in no route, neighbour, address or DNS record that sixgate should make.
//!
//! ```text
//!  files .30  dns .53                 gateway                    web .80        nat .77 ──── home 192.168.77.0/24
//!     │          │           eth1 10.6.0.1 │ eth0 203.0.113.10    │              │           │            │
//!  ───┴──────────┴──── corp ───────────────┘ └────── internet ────┴──────────────┴     laptop-01 .10  laptop-02 .11
//!     10.6.0.0/24  │                               203.0.113.0/24 │
//!             router 10.6.0.254 / 10.6.8.254 / 203.0.113.1 ───────┘
//!  ───┬────────────┴─── desk 10.6.8.0/24
//!     │              │
//!  helpdesk-01 .20  bystander-01 .30
//! ```
//!
//! How it lives: a **supervisor** process holds everything, a **reaper** process waits for its end and removes what is left,
//! whichever way the supervisor ended. Each node is a process with its own network, mount, host name, IPC and process
//! namespaces; it ends when the supervisor does.
//!
//! Map: [`topology`] the plan; `node` one machine; `wiring` its cables; `servers` and `product` what runs on them;
//! [`taps`] what the wires carry; `supervisor`, `reaper`, `registry`, `control` its life; [`demo`] the main job, verified; [`faults`] what it can be broken with.

pub mod demo;
pub mod faults;
pub mod product;
pub mod taps;
pub mod topology;

mod command;
mod control;
mod error;
mod handle;
mod node;

mod reaper;
mod registry;
mod servers;
mod signals;
mod supervisor;
mod tools;
mod wiring;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

pub use error::LabError;
pub use handle::{Lab, Output, wait_for};

/// What every `sixgate lab ...` command takes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the lab (`--name`, default `lab`): up to 20 of `a-z0-9-`.
    pub name: String,
    /// The binary that the nodes run; default the running one.
    pub exe: PathBuf,
    /// One JSON document (`"schema": 1`) in place of text.
    pub json: bool,
    /// Network and servers only, no sixgate daemon: for tests that start their own. Not a flag of the command line.
    pub bare: bool,
}

impl Options {
    /// Options for the lab `name`, run with the binary that is running.
    ///
    /// # Errors
    /// A name that is empty, too long or has other characters than `a-z0-9-`.
    pub fn new(name: &str) -> Result<Self, LabError> {
        registry::check_name(name)?;
        let exe = std::env::current_exe().map_err(|e| LabError::io("find the running binary", &e))?;
        Ok(Self { name: name.to_owned(), exe, json: false, bare: false })
    }
}

/// `sixgate lab up`: builds the lab and returns when every daemon is ready; the lab stays.
///
/// # Errors
/// One line that says what is missing or what failed; nothing is left behind then. Interrupted: likewise.
pub fn up(options: &Options, out: &mut dyn Write) -> Result<(), LabError> {
    command::up::up(options, out)
}

/// `sixgate lab demo`: runs and verifies steps (a) to (f) in a lab that is up. `Ok(false)`: a step failed (exit status 1).
///
/// # Errors
/// No such lab, or interrupted (the lab is taken down then).
pub fn demo(options: &Options, out: &mut dyn Write) -> Result<bool, LabError> {
    command::whole::demo(options, out)
}

/// `sixgate lab` alone: up, demo, then the lab stays and the hints are printed.
///
/// # Errors
/// As [`up`] and [`demo`].
pub fn whole(options: &Options, out: &mut dyn Write) -> Result<bool, LabError> {
    command::whole::whole(options, out)
}

/// `sixgate lab status`: nodes, addresses and what runs there.
///
/// # Errors
/// No such lab.
pub fn status(options: &Options, out: &mut dyn Write) -> Result<(), LabError> {
    command::status::status(options, out)
}

/// `sixgate lab exec NODE -- CMD...`: runs a command inside a node; answers its exit status.
///
/// # Errors
/// No such lab or node, or the command could not be started.
pub fn exec(options: &Options, node: &str, command: &[OsString]) -> Result<i32, LabError> {
    command::exec::exec(options, node, command)
}

/// `sixgate lab shell NODE`: an interactive shell inside a node; answers its exit status.
///
/// # Errors
/// As [`exec`].
pub fn shell(options: &Options, node: &str) -> Result<i32, LabError> {
    command::exec::shell(options, node)
}

/// `sixgate lab down`: removes everything, also what a killed lab left behind.
///
/// # Errors
/// Something could not be removed: what.
pub fn down(options: &Options, out: &mut dyn Write) -> Result<(), LabError> {
    command::down::down(options, out)
}

/// `sixgate lab internal ARGS...` (hidden): the processes that the lab starts from its own binary (supervisor, reaper, the
/// first process of a node). Every binary that calls [`up`] must hand these arguments to this function.
pub fn internal(args: &[OsString]) -> i32 {
    command::internal::internal(args)
}
