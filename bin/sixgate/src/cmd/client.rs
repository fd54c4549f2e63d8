//! `sixgate client run | renew | add | remove`

use std::path::PathBuf;

use serde_json::json;
use sixgate_api::{Renewed, Revoked, TokenName, path};
use sixgate_io_control::Method;

use super::{call, daemon, show, token};
use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// The roaming client, and enrolling one
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sixgate client run --config /etc/sixgate/client.toml\n  sixgate client add laptop-01 --user ana"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Debug)]
enum What {
    /// The client, in the foreground: SIGTERM ends it in order, SIGHUP reads the file again
    Run {
        /// The client's file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Renew the certificate at once, on the client; the daemon does so by itself long before it ends
    Renew,
    /// Allow a client to enrol, on the gateway: the friendly form of `token add`
    Add(token::Add),
    /// Remove a client for good, on the gateway: its certificate is worth nothing, its name leaves the DNS
    Remove {
        /// The client's name
        name: String,
    },
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    match &args.what {
        What::Run { config } => {
            daemon::run(config, context, sixgate_config::client, sixgate_role_client::run)
        }
        What::Renew => {
            let answer = call(context, Method::Post, path::CLIENT_RENEW, &json!({}))?;
            show(context, answer, |renewed: Renewed| {
                format!("the certificate is good until {}; the next connection shows it\n", renewed.until)
            })
        }
        What::Add(add) => token::run_add(add, context),
        What::Remove { name } => {
            let body = json!(TokenName { name: name.clone() });
            let answer = call(context, Method::Post, path::CLIENT_REMOVE, &body)?;
            show(context, answer, |_: Revoked| {
                format!("{name} is removed; it must enrol again to come back\n")
            })
        }
    }
}
