//! Random settings, packets and times.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::{both, both_stateless};

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_time: 20_000, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn the_shipped_one_does_what_the_plain_one_does(
        start in prop::collection::vec(any::<u8>(), 14),
        steps in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..60),
    ) {
        both::run(&start, &steps);
    }

    #[test]
    fn the_stateless_one_does_what_the_plain_one_does(
        start in prop::collection::vec(any::<u8>(), 14),
        steps in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 1..60),
    ) {
        both_stateless::run(&start, &steps);
    }
}

/// Runs of up to sixty steps; more where somebody has the time.
fn cases() -> u32 {
    std::env::var("SIXGATE_MODEL_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

/// Octets without a pattern, the same every time.
fn octets(state: &mut u64, many: usize) -> Vec<u8> {
    let next = |_| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 32) as u8
    };
    (0..many).map(next).collect()
}

/// What the runs below must meet, or they show nothing of it.
const ALL: [&str; 67] = [
    "4 consumed",
    "4 malformed-ipv4",
    "4 malformed-transport",
    "4 nat64-filtered",
    "4 nat64-fragment-overlap",
    "4 nat64-hop-limit",
    "4 nat64-icmp-error-unknown",
    "4 nat64-icmp-untranslatable",
    "4 nat64-no-binding",
    "4 nat64-not-ours",
    "4 nat64-protocol",
    "4 nat64-source-martian",
    "4 nat64-source-route",
    "4 nat64-syn-held",
    "4 nat64-too-big",
    "4 nat64-udp-zero-checksum",
    "4 translated as 17",
    "4 translated as 6",
    "4 translated as icmp 1/0",
    "4 translated as icmp 1/1",
    "4 translated as icmp 1/4",
    "4 translated as icmp 128/0",
    "4 translated as icmp 129/0",
    "4 translated as icmp 2/0",
    "4 translated as icmp 3/0",
    "4 translated as icmp 3/1",
    "4 translated as icmp 4/0",
    "4 translated as icmp 4/1",
    "4 translated as part of 17",
    "4 translated as part of 58",
    "4 translated as part of 6",
    "6 consumed",
    "6 malformed-extension",
    "6 malformed-ipv6",
    "6 malformed-transport",
    "6 nat64-destination-denied",
    "6 nat64-echo-unsolicited",
    "6 nat64-filtered",
    "6 nat64-fragment-overlap",
    "6 nat64-hop-limit",
    "6 nat64-icmp-error-unknown",
    "6 nat64-icmp-untranslatable",
    "6 nat64-no-binding",
    "6 nat64-not-ours",
    "6 nat64-pool-exhausted",
    "6 nat64-protocol",
    "6 nat64-routing-header",
    "6 nat64-source-in-prefix",
    "6 nat64-source-martian",
    "6 nat64-syn-held",
    "6 nat64-tcp-no-session",
    "6 nat64-too-big",
    "6 nat64-udp-zero-checksum",
    "6 translated as 17",
    "6 translated as 6",
    "6 translated as icmp 11/0",
    "6 translated as icmp 11/1",
    "6 translated as icmp 12/0",
    "6 translated as icmp 3/1",
    "6 translated as icmp 3/10",
    "6 translated as icmp 3/2",
    "6 translated as icmp 3/3",
    "6 translated as icmp 3/4",
    "6 translated as icmp 8/0",
    "6 translated as part of 1",
    "6 translated as part of 17",
    "6 translated as part of 6",
];

#[test]
fn chance_comes_by_everything() {
    must_meet(both::run, &ALL);
}

#[test]
fn chance_comes_by_everything_without_state() {
    must_meet(both_stateless::run, &ALL_STATELESS);
}

type Met = BTreeMap<String, usize>;

fn must_meet(run: fn(&[u8], &[Vec<u8>]) -> Met, all: &[&str]) {
    let mut met = Met::new();
    let mut state = 1;
    for _ in 0..400 {
        let start = octets(&mut state, 14);
        let steps: Vec<_> = (0..50).map(|_| octets(&mut state, 60)).collect();
        for (what, many) in run(&start, &steps) {
            *met.entry(what).or_default() += many;
        }
    }
    let missing: Vec<_> = all.iter().filter(|what| !met.contains_key(**what)).collect();
    assert!(missing.is_empty(), "{missing:?} of {met:#?}");
}

/// The same of the stateless translator.
const ALL_STATELESS: [&str; 64] = [
    "4 malformed-ipv4",
    "4 malformed-transport",
    "4 nat64-fragment-overlap",
    "4 nat64-hop-limit",
    "4 nat64-icmp-untranslatable",
    "4 nat64-protocol",
    "4 nat64-source-martian",
    "4 nat64-source-route",
    "4 nat64-too-big",
    "4 nat64-udp-zero-checksum",
    "4 siit-destination-unmapped",
    "4 siit-icmp-fragment",
    "4 siit-quote-unmapped",
    "4 siit-source-unmapped",
    "4 translated as 132",
    "4 translated as 136",
    "4 translated as 17",
    "4 translated as 33",
    "4 translated as 50",
    "4 translated as 51",
    "4 translated as 6",
    "4 translated as icmp 1/0",
    "4 translated as icmp 1/1",
    "4 translated as icmp 1/4",
    "4 translated as icmp 128/0",
    "4 translated as icmp 129/0",
    "4 translated as icmp 2/0",
    "4 translated as icmp 3/0",
    "4 translated as icmp 4/0",
    "4 translated as icmp 4/1",
    "4 translated as part of 132",
    "4 translated as part of 17",
    "4 translated as part of 58",
    "4 translated as part of 6",
    "6 malformed-extension",
    "6 malformed-ipv6",
    "6 malformed-transport",
    "6 nat64-destination-denied",
    "6 nat64-fragment-overlap",
    "6 nat64-hop-limit",
    "6 nat64-icmp-untranslatable",
    "6 nat64-protocol",
    "6 nat64-routing-header",
    "6 nat64-source-martian",
    "6 nat64-too-big",
    "6 nat64-udp-zero-checksum",
    "6 siit-destination-unmapped",
    "6 siit-icmp-fragment",
    "6 siit-quote-unmapped",
    "6 siit-source-unmapped",
    "6 translated as 132",
    "6 translated as 136",
    "6 translated as 17",
    "6 translated as 33",
    "6 translated as 50",
    "6 translated as 6",
    "6 translated as icmp 11/0",
    "6 translated as icmp 129/0",
    "6 translated as icmp 3/1",
    "6 translated as icmp 3/3",
    "6 translated as icmp 3/4",
    "6 translated as icmp 8/0",
    "6 translated as part of 17",
    "6 translated as part of 6",
];
