//! DNS servers (bind9): the intranet's, the internet's, and the home router's resolver.

use std::fmt::Write as _;

use super::answers;
use crate::error::LabError;
use crate::handle::Lab;

/// Makes the TSIG key of the clients' zone, in the form that bind and sixgate both read.
pub(crate) fn update_key(lab: &Lab) -> Result<String, LabError> {
    lab.sh("dns", "tsig-keygen -a hmac-sha256 sixgate-update")
}

/// 10.6.0.53: the organisation's own zones; the clients' and its reverse zone take signed updates; the rest comes from outside.
pub(super) fn intranet(lab: &Lab, key: &str) -> Result<(), LabError> {
    let corp = zone(
        "ns.corp.example.",
        &[
            ("ns", "A 10.6.0.53"),
            ("dns", "A 10.6.0.53"),
            ("files", "A 10.6.0.30"),
            ("router", "A 10.6.0.254"),
            ("gateway", "A 10.6.0.1"),
            ("helpdesk-01", "A 10.6.8.20"),
            ("bystander-01", "A 10.6.8.30"),
            // How an organisation names its ISATAP router: by a name that is not `isatap`.
            ("da-isatap", "A 10.6.0.1"),
            ("clients", "NS ns.corp.example."),
        ],
    );
    let dynamic = zone("ns.corp.example.", &[]);
    let addresses = zone(
        "ns.corp.example.",
        &[
            ("1.0", "PTR gateway.corp.example."),
            ("30.0", "PTR files.corp.example."),
            ("53.0", "PTR dns.corp.example."),
            ("254.0", "PTR router.corp.example."),
            ("20.8", "PTR helpdesk-01.corp.example."),
            ("30.8", "PTR bystander-01.corp.example."),
        ],
    );
    let mut config = options(&["forward only;", "forwarders { 203.0.113.80; };", "recursion yes;"]);
    config.push_str(key);
    for (name, file, update) in [
        ("corp.example", "corp", false),
        ("6.10.in-addr.arpa", "addresses", false),
        ("clients.corp.example", "clients", true),
        ("1.0.0.0.e.f.a.c.0.0.e.7.a.6.d.f.ip6.arpa", "reverse", true),
    ] {
        let update = if update { "allow-update { key sixgate-update; }; " } else { "" };
        let _ = writeln!(
            config,
            "zone \"{name}\" {{ type primary; file \"/var/lib/bind/{file}.zone\"; {update}}};"
        );
    }
    lab.write("dns", "/var/lib/bind/corp.zone", &corp, false)?;
    lab.write("dns", "/var/lib/bind/addresses.zone", &addresses, false)?;
    lab.write("dns", "/var/lib/bind/clients.zone", &dynamic, false)?;
    lab.write("dns", "/var/lib/bind/reverse.zone", &dynamic, false)?;
    start(lab, "dns", &config, "files.corp.example")
}

/// 203.0.113.80: what everybody outside can know. It is the root too, so that a name that is nowhere gets its NXDOMAIN.
pub(super) fn internet(lab: &Lab) -> Result<(), LabError> {
    let root = zone(
        "ns.example.com.",
        &[("ns.example.com.", "A 203.0.113.80"), ("example.com.", "NS ns.example.com.")],
    );
    let example = zone(
        "ns.example.com.",
        &[
            ("ns", "A 203.0.113.80"),
            ("da", "A 203.0.113.10"),
            ("web", "A 203.0.113.80"),
            // Nobody has this address: whoever tries it through a tunnel finds out.
            ("web", "AAAA 2001:db8:80::80"),
            ("web-inside", "A 203.0.113.80"),
            // Inside the clients' prefix, which ISATAP hosts have a route to, and no client has it.
            ("web-inside", "AAAA fd6a:7e00:cafe:1::dead"),
        ],
    );
    lab.write("web", "/var/lib/bind/root.zone", &root, false)?;
    lab.write("web", "/var/lib/bind/example.zone", &example, false)?;
    let mut config = options(&["recursion no;"]);
    config.push_str("zone \".\" { type primary; file \"/var/lib/bind/root.zone\"; };\n");
    config.push_str("zone \"example.com\" { type primary; file \"/var/lib/bind/example.zone\"; };\n");
    start(lab, "web", &config, "da.example.com")
}

/// 192.168.77.1: forwards everything.
pub(super) fn home(lab: &Lab) -> Result<(), LabError> {
    let config = options(&["forward only;", "forwarders { 203.0.113.80; };", "recursion yes;"]);
    start(lab, "nat", &config, "da.example.com")
}

fn options(own: &[&str]) -> String {
    format!(
        "options {{\n  directory \"/var/cache/bind\";\n  pid-file \"/run/named/named.pid\";\n  session-keyfile \"/run/named/session.key\";\n\
         \x20 listen-on {{ any; }};\n  listen-on-v6 {{ none; }};\n  allow-query {{ any; }};\n  dnssec-validation no;\n  notify no;\n  {}\n}};\n\
         controls {{ }};\n",
        own.join("\n  ")
    )
}

fn zone(server: &str, records: &[(&str, &str)]) -> String {
    let mut text =
        format!("$TTL 60\n@ SOA {server} hostmaster.example.com. 1 3600 600 86400 5\n@ NS {server}\n");
    for (name, record) in records {
        let _ = writeln!(text, "{name} {record}");
    }
    text
}

/// Starts named and waits until it answers for `known`.
fn start(lab: &Lab, node: &str, config: &str, known: &str) -> Result<(), LabError> {
    lab.write(node, "/etc/bind/named.conf", config, true)?;
    lab.sh(node, "mkdir -p /var/cache/bind /run/named; rm -f /var/lib/bind/*.jnl; chown root:root /var/cache/bind /run/named /var/lib/bind")?;
    lab.start(node, "named", &["named", "-g", "-n", "1", "-c", "/etc/bind/named.conf"])?;
    answers(lab, node, "named", &format!("dig +short +time=1 +tries=1 @127.0.0.1 {known} A | grep -q ."))
}
