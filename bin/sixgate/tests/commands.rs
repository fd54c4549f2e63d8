//! Commands that ask a daemon: the exact text for its answers, the JSON form, the exit codes.
//!
//! The daemon is a control socket with answers that do not change, made of the types that real daemons use.

#![allow(clippy::unwrap_used)]

mod run;

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::Stdio;

use run::{Folder, Run, sixgate};
use serde_json::{Value, json};
use sixgate_api::{
    Answer, AskingHost, Binding, Client, ClientState, ClientStatus, Component, ComponentState, Counters,
    Document, Explanation, GatewayStatus, HostState, HostStatus, IdleHost, IsatapHost, IsatapHosts, Nat64Bib,
    NativeHost, NeedsIsatap, NewToken, Nrpt, NrptRule, Revoked, Route, RouterLink, RouterName, Status,
    Steering, Step, Suggestions, Timestamp, Trace, TraceEnd, TraceStep, TraceVerdict, Who, path,
};
use sixgate_io_control::{Handler, Request, Response, Server};

fn seconds_ago(seconds: i64) -> Timestamp {
    // A little later, so that a test that runs slowly reads the same whole number for most of a second.
    let now = Timestamp::now().as_millisecond() + 400;
    Timestamp::from_millisecond(now - seconds * 1000).unwrap()
}

/// Which daemon answers.
#[derive(Clone, Copy)]
enum Daemon {
    Gateway,
    Client,
    Host,
}

impl Handler for Daemon {
    async fn handle(&self, request: Request) -> Response {
        answer(*self, &request).map_or_else(|| Response::not_found(&request.path), Response::ok)
    }
}

fn document(body: impl serde::Serialize) -> Value {
    Document::new(body).to_value()
}

fn answer(daemon: Daemon, request: &Request) -> Option<Value> {
    let address = |text: &str| text.parse().unwrap();
    Some(match request.path.as_str() {
        path::STATUS => document(status(daemon)),
        path::WHO => document(Who {
            clients: vec![Client {
                name: "laptop-01".to_owned(),
                user: Some("ana".to_owned()),
                groups: vec!["staff".to_owned()],
                address: address("fd6a:7e00:cafe:1:5d3c:91ff:2ab0:7e14"),
                via: "ip-https".to_owned(),
                from: "198.51.100.7".parse().unwrap(),
                from_port: 40_000,
                rtt_us: Some(23_400),
                since: seconds_ago(60),
                rx_bytes: 12_345,
                tx_bytes: 999,
                last: Some(seconds_ago(1)),
            }],
            enrolled: 2,
            isatap_hosts: 1,
        }),
        path::COUNTERS => document(Counters {
            counters: [("isatap-host-not-allowed".to_owned(), 4), ("malformed-ipv6".to_owned(), 12)].into(),
        }),
        path::TOKENS => document(NewToken {
            token: "sgt-ABCD".to_owned(),
            url: "https://da.example.com".to_owned(),
            name: request.body["name"].as_str()?.to_owned(),
            user: request.body["user"].as_str().map(str::to_owned),
            expires: seconds_ago(-request.body["ttl"].as_i64()?),
        }),
        path::TOKEN_REVOKE => document(Revoked { revoked: u64::from(request.body["name"] == "laptop-01") }),
        path::TRACE => document(trace(request.body["what"].as_str()?)),
        path::ISATAP_SUGGEST => document(suggestions(request.body["days"].as_u64()?)),
        path::ISATAP_HOSTS => document(IsatapHosts { hosts: hosts() }),
        path::NAT64_BIB => document(Nat64Bib {
            bib: vec![Binding {
                proto: "tcp".to_owned(),
                inside: "[2001:db8::8]:443".parse().unwrap(),
                outside: "192.0.2.2:443".parse().unwrap(),
                is_static: true,
                sessions: 3,
                client: Some("laptop-01".to_owned()),
            }],
            total: 12,
            skipped: 0,
        }),
        path::DNS64_EXPLAIN => document(Explanation {
            name: request.body["name"].as_str()?.to_owned(),
            steps: match request.body["client"].as_str() {
                None => vec![Step { step: "A".to_owned(), text: "10.6.0.30, ttl 300".to_owned() }],
                Some(client) => vec![Step { step: "asker".to_owned(), text: client.to_owned() }],
            },
            rcode: "NOERROR".to_owned(),
            answers: vec![Answer {
                address: address("fd6a:7e00:cafe:7777::a06:1e"),
                ttl: 300,
                synthesised: true,
            }],
        }),
        path::NRPT => document(Nrpt {
            active: true,
            by: Some("resolv.conf".to_owned()),
            rules: vec![NrptRule {
                suffix: "corp.example".to_owned(),
                route: Route::Tunnel,
                servers: vec!["[fd6a:7e00:cafe:3333::1]:53".parse().unwrap()],
            }],
        }),
        path::NRPT_TEST => document(Steering {
            name: request.body["name"].as_str()?.to_owned(),
            route: Route::Local,
            rule: None,
            servers: Vec::new(),
        }),
        _ => return None,
    })
}

