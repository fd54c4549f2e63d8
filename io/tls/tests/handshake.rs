//! Two ends over loopback: who gets in, who is refused and under which name, and what the streams carry.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::{ClientConfig, ServerConfig};
use sixgate_io_tls::authority::Issued;
use sixgate_io_tls::identity::Identity;
use sixgate_io_tls::{
    Authority, CertificateDer, Negotiated, PrivateKeyDer, Received, ServerName, ServerNames, Stream, Token,
    accept, client_config, client_name, connect, enrolment_config, gateway_reason, handshake_reason,
    server_config,
};
use sixgate_reason as reason;
use tokio::net::{TcpListener, TcpStream};

/// Of a client's certificate.
const CLIENT_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

struct World {
    authority: Authority,
    directory: tempdir::TempDir,
}

/// A directory that is gone when the test is.
mod tempdir {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    pub(crate) struct TempDir(PathBuf);

    impl TempDir {
        pub(crate) fn new() -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("sixgate-tls-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for TempDir {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn names() -> ServerNames {
    ServerNames { names: vec!["da.example.com".into()], addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] }
}

fn da() -> ServerName<'static> {
    ServerName::try_from("da.example.com").unwrap()
}

impl World {
    fn new() -> Self {
        Self { authority: Authority::create(now()).unwrap(), directory: tempdir::TempDir::new() }
    }

    fn server(&self) -> Arc<ServerConfig> {
        let (chain, key) = self.authority.server_certificate(self.directory.path(), &names(), now()).unwrap();
        server_config(&[self.authority.certificate().clone()], chain, key).unwrap()
    }

    fn client_at(&self, signer: &Authority, when: SystemTime) -> Arc<ClientConfig> {
        let identity = Identity::generate().unwrap();
        let issued = signer.issue(&identity.request, "laptop-01", when, CLIENT_LIFETIME).unwrap();
        client_config(&[self.authority.certificate().clone()], vec![issued.certificate], key_of(&identity))
            .unwrap()
    }

    fn client(&self) -> Arc<ClientConfig> {
        self.client_at(&self.authority, now())
    }
}

fn key_of(identity: &Identity) -> PrivateKeyDer<'static> {
    use rustls_pki_types::pem::PemObject;
    PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap()
}

/// Both ends' results. The client finishes first, so that its first read is where it learns of a refusal.
async fn meet(
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> (io::Result<Negotiated>, io::Result<Negotiated>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        accept(socket, &server).await
    };
    let call = async {
        let socket = TcpStream::connect(address).await.unwrap();
        connect(socket, &client, name).await
    };
    tokio::join!(serve, call)
}

async fn streams() -> (Stream, Stream) {
    let world = World::new();
    let (server, client) = meet(world.server(), world.client(), da()).await;
    (server.unwrap().into_stream().unwrap(), client.unwrap().into_stream().unwrap())
}

