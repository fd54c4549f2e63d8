//! `sixgate isatap join NAME...`

use std::path::PathBuf;

use serde_json::json;
use sixgate_config::Host;
use sixgate_config::header::{DEFAULT_CONTROL, DEFAULT_STATE};
use sixgate_config::host::RouterSpec;

use super::host_file;
use crate::cli::Context;
use crate::cmd::service::{self, Service};
use crate::exit::{Exit, Trouble};

/// Make this machine an ISATAP host: write its file, and start the service where systemd runs
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sixgate isatap join da-isatap.corp.example\n  sixgate isatap join da-isatap.corp.example 10.6.0.2\n  \
                  sixgate isatap join --add isatap-gw.branch.example"
)]
pub(super) struct Join {
    /// Routers: names, of which every address is one, and IPv4 addresses. They take the place of those in the file
    #[arg(required = true, value_name = "NAME", value_parser = RouterSpec::parse)]
    routers: Vec<RouterSpec>,
    /// Keep the routers that are in the file
    #[arg(long)]
    add: bool,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = host_file::PATH)]
    config: PathBuf,
    /// Where the daemon keeps its state
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The IPv4 interface; default: the one that leads to the routers
    #[arg(long, value_name = "NAME")]
    interface: Option<String>,
    /// Only write the file
    #[arg(long)]
    no_start: bool,
}

pub(super) fn join(args: &Join, context: &Context) -> Result<Exit, Trouble> {
    let before = host_file::read(&args.config)?;
    let host = wanted(args, before.as_ref(), context);
    host_file::write(&args.config, &host)?;
    // Other routers are taken over while running, so that no connection ends by it.
    let reload = before.is_some_and(|b| Host { routers: host.routers.clone(), ..b } == host);
    let service = match (args.no_start, reload) {
        (true, _) => Service::Left,
        (false, true) => service::reload(host_file::UNIT)?,
        (false, false) => service::start(host_file::UNIT, true)?,
    };
    let routers: Vec<String> = host.routers.iter().map(ToString::to_string).collect();
    if context.out.json {
        context.out.document(&json!({
            "schema": 1, "file": args.config, "routers": routers, "started": service == Service::Managed
        }));
        return Ok(Exit::Good);
    }
    let file = args.config.display();
    let next = match service {
        Service::Managed => format!(" ✓ {} is running; see: sixgate status\n", host_file::UNIT),
        Service::Left => format!("   start it with: sixgate host run --config {file}\n"),
    };
    context.out.text(&format!(" ✓ {file} written: routers {}\n{next}", routers.join(", ")));
    Ok(Exit::Good)
}

/// What was there, changed by what the command line says.
fn wanted(args: &Join, before: Option<&Host>, context: &Context) -> Host {
    let fresh = Host {
        control: DEFAULT_CONTROL.into(),
        state: DEFAULT_STATE.into(),
        interface: None,
        device: "isatap0".to_owned(),
        routers: Vec::new(),
        nameserver: Vec::new(),
    };
    let mut host = before.cloned().unwrap_or(fresh);
    if context.socket_given {
        host.control.clone_from(&context.socket);
    }
    if let Some(state) = &args.state {
        host.state.clone_from(state);
    }
    if args.interface.is_some() {
        host.interface.clone_from(&args.interface);
    }
    if !args.add {
        host.routers.clear();
    }
    for router in &args.routers {
        // Of those that are named twice on the command line the file's check tells.
        if !args.add || !host.routers.contains(router) {
            host.routers.push(router.clone());
        }
    }
    host
}
