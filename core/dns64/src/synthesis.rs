//! AAAA: the real ones where there are any, made from A where there are none (RFC 6147, section 5.1).
//!
//! | AAAA says | then |
//! | --- | --- |
//! | usable records, NXDOMAIN | that is the answer; A does not matter |
//! | nothing, excluded ones only, an error, silence | A decides (5.1.2, 5.1.3, 5.1.6) |
//!
//! A is asked at once when AAAA is empty, and after a head start when AAAA is slow, so that a name whose server is slow for
//! both costs one delay and a name with IPv6 costs no A.

use alloc::vec::Vec;
use core::net::IpAddr;

use domain::base::Ttl;
use domain::base::iana::{Class, OptRcode, Rtype};
use domain::rdata::{Aaaa, AllRecordData};
use sixgate_time::Instant;

use crate::answer::Kind;
use crate::config::Config;
use crate::exchange::{Side, failed, found};
use crate::lookup::{End, Lookup, Outcome};
use crate::query::Query;
use crate::records::OwnedRecord;
use crate::reply::Body;

/// RFC 6147, section 5.1.7: the most that a synthesised record lives when the empty AAAA answer had no SOA.
const TTL_WITHOUT_SOA: u32 = 600;

/// Both halves of a AAAA question.
#[derive(Debug)]
pub(crate) struct Synthesis {
    /// AAAA; absent where real ones are ignored.
    pub(crate) native: Option<Side>,
    /// A, once it is wanted.
    pub(crate) ipv4: Option<Side>,
    /// False where nothing may be synthesised for this name or asker.
    allowed: bool,
    pub(crate) head_start: Instant,
    pub(crate) patience: Instant,
}

/// What AAAA says.
enum Native {
    /// No word yet.
    Open,
    /// This is the answer.
    Final(Body, Kind),
    /// As if empty: the TTL that a record made instead may have at most, and the denial.
    Empty(u32, Vec<OwnedRecord>),
}

impl Synthesis {
    pub(crate) fn new(config: &Config, query: &Query, asker: IpAddr, now: Instant) -> Self {
        let listed = |list: &[crate::NamePattern]| list.iter().any(|pattern| pattern.matches(&query.name));
        let allowed = config.prefixes_of(asker).next().is_some() && !listed(&config.exclude_names);
        let side = |rtype| Side::new(Lookup::new(query.name.clone(), rtype, query.head.dnssec_ok()));
        let ignored = allowed && listed(&config.always_names);
        Self {
            native: (!ignored).then(|| side(Rtype::AAAA)),
            ipv4: ignored.then(|| side(Rtype::A)),
            allowed,
            head_start: now + config.head_start,
            patience: now + config.patience,
        }
    }

    /// When time alone changes something.
    pub(crate) fn next_timeout(&self) -> Instant {
        let open = self.native.as_ref().is_some_and(|side| side.outcome.is_none());
        if !self.allowed || !open {
            Instant::NEVER
        } else if self.ipv4.is_none() {
            self.head_start.min(self.patience)
        } else if self.ipv4.as_ref().is_some_and(|side| side.outcome.is_some()) {
            self.patience
        } else {
            Instant::NEVER
        }
    }

    /// Brings the halves together; gives the answer as soon as it is certain.
    pub(crate) fn settle(
        &mut self,
        config: &Config,
        query: &Query,
        asker: IpAddr,
        now: Instant,
    ) -> Option<(Body, Kind)> {
        let native = self.native(config, now);
        let (limit, denial) = match native {
            Native::Final(body, kind) => return Some((body, kind)),
            Native::Empty(limit, denial) => (limit, denial),
            Native::Open => {
                if self.allowed && now >= self.head_start {
                    self.want_ipv4(query);
                }
                return None;
            }
        };
        self.want_ipv4(query);
        let outcome = self.ipv4.as_ref()?.outcome.clone()?;
        Some(synthesise(config, asker, outcome, limit, denial))
    }

