//! What the cache changes, seen by a client.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::base::iana::{OptRcode, Rtype};
use sixgate_config::{QueryLog, QueryPrivacy};
use sixgate_dns64::Rule;
use sixgate_io_dns::server::Options;
use sixgate_reason::{DNS_OVERLOAD, DNS_TOO_FAST};
use sixgate_wire::addr::Prefix64;
use tokio::time::{sleep, timeout};

use super::world::{Client, bench, question};

const MADE: &str = "fd6a:7e00:cafe:7777::a06:50";

#[tokio::test]
async fn what_is_known_is_not_asked_again_and_counts_down() {
    let bench = bench(Options::default()).await;
    for name in ["t60.test", "T60.TEST", "t60.test"] {
        let got = bench.client.ask(name, Rtype::AAAA).await.unwrap();
        assert_eq!((got.addresses[0].0.as_str(), got.rcode), (MADE, OptRcode::NOERROR));
        assert_eq!(got.octets[13..16], name.as_bytes()[..3]);
    }
    assert_eq!(bench.upstream.asked(), 2);
    sleep(Duration::from_millis(2_100)).await;
    let got = bench.client.ask("t60.test", Rtype::AAAA).await.unwrap();
    assert!((57..=58).contains(&got.addresses[0].1), "{got:?}");
    // NXDOMAIN counts for the whole name.
    for rtype in [Rtype::AAAA, Rtype::A, Rtype::MX] {
        assert_eq!(bench.client.ask("gone.test", rtype).await.unwrap().rcode, OptRcode::NXDOMAIN);
    }
    assert_eq!(bench.upstream.asked(), 3);
    // Without recursion: what is at hand, and nothing else.
    let known = bench.client.send(&question("t60.test", Rtype::AAAA, false)).await.unwrap();
    let unknown = bench.client.send(&question("t61.test", Rtype::AAAA, false)).await.unwrap();
    assert_eq!((known.addresses.len(), unknown.rcode), (1, OptRcode::REFUSED));
    assert_eq!(bench.upstream.asked(), 3);
}

#[tokio::test]
async fn equal_questions_in_flight_are_one() {
    let bench = bench(Options::default()).await;
    let server = bench.service.addresses()[0];
    let mut askers = tokio::task::JoinSet::new();
    for n in 0..50 {
        let address = if n % 2 == 0 { "127.0.0.1" } else { "127.0.0.2" };
        askers.spawn(async move { Client::from(address, server).await.ask("slow.test", Rtype::AAAA).await });
    }
    let got = askers.join_all().await;
    assert!(got.iter().all(|got| got.as_ref().unwrap().addresses[0].0 == MADE));
    assert_eq!(bench.upstream.asked(), 2);
}

#[tokio::test]
async fn a_dead_upstream_leaves_what_was_known_for_a_while() {
    let bench = bench(Options::default()).await;
    assert_eq!(bench.client.ask("t1.test", Rtype::AAAA).await.unwrap().addresses[0].1, 1);
    assert_eq!(bench.client.ask("gone.test", Rtype::A).await.unwrap().rcode, OptRcode::NXDOMAIN);
    bench.upstream.dumb.store(true, Ordering::Relaxed);
    sleep(Duration::from_millis(1_100)).await;
    let first = bench.client.ask("t1.test", Rtype::AAAA).await.unwrap();
    assert_eq!((first.addresses.as_slice(), first.extended.as_slice()), (&[(MADE.into(), 30)][..], &[3][..]));
    // The upstream is tried three times, or for 1.8 s.
    assert!((1_000..2_300).contains(&first.took.as_millis()), "{first:?}");
    sleep(Duration::from_secs(1)).await;
    let again = bench.client.ask("t1.test", Rtype::AAAA).await.unwrap();
    assert_eq!(again.extended, [3]);
    assert!(again.took.as_millis() < 500, "{again:?}");
    let unknown = bench.client.ask("t2.test", Rtype::A).await.unwrap();
    assert_eq!((unknown.rcode, unknown.extended.as_slice()), (OptRcode::SERVFAIL, &[22][..]));
    let held = bench.client.ask("t2.test", Rtype::A).await.unwrap();
    assert_eq!((held.rcode, held.extended.as_slice()), (OptRcode::SERVFAIL, &[22, 13][..]));
    assert!(held.took.as_millis() < 500, "{held:?}");
}

#[tokio::test]
async fn a_reload_keeps_what_the_same_servers_said() {
    let bench = bench(Options::default()).await;
    bench.client.ask("t60.test", Rtype::AAAA).await.unwrap();
    let mut config = bench.config.clone();
    let other = Prefix64::new("2001:db8:64::/96".parse().unwrap()).unwrap();
    config.synthesis.rules = vec![Rule::for_all(other)];
    bench.service.reconfigure(&config);
    let got = bench.client.ask("t60.test", Rtype::AAAA).await.unwrap();
    assert_eq!(got.addresses[0].0, "2001:db8:64::a06:50");
    assert_eq!(bench.upstream.asked(), 2);
    // Other servers of this suffix may say something else.
    config.forward = vec![("test".to_owned(), vec![bench.upstream.address])];
    bench.service.reconfigure(&config);
    bench.client.ask("t60.test", Rtype::AAAA).await.unwrap();
    assert_eq!(bench.upstream.asked(), 4);
}

