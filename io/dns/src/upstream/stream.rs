//! A question over TCP (RFC 7766): one connection a question.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::matching::{Expected, Match};

/// The answer that belongs to the question, or nothing.
pub(crate) async fn ask(server: SocketAddr, expected: &mut Expected, until: Instant) -> Option<Vec<u8>> {
    let message = expected.fresh(false).to_vec();
    let answer = timeout_at(until, exchange(server, &message)).await.ok()?.ok()?;
    match expected.judge(&answer) {
        Match::Whole(answer) => Some(answer),
        Match::OtherCase | Match::Foreign => None,
    }
}

/// Sends one message and reads one.
pub(crate) async fn exchange(server: SocketAddr, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(message.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // RFC 7766, section 8: length and message in one segment.
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
