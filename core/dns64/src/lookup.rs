//! One name and type, followed along its chain of aliases to the end.
//!
//! An upstream that stops in the middle of a chain is asked again for the next name, so that each name comes under its own
//! forwarding rule.

use alloc::vec::Vec;

use domain::base::Name;
use domain::base::iana::{Class, OptRcode, Rtype};
use domain::base::name::ToLabelIter;
use domain::rdata::AllRecordData;

use crate::records::{OwnedName, OwnedRecord, Response};

/// Aliases that are followed for one question.
const MOST_LINKS: usize = 16;

/// A lookup under way.
#[derive(Clone, Debug)]
pub(crate) struct Lookup {
    rtype: Rtype,
    /// The name that is asked for next.
    name: OwnedName,
    chain: Vec<OwnedRecord>,
    links: usize,
    keep_proofs: bool,
}

/// How a lookup ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    /// Aliases from the question on, with their signatures.
    pub(crate) chain: Vec<OwnedRecord>,
    /// The last name of the chain.
    pub(crate) owner: OwnedName,
    /// Records of the type asked for at that name, with their signatures.
    pub(crate) data: Vec<OwnedRecord>,
    /// SOA and proofs of a denial.
    pub(crate) denial: Vec<OwnedRecord>,
}

/// What was found at the end of the chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The name exists; it may have no record of the type.
    Exists,
    /// NXDOMAIN
    NoName,
    /// A DNAME made a name that is too long (RFC 6672, section 2.2).
    TooLong,
    /// Nothing that can be relied on.
    Failed(Failure),
}

/// Why a question to an upstream brought nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// No upstream answered.
    Silence,
    /// Upstreams answered, but nothing that belongs to the question.
    Unusable,
    /// Cannot be read, or answers another question.
    Malformed,
    /// Another rcode than NOERROR, NXDOMAIN and YXDOMAIN; with the upstream's extended error.
    Refused(OptRcode, Option<u16>),
    /// Too many aliases.
    Loop,
}

impl Lookup {
    pub(crate) fn new(name: OwnedName, rtype: Rtype, keep_proofs: bool) -> Self {
        Self { rtype, name, chain: Vec::new(), links: 0, keep_proofs }
    }

    /// What to ask an upstream now.
    pub(crate) fn question(&self) -> (&OwnedName, Rtype) {
        (&self.name, self.rtype)
    }

    /// Takes an upstream's answer to [`Self::question`]; `None` when there was none. Gives the end, or `None` when the
    /// question has become another one that is to be asked.
    pub(crate) fn absorb(&mut self, message: Option<&[u8]>) -> Option<Outcome> {
        let Some(message) = message else {
            return Some(self.fail(Failure::Silence));
        };
        let Some(response) = Response::parse(message, &self.name, self.rtype, Class::IN) else {
            return Some(self.fail(Failure::Malformed));
        };
        let nothing = match response.rcode {
            OptRcode::NOERROR => End::Exists,
            OptRcode::NXDOMAIN => End::NoName,
            OptRcode::YXDOMAIN => End::TooLong,
            other => return Some(self.fail(Failure::Refused(other, response.extended_error))),
        };
        let links = self.links;
        loop {
            let data = self.data(&response.answer);
            if data.iter().any(|record| record.rtype() == self.rtype) {
                return Some(self.finish(End::Exists, data, Vec::new()));
            }
            match self.step(&response.answer) {
                Step::Followed if self.links > MOST_LINKS => return Some(self.fail(Failure::Loop)),
                Step::Followed => {}
                Step::TooLong => return Some(self.finish(End::TooLong, Vec::new(), Vec::new())),
                Step::Ends => break,
            }
        }
        let denial = self.denial(&response.authority);
        let answered = denial.iter().any(|record| record.rtype() == Rtype::SOA);
        // A chain without its target is followed, unless the upstream says that nothing is there.
        if nothing == End::Exists && self.links > links && !answered {
            return None;
        }
        Some(self.finish(nothing, Vec::new(), denial))
    }

    /// Ends the lookup, since no answer can be had.
    pub(crate) fn fail(&mut self, failure: Failure) -> Outcome {
        self.finish(End::Failed(failure), Vec::new(), Vec::new())
    }

    /// The records asked for at the current name.
    fn data(&self, answer: &[OwnedRecord]) -> Vec<OwnedRecord> {
        answer.iter().filter(|r| *r.owner() == self.name && self.belongs(r, self.rtype)).cloned().collect()
    }