fn status(daemon: Daemon) -> Status {
    let component = |name: &str, state, detail: &str| Component {
        component: name.to_owned(),
        state,
        since: (state != ComponentState::Disabled).then(|| seconds_ago(3)),
        detail: detail.to_owned(),
    };
    match daemon {
        Daemon::Gateway => Status::Gateway(GatewayStatus {
            name: "gw".to_owned(),
            version: "0.1.0".to_owned(),
            since: seconds_ago(3),
            components: vec![
                component("ip-https", ComponentState::Ok, "0.0.0.0:443, 0 clients"),
                component("isatap", ComponentState::Disabled, ""),
            ],
        }),
        Daemon::Client => Status::Client(ClientStatus {
            name: "laptop-01".to_owned(),
            version: "0.1.0".to_owned(),
            state: ClientState::Connected,
            since: seconds_ago(48),
            reason: None,
            via: Some("ip-https".to_owned()),
            gateway: Some("https://da.example.com".to_owned()),
            gateway_address: Some("203.0.113.10".parse().unwrap()),
            addresses: vec!["fd6a:7e00:cafe:1::2".parse().unwrap()],
            routes: vec!["fd6a:7e00:cafe:7777::/96".to_owned()],
            names: vec!["corp.example".to_owned()],
            name_servers: Vec::new(),
            mtu: Some(1280),
            rtt_us: Some(40_000),
            certificate_until: None,
            congestion_control: Some("bbr".to_owned()),
            rx_bytes: 5,
            tx_bytes: 6,
        }),
        Daemon::Host => Status::Host(HostStatus {
            version: "0.1.0".to_owned(),
            since: seconds_ago(3),
            device: "isatap0".to_owned(),
            interface: Some("eth0".to_owned()),
            ipv4: Some("10.6.8.20".parse().unwrap()),
            isatap: vec![RouterLink {
                router: "10.6.0.1".parse().unwrap(),
                address: Some("fd6a:7e00:cafe:2:0:5efe:a06:814".parse().unwrap()),
                state: "up".to_owned(),
                since: Some(seconds_ago(2)),
                reason: None,
            }],
            names: vec![RouterName {
                name: "da-isatap.corp.example".to_owned(),
                addresses: vec!["10.6.0.1".parse().unwrap()],
                learned: Some(seconds_ago(90)),
                state: "unanswered".to_owned(),
                since: Some(seconds_ago(30)),
                reason: Some("isatap-name-unanswered".to_owned()),
                detail: Some("no server answers".to_owned()),
            }],
            routes: vec!["fd6a:7e00:cafe:1::/64".to_owned()],
        }),
    }
}

fn trace(what: &str) -> Trace {
    let end = |name: &str, address: &str, ipv4: Option<&str>| TraceEnd {
        name: Some(name.to_owned()),
        address: address.parse().unwrap(),
        ipv4: ipv4.map(|v4| v4.parse().unwrap()),
    };
    let ok = what == "tcp/22";
    Trace {
        from: end("helpdesk-01", "fd6a:7e00:cafe:2:0:5efe:a06:814", Some("10.6.8.20")),
        to: end("laptop-01", "fd6a:7e00:cafe:1::2", None),
        what: what.to_owned(),
        steps: vec![TraceStep {
            at: "gateway".to_owned(),
            step: "policy".to_owned(),
            text: "policy: judged".to_owned(),
            ok,
            rule: Some("gateway.toml:28".to_owned()),
        }],
        verdict: if ok { TraceVerdict::Passes } else { TraceVerdict::Refused },
        reason: (!ok).then(|| "policy-denied".to_owned()),
        text: if ok { "passes" } else { "refused" }.to_owned(),
    }
}

