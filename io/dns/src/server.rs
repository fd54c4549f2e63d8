//! A DNS server's sockets: UDP and TCP in front of a [`Handler`].
//!
//! Who may not ask gets REFUSED (RFC 8914, code 18), no longer than it must be, so that nobody can be flooded through us;
//! who asks too much is not heard.

pub mod answers;
mod batch;
mod gate;
mod tcp;
mod udp;
mod worker;

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use sixgate_reason::Reason;
use sixgate_wire::addr::IpPrefix;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use gate::Gate;
use worker::Worker;

/// Octets of questions, with what the kernel keeps beside each, that wait for a worker: some thousand.
const RECEIVE_BUFFER: usize = 4 << 20;

/// What is done with questions.
pub trait Handler: Send + Sync + 'static {
    /// The answer to a message, or `None` for none. Many run at once; an answer over UDP must keep to the asker's size.
    fn handle(&self, request: Request) -> impl Future<Output = Option<Vec<u8>>> + Send;

    /// The answer to a message of a client that has as many questions under work as it may: what is at hand, or `None`. Must
    /// not take long.
    fn handle_at_once(&self, request: &Request) -> Option<Vec<u8>> {
        let _ = request;
        None
    }

    /// Told of everything that the server itself refused or dropped.
    fn refused(&self, client: IpAddr, reason: Reason);
}

/// A message of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Who asks; an IPv4-mapped address is given as IPv4.
    pub client: SocketAddr,
    /// Over TCP.
    pub stream: bool,
    /// The whole message, at least 12 octets.
    pub message: Vec<u8>,
    /// Which worker had it first, where there are workers and it came over UDP.
    pub worker: Option<usize>,
}

/// What a worker's thread asks before anybody else: it answers at once or not at all, and keeps to the asker's size.
pub trait Front: Send + 'static {
    /// On the worker's thread, once, before everything else.
    fn enter(&mut self) {}

    /// A batch of questions has come.
    fn begin(&mut self);

    /// Writes the answer to the start of `out`, which has room for 1,232 octets.
    fn answer(&mut self, client: IpAddr, message: &[u8], out: &mut [u8]) -> Quick;
}

/// What a [`Front`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quick {
    /// Answered.
    Answer {
        /// Octets at the start of the buffer.
        length: usize,
        /// The question goes to the [`Handler`] too, so that its answer is a new one the next time.
        refresh: bool,
    },
    /// The question goes to the [`Handler`].
    Slow,
}

/// Who may ask, and how much.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who may ask; `None` means everybody.
    pub allow: Option<Vec<IpPrefix>>,
    /// Questions a second and client; 0 = no limit.
    pub rate: u32,
    /// Questions under work, in all.
    pub most_questions: usize,
    /// Questions under work for one client, so that dead names of one do not starve the others.
    pub most_questions_per_client: usize,
    /// TCP connections, in all.
    pub most_connections: usize,
    /// TCP connections of one client.
    pub most_connections_per_client: usize,
    /// Bind also where the address is not on any interface yet.
    pub free_bind: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            allow: None,
            rate: 0,
            most_questions: 4_096,
            most_questions_per_client: 256,
            most_connections: 256,
            most_connections_per_client: 16,
            free_bind: false,
        }
    }
}

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// Why.
    pub source: io::Error,
}

impl std::fmt::Display for BindError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot listen for DNS on {}/{}: {}", self.address, self.transport, self.source)?;
        if self.source.kind() == io::ErrorKind::PermissionDenied {
            f.write_str(": run as root or with CAP_NET_BIND_SERVICE")?;
        }
        Ok(())
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Sockets that answer. Ends when dropped.
#[derive(Debug)]
pub struct Server {
    addresses: Vec<SocketAddr>,
    _tasks: JoinSet<()>,
    _workers: Vec<Worker>,
}

impl Server {
    /// Listens on every address, UDP and TCP, and serves from then on. Port 0 takes a free one, the same for both.
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The first address that cannot be listened on; nothing listens then.
    pub fn start<H: Handler>(
        listen: &[SocketAddr],
        options: Options,
        handler: Arc<H>,
    ) -> Result<Self, BindError> {
        let sockets = pairs(listen, options.free_bind)?;
        let addresses = sockets.iter().map(|(own, ..)| *own).collect();
        let gate = Arc::new(Gate::new(options));
        let mut tasks = JoinSet::new();
        for (_, tcp, udp) in sockets {
            tasks.spawn(udp::serve(udp, Arc::clone(&gate), Arc::clone(&handler)));
            tasks.spawn(tcp::serve(tcp, Arc::clone(&gate), Arc::clone(&handler)));
        }
        Ok(Self { addresses, _tasks: tasks, _workers: Vec::new() })
    }

