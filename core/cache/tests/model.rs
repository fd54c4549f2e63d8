//! Cache and finished answers against what a reader of the RFCs would say.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod world;

use proptest::prelude::*;
use sixgate_cache::{Asked, Cache, Cause, Finished, Look, Options, Quick, State, kept};
use sixgate_time::{Duration, Instant};
use world::{Upstream, client, question, ttls};

fn cache(octets: usize) -> Cache {
    Cache::new(Options { octets, serve_stale: true }, [3; 16])
}

fn asked(name: &str, rtype: u16) -> Asked {
    Asked::of(&question(name, rtype, false, false), 0).unwrap()
}

const A: u16 = 1;
const AAAA: u16 = 28;

#[test]
fn an_answer_counts_down_and_is_fetched_anew_once_in_its_last_tenth() {
    let (mut cache, q) = (cache(1 << 20), asked("files.corp.example", A));
    let kept = kept::keep(&Upstream::to(&q).a(100).message(), &q, |_| true).unwrap();
    assert_eq!((kept.life, kept.whole_name), (100, false));
    let start = Instant::from_secs(10);
    cache.store(start, &q, client(1), &kept);
    let mut at = |seconds: u64| cache.look(start + Duration::from_secs(seconds), &q);
    let Look::Fresh { message, refresh: false } = at(0) else { panic!() };
    assert_eq!(message, kept.message);
    let Look::Fresh { message, refresh: false } = at(89) else { panic!() };
    assert_eq!(ttls(&message), [11]);
    let Look::Fresh { refresh: true, .. } = at(90) else { panic!() };
    let Look::Fresh { refresh: false, .. } = at(91) else { panic!() };
    let Look::Absent { stale: Some(stale) } = at(100) else { panic!() };
    assert_eq!(ttls(&stale), [30]);
    assert!(matches!(at(100 + 86_399), Look::Absent { stale: Some(_) }));
    assert!(matches!(at(100 + 86_400), Look::Absent { stale: None }));
}

/// What is said of type 0 must never stand for what is said of the whole name.
#[test]
fn type_0_is_not_kept() {
    assert_eq!(Asked::of(&question("files.corp.example", 0, false, false), 0), None);
    assert!(Asked::of(&question("files.corp.example", A, false, false), 0).is_some());
}

#[test]
fn no_name_counts_for_every_type_and_no_data_for_its_own() {
    let mut cache = cache(1 << 20);
    let (a, aaaa) = (asked("gone.corp.example", A), asked("GONE.corp.example", AAAA));
    let now = Instant::from_secs(10);
    let none = kept::keep(&Upstream::to(&a).rcode(3).soa(300, 120).message(), &a, |_| true).unwrap();
    assert_eq!((none.life, none.whole_name), (120, true));
    cache.store(now, &a, client(1), &none);
    let Look::Fresh { message, .. } = cache.look(now, &aaaa) else { panic!() };
    // The asker's own question stands before it (RFC 2308, section 6: the SOA counts down).
    assert_eq!(message[3] & 15, 3);
    assert_eq!(&message[12..17], b"\x04GONE");
    assert_eq!(ttls(&message), [120]);
    // The name comes into being.
    let some = kept::keep(&Upstream::to(&a).a(60).message(), &a, |_| true).unwrap();
    cache.store(now, &a, client(1), &some);
    assert_eq!(cache.look(now, &aaaa), Look::Absent { stale: None });
    let empty = kept::keep(&Upstream::to(&aaaa).soa(50, 900).message(), &aaaa, |_| true).unwrap();
    assert_eq!((empty.life, empty.whole_name), (50, false));
    cache.store(now, &aaaa, client(1), &empty);
    assert!(matches!(cache.look(now, &a), Look::Fresh { .. }));
}

#[test]
fn denials_without_soa_or_with_a_foreign_one_and_ttl_0_are_not_kept() {
    let q = asked("a.corp.example", A);
    let life = |upstream: Upstream| kept::keep(&upstream.message(), &q, |_| true).unwrap().life;
    assert_eq!(life(Upstream::to(&q)), 0);
    assert_eq!(life(Upstream::to(&q).soa_of("other.example", 60, 60)), 0);
    assert_eq!(life(Upstream::to(&q).a(0)), 0);
    // RFC 2181, section 8
    assert_eq!(life(Upstream::to(&q).a(0x8000_0001)), 0);
    assert_eq!(life(Upstream::to(&q).a(1_000_000)), 86_400);
    assert_eq!(life(Upstream::to(&q).soa(100_000, 100_000)), 3 * 3_600);
}