fn suggestions(days: u64) -> Suggestions {
    let idle = |name: &str| IdleHost {
        name: Some(name.to_owned()),
        ipv4: "10.6.8.21".parse().unwrap(),
        rule: Some("helpdesk".to_owned()),
        first_rs: Some(seconds_ago(50 * 86_400)),
        last_rs: Some(seconds_ago(12)),
        last_flow: None,
    };
    Suggestions {
        days: u32::try_from(days).unwrap(),
        watched_since: Some(seconds_ago(50 * 86_400)),
        need: vec![NeedsIsatap {
            name: Some("helpdesk-01".to_owned()),
            ipv4: "10.6.8.20".parse().unwrap(),
            rule: Some("helpdesk".to_owned()),
            flows: 12,
            last_flow: Some(seconds_ago(5)),
        }],
        idle: vec![idle("printer-07")],
        early: Vec::new(),
        ask: vec![AskingHost {
            name: None,
            ipv4: "10.6.8.77".parse().unwrap(),
            refusals: 9,
            last_rs: Some(seconds_ago(12)),
        }],
        native: vec![NativeHost {
            name: "helpdesk-01".to_owned(),
            ipv4: "10.6.8.20".parse().unwrap(),
            address: "2001:db8:6::20".parse().unwrap(),
            in_use: true,
        }],
    }
}

fn hosts() -> Vec<IsatapHost> {
    let host = |name: Option<&str>, ipv4: &str, state, reason: Option<&str>| IsatapHost {
        name: name.map(str::to_owned),
        ipv4: ipv4.parse().unwrap(),
        address: (state == HostState::Served).then(|| "fd6a:7e00:cafe:2:0:5efe:a06:814".parse().unwrap()),
        rule: (state == HostState::Served).then(|| "helpdesk".to_owned()),
        origin: None,
        first_rs: Some(seconds_ago(100)),
        last_rs: Some(seconds_ago(12)),
        state,
        reason: reason.map(str::to_owned),
        rx_bytes: 10,
        tx_bytes: 20,
        flows_30d: if state == HostState::Served { 3 } else { 0 },
        last_flow: (state == HostState::Served).then(|| seconds_ago(5)),
        refusals: if state == HostState::Refused { 4 } else { 0 },
    };
    vec![
        host(Some("helpdesk-01"), "10.6.8.20", HostState::Served, None),
        host(None, "10.6.8.77", HostState::Refused, Some("isatap-host-not-allowed")),
    ]
}

/// A daemon at a socket of its own.
struct Fake {
    folder: Folder,
    _runtime: tokio::runtime::Runtime,
}

