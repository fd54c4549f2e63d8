//! Ten thousand questions for one name, a hundred at a time, from two clients with different rules, with every DO and CD and
//! in any case: each gets its own answer, on the workers' own path.

use domain::base::iana::{OptRcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use sixgate_dns64::Rule;
use sixgate_io_dns::server::Options;
use sixgate_wire::addr::Prefix64;
use tokio::task::JoinSet;

use super::world::{Client, bench_with};

const NAME: &str = "t60.files.test";
const SOCKETS: u32 = 100;
const QUESTIONS: u32 = 100;
/// Prefixes of the two clients.
const PREFIXES: [&str; 2] = ["2001:db8:aaaa::/96", "2001:db8:bbbb::/96"];

fn rule(n: usize) -> Rule {
    let prefix = Prefix64::new(PREFIXES[n].parse().unwrap()).unwrap();
    let client = format!("127.0.0.{}/32", n + 1);
    Rule { clients: vec![client.parse().unwrap()], ..Rule::for_all(prefix) }
}

/// Chance that comes out the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 16
    }

    fn flip(&mut self) -> bool {
        self.roll() & 1 == 1
    }
}

/// `edns` says whether there is an OPT record, and its DO.
fn question(dice: &mut Dice, edns: Option<bool>, cd: bool) -> Vec<u8> {
    let spelt: String = NAME.chars().map(|c| if dice.flip() { c.to_ascii_uppercase() } else { c }).collect();
    let mut builder = MessageBuilder::new_vec();
    let header = builder.header_mut();
    header.set_id(dice.roll() as u16);
    header.set_rd(true);
    header.set_cd(cd);
    let mut builder = builder.question();
    builder.push((Name::<Vec<u8>>::vec_from_str(&spelt).unwrap(), Rtype::AAAA)).unwrap();
    let mut builder = builder.additional();
    if let Some(dnssec_ok) = edns {
        builder
            .opt(|opt| {
                opt.set_udp_payload_size(1_232);
                opt.set_dnssec_ok(dnssec_ok);
                Ok(())
            })
            .unwrap();
    }
    builder.finish()
}

#[tokio::test]
async fn ten_thousand_questions_for_one_name_each_get_their_own_answer() {
    let bench = bench_with(Options::default(), vec![rule(0), rule(1)]).await;
    let server = bench.service.addresses()[0];
    let mut askers = JoinSet::new();
    for socket in 0..SOCKETS {
        askers.spawn(async move {
            let who = (socket % 2) as usize;
            let client = Client::from(&format!("127.0.0.{}", who + 1), server).await;
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ u64::from(socket));
            for _ in 0..QUESTIONS {
                let (edns, cd) = (dice.flip().then(|| dice.flip()), dice.flip());
                let asked = question(&mut dice, edns, cd);
                let got = client.send(&asked).await.expect("an answer");
                let end = 12 + NAME.len() + 2 + 4;
                assert_eq!(got.octets[12..end], asked[12..end], "case");
                let message = Message::from_octets(got.octets.clone()).unwrap();
                let header = message.header();
                assert_eq!((header.cd(), header.ad(), header.rd(), header.ra()), (cd, false, true, true));
                let opt = message.opt().map(|opt| opt.dnssec_ok());
                assert_eq!((opt, got.rcode), (edns, OptRcode::NOERROR));
                let dnssec_ok = edns == Some(true);
                if dnssec_ok && cd {
                    // RFC 6147, section 5.5, case 3
                    assert!(got.addresses.is_empty() && header.rd());
                    continue;
                }
                let prefix = PREFIXES[who].trim_end_matches("/96");
                let pair = u16::from(dnssec_ok) << 1 | u16::from(cd);
                let want = format!("{prefix}a06:{:x}", pair << 8 | 80);
                let addresses = got.addresses.iter().map(|(address, _)| address.as_str()).collect::<Vec<_>>();
                assert_eq!(addresses, [want.as_str()]);
            }
        });
    }
    while let Some(done) = askers.join_next().await {
        done.unwrap();
    }
    // Each of four pairs of DO and CD for itself: AAAA, and A where it is synthesised.
    assert_eq!(bench.upstream.asked(), 7);
    let quick = bench.service.answered_at_once();
    assert!(quick > 9_000, "{quick} of 10,000 by the workers themselves");
}
