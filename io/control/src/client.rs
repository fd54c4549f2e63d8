//! The command line's side.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::server::Method;

/// A daemon that has not answered by then is as good as gone.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a call has no document.
#[derive(Debug)]
pub enum CallError {
    /// Nobody answers at the socket: exit code 3.
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// One line: what happened, and what to do where that is known.
        why: String,
    },
    /// The daemon answered with a failure: exit code 1.
    Refused {
        /// Of HTTP.
        status: u16,
        /// Stable.
        code: String,
        /// One line.
        message: String,
    },
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { socket, why } => {
                write!(f, "no daemon answers at {}: {why}", socket.display())
            }
            Self::Refused { message, .. } => f.write_str(message),
        }
    }
}

impl std::error::Error for CallError {}

/// Calls the daemon at `socket`; the answer is its document. `body` may be `null`.
///
/// # Errors
/// [`CallError`].
pub async fn call(socket: &Path, method: Method, path: &str, body: &Value) -> Result<Value, CallError> {
    let lost = |why: String| CallError::Unreachable { socket: socket.to_path_buf(), why };
    match tokio::time::timeout(TIMEOUT, exchange(socket, method, path, body)).await {
        Ok(Ok((status, body))) => understand(status, &body).map_err(|e| match e {
            Misunderstood::Failure { code, message } => CallError::Refused { status, code, message },
            Misunderstood::NotOurs => lost("what answers there is no sixgate daemon".to_owned()),
        }),
        Ok(Err(why)) => Err(lost(why)),
        Err(_) => Err(lost(format!("it did not answer within {} s", TIMEOUT.as_secs()))),
    }
}

async fn exchange(socket: &Path, method: Method, path: &str, body: &Value) -> Result<(u16, Bytes), String> {
    let stream = UnixStream::connect(socket).await.map_err(|e| explain(&e))?;
    let cut = |e: hyper::Error| format!("it ended before it answered ({e})");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
    let driver = tokio::spawn(connection);
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let request = hyper::Request::builder()
        .method(method.as_str())
        .uri(path)
        .header("host", "sixgate")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(text)))
        .map_err(|e| format!("the call cannot be made: {e}"))?;
    let response = sender.send_request(request).await.map_err(cut)?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(cut)?.to_bytes();
    driver.abort();
    Ok((status, body))
}

enum Misunderstood {
    Failure { code: String, message: String },
    NotOurs,
}

fn understand(status: u16, body: &[u8]) -> Result<Value, Misunderstood> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Misunderstood::NotOurs)?;
    if (200..300).contains(&status) {
        return Ok(value);
    }
    let text = |key: &str| value["error"][key].as_str().map(str::to_owned);
    match (text("code"), text("message")) {
        (Some(code), Some(message)) => Err(Misunderstood::Failure { code, message }),
        _ => Err(Misunderstood::NotOurs),
    }
}

fn explain(error: &io::Error) -> String {
    let known = [
        (io::ErrorKind::NotFound, "there is no such socket; is it running, or is it another --socket?"),
        (io::ErrorKind::ConnectionRefused, "the socket is left over from a daemon that has ended"),
        (io::ErrorKind::PermissionDenied, "permission denied; try as root"),
    ];
    let found = known.iter().find(|(kind, _)| *kind == error.kind());
    found.map_or_else(|| error.to_string(), |(_, text)| (*text).to_owned())
}
