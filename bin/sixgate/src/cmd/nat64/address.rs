//! `sixgate nat64 address`

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sixgate_api::{Mapping, Nat64Addressing, path};
use sixgate_config::Gateway;
use sixgate_io_control::Method;
use sixgate_nat64::{Addresses, By, Eam};
use sixgate_wire::addr::{Ipv6Prefix, Prefix64};

use crate::cli::Context;
use crate::cmd::{call, understood};
use crate::exit::{Exit, Trouble};
use crate::file;
use crate::print::complain;

/// RFC 6052, section 2.1.
const WELL_KNOWN: &str = "64:ff9b::/96";

/// The IPv6 address that stands for an IPv4 address, and back
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sixgate nat64 address 10.6.0.30\n  sixgate nat64 address 10.6.0.30 --prefix fd6a:7e00:cafe:7777::/96\n  sixgate nat64 address 192.0.2.8 --config /etc/sixgate/sixgate.toml"
)]
pub(super) struct Args {
    /// IPv4, or IPv6 within the prefix or a mapping
    address: IpAddr,
    /// The prefix (RFC 6052); without it and without a file the daemon's own, or 64:ff9b::/96 where no daemon answers
    #[arg(long, value_parser = prefix64)]
    prefix: Option<Prefix64>,
    /// The prefixes and mappings of this file's [nat64] or [siit] (RFC 7757)
    #[arg(long, value_name = "FILE", conflicts_with = "prefix")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let (addresses, what) = match (&args.config, args.prefix) {
        // Whoever writes the prefix down knows what it is for.
        (None, Some(prefix)) => (Addresses::new(vec![prefix], Vec::new(), true), prefix.to_string()),
        (None, None) => of_daemon(context)?,
        (Some(path), _) => match file::checked(path, &context.out, sixgate_config::gateway)? {
            Ok(gateway) => (of_file(&gateway, path)?, path.display().to_string()),
            Err(exit) => return Ok(exit),
        },
    };
    let found = match args.address {
        IpAddr::V4(v4) => addresses.to_v6(v4).map(|(v6, by)| (v4, v6, by)),
        IpAddr::V6(v6) => addresses.to_v4(v6).map(|(v4, by)| (v4, v6, by)),
    };
    let Some((ipv4, ipv6, by)) = found else {
        return Err(Trouble::failed("outside-prefix", format!("{} is not in {what}", args.address)));
    };
    if context.out.json {
        let document = match by {
            By::Prefix(prefix) => {
                json!({"schema": 1, "ipv4": ipv4, "ipv6": ipv6, "prefix": prefix.to_string()})
            }
            By::Mapping(eam) => {
                let mapping = format!("{} = {}", eam.v6, eam.v4);
                json!({"schema": 1, "ipv4": ipv4, "ipv6": ipv6, "mapping": mapping})
            }
        };
        context.out.document(&document);
    } else if args.address.is_ipv4() {
        context.out.text(&format!("{ipv6}\n"));
    } else {
        context.out.text(&format!("{ipv4}\n"));
    }
    Ok(Exit::Good)
}

/// What the translator that runs makes of addresses; without a daemon the well-known prefix does, and that is said.
fn of_daemon(context: &Context) -> Result<(Addresses, String), Trouble> {
    let answer = match call(context, Method::Get, path::NAT64_ADDRESSING, &Value::Null) {
        Ok(answer) => answer,
        Err(trouble) if trouble.is_unreachable() => {
            let prefix = prefix64(WELL_KNOWN).map_err(|e| Trouble::failed("prefix", e))?;
            complain("no daemon answers: by 64:ff9b::/96; --prefix and --config name others");
            return Ok((Addresses::new(vec![prefix], Vec::new(), true), WELL_KNOWN.to_owned()));
        }
        Err(trouble) => return Err(trouble),
    };
    let told: Nat64Addressing = understood(answer)?;
    let unread =
        || Trouble::failed("answer", "the daemon's answer is not understood; is it of another version?");
    let prefixes =
        told.prefixes.iter().map(|text| prefix64(text).map_err(|_| unread())).collect::<Result<_, _>>()?;
    let mapping = |m: &Mapping| Some(Eam { v6: m.v6.parse().ok()?, v4: m.v4.parse().ok()? });
    let mappings = told.mappings.iter().map(|m| mapping(m).ok_or_else(unread)).collect::<Result<_, _>>()?;
    let what = told.prefixes.iter().cloned().chain(told.mappings.iter().map(|m| m.v6.clone()));
    let what = what.collect::<Vec<_>>().join(", ");
    Ok((Addresses::new(prefixes, mappings, told.well_known_non_global), what))
}

/// What the translator of this file makes of addresses.
fn of_file(file: &Gateway, path: &Path) -> Result<Addresses, Trouble> {
    match (&file.nat64, &file.siit) {
        (Some(nat64), _) => {
            Ok(Addresses::new(nat64.prefixes.clone(), Vec::new(), nat64.well_known_non_global))
        }
        (None, Some(siit)) => {
            let mappings = siit.eam.iter().map(|eam| Eam { v6: eam.v6, v4: eam.v4 }).collect();
            Ok(Addresses::new(siit.prefixes.clone(), mappings, siit.well_known_non_global))
        }
        (None, None) => Err(Trouble::failed(
            "no-translator",
            format!("{}: this file has neither [nat64] nor [siit]", path.display()),
        )),
    }
}

fn prefix64(text: &str) -> Result<Prefix64, String> {
    let prefix: Ipv6Prefix = text.parse().map_err(|e| format!("{e}"))?;
    Prefix64::new(prefix).ok_or_else(|| "RFC 6052 allows the lengths 32, 40, 48, 56, 64 and 96".to_owned())
}
