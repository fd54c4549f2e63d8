//! What a step did, how that was checked, and how to undo it.

use std::fmt::Write as _;

use sixgate_api::{RetireRequest, Retired};

use super::plan;

pub(super) fn text(request: &RetireRequest, done: &Retired) -> String {
    let mut text = String::new();
    match request.phase {
        None => {
            let _ = writeln!(text, " ✓ everything is offered again: {} told so", hosts(done.offered));
            if done.restored > 0 {
                let _ = writeln!(text, " ✓ {} put back into the DNS", records(done.restored));
            }
            for remark in &done.retirement.remarks {
                let _ = writeln!(text, " ! {remark}");
            }
        }
        Some(1) => {
            text.push_str(" ✓ observing: nothing changes, it is counted who uses ISATAP\n");
        }
        Some(2) => {
            let _ = writeln!(text, " ✓ {} quiet.", hosts(done.withdrawn));
            let _ = writeln!(
                text,
                " ✓ {} deprecated: running connections go on, new ones choose IPv4",
                hosts(done.deprecated)
            );
        }
        Some(3) => {
            let _ =
                writeln!(text, " ✓ {} withdrawn: no routes, addresses end within 2 h", hosts(done.withdrawn));
            let _ = writeln!(
                text,
                " ✓ nothing new is opened; {} with an open connection kept until it ends",
                hosts(done.deprecated)
            );
        }
        Some(4) => text.push_str(&cleaned(request, done)),
        Some(_) => {
            let now = &done.retirement;
            let verdict = if now.over { " ✓ nobody is left" } else { " … not over yet: see --status" };
            let _ = writeln!(text, "{verdict}");
        }
    }
    if request.phase.is_some() {
        let mark = if done.cut == 0 { "✓" } else { "✗" };
        let _ = writeln!(
            text,
            " {mark} {} connections cut (checked: {} open, each goes on)",
            done.cut, done.open
        );
        text.push_str("Undo: sixgate isatap retire --undo\n");
    } else {
        text.push_str("Again: sixgate isatap retire --plan\n");
    }
    text
}

fn cleaned(request: &RetireRequest, done: &Retired) -> String {
    let now = &done.retirement;
    let mut text = plan::found(now);
    let all: Vec<_> = now.records.iter().flatten().collect();
    let deleted = all.iter().filter(|record| record.deleted).count() as u64;
    if request.dns_update && now.records.is_some() {
        let mark = if deleted == all.len() as u64 { "✓" } else { "✗" };
        let _ = writeln!(text, " {mark} {} of {} deleted by update", deleted, records(all.len() as u64));
    }
    let left: Vec<_> = all.iter().filter(|record| !record.deleted).collect();
    if !left.is_empty() {
        text.push_str("To delete by hand (or again with --dns-update):\n  nsupdate -k KEYFILE <<END\n");
        for record in left {
            let zone = record.zone.as_ref().map(|zone| format!("  zone {zone}\n")).unwrap_or_default();
            let _ = writeln!(text, "{zone}  update delete {}. AAAA {}\n  send", record.name, record.address);
        }
        text.push_str("  END\n");
    }
    for known in now.router_names.iter().flatten().filter(|known| !known.addresses.is_empty()) {
        let _ = writeln!(
            text,
            "Remove the name:\n  nsupdate -k KEYFILE <<< $'update delete {}. A\\nsend'",
            known.name
        );
    }
    text
}

fn hosts(n: u64) -> String {
    format!("{n} host{}", if n == 1 { "" } else { "s" })
}

fn records(n: u64) -> String {
    format!("{n} AAAA record{}", if n == 1 { "" } else { "s" })
}
