//! The file of an ISATAP host, as `isatap join` and `isatap leave` write it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use sixgate_config::header::{DEFAULT_CONTROL, DEFAULT_STATE};
use sixgate_config::{Checked, Host};

use crate::exit::Trouble;
use crate::file;

/// Where the service looks for it.
pub(super) const PATH: &str = "/etc/sixgate/host.toml";
/// The service that runs from it.
pub(super) const UNIT: &str = "sixgate-host.service";

/// The host's file that is there, so that joining again keeps what an administrator wrote. A file that is something
/// else is not ours to replace.
pub(super) fn read(path: &Path) -> Result<Option<Host>, Trouble> {
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

/// Writes the file of `host`, if a daemon would take it.
pub(super) fn write(path: &Path, host: &Host) -> Result<(), Trouble> {
    let text = render(host);
    if let Err(report) = sixgate_config::host(path, &text) {
        let why: Vec<String> =
            report.findings().iter().map(|f| format!("{}; {}", f.message, f.detail)).collect();
        return Err(Trouble::usage(why.join("; ")));
    }
    replace(path, &text).map_err(|e| {
        Trouble::failed("file-not-writable", format!("{} cannot be written: {e}", path.display()))
    })
}

/// Removes the file.
pub(super) fn remove(path: &Path) -> Result<(), Trouble> {
    fs::remove_file(path).map_err(|e| {
        Trouble::failed("file-not-writable", format!("{} cannot be removed: {e}", path.display()))
    })
}

fn render(host: &Host) -> String {
    let quoted = |text: &str| format!("{text:?}");
    let list = |items: Vec<String>| items.iter().map(|i| quoted(i)).collect::<Vec<_>>().join(", ");
    let mut out = "schema = 1\n".to_owned();
    for (key, path, default) in
        [("control", &host.control, DEFAULT_CONTROL), ("state", &host.state, DEFAULT_STATE)]
    {
        if path != Path::new(default) {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            out.push_str(&format!("{key} = {}\n", quoted(&absolute.to_string_lossy())));
        }
    }
    out.push_str("\n[host]\n");
    if let Some(interface) = &host.interface {
        out.push_str(&format!("interface = {}\n", quoted(interface)));
    }
    out.push_str(&format!("device = {}\n", quoted(&host.device)));
    out.push_str(&format!("routers = [{}]\n", list(host.routers.iter().map(ToString::to_string).collect())));
    if !host.nameserver.is_empty() {
        let servers = host.nameserver.iter().map(ToString::to_string).collect();
        out.push_str(&format!("nameserver = [{}]\n", list(servers)));
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
