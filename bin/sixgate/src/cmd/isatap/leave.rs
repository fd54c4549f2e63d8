//! `sixgate isatap leave [ROUTER...]`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use sixgate_config::Host;
use sixgate_config::host::RouterSpec;
use sixgate_role_host::{Failure, Left, forget, left};

use super::host_file;
use crate::cli::Context;
use crate::cmd::service::{self, Service};
use crate::exit::{Exit, Trouble};

/// Stop being an ISATAP host, or leave some of its routers
///
/// Without routers: ends the service, looks whether anything is left, and removes the file and what was remembered.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  sixgate isatap leave\n  sixgate isatap leave 10.6.0.2")]
pub(super) struct Leave {
    /// Routers to take out of the file, as they are written there; the rest goes on. Default: all
    #[arg(value_name = "ROUTER", value_parser = RouterSpec::parse)]
    routers: Vec<RouterSpec>,
    /// The file
    #[arg(long, value_name = "FILE", default_value = host_file::PATH)]
    config: PathBuf,
}

/// How long a daemon may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn leave(args: &Leave, context: &Context) -> Result<Exit, Trouble> {
    let file = args.config.display();
    let Some(mut host) = host_file::read(&args.config)? else {
        return Err(Trouble::failed(
            "not-joined",
            format!("there is no {file}; this machine is no ISATAP host"),
        ));
    };
    if let Some(stranger) = args.routers.iter().find(|r| !host.routers.contains(r)) {
        let there: Vec<String> = host.routers.iter().map(ToString::to_string).collect();
        return Err(Trouble::failed(
            "no-such-router",
            format!("{stranger} is not in {file}; there are: {}", there.join(", ")),
        ));
    }
    host.routers.retain(|r| !args.routers.contains(r));
    if args.routers.is_empty() || host.routers.is_empty() {
        all(args, &host, context)
    } else {
        some(args, &host, context)
    }
}

/// The rest goes on, and the daemon takes the file over while it runs.
fn some(args: &Leave, host: &Host, context: &Context) -> Result<Exit, Trouble> {
    host_file::write(&args.config, host)?;
    let service = service::reload(host_file::UNIT)?;
    let routers: Vec<String> = host.routers.iter().map(ToString::to_string).collect();
    if context.out.json {
        context.out.document(&json!({
            "schema": 1, "file": args.config, "removed": false, "routers": routers,
            "reloaded": service == Service::Managed
        }));
        return Ok(Exit::Good);
    }
    let next = match service {
        Service::Managed => format!(" ✓ {} has taken it over\n", host_file::UNIT),
        Service::Left => "   a daemon that runs takes it over with: kill -HUP PID\n".to_owned(),
    };
    context.out.text(&format!(
        " ✓ {} written: routers {}\n{next}",
        args.config.display(),
        routers.join(", ")
    ));
    Ok(Exit::Good)
}

fn all(args: &Leave, host: &Host, context: &Context) -> Result<Exit, Trouble> {
    let service = service::stop(host_file::UNIT)?;
    let failed = |e: Failure| Trouble::failed("system", e.to_string());
    let start = Instant::now();
    let mut rest = left(&host.device).map_err(failed)?;
    // Only a daemon that was told to end is waited for.
    while service == Service::Managed && !rest.is_nothing() && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(100));
        rest = left(&host.device).map_err(failed)?;
    }
    if !rest.is_nothing() {
        // The file stays, so that the same command can be given again.
        return Err(Trouble::failed(
            "something-left",
            format!(
                "there is still {}: end the `sixgate host run` that holds it, then leave again",
                counted(&rest, &host.device)
            ),
        ));
    }
    host_file::remove(&args.config)?;
    forget(&host.state).map_err(failed)?;
    if context.out.json {
        context.out.document(&json!({
            "schema": 1, "file": args.config, "removed": true, "stopped": service == Service::Managed,
            "left": {"devices": rest.devices, "addresses": rest.addresses, "routes": rest.routes}
        }));
        return Ok(Exit::Good);
    }
    let stopped = match service {
        Service::Managed => format!(" ✓ {} stopped and disabled\n", host_file::UNIT),
        Service::Left => String::new(),
    };
    context.out.text(&format!(
        "{stopped} ✓ {} removed; this machine is no ISATAP host any more\n ✓ nothing left: {}\n",
        args.config.display(),
        counted(&rest, &host.device)
    ));
    Ok(Exit::Good)
}

fn counted(left: &Left, device: &str) -> String {
    let some = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    format!(
        "{} {device}, {}, {}",
        some(left.devices, "device", "devices"),
        some(left.addresses, "address", "addresses"),
        some(left.routes, "route", "routes")
    )
}
