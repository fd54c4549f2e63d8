//! One question to the gateway outside the tunnel, and its answer: JSON in a POST, a certificate or a refusal back.

use std::io;

use serde::Serialize;
use sixgate_api::enrol::{EnrolRefusal, Enrolled};
use sixgate_config::client::GatewayUrl;
use sixgate_io_tls::Negotiated;
use sixgate_iphttps::head;

use crate::{Failure, connect};

/// Sends `question` behind the head that `head` writes for a host and a length, and reads what the gateway says.
pub(crate) async fn ask(
    server: &mut Negotiated,
    gateway: &GatewayUrl,
    head: fn(&str, usize) -> String,
    question: &impl Serialize,
) -> Result<Enrolled, Failure> {
    let body = serde_json::to_string(question).map_err(io::Error::other)?;
    let mut message = head(&connect::host(gateway), body.len());
    message.push_str(&body);
    server.write(message.as_bytes()).await?;
    let (status, body) = answer(server, gateway).await?;
    if status == 200 {
        return serde_json::from_slice(&body)
            .map_err(|e| Failure::new(format!("{gateway} answers with {e}")));
    }
    Err(match serde_json::from_slice::<EnrolRefusal>(&body) {
        Ok(refusal) => Failure::coded(refusal.code, format!("{gateway} refuses: {}", refusal.error)),
        Err(_) => Failure::new(format!("{gateway} answers with status {status}")),
    })
}

/// Status and body of the one response.
async fn answer(server: &mut Negotiated, gateway: &GatewayUrl) -> Result<(u16, Vec<u8>), Failure> {
    let mut head = None;
    loop {
        if head.is_none() {
            let parsed = head::parse_response(server.plaintext());
            head = parsed.map_err(|e| Failure::new(format!("{gateway} answers with {e}")))?;
        }
        if let Some(whole) = head {
            let body = &server.plaintext()[whole.length..];
            let wanted = whole.head.length.and_then(|l| usize::try_from(l).ok()).unwrap_or(0);
            if body.len() >= wanted {
                return Ok((whole.head.status, body[..wanted].to_vec()));
            }
        }
        if !server.read().await? {
            return Err(Failure::new(format!("{gateway} ended the connection before it answered")));
        }
    }
}
