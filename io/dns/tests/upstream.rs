//! Exchanges with servers that forge, truncate, fail and keep silent.
mod fake;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use domain::base::Message;
use domain::base::iana::Rcode;
use fake::{Fake, answer, last, question};
use sixgate_io_dns::resolve::{Family, ResolveError, resolve, resolve_family};
use sixgate_io_dns::upstream::{ExchangeError, Forwarder, Upstreams};

const NAME: &str = "Files.corp.example";

fn never(_: &[u8]) -> Vec<u8> {
    panic!("nobody asks over TCP here")
}

/// Octets of the header and of the question.
fn changed(message: &[u8], at: usize) -> Vec<u8> {
    let mut message = message.to_vec();
    message[at] ^= 0x20;
    message
}

#[tokio::test]
async fn answers_that_do_not_belong_are_waited_past_and_counted() {
    let server = Fake::start(
        |q, _| {
            let good = answer(q, Rcode::NOERROR, 1);
            // Another id, another question, no answer at all, no message, and then the true one.
            vec![changed(&good, 1), changed(&good, 0), changed(&good, 31), q.to_vec(), vec![1, 2, 3], good]
        },
        never,
    )
    .await;
    let upstreams = Upstreams::new(&[server.address]);
    let got = upstreams.exchange(&question(NAME)).await.unwrap();
    assert_eq!((last(&got), Message::from_slice(&got).unwrap().header().id()), (Some(1), 77));
    assert_eq!((upstreams.take_mismatches(), upstreams.take_mismatches()), (5, 0));
}

#[tokio::test]
async fn the_case_is_mixed_and_comes_back_as_it_was_asked() {
    let server =
        Fake::start(|q, _| vec![answer(q, Rcode::NOERROR, u8::from(q[12..] != question(NAME)[12..]))], never);
    let server = server.await;
    let upstreams = Upstreams::new(&[server.address]).mixing_everywhere();
    let mut mixed = 0;
    for _ in 0..8 {
        let got = upstreams.exchange(&question(NAME)).await.unwrap();
        mixed += last(&got).unwrap();
        let message = Message::from_slice(&got).unwrap();
        assert_eq!(message.sole_question().unwrap().qname().to_string(), NAME);
    }
    assert!(mixed >= 7, "{mixed}");
}

#[tokio::test]
async fn a_server_that_loses_the_case_is_asked_once_more_and_then_in_plain() {
    let lower =
        |q: &[u8], _| vec![answer(&[&q[..12], &q[12..].to_ascii_lowercase()].concat(), Rcode::NOERROR, 1)];
    let server = Fake::start(lower, never).await;
    let upstreams = Upstreams::new(&[server.address]).mixing_everywhere();
    for _ in 0..3 {
        let got = upstreams.exchange(&question("files.corp.example")).await.unwrap();
        assert_eq!(last(&got), Some(1));
    }
    assert_eq!(server.asked(), (4, 0));
}

#[tokio::test]
async fn under_a_flood_of_forgeries_tcp_is_asked() {
    let forged = |q: &[u8], _| (0..30).map(|_| changed(&answer(q, Rcode::NOERROR, 66), 1)).collect();
    let server = Fake::start(forged, |q| answer(q, Rcode::NOERROR, 2)).await;
    let got = Upstreams::new(&[server.address]).exchange(&question(NAME)).await.unwrap();
    assert_eq!((last(&got), server.asked()), (Some(2), (1, 1)));
}

#[tokio::test]
async fn what_is_truncated_is_fetched_over_tcp() {
    let cut = |q: &[u8], _| {
        let mut cut = answer(q, Rcode::NOERROR, 1);
        cut[2] |= 2;
        vec![cut]
    };
    let server = Fake::start(cut, |q| answer(q, Rcode::NOERROR, 3)).await;
    let got = Upstreams::new(&[server.address]).exchange(&question(NAME)).await.unwrap();
    assert_eq!(last(&got), Some(3));
}

#[tokio::test]
async fn a_forged_answer_over_tcp_is_not_believed_either() {
    let cut = |q: &[u8], _| {
        let mut cut = answer(q, Rcode::NOERROR, 1);
        cut[2] |= 2;
        vec![cut]
    };
    let server = Fake::start(cut, |q| changed(&answer(q, Rcode::NOERROR, 66), 31)).await;
    let error = Upstreams::new(&[server.address]).exchange(&question(NAME)).await.unwrap_err();
    assert_eq!(error, ExchangeError::Unusable);
}

