//! Questions and answers for the tests.
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use std::net::{IpAddr, Ipv4Addr};

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name, Record, Ttl, UnknownRecordData};
use domain::rdata::{A, Aaaa, Cname, Soa};
use sixgate_cache::Asked;

pub(crate) fn client(n: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, n))
}

fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).unwrap()
}

/// With an OPT record.
pub(crate) fn question(text: &str, rtype: u16, dnssec_ok: bool, cd: bool) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(true);
    builder.header_mut().set_cd(cd);
    let mut builder = builder.question();
    builder.push((name(text), Rtype::from_int(rtype))).unwrap();
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(1_232);
            opt.set_dnssec_ok(dnssec_ok);
            Ok(())
        })
        .unwrap();
    builder.finish()
}

/// TTLs of all records but OPT, in order.
pub(crate) fn ttls(message: &[u8]) -> Vec<u32> {
    let message = Message::from_slice(message).unwrap();
    let sections = [message.answer().unwrap(), message.authority().unwrap()];
    sections.into_iter().flatten().map(|record| record.unwrap().ttl().as_secs()).collect()
}

/// An answer of an upstream.
#[derive(Clone)]
pub(crate) struct Upstream {
    own: Name<Vec<u8>>,
    rtype: Rtype,
    rcode: u8,
    answer: Vec<(Name<Vec<u8>>, u32, Data)>,
    authority: Vec<(Name<Vec<u8>>, u32, u32)>,
    opt: bool,
}

#[derive(Clone)]
enum Data {
    A,
    Aaaa,
    Cname(Name<Vec<u8>>),
    Raw(u16, Vec<u8>),
}

impl Upstream {
    pub(crate) fn to(asked: &Asked) -> Self {
        let key = asked.key();
        let rtype = Rtype::from_int(u16::from_be_bytes([key[5], key[6]]));
        let own = asked.name().clone();
        Self { own, rtype, rcode: 0, answer: Vec::new(), authority: Vec::new(), opt: false }
    }

    pub(crate) fn rcode(mut self, rcode: u8) -> Self {
        self.rcode = rcode;
        self
    }

    pub(crate) fn with_opt(mut self) -> Self {
        self.opt = true;
        self
    }

    pub(crate) fn a(mut self, ttl: u32) -> Self {
        self.answer.push((self.own.clone(), ttl, Data::A));
        self
    }

    pub(crate) fn a_of(mut self, owner: &str, ttl: u32) -> Self {
        self.answer.push((name(owner), ttl, Data::A));
        self
    }

    pub(crate) fn aaaa(mut self, ttl: u32) -> Self {
        self.answer.push((self.own.clone(), ttl, Data::Aaaa));
        self
    }

    pub(crate) fn cname(mut self, owner: &str, target: &str, ttl: u32) -> Self {
        self.answer.push((name(owner), ttl, Data::Cname(name(target))));
        self
    }

    pub(crate) fn raw(mut self, rtype: u16, data: &[u8]) -> Self {
        self.answer.push((self.own.clone(), 60, Data::Raw(rtype, data.to_vec())));
        self
    }

    pub(crate) fn soa(self, ttl: u32, minimum: u32) -> Self {
        self.soa_of("corp.example", ttl, minimum)
    }

    pub(crate) fn soa_of(mut self, zone: &str, ttl: u32, minimum: u32) -> Self {
        self.authority.push((name(zone), ttl, minimum));
        self
    }

    pub(crate) fn message(&self) -> Vec<u8> {
        let compressor = domain::base::message_builder::StaticCompressor::new(Vec::new());
        let mut builder = MessageBuilder::from_target(compressor).unwrap();
        let header = builder.header_mut();
        header.set_qr(true);
        header.set_rcode(Rcode::masked_from_int(self.rcode));
        let mut builder = builder.question();
        builder.push((&self.own, self.rtype)).unwrap();
        let mut builder = builder.answer();
        for (owner, ttl, data) in &self.answer {
            let ttl = Ttl::from_secs(*ttl);
            match data {
                Data::A => builder.push(Record::new(owner, Class::IN, ttl, A::new([10, 6, 0, 80].into()))),
                Data::Aaaa => builder.push(Record::new(owner, Class::IN, ttl, Aaaa::new([1; 16].into()))),
                Data::Cname(target) => builder.push(Record::new(owner, Class::IN, ttl, Cname::new(target))),
                Data::Raw(rtype, data) => {
                    let data = UnknownRecordData::from_octets(Rtype::from_int(*rtype), data).unwrap();
                    builder.push(Record::new(owner, Class::IN, ttl, data))
                }
            }
            .unwrap();
        }
        let mut builder = builder.authority();
        for (zone, ttl, minimum) in &self.authority {
            let times = [3_600, 600, 86_400, *minimum].map(Ttl::from_secs);
            let soa = Soa::new(zone, zone, 1.into(), times[0], times[1], times[2], times[3]);
            builder.push(Record::new(zone, Class::IN, Ttl::from_secs(*ttl), soa)).unwrap();
        }
        let mut builder = builder.additional();
        if self.opt {
            builder
                .opt(|opt| {
                    opt.set_udp_payload_size(1_232);
                    Ok(())
                })
                .unwrap();
        }
        builder.finish().into_target()
    }
}
