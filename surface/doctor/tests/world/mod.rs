//! Evidence of a healthy pair, and what each fault changes of it: what the machines of a broken deployment would observe.

use std::net::{IpAddr, Ipv4Addr};

use jiff::{Span, Timestamp};
use sixgate_doctor::Evidence;
use sixgate_doctor::evidence::{
    Advertisement, AllowedNow, Answer, Daemon, Disk, Echo, Echoed, GatewayEvidence, Heard, Held,
    HostEvidence, IsatapPlan, Lead, Link, Lookup, Machine, Nat64Evidence, PathMtu, PoolPart, Probe, Process,
    Purpose, Registration, Role, SeenHost, Setting,
};

pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
pub(crate) const MOVED: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 120);
pub(crate) const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 1);
pub(crate) const VIP: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 100);
const STRANGER: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 30);
const NAT: Ipv4Addr = Ipv4Addr::new(10, 6, 0, 254);
const NAME: &str = "da-isatap.corp.example";

/// Both ends.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) host: Evidence,
    pub(crate) gateway: Evidence,
}

/// What a fault does to what is observed.
pub(crate) type Fault = (&'static str, fn(&mut Pair));

/// One of each code.
pub(crate) const FAULTS: &[Fault] = &[
    ("SG-ISATAP-001", |p| lookup(&mut p.host, Purpose::Router, Answer::NoSuchName)),
    ("SG-ISATAP-002", |p| {
        lookup(&mut p.gateway, Purpose::Router, Answer::Addresses(vec![VIP.into()]));
        // A host that cannot resolve goes on with what it knew.
        if p.host.lookups[0].answer != Answer::NoSuchName {
            lookup(&mut p.host, Purpose::Router, Answer::Addresses(vec![VIP.into()]));
            host(p).list = vec![VIP];
            p.host.probes[0].listed = false;
            let mut probe = p.host.probes[0].clone();
            (probe.router, probe.listed) = (VIP, true);
            (probe.advertised_ms, probe.refused_by) = (None, Some(VIP));
            p.host.probes.push(probe);
        }
    }),
    ("SG-ISATAP-003", |p| {
        silence(p);
        gateway(p).heard.clear();
    }),
    ("SG-ISATAP-004", |p| {
        router(p).allow[0].prefix = "10.6.8.99/32".to_owned();
        silence(p);
        for heard in &mut gateway(p).heard {
            heard.dropped.get_or_insert_with(|| "isatap-host-not-allowed".to_owned());
        }
    }),
    ("SG-ISATAP-005", |p| {
        let advertisement = advertisement(STRANGER);
        p.host.advertisements.push(advertisement);
    }),
    ("SG-ISATAP-006", |p| gateway(p).settings[0].found = Some("0".to_owned())),
    ("SG-ISATAP-007", |p| {
        lookup(&mut p.gateway, Purpose::BareIsatap, Answer::Addresses(vec![ROUTER.into()]))
    }),
    ("SG-ISATAP-008", |p| {
        let since = p.host.begun;
        let host = host(p);
        host.ipv4 = host.ipv4.map(|_| MOVED);
        host.held.push(Held { ipv4: MOVED, since });
        p.host.machine.ipv4 = vec![MOVED];
        p.host.machine.isatap.clear();
        silence(p);
        for heard in &mut gateway(p).heard {
            heard.inner = Some("fe80::5efe:a06:878".parse().unwrap());
            if heard.outer == HOST {
                heard.outer = MOVED;
                heard.dropped = Some("isatap-host-not-allowed".to_owned());
            }
        }
        for echo in &mut p.gateway.echoes {
            echo.inner = MOVED;
            echo.outer = if echo.outer == HOST { MOVED } else { echo.outer };
        }
    }),
    ("SG-ISATAP-009", |p| {
        silence(p);
        for heard in &mut gateway(p).heard {
            (heard.outer, heard.dropped) = (NAT, Some("isatap-source-not-embedded".to_owned()));
        }
        for echo in &mut p.gateway.echoes {
            echo.outer = NAT;
        }
    }),
    ("SG-ISATAP-010", |p| {
        for probe in &mut p.host.probes {
            probe.mtu = Some(PathMtu { passed: 1200, lost: Some(1201), last_hop: Some(NAT), told: false });
        }
    }),
    ("SG-ISATAP-011", |p| router(p).routes.clear()),
    ("SG-NAT64-001", |p| nat64(p).pools[0].level = "full".to_owned()),
    ("SG-NAT64-003", |p| nat64(p).leads[0].through = None),
    ("SG-NAT64-004", |p| nat64(p).leads[1].local = true),
    ("SG-NAT64-005", |p| nat64(p).synthesised = vec!["2001:db8:64::/96".to_owned()]),
    ("SG-NAT64-006", |p| {
        nat64(p).well_known_only_global = true;
        nat64(p).destinations_denied = 4;
    }),
    ("SG-SYS-001", |p| {
        p.host.machine.no_tun = Some("No such file or directory".to_owned());
        dead(p);
    }),
    ("SG-SYS-002", |p| {
        p.host.daemon.process.as_mut().unwrap().capabilities = Some("000001fffeffdfff".to_owned());
        dead(p);
    }),
    ("SG-SYS-003", |p| p.gateway.daemon.process.as_mut().unwrap().files_limit = Some(30)),
    ("SG-SYS-004", |p| p.gateway.machine.disks[0].free = 0),
    ("SG-SYS-005", |p| gateway(p).settings[2].found = Some("1".to_owned())),
    ("SG-SYS-006", |p| p.gateway.daemon.clock_jump_ms = Some(-7_200_000)),
    ("SG-DNS-006", |p| lookup(&mut p.host, Purpose::BareWpad, Answer::Addresses(vec![STRANGER.into()]))),
    ("SG-DNS-001", |p| lookup(&mut p.gateway, Purpose::Client, Answer::NoSuchName)),
];

/// Nothing is wrong.
pub(crate) fn healthy() -> Pair {
    let begun: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
    let at = |ms: i64| begun.checked_add(Span::new().milliseconds(ms)).unwrap();
    let settings = |device: &str, key: &str, wanted: &[&str]| Setting {
        name: format!("net/ipv4/conf/{device}/{key}"),
        wanted: wanted.iter().map(|w| (*w).to_owned()).collect(),
        found: Some(wanted[0].to_owned()),
        purpose: "the test".to_owned(),
    };
    let host = HostEvidence {
        device: "isatap0".to_owned(),
        ipv4: Some(HOST),
        routers: vec![NAME.to_owned()],
        list: vec![ROUTER],
        links: vec![Link { router: ROUTER, state: "up".to_owned(), address: None }],
        held: vec![Held { ipv4: HOST, since: at(-3_600_000) }],
        ..HostEvidence::default()
    };
    let gateway = GatewayEvidence {
        isatap: Some(IsatapPlan {
            name: Some(NAME.to_owned()),
            device: "isatap0".to_owned(),
            address: Some(ROUTER),
            prefixes: vec!["fd6a:7e00:cafe:2::/64".to_owned()],
            routes: vec!["fd6a:7e00:cafe:1::/64".to_owned()],
            allow: vec![AllowedNow {
                prefix: "10.6.8.20/32".to_owned(),
                name: None,
                rule: Some("helpdesk".to_owned()),
                offer: None,
            }],
            ..IsatapPlan::default()
        }),
        clients: Some("fd6a:7e00:cafe:1::/64".to_owned()),
        own: vec![ROUTER],
        hosts: vec![SeenHost { ipv4: HOST, served: true, reason: None, last_rs: Some(at(1)) }],
        heard: vec![Heard {
            at: at(1),
            outer: HOST,
            inner: Some("fe80::5efe:a06:814".parse().unwrap()),
            solicitation: true,
            dropped: None,
        }],
        settings: vec![
            settings("eth1", "forwarding", &["1"]),
            settings("nat64", "forwarding", &["1"]),
            settings("all", "rp_filter", &["0", "2"]),
        ],
        registered: vec![Registration { name: "laptop-01.clients.corp.example".to_owned(), failure: None }],
        connected: vec![("laptop-01".to_owned(), "fd6a:7e00:cafe:1::7".parse().unwrap())],
        nat64: Some(translator()),
        ..GatewayEvidence::default()
    };
    let found = |a: IpAddr| Answer::Addresses(vec![a]);
    let asked = |purpose, name: &str, answer| Lookup {
        purpose,
        name: name.to_owned(),
        servers: vec!["10.6.0.53:53".parse().unwrap()],
        answer,
    };
    Pair {
        host: Evidence {
            role: Some(Role::Host(Box::new(host))),
            lookups: vec![
                asked(Purpose::Router, NAME, found(ROUTER.into())),
                asked(Purpose::BareIsatap, "isatap.corp.example", Answer::NoSuchName),
                asked(Purpose::BareWpad, "wpad.corp.example", Answer::NoSuchName),
            ],
            probes: vec![Probe {
                router: ROUTER,
                listed: true,
                echo: Echo::Answered(0.2),
                solicited_ms: vec![0],
                advertised_ms: Some(1),
                refused_by: None,
                untried: None,
                mtu: Some(PathMtu { passed: 1500, lost: None, last_hop: None, told: false }),
            }],
            advertisements: vec![advertisement(ROUTER)],
            ..machine("helpdesk-01", "host", HOST, begun, at(600))
        },
        gateway: Evidence {
            role: Some(Role::Gateway(Box::new(gateway))),
            lookups: vec![
                asked(Purpose::Router, NAME, found(ROUTER.into())),
                asked(Purpose::BareIsatap, "isatap.corp.example", Answer::NoSuchName),
                asked(
                    Purpose::Client,
                    "laptop-01.clients.corp.example",
                    found("fd6a:7e00:cafe:1::7".parse().unwrap()),
                ),
            ],
            echoes: vec![Echoed { at: at(1), outer: HOST, inner: HOST, count: 2 }],
            ..machine("gateway", "gateway", ROUTER, at(600), at(700))
        },
    }
}

fn translator() -> Nat64Evidence {
    let lead = |to: &str, address: &str| Lead {
        to: to.to_owned(),
        address: address.to_owned(),
        through: Some("nat64".to_owned()),
        ..Lead::default()
    };
    Nat64Evidence {
        device: "nat64".to_owned(),
        device_up: Some(true),
        prefixes: vec!["fd6a:7e00:cafe:7777::/96".to_owned()],
        synthesised: vec!["fd6a:7e00:cafe:7777::/96".to_owned()],
        leads: vec![
            lead("fd6a:7e00:cafe:7777::/96", "fd6a:7e00:cafe:7777::c000:201"),
            lead("198.51.100.0/28", "198.51.100.0"),
        ],
        pools: vec![PoolPart {
            proto: "tcp".to_owned(),
            what: "198.51.100.0/28:1-65535".to_owned(),
            used: 5,
            total: 1_048_560,
            level: "normal".to_owned(),
        }],
        ..Nat64Evidence::default()
    }
}

fn nat64(p: &mut Pair) -> &mut Nat64Evidence {
    gateway(p).nat64.as_mut().unwrap()
}

fn machine(name: &str, role: &str, ipv4: Ipv4Addr, begun: Timestamp, taken: Timestamp) -> Evidence {
    Evidence {
        schema: 1,
        begun,
        taken,
        machine: Machine {
            name: name.to_owned(),
            ipv4: vec![ipv4],
            disks: vec![Disk {
                path: "/var/lib/sixgate".to_owned(),
                free: 1 << 30,
                total: 1 << 31,
                files_free: Some(100_000),
            }],
            ..Machine::default()
        },
        daemon: Daemon {
            answers: true,
            socket: "/run/sixgate/control.sock".to_owned(),
            role: Some(role.to_owned()),
            process: Some(Process {
                pid: 7,
                capabilities: Some("000001ffffffffff".to_owned()),
                files: Some(20),
                files_limit: Some(1024),
            }),
            clock_jump_ms: Some(12),
            ..Daemon::default()
        },
        ..Evidence::default()
    }
}

fn advertisement(from: Ipv4Addr) -> Advertisement {
    let at: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
    Advertisement {
        from,
        count: 1,
        first: at,
        last: at,
        router_lifetime: 0,
        prefixes: vec!["fd6a:7e00:cafe:2::/64".to_owned()],
        routes: vec!["fd6a:7e00:cafe:1::/64".to_owned()],
        dropped: None,
    }
}

pub(crate) fn host(p: &mut Pair) -> &mut HostEvidence {
    match p.host.role.as_mut().unwrap() {
        Role::Host(host) => host,
        Role::Gateway(_) | Role::Client(_) => panic!("no host"),
    }
}

pub(crate) fn gateway(p: &mut Pair) -> &mut GatewayEvidence {
    match p.gateway.role.as_mut().unwrap() {
        Role::Gateway(gateway) => gateway,
        Role::Host(_) | Role::Client(_) => panic!("no gateway"),
    }
}

fn router(p: &mut Pair) -> &mut IsatapPlan {
    gateway(p).isatap.as_mut().unwrap()
}

/// No router of ours answers.
fn silence(p: &mut Pair) {
    for probe in &mut p.host.probes {
        probe.advertised_ms = None;
        probe.solicited_ms = vec![0, 300, 700, 1200];
    }
    p.host.advertisements.retain(|a| a.from != ROUTER);
}

/// The host's daemon does not run: what only it knows is not known.
fn dead(p: &mut Pair) {
    p.host.daemon.answers = false;
    p.host.daemon.clock_jump_ms = None;
    p.host.daemon.failure = Some("it said why".to_owned());
    let host = host(p);
    host.ipv4 = None;
    host.links.clear();
}

fn lookup(e: &mut Evidence, purpose: Purpose, answer: Answer) {
    e.lookups.iter_mut().find(|l| l.purpose == purpose).unwrap().answer = answer;
}
