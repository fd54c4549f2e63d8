//! RFC 6147, section 5.1: the tables of AAAA and A.
mod world;

use domain::base::iana::{Class, OptRcode, Rcode, Rtype};
use sixgate_dns64::{Config, Kind, Rule};
use sixgate_reason::DNS_UPSTREAM_FAILED;
use sixgate_time::Duration;
use world::*;

const X: &str = "x.test";

fn no_aaaa() -> World {
    World::default().with(X, Rtype::AAAA, empty(soa("test", 300, 120)))
}

#[test]
fn a_usable_aaaa_is_given_as_it_is_and_a_is_never_asked() {
    let mut world = World::default().with(X, Rtype::AAAA, has(vec![aaaa(X, 60, "2001:db8::1")])).with(
        X,
        Rtype::A,
        has(vec![a(X, 60, "10.0.0.1")]),
    );
    let got = run(config(), &mut world, &ask(X, Rtype::AAAA));
    assert_eq!(got.answers(), ["x.test 60 AAAA 2001:db8::1"]);
    assert_eq!(world.asked, [(X.to_string(), Rtype::AAAA)]);
    assert_eq!(got.answer.kind, Kind::Passed);
}

#[test]
fn an_empty_answer_is_made_from_a_in_their_order_with_the_soas_ttl_and_no_soa() {
    let mut world = no_aaaa().with(X, Rtype::A, has(vec![a(X, 600, "10.0.0.2"), a(X, 60, "10.0.0.1")]));
    let got = run(config(), &mut world, &ask(X, Rtype::AAAA));
    assert_eq!(got.answers(), ["x.test 120 AAAA 2001:db8:64::a00:2", "x.test 60 AAAA 2001:db8:64::a00:1"]);
    assert!(got.authorities().is_empty() && !got.message.header().ad());
    assert_eq!(got.answer.kind, Kind::Synthesised);
    assert_eq!(got.message.header().id(), 0x1234);
}

#[test]
fn without_soa_or_after_an_error_the_ttl_is_at_most_600() {
    for says in [has(vec![]), rcode(Rcode::SERVFAIL), rcode(Rcode::REFUSED), Says::Silence] {
        let mut world = World::default().with(X, Rtype::AAAA, says).with(
            X,
            Rtype::A,
            has(vec![a(X, 86_400, "10.0.0.1")]),
        );
        let got = run(config(), &mut world, &ask(X, Rtype::AAAA));
        assert_eq!(got.answers(), ["x.test 600 AAAA 2001:db8:64::a00:1"]);
    }
}

#[test]
fn nxdomain_of_aaaa_stands_with_its_soa() {
    let nx = Says::Message(Rcode::NXDOMAIN, vec![], vec![soa("test", 300, 120)]);
    let mut world =
        World::default().with(X, Rtype::AAAA, nx).with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let got = run(config(), &mut world, &ask(X, Rtype::AAAA));
    assert_eq!(got.rcode(), OptRcode::NXDOMAIN);
    assert_eq!(got.authorities().len(), 1);
    assert_eq!(world.asked.len(), 1);
}

#[test]
fn excluded_aaaa_are_never_handed_out() {
    let mapped = aaaa(X, 60, "::ffff:10.0.0.9");
    let ipv4 = || has(vec![a(X, 60, "10.0.0.1")]);
    let mut only = World::default().with(X, Rtype::AAAA, has(vec![mapped.clone()])).with(X, Rtype::A, ipv4());
    let got = run(config(), &mut only, &ask(X, Rtype::AAAA));
    assert_eq!(got.answers(), ["x.test 60 AAAA 2001:db8:64::a00:1"]);
    let mixed = has(vec![mapped, aaaa(X, 60, "2001:db8::1")]);
    let mut mixed = World::default().with(X, Rtype::AAAA, mixed).with(X, Rtype::A, ipv4());
    let got = run(config(), &mut mixed, &ask(X, Rtype::AAAA));
    assert_eq!(got.answers(), ["x.test 60 AAAA 2001:db8::1"]);
    let behind = has(vec![cname(X, 9, "y.test"), aaaa("y.test", 60, "::ffff:10.0.0.9")]);
    let mut behind = World::default().with(X, Rtype::AAAA, behind).with(
        X,
        Rtype::A,
        has(vec![cname(X, 9, "y.test"), a("y.test", 60, "10.0.0.1")]),
    );
    let got = run(config(), &mut behind, &ask(X, Rtype::AAAA));
    assert_eq!(got.answers(), ["x.test 9 CNAME y.test", "y.test 60 AAAA 2001:db8:64::a00:1"]);
}