#[tokio::test]
async fn a_server_without_edns_is_asked_without() {
    let old = |q: &[u8], _| {
        let opt = Message::from_slice(q).unwrap().opt().is_some();
        vec![answer(q, if opt { Rcode::FORMERR } else { Rcode::NOERROR }, 4)]
    };
    let server = Fake::start(old, never).await;
    let got = Upstreams::new(&[server.address]).exchange(&question(NAME)).await.unwrap();
    assert_eq!((last(&got), server.asked()), (Some(4), (2, 0)));
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_silent_or_fails() {
    let silent = Fake::start(|_, _| vec![], never).await;
    let failing = Fake::start(|q, _| vec![answer(q, Rcode::SERVFAIL, 0)], never).await;
    let good = Fake::start(|q, _| vec![answer(q, Rcode::NOERROR, 5)], never).await;
    let gone: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let upstreams = Upstreams::new(&[gone, silent.address, failing.address, good.address]);
    let begin = Instant::now();
    let got = upstreams.exchange(&question(NAME)).await.unwrap();
    assert_eq!(last(&got), Some(5));
    assert!(begin.elapsed() < Duration::from_millis(900), "{:?}", begin.elapsed());
    // Two more questions and the silent ones are known to be dead: they cost no time then.
    for _ in 0..2 {
        upstreams.exchange(&question(NAME)).await.unwrap();
    }
    let begin = Instant::now();
    upstreams.exchange(&question(NAME)).await.unwrap();
    assert!(begin.elapsed() < Duration::from_millis(200), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_error_is_given_when_nobody_knows_better_and_silence_ends_in_time() {
    let failing = Fake::start(|q, _| vec![answer(q, Rcode::REFUSED, 0)], never).await;
    let got = Upstreams::new(&[failing.address]).exchange(&question(NAME)).await.unwrap();
    assert_eq!(Message::from_slice(&got).unwrap().header().rcode(), Rcode::REFUSED);
    assert_eq!(failing.asked().0, 1);

    let silent = Fake::start(|_, _| vec![], never).await;
    let begin = Instant::now();
    let error = Upstreams::new(&[silent.address]).exchange(&question(NAME)).await.unwrap_err();
    assert_eq!((error, silent.asked().0), (ExchangeError::Silence, 3));
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(Upstreams::new(&[]).exchange(&question(NAME)).await, Err(ExchangeError::NoServer));
    assert_eq!(Upstreams::new(&[]).exchange(&[0; 12]).await, Err(ExchangeError::Question));
}

#[tokio::test]
async fn a_server_that_has_to_look_for_a_name_itself_gets_the_time() {
    let socket = std::sync::Arc::new(tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let upstreams = Upstreams::new(&[socket.local_addr().unwrap()]);
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
            let (socket, reply) = (socket.clone(), answer(&buffer[..length], Rcode::NOERROR, 6));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                socket.send_to(&reply, peer).await
            });
        }
    });
    let begin = Instant::now();
    assert_eq!(last(&upstreams.exchange(&question(NAME)).await.unwrap()), Some(6));
    assert!(begin.elapsed() < Duration::from_secs(4), "{:?}", begin.elapsed());
    let standing = upstreams.standings().next().unwrap();
    assert_eq!((standing.answers, standing.silences, standing.alive), (1, 2, true));
}

#[tokio::test]
async fn the_longest_suffix_decides_who_is_asked() {
    let fake = |n| Fake::start(move |q, _| vec![answer(q, Rcode::NOERROR, n)], never);
    let (others, corp, sub) = (fake(1).await, fake(2).await, fake(3).await);
    let zone = |name: &str, server: &Fake| (name.parse().unwrap(), vec![server.address]);
    let zones = vec![zone("corp.example", &corp), zone("sub.corp.example", &sub)];
    let forwarder = Forwarder::new(&[others.address], zones);
    for (name, want) in [
        ("a.sub.corp.example", 3),
        ("sub.CORP.example", 3),
        ("xsub.corp.example", 2),
        ("corp.example", 2),
        ("xcorp.example", 1),
    ] {
        let got = forwarder.exchange(&question(name)).await.unwrap();
        assert_eq!(last(&got), Some(want), "{name}");
    }
}

#[tokio::test]
async fn names_are_resolved_and_say_why_when_not() {
    let server = Fake::start(
        |q, _| {
            let message = Message::from_slice(q).unwrap();
            let name = message.sole_question().unwrap().qname().to_string();
            let rcode = match name.as_str() {
                "no.example" => Rcode::NXDOMAIN,
                "bad.example" => Rcode::SERVFAIL,
                _ => Rcode::NOERROR,
            };
            vec![answer(q, rcode, 9)]
        },
        never,
    )
    .await;
    let servers = [server.address];
    // The fake gives an A record to a AAAA question too: that is not taken for an address.
    assert_eq!(
        resolve("router.example", &servers).await.unwrap(),
        ["10.0.0.9".parse::<std::net::IpAddr>().unwrap()]
    );
    let found = resolve_family("router.example", Family::V4, &servers).await.unwrap();
    assert_eq!((found.addresses.len(), found.ttl), (1, 60));
    assert_eq!(resolve("no.example", &servers).await, Err(ResolveError::NoSuchName));
    assert_eq!(resolve("bad.example", &servers).await, Err(ResolveError::Failed(Rcode::SERVFAIL)));
    assert!(matches!(resolve("a..b", &servers).await, Err(ResolveError::BadName(_))));
    assert_eq!(resolve("10.6.0.1", &[]).await.unwrap().len(), 1);
    assert!(resolve_family("10.6.0.1", Family::V6, &[]).await.unwrap().addresses.is_empty());
}
