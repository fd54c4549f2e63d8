//! What is kept of an upstream's answer (RFC 2181, section 5.4.1): the chain of aliases from the question on, the records at
//! its end, or the denial. Nothing of other owners, nothing of the additional section, no data that does not fit its type.

use alloc::vec::Vec;

use domain::base::iana::{Class, OptRcode, Rtype};
use domain::base::message_builder::{PushError, RecordSectionBuilder, StaticCompressor};
use domain::base::name::{FlattenInto, ParsedName};
use domain::base::opt::exterr::ExtendedError;
use domain::base::{Message, MessageBuilder, Name, Record, Ttl};
use domain::rdata::AllRecordData;

use crate::asked::Asked;
use crate::cache::Cause;

/// RFC 8767, section 4 and RFC 2181, section 8 leave the most to us: a day.
const LONGEST: u32 = 86_400;
/// RFC 2308, section 5: one to three hours.
const LONGEST_DENIAL: u32 = 3 * 3_600;
/// Aliases that are followed in one answer.
const MOST_LINKS: usize = 16;

type Data<'a> = AllRecordData<&'a [u8], ParsedName<&'a [u8]>>;
type Parsed<'a> = Record<ParsedName<&'a [u8]>, Data<'a>>;
type OwnedName = Name<Vec<u8>>;

/// An answer that may be given out and kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// The whole message to the question that was asked, its id zero.
    pub message: Vec<u8>,
    /// How long it holds, in seconds; 0 = now only.
    pub life: u32,
    /// NXDOMAIN of the name that was asked: it counts for every type (RFC 2308, section 5).
    pub whole_name: bool,
}

/// Takes what matters out of `answer`. `within` says whether a name belongs to the upstreams that gave it: an alias that leads
/// elsewhere is kept, and what it leads to is not theirs to say.
///
/// # Errors
/// Why the answer is as good as none.
pub fn keep(answer: &[u8], asked: &Asked, within: impl Fn(&OwnedName) -> bool) -> Result<Kept, Cause> {
    let message = Message::from_slice(answer).map_err(|_| Cause::Malformed)?;
    let header = message.header();
    if !header.qr() || header.tc() {
        return Err(Cause::Malformed);
    }
    let rcode = message.opt_rcode();
    if !matches!(rcode, OptRcode::NOERROR | OptRcode::NXDOMAIN | OptRcode::YXDOMAIN) {
        let extended = message.opt().and_then(|opt| {
            opt.opt().iter::<ExtendedError<&[u8]>>().flatten().next().map(|error| error.code().to_int())
        });
        return Err(Cause::Rcode { rcode: rcode.to_int(), extended });
    }
    let question = message.sole_question().map_err(|_| Cause::Malformed)?;
    let same = question.qname() == &asked.name && question.qtype() == asked.rtype;
    if !same || question.qclass() != Class::IN {
        return Err(Cause::Malformed);
    }
    let sections = Sections::of(message).ok_or(Cause::Malformed)?;
    let found = sections.follow(asked, within);
    found.write(asked, rcode).map_err(|_| Cause::Malformed)
}

struct Sections<'a> {
    answer: Vec<Parsed<'a>>,
    authority: Vec<Parsed<'a>>,
}

/// What an answer comes down to.
#[derive(Default)]
struct Found<'a> {
    answer: Vec<Parsed<'a>>,
    authority: Vec<Parsed<'a>>,
    /// RFC 2308, section 5; also the TTL of the SOA.
    denial: Option<u32>,
    /// No record of the type was at the end of the chain.
    empty: bool,
    /// The chain leads to names of others.
    cut: bool,
    links: usize,
}

impl<'a> Sections<'a> {
    /// `None` when anything in the message cannot be read, or does not fit its type.
    fn of(message: &'a Message<[u8]>) -> Option<Self> {
        let read = |section: domain::base::message::RecordSection<'a, [u8]>| {
            let mut records = Vec::new();
            for record in section {
                let record = record.ok()?;
                if matches!(record.rtype(), Rtype::OPT | Rtype::TSIG) {
                    continue;
                }
                records.push(record.into_any_record::<Data<'a>>().ok()?);
            }
            Some(records)
        };
        read(message.additional().ok()?)?;
        Some(Self { answer: read(message.answer().ok()?)?, authority: read(message.authority().ok()?)? })
    }

