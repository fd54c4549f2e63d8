//! Every file of `examples/` is valid, without warnings, and means what it says.

#![allow(clippy::unwrap_used)]
use std::path::{Path, PathBuf};

use sixgate_config::nat64::{Filtering, PoolAddresses};
use sixgate_config::policy::Selector;
use sixgate_config::{Checked, File, Gateway, any};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

fn example(name: &str) -> Checked<File> {
    let path = folder().join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    any(&path, &text).unwrap_or_else(|r| panic!("{}", r.render()))
}

fn gateway(name: &str) -> Gateway {
    match example(name).value {
        File::Gateway(g) => *g,
        File::Client(_) | File::Host(_) => panic!("{name} is no gateway's file"),
    }
}

#[test]
fn every_example_is_valid_and_gives_no_warning() {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert_eq!(example(&name).report.render(), "", "{name}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} examples");
}

#[test]
fn the_gateway_derives_what_its_file_does_not_say() {
    let g = gateway("gateway.toml");
    let site = g.site.unwrap();
    assert_eq!(site.clients().to_string(), "fd6a:7e00:cafe:1::/64");
    assert_eq!(site.dns64_address().to_string(), "fd6a:7e00:cafe:3333::1");
    let nat64 = g.nat64.unwrap();
    assert_eq!(nat64.prefixes[0].to_string(), "fd6a:7e00:cafe:7777::/96");
    assert_eq!(nat64.pool.len(), 1);
    assert_eq!(nat64.pool[0].addresses, PoolAddresses::Inside);
    assert_eq!(nat64.pool[0].ports, 10_000..=29_999);
    assert_eq!(nat64.filtering, Filtering::AddressDependent);
    assert_eq!(g.dns.unwrap().listen, ["[fd6a:7e00:cafe:3333::1]:53".parse().unwrap()]);
    assert_eq!(g.dns64.unwrap().rules[0].prefix, nat64.prefixes[0]);
    let isatap = g.isatap.unwrap();
    assert_eq!(isatap.prefix.to_string(), "fd6a:7e00:cafe:2::/64");
    assert_eq!(isatap.interface.as_deref(), Some("eth1"));
    assert_eq!(isatap.routes[0].prefix, site.clients());
    let names = g.names.unwrap().registration.unwrap();
    assert_eq!(names.server, "10.6.0.53:53".parse().unwrap());
    assert_eq!(names.tsig_file.unwrap(), folder().join("update.key"));
    assert_eq!(g.policy.unwrap().rules[1].from, Selector::Named("helpdesk".to_owned()));
}

#[test]
fn functions_that_run_alone_leave_the_others_off() {
    let nat64 = gateway("nat64.toml");
    assert!(nat64.dns.is_none() && nat64.dns64.is_none() && nat64.isatap.is_none() && nat64.policy.is_none());
    assert_eq!(nat64.nat64.unwrap().filtering, Filtering::EndpointIndependent);
    let dns64 = gateway("dns64.toml");
    assert!(dns64.nat64.is_none() && dns64.isatap.is_none() && dns64.policy.is_none());
    let router = gateway("isatap-router.toml");
    assert!(router.nat64.is_none() && router.dns.is_none() && router.ip_https.is_none());
    let policy = router.policy.unwrap();
    assert!(policy.is_default);
    assert_eq!(policy.rules.len(), 1, "a router alone lets its hosts open to the clients, and nothing else");
}
