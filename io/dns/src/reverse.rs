//! The name of an address: for lists that people read.

use std::net::{IpAddr, SocketAddr};

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::Ptr;

use crate::resolve::ResolveError;
use crate::upstream::{ExchangeError, Upstreams};

/// The first name that the servers give for `address`, without a dot at its end; `None` when there is none.
///
/// # Errors
/// See [`ResolveError`]; that there is no name is no error.
pub async fn name_of(address: IpAddr, servers: &[SocketAddr]) -> Result<Option<String>, ResolveError> {
    let unusable = || ResolveError::Exchange(ExchangeError::Unusable);
    let name: Name<Vec<u8>> = Name::reverse_from_addr(address).map_err(|_| unusable())?;
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    question.push((&name, Rtype::PTR)).map_err(|_| unusable())?;
    let answer =
        Upstreams::new(servers).exchange(&question.finish()).await.map_err(ResolveError::Exchange)?;
    read(&answer)
}

fn read(answer: &[u8]) -> Result<Option<String>, ResolveError> {
    let unusable = || ResolveError::Exchange(ExchangeError::Unusable);
    let message = Message::from_slice(answer).map_err(|_| unusable())?;
    match message.header().rcode() {
        Rcode::NOERROR => {}
        Rcode::NXDOMAIN => return Ok(None),
        other => return Err(ResolveError::Failed(other)),
    }
    // RFC 2317: a zone of fewer than 256 addresses is reached by an alias.
    let owner = message.canonical_name().ok_or_else(unusable)?;
    let section = message.answer().map_err(|_| unusable())?;
    let records = section.limit_to_in::<Ptr<_>>().flatten();
    let found = records.into_iter().find(|record| *record.owner() == owner);
    Ok(found.map(|record| record.data().ptrdname().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::base::Record;
    use domain::base::iana::Class;

    fn answer(records: &[(&str, &str)], rcode: Rcode) -> Vec<u8> {
        let name = |text: &str| Name::<Vec<u8>>::vec_from_str(text).unwrap();
        let mut question = MessageBuilder::new_vec().question();
        question.push((&name("20.8.6.10.in-addr.arpa"), Rtype::PTR)).unwrap();
        let mut section = question.answer();
        section.header_mut().set_rcode(rcode);
        for (owner, target) in records {
            let ttl = domain::base::Ttl::from_secs(60);
            section.push(Record::new(name(owner), Class::IN, ttl, Ptr::new(name(target)))).unwrap();
        }
        section.finish()
    }

    #[test]
    fn the_first_name_of_the_address_is_given_and_no_name_is_no_error() {
        let own = "20.8.6.10.in-addr.arpa";
        let two = [(own, "helpdesk-01.corp.example"), (own, "other.corp.example")];
        assert_eq!(read(&answer(&two, Rcode::NOERROR)).unwrap().as_deref(), Some("helpdesk-01.corp.example"));
        assert_eq!(read(&answer(&[("1.8.6.10.in-addr.arpa", "x.example")], Rcode::NOERROR)), Ok(None));
        assert_eq!(read(&answer(&[], Rcode::NXDOMAIN)), Ok(None));
        assert_eq!(read(&answer(&[], Rcode::SERVFAIL)), Err(ResolveError::Failed(Rcode::SERVFAIL)));
        assert!(read(b"short").is_err());
    }
}