    /// Moves to the target of the current name's alias.
    fn step(&mut self, answer: &[OwnedRecord]) -> Step {
        // RFC 6672, section 3.1: a DNAME comes with the CNAME that it makes; both are kept.
        let dname = answer.iter().find_map(|record| {
            let AllRecordData::Dname(data) = record.data() else { return None };
            below(&self.name, record.owner()).then_some((record, data.dname()))
        });
        let cname = answer.iter().find_map(|record| {
            let AllRecordData::Cname(data) = record.data() else { return None };
            (*record.owner() == self.name).then(|| data.cname().clone())
        });
        if let Some((record, _)) = dname {
            self.keep(answer, &record.owner().clone(), Rtype::DNAME);
        }
        let target = match (cname, dname) {
            (Some(target), _) => {
                self.keep(answer, &self.name.clone(), Rtype::CNAME);
                target
            }
            (None, Some((record, target))) => match substitute(&self.name, record.owner(), target) {
                Some(target) => {
                    let cname = domain::rdata::Cname::new(target.clone());
                    self.chain.push(OwnedRecord::new(
                        self.name.clone(),
                        Class::IN,
                        record.ttl(),
                        AllRecordData::Cname(cname),
                    ));
                    target
                }
                None => return Step::TooLong,
            },
            (None, None) => return Step::Ends,
        };
        self.links += 1;
        self.name = target;
        Step::Followed
    }

    /// Copies the records of this owner and type, and their signatures, to the chain.
    fn keep(&mut self, answer: &[OwnedRecord], owner: &OwnedName, rtype: Rtype) {
        for record in answer {
            if record.owner() == owner && self.belongs(record, rtype) {
                self.chain.push(record.clone());
            }
        }
    }

    /// True for a record of this type and class IN, or a signature over it that the asker wants to see.
    fn belongs(&self, record: &OwnedRecord, rtype: Rtype) -> bool {
        if record.class() != Class::IN {
            return false;
        }
        if let AllRecordData::Rrsig(signature) = record.data()
            && rtype != Rtype::RRSIG
        {
            return self.keep_proofs && signature.type_covered() == rtype;
        }
        record.rtype() == rtype
    }

    /// RFC 2181, section 5.4.1: of the authority section only what proves the denial.
    fn denial(&self, authority: &[OwnedRecord]) -> Vec<OwnedRecord> {
        let proofs: &[Rtype] =
            if self.keep_proofs { &[Rtype::SOA, Rtype::NSEC, Rtype::NSEC3] } else { &[Rtype::SOA] };
        authority
            .iter()
            .filter(|record| proofs.iter().any(|rtype| self.belongs(record, *rtype)))
            .cloned()
            .collect()
    }

    fn finish(&mut self, end: End, data: Vec<OwnedRecord>, denial: Vec<OwnedRecord>) -> Outcome {
        Outcome { end, chain: core::mem::take(&mut self.chain), owner: self.name.clone(), data, denial }
    }
}

impl Outcome {
    /// The TTL of the SOA alone, in seconds.
    pub(crate) fn denial_ttl(&self) -> Option<u32> {
        self.denial.iter().find(|record| record.rtype() == Rtype::SOA).map(|record| record.ttl().as_secs())
    }

    /// How long the absence may be believed, in seconds (RFC 2308, section 5); `None` without SOA.
    pub(crate) fn negative_ttl(&self) -> Option<u32> {
        self.denial.iter().find_map(|record| {
            let AllRecordData::Soa(soa) = record.data() else { return None };
            Some(record.ttl().as_secs().min(soa.minimum().as_secs()))
        })
    }
}

enum Step {
    Followed,
    TooLong,
    Ends,
}

/// True when `name` lies below `apex` and is not the apex itself.
fn below(name: &OwnedName, apex: &OwnedName) -> bool {
    name.ends_with(apex) && name.label_count() > apex.label_count()
}

/// RFC 6672, section 2.2: `name` with its suffix `owner` replaced by `target`; `None` when the result is too long.
fn substitute(name: &OwnedName, owner: &OwnedName, target: &OwnedName) -> Option<OwnedName> {
    let kept = name.label_count().checked_sub(owner.label_count())?;
    let mut octets = Vec::new();
    for label in name.iter_labels().take(kept).chain(target.iter_labels()) {
        octets.push(u8::try_from(label.len()).ok()?);
        octets.extend_from_slice(label.as_slice());
    }
    Name::from_octets(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dname_replaces_the_suffix_only() {
        let name = |text: &str| Name::vec_from_str(text).unwrap();
        assert_eq!(
            substitute(&name("a.b.old.example"), &name("old.example"), &name("new.test")),
            Some(name("a.b.new.test"))
        );
        let long = alloc::format!("{0}.{0}.{0}.old.example", "x".repeat(63));
        let target = alloc::format!("{}.test", "y".repeat(60));
        assert_eq!(substitute(&name(&long), &name("old.example"), &name(&target)), None);
        assert!(!below(&name("old.example"), &name("old.example")));
    }
}
