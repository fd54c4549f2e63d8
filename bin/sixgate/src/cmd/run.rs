//! `sixgate run`

use std::path::PathBuf;

use super::daemon;
use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// The gateway, in the foreground: SIGTERM ends it in order, SIGHUP reads the file again
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Example: sixgate run --config /etc/sixgate/sixgate.toml\n\nSIXGATE_LOG sets what is logged: debug, or info,sixgate_role_gateway=trace"
)]
pub(crate) struct Args {
    /// The gateway's file
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    daemon::run(&args.config, context, sixgate_config::gateway, sixgate_role_gateway::run)
}
