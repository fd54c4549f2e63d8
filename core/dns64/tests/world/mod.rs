//! Upstream servers from a table, and askers whose answers can be judged.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use domain::base::iana::{Class, OptRcode, Rcode, Rtype};
use domain::base::name::ParsedName;
use domain::base::opt::exterr::ExtendedError;
use domain::base::{Message, MessageBuilder, Name, Record, Serial, Ttl};
use domain::rdata::{A, Aaaa, AllRecordData, Cname, Soa};
use sixgate_dns64::{Answer, Config, Dns64, Key, Rule, Step};
use sixgate_time::{Duration, Instant};
use sixgate_wire::addr::Prefix64;

pub(crate) type Data = AllRecordData<Vec<u8>, Name<Vec<u8>>>;

pub(crate) fn name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).unwrap()
}

/// One upstream's answer.
#[derive(Clone)]
pub(crate) enum Says {
    /// rcode, answer, authority
    Message(Rcode, Vec<Rr>, Vec<Rr>),
    /// Nothing, ever.
    Silence,
    /// These octets behind a good header and question.
    Garbage(Vec<u8>),
}

#[derive(Clone)]
pub(crate) struct Rr(pub(crate) String, pub(crate) u32, pub(crate) Data);

pub(crate) fn a(owner: &str, ttl: u32, address: &str) -> Rr {
    Rr(owner.into(), ttl, Data::A(A::new(address.parse().unwrap())))
}
pub(crate) fn aaaa(owner: &str, ttl: u32, address: &str) -> Rr {
    Rr(owner.into(), ttl, Data::Aaaa(Aaaa::new(address.parse().unwrap())))
}
pub(crate) fn cname(owner: &str, ttl: u32, target: &str) -> Rr {
    Rr(owner.into(), ttl, Data::Cname(Cname::new(name(target))))
}
pub(crate) fn soa(owner: &str, ttl: u32, minimum: u32) -> Rr {
    let t = Ttl::from_secs;
    let soa = Soa::new(name("ns.test"), name("root.test"), Serial(1), t(1), t(1), t(1), t(minimum));
    Rr(owner.into(), ttl, Data::Soa(soa))
}
pub(crate) fn has(answer: Vec<Rr>) -> Says {
    Says::Message(Rcode::NOERROR, answer, vec![])
}
pub(crate) fn empty(soa: Rr) -> Says {
    Says::Message(Rcode::NOERROR, vec![], vec![soa])
}
pub(crate) fn rcode(rcode: Rcode) -> Says {
    Says::Message(rcode, vec![], vec![])
}

#[derive(Clone, Default)]
pub(crate) struct World {
    table: BTreeMap<(String, u16), Says>,
    pub(crate) asked: Vec<(String, Rtype)>,
}

impl World {
    #[must_use]
    pub(crate) fn with(mut self, owner: &str, rtype: Rtype, says: Says) -> Self {
        self.table.insert((owner.into(), rtype.to_int()), says);
        self
    }

    pub(crate) fn reply(&mut self, question: &[u8]) -> Option<Vec<u8>> {
        let message = Message::from_octets(question.to_vec()).unwrap();
        let question = message.sole_question().unwrap();
        let text = question.qname().to_string().to_ascii_lowercase();
        self.asked.push((text.clone(), question.qtype()));
        let says = self.table.get(&(text, question.qtype().to_int())).cloned().unwrap_or(Says::Silence);
        let (rcode, answer, authority) = match says {
            Says::Silence => return None,
            Says::Garbage(octets) => {
                let mut builder = MessageBuilder::new_vec().start_answer(&message, Rcode::NOERROR).unwrap();
                builder.header_mut().set_qr(true);
                let mut octets_out = builder.finish();
                octets_out[7] = 1;
                octets_out.extend_from_slice(&octets);
                return Some(octets_out);
            }
            Says::Message(rcode, answer, authority) => (rcode, answer, authority),
        };
        let mut builder = MessageBuilder::new_vec().start_answer(&message, rcode).unwrap();
        for Rr(owner, ttl, data) in answer {
            builder.push((name(&owner), Class::IN, ttl, data)).unwrap();
        }
        let mut builder = builder.authority();
        for Rr(owner, ttl, data) in authority {
            builder.push((name(&owner), Class::IN, ttl, data)).unwrap();
        }
        Some(builder.finish())
    }
}

/// What a client sends.
pub(crate) struct Ask {
    pub(crate) name: String,
    pub(crate) rtype: Rtype,
    pub(crate) class: Class,
    pub(crate) asker: IpAddr,
    pub(crate) edns: Option<(u16, bool)>,
    pub(crate) checking_disabled: bool,
    pub(crate) stream: bool,
    pub(crate) recursion: bool,
}