#[tokio::test]
async fn enrolled_client_is_known_by_its_name() {
    let world = World::new();
    let (server, client) = meet(world.server(), world.client(), da()).await;
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    assert_eq!(client_name(&server.peer_certificates()[0]), Ok("laptop-01".into()));
    client.write(b"POST /IPHTTPS HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(server.read().await.unwrap());
    assert_eq!(server.plaintext(), b"POST /IPHTTPS HTTP/1.1\r\n\r\n");
    server.consume(5);
    let server = server.into_stream().unwrap();
    assert_eq!(server.plaintext(), b"/IPHTTPS HTTP/1.1\r\n\r\n");
    drop(server);
}

#[tokio::test]
async fn server_is_known_by_its_address_too_and_by_no_other_name() {
    let world = World::new();
    let (_, client) =
        meet(world.server(), world.client(), ServerName::from(IpAddr::V4(Ipv4Addr::LOCALHOST))).await;
    assert!(client.is_ok());
    let (server, client) =
        meet(world.server(), world.client(), ServerName::try_from("other.example").unwrap()).await;
    assert!(client.is_err() && server.is_err());
}

#[tokio::test]
async fn expired_and_future_certificates_are_refused_as_expired_at_both_ends() {
    let world = World::new();
    for when in [now() - 2 * CLIENT_LIFETIME, now() + Duration::from_secs(3 * 86_400)] {
        let (server, client) = meet(world.server(), world.client_at(&world.authority, when), da()).await;
        assert_eq!(handshake_reason(&server.err().unwrap()), reason::IPHTTPS_CERTIFICATE_EXPIRED);
        let said = client.unwrap().read().await.unwrap_err();
        assert_eq!(gateway_reason(&said), reason::IPHTTPS_CERTIFICATE_EXPIRED, "{said}");
    }
}

#[tokio::test]
async fn expired_gateway_is_told_apart_from_a_foreign_one() {
    let world = World::new();
    let long_ago = now() - Duration::from_secs(500 * 86_400);
    let (chain, key) =
        world.authority.server_certificate(world.directory.path(), &names(), long_ago).unwrap();
    let server = server_config(&[world.authority.certificate().clone()], chain, key).unwrap();
    let (_, client) = meet(server, world.client(), da()).await;
    assert_eq!(gateway_reason(&client.err().unwrap()), reason::IPHTTPS_GATEWAY_EXPIRED);
}

#[tokio::test]
async fn certificate_of_another_authority_is_refused_as_foreign_at_both_ends() {
    let world = World::new();
    let other = Authority::create(now()).unwrap();
    let (server, client) = meet(world.server(), world.client_at(&other, now()), da()).await;
    assert_eq!(handshake_reason(&server.err().unwrap()), reason::IPHTTPS_CERTIFICATE_FOREIGN);
    let said = client.unwrap().read().await.unwrap_err();
    assert_eq!(gateway_reason(&said), reason::IPHTTPS_CERTIFICATE_FOREIGN, "{said}");
}

#[tokio::test]
async fn server_certificate_is_no_client_certificate_and_the_other_way_round() {
    let world = World::new();
    let (chain, key) = world.authority.server_certificate(world.directory.path(), &names(), now()).unwrap();
    let client = client_config(&[world.authority.certificate().clone()], chain, key).unwrap();
    let (server, _) = meet(world.server(), client, da()).await;
    assert_eq!(handshake_reason(&server.err().unwrap()), reason::IPHTTPS_CERTIFICATE_FOREIGN);

    let identity = Identity::generate().unwrap();
    let issued = world.authority.issue(&identity.request, "da.example.com", now(), CLIENT_LIFETIME).unwrap();
    let roots = [world.authority.certificate().clone()];
    let impostor = server_config(&roots, vec![issued.certificate], key_of(&identity)).unwrap();
    let (_, client) = meet(impostor, world.client(), da()).await;
    assert_eq!(gateway_reason(&client.err().unwrap()), reason::IPHTTPS_GATEWAY_FOREIGN);
}

#[tokio::test]
async fn token_of_the_authority_opens_a_connection_without_a_certificate() {
    let world = World::new();
    let token = Token::generate(world.authority.key_digest()).unwrap();
    let (server, client) = meet(world.server(), enrolment_config(&token).unwrap(), da()).await;
    assert!(server.unwrap().peer_certificates().is_empty());
    let client = client.unwrap();
    assert!(client.peer_certificates().iter().any(|c| token.names(c)));
}

#[tokio::test]
async fn token_of_another_authority_trusts_nobody_here() {
    let world = World::new();
    let token = Token::generate(Authority::create(now()).unwrap().key_digest()).unwrap();
    let (server, client) = meet(world.server(), enrolment_config(&token).unwrap(), da()).await;
    assert_eq!(
        handshake_reason(&server.err().unwrap()),
        reason::IPHTTPS_HANDSHAKE_FAILED,
        "no client's certificate"
    );
    assert_eq!(gateway_reason(&client.err().unwrap()), reason::IPHTTPS_GATEWAY_FOREIGN);
}

#[tokio::test]
async fn authority_shown_by_a_server_that_it_did_not_sign_is_not_enough() {
    let world = World::new();
    let other = Authority::create(now()).unwrap();
    let directory = tempdir::TempDir::new();
    let (mut chain, key) = other.server_certificate(directory.path(), &names(), now()).unwrap();
    chain.push(world.authority.certificate().clone());
    let thief = server_config(&[other.certificate().clone()], chain, key).unwrap();
    let token = Token::generate(world.authority.key_digest()).unwrap();
    let (_, client) = meet(thief, enrolment_config(&token).unwrap(), da()).await;
    assert_eq!(gateway_reason(&client.err().unwrap()), reason::IPHTTPS_GATEWAY_FOREIGN);
}

#[tokio::test]
async fn request_for_another_name_or_with_a_broken_proof_gets_nothing_of_it() {
    let world = World::new();
    let identity = Identity::generate().unwrap();
    let Issued { certificate, pem } =
        world.authority.issue(&identity.request, "laptop-02", now(), CLIENT_LIFETIME).unwrap();
    assert_eq!(client_name(&certificate), Ok("laptop-02".into()));
    assert_eq!(sixgate_io_tls::certificate::chain_from_pem(pem.as_bytes()).unwrap(), [certificate]);

    let mut broken = pem::decode(&identity.request);
    *broken.last_mut().unwrap() ^= 1;
    let broken = pem::encode(&broken);
    for request in
        [broken.as_str(), "", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----"]
    {
        let refused = world.authority.issue(request, "laptop-02", now(), CLIENT_LIFETIME).err();
        assert_eq!(refused, Some(reason::ENROL_REQUEST_INVALID));
    }
    let refused = world.authority.issue(&identity.request, "not a name", now(), CLIENT_LIFETIME).err();
    assert_eq!(refused, Some(reason::ENROL_REQUEST_INVALID));
}

/// PEM of requests, for the test that damages one.
mod pem {
    pub(crate) fn decode(text: &str) -> Vec<u8> {
        let body: String = text.lines().filter(|l| !l.starts_with('-')).collect();
        data_encoding::BASE64.decode(body.trim().as_bytes()).unwrap()
    }

    pub(crate) fn encode(der: &[u8]) -> String {
        let body = data_encoding::BASE64.encode(der);
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{body}\n-----END CERTIFICATE REQUEST-----\n")
    }
}

#[test]
fn server_certificate_is_kept_until_names_time_or_authority_change() {
    let world = World::new();
    let directory = world.directory.path();
    let made = |authority: &Authority, names: &ServerNames, when| -> CertificateDer<'static> {
        authority.server_certificate(directory, names, when).unwrap().0[0].clone()
    };
    let first = made(&world.authority, &names(), now());
    assert_eq!(made(&world.authority, &names(), now()), first);
    let mut more = names();
    more.addresses.push("2001:db8::1".parse().unwrap());
    let second = made(&world.authority, &more, now());
    assert_ne!(second, first);
    more.addresses.reverse();
    assert_eq!(made(&world.authority, &more, now()), second);
    let year = Duration::from_secs(365 * 86_400);
    let third = made(&world.authority, &more, now() + year);
    assert_ne!(third, second);
    assert_ne!(made(&Authority::create(now()).unwrap(), &more, now() + year), third);
}

#[test]
fn authority_is_made_once_and_its_key_is_secret() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempdir::TempDir::new();
    let first = Authority::load_or_create(directory.path(), now()).unwrap();
    let again = Authority::load_or_create(directory.path(), now()).unwrap();
    assert_eq!(first.certificate(), again.certificate());
    assert_eq!(first.key_digest(), again.key_digest());
    let mode =
        |file: &str| std::fs::metadata(directory.path().join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("ca.key"), mode("ca.pem")), (0o600, 0o644));

    // What the reloaded authority signs, clients of the first one accept.
    let identity = Identity::generate().unwrap();
    assert!(again.issue(&identity.request, "a", now(), CLIENT_LIFETIME).is_ok());

    std::fs::remove_file(directory.path().join("ca.key")).unwrap();
    let error = Authority::load_or_create(directory.path(), now()).err().unwrap();
    assert!(error.to_string().contains("ca.key"), "{error}");
}

