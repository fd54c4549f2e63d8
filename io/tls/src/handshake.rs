//! The handshake: rustls driven over a tokio socket, in the control plane, where it delays no packet.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;

use crate::channel::{Channel, Keys};
use crate::negotiated::Negotiated;

/// More octets than this in one handshake, or unread in the control plane, are refused; a chain of certificates is a few
/// thousand, the body of an enrolment less than 64 KiB.
pub(crate) const MOST_OCTETS: usize = 72 * 1024;

/// Serves one handshake. The caller sets the time limit (drop the future to give up).
///
/// # Errors
/// `InvalidData` with the [`rustls::Error`] inside when the peer or its certificate is refused
/// ([`crate::handshake_reason`] names it), or of the socket.
pub async fn accept(socket: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Negotiated> {
    let mut side = UnbufferedServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    let rest = drive(&mut side, &socket).await?;
    let certificates = owned(side.peer_certificates());
    let (secrets, keys) = side.dangerous_into_kernel_connection().map_err(io::Error::other)?;
    let channel = Channel::new(Keys::Server(keys), secrets, &rest.plaintext, &rest.incoming)?;
    Negotiated::new(socket, channel, certificates)
}

/// Opens TLS on a connected socket; `name` must be in the server's certificate.
///
/// The server judges our certificate after this has returned: its refusal is the first thing that
/// [`Negotiated::read`] meets, as an [`crate::Alert`].
///
/// # Errors
/// As [`accept`].
pub async fn connect(
    socket: TcpStream,
    config: &Arc<ClientConfig>,
    name: ServerName<'static>,
) -> io::Result<Negotiated> {
    let mut side = UnbufferedClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let rest = drive(&mut side, &socket).await?;
    let certificates = owned(side.peer_certificates());
    let (secrets, keys) = side.dangerous_into_kernel_connection().map_err(io::Error::other)?;
    let channel = Channel::new(Keys::Client(keys), secrets, &rest.plaintext, &rest.incoming)?;
    Negotiated::new(socket, channel, certificates)
}

fn owned(chain: Option<&[CertificateDer<'_>]>) -> Vec<CertificateDer<'static>> {
    chain.unwrap_or_default().iter().map(|certificate| certificate.clone().into_owned()).collect()
}

/// What the two kinds of connection have in common, which rustls does not say in a trait.
trait Side {
    /// Handles `incoming`, drops what is used of it, appends to `outgoing` and `plaintext`; tells what to do next.
    fn step(&mut self, buffers: &mut Buffers) -> Result<Next, rustls::Error>;
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Again,
    Send,
    Receive,
    Done,
    Ended,
}

#[derive(Default)]
struct Buffers {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    plaintext: Vec<u8>,
}

macro_rules! side {
    ($connection:ty) => {
        impl Side for $connection {
            fn step(&mut self, buffers: &mut Buffers) -> Result<Next, rustls::Error> {
                let Buffers { incoming, outgoing, plaintext } = buffers;
                let status = self.process_tls_records(incoming);
                let discard = status.discard;
                let next = status.state.and_then(|state| act(state, outgoing, plaintext));
                // Also after a fault: rustls remembers where in the buffer its messages lie.
                incoming.drain(..discard);
                next
            }
        }
    };
}

side!(UnbufferedClientConnection);
side!(UnbufferedServerConnection);

fn act<Data>(
    state: ConnectionState<'_, '_, Data>,
    outgoing: &mut Vec<u8>,
    plaintext: &mut Vec<u8>,
) -> Result<Next, rustls::Error> {
    Ok(match state {
        ConnectionState::EncodeTlsData(mut data) => {
            append(outgoing, |room| data.encode(room))?;
            Next::Again
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Next::Send
        }
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                plaintext.extend_from_slice(record?.payload);
            }
            Next::Again
        }
        ConnectionState::BlockedHandshake => Next::Receive,
        ConnectionState::WriteTraffic(_) => Next::Done,
        ConnectionState::PeerClosed | ConnectionState::Closed => Next::Ended,
        other => return Err(rustls::Error::General(format!("unexpected state {other:?}"))),
    })
}

/// Appends what `encode` writes, asking a second time when it tells how much room it needs.
fn append(
    out: &mut Vec<u8>,
    mut encode: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>,
) -> Result<(), rustls::Error> {
    let start = out.len();
    let mut room = 4096;
    loop {
        out.resize(start + room, 0);
        match encode(&mut out[start..]) {
            Ok(written) => {
                out.truncate(start + written);
                return Ok(());
            }
            Err(EncodeError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size
            }
            Err(fault) => return Err(rustls::Error::General(fault.to_string())),
        }
    }
}

/// Steps until the handshake is done; what is left in the buffers came after it.
async fn drive(side: &mut impl Side, socket: &TcpStream) -> io::Result<Buffers> {
    let mut buffers = Buffers::default();
    loop {
        let next = match side.step(&mut buffers) {
            Ok(next) => next,
            Err(fault) => {
                send_alert(side, &mut buffers, socket).await;
                return Err(io::Error::new(ErrorKind::InvalidData, fault));
            }
        };
        match next {
            Next::Again => {}
            Next::Send => send(socket, &mut buffers.outgoing).await?,
            Next::Receive => {
                send(socket, &mut buffers.outgoing).await?;
                receive(socket, &mut buffers.incoming).await?;
            }
            Next::Done => {
                send(socket, &mut buffers.outgoing).await?;
                return Ok(buffers);
            }
            Next::Ended => return Err(ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Sends the alert that rustls has made of its refusal, so that the peer's own log names it.
async fn send_alert(side: &mut impl Side, buffers: &mut Buffers, socket: &TcpStream) {
    // What is queued comes out before any input is looked at again; a second step would look at the same fault.
    if !matches!(side.step(buffers), Ok(Next::Again)) {
        return;
    }
    // The connection ends with its own error; that the alert did not get through changes nothing.
    let _ = send(socket, &mut buffers.outgoing).await;
}

async fn send(socket: &TcpStream, outgoing: &mut Vec<u8>) -> io::Result<()> {
    let mut sent = 0;
    while sent < outgoing.len() {
        socket.writable().await?;
        match socket.try_write(&outgoing[sent..]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => sent += n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    outgoing.clear();
    Ok(())
}

async fn receive(socket: &TcpStream, incoming: &mut Vec<u8>) -> io::Result<()> {
    let start = incoming.len();
    if start >= MOST_OCTETS {
        return Err(io::Error::new(ErrorKind::InvalidData, "handshake longer than any in earnest"));
    }
    incoming.resize(start + 4096, 0);
    let read = loop {
        socket.readable().await?;
        match socket.try_read(&mut incoming[start..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => break n,
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    };
    incoming.truncate(start + read);
    Ok(())
}
