//! Registration against a real bind9.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sixgate_io_dns::update::{Owner, TsigKey, Updater};
use sixgate_reason::{
    DNS_UPDATE_FOREIGN, DNS_UPDATE_KEY, DNS_UPDATE_REFUSED, DNS_UPDATE_UNREACHABLE, Reason,
};

use super::{Registrar, RegistrarConfig, Standing};
use crate::names::SharedCounters;
use crate::names::bind::{KEY, Named, WEAK_KEY, ZONE};
use crate::names::memory::{Forgetful, Memory};

const LAPTOP: &str = "laptop-01.clients.corp.example";

fn address(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd6a, 0x7e00, 0xcafe, 1, 0, 0, 0, last)
}

struct Site {
    memory: Arc<Forgetful>,
    counters: SharedCounters,
}

impl Site {
    fn new() -> Self {
        Self { memory: Arc::default(), counters: SharedCounters::default() }
    }

    fn start(&self, server: SocketAddr, key: &str, owner: u8) -> Registrar {
        let config = RegistrarConfig {
            zone: ZONE.parse().unwrap(),
            updater: Updater::new(vec![server], Some(TsigKey::parse(key).unwrap())),
            owner: Owner::from_uuid([owner; 16]),
            reverse: Some("fd6a:7e00:cafe:1::/64".parse().unwrap()),
        };
        Registrar::start(config, self.memory.clone(), self.counters.clone()).unwrap()
    }

    fn count(&self, reason: Reason) -> u64 {
        self.counters.lock().unwrap().of(reason)
    }
}

