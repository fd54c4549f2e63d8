//! `sixgate isatap instructions --for TARGET`

mod known;

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use data_encoding::BASE64;
use serde_json::{Value, json};
use sixgate_instructions::{
    Content, Group, Missing, Output, Router, Set, Step, Target, Way, instructions, render, routes,
};
use sixgate_wire::addr::Ipv6Prefix;

use crate::cli::Context;
use crate::exit::{Exit, Trouble};

/// How machines become ISATAP hosts: files, commands and the check that follows, the recommended way first
#[derive(clap::Args, Debug)]
#[command(after_help = "\
What the options leave open comes from the gateway on this machine, or from its file:
--config FILE, or /etc/sixgate/sixgate.toml where no gateway runs.

Examples:
  sixgate isatap instructions --for windows
  sixgate isatap instructions --for gpo --group helpdesk --output policy
  sixgate isatap instructions --for linux --router da-isatap.corp.example
  sixgate isatap instructions --for routes")]
pub(super) struct Args {
    /// What the machines are
    #[arg(long = "for", value_name = "TARGET", value_parser = target())]
    target: For,
    /// The gateway's file, instead of asking the gateway
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// What hosts are told: a name, never `isatap`, or an IPv4 address; asks nobody for the rest
    #[arg(long, value_name = "NAME", value_parser = Router::parse, conflicts_with = "config")]
    router: Option<Router>,
    /// The router's IPv4 address, and of the others of the site; may be repeated
    #[arg(long = "address", value_name = "IPV4")]
    addresses: Vec<Ipv4Addr>,
    /// Prefix of the ISATAP link
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    prefix: Option<Ipv6Prefix>,
    /// What hosts reach through the router; may be repeated
    #[arg(long = "route", value_name = "PREFIX", value_parser = prefix)]
    routes: Vec<Ipv6Prefix>,
    /// Security group of the machines
    #[arg(long, value_name = "NAME", value_parser = Group::parse)]
    group: Option<Group>,
    /// A machine whose IPv4 address goes into a file (networkd); may be repeated
    #[arg(long = "host", value_name = "IPV4")]
    hosts: Vec<Ipv4Addr>,
    /// The gateway's address on a segment with IPv6 of its own (routes)
    #[arg(long, value_name = "IPV6")]
    via: Option<Ipv6Addr>,
    /// Write the files into this folder
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
enum For {
    /// ISATAP, one way or another.
    Isatap(Target),
    /// Native IPv6: static routes.
    Routes,
}

const ROUTES: &str = "routes";

impl For {
    const fn word(self) -> &'static str {
        match self {
            Self::Isatap(target) => target.word(),
            Self::Routes => ROUTES,
        }
    }
}

fn target() -> impl TypedValueParser<Value = For> {
    let words = Target::ALL.map(Target::word).into_iter().chain([ROUTES]);
    PossibleValuesParser::new(words)
        .map(|word| Target::ALL.into_iter().find(|t| t.word() == word).map_or(For::Routes, For::Isatap))
}

fn prefix(text: &str) -> Result<Ipv6Prefix, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no prefix; allowed: address/length like fd6a:7e00:cafe:1::/64"))
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let missing = |missing: Missing| Trouble::usage(missing.to_string());
    let (router, set) = match args.target {
        For::Isatap(target) => match known::parameters(args, context)? {
            Ok(known) => (Some(known.router.to_string()), instructions(target, &known).map_err(missing)?),
            Err(exit) => return Ok(exit),
        },
        For::Routes => match known::routes(args, context)? {
            Ok(known) => (None, Set { ways: routes(&known).map_err(missing)?, left_out: Vec::new() }),
            Err(exit) => return Ok(exit),
        },
    };
    let written = match &args.output {
        Some(folder) => write(folder, &set)?,
        None => Vec::new(),
    };
    if context.out.json {
        context.out.document(&document(args.target, router, &set, &written));
        return Ok(Exit::Good);
    }
    context.out.text(&render(&set));
    if let Some(folder) = &args.output {
        context.out.text(&format!("\n ✓ {} files written to {}\n", written.len(), folder.display()));
    }
    Ok(Exit::Good)
}

/// Several ways get a folder each, so that files of the same name do not meet.
fn write(folder: &Path, set: &Set) -> Result<Vec<PathBuf>, Trouble> {
    let mut written = Vec::new();
    for way in &set.ways {
        let folder = if set.ways.len() > 1 { folder.join(way.target) } else { folder.to_owned() };
        for file in &way.files {
            let path = folder.join(&file.path);
            let place = path.parent().unwrap_or(&folder);
            fs::create_dir_all(place).and_then(|()| fs::write(&path, file.content.octets())).map_err(
                |e| {
                    Trouble::failed("file-not-writable", format!("{} cannot be written: {e}", path.display()))
                },
            )?;
            written.push(path);
        }
    }
    Ok(written)
}

fn document(target: For, router: Option<String>, set: &Set, written: &[PathBuf]) -> Value {
    let left_out = set.left_out.iter().map(|(target, missing)| {
        json!({"target": target.word(), "missing": missing.what, "option": missing.option})
    });
    json!({
        "schema": 1,
        "for": target.word(),
        "router": router,
        "ways": set.ways.iter().enumerate().map(|(i, way)| one(i + 1, way)).collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
        "written": written,
    })
}

fn one(rank: usize, way: &Way) -> Value {
    let steps = |steps: &[Step]| -> Vec<Value> {
        steps.iter().map(|s| json!({"what": s.what, "commands": s.commands})).collect()
    };
    json!({
        "target": way.target,
        "rank": rank,
        "title": way.title,
        "when": way.when,
        "files": way.files.iter().map(file).collect::<Vec<_>>(),
        "steps": steps(&way.steps),
        "check": {
            "run": way.check.run,
            "good": way.check.good,
            "bad": way.check.bad.iter().map(|b| json!({"seen": b.seen, "means": b.means})).collect::<Vec<_>>(),
        },
        "undo": steps(&way.undo),
    })
}

fn file(file: &Output) -> Value {
    match &file.content {
        Content::Text(text) => json!({"path": file.path, "text": text}),
        Content::Octets(octets) => json!({"path": file.path, "base64": BASE64.encode(octets)}),
    }
}
