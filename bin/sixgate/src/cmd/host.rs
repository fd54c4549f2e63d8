//! `sixgate host run`

use std::path::PathBuf;

use super::daemon;
use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// The ISATAP host
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Example: sixgate host run --config /etc/sixgate/host.toml\n\n`sixgate isatap join NAME` writes the file."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// In the foreground: SIGTERM ends it in order, SIGHUP reads the file again
    Run {
        /// The host's file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let What::Run { config } = &args.what;
    daemon::run(config, context, sixgate_config::host, sixgate_role_host::run)
}
