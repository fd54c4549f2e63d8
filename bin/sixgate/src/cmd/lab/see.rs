//! `sixgate lab trace`, `sixgate lab who`, `sixgate lab capture`: the commands of these names, on a node of the lab.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use sixgate_api::CaptureEnd;
use sixgate_lab::{Lab, Options};
use tokio::signal::unix::{SignalKind, signal};

use super::trouble;
use crate::cli::Context;
use crate::cmd::capture::{Which, create, is_stdout, wrote};
use crate::exit::{Exit, Trouble};

const GATEWAY: &str = "gateway";

/// What `sixgate trace` takes.
#[derive(clap::Args, Debug)]
pub(super) struct Trace {
    /// Who opens it: a client, an ISATAP host, or an address
    from: OsString,
    /// To whom
    to: OsString,
    /// tcp/PORT, udp/PORT or icmp
    what: OsString,
}

/// What `sixgate who` takes.
#[derive(clap::Args, Debug)]
pub(super) struct Who {
    /// Only this client
    client: Option<OsString>,
    /// What it has open with whom
    #[arg(long, requires = "client")]
    flows: bool,
}

/// What `sixgate capture` takes, and the node.
#[derive(clap::Args, Debug)]
pub(super) struct Capture {
    /// The node
    #[arg(long, value_name = "NODE", default_value = GATEWAY)]
    on: String,
    #[command(flatten)]
    which: Which,
    /// Write pcapng to this file of the machine; - is standard output. Without it, lines of text
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn trace(options: &Options, args: &Trace, context: &Context) -> Result<Exit, Trouble> {
    let command = ["trace".into(), args.from.clone(), args.to.clone(), args.what.clone()];
    pass_on(options, GATEWAY, &command, context)
}

pub(super) fn who(options: &Options, args: &Who, context: &Context) -> Result<Exit, Trouble> {
    let mut command = vec![OsString::from("who")];
    command.extend(args.client.clone());
    command.extend(args.flows.then(|| "--flows".into()));
    pass_on(options, GATEWAY, &command, context)
}

pub(super) fn capture(options: &Options, args: &Capture, context: &Context) -> Result<Exit, Trouble> {
    let mut command = vec!["capture".to_owned()];
    let numbers = [("seconds", args.which.seconds), ("packets", args.which.packets)];
    command.extend(numbers.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value?))));
    let words = [("host", &args.which.host), ("client", &args.which.client)];
    command
        .extend(words.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?))));
    match args.output.as_deref() {
        Some(file) if !is_stdout(file) => {
            command.extend(["--output=-", "--counted"].map(str::to_owned));
            to_file(options, &args.on, &command, file, context)
        }
        output => {
            command.extend(output.map(|_| "--output=-".to_owned()));
            let command: Vec<OsString> = command.into_iter().map(OsString::from).collect();
            pass_on(options, &args.on, &command, context)
        }
    }
}

/// `sixgate COMMAND` on a node; it prints, and its exit status is ours.
fn pass_on(options: &Options, node: &str, command: &[OsString], context: &Context) -> Result<Exit, Trouble> {
    let json = context.out.json.then(|| OsString::from("--json"));
    let whole: Vec<OsString> =
        std::iter::once("sixgate".into()).chain(json).chain(command.iter().cloned()).collect();
    sixgate_lab::exec(options, node, &whole).map(Exit::of).map_err(trouble)
}

/// The node has files of its own, so what is captured there comes through a pipe.
fn to_file(
    options: &Options,
    node: &str,
    command: &[String],
    file: &Path,
    context: &Context,
) -> Result<Exit, Trouble> {
    let lab = Lab::open(&options.name).map_err(trouble)?;
    let mut capture = lab.command(node, "sixgate").map_err(trouble)?;
    capture.args(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let failed = |e: io::Error| Trouble::failed("lab", format!("capture on {node}: {e}"));

    // Ctrl-C ends the capture; what it has seen until then is still to be written.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let _runtime = runtime.enter();
    let _interrupts = signal(SignalKind::interrupt()).map_err(failed)?;

    let is_new = fs::symlink_metadata(file).is_err();
    let mut to = create(file)?;
    let mut child = capture.spawn().map_err(failed)?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (copied, said) = thread::scope(|scope| {
        let said = scope.spawn(|| {
            let mut text = String::new();
            // What cannot be read was not said.
            let _ = stderr.map(|mut from| from.read_to_string(&mut text));
            text
        });
        let copied = stdout.map_or(Ok(0), |mut from| io::copy(&mut from, &mut to));
        (copied, said.join().unwrap_or_default())
    });
    let status = child.wait().map_err(failed)?;
    let octets = copied.map_err(failed)?;
    if let Some(end) = said.lines().last().and_then(|line| serde_json::from_str::<CaptureEnd>(line).ok()) {
        wrote(file, context, &end);
        return Ok(Exit::Good);
    }
    if is_new && octets == 0 {
        // A refusal leaves no file; one that cannot be removed is empty.
        let _ = fs::remove_file(file);
    }
    let line = said.trim().trim_start_matches("sixgate: ");
    Err(Trouble::ended("lab", format!("{node}: {line}"), status.code().unwrap_or(1)))
}
