//! `sixgate join URL TOKEN`

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::json;
use sixgate_config::client::GatewayUrl;
use sixgate_config::header::DEFAULT_CONTROL;
use sixgate_role_client::Join;

use crate::cli::Context;
use crate::cmd::service::{self, Service};
use crate::exit::{Exit, Trouble};
use crate::file;

const CONFIG: &str = "/etc/sixgate/client.toml";
const UNIT: &str = "sixgate-client.service";
/// More octets than this are no token.
const LONGEST_TOKEN: u64 = 4096;

/// Enrol this machine with a gateway: make a key that never leaves, get a certificate, write the client's file
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate join https://da.example.com - < token.txt")]
pub(crate) struct Args {
    /// The gateway
    #[arg(value_name = "URL", value_parser = GatewayUrl::parse)]
    gateway: GatewayUrl,
    /// What `token add` printed; `-` reads it from standard input, where other users cannot see it
    #[arg(value_name = "TOKEN", required_unless_present = "token_file", conflicts_with = "token_file")]
    token: Option<String>,
    /// A file that holds the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The file to write; certificate, key and authority are written beside it
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// Where the daemon keeps its state
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Only write the file
    #[arg(long)]
    no_start: bool,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let text = token_text(args)?;
    let token = text.trim().parse().map_err(|e| Trouble::failed("token-syntax", format!("{e}")))?;
    let control = context.socket_given.then(|| context.socket.clone());
    let wish = Join {
        gateway: args.gateway.clone(),
        token,
        config: args.config.clone(),
        state: args.state.clone(),
        control: control.filter(|c| c != Path::new(DEFAULT_CONTROL)),
    };
    let joined = sixgate_role_client::join(&wish)
        .map_err(|e| Trouble::failed(e.code().unwrap_or("join"), format!("not enrolled: {e}")))?;
    let service = service::start(UNIT, !args.no_start)?;
    if context.out.json {
        context.out.document(&json!({
            "schema": 1, "name": joined.name, "file": joined.config, "certificate": joined.cert, "ca": joined.ca,
            "started": service == Service::Managed
        }));
        return Ok(Exit::Good);
    }
    let config = joined.config.display();
    let next = match service {
        Service::Managed => format!(" ✓ {UNIT} is running; see: sixgate status\n"),
        Service::Left => format!("   start it with: sixgate client run --config {config}\n"),
    };
    context.out.text(&format!(
        " ✓ gateway identity pinned by the token  ✓ key made here, never leaves\n ✓ certificate for {}  ✓ {config} written\n{next}",
        joined.name
    ));
    Ok(Exit::Good)
}

fn token_text(args: &Args) -> Result<String, Trouble> {
    match (&args.token, &args.token_file) {
        (Some(token), _) if token == "-" => {
            let mut text = String::new();
            std::io::stdin().take(LONGEST_TOKEN).read_to_string(&mut text).map_err(|e| {
                Trouble::failed("token-not-readable", format!("standard input cannot be read: {e}"))
            })?;
            Ok(text)
        }
        (Some(token), _) => Ok(token.clone()),
        (None, Some(path)) => file::text(path),
        (None, None) => Err(Trouble::usage("a token is needed: TOKEN, - or --token-file")),
    }
}
