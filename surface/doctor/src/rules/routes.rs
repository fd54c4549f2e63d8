//! SG-ISATAP-011: does the router offer a way to the clients?

use sixgate_reason::diagnoses::SG_ISATAP_011;
use sixgate_wire::addr::Ipv6Prefix;

use crate::case::{Case, list};
use crate::finding::{Check, Finding};

pub(super) fn offered(case: &Case<'_>) -> Vec<Check> {
    match case.gateway() {
        Some(_) => by_the_gateway(case),
        None => by_the_host(case),
    }
}

fn by_the_gateway(case: &Case<'_>) -> Vec<Check> {
    let Some(gateway) = case.gateway() else { return Vec::new() };
    let (Some(plan), Some(clients)) = (gateway.router(), &gateway.role.clients) else { return Vec::new() };
    let Ok(wanted) = clients.parse::<Ipv6Prefix>() else { return Vec::new() };
    let covers = |route: &String| {
        route
            .parse::<Ipv6Prefix>()
            .is_ok_and(|r| r.length() <= wanted.length() && r.contains(wanted.address()))
    };
    let name = &gateway.all.machine.name;
    // A host's own rule may offer something else than what the others get.
    let rule = case.host().and_then(|h| gateway.allows(h.ipv4()?)).and_then(|rule| rule.offer.as_ref());
    let (offered, lifetime) = rule.map_or((&plan.routes, plan.router_lifetime), |(routes, l)| (routes, *l));
    if lifetime > 0 || offered.iter().any(covers) {
        return vec![Check::passed(format!("{name} advertises a route to {clients}"))];
    }
    let routes = if offered.is_empty() { "no route".to_owned() } else { list(offered) };
    let mut finding = Finding::new(
        &SG_ISATAP_011,
        format!("{name} advertises no route to the clients ({clients})"),
        format!("its advertisements carry {routes}, and no default route"),
    )
    .because(format!("router lifetime {}, routes: {routes}, prefixes: {}", lifetime, list(&plan.prefixes)))
    .not("protocol 41 or the allow list: hosts get an address")
    .fix(format!(
        "take `routes` out of [isatap] on {name}, or add {{ prefix = \"{clients}\" }} to it, and reload"
    ))
    .next("sixgate check FILE");
    for a in case.host().iter().flat_map(|h| &h.all.advertisements).filter(|a| Some(a.from) == plan.address) {
        finding = finding.because(format!("the host received it so: {} routes", a.routes.len()));
    }
    vec![finding.into()]
}

fn by_the_host(case: &Case<'_>) -> Vec<Check> {
    let Some(host) = case.host() else { return Vec::new() };
    let from_routers = host.all.advertisements.iter().filter(|a| host.role.list.contains(&a.from));
    from_routers
        .map(|a| {
            if !a.offers() || a.router_lifetime > 0 || !a.routes.is_empty() {
                return Check::passed(format!("{} advertises {} routes", a.from, a.routes.len()));
            }
            Finding::new(
                &SG_ISATAP_011,
                format!("{} has an ISATAP address and no route", host.all.machine.name),
                format!("the advertisements of {} carry an address and no route to anywhere", a.from),
            )
            .because(format!("router lifetime 0, no route information, prefixes: {}", list(&a.prefixes)))
            .next("on the gateway: sixgate doctor")
            .into()
        })
        .collect()
}