impl Fake {
    fn start(name: &str, daemon: Daemon) -> Self {
        let folder = Folder::new(name);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let socket = folder.path().join("control.sock");
        let server = runtime.block_on(async { Server::bind(&socket, 0o600).unwrap() });
        runtime.spawn(server.serve(daemon));
        Self { folder, _runtime: runtime }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    fn ask(&self, arguments: &[&str]) -> Run {
        let socket = self.socket();
        let mut all = arguments.to_vec();
        all.extend(["--socket", socket.to_str().unwrap()]);
        sixgate(&all).run()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let run = self.ask(arguments);
        assert_eq!((run.code, run.error.as_str()), (0, ""), "{arguments:?}");
        run.output
    }
}

/// Every command that asks a daemon.
const ASKING: [&[&str]; 18] = [
    &["isatap", "suggest"],
    &["isatap", "hosts", "suggest", "--days", "7"],
    &["capture", "-o", "/dev/null"],
    &["trace", "helpdesk-01", "laptop-01", "tcp/22"],
    &["status"],
    &["who"],
    &["counters"],
    &["token", "add", "laptop-01"],
    &["token", "list"],
    &["token", "revoke", "laptop-01"],
    &["client", "add", "laptop-01"],
    &["isatap", "hosts"],
    &["nat64", "sessions"],
    &["nat64", "bib"],
    &["nat64", "pools"],
    &["dns64", "explain", "files.corp.example"],
    &["nrpt", "show"],
    &["nrpt", "test", "files.corp.example"],
];

#[test]
fn status_of_each_role() {
    let gateway = Fake::start("gateway", Daemon::Gateway);
    assert_eq!(
        gateway.text(&["status"]),
        "gateway gw · up 3 s · healthy\n  \
         component  state     since  detail\n  \
         ip-https   ok        3 s    0.0.0.0:443, 0 clients\n  \
         isatap     disabled  -\n"
    );
    let client = Fake::start("client", Daemon::Client);
    assert_eq!(
        client.text(&["status"]),
        "laptop-01 · connected 48 s · ip-https to https://da.example.com (203.0.113.10) · rtt 40.0 ms · MTU 1280\n  \
         my address   fd6a:7e00:cafe:1::2\n  \
         names        *.corp.example go through the tunnel; everything else stays local\n  \
         routes       fd6a:7e00:cafe:7777::/96\n  \
         traffic      5 in / 6 out\n  \
         congestion   bbr\n"
    );
    let host = Fake::start("host", Daemon::Host);
    assert_eq!(
        host.text(&["status"]),
        "ISATAP host · up 3 s · eth0 10.6.8.20 · isatap0\n  \
         router    address                            state  since  reason\n  \
         10.6.0.1  fd6a:7e00:cafe:2:0:5efe:10.6.8.20  up     2 s\n  \
         name                    addresses  state       since  reason\n  \
         da-isatap.corp.example  10.6.0.1   unanswered  30 s   no name server answers for the router's name; \
         its last addresses stay in use (isatap-name-unanswered): no server answers\n  \
         routes: fd6a:7e00:cafe:1::/64\n"
    );
    let json = host.ask(&["status", "--json"]).json();
    assert_eq!(json["isatap"][0]["router"], "10.6.0.1");
    assert_eq!(json["role"], "host");
}

#[test]
fn who_counters_and_hosts_are_tables() {
    let fake = Fake::start("tables", Daemon::Gateway);
    assert_eq!(
        fake.text(&["who"]),
        "client     user  address                               via       from          rtt      since  in/out      last\n\
         laptop-01  ana   fd6a:7e00:cafe:1:5d3c:91ff:2ab0:7e14  ip-https  198.51.100.7  23.4 ms  60 s   12 k / 999  1 s ago\n\
         1 connected, 2 enrolled, 1 ISATAP hosts\n"
    );
    assert_eq!(fake.ask(&["who", "laptop-09"]).code, 1);
    assert_eq!(
        fake.text(&["counters"]),
        "reason                   count  what\n\
         isatap-host-not-allowed  4      host is not allowed to use ISATAP\n\
         malformed-ipv6           12     IPv6 header missing, cut short or of another version\n"
    );
    assert_eq!(
        fake.text(&["isatap", "hosts"]),
        "host         IPv4       ISATAP address                     by                       first seen  last RS  flows out 30 d  last flow  in/out   state\n\
         helpdesk-01  10.6.8.20  fd6a:7e00:cafe:2:0:5efe:10.6.8.20  helpdesk                 100 s       12 s     3               5 s        10 / 20  served\n\
         (unknown)    10.6.8.77  -                                  isatap-host-not-allowed  100 s       12 s     -               -          -        refused 4 times\n\
         1 served, 1 refused\n"
    );
    assert_eq!(
        fake.text(&["nat64", "bib"]),
        "proto  client     inside             outside        kind    sessions\n\
         tcp    laptop-01  [2001:db8::8]:443  192.0.2.2:443  static  3\n\
         1 of 12 bindings, from 1; the next with --skip 1\n"
    );
    let who = fake.ask(&["who", "--json"]).json();
    assert_eq!(who["clients"][0]["from"], "198.51.100.7");
    assert_eq!(who["schema"], 1);
}

#[test]
fn suggestions_are_lists_and_an_empty_one_is_not_shown() {
    let fake = Fake::start("suggest", Daemon::Gateway);
    let expected = "The last 60 days; hosts are watched since 50 d\n\
        They open connections to clients, and need ISATAP:\n  \
        host         IPv4       by        flows  last flow\n  \
        helpdesk-01  10.6.8.20  helpdesk  12     5 s\n\
        They opened none in all this time, and could do without:\n  \
        host        IPv4       by        first seen  last RS  last flow\n  \
        printer-07  10.6.8.21  helpdesk  50 d        12 s     -\n\
        They ask for it and are not allowed:\n  \
        host       IPv4       refused  last RS  to allow it\n  \
        (unknown)  10.6.8.77  9 times  12 s     sixgate isatap allow 10.6.8.77\n\
        They have IPv6 of their own, and could drop ISATAP:\n  \
        host         IPv4       native address  flows from there\n  \
        helpdesk-01  10.6.8.20  2001:db8:6::20  open now\n";
    assert_eq!(fake.text(&["isatap", "suggest", "--days", "60"]), expected);
    assert_eq!(fake.text(&["isatap", "hosts", "suggest", "--days", "60"]), expected);
    assert_eq!(fake.ask(&["isatap", "suggest", "--days", "91"]).code, 2);
    let json = fake.ask(&["isatap", "suggest", "--json"]).json();
    assert_eq!((&json["days"], &json["need"][0]["flows"]), (&json!(30), &json!(12)));
}

#[test]
fn a_trace_is_numbered_and_a_refusal_is_a_finding() {
    let fake = Fake::start("trace", Daemon::Gateway);
    assert_eq!(
        fake.text(&["trace", "helpdesk-01", "laptop-01", "tcp/22"]),
        " 1 helpdesk-01  [fd6a:7e00:cafe:2:0:5efe:10.6.8.20] -> [fd6a:7e00:cafe:1::2] tcp/22\n \
          2 gateway      policy: judged   (gateway.toml:28)\n \
          verdict: passes\n"
    );
    let refused = fake.ask(&["trace", "helpdesk-01", "laptop-01", "tcp/23"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused
            .output
            .ends_with(" verdict: refused\n reason:  policy-denied   (sixgate explain policy-denied)\n")
    );
    let json = fake.ask(&["trace", "helpdesk-01", "laptop-01", "tcp/23", "--json"]);
    assert_eq!((json.code, &json.json()["verdict"]), (1, &json!("refused")));
}

#[test]
fn tokens_are_shown_once_and_taken_back() {
    let fake = Fake::start("tokens", Daemon::Gateway);
    let expected = "Token for laptop-01 (user ana), valid once, 24 h. It is shown only now.\n  \
                    sixgate join https://da.example.com sgt-ABCD\n";
    assert_eq!(fake.text(&["token", "add", "laptop-01", "--user", "ana", "--ttl", "24h"]), expected);
    assert_eq!(fake.text(&["client", "add", "laptop-01", "--user", "ana"]), expected);
    let json = fake.ask(&["token", "add", "laptop-01", "--group", "a", "--group", "b", "--json"]).json();
    assert_eq!((&json["token"], &json["url"]), (&json!("sgt-ABCD"), &json!("https://da.example.com")));
    assert_eq!(fake.text(&["token", "revoke", "laptop-01"]), "1 token revoked\n");
    let none = fake.ask(&["token", "revoke", "laptop-09"]);
    assert_eq!(none.code, 1, "{none:?}");
}

#[test]
fn names_are_explained() {
    let fake = Fake::start("names", Daemon::Gateway);
    assert_eq!(
        fake.text(&["dns64", "explain", "files.corp.example."]),
        "files.corp.example\n  A      10.6.0.30, ttl 300\n  answer AAAA fd6a:7e00:cafe:7777::10.6.0.30, ttl 300\n"
    );
    let of_one = fake.text(&["dns64", "explain", "files.corp.example", "--client", "fd64::8"]);
    assert!(of_one.contains("asker  fd64::8\n"), "{of_one}");
    assert_eq!(
        fake.text(&["nrpt", "show"]),
        "active, by resolv.conf\n  names          go      ask\n  .corp.example  tunnel  fd6a:7e00:cafe:3333::1\n"
    );
    assert_eq!(
        fake.text(&["nrpt", "test", "www.example.net"]),
        "www.example.net: local (no rule fits), asks the local network's resolver\n"
    );
}

#[test]
fn a_call_that_the_daemon_does_not_have_is_a_failure_with_its_code() {
    let fake = Fake::start("no-call", Daemon::Gateway);
    let run = fake.ask(&["nat64", "pools"]);
    assert_eq!((run.code, run.error.as_str()), (1, "sixgate: this daemon has no call /v1/nat64/pools\n"));
    let run = fake.ask(&["nat64", "pools", "--json"]);
    assert_eq!((run.code, run.json()["error"]["code"].clone()), (1, json!("no-such-call")));
}

#[test]
fn without_a_daemon_every_command_that_asks_exits_3_and_says_where() {
    for arguments in ASKING {
        let mut all = arguments.to_vec();
        all.extend(["--socket", "/nonexistent/control.sock"]);
        let run = sixgate(&all).run();
        assert_eq!(run.code, 3, "{arguments:?}");
        assert_eq!(run.output, "");
        assert!(
            run.error.starts_with("sixgate: no daemon answers at /nonexistent/control.sock: "),
            "{run:?}"
        );
        assert_eq!(run.error.lines().count(), 1);
        all.push("--json");
        let run = sixgate(&all).run();
        assert_eq!((run.code, run.error.as_str()), (3, ""), "{arguments:?}");
        let json = run.json();
        assert_eq!((&json["schema"], &json["error"]["code"]), (&json!(1), &json!("daemon-not-reachable")));
    }
}

#[test]
fn a_misused_command_line_exits_2() {
    for arguments in [
        &["frobnicate"][..],
        &["check"],
        &["token", "add"],
        &["token", "add", "x", "--ttl", "soon"],
        &["status", "--frob"],
        &["nat64", "address", "10.6.0"],
        &["isatap", "join"],
        &["isatap", "join", "isatap.corp.example"],
        &["lab", "exec", "laptop-01"],
    ] {
        let run = sixgate(arguments).run();
        assert_eq!((run.code, run.output.as_str()), (2, ""), "{arguments:?}");
        assert!(run.error.starts_with("error: "), "{run:?}");
        let mut all = arguments.to_vec();
        all.push("--json");
        let run = sixgate(&all).run();
        assert_eq!((run.code, run.error.as_str()), (2, ""), "{arguments:?}");
        let json = run.json();
        assert_eq!(json["error"]["code"], "usage");
        assert!(json["error"]["message"].as_str().unwrap().len() > 10, "{json}");
    }
    // Without a subcommand the help says which there are.
    for (arguments, help) in [(&[][..], "sixgate: IPv6 remote access"), (&["token"], "Enrolment tokens")] {
        let bare = sixgate(arguments).run();
        assert_eq!((bare.code, bare.output.as_str()), (2, ""));
        assert!(bare.error.starts_with(help), "{bare:?}");
        let mut all = arguments.to_vec();
        all.push("--json");
        assert_eq!(sixgate(&all).run().json()["error"]["code"], "usage");
    }
}

#[test]
fn help_is_an_answer_and_fits_on_a_screen() {
    let help = sixgate(&["--help"]).run();
    assert_eq!((help.code, help.error.as_str()), (0, ""));
    assert!(help.output.lines().count() <= 24);
    for command in help.output.lines().filter_map(|l| l.strip_prefix("  ")) {
        let name = command.split_whitespace().next().unwrap();
        let own = sixgate(&[name, "--help"]).run();
        assert_eq!(own.code, 0, "{name}");
        assert!(own.output.contains("Example"), "{name} has no example:\n{}", own.output);
        assert!(own.output.contains("--json") && own.output.contains("--socket"), "{name}:\n{}", own.output);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child =
        sixgate(&["explain"]).command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("number"), "{first}");
    let mut error = String::new();
    child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((child.wait().unwrap().code(), error.as_str()), (Some(0), ""));

    // Closed before the first octet: the writer cannot even begin.
    for arguments in [&["explain"][..], &["explain", "--json"], &["--help"], &["explain", "isatap-loop"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = sixgate(arguments).command().stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stderr), "", "{arguments:?}");
        assert_eq!(done.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let done = sixgate(&["explain"]).command().stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("standard output cannot be written"));
}

#[test]
fn every_reason_is_explained() {
    let run = sixgate(&["explain", "isatap-host-not-allowed"]).run();
    assert_eq!(
        (run.code, run.output.as_str()),
        (
            0,
            "isatap-host-not-allowed (203)\n  host is not allowed to use ISATAP\n  area   ISATAP\n  count  sixgate counters\n"
        )
    );
    assert_eq!(sixgate(&["explain", "203"]).run().output, run.output);
    for entry in sixgate_reason::Reason::all() {
        let json = sixgate(&["explain", entry.code, "--json"]).run().json();
        assert_eq!((&json["number"], &json["text"]), (&json!(entry.reason.number()), &json!(entry.text)));
    }
    let unknown = sixgate(&["explain", "isatap-host"]).run();
    assert_eq!(unknown.code, 1);
    assert!(unknown.error.contains("did you mean isatap-host-not-allowed"), "{}", unknown.error);
}

#[test]
fn addresses_are_translated_both_ways() {
    let there = sixgate(&["nat64", "address", "10.6.0.30", "--prefix", "fd6a:7e00:cafe:7777::/96"]).run();
    assert_eq!(there.output, "fd6a:7e00:cafe:7777::a06:1e\n");
    let back = sixgate(&["nat64", "address", "64:ff9b::10.6.0.30"]).run();
    assert_eq!(back.output, "10.6.0.30\n");
    assert_eq!(sixgate(&["nat64", "address", "2001:db8::1"]).run().code, 1);
    let siit = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/siit.toml");
    let by_file = |address: &str| sixgate(&["nat64", "address", address, "--config", siit]).run();
    assert_eq!(by_file("192.0.2.8").output, "2001:db8:1::8\n");
    assert_eq!(by_file("2001:db8:2::80").output, "192.0.2.200\n");
    assert_eq!(by_file("203.0.113.1").output, "2001:db8:1cb:71:1::\n");
    assert_eq!(by_file("2001:db8:3::1").code, 1);
    let json = sixgate(&["nat64", "address", "192.0.2.8", "--config", siit, "--json"]).run().json();
    assert_eq!(json["mapping"], "2001:db8:1::/121 = 192.0.2.0/25");
    let json = sixgate(&["nat64", "address", "10.6.0.30", "--json"]).run().json();
    assert_eq!((&json["ipv4"], &json["ipv6"]), (&json!("10.6.0.30"), &json!("64:ff9b::a06:1e")));
}

#[test]
fn joining_as_an_isatap_host_writes_a_file_that_the_daemon_reads_and_keeps_what_was_there() {
    let folder = Folder::new("isatap-join");
    let file = folder.path().join("etc/host.toml");
    let file = file.to_str().unwrap();
    let join = |routers: &[&str], more: &[&str]| {
        let mut all = vec!["isatap", "join"];
        all.extend(routers);
        all.extend(["--config", file, "--no-start"]);
        all.extend(more);
        sixgate(&all).run()
    };
    let run = join(&["da-isatap.corp.example", "10.6.0.2"], &["--interface", "eth7"]);
    assert_eq!((run.code, run.error.as_str()), (0, ""));
    assert_eq!(sixgate(&["check", file]).run().code, 0);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("routers = [\"da-isatap.corp.example\", \"10.6.0.2\"]"), "{text}");
    let again = join(&["10.6.0.3"], &["--json"]);
    assert_eq!(again.json()["routers"], json!(["10.6.0.3"]));
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("interface = \"eth7\"") && text.contains("routers = [\"10.6.0.3\"]"), "{text}");

