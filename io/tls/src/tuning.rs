//! Options of the outer socket: how it finds a dead path, and which congestion control it uses.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::sockopt;

/// Unacknowledged data for this long ends the connection.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Sets what every tunnel socket wants: no delay, an end after 20 s without an acknowledgement, keepalive for balancers
/// that forget idle connections, and BBR where the kernel has it. Gives the congestion control in use.
///
/// # Errors
/// When the socket takes the options of no TCP socket at all; a kernel without BBR is not an error.
pub fn tune(socket: impl AsFd) -> io::Result<String> {
    let socket = socket.as_fd();
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_tcp_user_timeout(socket, u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(u32::MAX))?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(socket, 4)?;
    // A tunnel carries many flows over a path that loses: loss must not halve all of them at once.
    let _ = sockopt::set_tcp_congestion(socket, "bbr");
    congestion_control(socket)
}

/// The congestion control that the socket uses.
///
/// # Errors
/// Of the socket.
pub fn congestion_control(socket: impl AsFd) -> io::Result<String> {
    Ok(sockopt::tcp_congestion(socket)?)
}
