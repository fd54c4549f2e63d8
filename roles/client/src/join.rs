//! Enrolment: a token becomes a key that never leaves this machine, a certificate, and the client's file.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sixgate_api::enrol::{EnrolRequest, Enrolled};
use sixgate_config::client::GatewayUrl;
use sixgate_config::header::{DEFAULT_CONTROL, DEFAULT_STATE};
use sixgate_config::{Checked, Client, NameOrAddress};
use sixgate_io_tls::files::write_secret;
use sixgate_io_tls::identity::Identity;
use sixgate_io_tls::{Token, certificate, enrolment_config, gateway_reason};
use sixgate_iphttps::head;
use sixgate_reason as reason;
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::{Failure, connect, exchange, race};

/// For the whole exchange. A person waits.
const LIMIT: Duration = Duration::from_secs(30);
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What `sixgate join` was told.
#[derive(Debug)]
pub struct Join {
    /// The gateway.
    pub gateway: GatewayUrl,
    /// The token.
    pub token: Token,
    /// The file to write; certificate, key and CA are written beside it.
    pub config: PathBuf,
    /// Where the daemon is to keep its state, if not at the default.
    pub state: Option<PathBuf>,
    /// The control socket, if not at the default.
    pub control: Option<PathBuf>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The client's name, which the token decided.
    pub name: String,
    /// The file that `sixgate client run` reads.
    pub config: PathBuf,
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The pinned authority.
    pub ca: PathBuf,
}

/// Enrols this machine. The token is used up when this succeeds.
///
/// # Errors
/// One line; [`Failure::code`] is that of the registry where the gateway gave one. Nothing is written, except when the
/// disk fails after the gateway has answered.
pub fn join(wish: &Join) -> Result<Joined, Failure> {
    let before = before(&wish.config)?;
    let folder = folder(&wish.config);
    // A folder that cannot be written must not cost the token.
    writable(folder)?;
    let identity = Identity::generate()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exchange = async { timeout(LIMIT, enrol(wish, &identity)).await };
    let enrolled = runtime.block_on(exchange).unwrap_or_else(|_| {
        Err(Failure::new(format!("{} does not answer within {} s", wish.gateway, LIMIT.as_secs())))
    })?;
    // The name becomes a file name: it is looked at as if a stranger had chosen it.
    if !certificate::is_host_name(&enrolled.name) {
        return Err(Failure::new(format!("{} gave a name that is no host name", wish.gateway)));
    }
    let ca = certificate::chain_from_pem(enrolled.ca.as_bytes())?;
    if !ca.iter().any(|c| wish.token.names(c)) {
        let what = format!("{} sent an authority that is not the token's", wish.gateway);
        return Err(Failure::coded(reason::IPHTTPS_GATEWAY_FOREIGN.code(), what));
    }
    write(wish, before.as_ref(), folder, &enrolled, &identity)
}

async fn enrol(wish: &Join, identity: &Identity) -> Result<Enrolled, Failure> {
    let gateway = &wish.gateway;
    let host = match &gateway.host {
        NameOrAddress::Address(address) => address.to_string(),
        NameOrAddress::Name(name) => name.as_str().to_owned(),
    };
    let found = lookup_host((host.as_str(), gateway.port)).await;
    let addresses: Vec<SocketAddr> = found
        .map_err(|e| Failure::coded(reason::IPHTTPS_UNRESOLVED.code(), format!("{host}: {e}")))?
        .collect();
    let socket = race::connect(&addresses, CONNECT_LIMIT).await.map_err(|e| {
        Failure::coded(reason::IPHTTPS_UNREACHABLE.code(), format!("{gateway} cannot be reached: {e}"))
    })?;
    let tls = enrolment_config(&wish.token)?;
    let name = connect::server_name(&gateway.host).map_err(|refused| Failure::new(refused.detail))?;
    let mut server = sixgate_io_tls::connect(socket, &tls, name).await.map_err(|e| foreign(gateway, &e))?;
    let request = EnrolRequest { token: wish.token.reveal(), csr: identity.request.clone() };
    exchange::ask(&mut server, gateway, head::enrol_request, &request).await
}

fn foreign(gateway: &GatewayUrl, error: &io::Error) -> Failure {
    let reason = gateway_reason(error);
    if reason == reason::IPHTTPS_GATEWAY_FOREIGN {
        let what =
            format!("{gateway} is not the gateway that the token is for, or its name is another: {error}");
        return Failure::coded(reason.code(), what);
    }
    Failure::coded(reason.code(), format!("{gateway}: {error}"))
}

/// The client's file that is there, so that enrolling again keeps what an administrator wrote. A file that is something
/// else is not ours to replace.
fn before(path: &Path) -> Result<Option<Client>, Failure> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::new(format!("{}: {error}", path.display()))),
    };
    match sixgate_config::client(path, &text) {
        Ok(Checked { value, .. }) => Ok(Some(value)),
        Err(_) => Err(Failure::coded(
            "file-not-ours",
            format!("{0} is there and is no valid client file; see: sixgate check {0}", path.display()),
        )),
    }
}

fn folder(config: &Path) -> &Path {
    config.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

fn writable(folder: &Path) -> Result<(), Failure> {
    let failed = |e: io::Error| Failure::new(format!("{}: {e}", folder.display()));
    fs::create_dir_all(folder).map_err(failed)?;
    let probe = folder.join(format!(".sixgate-join-{}", std::process::id()));
    write_secret(&probe, b"")?;
    fs::remove_file(&probe).map_err(failed)
}

fn write(
    wish: &Join,
    before: Option<&Client>,
    folder: &Path,
    enrolled: &Enrolled,
    identity: &Identity,
) -> Result<Joined, Failure> {
    let name = &enrolled.name;
    let joined = Joined {
        name: name.clone(),
        config: wish.config.clone(),
        cert: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
        ca: folder.join("ca.pem"),
    };
    write_secret(&joined.key, identity.key.as_bytes())?;
    write_secret(&joined.cert, enrolled.certificate.as_bytes())?;
    write_secret(&joined.ca, enrolled.ca.as_bytes())?;
    let text = render(wish, before, name);
    // What this command writes must be what the daemon reads.
    sixgate_config::client(&wish.config, &text).map_err(|report| Failure::new(report.render()))?;
    write_secret(&wish.config, text.as_bytes())?;
    Ok(joined)
}

fn render(wish: &Join, before: Option<&Client>, name: &str) -> String {
    let mut out = "schema = 1\n".to_owned();
    let mut path = |key: &str, given: Option<&Path>, kept: Option<&Path>, default: &str| {
        if let Some(chosen) = given.or(kept).filter(|p| *p != Path::new(default)) {
            let absolute = std::path::absolute(chosen).unwrap_or_else(|_| chosen.to_path_buf());
            out.push_str(&format!("{key} = {}\n", quoted(&absolute.to_string_lossy())));
        }
    };
    path("control", wish.control.as_deref(), before.map(|b| b.control.as_path()), DEFAULT_CONTROL);
    path("state", wish.state.as_deref(), before.map(|b| b.state.as_path()), DEFAULT_STATE);
    let device = before.map_or("sixgate0", |b| b.device.as_str());
    out.push_str(&format!(
        "\n[client]\nname    = {}\ngateway = [{}]\nca      = \"ca.pem\"\ncert    = {}\nkey     = {}\ndevice  = {}\n",
        quoted(name),
        quoted(&wish.gateway.to_string()),
        quoted(&format!("{name}.pem")),
        quoted(&format!("{name}.key")),
        quoted(device),
    ));
    out
}

/// A TOML basic string. Paths come from the command line and may hold anything.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests;
