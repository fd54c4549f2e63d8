//! Gathers the evidence of this machine: from its daemon, its files, its name servers and the network in front of it.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use sixgate_api::{Timestamp, path};
use sixgate_doctor::Evidence;
use sixgate_doctor::evidence::{GatewayEvidence, Role};
use sixgate_io_control::{CallError, Method};

use super::knock::{self, Target};
use super::{Progress, echoes, machine, names};
use crate::cli::Context;
use crate::exit::Trouble;
use crate::record::{self, Start};

/// Files that are looked for where neither a daemon nor a record of one says which.
const FILES: &[(&str, &str)] = &[
    ("host", "/etc/sixgate/host.toml"),
    ("client", "/etc/sixgate/client.toml"),
    ("gateway", "/etc/sixgate/sixgate.toml"),
    ("gateway", "/etc/sixgate/gateway.toml"),
];
/// Routers that are tried.
const MOST_ROUTERS: usize = 8;

/// How to look.
pub(super) struct Wanted<'a> {
    /// The daemon's file, where the command line names it.
    pub(super) config: Option<&'a Path>,
    /// Ask the daemon alone.
    pub(super) quick: bool,
    /// Hear the other end's echoes for so long.
    pub(super) listen: Duration,
}

/// Looks at everything. `other` may name routers that this machine does not know.
pub(super) fn gather(
    context: &Context,
    wanted: &Wanted<'_>,
    other: Option<&Evidence>,
    progress: &Progress,
) -> Result<Evidence, Trouble> {
    let begun = Timestamp::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Trouble::failed("system", format!("no runtime: {e}")))?;
    progress.step("the daemon");
    // A socket that is not ours to use is no daemon that does not run.
    if let Err(e) = UnixStream::connect(&context.socket)
        && e.kind() == ErrorKind::PermissionDenied
    {
        let socket = context.socket.display();
        return Err(Trouble::failed(
            "permission",
            format!("{socket}: {e}; run this as the daemon does, or as root"),
        ));
    }
    let start = record::read(&context.socket);
    let ask = || {
        let call = sixgate_io_control::call(&context.socket, Method::Get, path::EVIDENCE, &Value::Null);
        match runtime.block_on(call) {
            Ok(document) => (serde_json::from_value::<Role>(document).ok(), true),
            Err(CallError::Refused { .. }) => (None, true),
            Err(CallError::Unreachable { .. }) => (None, false),
        }
    };
    let (role, answers) = ask();
    let start = start.or_else(|| assumed(wanted.config, answers));
    let role = role.or_else(|| start.as_ref().and_then(planned));
    progress.step("the machine");
    let state = state_directory(role.as_ref(), start.as_ref());
    let directories: Vec<&Path> = state.iter().map(PathBuf::as_path).collect();
    let mut evidence = Evidence {
        schema: 1,
        begun,
        taken: begun,
        machine: machine::machine(&directories),
        daemon: machine::daemon(&context.socket, answers, start.as_ref()),
        role,
        ..Evidence::default()
    };
    if evidence.daemon.role.is_none() {
        evidence.daemon.role = evidence.role.as_ref().map(|r| name(r).to_owned());
    }
    if wanted.quick {
        return Ok(evidence);
    }
    progress.step("names and routers");
    let targets = targets(&evidence, other);
    let own = match &evidence.role {
        Some(Role::Host(host)) => host.ipv4,
        Some(Role::Gateway(_) | Role::Client(_)) | None => None,
    };
    let listen = wanted.listen;
    let listening = thread::spawn(move || echoes::listen(listen));
    let knocking = thread::spawn(move || knock::knock(own, &targets));
    evidence.lookups = runtime.block_on(names::look_up(&evidence));
    if let Ok(knocked) = knocking.join() {
        (evidence.probes, evidence.advertisements) = knocked;
    }
    evidence.echoes = listening.join().unwrap_or_default();
    // What changed meanwhile is seen as it is at the end.
    if let (Some(role), true) = ask() {
        evidence.role = Some(role);
    }
    evidence.machine = machine::machine(&directories);
    evidence.taken = Timestamp::now();
    Ok(evidence)
}

fn name(role: &Role) -> &'static str {
    match role {
        Role::Gateway(_) => "gateway",
        Role::Client(_) => "client",
        Role::Host(_) => "host",
    }
}

/// A daemon that was never started, or was killed with its directory: its file is still there.
fn assumed(config: Option<&Path>, answers: bool) -> Option<Start> {
    if answers {
        return None;
    }
    let (role, config) = match config {
        Some(path) => (role_of(path)?, path.to_path_buf()),
        None => FILES
            .iter()
            .find(|(_, file)| Path::new(file).exists())
            .map(|(role, file)| (*role, PathBuf::from(file)))?,
    };
    Some(Start {
        role: role.to_owned(),
        state: PathBuf::new(),
        config,
        pid: 0,
        began: None,
        at: Timestamp::now(),
        uptime: f64::MAX,
        capabilities: None,
        failure: None,
    })
}

fn role_of(path: &Path) -> Option<&'static str> {
    let text = std::fs::read_to_string(path).ok()?;
    if sixgate_config::host(path, &text).is_ok() {
        return Some("host");
    }
    if sixgate_config::client(path, &text).is_ok() {
        return Some("client");
    }
    sixgate_config::gateway(path, &text).ok().map(|_| "gateway")
}

/// What the file of a daemon that does not run says.
fn planned(start: &Start) -> Option<Role> {
    let text = std::fs::read_to_string(&start.config).ok()?;
    match start.role.as_str() {
        "host" => {
            let config = sixgate_config::host(&start.config, &text).ok()?.value;
            Some(Role::Host(Box::new(sixgate_role_host::planned(&config))))
        }
        "gateway" => {
            let config = sixgate_config::gateway(&start.config, &text).ok()?.value;
            let state = config.state.display().to_string();
            Some(Role::Gateway(Box::new(GatewayEvidence { state, ..GatewayEvidence::default() })))
        }
        _ => None,
    }
}

fn state_directory(role: Option<&Role>, start: Option<&Start>) -> Option<PathBuf> {
    let told = match role {
        Some(Role::Gateway(g)) => g.state.as_str(),
        Some(Role::Host(h)) => h.state.as_str(),
        Some(Role::Client(c)) => c.state.as_str(),
        None => "",
    };
    let told = Some(PathBuf::from(told)).filter(|p| !p.as_os_str().is_empty());
    told.or_else(|| start.map(|s| s.state.clone()).filter(|p| !p.as_os_str().is_empty()))
}

/// The routers of a host's list, and those that the other end says it has.
fn targets(evidence: &Evidence, other: Option<&Evidence>) -> Vec<Target> {
    let Some(Role::Host(host)) = &evidence.role else { return Vec::new() };
    let mut targets: Vec<Target> = Vec::new();
    let mut add = |router: Ipv4Addr, listed: bool| {
        if targets.len() < MOST_ROUTERS && targets.iter().all(|t| t.router != router) {
            targets.push(Target { router, listed });
        }
    };
    for router in &host.list {
        add(*router, true);
    }
    // A host whose names do not resolve has no list, and its file may name addresses.
    for router in host.routers.iter().filter_map(|r| r.parse().ok()) {
        add(router, true);
    }
    if let Some(Role::Gateway(gateway)) = other.and_then(|o| o.role.as_ref())
        && let Some(router) = gateway.isatap.as_ref().and_then(|i| i.address)
    {
        add(router, false);
    }
    targets
}
