//! `sixgate lab`

mod doctor;
mod faults;
mod see;

use std::ffi::OsString;
use std::io::{self, Write};

use sixgate_lab::{LabError, Options};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// The whole world in network namespaces of this machine: up, demo, then it stays up
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sixgate lab\n  sixgate lab exec laptop-01 -- curl -s http://files.corp.example/\n  sixgate lab break proto41-dropped\n  sixgate lab doctor helpdesk-01\n  sixgate lab trace helpdesk-01 laptop-01 tcp/22\n  sixgate lab capture --on gateway --seconds 5 -o out.pcapng\n  sixgate lab down"
)]
pub(crate) struct Args {
    /// Which lab; several live side by side
    #[arg(long, global = true, default_value = "lab")]
    name: String,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// Build it; it stays
    Up,
    /// Nodes, addresses and what runs there
    Status,
    /// A shell on a node
    Shell {
        /// The node
        node: String,
    },
    /// A command on a node; ends with its exit status
    Exec {
        /// The node
        node: String,
        /// The command
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Do the main job and verify each step
    Demo,
    /// Break something, where it would break; without a fault, say which there are
    Break {
        /// The fault
        fault: Option<String>,
        /// Say which faults there are
        #[arg(long, conflicts_with = "fault")]
        list: bool,
    },
    /// Mend what `break` broke; without a fault, everything
    Fix {
        /// The fault
        fault: Option<String>,
    },
    /// What `sixgate doctor` says of a node, with the evidence of both ends
    Doctor {
        /// The node
        #[arg(default_value = "helpdesk-01")]
        node: String,
        /// Say which checks were passed and which could not be made
        #[arg(long)]
        all: bool,
    },
    /// Where a connection would go, as the gateway judges
    Trace(see::Trace),
    /// Which clients the gateway has
    Who(see::Who),
    /// Packets that cross a node's daemon, with verdicts
    Capture(see::Capture),
    /// Remove everything
    Down,
    #[command(hide = true)]
    Internal {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

pub(crate) fn run(args: Args, context: &Context) -> Result<Exit, Trouble> {
    let mut options = Options::new(&args.name).map_err(trouble)?;
    options.json = context.out.json;
    let mut out = Quiet(io::stdout());
    let verified = |good| if good { Exit::Good } else { Exit::Failed };
    match args.what {
        None => sixgate_lab::whole(&options, &mut out).map(verified),
        Some(What::Up) => sixgate_lab::up(&options, &mut out).map(|()| Exit::Good),
        Some(What::Status) => sixgate_lab::status(&options, &mut out).map(|()| Exit::Good),
        Some(What::Shell { node }) => sixgate_lab::shell(&options, &node).map(Exit::of),
        Some(What::Exec { node, command }) => sixgate_lab::exec(&options, &node, &command).map(Exit::of),
        Some(What::Demo) => sixgate_lab::demo(&options, &mut out).map(verified),
        Some(What::Break { fault: Some(fault), .. }) => return faults::make(&options, &fault, context),
        Some(What::Break { fault: None, .. }) => return Ok(faults::list(&options, context)),
        Some(What::Fix { fault }) => return faults::mend(&options, fault.as_deref(), context),
        Some(What::Doctor { node, all }) => return doctor::run(&options, &node, all, context),
        Some(What::Trace(args)) => return see::trace(&options, &args, context),
        Some(What::Who(args)) => return see::who(&options, &args, context),
        Some(What::Capture(args)) => return see::capture(&options, &args, context),
        Some(What::Down) => sixgate_lab::down(&options, &mut out).map(|()| Exit::Good),
        Some(What::Internal { args }) => Ok(Exit::of(sixgate_lab::internal(&args))),
    }
    .map_err(trouble)
}

fn trouble(error: LabError) -> Trouble {
    Trouble::ended("lab", error.to_string(), error.exit())
}

/// Standard output whose reader may go away.
struct Quiet(io::Stdout);

impl Write for Quiet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        hush(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        hush(self.0.flush(), ())
    }
}

fn hush<T>(done: io::Result<T>, instead: T) -> io::Result<T> {
    match done {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(instead),
        done => done,
    }
}
