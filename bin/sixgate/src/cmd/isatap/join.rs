//! `sixgate isatap join NAME...` and `sixgate isatap leave`

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;
use sixgate_config::header::{DEFAULT_CONTROL, DEFAULT_STATE};
use sixgate_config::host::RouterSpec;
use sixgate_config::{Checked, Host};

use crate::cli::Context;
use crate::cmd::service::{self, Service};
use crate::exit::{Exit, Trouble};
use crate::file;

const CONFIG: &str = "/etc/sixgate/host.toml";
const UNIT: &str = "sixgate-host.service";

/// Make this machine an ISATAP host: write its file, and start the service where systemd runs
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate isatap join da-isatap.corp.example")]
pub(super) struct Join {
    /// Routers: a name, or IPv4 addresses
    #[arg(required = true, value_name = "NAME", value_parser = RouterSpec::parse)]
    routers: Vec<RouterSpec>,
    /// The file to write
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
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

/// Stop being an ISATAP host: end the service, and remove the file
#[derive(clap::Args, Debug)]
#[command(after_help = "Example: sixgate isatap leave")]
pub(super) struct Leave {
    /// The file to remove
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
}

pub(super) fn join(args: &Join, context: &Context) -> Result<Exit, Trouble> {
    let text = render(args, before(&args.config)?.as_ref(), context);
    // What this command writes must be what the daemon reads.
    if let Err(report) = sixgate_config::host(&args.config, &text) {
        let why: Vec<String> =
            report.findings().iter().map(|f| format!("{}; {}", f.message, f.detail)).collect();
        return Err(Trouble::usage(why.join("; ")));
    }
    replace(&args.config, &text).map_err(|e| {
        Trouble::failed("file-not-writable", format!("{} cannot be written: {e}", args.config.display()))
    })?;
    let service = service::start(UNIT, !args.no_start)?;
    let routers: Vec<String> = args.routers.iter().map(ToString::to_string).collect();
    if context.out.json {
        context.out.document(&json!({
            "schema": 1, "file": args.config, "routers": routers, "started": service == Service::Managed
        }));
        return Ok(Exit::Good);
    }
    let file = args.config.display();
    let next = match service {
        Service::Managed => format!(" ✓ {UNIT} is running; see: sixgate status\n"),
        Service::Left => format!("   start it with: sixgate host run --config {file}\n"),
    };
    context.out.text(&format!(" ✓ {file} written: routers {}\n{next}", routers.join(", ")));
    Ok(Exit::Good)
}

pub(super) fn leave(args: &Leave, context: &Context) -> Result<Exit, Trouble> {
    let file = args.config.display();
    if before(&args.config)?.is_none() {
        return Err(Trouble::failed(
            "not-joined",
            format!("there is no {file}; this machine is no ISATAP host"),
        ));
    }
    service::stop(UNIT)?;
    fs::remove_file(&args.config)
        .map_err(|e| Trouble::failed("file-not-writable", format!("{file} cannot be removed: {e}")))?;
    if context.out.json {
        context.out.document(&json!({"schema": 1, "file": args.config, "removed": true}));
    } else {
        context.out.text(&format!(" ✓ {file} removed; this machine is no ISATAP host any more\n"));
    }
    Ok(Exit::Good)
}

/// The host's file that is there, so that joining again keeps what an administrator wrote. A file that is something
/// else is not ours to replace.
fn before(path: &Path) -> Result<Option<Host>, Trouble> {
    if !path.exists() {
        return Ok(None);
    }
    match sixgate_config::host(path, &file::text(path)?) {
        Ok(Checked { value, .. }) => Ok(Some(value)),
        Err(_) => Err(Trouble::failed(
            "file-not-ours",
            format!("{0} is there and is no valid host file; see: sixgate check {0}", path.display()),
        )),
    }
}

fn render(args: &Join, before: Option<&Host>, context: &Context) -> String {
    let quoted = |text: &str| format!("{text:?}");
    let list = |items: Vec<String>| items.iter().map(|i| quoted(i)).collect::<Vec<_>>().join(", ");
    let mut out = "schema = 1\n".to_owned();
    let mut path = |key: &str, given: Option<&Path>, kept: Option<&Path>, default: &str| {
        let chosen = given.or(kept).filter(|p| *p != Path::new(default));
        if let Some(chosen) = chosen {
            let absolute = std::path::absolute(chosen).unwrap_or_else(|_| chosen.to_path_buf());
            out.push_str(&format!("{key} = {}\n", quoted(&absolute.to_string_lossy())));
        }
    };
    let socket = Some(context.socket.as_path()).filter(|_| context.socket_given);
    path("control", socket, before.map(|b| b.control.as_path()), DEFAULT_CONTROL);
    path("state", args.state.as_deref(), before.map(|b| b.state.as_path()), DEFAULT_STATE);
    out.push_str("\n[host]\n");
    if let Some(interface) = args.interface.as_ref().or(before.and_then(|b| b.interface.as_ref())) {
        out.push_str(&format!("interface = {}\n", quoted(interface)));
    }
    let device = before.map_or("isatap0", |b| b.device.as_str());
    out.push_str(&format!("device = {}\n", quoted(device)));
    out.push_str(&format!("routers = [{}]\n", list(args.routers.iter().map(ToString::to_string).collect())));
    let servers = before.map_or(&[][..], |b| b.nameserver.as_slice());
    if !servers.is_empty() {
        out.push_str(&format!(
            "nameserver = [{}]\n",
            list(servers.iter().map(ToString::to_string).collect())
        ));
    }
    out
}

/// Replaces a file in one step, so that a crash leaves the old or the new one whole.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let fresh = path.with_file_name(name);
    let mut file = fs::File::create(&fresh)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all())?;
    fs::rename(&fresh, path)?;
    // The name itself is on disk only after its folder is.
    fs::File::open(folder)?.sync_all()
}
