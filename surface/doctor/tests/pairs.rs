//! Every fault alone gives its code and no other; every two together give both.

#![allow(clippy::unwrap_used)]

mod world;

use sixgate_doctor::{Case, Report, Severity, judge};
use world::{FAULTS, Pair, healthy};

fn report(pair: &Pair) -> Report {
    judge(&Case { ours: &pair.host, other: Some(&pair.gateway) })
}

fn codes(pair: &Pair) -> Vec<String> {
    report(pair).findings.into_iter().map(|f| f.code).collect()
}

#[test]
fn a_healthy_pair_has_no_finding_from_either_end() {
    let pair = healthy();
    let here = report(&pair);
    assert!(here.findings.is_empty(), "{:#?}", here.findings);
    assert!(here.passed.len() > 25, "{}", here.passed.len());
    let there = judge(&Case { ours: &pair.gateway, other: Some(&pair.host) });
    assert_eq!(there.findings, []);
    for alone in [&pair.host, &pair.gateway] {
        assert_eq!(judge(&Case { ours: alone, other: None }).findings, []);
    }
}

#[test]
fn each_fault_alone_gives_exactly_its_code() {
    for (code, fault) in FAULTS {
        let mut pair = healthy();
        fault(&mut pair);
        assert_eq!(codes(&pair), [*code], "{:#?}", report(&pair).findings);
    }
}

#[test]
fn every_two_faults_give_both_codes_in_either_order() {
    for (n, (a, first)) in FAULTS.iter().enumerate() {
        for (m, (b, second)) in FAULTS.iter().enumerate() {
            if n == m {
                continue;
            }
            let mut pair = healthy();
            first(&mut pair);
            second(&mut pair);
            let found = codes(&pair);
            let both = [a, b].iter().all(|code| found.iter().any(|f| f == *code));
            assert!(both && found.len() == 2, "{a} then {b}: {found:?}");
        }
    }
}

#[test]
fn each_finding_says_why_what_next_and_how_it_is_known() {
    for (code, fault) in FAULTS {
        let mut pair = healthy();
        fault(&mut pair);
        for finding in report(&pair).findings {
            assert!(!finding.evidence.is_empty(), "{code}");
            assert!(
                !finding.fix.is_empty() && !finding.cause.is_empty() && !finding.what.is_empty(),
                "{code}"
            );
            // One counter has other causes beside.
            let certain = finding.certain || *code == "SG-NAT64-006";
            assert!(certain, "{code}: both ends were seen");
        }
    }
}

#[test]
fn the_host_alone_says_what_is_likely_and_how_to_be_sure() {
    for code in ["SG-ISATAP-003", "SG-ISATAP-004"] {
        let mut pair = healthy();
        let (_, fault) = FAULTS.iter().find(|(c, _)| c == &code).unwrap();
        fault(&mut pair);
        if code == "SG-ISATAP-004" {
            // A router that takes its offer back says so once.
            world::host(&mut pair).links[0].state = "withdrawn".to_owned();
        }
        let alone = judge(&Case { ours: &pair.host, other: None });
        let found: Vec<&str> = alone.findings.iter().map(|f| f.code.as_str()).collect();
        assert_eq!(found, [code]);
        assert!(!alone.findings[0].certain);
        assert!(alone.findings[0].next.iter().any(|n| n.contains("--with host.json")), "{code}");
    }
}

#[test]
fn evidence_of_a_gateway_from_before_the_host_asked_proves_nothing() {
    let mut pair = healthy();
    let (_, dropped) = FAULTS.iter().find(|(c, _)| *c == "SG-ISATAP-003").unwrap();
    dropped(&mut pair);
    pair.gateway.taken = pair.host.begun.checked_sub(jiff::Span::new().seconds(60)).unwrap();
    let found = report(&pair);
    assert_eq!(found.findings[0].code, "SG-ISATAP-003");
    assert!(!found.findings[0].certain);
}

#[test]
fn a_gateway_that_hosts_take_for_a_router_and_that_advertises_nothing_is_named() {
    let mut pair = healthy();
    world::gateway(&mut pair).isatap.as_mut().unwrap().prefixes.clear();
    assert_eq!(codes(&pair), ["SG-ISATAP-006"]);
    let mut pair = healthy();
    world::gateway(&mut pair).isatap = None;
    assert_eq!(codes(&pair), ["SG-ISATAP-006"]);
    // The kernel says so too; that is no load balancer.
    let (own, probe) = (world::gateway(&mut pair).own.clone(), &mut pair.host.probes[0]);
    assert!(own.contains(&probe.router));
    (probe.advertised_ms, probe.refused_by) = (None, Some(probe.router));
    assert_eq!(codes(&pair), ["SG-ISATAP-006"]);
    // Without a host that leans on it, a gateway without ISATAP is just that.
    assert_eq!(judge(&Case { ours: &pair.gateway, other: None }).findings, []);
}

#[test]
fn a_host_that_a_retirement_leaves_out_is_told_so_and_the_network_is_not_blamed() {
    let mut pair = healthy();
    pair.host.probes[0].advertised_ms = None;
    world::gateway(&mut pair).heard[0].dropped = Some("isatap-retired".to_owned());
    let report = report(&pair);
    assert_eq!(codes(&pair), ["SG-ISATAP-006"]);
    assert!(report.findings[0].cause.contains("retired"), "{:?}", report.findings);
}

#[test]
fn the_routes_of_a_hosts_own_rule_count_and_not_those_of_the_others() {
    let mut pair = healthy();
    world::gateway(&mut pair).isatap.as_mut().unwrap().allow[0].offer = Some((Vec::new(), 0));
    assert_eq!(codes(&pair), ["SG-ISATAP-011"]);
    let mut pair = healthy();
    let plan = world::gateway(&mut pair).isatap.as_mut().unwrap();
    plan.allow[0].offer = Some((std::mem::take(&mut plan.routes), 0));
    assert_eq!(codes(&pair), [""; 0]);
}

#[test]
fn a_daemon_that_does_not_run_is_a_finding_of_its_own_without_a_cause() {
    let mut pair = healthy();
    pair.gateway.daemon.answers = false;
    assert_eq!(codes(&pair), ["SG-SYS-007"]);
}

#[test]
fn a_full_list_of_warnings_stays_behind_failures() {
    let mut pair = healthy();
    for (_, fault) in FAULTS {
        fault(&mut pair);
    }
    let severities: Vec<Severity> = report(&pair).findings.iter().map(|f| f.severity).collect();
    assert!(severities.is_sorted(), "{severities:?}");
}

#[test]
fn evidence_survives_its_way_through_a_file() {
    let mut pair = healthy();
    for (_, fault) in FAULTS {
        fault(&mut pair);
    }
    let text = serde_json::to_string(&pair.host).unwrap();
    assert_eq!(serde_json::from_str::<sixgate_doctor::Evidence>(&text).unwrap(), pair.host);
    // Evidence of another version, with keys that are not there, is read as far as it goes.
    let little: sixgate_doctor::Evidence = serde_json::from_str("{\"schema\": 1, \"future\": 2}").unwrap();
    let found = judge(&Case { ours: &little, other: None });
    assert_eq!(found.findings, []);
}
