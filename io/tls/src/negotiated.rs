//! A TLS connection while the control plane holds it: heads of requests, and enrolment.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;

use crate::channel::Channel;
use crate::handshake::MOST_OCTETS;
use crate::stream::{Received, Stream};

/// A TLS connection that the control plane still holds: for heads of requests, and for enrolment.
pub struct Negotiated {
    socket: TcpStream,
    channel: Channel,
    certificates: Vec<CertificateDer<'static>>,
    peer: SocketAddr,
}

impl Negotiated {
    pub(crate) fn new(
        socket: TcpStream,
        channel: Channel,
        certificates: Vec<CertificateDer<'static>>,
    ) -> io::Result<Self> {
        let peer = socket.peer_addr()?;
        Ok(Self { socket, channel, certificates, peer })
    }

    /// The peer's verified chain, its own certificate first; empty when it showed none.
    #[must_use]
    pub fn peer_certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// The other end's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The socket, for its options.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// What was received and not consumed yet.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        self.channel.plaintext()
    }

    /// Forgets the first `n` octets of [`Negotiated::plaintext`].
    pub fn consume(&mut self, n: usize) {
        self.channel.consume(n);
    }

    /// Waits for more plaintext; false when the peer ended. 72 KiB that nobody consumes are an error.
    ///
    /// # Errors
    /// As [`Stream::receive`].
    pub async fn read(&mut self) -> io::Result<bool> {
        if self.channel.plaintext().len() >= MOST_OCTETS {
            return Err(io::Error::new(ErrorKind::InvalidData, "request longer than any in earnest"));
        }
        loop {
            let before = self.channel.plaintext().len();
            self.socket.readable().await?;
            let received = self.channel.read_from(&mut TryIo(&self.socket))?;
            match received {
                Received::Data => return Ok(true),
                Received::Closed => return Ok(self.channel.plaintext().len() > before),
                Received::WouldBlock => {}
            }
        }
    }

    /// Sends `bytes` whole.
    ///
    /// # Errors
    /// Of the socket.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.channel.pending().extend_from_slice(bytes);
        while !self.channel.write_to(&mut TryIo(&self.socket))? {
            self.socket.writable().await?;
        }
        Ok(())
    }

    /// Ends the connection in order.
    ///
    /// # Errors
    /// Of the socket.
    pub async fn close(mut self) -> io::Result<()> {
        self.channel.close()?;
        while !self.channel.write_to(&mut TryIo(&self.socket))? {
            self.socket.writable().await?;
        }
        tokio::io::AsyncWriteExt::shutdown(&mut self.socket).await
    }

    /// Leaves the runtime: the stream for a worker, with whatever was received and not consumed.
    ///
    /// # Errors
    /// When the runtime does not give the socket back.
    pub fn into_stream(self) -> io::Result<Stream> {
        Stream::new(self.socket.into_std()?, self.channel)
    }
}

#[cfg(any(test, fuzzing))]
impl Negotiated {
    pub(crate) fn into_channel(self) -> Channel {
        self.channel
    }
}

/// tokio's socket as a nonblocking `Read` and `Write`.
struct TryIo<'a>(&'a TcpStream);

impl io::Read for TryIo<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl io::Write for TryIo<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.0.try_write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
