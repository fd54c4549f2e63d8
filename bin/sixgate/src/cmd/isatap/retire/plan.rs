//! The plan: who would lose what, phase by phase.

use std::fmt::Write as _;

use sixgate_api::{HostUse, RetireHost, Retirement};

use super::status::name;
use crate::print::{Table, ago, dotted};

/// The whole of it.
pub(super) fn text(now: &Retirement) -> String {
    let mut text = String::new();
    let used = used(now);
    let idle = now.hosts.len() - used.len();
    let _ = writeln!(
        text,
        "In use, last 30 days: {} known, {} started connections to clients{}, {idle} never did.",
        plural(now.hosts.len(), "host"),
        used.len(),
        names(&used),
    );
    text.push_str(&hosts(now));
    text.push_str(&found(now));
    text.push_str("Phases (each waits for you; each has --undo; connections are never cut):\n");
    for phase in &now.phases {
        let when = match (phase.begun, phase.phase) {
            (Some(_), _) if now.phase == Some(phase.phase) => "now here".to_owned(),
            (Some(_), _) => "done".to_owned(),
            (None, 1) => "now".to_owned(),
            (None, _) => format!("day {}", phase.day),
        };
        let _ =
            writeln!(text, "  {} {:<11} {:<10} {}", phase.phase, phase.name, when, does(now, phase.phase));
    }
    let next = now.phase.unwrap_or(1) + 1;
    let line = if next > 5 { "--status".to_owned() } else { format!("--phase {next}") };
    let _ = writeln!(text, "Next: sixgate isatap retire {line}");
    text
}

/// What a phase is about to do, for the question.
pub(super) fn of_phase(now: &Retirement, phase: u8, dns_update: bool) -> String {
    let mut text = format!("Phase {phase}: {}\n", does(now, phase));
    let advised = now.phases.iter().find(|p| p.phase == phase).and_then(|p| p.advised);
    if let Some(at) = advised.filter(|at| *at > sixgate_api::Timestamp::now()) {
        let _ = writeln!(text, "  early     it is meant for {} or later", at.strftime("%Y-%m-%d %H:%M UTC"));
    }
    if phase == 4 {
        text.push_str(&found(now));
        let line = if dns_update {
            "the records above are deleted by signed update"
        } else {
            "they are only listed; --dns-update deletes them"
        };
        let _ = writeln!(text, "  records   {line}");
    }
    text
}

/// Records and names, with the commands that remove them.
pub(super) fn found(now: &Retirement) -> String {
    let mut text = String::new();
    if let Some(records) = &now.records {
        let _ = writeln!(
            text,
            "{} into {}{}",
            match records.len() {
                0 => "No AAAA record points".to_owned(),
                1 => "1 AAAA record points".to_owned(),
                n => format!("{n} AAAA records point"),
            },
            now.prefixes.join(", "),
            if records.is_empty() { "" } else { ":" }
        );
        for record in records {
            let zone = record.zone.as_deref().unwrap_or("(no server says)");
            let state = match (&record.failure, record.deleted) {
                (Some(why), _) => format!("not deleted: {why}"),
                (None, true) => "deleted".to_owned(),
                (None, false) => format!("zone {zone}"),
            };
            let _ = writeln!(text, "  {} AAAA {}   {state}", record.name, dotted(record.address, false));
        }
    }
    if now.records.is_none() {
        text.push_str("Which AAAA records point there is not known:\n");
    }
    for known in now.router_names.iter().flatten() {
        let what = match (known.addresses.is_empty(), known.ours) {
            (true, _) => "does not exist: good".to_owned(),
            (false, true) => format!(
                "A {}: leads to this router; hosts find it without being told",
                list(&known.addresses)
            ),
            (false, false) => {
                format!("A {}: another's router; see `sixgate isatap listen`", list(&known.addresses))
            }
        };
        let _ = writeln!(text, "  `{}` {what}", known.name);
    }
    for remark in &now.remarks {
        let _ = writeln!(text, "  {remark}");
    }
    text
}

fn hosts(now: &Retirement) -> String {
    if now.hosts.is_empty() {
        return String::new();
    }
    let mut table =
        Table::new("  ", &["host", "IPv4", "last RS", "flows out 30 d", "last flow", "open", "would lose"]);
    for host in &now.hosts {
        table.row([
            name(host.name.as_deref(), host.ipv4),
            host.ipv4.to_string(),
            ago(host.last_rs),
            host.flows_30d.to_string(),
            ago(host.last_flow),
            host.open.to_string(),
            match host.usage {
                HostUse::Open | HostUse::Recent => "manage-out".to_owned(),
                HostUse::Idle => "nothing that it uses".to_owned(),
            },
        ]);
    }
    table.render()
}

fn does(now: &Retirement, phase: u8) -> String {
    let used = used(now);
    let idle = now.hosts.len() - used.len();
    match phase {
        1 if used.is_empty() => "count who would lose manage-out: nobody".to_owned(),
        1 => format!("count who would lose manage-out{} -> keep them by rule or give them native IPv6", names(&used)),
        2 => format!(
            "stop answering hosts that never started a connection ({idle}); preferred lifetime 0 for the rest: running connections go on, new ones choose IPv4"
        ),
        3 => "router lifetime 0 and prefix valid lifetime down to 2 h (RFC 4862 floor); new connections are refused at once; hosts with an open one keep it until it ends".to_owned(),
        4 => "list of AAAA records to delete, with the commands (or --dns-update); remove the name `isatap`".to_owned(),
        _ => "no protocol 41 seen for 7 days; report".to_owned(),
    }
}

fn used(now: &Retirement) -> Vec<&RetireHost> {
    now.hosts.iter().filter(|host| host.usage != HostUse::Idle).collect()
}

fn names(hosts: &[&RetireHost]) -> String {
    const SHOWN: usize = 6;
    if hosts.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = hosts.iter().take(SHOWN).map(|h| name(h.name.as_deref(), h.ipv4)).collect();
    let more = if hosts.len() > SHOWN { format!(" and {} more", hosts.len() - SHOWN) } else { String::new() };
    format!(" ({}{more})", shown.join(", "))
}

fn plural(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn list(addresses: &[std::net::Ipv4Addr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
