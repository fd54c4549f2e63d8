//! Questions over UDP.

use std::net::SocketAddr;
use std::sync::Arc;

use sixgate_reason::{DNS_MALFORMED, DNS_NOT_ALLOWED, DNS_OVERLOAD};
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::gate::Gate;
use super::{Handler, Request, answers};

const HEADER: usize = 12;

/// Runs until it is aborted; then the questions under work end too.
pub(super) async fn serve<H: Handler>(socket: UdpSocket, gate: Arc<Gate>, handler: Arc<H>) {
    let socket = Arc::new(socket);
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        while tasks.try_join_next().is_some() {}
        // An error here is an ICMP message about an earlier answer; the socket goes on.
        let Ok((length, peer)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let message = buffer.get(..length).unwrap_or_default();
        let client = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if length < HEADER || peer.port() == 0 {
            handler.refused(client.ip(), DNS_MALFORMED);
            continue;
        }
        let request =
            |message: &[u8]| Request { client, stream: false, message: message.to_vec(), worker: None };
        let place = match gate.question(client.ip()) {
            Ok(place) => place,
            Err(reason) => {
                let answer = match reason {
                    DNS_NOT_ALLOWED => answers::refuse(message),
                    // Names that nobody has to be asked for must not wait for those that nobody answers.
                    DNS_OVERLOAD if gate.looks(client.ip()) => handler.handle_at_once(&request(message)),
                    _ => None,
                };
                if let Some(answer) = &answer {
                    let _lost = socket.try_send_to(answer, peer);
                }
                if answer.is_none() || reason != DNS_OVERLOAD {
                    handler.refused(client.ip(), reason);
                }
                continue;
            }
        };
        let request = request(message);
        let (socket, handler) = (Arc::clone(&socket), Arc::clone(&handler));
        tasks.spawn(async move {
            if let Some(answer) = handler.handle(request).await {
                // Lost like any datagram; the asker repeats.
                let _lost = socket.send_to(&answer, peer).await;
            }
            drop(place);
        });
    }
}
