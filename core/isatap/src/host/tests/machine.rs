//! The state machine of a router's reachability: every state against every event.

use std::fmt::Write;
use std::string::String;

use sixgate_wire::path_error::PathFault;

use super::*;
use crate::host::reachability::Reachability;

const NOW: Instant = Instant::from_secs(1000);

fn states() -> [(&'static str, Reachability); 7] {
    [
        ("unknown", Reachability::Unknown),
        ("reachable", Reachability::Reachable { confirmed: NOW - secs(2), waiting_since: None }),
        ("just answered", Reachability::Reachable { confirmed: NOW, waiting_since: None }),
        ("waiting", Reachability::Reachable { confirmed: NOW, waiting_since: Some(NOW) }),
        ("asked once", Reachability::Probing { sent: 1, next: NOW + Duration::from_millis(500) }),
        ("asked eight times", Reachability::Probing { sent: 8, next: NOW + Duration::from_millis(500) }),
        ("failed", Reachability::Failed),
    ]
}

fn name(state: Reachability) -> String {
    match state {
        Reachability::Unknown => "unknown".into(),
        Reachability::Reachable { waiting_since: None, .. } => "reachable".into(),
        Reachability::Reachable { waiting_since: Some(_), .. } => "waiting".into(),
        Reachability::Probing { sent, .. } => std::format!("asked {sent}"),
        Reachability::Failed => "failed".into(),
    }
}

type Event = (&'static str, fn(&mut Host, Instant));

fn all_events() -> [Event; 7] {
    [
        ("advertisement", |host, now| {
            advertise(host, now, R1, &usual());
        }),
        ("answer", |host, now| {
            confirm(host, now, R1);
        }),
        ("sent", |host, now| {
            let _ = send(host, now, CLIENT);
        }),
        ("heard", |host, now| {
            host.decapsulate(now, R1, HOST, &data(six(CLIENT), global(HOST)));
        }),
        ("path failed", |host, now| {
            let _ = host.path_failed(now, R1, PathFault::Unreachable, &data(global(HOST), six(CLIENT)));
        }),
        ("half a second", |host, now| host.handle_timeout(now + Duration::from_millis(500))),
        ("31 seconds", |host, now| host.handle_timeout(now + secs(31))),
    ]
}

#[test]
fn every_state_meets_every_event() {
    let mut table = String::new();
    for (from, state) in states() {
        for (event, happen) in all_events() {
            let mut host = host(NOW, &[R1]);
            advertise(&mut host, NOW, R1, &usual());
            host.routers[0].reachability = state;
            host.choose(NOW);
            happen(&mut host, NOW);
            let router = &host.routers[0];
            let usable = if router.is_usable() { "" } else { ", not used" };
            let doubt =
                if router.is_usable() && router.reachability.is_suspect() { ", in doubt" } else { "" };
            writeln!(table, "{from} + {event} = {}{doubt}{usable}", name(router.reachability)).unwrap();
        }
    }
    assert_eq!(table, include_str!("machine.snapshot"), "the table is now:\n{table}");
}
