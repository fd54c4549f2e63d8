//! (d) Targeted and never in the way: a bystander sees no change, and the web is as fast for helpdesk-01 as without ISATAP.

use std::time::Duration;

use super::report::Step;
use super::traffic::{clean, demand, fetch};
use crate::error::LabError;
use crate::handle::{Lab, wait_for};
use crate::product::{self, GATEWAY_CONFIG, GATEWAY_FILE, HOST_DEVICE, SERVICE};
use crate::servers::IPV6_STATE;
use crate::topology::Segment;

/// A site with an A, and an AAAA that leads nowhere.
const WEB: &str = "http://web.example.com/";
/// A site whose AAAA lies inside a prefix that ISATAP hosts have a route to.
const INSIDE: &str = "http://web-inside.example.com/";
/// What ISATAP may cost, in milliseconds.
const ALLOWED: f64 = 50.0;

pub(super) fn unchanged(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    bystander(lab, step)?;
    lab.stop("helpdesk-01", SERVICE)?;
    let without = (median(lab, WEB)?, median(lab, INSIDE)?);
    product::host(lab)?;
    compare(lab, step, "router-lifetime = 0", without)?;

    router_lifetime(lab, 1800)?;
    let changed = wait_for(Duration::from_secs(5), || has_default_route(lab));
    let measured = match changed {
        Some(_) => compare(lab, step, "router-lifetime = 1800", without),
        None => Err(LabError::failed("with router-lifetime = 1800 helpdesk-01 gets no default route")),
    };
    router_lifetime(lab, 0)?;
    let restored = wait_for(Duration::from_secs(5), || !has_default_route(lab));
    measured?;
    demand(restored.is_some(), "with router-lifetime = 0 again helpdesk-01 keeps its default route")?;
    clean(&lab.taps()?)
}

fn bystander(lab: &Lab, step: &mut Step) -> Result<(), LabError> {
    let before = lab.sh("bystander-01", "cat /run/lab/ipv6-before")?;
    let after = lab.sh("bystander-01", IPV6_STATE)?;
    let same = if before == after { "as before sixgate was started" } else { "CHANGED" };
    step.did("bystander-01", "ip -6 address; ip -6 route show table all", same);
    demand(before == after, &format!("bystander-01's IPv6 changed: before {before:?}, after {after:?}"))
}

/// The median of seven fetches on helpdesk-01, in milliseconds.
fn median(lab: &Lab, url: &str) -> Result<f64, LabError> {
    let mut times = Vec::new();
    for _ in 0..7 {
        let got = fetch(lab, "helpdesk-01", url, "median", 10)?;
        demand(
            got.status == "200" && got.from == "203.0.113.80",
            &format!("{url} answered {} from {}", got.status, got.from),
        )?;
        times.push(got.milliseconds);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

fn compare(lab: &Lab, step: &mut Step, how: &str, without: (f64, f64)) -> Result<(), LabError> {
    for (url, before) in [(WEB, without.0), (INSIDE, without.1)] {
        lab.watch(&[])?;
        let with = median(lab, url)?;
        let tried = lab.taps()?.of(Segment::Desk).protocol_41;
        step.did(
            "helpdesk-01",
            &format!("curl {url}   (7 times, {how})"),
            &format!("median {with:.1} ms, without ISATAP {before:.1} ms; {tried} frames of protocol 41"),
        );
        demand(
            with - before <= ALLOWED,
            &format!("{url} takes {:.0} ms longer with ISATAP ({how})", with - before),
        )?;
        // Fast because nobody tried proves nothing where there is a route to try.
        let must = url == INSIDE || how.ends_with("1800");
        demand(tried > 0 || !must, &format!("{url}: its AAAA was never tried through ISATAP ({how})"))?;
    }
    Ok(())
}

/// Changes the gateway's file as an administrator would, and has it read again.
fn router_lifetime(lab: &Lab, seconds: u32) -> Result<(), LabError> {
    let config = GATEWAY_CONFIG.replace("router-lifetime = 0", &format!("router-lifetime = {seconds}"));
    lab.write("gateway", GATEWAY_FILE, &config, false)?;
    lab.signal("gateway", SERVICE, "HUP")
}

fn has_default_route(lab: &Lab) -> bool {
    lab.run("helpdesk-01", &["ip", "-6", "route", "show", "default", "dev", HOST_DEVICE])
        .is_ok_and(|done| done.stdout.contains("default"))
}
