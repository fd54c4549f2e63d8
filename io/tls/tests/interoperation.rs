//! Our record layer against rustls's own, which stays the judge of what TLS 1.3 is.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection, StreamOwned};
use sixgate_io_tls::{
    Authority, Received, ServerName, ServerNames, Token, accept, connect, enrolment_config, server_config,
};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn world(directory: &str) -> (Authority, Arc<rustls::ServerConfig>) {
    let directory = std::env::temp_dir().join(format!("sixgate-{directory}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let authority = Authority::create(SystemTime::now()).unwrap();
    let names = ServerNames { names: vec![], addresses: vec![HERE] };
    let (chain, key) = authority.server_certificate(&directory, &names, SystemTime::now()).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let config = server_config(&[authority.certificate().clone()], chain, key).unwrap();
    (authority, config)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn into_tokio(socket: TcpStream) -> tokio::net::TcpStream {
    socket.set_nonblocking(true).unwrap();
    tokio::net::TcpStream::from_std(socket).unwrap()
}

/// Every suite that TLS 1.3 has here: each has its own limits and IV.
fn suites() -> impl Iterator<Item = rustls::SupportedCipherSuite> {
    use rustls::crypto::ring::cipher_suite as suite;
    [suite::TLS13_AES_128_GCM_SHA256, suite::TLS13_AES_256_GCM_SHA384, suite::TLS13_CHACHA20_POLY1305_SHA256]
        .into_iter()
}

#[test]
fn client_of_rustls_talks_to_our_stream_with_every_suite_and_new_keys_in_between() {
    let (authority, server) = world("interop-client");
    for suite in suites() {
        let listener = TcpListener::bind((HERE, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate().clone()).unwrap();
        let mut provider = rustls::crypto::ring::default_provider();
        provider.cipher_suites = vec![suite];
        let client = std::thread::spawn(move || {
            let config = ClientConfig::builder_with_provider(Arc::new(provider))
                .with_protocol_versions(&[&rustls::version::TLS13])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let connection = ClientConnection::new(Arc::new(config), ServerName::from(HERE)).unwrap();
            let mut tls = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
            for round in 0..50_u8 {
                tls.write_all(&[round; 5000]).unwrap();
                let mut echo = [0; 5000];
                tls.read_exact(&mut echo).unwrap();
                assert_eq!(echo, [round; 5000]);
                if round % 10 == 3 {
                    tls.conn.refresh_traffic_keys().unwrap();
                }
            }
            tls.conn.send_close_notify();
            tls.flush().unwrap();
        });
        let runtime = runtime();
        let mut stream = runtime.block_on(async {
            let (socket, _) = listener.accept().unwrap();
            accept(into_tokio(socket), &server).await.unwrap().into_stream().unwrap()
        });
        loop {
            let received = stream.receive().unwrap();
            let plaintext = stream.plaintext().to_vec();
            stream.consume(plaintext.len());
            if received == Received::Closed {
                break;
            }
            stream.queue(&plaintext);
            stream.flush().unwrap();
        }
        client.join().unwrap();
    }
}

#[test]
fn our_stream_talks_to_a_server_of_rustls_that_sends_tickets() {
    let (authority, server) = world("interop-server");
    let mut server = Arc::unwrap_or_clone(server);
    server.session_storage = rustls::server::ServerSessionMemoryCache::new(8);
    server.send_tls13_tickets = 4;
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let connection = ServerConnection::new(Arc::new(server)).unwrap();
        let mut tls = StreamOwned::new(connection, listener.accept().unwrap().0);
        let mut request = [0; 5];
        tls.read_exact(&mut request).unwrap();
        assert_eq!(&request, b"hello");
        tls.write_all(&vec![9; 100_000]).unwrap();
        tls.conn.send_close_notify();
        tls.flush().unwrap();
    });
    let client = enrolment_config(&Token::generate(authority.key_digest()).unwrap()).unwrap();
    let mut stream = runtime().block_on(async {
        let socket = into_tokio(TcpStream::connect(address).unwrap());
        connect(socket, &client, ServerName::from(HERE)).await.unwrap().into_stream().unwrap()
    });
    stream.queue(b"hello");
    stream.flush().unwrap();
    while stream.receive().unwrap() != Received::Closed {}
    assert_eq!(stream.plaintext(), vec![9; 100_000]);
    server.join().unwrap();
}