#[tokio::test]
async fn reloaded_authority_signs_what_its_clients_accept() {
    let directory = tempdir::TempDir::new();
    let first = Authority::load_or_create(directory.path(), now()).unwrap();
    let again = Authority::load_or_create(directory.path(), now()).unwrap();
    let mut world = World { authority: first, directory };
    let client = world.client();
    world.authority = again;
    let (server, client) = meet(world.server(), client, da()).await;
    assert!(server.is_ok() && client.is_ok());
}

/// Sends `blocks` of `size` octets, and looks at every octet that comes.
fn pump(from: &mut Stream, to: &mut Stream, blocks: usize, size: usize) {
    let octet = |at: usize| (at % 251) as u8;
    let total = blocks * size;
    let (mut queued, mut seen) = (0, 0);
    while seen < total {
        while queued < total && from.backlog() < 300_000 {
            let block: Vec<u8> = (queued..queued + size).map(octet).collect();
            from.queue(&block);
            queued += size;
        }
        from.flush().unwrap();
        to.receive().unwrap();
        for &got in to.plaintext() {
            assert_eq!(got, octet(seen));
            seen += 1;
        }
        let used = to.plaintext().len();
        to.consume(used);
    }
    assert_eq!(from.backlog(), 0);
}

#[tokio::test]
async fn streams_carry_every_octet_in_order_both_ways() {
    let (mut server, mut client) = streams().await;
    pump(&mut client, &mut server, 4000, 1280);
    pump(&mut server, &mut client, 200, 60_000);
    pump(&mut client, &mut server, 3000, 1);
}

