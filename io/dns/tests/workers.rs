//! A server with workers: what is answered at once, what takes the slow way, and from where.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
mod fake;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::base::iana::Rcode;
use fake::{answer, last, question};
use sixgate_io_dns::server::{Front, Handler, Options, Quick, Request, Server};
use sixgate_reason::{DNS_MALFORMED, DNS_NOT_ALLOWED, Reason};
use tokio::net::UdpSocket;
use tokio::time::timeout;

/// The slow way: 200, and which worker had the question.
#[derive(Default)]
struct Slow {
    refused: Mutex<Vec<Reason>>,
    workers: Mutex<Vec<Option<usize>>>,
}

impl Handler for Slow {
    async fn handle(&self, request: Request) -> Option<Vec<u8>> {
        self.workers.lock().unwrap().push(request.worker);
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some(answer(&request.message, Rcode::NOERROR, 200))
    }

    fn refused(&self, _: IpAddr, reason: Reason) {
        self.refused.lock().unwrap().push(reason);
    }
}

/// At once: 100 to `quick...`, and to `again...` with a word to the slow way.
struct AtOnce;

impl Front for AtOnce {
    fn begin(&mut self) {}

    fn answer(&mut self, _: IpAddr, message: &[u8], out: &mut [u8]) -> Quick {
        let refresh = message[13..].starts_with(b"again");
        if !refresh && !message[13..].starts_with(b"quick") {
            return Quick::Slow;
        }
        let answer = answer(message, Rcode::NOERROR, 100);
        out[..answer.len()].copy_from_slice(&answer);
        Quick::Answer { length: answer.len(), refresh }
    }
}

fn start(listen: &str, options: Options) -> (Server, SocketAddr, Arc<Slow>) {
    let handler = Arc::new(Slow::default());
    let listen = [listen.parse().unwrap()];
    let server = Server::start_with_workers(&listen, options, Arc::clone(&handler), 2, |_| AtOnce).unwrap();
    let address = server.addresses()[0];
    (server, address, handler)
}

async fn ask(from: &str, server: SocketAddr, message: &[u8]) -> Option<u8> {
    let socket = UdpSocket::bind((from, 0)).await.unwrap();
    // Connected, so that an answer from another address is not heard.
    socket.connect(server).await.unwrap();
    socket.send(message).await.unwrap();
    let mut buffer = [0; 512];
    let length = timeout(Duration::from_millis(500), socket.recv(&mut buffer)).await.ok()?.unwrap();
    last(&buffer[..length])
}

#[tokio::test]
async fn what_is_at_hand_is_answered_at_once_and_the_rest_slowly() {
    let (_server, address, handler) = start("127.0.0.1:0", Options::default());
    for _ in 0..20 {
        assert_eq!(ask("127.0.0.1", address, &question("quick.example")).await, Some(100));
    }
    assert!(handler.workers.lock().unwrap().is_empty());
    for _ in 0..20 {
        assert_eq!(ask("127.0.0.1", address, &question("other.example")).await, Some(200));
    }
    // Both workers have askers.
    let workers = std::mem::take(&mut *handler.workers.lock().unwrap());
    assert!((0..2).all(|worker| workers.contains(&Some(worker))) && workers.len() == 20, "{workers:?}");
    assert_eq!(ask("127.0.0.1", address, &question("again.example")).await, Some(100));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(handler.workers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_leaves_from_the_address_that_was_asked() {
    for (listen, from, asked) in [("0.0.0.0:0", "127.0.0.1", "127.0.0.5"), ("[::]:0", "::1", "::1")] {
        let (_server, address, _) = start(listen, Options::default());
        let asked = SocketAddr::new(asked.parse().unwrap(), address.port());
        assert_eq!(ask(from, asked, &question("quick.example")).await, Some(100));
        assert_eq!(ask(from, asked, &question("other.example")).await, Some(200));
    }
}

#[tokio::test]
async fn nobody_gets_in_the_quick_way_who_may_not_ask() {
    let allow = Some(vec!["127.0.0.2/32".parse().unwrap()]);
    let (_server, address, handler) = start("127.0.0.1:0", Options { allow, ..Options::default() });
    assert_eq!(ask("127.0.0.2", address, &question("quick.example")).await, Some(100));
    let refused = ask("127.0.0.1", address, &question("quick.example")).await;
    assert!(refused.is_none_or(|said| said != 100), "{refused:?}");
    assert_eq!(ask("127.0.0.2", address, &question("quick.example")).await, Some(100));
    assert_eq!(ask("127.0.0.2", address, &[7; 11]).await, None);
    assert_eq!(ask("127.0.0.2", address, &[7; 5_000]).await, None);
    assert_eq!(*handler.refused.lock().unwrap(), [DNS_NOT_ALLOWED, DNS_MALFORMED, DNS_MALFORMED]);
}

#[tokio::test]
async fn an_address_that_is_taken_is_refused_and_a_server_that_ends_leaves_it() {
    let (server, address, _) = start("127.0.0.1:0", Options::default());
    let again = |address: SocketAddr| {
        Server::start_with_workers(&[address], Options::default(), Arc::<Slow>::default(), 2, |_| AtOnce)
    };
    assert!(again(address).is_err());
    let begin = std::time::Instant::now();
    drop(server);
    assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(again(address).is_ok());
}
