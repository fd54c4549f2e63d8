//! Questions over TCP (RFC 7766): pipelined, answered in any order, idle connections closed.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sixgate_reason::{DNS_MALFORMED, DNS_NOT_ALLOWED, DNS_OVERLOAD};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::gate::Gate;
use super::{Handler, Request, answers};

/// RFC 7766, section 6.2.3: a connection on which nothing is asked is closed.
const IDLE: Duration = Duration::from_secs(10);
/// Who does not take its answers is cut.
const SLOWEST_WRITE: Duration = Duration::from_secs(10);
/// Questions under work on one connection; more wait in the kernel's buffer.
const MOST_PIPELINED: usize = 32;
const HEADER: usize = 12;

/// Runs until it is aborted; then its connections end too.
pub(super) async fn serve<H: Handler>(listener: TcpListener, gate: Arc<Gate>, handler: Arc<H>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors: others must close first.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let client = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        match gate.connection(client.ip()) {
            Ok(place) => {
                let (gate, handler) = (Arc::clone(&gate), Arc::clone(&handler));
                connections.spawn(async move {
                    // The peer's end of a connection is no news.
                    let _ended = converse(stream, client, gate, handler).await;
                    drop(place);
                });
            }
            Err(reason) => handler.refused(client.ip(), reason),
        }
    }
}

async fn converse<H: Handler>(
    stream: TcpStream,
    client: SocketAddr,
    gate: Arc<Gate>,
    handler: Arc<H>,
) -> io::Result<()> {
    let (mut reader, writer) = stream.into_split();
    let (finished, queue) = mpsc::channel(MOST_PIPELINED);
    let under_work = Arc::new(Semaphore::new(MOST_PIPELINED));
    let mut tasks = JoinSet::new();
    tasks.spawn(write_all(writer, queue));
    loop {
        while tasks.try_join_next().is_some() {}
        let Ok(turn) = Arc::clone(&under_work).acquire_owned().await else { break };
        let message = match timeout(IDLE, read(&mut reader)).await {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) => break,
            Ok(Err(error)) => {
                if error.kind() == io::ErrorKind::UnexpectedEof {
                    handler.refused(client.ip(), DNS_MALFORMED);
                }
                break;
            }
            // Half a message may have been read, so the connection cannot go on; what is under work is answered.
            Err(_) => break,
        };
        if finished.is_closed() {
            break;
        }
        if message.len() < HEADER {
            handler.refused(client.ip(), DNS_MALFORMED);
            break;
        }
        match gate.question(client.ip()) {
            Ok(place) => {
                let (finished, handler) = (finished.clone(), Arc::clone(&handler));
                tasks.spawn(async move {
                    let request = Request { client, stream: true, message, worker: None };
                    if let Some(answer) = handler.handle(request).await {
                        // The writer is gone when the peer is.
                        let _gone = finished.send(answer).await;
                    }
                    drop((place, turn));
                });
            }
            Err(reason) => {
                let answer = match reason {
                    DNS_NOT_ALLOWED => answers::refuse(&message),
                    DNS_OVERLOAD if gate.looks(client.ip()) => {
                        handler.handle_at_once(&Request { client, stream: true, message, worker: None })
                    }
                    _ => None,
                };
                if answer.is_none() || reason != DNS_OVERLOAD {
                    handler.refused(client.ip(), reason);
                }
                let Some(answer) = answer else { break };
                let _gone = finished.send(answer).await;
            }
        }
    }
    drop(finished);
    // What was asked before the peer closed its side is still answered.
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// The next message; `None` when the peer has said all. `UnexpectedEof` when it ends within a message.
async fn read(reader: &mut OwnedReadHalf) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    if reader.read(&mut length[..1]).await? == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut length[1..]).await?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    reader.read_exact(&mut message).await?;
    Ok(Some(message))
}

async fn write_all(mut writer: OwnedWriteHalf, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(answer) = queue.recv().await {
        let Ok(length) = u16::try_from(answer.len()) else { continue };
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(&answer);
        if !matches!(timeout(SLOWEST_WRITE, writer.write_all(&framed)).await, Ok(Ok(()))) {
            return;
        }
    }
}