#[test]
fn the_answer_to_a_is_the_basis() {
    for (says, want) in [
        (empty(soa("test", 300, 120)), OptRcode::NOERROR),
        (Says::Message(Rcode::NXDOMAIN, vec![], vec![soa("test", 300, 120)]), OptRcode::NXDOMAIN),
        (rcode(Rcode::SERVFAIL), OptRcode::SERVFAIL),
        (rcode(Rcode::REFUSED), OptRcode::SERVFAIL),
        (Says::Silence, OptRcode::SERVFAIL),
        (Says::Garbage(vec![0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 3, 1, 2, 3]), OptRcode::SERVFAIL),
    ] {
        let got = run(config(), &mut no_aaaa().with(X, Rtype::A, says), &ask(X, Rtype::AAAA));
        assert_eq!(got.rcode(), want);
        assert!(got.answers().is_empty());
        let failed = want == OptRcode::SERVFAIL;
        assert_eq!(got.answer.reason, failed.then_some(DNS_UPSTREAM_FAILED));
        assert_eq!(got.extended_error().is_some(), failed);
        assert_eq!(got.authorities().len(), usize::from(!failed));
    }
}

#[test]
fn all_as_excluded_is_no_data_with_the_soa_of_the_empty_answer() {
    let mut world = no_aaaa().with(X, Rtype::A, has(vec![a(X, 60, "127.0.0.1"), a(X, 60, "169.254.1.1")]));
    let got = run(config(), &mut world, &ask(X, Rtype::AAAA));
    assert_eq!((got.rcode(), got.answers().len()), (OptRcode::NOERROR, 0));
    assert_eq!(got.authorities().len(), 1);
}

#[test]
fn a_malformed_aaaa_counts_as_no_answer() {
    let four = Says::Garbage(vec![0xc0, 0x0c, 0, 28, 0, 1, 0, 0, 0, 60, 0, 4, 1, 2, 3, 4]);
    let mut world =
        World::default().with(X, Rtype::AAAA, four).with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    assert_eq!(
        run(config(), &mut world, &ask(X, Rtype::AAAA)).answers(),
        ["x.test 60 AAAA 2001:db8:64::a00:1"]
    );
}

#[test]
fn a_chain_is_kept_and_one_without_its_target_is_followed() {
    let mut world = World::default()
        .with(X, Rtype::AAAA, has(vec![cname(X, 5, "y.other")]))
        .with("y.other", Rtype::AAAA, empty(soa("other", 30, 30)))
        .with(X, Rtype::A, has(vec![cname(X, 5, "y.other")]))
        .with(
            "y.other",
            Rtype::A,
            has(vec![cname("y.other", 700, "z.other"), a("z.other", 700, "10.0.0.1")]),
        );
    let got = run(config(), &mut world, &ask(X, Rtype::AAAA));
    assert_eq!(
        got.answers(),
        ["x.test 5 CNAME y.other", "y.other 700 CNAME z.other", "z.other 30 AAAA 2001:db8:64::a00:1"]
    );
}

#[test]
fn a_loop_of_aliases_ends_in_servfail() {
    let turn = |x: &str, y: &str| has(vec![cname(x, 5, y), cname(y, 5, x)]);
    for says in [turn(X, "y.test"), has(vec![cname(X, 5, X)])] {
        let mut world = World::default().with(X, Rtype::AAAA, says.clone()).with(X, Rtype::A, says);
        let got = run(config(), &mut world, &ask(X, Rtype::AAAA));
        assert_eq!((got.rcode(), got.extended_error()), (OptRcode::SERVFAIL, Some(0)));
    }
}

#[test]
fn records_of_other_owners_are_not_passed_on() {
    let says = has(vec![aaaa("evil.test", 60, "2001:db8::bad"), aaaa(X, 60, "2001:db8::1")]);
    let got = run(config(), &mut World::default().with(X, Rtype::AAAA, says), &ask(X, Rtype::AAAA));
    assert_eq!(got.answers(), ["x.test 60 AAAA 2001:db8::1"]);
}

#[test]
fn other_types_and_classes_pass_and_a_causes_a_only() {
    let mut world = World::default().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let got = run(config(), &mut world, &ask(X, Rtype::A));
    assert_eq!(got.answers(), ["x.test 60 A 10.0.0.1"]);
    assert_eq!(world.asked, [(X.to_string(), Rtype::A)]);
    let any = has(vec![a(X, 60, "10.0.0.1"), aaaa(X, 60, "2001:db8::1")]);
    let asked = Ask { stream: true, ..ask(X, Rtype::ANY) };
    let got = run(config(), &mut World::default().with(X, Rtype::ANY, any), &asked);
    assert_eq!(got.answers().len(), 2);
    let mut world = World::default().with(X, Rtype::AAAA, has(vec![]));
    let got = run(config(), &mut world, &Ask { class: Class::CH, ..ask(X, Rtype::AAAA) });
    assert_eq!((got.rcode(), world.asked.len()), (OptRcode::NOERROR, 1));
}

