//! The tables, seen a slice at a time.

use sixgate_nat64::{Config, Proto, Slice, Wanted};

use crate::support::*;

fn all<T>(slice: impl Fn(usize) -> Slice<T>) -> (Vec<T>, usize) {
    let (mut items, mut at, mut slices) = (Vec::new(), Some(0), 0);
    while let Some(start) = at {
        let slice = slice(start);
        assert!(slice.items.len() <= 2048, "packets wait for a slice");
        items.extend(slice.items);
        at = slice.next;
        slices += 1;
    }
    (items, slices)
}

#[test]
fn slices_together_are_the_table_and_none_is_long() {
    let mut lab = Lab::new(Config { max_sessions: 10_000, ..config() });
    for port in 0..5000 {
        lab.open_udp(port + 1, SERVER);
    }
    let everything = Wanted::default();
    let (sessions, slices) = all(|start| lab.nat.session_slice(start, &everything));
    assert_eq!((sessions.len(), slices), (5000, 3));
    assert!(sessions.iter().eq(lab.nat.sessions().collect::<Vec<_>>().iter()));
    let (bindings, _) = all(|start| lab.nat.bib_slice(start, &everything));
    assert!(bindings.iter().eq(lab.nat.bib().collect::<Vec<_>>().iter()));
    assert_eq!(lab.nat.session_slice(usize::MAX, &everything), Slice { items: Vec::new(), next: None });
}

#[test]
fn only_what_is_wanted_is_in_them() {
    let mut lab = Lab::new(config());
    for port in 1..=20 {
        lab.open_udp(port, SERVER);
        lab.out(tcp6(neighbour(), port, embed(OTHER), 80, 2));
    }
    let count = |wanted: Wanted| {
        let sessions = lab.nat.session_slice(0, &wanted).items.len();
        assert_eq!(lab.nat.bib_slice(0, &wanted).items.len(), sessions);
        sessions
    };
    let client = |text: &str| Wanted { client: Some(text.parse().unwrap()), ..Wanted::default() };
    assert_eq!(count(Wanted::default()), 40);
    assert_eq!(count(Wanted { protocol: Some(Proto::Tcp), ..Wanted::default() }), 20);
    assert_eq!(count(client("2001:db8:1::8/128")), 20);
    assert_eq!(count(client("2001:db8:1::/64")), 40);
    assert_eq!(count(client("2001:db8:2::/64")), 0);
    let one = lab.nat.bib().next().unwrap().outside;
    let outside = |port| Wanted { outside: Some((one.address, port)), ..Wanted::default() };
    assert!((1..=2).contains(&count(outside(Some(one.port)))));
    assert_eq!(count(outside(None)), 40);
}