#[test]
fn nothing_but_the_chain_and_the_denial_is_kept() {
    let q = asked("www.corp.example", A);
    let poison = Upstream::to(&q).cname("www.corp.example", "web.corp.example", 50);
    let poison = poison.a_of("web.corp.example", 40).a_of("bank.example", 9).soa_of("example", 5, 5);
    let kept = kept::keep(&poison.message(), &q, |_| true).unwrap();
    assert_eq!((ttls(&kept.message), kept.life), (vec![50, 40], 40));
    // A server of one suffix says nothing of another.
    let kept = kept::keep(&poison.message(), &q, |name| name.to_string() != "web.corp.example").unwrap();
    assert_eq!((ttls(&kept.message), kept.life), (vec![50], 50));
    // A loop comes to an end.
    let round = Upstream::to(&q).cname("www.corp.example", "www.corp.example", 50);
    assert_eq!(ttls(&kept::keep(&round.message(), &q, |_| true).unwrap().message).len(), 17);
}

#[test]
fn data_that_does_not_fit_its_type_is_as_no_answer() {
    let q = asked("a.corp.example", AAAA);
    let short = Upstream::to(&q).raw(AAAA, &[1, 2, 3, 4]).message();
    assert_eq!(kept::keep(&short, &q, |_| true), Err(Cause::Malformed));
    let other = asked("b.corp.example", AAAA);
    assert_eq!(kept::keep(&Upstream::to(&other).message(), &q, |_| true), Err(Cause::Malformed));
    let refused = Upstream::to(&q).rcode(5).message();
    assert_eq!(kept::keep(&refused, &q, |_| true), Err(Cause::Rcode { rcode: 5, extended: None }));
}

#[test]
fn failures_are_held_doubling_and_do_not_stop_the_other_type() {
    let mut cache = cache(1 << 20);
    let (a, aaaa) = (asked("dead.corp.example", A), asked("dead.corp.example", AAAA));
    let mut now = Instant::from_secs(10);
    for hold in [5_u64, 10, 20, 40, 80, 160, 300, 300] {
        assert_eq!(cache.look(now, &a), Look::Absent { stale: None });
        cache.fail(now, &a, client(1), Cause::Silence);
        now = now + Duration::from_secs(hold) - Duration::from_millis(200);
        assert_eq!(cache.look(now, &a), Look::Held { cause: Cause::Silence, stale: None });
        assert_eq!(cache.look(now, &aaaa), Look::Absent { stale: None });
        now = now + Duration::from_millis(300);
    }
    assert_eq!(cache.state(now, &a), State::Absent);
    let good = kept::keep(&Upstream::to(&a).a(60).message(), &a, |_| true).unwrap();
    cache.store(now, &a, client(1), &good);
    now = now + Duration::from_secs(61);
    // A stale answer is tried anew every 30 s.
    cache.fail(now, &a, client(1), Cause::Unusable);
    assert!(matches!(cache.look(now + Duration::from_secs(29), &a), Look::Held { stale: Some(_), .. }));
    assert!(matches!(cache.look(now + Duration::from_secs(31), &a), Look::Absent { stale: Some(_) }));
}

#[test]
fn what_one_set_of_upstreams_says_and_what_one_pair_of_do_and_cd_gets_is_no_others() {
    let mut cache = cache(1 << 20);
    let now = Instant::from_secs(10);
    let all = || {
        let sources = [0, 1].into_iter();
        sources
            .flat_map(|source| [false, true].map(|d| (source, d)))
            .flat_map(|(s, d)| [false, true].map(|c| (s, d, c)))
    };
    let ask =
        |(source, dnssec_ok, cd)| Asked::of(&question("a.corp.example", A, dnssec_ok, cd), source).unwrap();
    for (n, one) in all().enumerate() {
        let q = ask(one);
        assert_eq!(cache.look(now, &q), Look::Absent { stale: None });
        let ttl = 100 + u32::try_from(n).unwrap();
        let kept = kept::keep(&Upstream::to(&q).a(ttl).message(), &q, |_| true).unwrap();
        cache.store(now, &q, client(1), &kept);
    }
    for (n, one) in all().enumerate() {
        let Look::Fresh { message, .. } = cache.look(now, &ask(one)) else { panic!() };
        assert_eq!(ttls(&message), [100 + u32::try_from(n).unwrap()]);
    }
}

