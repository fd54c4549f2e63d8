//! Both ends against a peer that shares nothing with us: Python and OpenSSL, written from the specification.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use sixgate_io_tls::files::write_secret;
use sixgate_io_tls::identity::Identity;
use sixgate_io_tls::{
    Authority, Negotiated, ServerName, ServerNames, accept, certificate, client_config, client_name, connect,
    server_config,
};
use sixgate_iphttps::client::{Client, Event};
use sixgate_iphttps::cutter::Packets;
use sixgate_iphttps::head::{self, Request};
use sixgate_iphttps::session::{Session, SessionConfig};
use sixgate_iphttps::{Inbound, cutter::BadFraming};
use sixgate_reason as reason;
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::lease::Lease;
use tokio::net::{TcpListener, TcpStream};

/// Of a client's certificate.
const CLIENT_LIFETIME: Duration = Duration::from_secs(90 * 86_400);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const T0: Instant = Instant::from_secs(1);

/// Certificates of both ends, in files.
struct World {
    directory: PathBuf,
    authority: Authority,
}

impl World {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("sixgate-peer-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let authority = Authority::load_or_create(&directory, SystemTime::now()).unwrap();
        let identity = Identity::generate().unwrap();
        let issued =
            authority.issue(&identity.request, "laptop-01", SystemTime::now(), CLIENT_LIFETIME).unwrap();
        write_secret(&directory.join("client.pem"), issued.pem.as_bytes()).unwrap();
        write_secret(&directory.join("client.key"), identity.key.as_bytes()).unwrap();
        let names = ServerNames { names: vec!["da.example.com".into()], addresses: vec![] };
        authority.server_certificate(&directory, &names, SystemTime::now()).unwrap();
        Self { directory, authority }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn peer(&self, arguments: &[&Path]) -> Child {
        Command::new("python3")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.py"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is there (packaging/setup installs it)")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

async fn ends_well(mut peer: Child) {
    let ended = tokio::task::spawn_blocking(move || peer.wait().unwrap()).await.unwrap();
    assert!(ended.success(), "the peer was not content: see its traceback");
}

/// The same packet with its ends exchanged, which leaves every checksum right.
fn turned(packet: &[u8]) -> Vec<u8> {
    let mut turned = packet.to_vec();
    turned[8..24].copy_from_slice(&packet[24..40]);
    turned[24..40].copy_from_slice(&packet[8..24]);
    turned
}

#[tokio::test]
async fn python_client_is_served_by_our_gateways_end() {
    let world = World::new("client");
    let chain = certificate::read_chain(&world.file("server.pem")).unwrap();
    let key = certificate::read_key(&world.file("server.key")).unwrap();
    let config = server_config(&[world.authority.certificate().clone()], chain, key).unwrap();
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let files = [world.file("ca.pem"), world.file("client.pem"), world.file("client.key")];
    let peer = world.peer(&[Path::new("client"), Path::new(&port), &files[0], &files[1], &files[2]]);

    let served = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut client = accept(socket, &config).await.unwrap();
        assert_eq!(client_name(&client.peer_certificates()[0]), Ok("laptop-01".into()));
        let request = loop {
            // The head may have come with the last message of the handshake.
            if let Some(whole) = head::parse_request(client.plaintext()).unwrap() {
                break whole;
            }
            assert!(client.read().await.unwrap());
        };
        assert_eq!(request.head, Request::Tunnel);
        client.consume(request.length);
        client.write(head::tunnel_response("Wed, 25 Nov 2026 10:00:00 GMT").as_bytes()).await.unwrap();
        serve(&mut client).await
    };
    let (framing, drops) = tokio::time::timeout(Duration::from_secs(30), served).await.unwrap();
    assert_eq!(framing, Err(BadFraming));
    assert_eq!(drops, [reason::IPHTTPS_SOURCE_FOREIGN]);
    ends_well(peer).await;
}

/// A gateway that turns every packet round, until the framing breaks.
async fn serve(client: &mut Negotiated) -> (Result<(), BadFraming>, Vec<reason::Reason>) {
    let lease = Lease { addresses: vec!["fd00:1::a".parse().unwrap()], lifetime: 3600, ..Lease::default() };
    let mut session = Session::new(SessionConfig { lease, ..SessionConfig::default() });
    let (mut drops, mut out) = (Vec::new(), Packet::new());
    loop {
        let mut answers = Vec::new();
        let mut packets = Packets::new(client.plaintext());
        let mut framing = Ok(());
        for octets in &mut packets {
            let Ok(octets) = octets else {
                framing = Err(BadFraming);
                break;
            };
            match session.inbound_octets(T0, octets) {
                Inbound::Forward => answers.extend(turned(octets)),
                Inbound::Consumed => {}
                Inbound::Drop(reason) => drops.push(reason),
            }
            while session.poll_output(&mut out) {
                answers.extend_from_slice(out.bytes());
            }
        }
        let used = packets.consumed();
        client.consume(used);
        if framing.is_err() {
            return (framing, drops);
        }
        client.write(&answers).await.unwrap();
        if !client.read().await.unwrap() {
            return (Ok(()), drops);
        }
    }
}

#[tokio::test]
async fn our_clients_end_is_content_with_a_python_gateway() {
    let world = World::new("server");
    let files = [world.file("ca.pem"), world.file("server.pem"), world.file("server.key")];
    let mut peer = world.peer(&[Path::new("server"), &files[0], &files[1], &files[2]]);
    let mut port = String::new();
    BufReader::new(peer.stdout.take().unwrap()).read_line(&mut port).unwrap();
    let chain = certificate::read_chain(&world.file("client.pem")).unwrap();
    let key = certificate::read_key(&world.file("client.key")).unwrap();
    let config = client_config(&[world.authority.certificate().clone()], chain, key).unwrap();
    let socket = TcpStream::connect((HERE, port.trim().parse().unwrap())).await.unwrap();
    let name = ServerName::try_from("da.example.com").unwrap();
    let mut gateway = connect(socket, &config, name).await.unwrap();
    gateway.write(head::tunnel_request("da.example.com").as_bytes()).await.unwrap();
    let answer = loop {
        assert!(gateway.read().await.unwrap());
        if let Some(whole) = head::parse_response(gateway.plaintext()).unwrap() {
            break whole;
        }
    };
    assert_eq!(answer.head.status, 200);
    gateway.consume(answer.length);

    let mut client = Client::new(T0, 7);
    let lease =
        tokio::time::timeout(Duration::from_secs(30), lease(&mut gateway, &mut client)).await.unwrap();
    assert_eq!((lease.addresses.len(), lease.mtu, lease.routes.len()), (1, 1400, 1));
    assert_eq!(lease.routes[0].prefix, "fd00:2::/64".parse().unwrap());

    let packets: Vec<Vec<u8>> = (0..2000_usize).map(|n| sample(n * 37 % 1461, n as u8)).collect();
    let exchange = async {
        for batch in packets.chunks(20) {
            client.network_changed(T0);
            let mut out = Packet::new();
            assert!(client.poll_output(&mut out), "the gateway is asked whether it is there");
            gateway.write(&[out.bytes().to_vec(), batch.concat()].concat()).await.unwrap();
            let mut back = 0;
            while back < batch.len() {
                assert!(gateway.read().await.unwrap());
                let mut cut = Packets::new(gateway.plaintext());
                for octets in &mut cut {
                    match client.inbound_octets(T0, octets.unwrap()) {
                        Inbound::Forward => {
                            assert_eq!(octets.unwrap(), turned(&batch[back]));
                            back += 1;
                        }
                        Inbound::Consumed => {}
                        Inbound::Drop(why) => panic!("dropped: {why}"),
                    }
                }
                let used = cut.consumed();
                gateway.consume(used);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), exchange).await.unwrap();
    gateway.close().await.unwrap();
    ends_well(peer).await;
}

async fn lease(gateway: &mut Negotiated, client: &mut Client) -> Lease {
    let mut out = Packet::new();
    assert!(client.poll_output(&mut out));
    gateway.write(out.bytes()).await.unwrap();
    loop {
        assert!(gateway.read().await.unwrap());
        let mut packets = Packets::new(gateway.plaintext());
        for octets in &mut packets {
            assert_eq!(client.inbound_octets(T0, octets.unwrap()), Inbound::Consumed);
        }
        let used = packets.consumed();
        gateway.consume(used);
        if let Some(Event::Leased(lease)) = client.poll_event() {
            return lease;
        }
    }
}

/// A packet from our address with `size` octets behind its header.
fn sample(size: usize, fill: u8) -> Vec<u8> {
    let header = sixgate_wire::ipv6::Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: u16::try_from(size).unwrap(),
        next_header: sixgate_wire::protocol::NONE,
        hop_limit: 64,
        src: "fd00:1::a".parse().unwrap(),
        dst: "fd00:2::1".parse().unwrap(),
    };
    [header.octets().to_vec(), vec![fill; size]].concat()
}
