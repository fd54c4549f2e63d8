//! The control socket: HTTP/1.1 with JSON bodies over a Unix socket, for root and the daemon's own user.
//!
//! This crate moves documents, and now and then a text or a stream; it does not know what they say. The daemon gives [`Server::serve`] a [`Handler`], the
//! command line uses [`call`].
//!
//! ```no_run
//! use sixgate_io_control::{Handler, Request, Response, Server};
//!
//! struct Daemon;
//! impl Handler for Daemon {
//!     async fn handle(&self, request: Request) -> Response {
//!         Response::ok(serde_json::json!({"schema": 1, "path": request.path}))
//!     }
//! }
//! # async fn run() -> std::io::Result<()> {
//! let server = Server::bind("/run/sixgate/control.sock".as_ref(), 0o600)?;
//! server.serve(Daemon).await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod answer;
mod client;
mod page;
mod server;
mod socket;

pub use answer::Answer;
pub use client::{CallError, Pieces, call, stream};
pub use page::serve_page;
pub use server::{Handler, Method, Peer, Request, Response, Server};
