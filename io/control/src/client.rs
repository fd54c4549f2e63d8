//! The command line's side.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

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
            Misunderstood::NotOurs => lost(NOT_OURS.to_owned()),
        }),
        Ok(Err(why)) => Err(lost(why)),
        Err(_) => Err(lost(format!("it did not answer within {} s", TIMEOUT.as_secs()))),
    }
}

/// An answer that comes in pieces.
#[derive(Debug)]
pub struct Pieces {
    body: Incoming,
    connection: JoinHandle<hyper::Result<()>>,
}

impl Pieces {
    /// The next piece; `None` at the end, also when the daemon ended.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                return Some(data.to_vec());
            }
        }
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Calls the daemon at `socket` for an answer that comes in pieces, however long that takes.
///
/// # Errors
/// [`CallError`].
pub async fn stream(socket: &Path, method: Method, path: &str, body: &Value) -> Result<Pieces, CallError> {
    let lost = |why: String| CallError::Unreachable { socket: socket.to_path_buf(), why };
    let (response, connection) = send(socket, method, path, body).await.map_err(lost)?;
    let status = response.status().as_u16();
    if (200..300).contains(&status) {
        return Ok(Pieces { body: response.into_body(), connection });
    }
    let body = response.into_body().collect().await.map_err(|e| lost(cut(e)))?.to_bytes();
    connection.abort();
    match understand(status, &body) {
        Err(Misunderstood::Failure { code, message }) => Err(CallError::Refused { status, code, message }),
        Ok(_) | Err(Misunderstood::NotOurs) => Err(lost(NOT_OURS.to_owned())),
    }
}

const NOT_OURS: &str = "what answers there is no sixgate daemon";

fn cut(error: hyper::Error) -> String {
    format!("it ended before it answered ({error})")
}

async fn exchange(socket: &Path, method: Method, path: &str, body: &Value) -> Result<(u16, Bytes), String> {
    let (response, connection) = send(socket, method, path, body).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(cut)?.to_bytes();
    connection.abort();
    Ok((status, body))
}

type Sent = (hyper::Response<Incoming>, JoinHandle<hyper::Result<()>>);

async fn send(socket: &Path, method: Method, path: &str, body: &Value) -> Result<Sent, String> {
    let stream = UnixStream::connect(socket).await.map_err(|e| explain(&e))?;
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
    Ok((response, driver))
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
