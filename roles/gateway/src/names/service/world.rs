//! For tests: an upstream that counts and can be struck dumb, the service in front of it, and clients that read closely.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use domain::base::iana::{Class, OptRcode, Rcode, Rtype};
use domain::base::opt::exterr::ExtendedError;
use domain::base::{Message, MessageBuilder, Name, Record, Ttl};
use domain::rdata::{A, Aaaa, Soa};
use sixgate_dns64::{Config, Rule};
use sixgate_io_dns::server::Options;
use sixgate_wire::addr::Prefix64;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, timeout};

use super::{Dns64Config, Dns64Service};
use crate::names::SharedCounters;

/// `tN...` has an A of TTL N and no AAAA, 10.6.0.80 with the question's DO and CD in the third octet; `gone...` does not exist, `slow...` is answered after 200 ms, `dead...` never.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    pub(super) asked: Arc<AtomicUsize>,
    pub(super) dumb: Arc<AtomicBool>,
}

impl Upstream {
    pub(super) async fn start() -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
        let own = Self { address: socket.local_addr().unwrap(), asked: Arc::default(), dumb: Arc::default() };
        let (asked, dumb) = (Arc::clone(&own.asked), Arc::clone(&own.dumb));
        tokio::spawn(async move {
            let mut buffer = [0; 1_500];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                asked.fetch_add(1, Ordering::Relaxed);
                let question = Message::from_octets(buffer[..length].to_vec()).unwrap();
                let name = question.sole_question().unwrap().qname().to_string();
                if dumb.load(Ordering::Relaxed) || name.starts_with("dead") {
                    continue;
                }
                let socket = Arc::clone(&socket);
                tokio::spawn(async move {
                    if name.starts_with("slow") {
                        sleep(Duration::from_millis(200)).await;
                    }
                    socket.send_to(&says(&question, &name), peer).await.unwrap();
                });
            }
        });
        own
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn says(question: &Message<Vec<u8>>, name: &str) -> Vec<u8> {
    let rtype = question.sole_question().unwrap().qtype();
    let owner: Name<Vec<u8>> = Name::vec_from_str(name).unwrap();
    let ttl = name.trim_start_matches('t').split('.').next().unwrap().parse().unwrap_or(60);
    let rcode = if name.starts_with("gone") { Rcode::NXDOMAIN } else { Rcode::NOERROR };
    let mut builder = MessageBuilder::new_vec().start_answer(question, rcode).unwrap();
    let has = rtype == Rtype::A && rcode == Rcode::NOERROR;
    if has {
        builder
            .push(Record::new(
                owner,
                Class::IN,
                Ttl::from_secs(ttl),
                A::from_octets(10, 6, pair(question), 80),
            ))
            .unwrap();
    }
    let mut builder = builder.authority();
    if !has {
        let zone: Name<Vec<u8>> = Name::vec_from_str("test").unwrap();
        let soa = Soa::new(&zone, &zone, 1.into(), Ttl::HOUR, Ttl::HOUR, Ttl::HOUR, Ttl::from_secs(300));
        builder.push(Record::new(&zone, Class::IN, Ttl::from_secs(300), soa)).unwrap();
    }
    builder.finish()
}

/// DO and CD of a question as one number.
pub(super) fn pair(question: &Message<Vec<u8>>) -> u8 {
    let dnssec_ok = question.opt().is_some_and(|opt| opt.dnssec_ok());
    u8::from(dnssec_ok) << 1 | u8::from(question.header().cd())
}

/// What a client gets.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) octets: Vec<u8>,
    pub(super) rcode: OptRcode,
    pub(super) addresses: Vec<(String, u32)>,
    pub(super) extended: Vec<u16>,
    pub(super) took: Duration,
}

pub(super) struct Client {
    pub(super) socket: UdpSocket,
}

impl Client {
    pub(super) async fn from(address: &str, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((address, 0)).await.unwrap();
        socket.connect(server).await.unwrap();
        Self { socket }
    }

    pub(super) async fn ask(&self, name: &str, rtype: Rtype) -> Option<Got> {
        self.send(&question(name, rtype, true)).await
    }

    pub(super) async fn send(&self, question: &[u8]) -> Option<Got> {
        let start = Instant::now();
        self.socket.send(question).await.unwrap();
        let mut buffer = [0; 1_500];
        let length = timeout(Duration::from_secs(6), self.socket.recv(&mut buffer)).await.ok()?.unwrap();
        assert_eq!(buffer[..2], question[..2]);
        Some(read(&buffer[..length], start.elapsed()))
    }
}

pub(super) fn read(octets: &[u8], took: Duration) -> Got {
    let message = Message::from_octets(octets.to_vec()).unwrap();
    let records = message.answer().unwrap().limit_to_in::<Aaaa>().flatten();
    let addresses = records.map(|r| (r.data().addr().to_string(), r.ttl().as_secs())).collect();
    let extended = message.opt().map_or(vec![], |opt| {
        opt.opt().iter::<ExtendedError<&[u8]>>().flatten().map(|error| error.code().to_int()).collect()
    });
    Got { octets: octets.to_vec(), rcode: message.opt_rcode(), addresses, extended, took }
}

pub(super) fn question(name: &str, rtype: Rtype, recursion: bool) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_rd(recursion);
    static ID: AtomicUsize = AtomicUsize::new(7);
    builder.header_mut().set_id(ID.fetch_add(1, Ordering::Relaxed) as u16);
    let mut builder = builder.question();
    builder.push((Name::<Vec<u8>>::vec_from_str(name).unwrap(), rtype)).unwrap();
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(1_232);
            Ok(())
        })
        .unwrap();
    builder.finish()
}

pub(super) struct Bench {
    pub(super) upstream: Upstream,
    pub(super) service: Dns64Service,
    pub(super) config: Dns64Config,
    pub(super) counters: SharedCounters,
    pub(super) client: Client,
}

pub(super) async fn bench(options: Options) -> Bench {
    let prefix = Prefix64::new("fd6a:7e00:cafe:7777::/96".parse().unwrap()).unwrap();
    bench_with(options, vec![Rule::for_all(prefix)]).await
}

pub(super) async fn bench_with(options: Options, rules: Vec<Rule>) -> Bench {
    let upstream = Upstream::start().await;
    let config = Dns64Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        options,
        upstream: vec![upstream.address],
        forward: vec![],
        synthesis: Config { rules, ..Config::default() },
        cache: sixgate_cache::Options::default(),
        rebinding_protection: false,
        query_log: None,
    };
    let counters = SharedCounters::default();
    let service = Dns64Service::start(config.clone(), counters.clone()).unwrap();
    let client = Client::from("127.0.0.1", service.addresses()[0]).await;
    Bench { upstream, service, config, counters, client }
}
