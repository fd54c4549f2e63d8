//! `static`: `proto IPv4:port = [IPv6]:port`.

use core::net::{SocketAddrV4, SocketAddrV6};

use sixgate_wire::addr::Prefix64;

use super::{PoolEntry, Static, pool};
use crate::reader::{At, Complaint, Table};
use crate::report::{Report, Rule};

pub(super) fn read(
    table: &mut Table<'_>,
    pool: &[At<PoolEntry>],
    prefixes: &[At<Prefix64>],
    report: &mut Report,
) -> Vec<Static> {
    let Some(node) = table.take("static") else { return Vec::new() };
    let found = node.list(binding, report);
    for (i, at) in found.iter().enumerate() {
        check(at, &found[..i], pool, prefixes, report);
    }
    found.into_iter().map(|s| s.value).collect()
}

fn check(
    at: &At<Static>,
    before: &[At<Static>],
    pool: &[At<PoolEntry>],
    prefixes: &[At<Prefix64>],
    report: &mut Report,
) {
    let binding = at.value;
    let twin = |other: &&At<Static>| {
        let other = other.value;
        other.protocol == binding.protocol
            && (other.outside == binding.outside || other.inside == binding.inside)
    };
    if let Some(first) = before.iter().find(twin) {
        at.fault_beside(
            Rule::Twice,
            "two static bindings share an end",
            "a binding is one to one",
            Some((first.span.clone(), "the other is here".to_owned())),
            report,
        );
    }
    // Without a pool of its own in the file there is nothing to hold the address against until the gateway runs.
    if !pool.is_empty() && !pool.iter().any(|e| e.value.has_address(binding.protocol, *binding.outside.ip()))
    {
        at.fault(
            Rule::Static,
            format!("{} is not in the pool", binding.outside.ip()),
            "add the address to `pool` (the port need not be in it)",
            report,
        );
    }
    if let Some(prefix) = prefixes.iter().find(|p| p.value.contains(*binding.inside.ip())) {
        at.fault_beside(
            Rule::Static,
            "the IPv6 end of a static binding is a translated address",
            "allowed: the address of an IPv6 host",
            Some((prefix.span.clone(), "it lies in this prefix".to_owned())),
            report,
        );
    }
}

fn binding(text: &str) -> Result<Static, Complaint> {
    let wrong = || {
        Complaint::new(
            Rule::Static,
            format!("`{text}` is no static binding"),
            "allowed: proto IPv4:port = [IPv6]:port, as in `tcp 192.0.2.2:443 = [2001:db8::8]:443`",
        )
    };
    let (left, inside) = text.split_once('=').ok_or_else(wrong)?;
    let (protocol, outside) = left.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
    let protocol = pool::protocol(protocol)?;
    let outside: SocketAddrV4 = outside.trim().parse().map_err(|_| wrong())?;
    let inside: SocketAddrV6 = inside.trim().parse().map_err(|_| wrong())?;
    if outside.port() == 0 || inside.port() == 0 {
        return Err(Complaint::new(Rule::Ports, "port 0 is no port", "allowed: ports 1 to 65535"));
    }
    Ok(Static { protocol, outside, inside })
}
