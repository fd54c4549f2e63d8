//! One text over TCP, for programs that look at it now and then: a scraper of metrics.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::server::Response;

/// Whoever else comes waits in the kernel's queue.
const CONNECTIONS: usize = 8;
/// Of these, so that one source does not keep the others out.
const CONNECTIONS_A_SOURCE: usize = 2;
/// From the first octet to the last: a connection has one question and one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers GET of `path` with what `page` gives, and everything else with 404, until the future is dropped. There is no check of
/// who asks: that is for the address it listens on.
pub async fn serve_page<F: Future<Output = String> + Send + 'static>(
    listener: TcpListener,
    path: &'static str,
    content_type: &'static str,
    page: impl Fn() -> F + Send + Sync + 'static,
) {
    let page = Arc::new(page);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let sources = Sources::default();
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, from) = match listener.accept().await {
            Ok((stream, from)) => (stream, from.ip().to_canonical()),
            Err(error) => {
                tracing::debug!(%error, "metrics: accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Whoever has as many as it may is hung up on.
        let Some(place) = sources.enter(from) else { continue };
        let page = Arc::clone(&page);
        tokio::spawn(async move {
            let service = service_fn(|request: hyper::Request<Incoming>| {
                let page = Arc::clone(&page);
                async move {
                    let is_it = request.method() == hyper::Method::GET && request.uri().path() == path;
                    let answer = if is_it {
                        Answer::Text { content_type, text: page().await }
                    } else {
                        Answer::Document(Response::failure(
                            404,
                            "no-such-page",
                            &format!("there is only {path}"),
                        ))
                    };
                    Ok::<_, Infallible>(answer.render())
                }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // How it ended is the other side's business.
            let _ = tokio::time::timeout(PATIENCE, served).await;
            drop((place, permit));
        });
    }
}

/// Who is connected, once for each connection; never longer than there are connections.
#[derive(Clone, Default)]
struct Sources(Arc<Mutex<Vec<IpAddr>>>);

impl Sources {
    /// A place for one more connection from there, until it is dropped.
    fn enter(&self, from: IpAddr) -> Option<Place> {
        let mut here = self.here();
        if here.iter().filter(|other| **other == from).count() >= CONNECTIONS_A_SOURCE {
            return None;
        }
        here.push(from);
        Some(Place { sources: self.clone(), from })
    }

    fn here(&self) -> MutexGuard<'_, Vec<IpAddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Place {
    sources: Sources,
    from: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut here = self.sources.here();
        if let Some(at) = here.iter().position(|other| *other == self.from) {
            here.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn listening() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(serve_page(listener, "/metrics", "text/plain", || async { "one 1\n".to_owned() }));
        at
    }

    /// Everything until the other side closes.
    async fn rest(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        let read = tokio::time::timeout(PATIENCE + Duration::from_secs(5), stream.read_to_string(&mut text));
        let _ = read.await.expect("the connection is closed");
        text
    }

    const QUESTION: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n";

    #[tokio::test]
    async fn a_connection_has_one_answer_and_is_closed() {
        let at = listening().await;
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(QUESTION).await.unwrap();
        let begun = std::time::Instant::now();
        let text = rest(&mut stream).await;
        assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("one 1\n"), "{text}");
        assert!(begun.elapsed() < PATIENCE / 2);
    }

    #[tokio::test]
    async fn one_source_has_two_connections_and_others_have_theirs() {
        let at = listening().await;
        let mut silent = TcpStream::connect(at).await.unwrap();
        let _second = TcpStream::connect(at).await.unwrap();
        let begun = std::time::Instant::now();
        let mut third = TcpStream::connect(at).await.unwrap();
        let _ = third.write_all(QUESTION).await;
        assert_eq!(rest(&mut third).await, "");
        assert!(begun.elapsed() < PATIENCE / 2);

        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        let mut other = socket.connect(at).await.unwrap();
        other.write_all(QUESTION).await.unwrap();
        assert!(rest(&mut other).await.starts_with("HTTP/1.1 200"));

        // Whoever says nothing is hung up on, and makes room.
        assert_eq!(rest(&mut silent).await, "");
        assert!(begun.elapsed() < PATIENCE + Duration::from_secs(3));
        let mut again = TcpStream::connect(at).await.unwrap();
        again.write_all(QUESTION).await.unwrap();
        assert!(rest(&mut again).await.starts_with("HTTP/1.1 200"));
    }
}
