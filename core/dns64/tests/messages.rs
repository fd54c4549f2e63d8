//! Messages: what is answered how, sizes, own zones.
mod world;

use domain::base::Message;
use domain::base::iana::{OptRcode, Rcode, Rtype};
use proptest::prelude::*;
use sixgate_dns64::{Block, Config, Dns64, Exchange, Failure, Kind, Question, Rule, Step};
use sixgate_reason::{DNS_BLOCKED, DNS_MALFORMED};
use sixgate_time::Instant;
use world::*;

const X: &str = "x.test";

fn send(message: &[u8]) -> Step {
    let asker = std::net::Ipv6Addr::LOCALHOST.into();
    Dns64::new(config()).ask(Instant::ZERO, asker, false, message)
}

fn error(message: &[u8]) -> OptRcode {
    match send(message) {
        Step::Answer(answer) => {
            assert_eq!(answer.message[..2], message[..2]);
            read(answer).rcode()
        }
        other @ (Step::Exchange(_) | Step::Drop(_)) => panic!("{other:?}"),
    }
}

#[test]
fn what_is_no_question_is_dropped() {
    let mut answer = ask(X, Rtype::A).message();
    answer[2] |= 0x80;
    for message in [&answer[..], &answer[..11], &[]] {
        assert!(matches!(send(message), Step::Drop(DNS_MALFORMED)));
    }
}

#[test]
fn what_is_no_good_question_gets_its_error() {
    let good = ask(X, Rtype::A).message();
    let with = |at: usize, value: u8| {
        let mut message = good.clone();
        message[at] = value;
        message
    };
    assert_eq!(error(&with(2, 0x29)), OptRcode::NOTIMP);
    assert_eq!(error(&with(5, 0)), OptRcode::FORMERR);
    assert_eq!(error(&with(5, 2)), OptRcode::FORMERR);
    assert_eq!(error(&good[..good.len() - 1]), OptRcode::FORMERR);
    assert_eq!(error(&with(12, 0xc0)), OptRcode::FORMERR);
    let opt = good.len() - 11;
    assert_eq!(error(&with(opt + 6, 1)), OptRcode::BADVERS);
    let mut two = with(11, 2);
    two.extend_from_slice(&good[opt..]);
    assert_eq!(error(&two), OptRcode::FORMERR);
}

#[test]
fn opt_only_for_who_sent_opt() {
    let mut world = World::default().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let got = run(config(), &mut world, &Ask { edns: None, ..ask(X, Rtype::A) });
    assert!(got.message.opt().is_none());
    assert!(run(config(), &mut world, &ask(X, Rtype::A)).message.opt().is_some());
}

#[test]
fn the_question_keeps_its_case() {
    let mut world = World::default().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let got = run(config(), &mut world, &ask("X.tEst", Rtype::A));
    assert_eq!(got.message.sole_question().unwrap().qname().to_string(), "X.tEst");
    assert_eq!(got.answers(), ["X.tEst 60 A 10.0.0.1"]);
}

#[test]
fn an_answer_keeps_to_the_size_asked_for_and_to_1232() {
    let many = |n: u8| has((0..n).map(|i| a(X, 60, &format!("10.0.1.{i}"))).collect());
    let nothing = || empty(soa("test", 60, 60));
    for (edns, stream, limit, truncated) in [
        (None, false, 512, true),
        (Some((100, false)), false, 512, true),
        (Some((4096, false)), false, 1232, true),
        (Some((4096, false)), true, 65535, false),
    ] {
        let mut world = World::default().with(X, Rtype::AAAA, nothing()).with(X, Rtype::A, many(60));
        let got = run(config(), &mut world, &Ask { edns, stream, ..ask(X, Rtype::AAAA) });
        assert!(got.answer.message.len() <= limit);
        assert_eq!(got.message.header().tc(), truncated);
        assert!(!got.answers().is_empty());
        assert_eq!(got.message.opt().is_some(), edns.is_some());
        if !truncated {
            assert_eq!(got.answers().len(), 60);
        }
    }
}

#[test]
fn blocked_labels_do_not_exist() {
    let block =
        Block { labels: vec!["isatap".into(), "wpad".into()], zones: vec![name("corp.example")], bare: true };
    let config = Config { block: Some(block), ..config() };
    let mut world = World::default();
    for rtype in [Rtype::A, Rtype::AAAA, Rtype::TXT] {
        let got = run(config.clone(), &mut world, &ask("ISATAP.corp.example", rtype));
        assert_eq!((got.rcode(), got.extended_error()), (OptRcode::NXDOMAIN, Some(15)));
        assert_eq!((got.answer.kind, got.answer.reason), (Kind::Blocked, Some(DNS_BLOCKED)));
    }
    assert!(world.asked.is_empty());
}

