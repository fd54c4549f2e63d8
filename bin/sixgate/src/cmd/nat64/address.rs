//! `sixgate nat64 address`

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::json;
use sixgate_config::Gateway;
use sixgate_nat64::{Addresses, By, Eam};
use sixgate_wire::addr::{Ipv6Prefix, Prefix64};

use crate::cli::Context;
use crate::exit::{Exit, Trouble};
use crate::file;

/// The IPv6 address that stands for an IPv4 address, and back
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sixgate nat64 address 10.6.0.30 --prefix fd6a:7e00:cafe:7777::/96\n  sixgate nat64 address 192.0.2.8 --config /etc/sixgate/sixgate.toml"
)]
pub(super) struct Args {
    /// IPv4, or IPv6 within the prefix or a mapping
    address: IpAddr,
    /// The prefix (RFC 6052)
    #[arg(long, default_value = "64:ff9b::/96", value_parser = prefix64)]
    prefix: Prefix64,
    /// The prefixes and mappings of this file's [nat64] or [siit] (RFC 7757)
    #[arg(long, value_name = "FILE", conflicts_with = "prefix")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, Trouble> {
    let (addresses, what) = match &args.config {
        // Whoever writes the prefix down knows what it is for.
        None => (Addresses::new(vec![args.prefix], Vec::new(), true), args.prefix.to_string()),
        Some(path) => match file::checked(path, &context.out, sixgate_config::gateway)? {
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
