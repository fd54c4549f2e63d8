//! The whole path: dig, our sockets, the machine, a real bind9 behind it.

use std::net::SocketAddr;

use sixgate_dns64::{Block, Config, Rule};
use sixgate_io_dns::server::Options;
use sixgate_reason::{DNS_BLOCKED, DNS_MALFORMED, DNS_NOT_ALLOWED, DNS_UPSTREAM_FAILED, Reason};
use sixgate_wire::addr::Prefix64;

use super::{Dns64Config, Dns64Service};
use crate::names::SharedCounters;
use crate::names::bind::{Named, dig};

struct Bench {
    service: Dns64Service,
    counters: SharedCounters,
}

impl Bench {
    fn start(upstream: SocketAddr, options: Options) -> Self {
        let prefix = Prefix64::new("fd6a:7e00:cafe:7777::/96".parse().unwrap()).unwrap();
        let config = Dns64Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            options,
            upstream: vec![upstream],
            forward: vec![],
            synthesis: Config {
                rules: vec![Rule::for_all(prefix)],
                block: Some(Block {
                    labels: vec!["isatap".into(), "wpad".into()],
                    zones: vec!["files.example".parse().unwrap()],
                    bare: true,
                }),
                ..Config::default()
            },
            cache: sixgate_cache::Options::default(),
            rebinding_protection: false,
            query_log: None,
        };
        let counters = SharedCounters::default();
        let service = Dns64Service::start(config, counters.clone()).unwrap();
        Self { service, counters }
    }

    async fn dig(&self, arguments: &[&str]) -> String {
        let server = self.service.addresses()[0];
        let arguments = arguments.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>();
        let run = move || dig(server, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    async fn short(&self, arguments: &[&str]) -> Vec<String> {
        let text = self.dig(&[arguments, &["+short"]].concat()).await;
        text.lines().map(str::to_owned).collect()
    }

    fn count(&self, reason: Reason) -> u64 {
        self.counters.lock().unwrap().of(reason)
    }
}

#[tokio::test]
async fn dig_sees_what_rfc_6147_says() {
    let Some(named) = Named::start() else { return };
    let bench = Bench::start(named.address, Options::default());
    let mut made = bench.short(&["files.files.example", "AAAA"]).await;
    made.sort();
    assert_eq!(made, ["fd6a:7e00:cafe:7777::a06:50", "fd6a:7e00:cafe:7777::a06:51"]);
    assert_eq!(bench.short(&["both.files.example", "AAAA"]).await, ["2001:db8::82"]);
    assert_eq!(bench.short(&["mapped.files.example", "AAAA"]).await, ["fd6a:7e00:cafe:7777::a06:53"]);
    let alias = bench.short(&["alias.files.example", "AAAA"]).await;
    assert_eq!((alias[0].as_str(), alias.len()), ("files.files.example.", 3));
    assert_eq!(bench.short(&["text.files.example", "TXT"]).await, ["\"only text\""]);
    assert_eq!(bench.short(&["files.files.example", "A"]).await.len(), 2);
    assert!(bench.short(&["local.files.example", "AAAA"]).await.is_empty());

    let ttl = bench.dig(&["files.files.example", "AAAA", "+noall", "+answer"]).await;
    // The SOA's MINIMUM of 120 s, less than its 300 s; bind gives both records the lower TTL of the set.
    assert!(
        ttl.lines().all(|line| ["60", "120"].contains(&line.split_whitespace().nth(1).unwrap())),
        "{ttl}"
    );

    let nothing = bench.dig(&["text.files.example", "AAAA"]).await;
    assert!(
        nothing.contains("status: NOERROR") && nothing.contains("ANSWER: 0") && nothing.contains("SOA"),
        "{nothing}"
    );
    let missing = bench.dig(&["missing.files.example", "AAAA"]).await;
    assert!(missing.contains("status: NXDOMAIN") && missing.contains("SOA"), "{missing}");
    let looped = bench.dig(&["loop.files.example", "AAAA"]).await;
    assert!(looped.contains("status: SERVFAIL"), "{looped}");
    assert_eq!(bench.count(DNS_UPSTREAM_FAILED), 1);
    // Not bind's business: it is told to serve only its own zones.
    let refused = bench.dig(&["www.example.org", "AAAA", "+ednsopt=15"]).await;
    assert!(refused.contains("status: SERVFAIL") && refused.contains("EDE: 22"), "{refused}");
}

#[tokio::test]
async fn reverse_names_and_ipv4only_arpa_are_ours() {
    let Some(named) = Named::start() else { return };
    let bench = Bench::start(named.address, Options::default());
    let ptr = bench.short(&["-x", "fd6a:7e00:cafe:7777::10.6.0.80"]).await;
    assert_eq!(ptr, ["80.0.6.10.in-addr.arpa.", "files.files.example."]);
    let well_known = bench.short(&["ipv4only.arpa", "AAAA"]).await;
    assert_eq!(well_known, ["fd6a:7e00:cafe:7777::c000:aa", "fd6a:7e00:cafe:7777::c000:ab"]);
    assert_eq!(bench.short(&["ipv4only.arpa", "A"]).await, ["192.0.0.170", "192.0.0.171"]);
}

#[tokio::test]
async fn blocked_labels_do_not_exist_and_are_counted() {
    let Some(named) = Named::start() else { return };
    let bench = Bench::start(named.address, Options::default());
    for name in ["isatap.files.example", "WPAD.a.files.example", "isatap"] {
        let answer = bench.dig(&[name, "A"]).await;
        assert!(answer.contains("status: NXDOMAIN") && answer.contains("EDE: 15"), "{answer}");
    }
    assert_eq!(bench.count(DNS_BLOCKED), 3);
}

#[tokio::test]
async fn large_answers_are_cut_over_udp_and_whole_over_tcp() {
    let Some(named) = Named::start() else { return };
    let bench = Bench::start(named.address, Options::default());
    let cut = bench.dig(&["many.files.example", "AAAA", "+ignore", "+bufsize=4096"]).await;
    assert!(cut.contains(" tc ") && cut.contains("udp: 1232"), "{cut}");
    // dig repeats over TCP by itself.
    assert_eq!(bench.short(&["many.files.example", "AAAA"]).await.len(), 80);
    assert_eq!(bench.short(&["many.files.example", "AAAA", "+tcp"]).await.len(), 80);
    let small = bench.dig(&["many.files.example", "AAAA", "+ignore", "+noedns"]).await;
    let size: usize = small.split("rcvd: ").nth(1).unwrap().trim().parse().unwrap();
    assert!(small.contains(" tc ") && size <= 512, "{small}");
}

#[tokio::test]
async fn who_may_not_ask_is_refused_and_counted() {
    let Some(named) = Named::start() else { return };
    let options = Options { allow: Some(vec!["fd64::/64".parse().unwrap()]), ..Options::default() };
    let bench = Bench::start(named.address, options);
    for transport in ["+notcp", "+tcp"] {
        let answer = bench.dig(&["files.files.example", "AAAA", transport]).await;
        assert!(answer.contains("status: REFUSED") && answer.contains("EDE: 18"), "{answer}");
        assert!(answer.contains("ANSWER: 0"), "{answer}");
    }
    assert_eq!(bench.count(DNS_NOT_ALLOWED), 2);
}

#[tokio::test]
async fn a_dead_upstream_is_servfail_with_a_reason_and_ipv4only_arpa_still_works() {
    let bench = Bench::start("127.0.0.1:1".parse().unwrap(), Options::default());
    let answer = bench.dig(&["files.files.example", "AAAA"]).await;
    assert!(answer.contains("status: SERVFAIL") && answer.contains("EDE: 22"), "{answer}");
    assert_eq!(bench.count(DNS_UPSTREAM_FAILED), 1);
    assert_eq!(bench.short(&["ipv4only.arpa", "A"]).await.len(), 2);
}

#[tokio::test]
async fn garbage_costs_a_counter_and_nothing_else() {
    let bench = Bench::start("127.0.0.1:1".parse().unwrap(), Options::default());
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for garbage in [&[][..], &[7; 11], &[0xff; 40]] {
        socket.send_to(garbage, bench.service.addresses()[0]).await.unwrap();
    }
    assert_eq!(bench.short(&["ipv4only.arpa", "A"]).await.len(), 2);
    assert_eq!(bench.count(DNS_MALFORMED), 3);
}

#[tokio::test]
async fn an_explanation_shows_each_step() {
    let Some(named) = Named::start() else { return };
    let bench = Bench::start(named.address, Options::default());
    let explanation = bench.service.explain("alias.files.example", "fd64::9".parse().unwrap()).await;
    let steps = explanation.steps.iter().map(|step| step.step.as_str()).collect::<Vec<_>>();
    assert_eq!(steps, ["AAAA", "A", "answer"], "{explanation:?}");
    assert_eq!((explanation.rcode.as_str(), explanation.answers.len()), ("NOERROR", 2));
    assert!(explanation.answers.iter().all(|answer| answer.synthesised));
}
