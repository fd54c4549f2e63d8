//! `isatap allow` and `deny`: what is asked of the daemon, the exact text for its answers, the exit codes.

#![allow(clippy::unwrap_used)]

mod run;

use run::{Folder, Run, sixgate};
use serde_json::Value;
use sixgate_api::{
    AllowList, AllowRequest, AllowedBy, AllowedHosts, AllowedKind, Change, Changed, ChangedHost, DeniedHost,
    Document, HostsRequest, Timestamp, path,
};
use sixgate_io_control::{Handler, Method, Request, Response, Server};

/// Answers as a gateway does whose name server knows one name.
struct Gateway;

impl Handler for Gateway {
    async fn handle(&self, request: Request) -> Response {
        answer(&request).map_or_else(|| Response::not_found(&request.path), Response::ok)
    }
}

fn answer(request: &Request) -> Option<Value> {
    let changed = |hosts: Vec<String>, change: Change, remark: Option<&str>| {
        let host = |host: String| ChangedHost {
            addresses: vec![if host.contains("corp") { "10.6.8.20".to_owned() } else { host.clone() }],
            host,
            change,
            remark: remark.map(str::to_owned),
        };
        Document::new(Changed { hosts: hosts.into_iter().map(host).collect() }).to_value()
    };
    Some(match (request.method, request.path.as_str()) {
        (Method::Get, path::ISATAP_ALLOW) => Document::new(list()).to_value(),
        (Method::Post, path::ISATAP_ALLOW) => {
            let asked: AllowRequest = serde_json::from_value(request.body.clone()).unwrap();
            changed(asked.hosts, Change::Allowed, asked.group.as_deref())
        }
        (Method::Post, path::ISATAP_DENY) => {
            let asked: HostsRequest = serde_json::from_value(request.body.clone()).unwrap();
            changed(asked.hosts, Change::Denied, None)
        }
        (Method::Post, path::ISATAP_FORGET) => {
            let asked: HostsRequest = serde_json::from_value(request.body.clone()).unwrap();
            changed(asked.hosts, Change::Unknown, Some("no command allowed or denied this"))
        }
        _ => return None,
    })
}

fn list() -> AllowList {
    let rule = |host: &str, kind, by, addresses: &[&str]| AllowedHosts {
        host: host.to_owned(),
        kind,
        by,
        line: (by == AllowedBy::File).then_some(12),
        group: (kind == AllowedKind::LdapGroup).then(|| "helpdesk".to_owned()),
        prefix: "fd6a:7e00:cafe:2::/64".to_owned(),
        addresses: addresses.iter().map(|a| (*a).to_owned()).collect(),
        as_of: (kind != AllowedKind::Prefix)
            .then(|| Timestamp::from_millisecond(Timestamp::now().as_millisecond() - 7_500_000).unwrap()),
        others: None,
        trouble: (kind == AllowedKind::LdapGroup).then(|| "ldaps://dc1:636: no answer within 5 s".to_owned()),
    };
    AllowList {
        rules: vec![
            rule("10.6.9.0/24", AllowedKind::Prefix, AllowedBy::Runtime, &["10.6.9.0/24"]),
            rule("ws-1.corp.example", AllowedKind::Name, AllowedBy::File, &[]),
            rule("CN=Helpdesk,DC=corp", AllowedKind::LdapGroup, AllowedBy::File, &["10.6.8.20", "10.6.8.21"]),
        ],
        denied: vec![DeniedHost { host: "10.6.8.77".to_owned(), addresses: vec!["10.6.8.77".to_owned()] }],
    }
}

fn ask(test: &str, arguments: &[&str]) -> Run {
    let folder = Folder::new(test);
    let socket = folder.path().join("control.sock");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(async { Server::bind(&socket, 0o600).unwrap() });
    runtime.spawn(server.serve(Gateway));
    let mut all = arguments.to_vec();
    all.extend(["--socket", socket.to_str().unwrap()]);
    sixgate(&all).run()
}

#[test]
fn changes_are_told_host_by_host() {
    let run =
        ask("allow-changes", &["isatap", "allow", "ws-1.corp.example", "10.6.9.0/24", "--group", "helpdesk"]);
    assert_eq!(
        (run.code, run.output.as_str()),
        (0, "ws-1.corp.example (10.6.8.20): allowed\n  helpdesk\n10.6.9.0/24: allowed\n  helpdesk\n")
    );
    let run = ask("allow-changes", &["isatap", "deny", "10.6.8.77"]);
    assert_eq!((run.code, run.output.as_str()), (0, "10.6.8.77: denied\n"));
    // Nothing to forget is a failure.
    let run = ask("allow-changes", &["isatap", "allow", "--forget", "10.6.8.78"]);
    let text = "10.6.8.78: unchanged\n  no command allowed or denied this\n";
    assert_eq!((run.code, run.output.as_str()), (1, text));
    let json = ask("allow-changes", &["isatap", "deny", "10.6.8.77", "--json"]).json();
    assert_eq!((&json["schema"], &json["hosts"][0]["change"]), (&1.into(), &"denied".into()));
}

#[test]
fn the_list_says_by_what_and_since_when() {
    let run = ask("allow-list", &["isatap", "allow", "--list"]);
    assert_eq!(
        run.output,
        "host                 by       group     prefix                 stands for  as of\n\
         10.6.9.0/24          command  -         fd6a:7e00:cafe:2::/64  -           -\n\
         ws-1.corp.example    line 12  -         fd6a:7e00:cafe:2::/64  no address  2 h ago\n\
         CN=Helpdesk,DC=corp  line 12  helpdesk  fd6a:7e00:cafe:2::/64  2 hosts     2 h ago\n\
         denied: 10.6.8.77\n\
         CN=Helpdesk,DC=corp: ldaps://dc1:636: no answer within 5 s\n\
         3 allowed, 1 denied\n"
    );
}

#[test]
fn misuse_is_told_before_anybody_is_asked() {
    for arguments in [
        &["isatap", "allow"][..],
        &["isatap", "deny"],
        &["isatap", "allow", "--list", "10.6.8.20"],
        &["isatap", "allow", "--forget", "--group", "g", "10.6.8.20"],
    ] {
        assert_eq!(ask("allow-misuse", arguments).code, 2, "{arguments:?}");
    }
    assert_eq!(sixgate(&["isatap", "deny", "10.6.8.20", "--socket", "/nowhere/control.sock"]).run().code, 3);
    for command in ["allow", "deny"] {
        let help = sixgate(&["isatap", command, "--help"]).run().output;
        assert!(help.contains(&format!("sixgate isatap {command} ")), "{help}");
    }
}
