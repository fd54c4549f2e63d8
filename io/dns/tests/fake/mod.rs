//! Servers and messages that misbehave on purpose.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::A;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

pub(crate) fn question(name: &str) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(77);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((Name::vec_from_str(name).unwrap(), Rtype::A)).unwrap();
    let mut builder = builder.additional();
    builder
        .opt(|opt| {
            opt.set_udp_payload_size(1232);
            Ok(())
        })
        .unwrap();
    builder.finish()
}

/// One A record, 10.0.0.N.
pub(crate) fn answer(question: &[u8], rcode: Rcode, last: u8) -> Vec<u8> {
    let message = Message::from_slice(question).unwrap();
    let asked = message.sole_question().unwrap();
    let mut builder = MessageBuilder::new_vec().start_answer(message, rcode).unwrap();
    if rcode == Rcode::NOERROR {
        builder.push((asked.qname(), 60, A::new([10, 0, 0, last].into()))).unwrap();
    }
    builder.finish()
}

/// The last octet of the answer's address.
pub(crate) fn last(answer: &[u8]) -> Option<u8> {
    let message = Message::from_slice(answer).unwrap();
    let record = message.answer().unwrap().limit_to_in::<A>().next()?.unwrap();
    Some(record.data().addr().octets()[3])
}

/// A server on both transports whose answers come from two functions: what to send for each question, in order.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    pub(crate) datagrams: Arc<AtomicUsize>,
    pub(crate) streams: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Fake {
    pub(crate) async fn start(
        udp: impl Fn(&[u8], usize) -> Vec<Vec<u8>> + Send + 'static,
        tcp: impl Fn(&[u8]) -> Vec<u8> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        let (datagrams, streams) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let count = datagrams.clone();
        let by_udp = tokio::spawn(async move {
            let mut buffer = vec![0; 4096];
            loop {
                let (length, peer) = socket.recv_from(&mut buffer).await.unwrap();
                let n = count.fetch_add(1, Ordering::SeqCst);
                for reply in udp(&buffer[..length], n) {
                    socket.send_to(&reply, peer).await.unwrap();
                }
            }
        });
        let count = streams.clone();
        let by_tcp = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let Ok(length) = stream.read_u16().await else { continue };
                let mut message = vec![0; usize::from(length)];
                stream.read_exact(&mut message).await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let reply = tcp(&message);
                stream.write_all(&u16::try_from(reply.len()).unwrap().to_be_bytes()).await.unwrap();
                stream.write_all(&reply).await.unwrap();
            }
        });
        Self { address, datagrams, streams, tasks: vec![by_udp, by_tcp] }
    }

    pub(crate) fn asked(&self) -> (usize, usize) {
        (self.datagrams.load(Ordering::SeqCst), self.streams.load(Ordering::SeqCst))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