#[test]
fn a_finished_answer_has_the_askers_id_case_and_size() {
    let mut finished = Finished::new(1 << 20, 1_232, [5; 16]);
    let now = Instant::from_secs(10);
    let first = question("files.corp.example", AAAA, false, false);
    let q = Asked::of(&first, 0).unwrap();
    let answer = Upstream::to(&q).aaaa(60).with_opt().message();
    finished.insert(now, 3, &[1], &first, &answer);
    assert_eq!(finished.usage().entries, 1);
    let mut out = [0; 1_232];
    let mut again = question("FILES.corp.example", AAAA, false, false);
    again[..2].copy_from_slice(&[0xab, 0xcd]);
    let later = now + Duration::from_secs(7);
    let Quick::Answer { length, refresh: false } = finished.answer(later, 3, &again, &mut out) else {
        panic!()
    };
    let got = &out[..length];
    assert_eq!((&got[..2], &got[12..18]), (&[0xab, 0xcd][..], &b"\x05FILES"[..]));
    assert_eq!((ttls(got), got.len()), (vec![53], answer.len()));
    // Without OPT there is none in the answer.
    let plain = &again[..again.len() - 11];
    let plain = [&plain[..11], &[0], &plain[12..]].concat();
    let Quick::Answer { length, .. } = finished.answer(later, 3, &plain, &mut out) else { panic!() };
    assert_eq!((length, out[11]), (answer.len() - 11, 0));
    // Another view, DO, CD, type, class: not this one.
    let others = [
        question("files.corp.example", AAAA, true, false),
        question("files.corp.example", AAAA, false, true),
        question("files.corp.example", A, false, false),
        question("file.corp.example", AAAA, false, false),
    ];
    for other in others {
        assert_eq!(finished.answer(now, 3, &other, &mut out), Quick::Slow);
    }
    assert_eq!(finished.answer(now, 4, &first, &mut out), Quick::Slow);
    let Quick::Answer { refresh: true, .. } =
        finished.answer(now + Duration::from_secs(55), 3, &first, &mut out)
    else {
        panic!()
    };
    let Quick::Answer { refresh: false, .. } =
        finished.answer(now + Duration::from_secs(56), 3, &first, &mut out)
    else {
        panic!()
    };
    assert_eq!(finished.answer(now + Duration::from_secs(60), 3, &first, &mut out), Quick::Slow);
}