#[tokio::test]
async fn outside_servers_cannot_name_addresses_inside_where_that_is_unwanted() {
    let bench = bench(Options::default()).await;
    let mut config = bench.config.clone();
    config.rebinding_protection = true;
    bench.service.reconfigure(&config);
    for _ in 0..3 {
        let got = bench.client.ask("t60.test", Rtype::AAAA).await.unwrap();
        assert_eq!((got.rcode, got.addresses.len(), got.extended), (OptRcode::NOERROR, 0, vec![17]));
    }
    config.forward = vec![("test".to_owned(), vec![bench.upstream.address])];
    bench.service.reconfigure(&config);
    assert_eq!(bench.client.ask("t60.test", Rtype::AAAA).await.unwrap().addresses[0].0, MADE);
}

#[tokio::test]
async fn dead_names_of_a_client_do_not_keep_it_from_known_ones() {
    let bench = bench(Options::default()).await;
    bench.client.ask("t60.test", Rtype::AAAA).await.unwrap();
    bench.client.ask("t61.test", Rtype::A).await.unwrap();
    let flood = Client::from("127.0.0.1", bench.service.addresses()[0]).await;
    for n in 0..400 {
        flood.socket.send(&question(&format!("dead{n}.test"), Rtype::AAAA, true)).await.unwrap();
        if n % 20 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    for (name, rtype) in [("t60.test", Rtype::AAAA), ("t61.test", Rtype::A), ("t60.test", Rtype::A)] {
        let got = bench.client.ask(name, rtype).await.unwrap();
        assert!(got.rcode == OptRcode::NOERROR && got.took.as_millis() < 500, "{got:?}");
    }
    assert!(bench.counters.lock().unwrap().of(DNS_OVERLOAD) > 100);
    // Another client asks as if nothing were.
    let other = Client::from("127.0.0.2", bench.service.addresses()[0]).await;
    let got = other.ask("t62.test", Rtype::AAAA).await.unwrap();
    assert!(got.addresses[0].0 == MADE && got.took.as_millis() < 500, "{got:?}");
}

#[tokio::test]
async fn a_rate_is_kept_and_others_do_not_notice() {
    let bench = bench(Options { rate: 20, ..Options::default() }).await;
    bench.client.ask("t60.test", Rtype::AAAA).await.unwrap();
    for _ in 0..100 {
        bench.client.socket.send(&question("t60.test", Rtype::AAAA, true)).await.unwrap();
    }
    let heard = Mutex::new(0);
    let _ = timeout(Duration::from_millis(300), async {
        let mut buffer = [0; 1_500];
        while bench.client.socket.recv(&mut buffer).await.is_ok() {
            *heard.lock().unwrap() += 1;
        }
    })
    .await;
    let heard = *heard.lock().unwrap();
    assert!((15..=30).contains(&heard), "{heard}");
    assert!(bench.counters.lock().unwrap().of(DNS_TOO_FAST) >= 70);
    let other = Client::from("127.0.0.2", bench.service.addresses()[0]).await;
    assert!(other.ask("t60.test", Rtype::AAAA).await.is_some());
}

#[tokio::test]
async fn questions_are_written_down_where_that_is_wanted_and_counted_anyhow() {
    let bench = bench(Options::default()).await;
    for _ in 0..6 {
        bench.client.ask("t60.test", Rtype::AAAA).await.unwrap();
    }
    let seen = bench.service.statistics();
    assert_eq!((seen.questions.asked, seen.cache.entries), (2, 2));
    assert!(seen.questions.at_once >= 3, "{seen:?}");
    assert_eq!((seen.names[0].name.as_str(), seen.upstreams[0].answers), ("t60.test", 2));
    let folder = std::env::temp_dir().join(format!("sixgate-query-log-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("queries.log");
    let mut config = bench.config.clone();
    config.query_log = Some(QueryLog { file: file.clone(), privacy: QueryPrivacy::Network });
    bench.service.reconfigure(&config);
    for name in ["t60.test", "t60.test", "t61.test", "gone.test"] {
        bench.client.ask(name, Rtype::AAAA).await.unwrap();
    }
    bench.service.reconfigure(&bench.config);
    sleep(Duration::from_millis(200)).await;
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<_> =
        lines.iter().map(|l| format!("{} {} {} {}", l["client"], l["name"], l["rcode"], l["from"])).collect();
    assert_eq!(
        said,
        [
            r#""127.0.0.0/24" "t60.test" "NOERROR" "cache""#,
            r#""127.0.0.0/24" "t60.test" "NOERROR" "cache""#,
            r#""127.0.0.0/24" "t61.test" "NOERROR" "upstream""#,
            r#""127.0.0.0/24" "gone.test" "NXDOMAIN" "upstream""#,
        ]
    );
    std::fs::remove_dir_all(&folder).unwrap();
}