#[test]
fn ipv4only_arpa_is_answered_without_upstream() {
    let mut world = World::default();
    for (dnssec_ok, checking_disabled) in [(false, false), (true, true)] {
        let question =
            Ask { edns: Some((1232, dnssec_ok)), checking_disabled, ..ask("ipv4only.ARPA", Rtype::AAAA) };
        let got = run(config(), &mut world, &question);
        assert_eq!(
            got.answers(),
            [
                "ipv4only.ARPA 86400 AAAA 2001:db8:64::c000:aa",
                "ipv4only.ARPA 86400 AAAA 2001:db8:64::c000:ab"
            ]
        );
        assert!(got.message.header().aa());
    }
    let short = Config { prefix_lifetime: 120, ..config() };
    let got = run(short, &mut world, &ask("ipv4only.arpa", Rtype::A));
    assert_eq!(got.answers(), ["ipv4only.arpa 120 A 192.0.0.170", "ipv4only.arpa 120 A 192.0.0.171"]);
    let got = run(config(), &mut world, &ask("ipv4only.arpa", Rtype::TXT));
    assert_eq!((got.rcode(), got.answers().len(), got.authorities().len()), (OptRcode::NOERROR, 0, 1));
    let got = run(config(), &mut world, &ask("a.ipv4only.arpa", Rtype::A));
    assert_eq!(got.rcode(), OptRcode::NXDOMAIN);
    let got = run(config(), &mut world, &ask("171.0.0.192.in-addr.arpa", Rtype::PTR));
    assert_eq!(got.answers(), ["171.0.0.192.in-addr.arpa 86400 PTR ipv4only.arpa"]);
    assert!(world.asked.is_empty());
    let mut world = World::default().with("ipv4only.arpa", Rtype::DS, empty(soa("arpa", 60, 60)));
    assert_eq!(run(config(), &mut world, &ask("ipv4only.arpa", Rtype::DS)).rcode(), OptRcode::NOERROR);
    assert_eq!(world.asked.len(), 1);
}

const REVERSE: &str = "5.3.0.0.6.0.a.0.0.0.0.0.0.0.0.0.0.0.0.0.4.6.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

#[test]
fn a_synthesised_addresss_reverse_name_leads_to_the_ipv4_one() {
    let target = "53.0.6.10.in-addr.arpa";
    let ptr = Rr(target.into(), 60, Data::Ptr(domain::rdata::Ptr::new(name("dns.corp.example"))));
    let mut world = World::default().with(target, Rtype::PTR, has(vec![ptr]));
    let got = run(config(), &mut world, &ask(REVERSE, Rtype::PTR));
    assert_eq!(
        got.answers(),
        [format!("{REVERSE} 600 CNAME {target}"), format!("{target} 60 PTR dns.corp.example")]
    );
    let mut world = World::default().with(target, Rtype::PTR, rcode(Rcode::SERVFAIL));
    assert_eq!(run(config(), &mut world, &ask(REVERSE, Rtype::PTR)).rcode(), OptRcode::SERVFAIL);
    let mut world = World::default().with(target, Rtype::PTR, Says::Message(Rcode::NXDOMAIN, vec![], vec![]));
    let got = run(config(), &mut world, &ask(REVERSE, Rtype::PTR));
    assert_eq!((got.rcode(), got.answers().len()), (OptRcode::NXDOMAIN, 1));
}

#[test]
fn other_names_and_types_under_a_prefix_are_answered_locally() {
    let mut world = World::default();
    let got = run(config(), &mut world, &ask(REVERSE, Rtype::TXT));
    assert_eq!((got.rcode(), got.answers().len()), (OptRcode::NOERROR, 0));
    let got = run(config(), &mut world, &ask(&REVERSE[2..], Rtype::PTR));
    assert_eq!((got.rcode(), got.answers().len()), (OptRcode::NOERROR, 0));
    let got = run(config(), &mut world, &ask(&format!("1.{REVERSE}"), Rtype::PTR));
    assert_eq!(got.rcode(), OptRcode::NXDOMAIN);
    assert!(world.asked.is_empty());
}

