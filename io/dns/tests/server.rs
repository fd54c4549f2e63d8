//! The sockets of a server: pipelining, slicing, limits, slow peers.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod fake;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::base::Message;
use domain::base::iana::Rcode;
use fake::{answer, last, question};
use sixgate_io_dns::server::{Handler, Options, Request, Server};
use sixgate_reason::{DNS_MALFORMED, DNS_NOT_ALLOWED, DNS_OVERLOAD, Reason};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Answers with the number in the name, `N.example`, after so many tens of milliseconds.
#[derive(Default)]
struct Numbers {
    refused: Mutex<Vec<Reason>>,
}

impl Handler for Numbers {
    async fn handle(&self, request: Request) -> Option<Vec<u8>> {
        let message = Message::from_slice(&request.message).ok()?;
        let name = message.sole_question().ok()?.qname().to_string();
        let n: u8 = name.split('.').next()?.parse().ok()?;
        tokio::time::sleep(Duration::from_millis(u64::from(n) * 10)).await;
        Some(answer(&request.message, Rcode::NOERROR, n))
    }

    fn refused(&self, _: IpAddr, reason: Reason) {
        self.refused.lock().unwrap().push(reason);
    }
}

fn start(options: Options) -> (Server, SocketAddr, Arc<Numbers>) {
    let handler = Arc::new(Numbers::default());
    let server = Server::start(&["127.0.0.1:0".parse().unwrap()], options, handler.clone()).unwrap();
    let address = server.addresses()[0];
    (server, address, handler)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

async fn read(stream: &mut TcpStream) -> Option<u8> {
    let length = timeout(Duration::from_secs(3), stream.read_u16()).await.ok()?.ok()?;
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.ok()?;
    last(&message)
}

#[tokio::test]
async fn pipelined_questions_are_answered_as_they_are_ready() {
    let (_server, address, _) = start(Options::default());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let all = [50, 1, 20].map(|n| framed(&question(&format!("{n}.example")))).concat();
    stream.write_all(&all).await.unwrap();
    let got = [read(&mut stream).await, read(&mut stream).await, read(&mut stream).await];
    assert_eq!(got, [Some(1), Some(20), Some(50)]);
}

#[tokio::test]
async fn questions_may_come_in_any_slices_and_the_peer_may_close_its_side_first() {
    let (_server, address, _) = start(Options::default());
    let mut stream = TcpStream::connect(address).await.unwrap();
    for octet in framed(&question("7.example")) {
        stream.write_all(&[octet]).await.unwrap();
        stream.flush().await.unwrap();
    }
    stream.shutdown().await.unwrap();
    assert_eq!(read(&mut stream).await, Some(7));
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_short_message_ends_the_connection_and_is_counted() {
    let (_server, address, handler) = start(Options::default());
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&[0, 3, 1, 2, 3]).await.unwrap();
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
    assert_eq!(*handler.refused.lock().unwrap(), [DNS_MALFORMED]);
}

#[tokio::test]
async fn one_client_cannot_hold_more_connections_than_it_may() {
    let (_server, address, handler) = start(Options { most_connections_per_client: 2, ..Options::default() });
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&framed(&question("1.example"))).await.unwrap();
        assert_eq!(read(&mut stream).await, Some(1));
        kept.push(stream);
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    assert_eq!(third.read(&mut [0; 9]).await.unwrap_or(0), 0);
    assert_eq!(*handler.refused.lock().unwrap(), [DNS_OVERLOAD]);
    drop(kept);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut fourth = TcpStream::connect(address).await.unwrap();
    fourth.write_all(&framed(&question("1.example"))).await.unwrap();
    assert_eq!(read(&mut fourth).await, Some(1));
}

#[tokio::test]
async fn questions_beyond_the_limit_are_dropped_and_others_still_answered() {
    let (_server, address, handler) = start(Options { most_questions_per_client: 4, ..Options::default() });
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(address).await.unwrap();
    for _ in 0..10 {
        socket.send(&question("40.example")).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(handler.refused.lock().unwrap().len(), 6);
    // Another client has places of its own.
    let other = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    other.connect(address).await.unwrap();
    other.send(&question("2.example")).await.unwrap();
    let mut buffer = [0; 512];
    let length = timeout(Duration::from_secs(1), other.recv(&mut buffer)).await.unwrap().unwrap();
    assert_eq!(last(&buffer[..length]), Some(2));
}

#[tokio::test]
async fn who_may_not_ask_hears_refused_and_no_more_than_he_said() {
    let allow = Some(vec!["127.0.0.9/32".parse().unwrap()]);
    let (_server, address, handler) = start(Options { allow, ..Options::default() });
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(address).await.unwrap();
    socket.send(&question("1.example")).await.unwrap();
    let mut buffer = [0; 512];
    let length = timeout(Duration::from_secs(1), socket.recv(&mut buffer)).await.unwrap().unwrap();
    let message = Message::from_slice(&buffer[..length]).unwrap();
    assert_eq!(message.header().rcode(), Rcode::REFUSED);
    // Beside the extended error: 4 octets of option and 2 of code.
    assert_eq!(length, question("1.example").len() + 6);
    // An answer is never answered, or two servers could be set on each other.
    let mut reply = question("1.example");
    reply[2] |= 0x80;
    socket.send(&reply).await.unwrap();
    assert!(timeout(Duration::from_millis(100), socket.recv(&mut buffer)).await.is_err());
    assert_eq!(*handler.refused.lock().unwrap(), [DNS_NOT_ALLOWED, DNS_NOT_ALLOWED]);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let (_server, address, _) = start(Options::default());
    let mut stream = TcpStream::connect(address).await.unwrap();
    let begin = Instant::now();
    assert_eq!(timeout(Duration::from_secs(15), stream.read(&mut [0; 9])).await.unwrap().unwrap(), 0);
    assert!(begin.elapsed() > Duration::from_secs(9), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let (_server, address, _) = start(Options::default());
    let error = Server::start(&[address], Options::default(), Arc::new(Numbers::default())).unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
    let missing = "192.0.2.77:0".parse().unwrap();
    let handler = || Arc::new(Numbers::default());
    assert!(Server::start(&[missing], Options::default(), handler()).is_err());
    let options = Options { free_bind: true, ..Options::default() };
    assert!(Server::start(&[missing], options, handler()).is_ok());
}

#[tokio::test]
async fn both_families_can_listen_on_every_address_with_one_port() {
    let handler = Arc::new(Numbers::default());
    let first = Server::start(&["0.0.0.0:0".parse().unwrap()], Options::default(), handler.clone()).unwrap();
    let port = first.addresses()[0].port();
    let second = format!("[::]:{port}").parse().unwrap();
    assert!(Server::start(&[second], Options::default(), handler).is_ok());
}
