//! The public door: accept, TLS, the head of the request, and then the packet plane or enrolment.
//!
//! Everything here is from the Internet and nobody is believed: limits on number and time of connections, a refusal
//! costs one answer, and what fails is counted under its reason.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sixgate_io_tls::{Negotiated, accept, client_name, fingerprint, handshake_reason, tuning};
use sixgate_iphttps::head::{self, HeadFault, Request};
use sixgate_iphttps::session::SessionConfig;
use sixgate_reason::{self as reason, Reason};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::door::Door;
use crate::seam::{Admission, ToNet};

/// Handshake and head together may take this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections that have not become sessions yet.
const STRANGERS: usize = 512;

/// Serves one listening address until the future is dropped.
pub(crate) async fn serve(listener: TcpListener, door: Arc<Door>) {
    let room = Arc::new(Semaphore::new(STRANGERS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((socket, from)) => {
                let door = Arc::clone(&door);
                tokio::spawn(async move {
                    if let Err(Refused { reason, what }) = stranger(&door, socket).await {
                        door.tell(ToNet::Refused { reason, what: format!("{what} from {from}") });
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors or memory: it passes.
                tracing::debug!(%error, "accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Why a connection came to nothing.
pub(crate) struct Refused {
    pub(crate) reason: Reason,
    pub(crate) what: String,
}

impl Refused {
    pub(crate) fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into() }
    }

    /// A connection that failed before anything was said.
    fn handshake(error: &io::Error) -> Self {
        Self::new(handshake_reason(error), error.to_string())
    }
}

async fn stranger(door: &Door, socket: TcpStream) -> Result<(), Refused> {
    let late = |_| Refused::new(reason::IPHTTPS_HANDSHAKE_FAILED, "too slow");
    let congestion = tuning::tune(&socket).map_err(|e| Refused::handshake(&e))?;
    let mut tls = timeout(PATIENCE, accept(socket, &door.tls()))
        .await
        .map_err(late)?
        .map_err(|e| Refused::handshake(&e))?;
    let request = timeout(PATIENCE, read_head(&mut tls)).await.map_err(late)?;
    match request {
        Ok(Request::Tunnel) => admit(door, tls, congestion).await,
        Ok(Request::Enrol { length }) => {
            timeout(PATIENCE, super::enrol::serve(door, tls, length)).await.map_err(late)?
        }
        Ok(Request::Renew { length }) => {
            timeout(PATIENCE, super::enrol::serve_renewal(door, tls, length)).await.map_err(late)?
        }
        Err(fault) => {
            answer(tls, fault.status(), None, "").await;
            Err(Refused::new(fault.reason(), fault.to_string()))
        }
    }
}

async fn read_head(tls: &mut Negotiated) -> Result<Request, HeadFault> {
    loop {
        if let Some(whole) = head::parse_request(tls.plaintext())? {
            tls.consume(whole.length);
            return Ok(whole.head);
        }
        match tls.read().await {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(HeadFault::Malformed),
        }
    }
}

/// Answers and closes; whether it arrives is the other end's business.
pub(crate) async fn answer(mut tls: Negotiated, status: u16, retry_after: Option<u32>, body: &str) {
    let text = head::response(status, &http_date(SystemTime::now()), retry_after, body);
    if tls.write(text.as_bytes()).await.is_ok() {
        let _ = tls.close().await;
    }
}

/// Admits a client whose certificate is good and enrolled here.
async fn admit(door: &Door, mut tls: Negotiated, congestion: String) -> Result<(), Refused> {
    let from: SocketAddr = tls.peer();
    let Some(certificate) = tls.peer_certificates().first() else {
        answer(tls, 403, None, "").await;
        return Err(Refused::new(reason::IPHTTPS_CERTIFICATE_MISSING, "a request for a tunnel"));
    };
    let known = client_name(certificate).and_then(|name| door.admission(&name, fingerprint(certificate)));
    let client = match known {
        Ok(client) => client,
        Err(why) => {
            answer(tls, 403, None, "").await;
            return Err(Refused::new(why, "a request for a tunnel"));
        }
    };
    let text = head::tunnel_response(&http_date(SystemTime::now()));
    let failed = |e: io::Error| Refused::new(reason::IPHTTPS_HANDSHAKE_FAILED, e.to_string());
    timeout(PATIENCE, tls.write(text.as_bytes()))
        .await
        .map_err(|_| Refused::new(reason::IPHTTPS_HANDSHAKE_FAILED, "too slow"))?
        .map_err(failed)?;
    let stream = tls.into_stream().map_err(failed)?;
    door.tell(ToNet::Admit(Box::new(Admission {
        name: client.name,
        stream,
        from,
        session: SessionConfig { lease: client.lease, ..SessionConfig::default() },
        identity: client.identity,
        since: jiff::Timestamp::now().as_second(),
        congestion,
    })));
    Ok(())
}

/// The time as HTTP writes it (RFC 9110, section 5.6.7).
fn http_date(now: SystemTime) -> String {
    jiff::Timestamp::try_from(now)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        let t = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(http_date(t), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