#[test]
fn names_can_be_excluded_or_always_synthesised() {
    let both = || {
        World::default().with(X, Rtype::AAAA, has(vec![aaaa(X, 60, "2001:db8::1")])).with(
            X,
            Rtype::A,
            has(vec![a(X, 900, "10.0.0.1")]),
        )
    };
    let always = Config { always_names: vec![X.parse().unwrap()], ..config() };
    let got = run(always, &mut both(), &ask("X.TEST", Rtype::AAAA));
    assert_eq!(got.answers(), ["X.TEST 600 AAAA 2001:db8:64::a00:1"]);
    let never = Config { exclude_names: vec![X.parse().unwrap()], ..config() };
    let mut world = no_aaaa().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let got = run(never.clone(), &mut world, &ask(X, Rtype::AAAA));
    assert!(got.answers().is_empty() && got.authorities().len() == 1 && world.asked.len() == 1);
    let mut behind = World::default()
        .with(
            "w.test",
            Rtype::AAAA,
            Says::Message(Rcode::NOERROR, vec![cname("w.test", 5, X)], vec![soa("test", 9, 9)]),
        )
        .with("w.test", Rtype::A, has(vec![cname("w.test", 5, X), a(X, 60, "10.0.0.1")]));
    let got = run(never, &mut behind, &ask("w.test", Rtype::AAAA));
    assert_eq!(got.answers(), ["w.test 5 CNAME x.test"]);
}

#[test]
fn who_has_no_rule_gets_no_synthesis() {
    let rule =
        Rule { clients: vec!["fd65::/64".parse().unwrap()], ..Rule::for_all(prefix("2001:db8:64::/96")) };
    let config = Config { rules: vec![rule], ..Config::default() };
    let mut world = no_aaaa().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let got = run(config.clone(), &mut world, &ask(X, Rtype::AAAA));
    assert!(got.answers().is_empty() && world.asked.len() == 1);
    let got = run(config, &mut world, &Ask { asker: "fd65::1".parse().unwrap(), ..ask(X, Rtype::AAAA) });
    assert_eq!(got.answers().len(), 1);
}

#[test]
fn the_well_known_prefix_carries_global_addresses_only() {
    let with = |lifted| Config {
        rules: vec![Rule::for_all(prefix("64:ff9b::/96"))],
        well_known_non_global: lifted,
        ..Config::default()
    };
    let mut world = no_aaaa().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1"), a(X, 60, "8.8.8.8")]));
    let got = run(with(false), &mut world, &ask(X, Rtype::AAAA));
    assert_eq!(got.answers(), ["x.test 60 AAAA 64:ff9b::808:808"]);
    assert_eq!(run(with(true), &mut world, &ask(X, Rtype::AAAA)).answers().len(), 2);
}

#[test]
fn a_slow_name_costs_one_delay_and_a_silent_aaaa_a_second_and_a_half() {
    let mut world = no_aaaa().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let (got, took) = run_slowly(config(), &mut world, &ask(X, Rtype::AAAA), |_| Duration::from_millis(800));
    assert_eq!(got.answers().len(), 1);
    assert_eq!(took, Duration::from_millis(850));
    let mut silent = World::default().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    let (got, took) = run_slowly(config(), &mut silent, &ask(X, Rtype::AAAA), |_| Duration::ZERO);
    assert_eq!((got.answers().len(), took), (1, Duration::from_millis(1_500)));
    let (got, took) = run_slowly(config(), &mut World::default(), &ask(X, Rtype::AAAA), |_| Duration::ZERO);
    assert_eq!((got.rcode(), took), (OptRcode::SERVFAIL, Duration::from_secs(5)));
    assert_eq!(got.extended_error(), Some(22));
}

#[test]
fn a_late_real_aaaa_still_wins_over_a_that_has_not_come() {
    let mut world = World::default().with(X, Rtype::AAAA, has(vec![aaaa(X, 60, "2001:db8::1")])).with(
        X,
        Rtype::A,
        has(vec![a(X, 60, "10.0.0.1")]),
    );
    let slow = |rtype| Duration::from_millis(if rtype == Rtype::AAAA { 2_000 } else { 3_000 });
    let (got, took) = run_slowly(config(), &mut world, &ask(X, Rtype::AAAA), slow);
    assert_eq!((got.answers(), took), (vec!["x.test 60 AAAA 2001:db8::1".into()], Duration::from_secs(2)));
}

#[test]
fn who_validates_by_himself_gets_the_answer_as_it_came() {
    let world = || no_aaaa().with(X, Rtype::A, has(vec![a(X, 60, "10.0.0.1")]));
    for (dnssec_ok, checking_disabled, synthesised) in
        [(false, false, true), (false, true, true), (true, false, true), (true, true, false)]
    {
        let mut world = world();
        let question = Ask { edns: Some((1232, dnssec_ok)), checking_disabled, ..ask(X, Rtype::AAAA) };
        let got = run(config(), &mut world, &question);
        assert_eq!(got.answers().len(), usize::from(synthesised), "DO {dnssec_ok} CD {checking_disabled}");
        assert_eq!(world.asked.len(), 1 + usize::from(synthesised));
        assert_eq!(got.message.opt().unwrap().dnssec_ok(), dnssec_ok);
        assert_eq!(got.message.header().cd(), checking_disabled);
        assert!(!got.message.header().ad());
    }
}