#[test]
fn without_rules_it_is_a_plain_forwarder() {
    let mut world = World::default().with("ipv4only.arpa", Rtype::AAAA, empty(soa("arpa", 60, 60))).with(
        X,
        Rtype::AAAA,
        empty(soa("test", 60, 60)),
    );
    for asked in ["ipv4only.arpa", X] {
        let got = run(Config::default(), &mut world, &ask(asked, Rtype::AAAA));
        assert!(got.answers().is_empty() && got.authorities().len() == 1);
    }
    assert_eq!(world.asked.len(), 2);
}

#[test]
fn without_recursion_desired_and_for_transfers_it_refuses() {
    let mut world = World::default();
    let got = run(config(), &mut world, &Ask { recursion: false, ..ask(X, Rtype::A) });
    assert_eq!(got.rcode(), OptRcode::REFUSED);
    assert_eq!(run(config(), &mut world, &ask(X, Rtype::AXFR)).rcode(), OptRcode::REFUSED);
    assert!(world.asked.is_empty());
}

#[test]
fn any_over_udp_is_one_record_and_over_a_stream_what_the_upstream_says() {
    let mut world =
        World::default().with(X, Rtype::ANY, has(vec![a(X, 60, "192.0.2.1"), a(X, 60, "192.0.2.2")]));
    let got = run(config(), &mut world, &ask(X, Rtype::ANY));
    assert_eq!(got.answers(), ["x.test 3600 HINFO \"RFC8482\" \"\""]);
    assert!(world.asked.is_empty());
    let got = run(config(), &mut world, &Ask { stream: true, ..ask(X, Rtype::ANY) });
    assert_eq!(got.answers().len(), 2);
}

/// Feeds each question of the exchange and gives the answer.
fn feed(asked: &Ask, mut how: impl FnMut(&mut Exchange, Question)) -> Got {
    let now = Instant::from_secs(1);
    let Step::Exchange(mut exchange) = Dns64::new(config()).ask(now, asked.asker, false, &asked.message())
    else {
        panic!()
    };
    loop {
        while let Some(question) = exchange.poll_question() {
            how(&mut exchange, question);
        }
        if let Some(answer) = exchange.poll_answer() {
            return read(answer);
        }
        exchange.handle_timeout(exchange.next_timeout());
    }
}

#[test]
fn what_is_past_its_time_says_so_and_does_not_last() {
    let now = Instant::from_secs(1);
    let both = |v6: Says, v4: Says| World::default().with(X, Rtype::AAAA, v6).with(X, Rtype::A, v4);
    let gone = Says::Message(Rcode::NXDOMAIN, vec![], vec![soa("test", 60, 60)]);
    for (world, code) in [
        (both(has(vec![aaaa(X, 30, "2001:db8::1")]), Says::Silence), 3),
        (both(empty(soa("test", 30, 2)), has(vec![a(X, 30, "192.0.2.1")])), 3),
        (both(gone, Says::Silence), 19),
    ] {
        let mut stale = world.clone();
        let got = feed(&ask(X, Rtype::AAAA), |exchange, question| {
            let message = stale.reply(&question.message).unwrap();
            exchange.handle_stale(now, question.key, &message);
        });
        assert_eq!((got.extended_errors(), got.answer.lasting, got.answer.reason), (vec![code], false, None));
        assert!(got.answers().iter().all(|answer| answer.starts_with("x.test 30 ")), "{:?}", got.answers());
        let mut fresh = world.clone();
        let got = feed(&ask(X, Rtype::AAAA), |exchange, question| {
            let message = fresh.reply(&question.message).unwrap();
            exchange.handle_answer(now, question.key, Some(&message));
        });
        assert_eq!((got.extended_errors(), got.answer.lasting), (vec![], true));
    }
    // RFC 6147, section 5.1.2: made after a failure, but not to be repeated for as long as its TTL says.
    let mut world = both(Says::Silence, has(vec![a(X, 300, "192.0.2.1")]));
    let got = feed(&ask(X, Rtype::AAAA), |exchange, question| match world.reply(&question.message) {
        Some(message) => exchange.handle_answer(now, question.key, Some(&message)),
        None => exchange.handle_failure(now, question.key, Failure::Silence, true),
    });
    assert_eq!((got.answers().len(), got.answer.lasting), (1, false));
}