#[test]
fn what_is_unusual_goes_the_slow_way() {
    let mut finished = Finished::new(1 << 20, 1_232, [5; 16]);
    let now = Instant::from_secs(10);
    let good = question("files.corp.example", AAAA, false, false);
    let answer = Upstream::to(&Asked::of(&good, 0).unwrap()).aaaa(60).with_opt().message();
    let mut out = [0; 1_232];
    for (at, value) in
        [(2, 0x81), (2, 0), (2, 0x03), (2, 0x09), (5, 2), (7, 1), (9, 1), (11, 2), (12, 0xc0), (12, 64)]
    {
        let mut bad = good.clone();
        bad[at] = value;
        finished.insert(now, 0, &[1], &bad, &answer);
        assert_eq!(finished.answer(now, 0, &bad, &mut out), Quick::Slow, "octet {at}");
    }
    assert_eq!(finished.usage().entries, 0);
    finished.insert(now, 0, &[1], &good, &answer);
    assert!(matches!(finished.answer(now, 0, &good, &mut out), Quick::Answer { .. }));
    for cut in 0..good.len() {
        assert_eq!(finished.answer(now, 0, &good[..cut], &mut out), Quick::Slow, "{cut}");
    }
    assert_eq!(finished.answer(now, 0, &[&good[..], &[0]].concat(), &mut out), Quick::Slow);
    // A truncated or failed answer, and one that says why, is not kept.
    let other = question("other.corp.example", AAAA, false, false);
    let q = Asked::of(&other, 0).unwrap();
    let mut cut = Upstream::to(&q).aaaa(60).with_opt().message();
    cut[2] |= 2;
    let failed = Upstream::to(&q).rcode(2).with_opt().message();
    let long = [&Upstream::to(&q).aaaa(60).with_opt().message()[..], &[0, 15, 0, 2, 0, 3]].concat();
    for bad in [cut, failed, long] {
        finished.insert(now, 0, &[1], &other, &bad);
        assert_eq!(finished.usage().entries, 1);
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Store { name: u8, ttl: u32 },
    Deny { name: u8, ttl: u32 },
    Fail { name: u8 },
    Look { name: u8 },
}

#[derive(Clone, Copy, Default)]
struct Known {
    /// Tenths of a second when it was stored, seconds that it holds, and whether it is a denial.
    answer: Option<(u64, u64, bool)>,
    failures: u32,
    until: u64,
}

fn act() -> impl Strategy<Value = Act> {
    let name = 0_u8..3;
    prop_oneof![
        (name.clone(), 1_u32..400).prop_map(|(name, ttl)| Act::Store { name, ttl }),
        (name.clone(), 1_u32..400).prop_map(|(name, ttl)| Act::Deny { name, ttl }),
        name.clone().prop_map(|name| Act::Fail { name }),
        name.prop_map(|name| Act::Look { name }),
    ]
}

proptest! {
    /// One type, so that a denial of the name is one of the type too.
    #[test]
    fn the_cache_says_what_a_simple_model_says(acts in proptest::collection::vec((act(), 0_u64..2_000), 1..60)) {
        let mut cache = cache(1 << 20);
        let mut known = [Known::default(); 3];
        let mut tenths = 100_u64;
        for (act, wait) in acts {
            tenths += wait;
            let now = Instant::from_millis(tenths * 100);
            let q = |name: u8| asked(&format!("n{name}.corp.example"), A);
            match act {
                Act::Store { name, ttl } | Act::Deny { name, ttl } => {
                    let denied = matches!(act, Act::Deny { .. });
                    let q = q(name);
                    let upstream = Upstream::to(&q);
                    let upstream = if denied { upstream.rcode(3).soa(ttl, 900) } else { upstream.a(ttl) };
                    cache.store(now, &q, client(1), &kept::keep(&upstream.message(), &q, |_| true).unwrap());
                    known[usize::from(name)] = Known { answer: Some((tenths, ttl.into(), denied)), ..Known::default() };
                }
                Act::Fail { name } => {
                    cache.fail(now, &q(name), client(1), Cause::Silence);
                    let known = &mut known[usize::from(name)];
                    // Failures that are long past do not count.
                    if known.answer.is_none() && known.failures > 0 && tenths >= known.until + 3_000 {
                        known.failures = 0;
                    }
                    let stale = known.answer.is_some_and(|(at, life, _)| (tenths - at) / 10 < life + 86_400);
                    let hold = if stale { 300 } else { 50 * (1 << known.failures.min(6)).min(60) };
                    known.failures += 1;
                    known.until = tenths + hold;
                }
                Act::Look { name } => {
                    let known = known[usize::from(name)];
                    let said = cache.look(now, &q(name));
                    let age = known.answer.map(|(at, life, denied)| ((tenths - at) / 10, life, denied));
                    match age {
                        Some((age, life, denied)) if age < life => {
                            let Look::Fresh { message, .. } = said else { panic!("{said:?}") };
                            prop_assert_eq!(u64::from(ttls(&message)[0]), life - age);
                            prop_assert_eq!(message[3] & 15, if denied { 3 } else { 0 });
                        }
                        answer if known.failures > 0 && tenths < known.until => {
                            let Look::Held { stale, .. } = said else { panic!("{said:?}") };
                            prop_assert_eq!(stale.is_some(), answer.is_some());
                        }
                        answer => {
                            let Look::Absent { stale } = said else { panic!("{said:?}") };
                            prop_assert_eq!(stale.is_some(), answer.is_some());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn octets_of_anybody_never_panic(message in proptest::collection::vec(any::<u8>(), 0..200), cut in 0_usize..60) {
        let q = asked("a.corp.example", A);
        let real = Upstream::to(&q).cname("a.corp.example", "b.corp.example", 5).a_of("b.corp.example", 5).message();
        let mixed = [&real[..cut.min(real.len())], &message].concat();
        for octets in [&message, &mixed] {
            if let Ok(kept) = kept::keep(octets, &q, |_| true) {
                cache(1 << 20).store(Instant::ZERO, &q, client(1), &kept);
            }
            let mut finished = Finished::new(1 << 20, 1_232, [1; 16]);
            finished.insert(Instant::ZERO, 0, &[], octets, octets);
            let mut out = [0; 1_232];
            let _slow = finished.answer(Instant::ZERO, 0, octets, &mut out);
        }
    }
}
