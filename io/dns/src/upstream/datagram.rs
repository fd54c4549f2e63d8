//! A question over UDP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use domain::base::Message;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::matching::{Expected, Match};

/// So many answers that do not belong mean that somebody is guessing: TCP cannot be guessed.
const MOST_MISMATCHES: u64 = 10;

/// How a question over UDP ended.
pub(crate) enum Datagram {
    Whole(Vec<u8>),
    /// Truncated, or under attack.
    OverStream,
    /// The server does not keep the case of names.
    OtherCase,
}

/// Waits past answers that do not belong, and counts them.
pub(crate) async fn ask(
    server: SocketAddr,
    expected: &mut Expected,
    mixed: bool,
    until: Instant,
) -> (io::Result<Datagram>, u64) {
    let mut mismatches = 0;
    (exchange(server, expected, mixed, until, &mut mismatches).await, mismatches)
}

async fn exchange(
    server: SocketAddr,
    expected: &mut Expected,
    mixed: bool,
    until: Instant,
    mismatches: &mut u64,
) -> io::Result<Datagram> {
    let any = match server {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    // Connected, so that the kernel drops what another address sends and reports ICMP errors.
    socket.connect(server).await?;
    socket.send(expected.fresh(mixed)).await?;
    let mut buffer = vec![0; 4_096];
    loop {
        let length = timeout_at(until, socket.recv(&mut buffer)).await??;
        let received = buffer.get(..length).unwrap_or_default();
        let answer = match expected.judge(received) {
            Match::Whole(answer) => answer,
            Match::OtherCase => return Ok(Datagram::OtherCase),
            Match::Foreign => {
                *mismatches += 1;
                if *mismatches >= MOST_MISMATCHES {
                    return Ok(Datagram::OverStream);
                }
                continue;
            }
        };
        let truncated = Message::from_slice(&answer).is_ok_and(|message| message.header().tc());
        return Ok(if truncated { Datagram::OverStream } else { Datagram::Whole(answer) });
    }
}
