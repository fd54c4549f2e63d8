//! An Ethernet segment: the router solicitations that its hosts send, and packets to all of its nodes.
//!
//! A packet socket and not a raw ICMPv6 socket: it hands over the IPv6 header too, so that whoever checks a message sees
//! its hop limit, source and checksum as they were on the wire. The kernel lets nothing but solicitations through.

use std::ffi::c_int;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, recv, socket_with};
use sixgate_wire::{Packet, icmpv6, ipv6, protocol};

use crate::{SetupError, sockopt};

/// A segment, for as long as its interface is there.
#[derive(Debug)]
pub struct Segment {
    fd: OwnedFd,
    link: u32,
}

/// `ff02::1` (all nodes) and `ff02::2` (all routers) as Ethernet has them (RFC 2464, section 7).
const ALL_NODES: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_ROUTERS: [u8; 6] = [0x33, 0x33, 0, 0, 0, 2];

impl Segment {
    /// Opens the segment of the interface with this index.
    ///
    /// # Errors
    /// One line that says what is missing: the privilege, or the interface.
    pub fn open(link: u32) -> Result<Self, SetupError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Without a protocol nothing arrives before the filter is there.
        let fd = socket_with(AddressFamily::PACKET, SocketType::DGRAM, flags, None).map_err(cannot_open)?;
        prepare(fd.as_fd(), link).map_err(|e| {
            SetupError::new(format!("cannot listen for router solicitations on interface {link}"), e)
        })?;
        Ok(Self { fd, link })
    }

    /// Receives the next solicitation, from its IPv6 header on; false when none waits. Does not block.
    ///
    /// # Errors
    /// What the system says of the socket: also once when the interface went down.
    pub fn receive(&self, packet: &mut Packet) -> io::Result<bool> {
        loop {
            packet.reset();
            match recv(&self.fd, packet.spare_mut(), RecvFlags::TRUNC) {
                // What does not fit is no solicitation.
                Ok((kept, whole)) if whole > kept => {}
                Ok((kept, _)) => {
                    packet.set_len(kept);
                    return Ok(true);
                }
                Err(Errno::WOULDBLOCK) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends an IPv6 packet to all nodes of the segment.
    ///
    /// # Errors
    /// What the system says, as when the interface is down.
    pub fn send_to_all(&self, packet: &Packet) -> io::Result<()> {
        let to = address(self.link, ALL_NODES);
        let bytes = packet.bytes();
        // SAFETY: `bytes` and `to` are borrowed and of the lengths that are given; the kernel reads them before the call
        // returns.
        let sent = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                bytes.as_ptr().cast(),
                bytes.len(),
                libc::MSG_DONTWAIT,
                std::ptr::from_ref(&to).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl AsFd for Segment {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn prepare(fd: BorrowedFd<'_>, link: u32) -> io::Result<()> {
    let op = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    sockopt::attach_filter(
        fd,
        &mut [
            // The filter sees the packet from its IPv6 header on. Nobody sends a solicitation behind an extension header.
            op(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, 6),
            op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 3, u32::from(protocol::ICMPV6)),
            op(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS, 0, 0, ipv6::HEADER as u32),
            op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::from(icmpv6::ROUTER_SOLICITATION)),
            op(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
            op(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
        ],
    )?;
    sockopt::set_int(fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
    join(fd, link, ALL_ROUTERS)?;
    let own = address(link, [0; 6]);
    // SAFETY: `fd` is open for as long as it is borrowed; `own` is of the length that is given and read before the call
    // returns.
    let bound = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            std::ptr::from_ref(&own).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if bound < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Asks the interface for what is sent to a group, whether or not the kernel is in it.
fn join(fd: BorrowedFd<'_>, link: u32, group: [u8; 6]) -> io::Result<()> {
    let mut request = libc::packet_mreq {
        mr_ifindex: link as c_int,
        mr_type: libc::PACKET_MR_MULTICAST as u16,
        mr_alen: 6,
        mr_address: [0; 8],
    };
    request.mr_address[..6].copy_from_slice(&group);
    sockopt::set(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
}

fn address(link: u32, ethernet: [u8; 6]) -> libc::sockaddr_ll {
    // SAFETY: a plain C structure of integers, for which all zeroes is a value.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_IPV6 as u16).to_be();
    address.sll_ifindex = link as c_int;
    address.sll_halen = 6;
    address.sll_addr[..6].copy_from_slice(&ethernet);
    address
}

fn cannot_open(error: Errno) -> SetupError {
    let setup = SetupError::new("cannot open a packet socket", error);
    match error {
        Errno::PERM | Errno::ACCESS => setup.advise("run as root or with CAP_NET_RAW"),
        _ => setup,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use sixgate_wire::lease::Lease;
    use sixgate_wire::nd::{write_advertisement, write_solicitation};

    use super::*;
    use crate::testing::{in_namespace, run};

    fn index(name: &str) -> u32 {
        let line = run("ip", &format!("-o link show dev {name}"));
        line.split(':').next().unwrap().trim().parse().unwrap()
    }

    #[test]
    fn only_solicitations_cross_and_nobody_hears_himself() {
        let test = in_namespace(|| {
            run("ip", "link add name va type veth peer name vb");
            run("ip", "link set dev va up");
            run("ip", "link set dev vb up");
            let (a, b) = (Segment::open(index("va")).unwrap(), Segment::open(index("vb")).unwrap());
            let (source, routers) = ("fe80::8".parse().unwrap(), "ff02::2".parse().unwrap());
            let mut packet = Packet::new();
            assert!(write_advertisement(&Lease::default(), 0, source, routers, &mut packet));
            let advertisement = packet.bytes().to_vec();
            a.send_to_all(&packet).unwrap();
            assert!(write_solicitation(source, routers, &mut packet));
            a.send_to_all(&packet).unwrap();
            let mut got = Packet::new();
            let end = Instant::now() + Duration::from_secs(2);
            // The kernel of the other end solicits too, when its address is ready.
            while !(b.receive(&mut got).unwrap() && got.bytes() == packet.bytes()) {
                assert_ne!(got.bytes(), advertisement, "it was sent first");
                assert!(Instant::now() < end, "the solicitation did not come");
                std::thread::sleep(Duration::from_millis(5));
            }
            while a.receive(&mut got).unwrap() {
                assert_ne!(got.bytes(), packet.bytes(), "its own");
            }
        });
        test.join().unwrap();
    }

    #[test]
    fn an_interface_that_is_not_there_is_said() {
        let open = || Segment::open(4711).unwrap_err().to_string();
        let error = in_namespace(open).join().unwrap();
        assert!(error.contains("interface 4711"), "{error}");
    }
}