    fn follow(&self, asked: &Asked, within: impl Fn(&OwnedName) -> bool) -> Found<'a> {
        let mut found = Found::default();
        let mut name = asked.name.clone();
        loop {
            let at_name = |record: &&Parsed<'a>| *record.owner() == name;
            let data =
                self.answer.iter().filter(at_name).filter(|r| belongs(r, asked.rtype, asked.dnssec_ok));
            let before = found.answer.len();
            found.answer.extend(data.cloned());
            if found.answer.iter().skip(before).any(|r| asked.rtype == Rtype::ANY || r.rtype() == asked.rtype)
            {
                return found;
            }
            found.answer.truncate(before);
            let Some(target) = self.step(asked, &name, &mut found.answer) else { break };
            found.links += 1;
            if !within(&target) || found.links > MOST_LINKS {
                found.cut = true;
                return found;
            }
            name = target;
        }
        found.empty = true;
        let soa = self.authority.iter().find_map(|record| {
            let AllRecordData::Soa(soa) = record.data() else { return None };
            let holds = record.class() == Class::IN && name.ends_with(record.owner());
            holds.then(|| ttl_of(record).as_secs().min(soa.minimum().as_secs()).min(LONGEST_DENIAL))
        });
        found.denial = soa;
        if soa.is_some() {
            let proofs: &[Rtype] =
                if asked.dnssec_ok { &[Rtype::SOA, Rtype::NSEC, Rtype::NSEC3] } else { &[Rtype::SOA] };
            let proves = |r: &&Parsed<'a>| proofs.iter().any(|rtype| belongs(r, *rtype, asked.dnssec_ok));
            found.authority.extend(self.authority.iter().filter(proves).cloned());
        }
        found
    }

    /// Keeps the alias at `name` and gives its target.
    fn step(&self, asked: &Asked, name: &OwnedName, kept: &mut Vec<Parsed<'a>>) -> Option<OwnedName> {
        // RFC 6672, section 3.1: a DNAME comes with the CNAME that it makes; both are kept.
        let dname = self.answer.iter().find(|record| {
            let owner = record.owner();
            record.rtype() == Rtype::DNAME && name.ends_with(owner) && *owner != *name
        });
        if let Some(dname) = dname {
            let same =
                |r: &&Parsed<'a>| r.owner() == dname.owner() && belongs(r, Rtype::DNAME, asked.dnssec_ok);
            kept.extend(self.answer.iter().filter(same).cloned());
        }
        let target = self.answer.iter().find_map(|record| {
            let AllRecordData::Cname(data) = record.data() else { return None };
            (*record.owner() == *name).then(|| data.cname().try_flatten_into().ok()).flatten()
        })?;
        let same = |r: &&Parsed<'a>| *r.owner() == *name && belongs(r, Rtype::CNAME, asked.dnssec_ok);
        kept.extend(self.answer.iter().filter(same).cloned());
        Some(target)
    }
}

/// True for a record of this type and class IN, or a signature over it that the asker wants to see.
fn belongs(record: &Parsed<'_>, rtype: Rtype, proofs: bool) -> bool {
    if record.class() != Class::IN {
        return false;
    }
    if let AllRecordData::Rrsig(signature) = record.data()
        && !matches!(rtype, Rtype::RRSIG | Rtype::ANY)
    {
        return proofs && signature.type_covered() == rtype;
    }
    record.rtype() == rtype || rtype == Rtype::ANY
}

/// RFC 2181, section 8: a TTL with its highest bit set is zero.
fn ttl_of(record: &Parsed<'_>) -> Ttl {
    let seconds = record.ttl().as_secs();
    Ttl::from_secs(if i32::try_from(seconds).is_err() { 0 } else { seconds.min(LONGEST) })
}

impl Found<'_> {
    fn write(&self, asked: &Asked, rcode: OptRcode) -> Result<Kept, PushError> {
        // What is at the end of a chain that leads elsewhere is asked for there.
        let rcode = if self.cut || !self.empty { OptRcode::NOERROR } else { rcode };
        let mut builder = MessageBuilder::from_target(StaticCompressor::new(Vec::with_capacity(256)))
            .map_err(|_| PushError::ShortBuf)?;
        let header = builder.header_mut();
        header.set_qr(true);
        header.set_rd(true);
        header.set_ra(true);
        header.set_rcode(domain::base::iana::Rcode::masked_from_int(rcode.to_int() as u8));
        let mut question = builder.question();
        question.push((&asked.name, asked.rtype, Class::IN))?;
        let mut answer = question.answer();
        let mut life = LONGEST;
        push_all(&mut answer, &self.answer, LONGEST, &mut life)?;
        let mut authority = answer.authority();
        // The proofs must not outlive what they deny.
        let most = self.denial.unwrap_or(LONGEST_DENIAL);
        push_all(&mut authority, &self.authority, most, &mut life)?;
        // RFC 2308, section 5: a denial without SOA is not kept.
        if self.empty && self.denial.is_none() {
            life = 0;
        }
        let message = authority.additional().finish().into_target();
        Ok(Kept { message, life, whole_name: rcode == OptRcode::NXDOMAIN && self.links == 0 })
    }
}

fn push_all(
    section: &mut impl RecordSectionBuilder<StaticCompressor<Vec<u8>>>,
    records: &[Parsed<'_>],
    most: u32,
    life: &mut u32,
) -> Result<(), PushError> {
    for record in records {
        let ttl = Ttl::from_secs(ttl_of(record).as_secs().min(most));
        *life = (*life).min(ttl.as_secs());
        section.push((record.owner(), record.class(), ttl, record.data()))?;
    }
    Ok(())
}