    /// As [`Self::start`], with `most_workers` threads for each address, each with a socket of its own and a [`Front`] that `front`
    /// makes for its number.
    ///
    /// # Errors
    /// As [`Self::start`], and when a thread cannot be started.
    pub fn start_with_workers<H: Handler, F: Front>(
        listen: &[SocketAddr],
        options: Options,
        handler: Arc<H>,
        most_workers: usize,
        mut front: impl FnMut(usize) -> F,
    ) -> Result<Self, BindError> {
        let mut sockets = Vec::new();
        for (own, tcp, udp) in pairs(listen, options.free_bind)? {
            let udp = udp.into_std().and_then(|udp| several(udp.into(), own, most_workers, &options));
            let fault = |source| BindError { address: own, transport: "udp", source };
            sockets.push((own, tcp, udp.map_err(fault)?));
        }
        let addresses = sockets.iter().map(|(own, ..)| *own).collect();
        let gate = Arc::new(Gate::new(options));
        let (mut tasks, mut workers) = (JoinSet::new(), Vec::new());
        for (address, tcp, udp) in sockets {
            tasks.spawn(tcp::serve(tcp, Arc::clone(&gate), Arc::clone(&handler)));
            for socket in udp {
                let number = workers.len();
                let worker =
                    worker::start(socket, number, Arc::clone(&gate), Arc::clone(&handler), front(number));
                workers.push(worker.map_err(|source| BindError { address, transport: "udp", source })?);
            }
        }
        Ok(Self { addresses, _tasks: tasks, _workers: workers })
    }

    /// What is listened on, with the ports that were taken for port 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

/// The sockets of every address, with the port that was taken.
fn pairs(
    listen: &[SocketAddr],
    free_bind: bool,
) -> Result<Vec<(SocketAddr, TcpListener, UdpSocket)>, BindError> {
    let one = |address: &SocketAddr| {
        let fault = |transport| move |source| BindError { address: *address, transport, source };
        let (tcp, udp) = pair(*address, free_bind, fault)?;
        Ok((udp.local_addr().map_err(fault("udp"))?, tcp, udp))
    };
    listen.iter().map(one).collect()
}

/// A TCP and a UDP socket on the same port. A free port of one may be taken for the other, so that is tried a few times.
fn pair<F>(
    address: SocketAddr,
    free_bind: bool,
    fault: impl Fn(&'static str) -> F,
) -> Result<(TcpListener, UdpSocket), BindError>
where
    F: FnOnce(io::Error) -> BindError,
{
    for left in (0..10).rev() {
        let tcp = bind(address, SocketType::STREAM, free_bind).map_err(fault("tcp"))?;
        let tcp = listen(tcp).map_err(fault("tcp"))?;
        let taken = tcp.local_addr().map_err(fault("tcp"))?;
        match bind(taken, SocketType::DGRAM, free_bind).and_then(datagrams) {
            Ok(udp) => return Ok((tcp, udp)),
            Err(error) if address.port() != 0 || left == 0 => return Err(fault("udp")(error)),
            Err(_) => {}
        }
    }
    Err(fault("udp")(io::ErrorKind::AddrInUse.into()))
}

/// The first socket and others beside it: the kernel deals the askers out to them. The first was bound alone, so that an
/// address that somebody else listens on is refused.
fn several(first: OwnedFd, address: SocketAddr, count: usize, options: &Options) -> io::Result<Vec<OwnedFd>> {
    sockopt::set_socket_reuseport(&first, true)?;
    let mut sockets = vec![first];
    for _ in 1..count {
        sockets.push(bind_beside(address, options.free_bind)?);
    }
    for socket in &sockets {
        roomy(socket);
        // Of a socket for every address, an answer must leave from the one that was asked.
        if address.ip().is_unspecified() {
            tell_destination(socket, address.is_ipv4())?;
        }
    }
    Ok(sockets)
}

fn listen(socket: OwnedFd) -> io::Result<TcpListener> {
    rustix::net::listen(&socket, 128)?;
    TcpListener::from_std(socket.into())
}

fn datagrams(socket: OwnedFd) -> io::Result<UdpSocket> {
    UdpSocket::from_std(socket.into())
}

fn bind(address: SocketAddr, kind: SocketType, free: bool) -> io::Result<OwnedFd> {
    bound(address, kind, free, false)
}

fn bind_beside(address: SocketAddr, free: bool) -> io::Result<OwnedFd> {
    bound(address, SocketType::DGRAM, free, true)
}

fn bound(address: SocketAddr, kind: SocketType, free: bool, beside: bool) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, kind, flags, None)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` may both be listed.
        sockopt::set_ipv6_v6only(&socket, true)?;
        if free {
            sockopt::set_ipv6_freebind(&socket, true)?;
        }
    } else if free {
        sockopt::set_ip_freebind(&socket, true)?;
    }
    if kind == SocketType::STREAM {
        // A restart must not wait for connections of the last run.
        sockopt::set_socket_reuseaddr(&socket, true)?;
    }
    if beside {
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    rustix::net::bind(&socket, &address)?;
    Ok(socket)
}

/// A burst must find room while the worker is not on a processor. Above what the system lets everybody have only with
/// CAP_NET_ADMIN; without it as much as there is.
fn roomy(socket: &OwnedFd) {
    if sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BUFFER).is_err() {
        let _smaller = sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BUFFER);
    }
}

/// Datagrams come with the address that they came to.
fn tell_destination(socket: &OwnedFd, v4: bool) -> io::Result<()> {
    let (level, option) =
        if v4 { (libc::IPPROTO_IP, libc::IP_PKTINFO) } else { (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO) };
    let on: libc::c_int = 1;
    // SAFETY: the option's value is an int, which the pointer leads to and the length says.
    let done = unsafe {
        let length = size_of::<libc::c_int>() as libc::socklen_t;
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const on).cast(), length)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
