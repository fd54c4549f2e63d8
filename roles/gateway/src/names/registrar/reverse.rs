//! PTR records: another zone, so another message, and only as well as it goes.
//!
//! There is no claim in that zone, so only addresses of our own prefix are touched.

use std::net::{IpAddr, Ipv6Addr};

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::Soa;
use sixgate_io_dns::update::{Data, Update, UpdateError, Updater};
use sixgate_io_dns::upstream::Upstreams;

use super::steps::{Failure, TTL, held};

/// Writes the PTR record of an address. `Ok(Some(_))` says why there can be none; retrying would not help.
pub(super) async fn put(
    updater: &Updater,
    address: Ipv6Addr,
    name: &Name<Vec<u8>>,
) -> Result<Option<String>, Failure> {
    let Some((zone, ptr)) = place(updater, address).await else {
        return Ok(Some("the server has no reverse zone for the address".to_owned()));
    };
    let update = Update::of(zone).delete_all(&ptr, Rtype::PTR).add(&ptr, TTL, Data::ptr(name));
    match updater.send(&update).await {
        Ok(()) => Ok(None),
        Err(error @ (UpdateError::Refused(_) | UpdateError::Prerequisite(_))) => Ok(Some(error.to_string())),
        Err(error) => Err(error.into()),
    }
}

/// Removes the PTR record of an address, when it still leads to this name.
pub(super) async fn remove(
    updater: &Updater,
    address: Ipv6Addr,
    name: &Name<Vec<u8>>,
) -> Result<(), Failure> {
    let Some((zone, ptr)) = place(updater, address).await else {
        return Ok(());
    };
    let update = Update::of(zone).if_equal(&ptr, [Data::ptr(name)]).delete(&ptr, Data::ptr(name));
    match updater.send(&update).await {
        Err(UpdateError::Refused(_)) => Ok(()),
        other => held(other).map(drop),
    }
}

/// The reverse name of an address and the zone that holds it, when the server has it.
async fn place(updater: &Updater, address: Ipv6Addr) -> Option<(Name<Vec<u8>>, Name<Vec<u8>>)> {
    let ptr = Name::reverse_from_addr(IpAddr::V6(address)).ok()?;
    let zone = authority(updater, &ptr).await?;
    Some((zone, ptr))
}

/// The owner of the SOA that the server gives for a name, if it is the server's own zone.
async fn authority(updater: &Updater, name: &Name<Vec<u8>>) -> Option<Name<Vec<u8>>> {
    let mut builder = MessageBuilder::new_vec().question();
    builder.push((name, Rtype::SOA)).ok()?;
    let answer = Upstreams::new(updater.servers()).exchange(&builder.finish()).await.ok()?;
    let message = Message::from_octets(answer).ok()?;
    let header = message.header();
    if !header.aa() || !matches!(header.rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
        return None;
    }
    let sections = [message.answer().ok()?, message.authority().ok()?];
    let owner = sections.into_iter().find_map(|section| {
        let record = section.limit_to_in::<Soa<_>>().flatten().next()?;
        Some(domain::base::name::ToName::to_vec(record.owner()))
    })?;
    name.ends_with(&owner).then_some(owner)
}