    let added = join(&["--add", "10.6.0.3", "branch.corp.example"], &["--json"]);
    assert_eq!(added.json()["routers"], json!(["10.6.0.3", "branch.corp.example"]));
    let twice = join(&["10.6.0.3", "10.6.0.3"], &[]);
    assert!(twice.code == 2 && twice.error.contains("listed twice"), "{}", twice.error);

    let stranger = sixgate(&["isatap", "leave", "10.6.0.9", "--config", file]).run();
    assert_eq!(stranger.code, 1);
    assert!(stranger.error.contains("there are: 10.6.0.3, branch.corp.example"), "{}", stranger.error);
    let one = sixgate(&["isatap", "leave", "10.6.0.3", "--config", file, "--json"]).run();
    assert_eq!(one.json()["routers"], json!(["branch.corp.example"]));
    assert_eq!(sixgate(&["check", file]).run().code, 0);

    let leave = sixgate(&["isatap", "leave", "--config", file]).run();
    assert_eq!((leave.code, std::path::Path::new(file).exists()), (0, false));
    assert!(
        leave.output.contains("nothing left: 0 devices isatap0, 0 addresses, 0 routes"),
        "{}",
        leave.output
    );
    assert_eq!(sixgate(&["isatap", "leave", "--config", file]).run().code, 1);

    std::fs::write(file, "not = a host file").unwrap();
    let foreign = join(&["10.6.0.2"], &[]);
    assert_eq!(foreign.code, 1);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "not = a host file");
}
