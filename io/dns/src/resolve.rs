//! Addresses of a name: what the ISATAP host and the client ask for their routers and gateways.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::{A, Aaaa};

use crate::upstream::{ExchangeError, Upstreams};

/// Which addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// A records.
    V4,
    /// AAAA records.
    V6,
}

/// Addresses and how long they may be believed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resolved {
    /// In the order of the answer. Empty: the name exists and has none.
    pub addresses: Vec<IpAddr>,
    /// Seconds: the shortest of the records.
    pub ttl: u32,
}

/// Why a name has no addresses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ResolveError {
    /// Not a domain name.
    BadName(String),
    /// No answer.
    Exchange(ExchangeError),
    /// The servers say that there is no such name.
    NoSuchName,
    /// The servers answered with this error.
    Failed(Rcode),
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(name) => write!(f, "{name:?} is no domain name"),
            Self::Exchange(error) => fmt::Display::fmt(error, f),
            Self::NoSuchName => f.write_str("no such name"),
            Self::Failed(rcode) => write!(f, "the name servers answered {rcode}"),
        }
    }
}

impl std::error::Error for ResolveError {}

/// All addresses of `name`, IPv6 first. An address in text is its own answer.
///
/// # Errors
/// See [`ResolveError`]; one family that fails does not hide the other.
pub async fn resolve(name: &str, servers: &[SocketAddr]) -> Result<Vec<IpAddr>, ResolveError> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let (v6, v4) =
        tokio::join!(resolve_family(name, Family::V6, servers), resolve_family(name, Family::V4, servers));
    match (v6, v4) {
        (Ok(v6), Ok(v4)) => Ok([v6.addresses, v4.addresses].concat()),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) if !one.addresses.is_empty() => Ok(one.addresses),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// The addresses of `name` in one family. An address in text is its own answer, for an hour.
///
/// # Errors
/// See [`ResolveError`].
pub async fn resolve_family(
    name: &str,
    family: Family,
    servers: &[SocketAddr],
) -> Result<Resolved, ResolveError> {
    if let Ok(address) = name.parse::<IpAddr>() {
        let fits = address.is_ipv4() == (family == Family::V4);
        return Ok(Resolved { addresses: Vec::from_iter(fits.then_some(address)), ttl: 3_600 });
    }
    let parsed: Name<Vec<u8>> =
        Name::vec_from_str(name).map_err(|_| ResolveError::BadName(name.to_owned()))?;
    let question = question(&parsed, family).ok_or_else(|| ResolveError::BadName(name.to_owned()))?;
    let answer = Upstreams::new(servers).exchange(&question).await.map_err(ResolveError::Exchange)?;
    read(&answer, family)
}

fn question(name: &Name<Vec<u8>>, family: Family) -> Option<Vec<u8>> {
    let rtype = match family {
        Family::V4 => Rtype::A,
        Family::V6 => Rtype::AAAA,
    };
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    question.push((name, rtype)).ok()?;
    let mut additional = question.additional();
    additional
        .opt(|opt| {
            opt.set_udp_payload_size(1_232);
            Ok(())
        })
        .ok()?;
    Some(additional.finish())
}

fn read(answer: &[u8], family: Family) -> Result<Resolved, ResolveError> {
    let unusable = || ResolveError::Exchange(ExchangeError::Unusable);
    let message = Message::from_slice(answer).map_err(|_| unusable())?;
    match message.header().rcode() {
        Rcode::NOERROR => {}
        Rcode::NXDOMAIN => return Err(ResolveError::NoSuchName),
        other => return Err(ResolveError::Failed(other)),
    }
    // Only what the chain of aliases leads to, whatever else stands in the answer.
    let owner = message.canonical_name().ok_or_else(unusable)?;
    let section = message.answer().map_err(|_| unusable())?;
    let mut found = Resolved { addresses: Vec::new(), ttl: u32::MAX };
    match family {
        Family::V4 => {
            for record in section.limit_to_in::<A>() {
                let record = record.map_err(|_| unusable())?;
                if *record.owner() == owner {
                    found.addresses.push(record.data().addr().into());
                    found.ttl = found.ttl.min(record.ttl().as_secs());
                }
            }
        }
        Family::V6 => {
            for record in section.limit_to_in::<Aaaa>() {
                let record = record.map_err(|_| unusable())?;
                if *record.owner() == owner {
                    found.addresses.push(record.data().addr().into());
                    found.ttl = found.ttl.min(record.ttl().as_secs());
                }
            }
        }
    }
    if found.addresses.is_empty() {
        found.ttl = 0;
    }
    Ok(found)
}