pub(crate) fn ask(name: &str, rtype: Rtype) -> Ask {
    Ask {
        name: name.into(),
        rtype,
        class: Class::IN,
        asker: "fd64::9".parse().unwrap(),
        edns: Some((1232, false)),
        checking_disabled: false,
        stream: false,
        recursion: true,
    }
}

impl Ask {
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut builder = MessageBuilder::new_vec();
        builder.header_mut().set_id(0x1234);
        builder.header_mut().set_rd(self.recursion);
        builder.header_mut().set_cd(self.checking_disabled);
        let mut builder = builder.question();
        builder.push((name(&self.name), self.rtype, self.class)).unwrap();
        let mut builder = builder.additional();
        if let Some((size, dnssec_ok)) = self.edns {
            builder
                .opt(|opt| {
                    opt.set_udp_payload_size(size);
                    opt.set_dnssec_ok(dnssec_ok);
                    Ok(())
                })
                .unwrap();
        }
        builder.finish()
    }
}

/// An answer, read.
pub(crate) struct Got {
    pub(crate) answer: Answer,
    pub(crate) message: Message<Vec<u8>>,
}

impl Got {
    pub(crate) fn rcode(&self) -> OptRcode {
        self.message.opt_rcode()
    }
    /// `owner ttl TYPE data`, in order.
    pub(crate) fn answers(&self) -> Vec<String> {
        show(self.message.answer().unwrap())
    }
    pub(crate) fn authorities(&self) -> Vec<String> {
        show(self.message.authority().unwrap())
    }
    pub(crate) fn extended_errors(&self) -> Vec<u16> {
        let opt = self.message.opt().unwrap();
        opt.opt().iter::<ExtendedError<&[u8]>>().flatten().map(|error| error.code().to_int()).collect()
    }
    pub(crate) fn extended_error(&self) -> Option<u16> {
        let opt = self.message.opt()?;
        opt.opt().extended_error().map(|error| error.code().to_int())
    }
}

fn show(section: domain::base::message::RecordSection<'_, Vec<u8>>) -> Vec<String> {
    section
        .map(|record| {
            let record: Record<_, AllRecordData<&[u8], ParsedName<&[u8]>>> =
                record.unwrap().into_any_record().unwrap();
            let data = record.data().to_string();
            let data = data.trim_end_matches('.');
            format!("{} {} {} {data}", record.owner(), record.ttl().as_secs(), record.rtype())
        })
        .collect()
}

pub(crate) fn read(answer: Answer) -> Got {
    let message = Message::from_octets(answer.message.clone()).unwrap();
    Got { answer, message }
}

pub(crate) fn prefix(text: &str) -> Prefix64 {
    Prefix64::new(text.parse().unwrap()).unwrap()
}

pub(crate) fn config() -> Config {
    Config { rules: vec![Rule::for_all(prefix("2001:db8:64::/96"))], ..Config::default() }
}

/// Asks, with upstreams that answer at once; what is silent stays so until time makes the machine give up.
pub(crate) fn run(config: Config, world: &mut World, ask: &Ask) -> Got {
    run_slowly(config, world, ask, |_| Duration::ZERO).0
}

/// Each question is answered after `delay` of its type. Gives the time that the answer took.
pub(crate) fn run_slowly(
    config: Config,
    world: &mut World,
    ask: &Ask,
    delay: impl Fn(Rtype) -> Duration,
) -> (Got, Duration) {
    let start = Instant::from_secs(100);
    let mut now = start;
    let mut exchange = match Dns64::new(config).ask(now, ask.asker, ask.stream, &ask.message()) {
        Step::Answer(answer) => return (read(answer), Duration::ZERO),
        Step::Drop(reason) => panic!("dropped: {reason}"),
        Step::Exchange(exchange) => exchange,
    };
    let mut flying: Vec<(Instant, Key, Vec<u8>)> = Vec::new();
    if exchange.wants_no_recursion() {
        exchange.refuse();
    }
    loop {
        while let Some(question) = exchange.poll_question() {
            let rtype =
                Message::from_octets(question.message.clone()).unwrap().sole_question().unwrap().qtype();
            if let Some(reply) = world.reply(&question.message) {
                flying.push((now + delay(rtype), question.key, reply));
            }
        }
        if let Some(answer) = exchange.poll_answer() {
            assert_eq!(exchange.next_timeout(), Instant::NEVER);
            return (read(answer), now.since(start));
        }
        flying.sort_by_key(|(at, _, _)| *at);
        let timeout = exchange.next_timeout();
        match flying.first() {
            Some((at, _, _)) if *at <= timeout => {
                let (at, key, reply) = flying.remove(0);
                now = at;
                exchange.handle_answer(now, key, Some(&reply));
            }
            _ => {
                assert!(timeout > now || timeout == start, "time stands still");
                now = timeout;
                exchange.handle_timeout(now);
            }
        }
    }
}