#[test]
fn a_failure_says_why_and_whether_it_is_an_old_one() {
    let now = Instant::from_secs(1);
    let refused = Failure::Refused(OptRcode::REFUSED, None);
    for (failure, code) in [
        (Failure::Silence, 22),
        (Failure::Unusable, 23),
        (Failure::Malformed, 24),
        (refused, 22),
        (Failure::Refused(OptRcode::SERVFAIL, None), 0),
        (Failure::Refused(OptRcode::SERVFAIL, Some(9)), 9),
    ] {
        for held in [false, true] {
            let got = feed(&ask(X, Rtype::A), |exchange, question| {
                exchange.handle_failure(now, question.key, failure, held);
            });
            let codes = if held { vec![code, 13] } else { vec![code] };
            assert_eq!((got.rcode(), got.extended_errors()), (OptRcode::SERVFAIL, codes));
        }
    }
}

#[test]
fn addresses_inside_are_taken_out_of_answers_from_outside() {
    let machine = Dns64::new(config());
    let asked = ask(X, Rtype::A).message();
    let clean = |answer: Vec<Rr>| {
        let says = has(answer);
        let reply = World::default().with(X, Rtype::A, says).reply(&asked).unwrap();
        machine.without_inside(&reply).map(|message| Message::from_octets(message).unwrap())
    };
    assert!(clean(vec![cname(X, 5, "y.test"), a("y.test", 60, "8.8.8.8")]).is_none());
    for bad in ["10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.169.254"] {
        let left =
            clean(vec![cname(X, 5, "y.test"), a("y.test", 60, bad), a("y.test", 60, "8.8.8.8")]).unwrap();
        assert_eq!((left.header_counts().ancount(), left.header().id()), (2, 0x1234), "{bad}");
    }
    for bad in ["::1", "fe80::1", "fd00::1", "2001:db8:64::10.0.0.1", "::ffff:10.0.0.1"] {
        assert_eq!(clean(vec![aaaa(X, 60, bad)]).unwrap().header_counts().ancount(), 0, "{bad}");
    }
    assert!(clean(vec![aaaa(X, 60, "2001:db8:64::8.8.8.8"), aaaa(X, 60, "2001:db8::1")]).is_none());
    // The asker hears why.
    let mut world = World::default().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let got = feed(&ask(X, Rtype::A), |exchange, question| {
        let message = machine.without_inside(&world.reply(&question.message).unwrap()).unwrap();
        exchange.note_filtered();
        exchange.handle_answer(Instant::from_secs(1), question.key, Some(&message));
    });
    assert_eq!((got.rcode(), got.answers().len(), got.extended_errors()), (OptRcode::NOERROR, 0, vec![17]));
    assert!(!got.answer.lasting);
}

#[test]
fn a_view_is_the_rules_that_serve_an_asker() {
    let mut config = config();
    config.rules[0].clients = vec!["fd64::/64".parse().unwrap()];
    config.rules.push(Rule::for_all(prefix("2001:db8:65::/96")));
    let view = |config: &Config, asker: &str| Dns64::new(config.clone()).view(asker.parse().unwrap());
    assert_eq!(view(&config, "fd64::1"), Some(3));
    assert_eq!(view(&config, "fd65::1"), Some(2));
    config.rules = vec![Rule::for_all(prefix("2001:db8:65::/96")); 65];
    assert_eq!(view(&config, "fd65::1"), None);
}

proptest! {
    #[test]
    fn no_message_of_a_client_panics(message in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = send(&message);
    }

    #[test]
    fn no_changed_octet_of_a_question_panics(at in 0_usize..40, value: u8) {
        let mut message = ask(X, Rtype::AAAA).message();
        let at = at % message.len();
        message[at] = value;
        if let Step::Answer(answer) = send(&message) {
            prop_assert!(Message::from_octets(answer.message).is_ok());
        }
    }

    #[test]
    fn no_answer_of_an_upstream_panics(
        garbage in proptest::collection::vec(any::<u8>(), 0..300),
        flip in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let Step::Exchange(mut exchange) = send(&ask(X, Rtype::AAAA).message()) else { panic!() };
        let mut world = World::default().with(X, Rtype::AAAA, Says::Garbage(garbage));
        let mut answered = false;
        for _ in 0..40 {
            while let Some(question) = exchange.poll_question() {
                let mut reply = world.reply(&question.message);
                if let Some(reply) = &mut reply {
                    for (at, value) in &flip {
                        let at = at.index(reply.len());
                        reply[at] ^= value;
                    }
                }
                exchange.handle_answer(Instant::ZERO, question.key, reply.as_deref());
            }
            answered = answered || exchange.poll_answer().is_some();
        }
        prop_assert!(answered);
    }
}
