//! Options of the outer socket: how it finds a dead path, how much it hoards, and which congestion control it uses.
#![allow(unsafe_code, reason = "two TCP options that no safe call knows")]

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use rustix::net::sockopt;

/// Unacknowledged data for this long ends the connection.
const USER_TIMEOUT: Duration = Duration::from_secs(20);
/// Octets that the kernel takes beyond what the path takes. What is queued behind them stays with the caller, who can drop
/// it; hoarded in the socket it would only grow old.
const MOST_UNSENT: u32 = 256 * 1024;

/// Sets what every tunnel socket wants: no delay, an end after 20 s without an acknowledgement, keepalive for balancers
/// that forget idle connections, a short queue in the kernel, and BBR where it is allowed. Gives the congestion control in
/// use.
///
/// # Errors
/// When the socket takes no TCP option at all; a kernel without BBR is not an error.
pub fn tune(socket: impl AsFd) -> io::Result<String> {
    let socket = socket.as_fd();
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_tcp_user_timeout(socket, u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(u32::MAX))?;
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(socket, Duration::from_secs(5))?;
    sockopt::set_tcp_keepcnt(socket, 4)?;
    set_most_unsent(socket, MOST_UNSENT)?;
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

/// The smoothed round trip that TCP has measured; `None` before there is one.
#[must_use]
pub fn round_trip(socket: impl AsFd) -> Option<Duration> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: the pointer is to `length` octets that are ours, and the kernel writes no more than that.
    let done = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if done != 0 {
        return None;
    }
    // SAFETY: every octet was zeroed, which is a valid `tcp_info`, and the kernel wrote integers over some.
    let info = unsafe { info.assume_init() };
    (info.tcpi_rtt > 0).then(|| Duration::from_micros(u64::from(info.tcpi_rtt)))
}

fn set_most_unsent(socket: BorrowedFd<'_>, octets: u32) -> io::Result<()> {
    // SAFETY: the pointer is to an integer of the length that is given, which lives until the call returns.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_NOTSENT_LOWAT,
            (&raw const octets).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn tuned_socket_says_what_it_uses_and_has_a_round_trip() {
        let (mut near, _far) = pair();
        let used = tune(&near).unwrap();
        assert_eq!(congestion_control(&near).unwrap(), used);
        assert!(!used.is_empty());
        assert!(sockopt::tcp_nodelay(&near).unwrap());
        near.write_all(b"x").unwrap();
        assert!(round_trip(&near).is_some_and(|rtt| rtt < Duration::from_secs(1)));
    }
}
