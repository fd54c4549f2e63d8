//! How a retirement stands, and who holds it up.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use sixgate_api::{HostStanding, Retirement, Straggler};

use crate::print::{ago, span};

pub(super) fn text(now: &Retirement) -> String {
    let Some(phase) = now.phase else {
        return "nothing is being retired. Plan: sixgate isatap retire --plan\n".to_owned();
    };
    let mut text = String::new();
    let word = now.phases.iter().find(|p| p.phase == phase).map_or("", |p| p.name.as_str());
    let _ = writeln!(
        text,
        "phase {phase} {word} since {} · new ISATAP flows: {}/day -> {} today",
        ago(now.since),
        now.flows_before,
        now.flows_today
    );
    let count = |standing| now.hosts.iter().filter(|host| host.standing == standing).count();
    let _ = writeln!(
        text,
        "hosts: {} as always, {} deprecated (running connections go on), {} withdrawn, {} not known to the router",
        count(HostStanding::Offered),
        count(HostStanding::Deprecated),
        count(HostStanding::Withdrawn),
        count(HostStanding::None)
    );
    for straggler in &now.stragglers {
        let _ = writeln!(text, "  straggler {}", line(straggler));
    }
    if now.stragglers.is_empty() && phase > 1 {
        text.push_str("  no stragglers\n");
    }
    if let Some(silent) = now.silent_for {
        let verdict = if now.over { "nobody is left" } else { "the end is 7 days without any" };
        let _ = writeln!(text, "protocol 41: none from a host for {}; {verdict}", span(silent));
    }
    if let Some(next) = now.phases.iter().find(|p| p.phase == phase + 1) {
        let when = next
            .advised
            .map_or_else(String::new, |at| format!(", from {}", at.strftime("%Y-%m-%d %H:%M UTC")));
        let _ = writeln!(text, "Next: sixgate isatap retire --phase {}{when}", next.phase);
    }
    text.push_str("Undo: sixgate isatap retire --undo\n");
    text
}

fn line(straggler: &Straggler) -> String {
    let mut why = Vec::new();
    if straggler.open > 0 {
        why.push(format!("{} open connection{}", straggler.open, if straggler.open == 1 { "" } else { "s" }));
    }
    if straggler.flows > 0 {
        why.push(format!("opened {} since", straggler.flows));
    }
    if why.is_empty() {
        why.push(format!(
            "still asks for a router (last {} ago): run `sixgate isatap leave` there",
            ago(straggler.last_rs)
        ));
    }
    format!("{} {}: {}", name(straggler.name.as_deref(), straggler.ipv4), straggler.ipv4, why.join(", "))
}

/// A host's name without what all names end in, or else its address.
pub(super) fn name(name: Option<&str>, ipv4: Ipv4Addr) -> String {
    name.map_or_else(|| ipv4.to_string(), |name| name.split('.').next().unwrap_or(name).to_owned())
}
