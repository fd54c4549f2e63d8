//! What bad input gets: refused, counted under its reason, in the log once, never forwarded.

#![allow(clippy::unwrap_used, reason = "a test ends where its world does not answer")]

use std::net::Ipv6Addr;

use sixgate_e2e::{Counters, World, dump, packets, tls};
use sixgate_lab::product::{self, CLIENT_DEVICE, HOST_DEVICE, SERVICE, URL};

/// What is to be in the log once is refused so often.
const TIMES: u64 = 3;

fn address(world: &World, node: &str, device: &str) -> Ipv6Addr {
    product::address(world, node, device).expect("it has an address").parse().expect("it is one")
}

/// `sixgate join` on laptop-02 with a token; exit status and words.
fn join(world: &World, token: &str) -> (i32, String) {
    let command = ["sixgate", "join", URL, "-", "--config", "/tmp/again/client.toml", "--no-start"];
    let done = world.run_fed("laptop-02", &command, &format!("{token}\n")).expect("the node is there");
    (done.code, done.said())
}

#[test]
fn a_token_is_good_once() {
    let world = World::up();
    let token = product::token(&world, "laptop-03").unwrap();
    let (code, said) = join(&world, &token);
    assert_eq!(code, 0, "{said}");
    let counters = Counters::of(&world, "gateway");
    for _ in 0..TIMES {
        let (code, said) = join(&world, &token);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("used"), "{said}");
    }
    counters.rose_by("token-used", TIMES..=TIMES);
    assert_eq!(world.logged("token-used"), 1, "in the log once");
}