#[tokio::test]
async fn plaintext_that_is_not_consumed_stays_in_front_of_what_follows() {
    let (mut server, mut client) = streams().await;
    let mut whole = Vec::new();
    for part in 0..200_u8 {
        client.queue(&[part; 997]);
        client.flush().unwrap();
        whole.extend([part; 997]);
        while server.receive().unwrap() == Received::WouldBlock {}
        server.consume(1);
        whole.remove(0);
        assert_eq!(server.plaintext(), whole);
    }
}

#[tokio::test]
async fn reader_that_does_not_consume_is_not_flooded() {
    let (mut server, mut client) = streams().await;
    client.queue(&vec![1; 64 << 20]);
    for _ in 0..100 {
        client.flush().unwrap();
        server.receive().unwrap();
    }
    assert!(server.plaintext().len() <= 256 * 1024);
    assert!(client.backlog() > 0 && client.wants_write());
    let mut seen = 0;
    while seen < 64 << 20 {
        let used = server.plaintext().len();
        seen += used;
        server.consume(used);
        client.flush().unwrap();
        server.receive().unwrap();
    }
}

#[tokio::test]
async fn end_of_the_peer_comes_after_its_last_octets() {
    let (mut server, mut client) = streams().await;
    client.queue(b"last words");
    client.close();
    let mut received = server.receive().unwrap();
    while received != Received::Closed {
        received = server.receive().unwrap();
    }
    assert_eq!(server.plaintext(), b"last words");
}

#[tokio::test]
async fn damage_on_the_wire_ends_the_stream() {
    use std::io::{Read, Write};
    let world = World::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let far = listener.local_addr().unwrap();
    // A wire between the two that flips one bit of the ninth octet after the handshake.
    let middle = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let near = middle.local_addr().unwrap();
    let (damage, damaging) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        let (mut client, _) = middle.accept().unwrap();
        let mut server = std::net::TcpStream::connect(far).unwrap();
        let (mut back_from, mut back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut back_from, &mut back_to));
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = client.read(&mut buffer) {
            if damaging.try_recv().is_ok() {
                buffer[8] ^= 1;
            }
            server.write_all(&buffer[..n]).unwrap();
        }
    });
    let (server_config, client_config) = (world.server(), world.client());
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        accept(socket, &server_config).await.unwrap()
    };
    let call = async {
        let socket = TcpStream::connect(near).await.unwrap();
        connect(socket, &client_config, da()).await.unwrap()
    };
    let (mut server, mut client) = tokio::join!(serve, call);
    client.write(b"whole").await.unwrap();
    assert!(server.read().await.unwrap());
    damage.send(()).unwrap();
    client.write(b"damaged").await.unwrap();
    assert_eq!(server.read().await.unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn client_that_speaks_no_tls_is_a_failed_handshake() {
    let world = World::new();
    let config = world.server();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        accept(socket, &config).await.err().unwrap()
    };
    let call = async {
        let socket = TcpStream::connect(address).await.unwrap();
        socket.writable().await.unwrap();
        socket.try_write(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        socket
    };
    let (error, _socket) = tokio::join!(serve, call);
    assert_eq!(handshake_reason(&error), reason::IPHTTPS_HANDSHAKE_FAILED);
}
