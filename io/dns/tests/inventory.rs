//! AAAA records of a real bind9, by name and by transfer.

#![allow(clippy::unwrap_used, reason = "a test")]

mod bind;

use bind::{KEY, Named, REVERSE, ZONE};
use domain::base::iana::Rcode;
use sixgate_io_dns::inventory::{TransferError, aaaa_of, transfer, zone_of};
use sixgate_io_dns::update::TsigKey;

#[tokio::test]
async fn a_zone_comes_whole_with_and_without_a_signature() {
    let Some(named) = Named::start() else { return };
    let key = TsigKey::parse(KEY).unwrap();
    for key in [None, Some(&key)] {
        let records = transfer("files.example", named.address, key).await.unwrap();
        let names: Vec<_> = records.iter().map(|r| (r.name.as_str(), r.address.to_string(), r.ttl)).collect();
        assert!(names.contains(&("both.files.example", "2001:db8::82".to_owned(), 300)), "{names:?}");
        assert_eq!(names.len(), 2, "{names:?}");
    }
}

#[tokio::test]
async fn a_zone_that_is_not_there_and_a_key_that_is_not_known_give_nothing() {
    let Some(named) = Named::start() else { return };
    let elsewhere = transfer("nowhere.example", named.address, None).await.unwrap_err();
    assert!(matches!(elsewhere, TransferError::Refused(Rcode::NOTAUTH | Rcode::REFUSED)), "{elsewhere:?}");
    let stranger = TsigKey::parse(&KEY.replace("ddns.corp", "nobody.corp")).unwrap();
    assert!(transfer("files.example", named.address, Some(&stranger)).await.is_err());
    let dead = "127.0.0.1:1".parse().unwrap();
    assert!(matches!(transfer("files.example", dead, None).await, Err(TransferError::Broken(_))));
    assert!(matches!(transfer("..", named.address, None).await, Err(TransferError::BadName(_))));
}

#[tokio::test]
async fn a_name_has_its_records_and_its_zone() {
    let Some(named) = Named::start() else { return };
    let servers = [named.address];
    let both = aaaa_of("both.files.example", &servers).await.unwrap();
    assert_eq!(both.len(), 1);
    assert_eq!((both[0].name.as_str(), both[0].ttl), ("both.files.example", 300));
    for none in ["files.files.example", "no-such.files.example"] {
        assert_eq!(aaaa_of(none, &servers).await, Some(Vec::new()), "{none}");
    }
    // No answer is not the answer that there is nothing.
    assert_eq!(aaaa_of("x.elsewhere.example", &servers).await, None);
    assert_eq!(aaaa_of("both.files.example", &["127.0.0.1:1".parse().unwrap()]).await, None);
    assert_eq!(zone_of("foreign.clients.corp.example", &servers).await.as_deref(), Some(ZONE));
    assert_eq!(zone_of("no-such.clients.corp.example", &servers).await.as_deref(), Some(ZONE));
    assert_eq!(zone_of(&format!("1.{REVERSE}"), &servers).await.as_deref(), Some(REVERSE));
    assert_eq!(zone_of("elsewhere.example", &servers).await, None);
}
