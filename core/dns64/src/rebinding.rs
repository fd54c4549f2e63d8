//! Addresses inside an organisation in answers from outside: a name on the Internet that points there makes a browser speak to
//! machines that its page could not reach (DNS rebinding).

use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use domain::base::iana::Rtype;
use domain::base::message_builder::{PushError, StaticCompressor};
use domain::base::name::ParsedName;
use domain::base::{Message, MessageBuilder};
use domain::rdata::{A, Aaaa, AllRecordData};

use crate::config::Config;
use crate::special;

/// `message` without the records that lead inside, or `None` where there are none.
pub(crate) fn without_inside(config: &Config, message: &[u8]) -> Option<Vec<u8>> {
    let message = Message::from_slice(message).ok()?;
    let inside = |rtype, v4: Option<Ipv4Addr>, v6: Option<Ipv6Addr>| match rtype {
        Rtype::A => v4.is_some_and(|v4| !special::global(v4)),
        Rtype::AAAA => v6.is_some_and(|v6| leads_inside(config, v6)),
        _ => false,
    };
    let mut any = false;
    let mut builder = MessageBuilder::from_target(StaticCompressor::new(Vec::with_capacity(256))).ok()?;
    *builder.header_mut() = message.header();
    let mut question = builder.question();
    question.push(message.sole_question().ok()?).ok()?;
    let mut answer = question.answer();
    for record in message.answer().ok()? {
        let record = record.ok()?;
        let v4 = record.to_record::<A>().ok().flatten().map(|record| record.data().addr());
        let v6 = record.to_record::<Aaaa>().ok().flatten().map(|record| record.data().addr());
        if inside(record.rtype(), v4, v6) {
            any = true;
            continue;
        }
        let record = record.into_any_record::<AllRecordData<&[u8], ParsedName<&[u8]>>>().ok()?;
        answer.push(record).ok()?;
    }
    let mut authority = answer.authority();
    for record in message.authority().ok()? {
        let record = record.ok()?.into_any_record::<AllRecordData<&[u8], ParsedName<&[u8]>>>().ok()?;
        push(&mut authority, record).ok()?;
    }
    any.then(|| authority.additional().finish().into_target())
}

fn push<R: domain::base::record::ComposeRecord>(
    section: &mut domain::base::message_builder::AuthorityBuilder<StaticCompressor<Vec<u8>>>,
    record: R,
) -> Result<(), PushError> {
    section.push(record)
}

/// Loopback, link-local and local addresses, and special IPv4 addresses in any form that the site translates.
fn leads_inside(config: &Config, v6: Ipv6Addr) -> bool {
    let embedded =
        config.rules.iter().find_map(|rule| rule.prefix.extract(v6)).or_else(|| v6.to_ipv4_mapped());
    let [first, ..] = v6.segments();
    v6.is_loopback()
        || v6.is_unspecified()
        || first & 0xffc0 == 0xfe80
        || embedded.map_or(first & 0xfe00 == 0xfc00, |v4| !special::global(v4))
}
