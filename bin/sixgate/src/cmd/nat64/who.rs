//! `sixgate nat64 who ADDRESS:PORT`

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};

use serde_json::json;
use sixgate_api::{Document, Holders, Nat64Who, Timestamp, path};
use sixgate_io_control::Method;

use crate::cli::Context;
use crate::cmd::{call, show_and_judge};
use crate::exit::{Exit, Trouble};
use crate::print::Table;

/// No line of the log is longer.
const LONGEST_LINE: u64 = 1 << 16;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Outside address and port, or identifier of ICMP: 192.0.2.2:1234
    #[arg(value_name = "ADDRESS:PORT")]
    outside: SocketAddrV4,
    /// When: 2026-11-25T10:15:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Only this protocol: tcp, udp or icmp
    #[arg(long, value_parser = ["tcp", "udp", "icmp"])]
    protocol: Option<String>,
    /// Read this file, as one that was rotated away, and ask no daemon
    #[arg(long, value_name = "FILE", requires = "at")]
    log: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let answer = match (&args.log, args.at) {
        (Some(log), Some(at)) => {
            let found = search(log, args, at)
                .map_err(|e| Trouble::failed("port-log", format!("{}: {e}", log.display())))?;
            serde_json::to_value(Document::new(found)).unwrap_or_default()
        }
        (Some(_) | None, _) => {
            let question = json!({"outside": args.outside, "at": args.at, "proto": args.protocol});
            call(context, Method::Post, path::NAT64_WHO, &question)?
        }
    };
    show_and_judge(context, answer, print, |who: &Nat64Who| match who.holders.is_empty() {
        true => Exit::Failed,
        false => Exit::Good,
    })
}

fn search(log: &Path, args: &Args, at: Timestamp) -> std::io::Result<Nat64Who> {
    let mut reader = BufReader::new(File::open(log)?);
    let mut holders = Holders::new(*args.outside.ip(), args.outside.port(), args.protocol.clone(), at);
    let mut line = Vec::new();
    while (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line)? > 0 {
        holders.line(&line);
        line.clear();
    }
    let (holders, range) = holders.finish();
    let remark = match range {
        None => Some("there is no record in it".to_owned()),
        Some((first, last)) if at < first || at > last => {
            Some(format!("the file has records from {first} to {last} only"))
        }
        Some(_) => None,
    };
    Ok(Nat64Who {
        outside: args.outside,
        at,
        holders,
        log: Some(log.display().to_string()),
        log_from: range.map(|(first, _)| first),
        remark,
    })
}

fn print(who: &Nat64Who) -> String {
    let mut out = format!("{} at {}\n", who.outside, seconds(who.at));
    let mut table = Table::new("  ", &["proto", "client", "address", "ports", "since", "until", "by"]);
    for h in &who.holders {
        table.row([
            h.proto.clone(),
            h.name.clone().unwrap_or_else(|| "-".to_owned()),
            h.client.clone(),
            h.ports.clone(),
            h.since.map_or_else(|| "?".to_owned(), seconds),
            h.until.map_or_else(|| "still".to_owned(), seconds),
            h.by.clone(),
        ]);
    }
    if who.holders.is_empty() {
        out.push_str("  nobody is known\n");
    } else {
        out.push_str(&table.render());
    }
    if let Some(remark) = &who.remark {
        out.push_str(&format!("  {remark}\n"));
    }
    out
}

/// RFC 3339 without fractions.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}
