//! One text over TCP, for programs that look at it now and then: a scraper of metrics.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::answer::Answer;
use crate::server::Response;

/// Whoever else comes waits in the kernel's queue.
const CONNECTIONS: usize = 8;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that has had its answers is closed after this.
const PATIENCE: Duration = Duration::from_secs(60);

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
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "metrics: accept failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
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
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service);
            // How it ended is the other side's business.
            let _ = tokio::time::timeout(PATIENCE, served).await;
            drop(permit);
        });
    }
}
