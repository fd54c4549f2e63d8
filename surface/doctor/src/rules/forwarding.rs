//! SG-ISATAP-006 and SG-SYS-005: kernel settings that the daemon needs.

use sixgate_reason::diagnoses::{SG_ISATAP_006, SG_SYS_005};

use crate::case::{Case, list};
use crate::evidence::{Evidence, Role, Setting};
use crate::finding::{Check, Finding};

pub(super) fn settings(case: &Case<'_>) -> Vec<Check> {
    case.sides().flat_map(of_one).collect()
}

/// A router that the host leans on advertises.
pub(super) fn advertises(case: &Case<'_>) -> Vec<Check> {
    let Some(gateway) = case.gateway().filter(|g| g.all.daemon.answers) else { return Vec::new() };
    let name = &gateway.all.machine.name;
    let why = match gateway.router() {
        Some(_) if is_retired(case) => {
            let finding = Finding::new(
                &SG_ISATAP_006,
                format!("{name} advertises nothing to this host any more"),
                "ISATAP is being retired, and this host is not among those that are still answered",
            );
            let finding =
                finding.because(format!("{name} heard its solicitations and dropped them: isatap-retired"));
            let finding = finding.not("a fault of the network or of the host").warning();
            return vec![
                finding
                    .fix("see what the retirement says; --undo takes it back")
                    .next("sixgate isatap retire --status")
                    .into(),
            ];
        }
        Some(plan) if !plan.prefixes.is_empty() => {
            return vec![Check::passed(format!("{name} advertises {}", list(&plan.prefixes)))];
        }
        Some(_) => "its ISATAP link has no prefix to advertise",
        // A gateway without ISATAP is right as long as no host takes it for a router.
        None if case.host().is_some_and(|h| h.role.list.iter().any(|r| gateway.role.own.contains(r))) => {
            "its file has no [isatap] section"
        }
        None => return Vec::new(),
    };
    let finding = Finding::new(&SG_ISATAP_006, format!("{name} advertises nothing on the ISATAP link"), why);
    let finding = finding.fix(format!(
        "give the file of {name} an [isatap] section with a prefix and who is allowed, and restart it; or take {name} out of what \
         hosts use as router"
    ));
    vec![finding.because(format!("{name}: {why}")).next("sixgate status").into()]
}

fn is_retired(case: &Case<'_>) -> bool {
    let (Some(gateway), Some(host)) = (case.gateway(), case.host()) else { return false };
    let heard = host.ipv4().map(|own| gateway.heard(host, own)).unwrap_or_default();
    heard.iter().any(|h| h.dropped.as_deref() == Some("isatap-retired"))
}

fn of_one(e: &Evidence) -> Vec<Check> {
    let name = &e.machine.name;
    let (all, routes) = match &e.role {
        Some(Role::Gateway(g)) => (&g.settings, true),
        Some(Role::Host(h)) => (&h.settings, false),
        Some(Role::Client(c)) => (&c.settings, false),
        None => return Vec::new(),
    };
    let mut checks = Vec::new();
    let mut wrong: Vec<&Setting> = Vec::new();
    for setting in all {
        // A daemon that does not run has no devices, and so no settings of them.
        if !setting.is_wrong() {
            checks.push(Check::passed(format!("{name}: {} is as it should be", setting.dotted())));
        } else if setting.found.is_some() || e.daemon.answers {
            wrong.push(setting);
        }
    }
    let (forwarding, others): (Vec<&Setting>, Vec<&Setting>) =
        wrong.into_iter().partition(|s| routes && s.forwarding_of().is_some());
    let meant = all.iter().filter(|s| s.forwarding_of().is_some()).count();
    if forwarding.len() > 1 && forwarding.len() == meant {
        checks.push(reset(name, &forwarding).into());
    } else {
        checks.extend(forwarding.into_iter().map(|s| off(name, s).into()));
    }
    checks.extend(others.into_iter().map(|s| changed(name, s).into()));
    checks
}

/// One interface does not forward, while others do.
fn off(name: &str, setting: &Setting) -> Finding {
    let device = setting.forwarding_of().unwrap_or_default();
    Finding::new(
        &SG_ISATAP_006,
        format!("{name} does not forward on {device}"),
        format!("{} is {} and must be {}", setting.dotted(), found(setting), setting.wanted[0]),
    )
    .because(format!("/proc/sys/{}: {}", setting.name, found(setting)))
    .because(format!("it is needed for {}", setting.purpose))
    .not("net.ipv4.ip_forward or `all`: forwarding of the other interfaces is on")
    .fix(format!("sysctl -w {}={}, and find out who changed it", setting.dotted(), setting.wanted[0]))
    .next(format!("sysctl -w {}={}", setting.dotted(), setting.wanted[0]))
}

/// Every interface lost its forwarding at once.
fn reset(name: &str, settings: &[&Setting]) -> Finding {
    let mut finding = Finding::new(
        &SG_SYS_005,
        format!("{name} forwards on none of the interfaces that it should"),
        "somebody wrote net.ipv4.ip_forward (or conf.all.forwarding), which resets the forwarding of every interface",
    );
    for s in settings {
        finding = finding
            .because(format!("/proc/sys/{}: {}, must be {}", s.name, found(s), s.wanted[0]))
            .next(format!("sysctl -w {}={}", s.dotted(), s.wanted[0]));
    }
    finding.fix("set each of them back, and take ip_forward out of whatever writes it; restarting the daemon sets them too")
}

fn changed(name: &str, setting: &Setting) -> Finding {
    let wanted = setting.wanted.join(" or ");
    Finding::new(
        &SG_SYS_005,
        format!("{} on {name} was changed", setting.dotted()),
        format!("{} is {} and must be {wanted}", setting.dotted(), found(setting)),
    )
    .because(format!("/proc/sys/{}: {}", setting.name, found(setting)))
    .because(format!("it is needed for {}", setting.purpose))
    .fix(format!("sysctl -w {}={}, and take it out of whatever sets it", setting.dotted(), setting.wanted[0]))
    .next(format!("grep -rs {} /etc/sysctl.d /etc/sysctl.conf /run/sysctl.d", setting.dotted()))
}

fn found(setting: &Setting) -> &str {
    setting.found.as_deref().unwrap_or("not there")
}