    fn want_ipv4(&mut self, query: &Query) {
        if self.ipv4.is_none() {
            let lookup = Lookup::new(query.name.clone(), Rtype::A, query.head.dnssec_ok());
            self.ipv4 = Some(Side::new(lookup));
        }
    }

    fn native(&self, config: &Config, now: Instant) -> Native {
        let Some(side) = &self.native else {
            return Native::Empty(TTL_WITHOUT_SOA, Vec::new());
        };
        let Some(outcome) = &side.outcome else {
            // RFC 6147, section 5.1.3: no answer counts as an empty one.
            let late = self.allowed && now >= self.patience;
            return if late { Native::Empty(TTL_WITHOUT_SOA, Vec::new()) } else { Native::Open };
        };
        let (usable, removed) = without_excluded(config, outcome);
        let final_ = |outcome: Outcome| {
            let (body, kind) = found(outcome, None);
            Native::Final(body, kind)
        };
        match outcome.end {
            // RFC 6147, section 5.1.2: NXDOMAIN stands, also where an A record would exist.
            End::NoName => final_(outcome.clone()),
            End::Exists if usable.iter().any(|record| record.rtype() == Rtype::AAAA) => {
                final_(Outcome { data: usable, ..outcome.clone() })
            }
            End::Exists | End::TooLong | End::Failed(_) if !self.allowed => {
                final_(Outcome { data: usable, ..outcome.clone() })
            }
            // RFC 6147, section 5.1.7
            End::Exists if !removed => {
                // RFC 8767, section 4: what is past its time has a TTL of its own, whatever the zone says.
                let ttl = if side.stale { outcome.denial_ttl() } else { outcome.negative_ttl() };
                Native::Empty(ttl.unwrap_or(TTL_WITHOUT_SOA), outcome.denial.clone())
            }
            End::Exists | End::TooLong | End::Failed(_) => Native::Empty(TTL_WITHOUT_SOA, Vec::new()),
        }
    }
}

/// RFC 6147, section 5.1.4: real AAAA without the excluded ones. Signatures over a set that lost members prove nothing.
fn without_excluded(config: &Config, outcome: &Outcome) -> (Vec<OwnedRecord>, bool) {
    let excluded = |record: &OwnedRecord| {
        let AllRecordData::Aaaa(data) = record.data() else { return false };
        config.excludes(data.addr())
    };
    if !outcome.data.iter().any(excluded) {
        return (outcome.data.clone(), false);
    }
    let kept = outcome.data.iter().filter(|record| record.rtype() == Rtype::AAAA && !excluded(record));
    (kept.cloned().collect(), true)
}

/// RFC 6147, section 5.1.6: the answer to A is the basis of the answer.
fn synthesise(
    config: &Config,
    asker: IpAddr,
    mut outcome: Outcome,
    most_ttl: u32,
    denial: Vec<OwnedRecord>,
) -> (Body, Kind) {
    match outcome.end {
        End::Exists => {}
        End::NoName | End::TooLong => {
            outcome.data.clear();
            return found(outcome, None);
        }
        End::Failed(failure) => return failed(failure),
    }
    let excluded = config.exclude_names.iter().any(|pattern| pattern.matches(&outcome.owner));
    let mut made = Vec::new();
    for record in outcome.data.iter().filter(|_| !excluded) {
        let AllRecordData::A(data) = record.data() else {
            continue;
        };
        let ttl = Ttl::from_secs(record.ttl().as_secs().min(most_ttl));
        made.extend(config.synthesise(asker, data.addr()).map(|v6| {
            let data = AllRecordData::Aaaa(Aaaa::new(v6));
            OwnedRecord::new(outcome.owner.clone(), Class::IN, ttl, data)
        }));
    }
    let mut answer = outcome.chain;
    if made.is_empty() {
        let authority = if outcome.denial.is_empty() { denial } else { outcome.denial };
        return (Body { rcode: Some(OptRcode::NOERROR), answer, authority, ..Body::default() }, Kind::Passed);
    }
    answer.append(&mut made);
    // The SOA of the empty AAAA answer stays away: beside records it would read as "no data".
    (Body { answer, ..Body::default() }, Kind::Synthesised)
}
