//! Frames of many clients from one machine, a batch a system call.

use std::ffi::CString;
use std::io;
use std::mem::zeroed;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use sixgate_wire::{checksum, ipv6, protocol, udp};

use super::subject::Subject;

const ETHERNET: usize = 14;
const DATA: usize = 16;
const FRAME: usize = ETHERNET + ipv6::HEADER + udp::HEADER + DATA;
const BATCH: usize = 64;
/// The port that every client uses.
const CLIENT_PORT: u16 = 5000;

/// What waits to be sent, and by which way.
pub(super) struct Frames {
    socket: OwnedFd,
    device: libc::c_int,
    subject: Subject,
    template: [u8; FRAME],
    frames: Box<[[u8; FRAME]; BATCH]>,
    waiting: usize,
}

impl Frames {
    /// Frames out of `device` of this thread's namespace to the gateway's `station`, for `port` of the server.
    pub(super) fn new(device: &str, station: [u8; 6], subject: Subject, port: u16) -> Result<Self, String> {
        let failed = || format!("{device}: {}", io::Error::last_os_error());
        let protocol = libc::c_int::from((libc::ETH_P_IPV6 as u16).to_be());
        // SAFETY: three integers; the answer is looked at.
        let socket = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if socket < 0 {
            return Err(failed());
        }
        // SAFETY: it was just opened, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let name = CString::new(device).map_err(|e| e.to_string())?;
        // SAFETY: `name` is a string that ends with zero, for as long as the call lasts.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        let index = libc::c_int::try_from(index).ok().filter(|n| *n != 0).ok_or_else(failed)?;
        let mut template = [0; FRAME];
        template[..6].copy_from_slice(&station);
        template[6] = 2;
        template[12..14].copy_from_slice(&(protocol as u16).to_ne_bytes());
        let length = (udp::HEADER + DATA) as u16;
        let header = ipv6::Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len: length,
            next_header: protocol::UDP,
            hop_limit: 64,
            src: Ipv6Addr::UNSPECIFIED,
            dst: subject.target(),
        };
        template[ETHERNET..ETHERNET + ipv6::HEADER].copy_from_slice(&header.octets());
        let transport = &mut template[ETHERNET + ipv6::HEADER..];
        transport[..2].copy_from_slice(&CLIENT_PORT.to_be_bytes());
        transport[2..4].copy_from_slice(&port.to_be_bytes());
        transport[4..6].copy_from_slice(&length.to_be_bytes());
        let frames = Box::new([[0; FRAME]; BATCH]);
        Ok(Self { socket, device: index, subject, template, frames, waiting: 0 })
    }

    /// Adds a packet of the client with this number, and sends when there is a batch.
    pub(super) fn push(&mut self, client: u32) -> Result<(), String> {
        let mut frame = self.template;
        // Beside the client's own address, and never the gateway's.
        let src = Ipv6Addr::from_bits(self.subject.inside(0).to_bits() | 1 << 32 | u128::from(client));
        frame[ETHERNET + 8..ETHERNET + 24].copy_from_slice(&src.octets());
        let transport = &mut frame[ETHERNET + ipv6::HEADER..];
        let length = transport.len() as u32;
        let sum = checksum::pseudo_v6(src, self.subject.target(), protocol::UDP, length);
        let sum = match sum.with(transport).finish() {
            0 => 0xffff,
            sum => sum,
        };
        transport[udp::CHECKSUM..udp::CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
        self.frames[self.waiting] = frame;
        self.waiting += 1;
        if self.waiting == BATCH { self.flush() } else { Ok(()) }
    }

    /// Sends what waits.
    pub(super) fn flush(&mut self) -> Result<(), String> {
        // SAFETY: plain C structures of integers and pointers, for which all zeroes is a value.
        let mut to: libc::sockaddr_ll = unsafe { zeroed() };
        to.sll_family = libc::AF_PACKET as u16;
        to.sll_protocol = (libc::ETH_P_IPV6 as u16).to_be();
        to.sll_ifindex = self.device;
        let mut vectors: Vec<libc::iovec> = self.frames[..self.waiting]
            .iter_mut()
            .map(|frame| libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: FRAME })
            .collect();
        let mut headers: Vec<libc::mmsghdr> = vectors
            .iter_mut()
            .map(|vector| {
                // SAFETY: as above.
                let mut header: libc::mmsghdr = unsafe { zeroed() };
                header.msg_hdr.msg_name = (&raw mut to).cast();
                header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
                header.msg_hdr.msg_iov = vector;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        let mut sent = 0;
        while sent < headers.len() {
            let rest = &mut headers[sent..];
            // SAFETY: `rest` has as many headers as is said; what they point at lives until the end of this function.
            let done = unsafe {
                libc::sendmmsg(self.socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as libc::c_uint, 0)
            };
            match usize::try_from(done) {
                Ok(n) => sent += n,
                Err(_) => match io::Error::last_os_error() {
                    e if e.kind() == io::ErrorKind::Interrupted => {}
                    // A full queue: what is lost is sent again by whoever counts.
                    e if e.raw_os_error() == Some(libc::ENOBUFS) => sent += 1,
                    e => return Err(e.to_string()),
                },
            }
        }
        self.waiting = 0;
        Ok(())
    }
}
