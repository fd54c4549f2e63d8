//! Many datagrams with one system call, each with the address that it came to.

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

/// Datagrams a call.
pub(super) const MOST: usize = 32;
/// Octets of a question; longer ones are no questions.
const QUESTION: usize = 4_096;
/// Octets of an answer over UDP that is made at once.
const ANSWER: usize = 1_232;

/// Where a datagram came from and what it came to; an answer goes the way back.
#[derive(Clone, Copy)]
pub(super) struct Way {
    name: libc::sockaddr_storage,
    name_length: libc::socklen_t,
    control: Control,
    control_length: usize,
}

/// Room for one control message: the address that a datagram came to (ip(7), `IP_PKTINFO`; ipv6(7), `IPV6_PKTINFO`).
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);
const CONTROL: usize = 64;

/// Buffers for questions that came and for answers that are to go.
pub(super) struct Batch {
    questions: Vec<[u8; QUESTION]>,
    answers: Vec<[u8; ANSWER]>,
    came: Vec<Way>,
    lengths: [Option<usize>; MOST],
    /// Which question each answer is for, and the answer's length.
    going: Vec<(usize, usize)>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Batch {
    pub(super) fn new() -> Self {
        // SAFETY: plain C structures of integers and pointers, for which all zeroes is a value.
        let (vector, header, name): (libc::iovec, libc::mmsghdr, libc::sockaddr_storage) =
            unsafe { (zeroed(), zeroed(), zeroed()) };
        let way = Way { name, name_length: 0, control: Control([0; CONTROL]), control_length: 0 };
        Self {
            questions: vec![[0; QUESTION]; MOST],
            answers: vec![[0; ANSWER]; MOST],
            came: vec![way; MOST],
            lengths: [None; MOST],
            going: Vec::with_capacity(MOST),
            vectors: vec![vector; MOST],
            headers: vec![header; MOST],
        }
    }

    /// Waits for at least one datagram, as long as the socket's time-out allows, and takes what else is there. Gives how
    /// many came. Answers must have been sent before.
    pub(super) fn receive(&mut self, socket: impl AsFd) -> io::Result<usize> {
        let parts =
            self.questions.iter_mut().zip(&mut self.came).zip(&mut self.vectors).zip(&mut self.headers);
        for (((question, way), vector), header) in parts {
            *vector = libc::iovec { iov_base: question.as_mut_ptr().cast(), iov_len: QUESTION };
            let header = &mut header.msg_hdr;
            header.msg_name = (&raw mut way.name).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = way.control.0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL as _;
            header.msg_flags = 0;
        }
        // SAFETY: each header points to one vector, one address and one control buffer of the lengths that it says, and each
        // vector to the octets of one question; all of them are borrowed mutably and not touched until the call returns.
        let came = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                self.headers.as_mut_ptr(),
                MOST as u32,
                libc::MSG_WAITFORONE,
                std::ptr::null_mut(),
            )
        };
        let came = usize::try_from(came).map_err(|_| io::Error::last_os_error())?;
        let parts = self.headers.iter().zip(&mut self.came).zip(&mut self.lengths);
        for ((header, way), length) in parts.take(came) {
            let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            *length = whole.then_some(header.msg_len as usize);
            way.name_length = header.msg_hdr.msg_namelen;
            way.control_length = header.msg_hdr.msg_controllen;
            way.control.forget_interface(way.control_length);
        }
        Ok(came)
    }

    /// A datagram that came; `None` when it was longer than any question.
    pub(super) fn question(&self, at: usize) -> Option<&[u8]> {
        let length = (*self.lengths.get(at)?)?;
        self.questions.get(at)?.get(..length)
    }

    /// Where it came from.
    pub(super) fn way(&self, at: usize) -> Option<&Way> {
        self.came.get(at)
    }

    /// Gives a question and room for its answer to `make`, and keeps the answer of the length that it gives until
    /// [`Self::send`].
    pub(super) fn answer<T>(
        &mut self,
        at: usize,
        make: impl FnOnce(&[u8], &mut [u8]) -> (Option<usize>, T),
    ) -> Option<T> {
        let length = (*self.lengths.get(at)?)?;
        let question = self.questions.get(at)?.get(..length)?;
        let (length, said) = make(question, self.answers.get_mut(self.going.len())?);
        if let Some(length) = length {
            self.going.push((at, length.min(ANSWER)));
        }
        Some(said)
    }

    /// Sends all answers. What cannot be sent is lost, like any datagram.
    pub(super) fn send(&mut self, socket: impl AsFd) {
        let count = self.going.len();
        let parts = self.going.iter().zip(&mut self.answers).zip(&mut self.vectors).zip(&mut self.headers);
        for ((((at, length), answer), vector), header) in parts {
            let Some(way) = self.came.get_mut(*at) else { continue };
            *vector = libc::iovec { iov_base: answer.as_mut_ptr().cast(), iov_len: *length };
            way.fill(&mut header.msg_hdr, vector);
        }
        let mut done = 0;
        while done < count {
            // SAFETY: the headers up to `count` each point to one vector over octets of one answer, to one address and to one
            // control message of the lengths that they say; the kernel reads them, and writes only the lengths in the
            // headers, before the call returns.
            let sent = unsafe {
                libc::sendmmsg(
                    socket.as_fd().as_raw_fd(),
                    self.headers.as_mut_ptr().add(done),
                    (count - done) as u32,
                    libc::MSG_DONTWAIT,
                )
            };
            // An error is that of the first, which is left out.
            done += usize::try_from(sent).unwrap_or(0).max(1);
        }
        self.going.clear();
    }
}

