//! Updates against a real bind9.
mod bind;

use std::net::SocketAddr;

use bind::{KEY, Named, WEAK_KEY, ZONE};
use domain::base::Name;
use domain::base::iana::{Rcode, Rtype};
use sixgate_io_dns::update::{Data, KeyFault, Owner, TsigKey, Update, UpdateError, Updater};
use sixgate_reason::{DNS_UPDATE_KEY, DNS_UPDATE_REFUSED, DNS_UPDATE_UNREACHABLE};

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).expect("a name")
}

fn laptop() -> Name<Vec<u8>> {
    name("laptop-01.clients.corp.example")
}

fn address(last: u16) -> Data {
    Data::aaaa(std::net::Ipv6Addr::new(0xfd6a, 0x7e00, 0xcafe, 1, 0, 0, 0, last))
}

fn with_key(server: SocketAddr, key: &str) -> Updater {
    Updater::new(vec![server], Some(TsigKey::parse(key).expect("a key")))
}

fn claim(owner: &Owner, last: u16) -> Update {
    Update::of(name(ZONE)).if_name_unused(&laptop()).add(&laptop(), 60, address(last)).add(
        &laptop(),
        60,
        owner.claim(&laptop()),
    )
}

#[tokio::test]
async fn a_name_is_added_replaced_and_deleted_under_its_claim() {
    let Some(named) = Named::start() else { return };
    let updater = with_key(named.address, KEY);
    let owner = Owner::from_uuid([7; 16]);
    updater.send(&claim(&owner, 1)).await.unwrap();
    assert_eq!(named.records("laptop-01.clients.corp.example", "AAAA"), ["fd6a:7e00:cafe:1::1"]);
    assert_eq!(named.records("laptop-01.clients.corp.example", "DHCID").len(), 1);

    let again = updater.send(&claim(&owner, 2)).await;
    assert!(matches!(again, Err(UpdateError::Prerequisite(Rcode::YXDOMAIN))), "{again:?}");
    let replace = Update::of(name(ZONE))
        .if_equal(&laptop(), [owner.claim(&laptop())])
        .delete_all(&laptop(), Rtype::AAAA)
        .add(&laptop(), 60, address(2));
    updater.send(&replace).await.unwrap();
    assert_eq!(named.records("laptop-01.clients.corp.example", "AAAA"), ["fd6a:7e00:cafe:1::2"]);

    let foreign = Owner::from_uuid([8; 16]);
    let steal = Update::of(name(ZONE))
        .if_equal(&laptop(), [foreign.claim(&laptop())])
        .delete_all(&laptop(), Rtype::AAAA);
    let stolen = updater.send(&steal).await;
    assert!(matches!(stolen, Err(UpdateError::Prerequisite(Rcode::NXRRSET))), "{stolen:?}");
    assert_eq!(named.records("laptop-01.clients.corp.example", "AAAA").len(), 1);

    let remove = Update::of(name(ZONE))
        .if_equal(&laptop(), [address(2)])
        .if_equal(&laptop(), [owner.claim(&laptop())])
        .delete(&laptop(), address(2))
        .delete_all(&laptop(), Rtype::DHCID);
    updater.send(&remove).await.unwrap();
    assert!(named.records("laptop-01.clients.corp.example", "ANY").is_empty());
}

#[tokio::test]
async fn each_fault_of_a_key_has_its_name() {
    let Some(named) = Named::start() else { return };
    let owner = Owner::from_uuid([7; 16]);
    let update = claim(&owner, 1);
    let unknown = KEY.replace("ddns.corp", "nobody.corp");
    let other_secret = KEY.replace("c2l4", "c2l5");
    for (key, want) in [(&unknown, KeyFault::Unknown), (&other_secret, KeyFault::Secret)] {
        let error = with_key(named.address, key).send(&update).await.unwrap_err();
        assert_eq!(error.reason(), DNS_UPDATE_KEY);
        assert!(matches!(&error, UpdateError::Key(fault) if *fault == want), "{error:?}");
    }
    let error = with_key(named.address, WEAK_KEY).send(&update).await.unwrap_err();
    assert_eq!(error.reason(), DNS_UPDATE_REFUSED);
    assert!(matches!(error, UpdateError::Refused(Rcode::REFUSED)), "{error:?}");
    let error = Updater::new(vec![named.address], None).send(&update).await.unwrap_err();
    assert!(matches!(error, UpdateError::Refused(Rcode::REFUSED)), "{error:?}");
    assert!(named.records("laptop-01.clients.corp.example", "ANY").is_empty());
}

#[tokio::test]
async fn a_clock_that_is_wrong_is_reported_and_worked_around_once() {
    let Some(named) = Named::start() else { return };
    let owner = Owner::from_uuid([7; 16]);
    let updater = with_key(named.address, KEY).with_clock_error(-4_000);
    updater.send(&claim(&owner, 1)).await.unwrap();
    assert_eq!(named.records("laptop-01.clients.corp.example", "AAAA").len(), 1);
    assert!((3_990..=4_010).contains(&updater.clock_offset()), "{}", updater.clock_offset());
}

#[tokio::test]
async fn a_name_outside_the_zone_and_a_zone_that_is_not_there_are_refused() {
    let Some(named) = Named::start() else { return };
    let updater = with_key(named.address, KEY);
    let outside = Update::of(name(ZONE)).add(&name("x.corp.example"), 60, address(1));
    let error = updater.send(&outside).await.unwrap_err();
    assert!(matches!(error, UpdateError::Refused(Rcode::NOTZONE)), "{error:?}");
    let elsewhere = Update::of(name("nowhere.example")).add(&name("x.nowhere.example"), 60, address(1));
    let error = updater.send(&elsewhere).await.unwrap_err();
    assert!(matches!(error, UpdateError::Refused(Rcode::NOTAUTH)), "{error:?}");
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_does_not_answer() {
    let Some(named) = Named::start() else { return };
    let key = TsigKey::parse(KEY).expect("a key");
    let dead: SocketAddr = "127.0.0.1:1".parse().expect("an address");
    let owner = Owner::from_uuid([7; 16]);
    Updater::new(vec![dead, named.address], Some(key.clone())).send(&claim(&owner, 1)).await.unwrap();
    let error = Updater::new(vec![dead], Some(key)).send(&claim(&owner, 1)).await.unwrap_err();
    assert_eq!(error.reason(), DNS_UPDATE_UNREACHABLE);
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