/// Waits until it is so; a few seconds are what the issue allows.
async fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !so() {
        assert!(begin.elapsed() < Duration::from_secs(5), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn state(registrar: &Registrar) -> Option<Standing> {
    registrar.status().first().map(|status| status.state.clone())
}

fn failed_with(registrar: &Registrar, wanted: Reason) -> bool {
    matches!(state(registrar), Some(Standing::Failed { reason, .. }) if reason == wanted)
}

async fn stands(registrar: &Registrar) {
    until("the name stands", || state(registrar) == Some(Standing::Stands)).await;
}

#[tokio::test]
async fn a_client_is_registered_moves_and_leaves() {
    let Some(named) = Named::start() else { return };
    let site = Site::new();
    let registrar = site.start(named.address, KEY, 7);
    registrar.register("Laptop-01", address(1));
    stands(&registrar).await;
    assert_eq!(named.records(LAPTOP, "AAAA"), ["fd6a:7e00:cafe:1::1"]);
    assert_eq!(registrar.status()[0].reverse_failure, None);
    let ptr =
        |last: &str| format!("{last}.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.e.f.a.c.0.0.e.7.a.6.d.f.ip6.arpa");
    assert_eq!(named.records(&ptr("1"), "PTR"), [format!("{LAPTOP}.")]);

    registrar.register("laptop-01", address(2));
    until("it has moved", || named.records(LAPTOP, "AAAA") == ["fd6a:7e00:cafe:1::2"]).await;
    stands(&registrar).await;
    assert_eq!(named.records(&ptr("2"), "PTR").len(), 1);

    registrar.unregister("laptop-01");
    until("it has gone", || registrar.status().is_empty()).await;
    assert!(named.records(LAPTOP, "ANY").is_empty());
    assert!(named.records(&ptr("2"), "PTR").is_empty());
    assert!(site.memory.all().unwrap().is_empty());
}

#[tokio::test]
async fn somebody_elses_name_is_not_touched() {
    let Some(named) = Named::start() else { return };
    let site = Site::new();
    let registrar = site.start(named.address, KEY, 7);
    registrar.register("foreign", address(1));
    until("it is found to be foreign", || failed_with(&registrar, DNS_UPDATE_FOREIGN)).await;
    assert_eq!(named.records("foreign.clients.corp.example", "AAAA"), ["2001:db8::f0"]);
    // Nor does leaving remove it.
    registrar.unregister("foreign");
    until("it is forgotten", || registrar.status().is_empty()).await;
    assert_eq!(named.records("foreign.clients.corp.example", "AAAA"), ["2001:db8::f0"]);

    let ours = site.start(named.address, KEY, 7);
    ours.register("laptop-01", address(1));
    stands(&ours).await;
    let other_site = Site::new();
    let theirs = other_site.start(named.address, KEY, 8);
    theirs.register("laptop-01", address(9));
    until("it is found to be foreign", || failed_with(&theirs, DNS_UPDATE_FOREIGN)).await;
    assert_eq!(named.records(LAPTOP, "AAAA"), ["fd6a:7e00:cafe:1::1"]);
    assert!(other_site.count(DNS_UPDATE_FOREIGN) >= 1);
}

#[tokio::test]
async fn a_wrong_key_and_a_weak_one_have_their_reasons_and_leave_nothing() {
    let Some(named) = Named::start() else { return };
    let wrong = KEY.replace("c2l4", "c2l5");
    for (key, reason) in [(wrong.as_str(), DNS_UPDATE_KEY), (WEAK_KEY, DNS_UPDATE_REFUSED)] {
        let site = Site::new();
        let registrar = site.start(named.address, key, 7);
        registrar.register("laptop-01", address(1));
        until("it fails", || failed_with(&registrar, reason)).await;
        assert!(named.records(LAPTOP, "ANY").is_empty());
        assert!(site.count(reason) >= 1);
        let Some(Standing::Failed { what, .. }) = state(&registrar) else { panic!() };
        assert!(!what.is_empty() && !what.contains("secret \""), "{what}");
    }
}

#[tokio::test]
async fn a_server_that_comes_late_gets_the_names_by_itself() {
    let site = Site::new();
    let dead: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let registrar = site.start(dead, KEY, 7);
    registrar.register("laptop-01", address(1));
    until("it fails", || failed_with(&registrar, DNS_UPDATE_UNREACHABLE)).await;
    until(
        "it is tried again",
        || matches!(state(&registrar), Some(Standing::Failed { attempts, .. }) if attempts >= 2),
    )
    .await;
    drop(registrar);

    // A crash forgets nothing: the next run has the name to write, without being told.
    let Some(named) = Named::start() else { return };
    let registrar = site.start(named.address, KEY, 7);
    stands(&registrar).await;
    assert_eq!(named.records(LAPTOP, "AAAA"), ["fd6a:7e00:cafe:1::1"]);
}

#[tokio::test]
async fn a_removal_outlives_a_crash_and_who_is_unknown_goes() {
    let Some(named) = Named::start() else { return };
    let site = Site::new();
    let registrar = site.start(named.address, KEY, 7);
    for client in ["laptop-01", "laptop-02", "laptop-03"] {
        registrar.register(client, address(u16::from(client.as_bytes()[8])));
    }
    until("all stand", || {
        let status = registrar.status();
        status.len() == 3 && status.iter().all(|one| one.state == Standing::Stands)
    })
    .await;
    drop(registrar);

    let offline = site.start("127.0.0.1:1".parse().unwrap(), KEY, 7);
    offline.unregister("laptop-01");
    until("it is remembered", || offline.status().iter().any(|one| one.leaving)).await;
    drop(offline);

    let registrar = site.start(named.address, KEY, 7);
    registrar.keep_only(&["laptop-03".to_owned()]);
    until("only one is left", || registrar.status().len() == 1).await;
    assert!(named.records(LAPTOP, "ANY").is_empty());
    assert!(named.records("laptop-02.clients.corp.example", "ANY").is_empty());
    assert_eq!(named.records("laptop-03.clients.corp.example", "AAAA").len(), 1);
}

#[tokio::test]
async fn the_claim_stays_while_the_name_has_another_address() {
    let Some(named) = Named::start() else { return };
    let site = Site::new();
    let registrar = site.start(named.address, KEY, 7);
    registrar.register("laptop-01", address(1));
    stands(&registrar).await;
    let by_hand = sixgate_io_dns::update::Update::of(ZONE.parse().unwrap()).add(
        &LAPTOP.parse().unwrap(),
        60,
        sixgate_io_dns::update::Data::new(domain::base::iana::Rtype::A, vec![10, 6, 0, 9]),
    );
    Updater::new(vec![named.address], Some(TsigKey::parse(KEY).unwrap())).send(&by_hand).await.unwrap();
    registrar.unregister("laptop-01");
    until("it has gone", || registrar.status().is_empty()).await;
    assert!(named.records(LAPTOP, "AAAA").is_empty());
    assert_eq!(named.records(LAPTOP, "A"), ["10.6.0.9"]);
    assert_eq!(named.records(LAPTOP, "DHCID").len(), 1);
}
