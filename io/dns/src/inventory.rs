//! AAAA records as they stand in the DNS: where, for how long, and in which zone. For cleaning up.

use std::fmt;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use domain::base::iana::{Rcode, Rtype};
use domain::base::name::ToName;
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::tsig::Time48;
use domain::rdata::{Aaaa, Soa};
use domain::tsig::ClientSequence;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::random;
use crate::update::TsigKey;
use crate::upstream::Upstreams;

/// A whole transfer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Records that are kept of a zone, and messages that it may come in.
const MOST_RECORDS: usize = 100_000;
const MOST_MESSAGES: usize = 100_000;

/// One AAAA record.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AaaaRecord {
    /// Its name, without a dot at the end.
    pub name: String,
    /// What it says.
    pub address: Ipv6Addr,
    /// Seconds.
    pub ttl: u32,
}

/// Why a zone did not come.
#[derive(Debug)]
pub enum TransferError {
    /// Not a domain name.
    BadName(String),
    /// The server does not allow it, or does not have the zone.
    Refused(Rcode),
    /// The connection, or its end.
    Broken(io::Error),
    /// Not a transfer, or one whose signature does not hold.
    Malformed,
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadName(name) => write!(f, "{name:?} is no domain name"),
            Self::Refused(rcode) => write!(f, "the server answered {rcode}"),
            Self::Broken(error) => fmt::Display::fmt(error, f),
            Self::Malformed => f.write_str("the server sent no zone, or one that is not signed by the key"),
        }
    }
}

impl std::error::Error for TransferError {}

/// The AAAA records that `name` leads to, an alias followed; `None` when no server says whether there are any.
pub async fn aaaa_of(name: &str, servers: &[SocketAddr]) -> Option<Vec<AaaaRecord>> {
    let answer = ask(name, Rtype::AAAA, servers).await?;
    let message = Message::from_slice(&answer).ok()?;
    matches!(message.header().rcode(), Rcode::NOERROR | Rcode::NXDOMAIN).then(|| records(message))
}

/// The zone that a name is in, as these servers know it.
pub async fn zone_of(name: &str, servers: &[SocketAddr]) -> Option<String> {
    let answer = ask(name, Rtype::SOA, servers).await?;
    let message = Message::from_slice(&answer).ok()?;
    if !matches!(message.header().rcode(), Rcode::NOERROR | Rcode::NXDOMAIN) {
        return None;
    }
    let asked: Name<Vec<u8>> = Name::vec_from_str(name).ok()?;
    let sections = [message.answer().ok()?, message.authority().ok()?];
    let mut owners = sections.into_iter().filter_map(|section| {
        let record = section.limit_to_in::<Soa<_>>().flatten().next()?;
        Some(ToName::to_vec(record.owner()))
    });
    owners.find(|owner| asked.ends_with(owner)).map(|owner| owner.to_string())
}

/// Every AAAA record of a zone (RFC 5936), where the server allows it.
///
/// # Errors
/// See [`TransferError`].
pub async fn transfer(
    zone: &str,
    server: SocketAddr,
    key: Option<&TsigKey>,
) -> Result<Vec<AaaaRecord>, TransferError> {
    let whole = timeout(PATIENCE, transfer_all(zone, server, key)).await;
    whole.unwrap_or_else(|_| Err(TransferError::Broken(io::ErrorKind::TimedOut.into())))
}

async fn transfer_all(
    zone: &str,
    server: SocketAddr,
    key: Option<&TsigKey>,
) -> Result<Vec<AaaaRecord>, TransferError> {
    let bad = || TransferError::BadName(zone.to_owned());
    let name: Name<Vec<u8>> = Name::vec_from_str(zone).map_err(|_| bad())?;
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(random::id());
    let mut question = builder.question();
    question.push((&name, Rtype::AXFR)).map_err(|_| bad())?;
    let mut message = question.additional();
    let id = message.header().id();
    let mut signatures = match key {
        Some(key) => Some(
            ClientSequence::request(key.shared(), &mut message, Time48::now())
                .map_err(|_| TransferError::Malformed)?,
        ),
        None => None,
    };
    let request = message.finish();
    let mut stream = TcpStream::connect(server).await.map_err(TransferError::Broken)?;
    let length = u16::try_from(request.len()).map_err(|_| bad())?;
    let framed = [&length.to_be_bytes()[..], &request].concat();
    stream.write_all(&framed).await.map_err(TransferError::Broken)?;
    let (mut found, mut ends) = (Vec::new(), 0);
    for _ in 0..MOST_MESSAGES {
        let length = stream.read_u16().await.map_err(TransferError::Broken)?;
        let mut octets = vec![0; usize::from(length)];
        stream.read_exact(&mut octets).await.map_err(TransferError::Broken)?;
        let mut answer = Message::from_octets(octets).map_err(|_| TransferError::Malformed)?;
        if answer.header().rcode() != Rcode::NOERROR {
            return Err(TransferError::Refused(answer.header().rcode()));
        }
        if answer.header().id() != id || !answer.header().qr() {
            return Err(TransferError::Malformed);
        }
        if let Some(signatures) = &mut signatures {
            signatures.answer(&mut answer, Time48::now()).map_err(|_| TransferError::Malformed)?;
        }
        // RFC 5936, section 2.2: the first and the last record are the same SOA.
        let section = answer.answer().map_err(|_| TransferError::Malformed)?;
        ends += section.limit_to_in::<Soa<_>>().flatten().count();
        found.extend(records(&answer));
        if ends >= 2 || found.len() > MOST_RECORDS {
            break;
        }
        if ends == 0 {
            return Err(TransferError::Malformed);
        }
    }
    if let Some(signatures) = signatures {
        signatures.done().map_err(|_| TransferError::Malformed)?;
    }
    found.truncate(MOST_RECORDS);
    Ok(found)
}

async fn ask(name: &str, rtype: Rtype, servers: &[SocketAddr]) -> Option<Vec<u8>> {
    let name: Name<Vec<u8>> = Name::vec_from_str(name).ok()?;
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    let mut question = builder.question();
    question.push((&name, rtype)).ok()?;
    Upstreams::new(servers).exchange(&question.finish()).await.ok()
}

fn records<O: AsRef<[u8]> + domain::dep::octseq::Octets + ?Sized>(message: &Message<O>) -> Vec<AaaaRecord> {
    let Ok(section) = message.answer() else { return Vec::new() };
    let all = section.limit_to_in::<Aaaa>().flatten();
    all.map(|record| AaaaRecord {
        name: record.owner().to_string().trim_end_matches('.').to_ascii_lowercase(),
        address: record.data().addr(),
        ttl: record.ttl().as_secs(),
    })
    .collect()
}
