//! TLS 1.3 for tunnels: who is trusted, and a stream that moves packets without a copy too many.
//!
//! Trust: an own certificate authority ([`Authority`]), server and client configurations that accept only what it
//! signed ([`server_config`], [`client_config`]), the enrolment token that carries the authority's fingerprint
//! ([`Token`], [`enrolment_config`]).
//!
//! Packets: rustls does the handshake ([`accept`], [`connect`]: control plane, asynchronous). After it the keys leave
//! rustls for the record layer in `record`, which decrypts in place into one contiguous buffer and encrypts in place
//! from another, so that a packet costs no allocation and one copy. The result is a [`Negotiated`], on which the
//! control plane reads and writes the heads of HTTP messages; [`Negotiated::into_stream`] gives the [`Stream`] that a
//! worker polls:
//!
//! ```no_run
//! # use sixgate_io_tls::{Received, Stream};
//! # fn readable(stream: &mut Stream) -> std::io::Result<()> {
//! let received = stream.receive()?;
//! let used = stream.plaintext().len(); // cut packets from it
//! stream.consume(used);
//! if received == Received::Closed { /* the peer ended */ }
//! stream.queue(b"a packet");
//! stream.queue(b"another"); // as many as there are, then once:
//! if !stream.flush()? { /* wait until the socket is writable, then flush again */ }
//! # Ok(()) }
//! ```
//!
//! | module | holds |
//! | --- | --- |
//! | [`authority`] | the CA: made once, kept in a directory with mode 0600; issues from requests |
//! | [`certificate`] | what we read from certificates: name, fingerprint, key digest, validity |
//! | [`server`], [`client`] | rustls configurations, and the reason behind a failed handshake |
//! | [`token`] | enrolment tokens: text form, constant-time comparison, the verifier that trusts one |
//! | [`identity`] | a key and certificate request that never leave the machine |
//! | [`handshake`] | rustls driven over a tokio socket |
//! | [`negotiated`] | the connection while the control plane reads and writes heads on it |
//! | `record`, `channel` | the record layer and its buffers |
//! | [`stream`] | channel and socket together, for a worker |
//! | [`tuning`] | congestion control, time-outs and keepalive of the outer socket |
//! | [`files`] | secret files, replaced atomically |
#![deny(unsafe_code)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "the enums matched here are of rustls and x509-parser, which add to them"
)]

pub mod authority;
pub mod certificate;
#[cfg(not(fuzzing))]
mod channel;
#[cfg(fuzzing)]
pub mod channel;
pub mod client;
pub mod files;
pub mod handshake;
pub mod identity;
pub mod negotiated;
mod record;
pub mod server;
pub mod stream;
pub mod token;
pub mod tuning;

pub use authority::{Authority, ServerNames};
pub use certificate::{client_name, fingerprint};
pub use channel::Alert;
pub use client::{client_config, enrolment_config, gateway_reason};
pub use handshake::{accept, connect};
pub use negotiated::Negotiated;
pub use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
pub use server::{handshake_reason, server_config};
pub use stream::{Received, Stream};
pub use token::Token;