impl Way {
    /// Who sent it.
    pub(super) fn peer(&self) -> Option<SocketAddr> {
        match i32::from(self.name.ss_family) {
            libc::AF_INET => {
                // SAFETY: the kernel wrote an address of this family, which is smaller than the storage and as aligned.
                let name = unsafe { &*(&raw const self.name).cast::<libc::sockaddr_in>() };
                let address = u32::from_be(name.sin_addr.s_addr).into();
                Some(SocketAddrV4::new(address, u16::from_be(name.sin_port)).into())
            }
            libc::AF_INET6 => {
                // SAFETY: as above.
                let name = unsafe { &*(&raw const self.name).cast::<libc::sockaddr_in6>() };
                let address = Ipv6Addr::from(name.sin6_addr.s6_addr);
                let port = u16::from_be(name.sin6_port);
                let peer = SocketAddrV6::new(address, port, name.sin6_flowinfo, name.sin6_scope_id);
                Some(SocketAddr::new(peer.ip().to_canonical(), port))
            }
            _ => None,
        }
    }

    /// Sends one answer back. What cannot be sent is lost, like any datagram.
    pub(super) fn send(mut self, socket: impl AsFd, answer: &[u8]) {
        let mut vector = libc::iovec { iov_base: answer.as_ptr().cast_mut().cast(), iov_len: answer.len() };
        // SAFETY: a plain C structure of integers and pointers, for which all zeroes is a value.
        let mut header: libc::msghdr = unsafe { zeroed() };
        self.fill(&mut header, &raw mut vector);
        // SAFETY: the header points to one vector over the octets of `answer`, to one address and to one control message of
        // the lengths that it says; the kernel only reads them.
        let _lost =
            unsafe { libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const header, libc::MSG_DONTWAIT) };
    }

    fn fill(&mut self, header: &mut libc::msghdr, vector: *mut libc::iovec) {
        header.msg_name = (&raw mut self.name).cast();
        header.msg_namelen = self.name_length;
        header.msg_iov = vector;
        header.msg_iovlen = 1;
        // A control buffer of length zero is none.
        header.msg_control = self.control.0.as_mut_ptr().cast();
        header.msg_controllen = self.control_length as _;
        header.msg_flags = 0;
    }
}

impl Control {
    /// The answer leaves from the address that the question came to, by whatever interface leads to the asker; only a
    /// link-local address keeps its interface.
    fn forget_interface(&mut self, length: usize) {
        const HEADER: usize = size_of::<libc::cmsghdr>();
        let Some(data) = self.0.get_mut(HEADER..length.min(CONTROL)) else { return };
        if data.len() >= size_of::<libc::in6_pktinfo>() {
            // Address, then the interface's index.
            let (address, index) = data.split_at_mut(16);
            if address[0] != 0xfe || address[1] & 0xc0 != 0x80 {
                index[..4].fill(0);
            }
        } else if data.len() >= size_of::<libc::in_pktinfo>() {
            data[..4].fill(0);
        }
    }
}