#[test]
fn a_forged_token_is_refused() {
    let world = World::up();
    let token = product::token(&world, "laptop-03").unwrap();
    let counters = Counters::of(&world, "gateway");
    // The first characters are of the secret: another secret of the same authority.
    let at = token.find('-').expect("sgt-") + 1;
    let other = if token[at..].starts_with(['a', 'A']) { 'B' } else { 'A' };
    let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
    for _ in 0..TIMES {
        let (code, said) = join(&world, &forged);
        assert_eq!(code, 1, "{said}");
    }
    counters.rose_by("token-unknown", TIMES..=TIMES);
    assert_eq!(world.logged("token-unknown"), 1, "in the log once");
    // The last ones are of the authority: the client itself finds out that this gateway is not the one of its token.
    let last = token.len() - 8;
    let swapped: String = token[last..].chars().rev().collect();
    let (code, said) = join(&world, &format!("{}{swapped}", &token[..last]));
    assert_eq!(code, 1, "{said}");
    // The token itself is still good.
    let (code, said) = join(&world, &token);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_certificate_of_another_authority_opens_nothing() {
    let world = World::up();
    let mut files = tls::files(&world, "laptop-02");
    world.stop("laptop-02", SERVICE).unwrap();
    world.sh(
        "laptop-02",
        "cd /tmp\n\
         openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=other -days 2 2>/dev/null\n\
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout me.key -out me.csr -subj /CN=laptop-02 2>/dev/null\n\
         printf 'subjectAltName=DNS:laptop-02\\nextendedKeyUsage=clientAuth\\n' >ext\n\
         openssl x509 -req -in me.csr -CA ca.pem -CAkey ca.key -days 1 -extfile ext -out me.pem 2>/dev/null",
    );
    files.cert = "/tmp/me.pem".to_owned();
    files.key = "/tmp/me.key".to_owned();
    let counters = Counters::of(&world, "gateway");
    for _ in 0..TIMES {
        let said = tls::knock(&world, "laptop-02", &files);
        assert!(!said.contains("200 OK"), "{said}");
    }
    counters.rose_by("iphttps-certificate-foreign", TIMES..=TIMES);
    assert_eq!(world.logged("iphttps-certificate-foreign"), 1, "in the log once");
    assert!(!world.who().contains(&"laptop-02".to_owned()));
}

#[test]
fn an_expired_certificate_of_our_own_authority_opens_nothing() {
    let world = World::up();
    let mut files = tls::files(&world, "laptop-02");
    world.stop("laptop-02", SERVICE).unwrap();
    // With the gateway's own key, so that only the dates are wrong.
    let request = world.sh(
        "laptop-02",
        "cd /tmp; openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout me.key -out me.csr -subj /CN=laptop-02 2>/dev/null; cat me.csr",
    );
    world.write("gateway", "/tmp/me.csr", &request, false).unwrap();
    let certificate = world.sh(
        "gateway",
        "cd /tmp\n\
         ca=$(dirname \"$(find /var/lib/sixgate -name ca.key)\")\n\
         printf 'subjectAltName=DNS:laptop-02\\nextendedKeyUsage=clientAuth\\nauthorityKeyIdentifier=keyid\\n' >ext\n\
         : >index; echo 77 >serial\n\
         printf '[ca]\\ndefault_ca=c\\n[c]\\ndatabase=/tmp/index\\nserial=/tmp/serial\\nnew_certs_dir=/tmp\\ndefault_md=sha256\\npolicy=p\\n[p]\\ncommonName=optional\\n' >ca.conf\n\
         openssl ca -batch -notext -config ca.conf -cert $ca/ca.pem -keyfile $ca/ca.key -in me.csr -extfile ext \
           -startdate 20200101000000Z -enddate 20200201000000Z -out old.pem 2>/tmp/ca.err || cat /tmp/ca.err >&2\n\
         cat old.pem",
    );
    assert!(certificate.contains("BEGIN CERTIFICATE"), "{certificate}");
    world.write("laptop-02", "/tmp/me.pem", &certificate, false).unwrap();
    files.cert = "/tmp/me.pem".to_owned();
    files.key = "/tmp/me.key".to_owned();
    let counters = Counters::of(&world, "gateway");
    for _ in 0..TIMES {
        let said = tls::knock(&world, "laptop-02", &files);
        assert!(!said.contains("200 OK"), "{said}");
    }
    counters.rose_by("iphttps-certificate-expired", TIMES..=TIMES);
    assert_eq!(world.logged("iphttps-certificate-expired"), 1, "in the log once");
    assert!(!world.who().contains(&"laptop-02".to_owned()));
}

/// A lab whose policy lets the helpdesk send UDP to port 9999 of laptop-01, where somebody listens.
fn with_a_listener() -> (World, Ipv6Addr) {
    let world = World::up();
    world.gateway_with(|config| config.replace("\"icmp\"]", "\"icmp\", \"udp/9999\"]"));
    let laptop = address(&world, "laptop-01", CLIENT_DEVICE);
    packets::listen(&world, "laptop-01", 9999);
    (world, laptop)
}

/// What helpdesk-01's own kernel sends arrives, so what was sent before it and did not arrive was refused.
fn only_honest_packets_arrive(world: &World, laptop: Ipv6Addr) {
    world.until("helpdesk-01's own datagram at laptop-01", 5, || {
        world.sh("helpdesk-01", &format!("echo honest | socat -u - UDP6-SENDTO:[{laptop}]:9999"));
        packets::received(world, "laptop-01").contains("honest")
    });
    let got = packets::received(world, "laptop-01");
    assert!(!got.contains("spoofed"), "it was forwarded: {got}");
}

#[test]
fn protocol_41_whose_inner_source_does_not_embed_the_outer_one_goes_nowhere() {
    let (world, laptop) = with_a_listener();
    let helpdesk = address(&world, "helpdesk-01", HOST_DEVICE);
    let counters = Counters::of(&world, "gateway");
    // The bystander claims to be the helpdesk, and the helpdesk itself claims to be another host.
    let other: Ipv6Addr = "fd6a:7e00:cafe:2:0:5efe:a06:815".parse().unwrap();
    for (node, source) in [("bystander-01", helpdesk), ("helpdesk-01", other)] {
        let packet = packets::udp(source, laptop, 9999, b"spoofed");
        let _ = packets::protocol_41(&world, node, "10.6.0.1", &packet);
    }
    counters.rose_by("isatap-source-not-embedded", 2..=2);
    assert_eq!(world.logged("isatap-source-not-embedded"), 1, "in the log once");
    only_honest_packets_arrive(&world, laptop);
}

#[test]
fn a_bystander_under_its_own_address_is_not_forwarded_either() {
    let (world, laptop) = with_a_listener();
    let counters = Counters::of(&world, "gateway");
    let own: Ipv6Addr = "fd6a:7e00:cafe:2:0:5efe:a06:81e".parse().unwrap();
    let packet = packets::udp(own, laptop, 9999, b"spoofed");
    for _ in 0..TIMES {
        let _ = packets::protocol_41(&world, "bystander-01", "10.6.0.1", &packet);
    }
    counters.rose_by("isatap-host-not-allowed", TIMES..=TIMES);
    assert_eq!(world.logged("isatap-host-not-allowed"), 1, "in the log once");
    only_honest_packets_arrive(&world, laptop);
}

#[test]
fn a_truncated_packet_is_one_counter() {
    let world = World::up();
    let counters = Counters::of(&world, "gateway");
    let _ = packets::protocol_41(&world, "helpdesk-01", "10.6.0.1", &[0x60, 0, 0, 0, 0, 9]);
    let changed = {
        world.until("a counter", 3, || !counters.changed().is_empty());
        counters.changed()
    };
    assert_eq!(changed.values().sum::<u64>(), 1, "{changed:?}");
    world.passes('b');
}

#[test]
fn what_a_client_sends_from_a_foreign_address_goes_nowhere() {
    let world = World::up();
    let files = tls::files(&world, "laptop-02");
    let own = address(&world, "laptop-02", CLIENT_DEVICE);
    let laptop_01 = address(&world, "laptop-01", CLIENT_DEVICE);
    let helpdesk = address(&world, "helpdesk-01", HOST_DEVICE);
    world.stop("laptop-02", SERVICE).unwrap();
    world.start("files", "listener", &["socat", "-u", "UDP4-RECV:9999", "CREATE:/tmp/received"]).unwrap();
    let counters = Counters::of(&world, "gateway");
    // The NAT64 address of files.
    let target: Ipv6Addr = "fd6a:7e00:cafe:7777::a06:1e".parse().unwrap();
    // Under another client's address, under an ISATAP host's, and last under its own.
    let packets = [(laptop_01, "spoofed"), (helpdesk, "spoofed"), (own, "honest")]
        .map(|(source, payload)| packets::udp(source, target, 9999, payload.as_bytes()));
    let mut tunnel = tls::Tunnel::open(&world, "laptop-02", &files);
    for packet in &packets {
        tunnel.send(packet);
    }
    counters.rose_by("iphttps-source-foreign", 2..=2);
    assert_eq!(world.logged("iphttps-source-foreign"), 1, "in the log once");
    world.until("the honest packet", 5, || packets::received(&world, "files").contains("honest"));
    assert_eq!(packets::received(&world, "files"), "honest");
    tunnel.hang_up();
}

#[test]
fn what_belongs_to_no_flow_is_refused_under_its_own_reason() {
    const ACK: u8 = 0x10;
    const SYN: u8 = 0x02;
    let world = World::up();
    let laptop = address(&world, "laptop-01", CLIENT_DEVICE);
    let helpdesk = address(&world, "helpdesk-01", HOST_DEVICE);
    let quoted = packets::udp(laptop, helpdesk, 7777, b"never sent");
    // All of them where the policy lets the helpdesk begin a flow.
    let cases = [
        ("flow-tcp-syn-ack-unknown", packets::tcp(helpdesk, laptop, 8080, SYN | ACK)),
        ("flow-tcp-outside", packets::tcp(helpdesk, laptop, 8080, ACK)),
        ("flow-icmp-error-unknown", packets::unreachable(helpdesk, laptop, &quoted)),
        ("flow-fragment-unknown", packets::second_fragment(helpdesk, laptop)),
    ];
    for (reason, packet) in cases {
        let counters = Counters::of(&world, "gateway");
        let _ = packets::protocol_41(&world, "helpdesk-01", "10.6.0.1", &packet);
        counters.rose_by(reason, 1..=1);
        assert_eq!(world.logged(reason), 1, "{reason} is in the log once");
        assert_eq!(counters.changed().values().sum::<u64>(), 1, "{:?}", counters.changed());
    }
    world.passes('b');
}

/// Starts the gateway once more with `prefix` before its command; exit status, and the lines of standard error.
fn starts(world: &World, prefix: &str, file: &str) -> (i32, Vec<String>) {
    let script = format!("exec {prefix} sixgate run --config {file}");
    let done = world.run("gateway", &["sh", "-c", &script]).unwrap();
    (done.code, done.stderr.lines().map(str::to_owned).collect())
}

#[test]
fn a_wrong_configuration_starts_nothing_and_every_error_has_its_place() {
    let world = World::up();
    world.stop("gateway", SERVICE).unwrap();
    let bad = product::GATEWAY_CONFIG
        .replace("inside = \"eth1\"", "insid = \"eth1\"")
        .replace("router-lifetime = 0", "router-lifetime = \"soon\"");
    world.write("gateway", "/tmp/bad.toml", &bad, false).unwrap();
    let before = dump::of(&world, "gateway");
    let (code, said) = starts(&world, "", "/tmp/bad.toml");
    assert_eq!(code, 1, "{said:#?}");
    let said = said.join("\n");
    // Line and column of each.
    assert!(said.contains("bad.toml:4:1"), "{said}");
    let line = 1 + bad.lines().position(|line| line.starts_with("router-lifetime")).unwrap();
    assert!(said.contains(&format!("bad.toml:{line}:19")), "{said}");
    assert_eq!(dump::difference(&before, &dump::of(&world, "gateway")), Vec::<String>::new());
}
