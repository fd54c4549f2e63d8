//! The daemon's side.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::socket::{self, SocketFile};

/// Largest body of a request, in octets.
const LARGEST_BODY: usize = 1 << 20;
/// Connections at a time; more wait in the kernel's queue.
const CONNECTIONS: usize = 64;
/// A head that takes longer is given up.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What may be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// Reads.
    Get,
    /// Changes, or reads with a body.
    Post,
    /// Removes.
    Delete,
}

impl Method {
    /// As it is written in HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// User of the process at the other end, as the kernel says.
    pub uid: u32,
    /// Its process, 0 when it is in another namespace.
    pub pid: i32,
}

/// One call.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// What to do.
    pub method: Method,
    /// Without a query.
    pub path: String,
    /// `null` when there was none.
    pub body: Value,
    /// Who asks.
    pub peer: Peer,
}

/// One answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Response {
    /// Of HTTP: 200, 400, 404, ...
    pub status: u16,
    /// The document.
    pub body: Value,
}

impl Response {
    /// 200 with this document.
    #[must_use]
    pub const fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    /// A failure in the form that every caller understands.
    #[must_use]
    pub fn failure(status: u16, code: &str, message: &str) -> Self {
        Self { status, body: json!({"schema": 1, "error": {"code": code, "message": message}}) }
    }

    /// 404 for a path that the handler does not have.
    #[must_use]
    pub fn not_found(path: &str) -> Self {
        Self::failure(404, "no-such-call", &format!("this daemon has no call {path}"))
    }
}

/// Answers calls.
pub trait Handler: Send + Sync + 'static {
    /// Answers one call. Calls of several connections run at the same time.
    fn handle(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// Answers one call with whatever it takes; by default with [`Handler::handle`]'s document.
    fn answer(&self, request: Request) -> impl Future<Output = Answer> + Send {
        async { Answer::Document(self.handle(request).await) }
    }
}

/// A control socket that listens.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    file: SocketFile,
    owner: u32,
}

impl Server {
    /// Listens at `path`; a socket that nobody listens at is replaced. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// Another daemon answers there, the path cannot be used, or the privilege is missing; the text says which.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        let (listener, file) = socket::listen(path, mode)?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        Ok(Self { listener, file, owner: rustix::process::geteuid().as_raw() })
    }

    /// Answers until the future is dropped, which also removes the socket's file.
    pub async fn serve(self, handler: impl Handler) {
        let Self { listener, file: _file, owner } = self;
        let handler = Arc::new(handler);
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors or memory: it passes, and the packets do not wait for us.
                    tracing::debug!(%error, "control socket: accept failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(peer) = admitted(&stream, owner) else { continue };
            let handler = Arc::clone(&handler);
            tokio::spawn(async move {
                connection(stream, peer, handler).await;
                drop(permit);
            });
        }
    }
}

/// Root and the daemon's own user; the file's mode keeps others out already, unless somebody widened it.
fn admitted(stream: &UnixStream, owner: u32) -> Option<Peer> {
    let credentials = stream.peer_cred().ok()?;
    let uid = credentials.uid();
    if uid != 0 && uid != owner {
        tracing::warn!(uid, "control socket: refused a user who is neither root nor ours");
        return None;
    }
    Some(Peer { uid, pid: credentials.pid().unwrap_or(0) })
}

async fn connection<H: Handler>(stream: UnixStream, peer: Peer, handler: Arc<H>) {
    let service = service_fn(|request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(answer(request, peer, &*handler).await.render()) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "control socket: connection ended badly");
    }
}

async fn answer<H: Handler>(request: hyper::Request<Incoming>, peer: Peer, handler: &H) -> Answer {
    match read(request, peer).await {
        Ok(request) => handler.answer(request).await,
        Err(failure) => Answer::Document(failure),
    }
}

async fn read(request: hyper::Request<Incoming>, peer: Peer) -> Result<Request, Response> {
    let method = match request.method().as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        _ => return Err(Response::failure(405, "method", "only GET, POST and DELETE are understood")),
    };
    let path = request.uri().path().to_owned();
    let body = match Limited::new(request.into_body(), LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => {
            return Err(Response::failure(413, "body-too-large", "the body is too large or was cut off"));
        }
    };
    let body = if body.is_empty() {
        Value::Null
    } else {
        match serde_json::from_slice(&body) {
            Ok(value) => value,
            Err(e) => {
                return Err(Response::failure(400, "body-not-json", &format!("the body is not JSON: {e}")));
            }
        }
    };
    Ok(Request { method, path, body, peer })
}
