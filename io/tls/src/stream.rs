//! A TLS connection as a worker sees it: a nonblocking socket, contiguous plaintext in, batches out.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::channel::Channel;

/// What a call of [`Stream::receive`] met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// New plaintext; the socket may hold more, which a level-triggered poller tells again.
    Data,
    /// No new plaintext: the socket has nothing, or the plaintext before fills the buffer.
    WouldBlock,
    /// The peer ended; there may be new plaintext before the end.
    Closed,
}

/// A nonblocking TLS 1.3 stream.
pub struct Stream {
    socket: TcpStream,
    channel: Channel,
    peer: SocketAddr,
}

impl Stream {
    pub(crate) fn new(socket: TcpStream, channel: Channel) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let peer = socket.peer_addr()?;
        Ok(Self { socket, channel, peer })
    }

    /// The socket's descriptor, for a poller.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// The socket, for its options.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The other end's address.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Reads until the socket has no more or a fair budget (256 KiB) is used, and appends to [`Stream::plaintext`].
    ///
    /// # Errors
    /// Of the socket; `InvalidData` when a record is broken; `ConnectionAborted` with an [`crate::Alert`] inside when
    /// the peer sent one. The stream is of no use after an error.
    pub fn receive(&mut self) -> io::Result<Received> {
        self.channel.read_from(&mut &self.socket)
    }

    /// What was received and not consumed yet, contiguous.
    #[must_use]
    pub fn plaintext(&self) -> &[u8] {
        self.channel.plaintext()
    }

    /// Forgets the first `n` octets of [`Stream::plaintext`].
    pub fn consume(&mut self, n: usize) {
        self.channel.consume(n);
    }

    /// Queues octets for the next [`Stream::flush`].
    pub fn queue(&mut self, bytes: &[u8]) {
        self.channel.pending().extend_from_slice(bytes);
    }

    /// The queue itself, to append to: for writers that make packets in place.
    pub fn queue_space(&mut self) -> &mut Vec<u8> {
        self.channel.pending()
    }

    /// Seals what is queued into records of up to 16 KiB and writes as much as the socket takes; true when nothing is
    /// left, false when the socket must become writable first.
    ///
    /// # Errors
    /// Of the socket; the stream is of no use after one.
    pub fn flush(&mut self) -> io::Result<bool> {
        self.channel.write_to(&mut &self.socket)
    }

    /// Octets queued or sealed that the socket has not taken. There is no limit here: the caller drops packets when this
    /// is more than it wants to delay.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.channel.backlog()
    }

    /// True when a flush is due as soon as the socket is writable.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.channel.backlog() > 0
    }

    /// Tells the peer that this is the end, as far as the socket takes it at once, and closes.
    pub fn close(mut self) {
        if self.channel.close().is_ok() {
            // The peer learns the end from TCP as well: what cannot be told is not worth an error.
            let _ = self.flush();
        }
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.fd()
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({}, backlog {})", self.peer, self.backlog())
    }
}
