//! Several TCP connections at a time, the first to stand wins.
//!
//! Addresses of both families are tried a little apart (RFC 8305), and every second one more connection is opened, also to an
//! address that was tried: the kernel waits 1, 2, 4, ... seconds before it repeats a SYN, so a path that comes back
//! would be found late by one connection alone.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};

/// Before the next address that was not tried yet (RFC 8305, section 5).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// Before another connection to an address that was tried.
const AGAIN: Duration = Duration::from_secs(1);

/// Connects to one of `addresses` within `limit`.
///
/// # Errors
/// `TimedOut`; or what the system says, when every address was refused at once.
pub(crate) async fn connect(addresses: &[SocketAddr], limit: Duration) -> io::Result<TcpStream> {
    let deadline = Instant::now() + limit;
    timeout_at(deadline, race(addresses)).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

async fn race(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut running = JoinSet::new();
    let mut started = 0;
    let mut last = io::Error::new(ErrorKind::NotFound, "no address");
    let mut next = Instant::now();
    loop {
        let Some(&address) = addresses.get(started % addresses.len().max(1)) else { return Err(last) };
        tokio::select! {
            Some(ended) = running.join_next(), if !running.is_empty() => match ended {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    last = error;
                    if started < addresses.len() {
                        next = Instant::now();
                    } else if running.is_empty() {
                        return Err(last);
                    }
                }
                // Aborted or panicked: neither happens to a plain connect.
                Err(error) => last = io::Error::other(error),
            },
            () = sleep_until(next) => {
                running.spawn(TcpStream::connect(address));
                started += 1;
                next = Instant::now() + if started < addresses.len() { NEXT_ADDRESS } else { AGAIN };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn refused() -> SocketAddr {
        // A port that was free a moment ago refuses.
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap()
    }

    #[tokio::test]
    async fn address_that_answers_wins_over_those_that_do_not() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let good = listener.local_addr().unwrap();
        let stream = connect(&[refused(), good], Duration::from_secs(5)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }

    #[tokio::test]
    async fn refusal_by_all_is_told_at_once() {
        let begun = Instant::now();
        let error = connect(&[refused(), refused()], Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert!(connect(&[], Duration::from_secs(5)).await.is_err());
    }

    #[tokio::test]
    async fn listener_whose_queue_was_full_is_found_within_a_second_of_having_room() {
        // A listener with a full queue drops SYNs, as a cut cable does.
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        rustix_listen(&socket);
        let fillers: Vec<_> = (0..2).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let begun = Instant::now();
        let opener = async {
            tokio::time::sleep(Duration::from_millis(3_300)).await;
            for _ in &fillers {
                drop(socket.accept().unwrap());
            }
            Instant::now()
        };
        let addresses = [address];
        let (stream, opened) = tokio::join!(connect(&addresses, Duration::from_secs(10)), opener);
        assert_eq!(stream.unwrap().peer_addr().unwrap().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert!(opened.duration_since(begun) > Duration::from_secs(3));
        assert!(opened.elapsed() < Duration::from_millis(1_500), "{:?}", opened.elapsed());
    }

    fn rustix_listen(socket: &std::net::TcpListener) {
        rustix::net::listen(socket, 1).unwrap();
    }
}
