//! Where the values come from: options first, then the gateway's file or the gateway itself.

use std::path::Path;

use serde_json::Value;
use sixgate_api::{Document, IsatapRouter, Native, path};
use sixgate_config::isatap::{Allow, AllowedHost, Isatap};
use sixgate_instructions::{Group, Parameters, Router, Routes};
use sixgate_io_control::Method;

use super::Args;
use crate::cli::Context;
use crate::cmd::call;
use crate::exit::{Exit, Trouble};
use crate::file;
use crate::print::complain;

/// The file of the gateway, where packages put it.
const DEFAULT_FILE: &str = "/etc/sixgate/sixgate.toml";

/// Everything that is known; `Err` is how the command ends after the faults of a file were told.
pub(super) fn parameters(args: &Args, context: &Context) -> Result<Result<Parameters, Exit>, Trouble> {
    if let Some(router) = &args.router {
        return Ok(Ok(with_options(Parameters::of(router.clone()), args)));
    }
    let base = match known(args, context, path::ISATAP_ROUTER)? {
        Known::File(path) => {
            let gateway = match file::checked(path, &context.out, sixgate_config::gateway)? {
                Ok(gateway) => gateway,
                Err(exit) => return Ok(Err(exit)),
            };
            let Some(isatap) = gateway.isatap else {
                let line = format!("{} has no [isatap] section", path.display());
                return Err(Trouble::failed("no-isatap", line));
            };
            of_router(&of_file(&isatap), args)?
        }
        Known::Answer(answer) => {
            let document: Document<IsatapRouter> = serde_json::from_value(answer).map_err(|e| {
                Trouble::failed("answer", format!("the daemon's answer is not understood: {e}"))
            })?;
            of_router(&document.body, args)?
        }
    };
    Ok(Ok(with_options(base, args)))
}

/// What static routes are made from; `Err` as above.
pub(super) fn routes(args: &Args, context: &Context) -> Result<Result<Routes, Exit>, Trouble> {
    if args.config.is_none() && args.via.is_some() && !args.routes.is_empty() {
        return Ok(Ok(Routes { to: args.routes.clone(), via: args.via, advertised: false }));
    }
    let known = match known(args, context, path::NATIVE)? {
        Known::File(path) => {
            let gateway = match file::checked(path, &context.out, sixgate_config::gateway)? {
                Ok(gateway) => gateway,
                Err(exit) => return Ok(Err(exit)),
            };
            let to = gateway.site.as_ref().map(|site| site.clients()).into_iter().collect();
            let advertised = gateway.native.is_some_and(|native| !native.advertise.is_empty());
            // Which address the gateway has there is not in the file.
            Routes { to, via: None, advertised }
        }
        Known::Answer(answer) => {
            let document: Document<Native> = serde_json::from_value(answer).map_err(|e| {
                Trouble::failed("answer", format!("the daemon's answer is not understood: {e}"))
            })?;
            let native = document.body;
            Routes {
                to: native.routes.iter().filter_map(|r| r.parse().ok()).collect(),
                via: native.interfaces.iter().flat_map(|i| &i.addresses).next().copied(),
                advertised: native.interfaces.iter().any(|i| i.advertised),
            }
        }
    };
    let to = if args.routes.is_empty() { known.to } else { args.routes.clone() };
    Ok(Ok(Routes { to, via: args.via.or(known.via), advertised: known.advertised }))
}

/// Where the values are found.
enum Known<'a> {
    File(&'a Path),
    Answer(Value),
}

/// The file that is named; else the gateway; else, where none runs and no other was named, the file that it would read.
fn known<'a>(args: &'a Args, context: &Context, path: &str) -> Result<Known<'a>, Trouble> {
    if let Some(path) = &args.config {
        return Ok(Known::File(path));
    }
    let default = Path::new(DEFAULT_FILE);
    match call(context, Method::Get, path, &Value::Null) {
        Err(e) if e.is_unreachable() && !context.socket_given && default.is_file() => {
            complain(&format!("sixgate: no gateway answers; what follows is from {DEFAULT_FILE}"));
            Ok(Known::File(default))
        }
        answer => answer.map(Known::Answer),
    }
}

/// What the file says; the address of an interface is not in it.
fn of_file(isatap: &Isatap) -> IsatapRouter {
    let single = |host: &AllowedHost| match host {
        AllowedHost::Prefix(prefix) if prefix.length() == 32 => Some(prefix.address()),
        AllowedHost::Prefix(_) | AllowedHost::Name(_) => None,
    };
    IsatapRouter {
        name: isatap.name.as_ref().map(ToString::to_string),
        // Without its own address a list of the others would look whole.
        addresses: isatap.address.map(|a| [&[a], isatap.peers.as_slice()].concat()).unwrap_or_default(),
        prefix: isatap.prefix.to_string(),
        routes: isatap.routes.iter().map(|r| r.prefix.to_string()).collect(),
        mtu: isatap.mtu,
        router_lifetime: isatap.router_lifetime,
        groups: isatap.allow.iter().filter_map(Allow::security_group).collect(),
        hosts: isatap.allow.iter().flat_map(|a| &a.hosts).filter_map(single).collect(),
    }
}

fn of_router(known: &IsatapRouter, args: &Args) -> Result<Parameters, Trouble> {
    let router = match (&known.name, known.addresses.first().or(args.addresses.first())) {
        (Some(name), _) => Router::parse(name).map_err(|why| Trouble::failed("router-name", why))?,
        // An address works as well, and without DNS; hosts must be told when it changes.
        (None, Some(address)) => Router::Address(*address),
        (None, None) => {
            return Err(Trouble::usage(
                "the router has neither `name` nor `address` in [isatap]; give --address",
            ));
        }
    };
    Ok(Parameters {
        addresses: known.addresses.clone(),
        prefix: known.prefix.parse().ok(),
        routes: known.routes.iter().filter_map(|r| r.parse().ok()).collect(),
        mtu: known.mtu,
        default_route: known.router_lifetime > 0,
        hosts: known.hosts.clone(),
        group: known
            .groups
            .first()
            .and_then(|g| Group::parse(g).ok())
            .unwrap_or_else(|| Parameters::of(router.clone()).group),
        ..Parameters::of(router)
    })
}

fn with_options(base: Parameters, args: &Args) -> Parameters {
    fn given<T: Clone>(option: &[T], known: Vec<T>) -> Vec<T> {
        if option.is_empty() { known } else { option.to_vec() }
    }
    Parameters {
        addresses: given(&args.addresses, base.addresses),
        prefix: args.prefix.or(base.prefix),
        routes: given(&args.routes, base.routes),
        group: args.group.clone().unwrap_or(base.group),
        hosts: given(&args.hosts, base.hosts),
        written: jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).datetime(),
        router: base.router,
        mtu: base.mtu,
        default_route: base.default_route,
    }
}
