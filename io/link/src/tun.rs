//! TUN devices with segmentation offload: IP packets to and from the kernel, bulk TCP and UDP up to 64 KiB at a time.

mod ioctl;
mod steering;
mod vnet;

pub use steering::Steering;

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sixgate_reason::{MALFORMED_IPV4, MALFORMED_IPV6, Reason};
use sixgate_wire::offload::Segments;
use sixgate_wire::{Packet, Segmentation};

use crate::SetupError;

/// How a device is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TunOptions {
    /// Largest packet in octets, IP header included.
    pub mtu: u32,
    /// How many queues may be opened; the kernel spreads flows over them.
    pub queues: usize,
    /// Whether the kernel may hand over super-packets and unfinished checksums. Writing them works in any case.
    pub offload: bool,
}

impl Default for TunOptions {
    fn default() -> Self {
        Self { mtu: 1500, queues: 1, offload: true }
    }
}

/// One queue of a TUN device. The device goes when its last queue is closed, so also when the process dies.
///
/// Packets start at the IP header in both directions; what the kernel says beside them is in [`Packet::offload`].
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
    name: String,
    options: TunOptions,
    /// Takes what is cut here because the kernel does not cut it: UDP super-packets before Linux 6.2.
    scratch: Option<Packet>,
    damaged4: u64,
    damaged6: u64,
}

impl Tun {
    /// Makes the device `name`, sets its MTU, and opens its first queue. It is down; see [`Tun::set_up`].
    ///
    /// # Errors
    /// One line that says what is missing: the module, the privilege, a name that is free.
    pub fn open(name: &str, options: &TunOptions) -> Result<Self, SetupError> {
        let tun = Self::queue(name, options, true)?;
        ioctl::set_mtu(name, options.mtu)
            .map_err(|e| SetupError::new(format!("MTU {} of {name}", options.mtu), e))?;
        Ok(tun)
    }

    /// Opens a further queue of the same device, up to [`TunOptions::queues`].
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn open_queue(&self) -> Result<Self, SetupError> {
        Self::queue(&self.name, &self.options, false)
    }

    fn queue(name: &str, options: &TunOptions, first: bool) -> Result<Self, SetupError> {
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::open("/dev/net/tun", flags, Mode::empty()).map_err(cannot_open)?;
        ioctl::attach(fd.as_fd(), name, options.queues > 1, first).map_err(|e| cannot_attach(name, e))?;
        let cuts_udp = ioctl::set_offload(fd.as_fd(), options.offload)
            .map_err(|e| SetupError::new(format!("segmentation offload of {name}"), e))?;
        let scratch = (!cuts_udp).then(Packet::new);
        Ok(Self { fd, name: name.to_owned(), options: *options, scratch, damaged4: 0, damaged6: 0 })
    }

    /// The device's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sets the device up, so that the kernel routes through it.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn set_up(&self) -> Result<(), SetupError> {
        ioctl::set_up(&self.name).map_err(|e| SetupError::new(format!("setting {} up", self.name), e))
    }

    /// One packet from the kernel that was let go and not asked for yet, for the counters: no IP, not whole, larger than the
    /// buffer, or with metadata that does not fit it.
    pub fn poll_damaged(&mut self) -> Option<Reason> {
        for (count, reason) in [(&mut self.damaged4, MALFORMED_IPV4), (&mut self.damaged6, MALFORMED_IPV6)] {
            if let Some(rest) = count.checked_sub(1) {
                *count = rest;
                return Some(reason);
            }
        }
        None
    }

    /// Reads the next packet into `packet`; false when there is none. Does not block.
    ///
    /// # Errors
    /// What the system says of the descriptor: the device is gone. Not for one bad packet; see [`Tun::poll_damaged`].
    pub fn receive(&mut self, packet: &mut Packet) -> io::Result<bool> {
        loop {
            packet.reset();
            // Header and packet in one piece: the kernel would go through a list of two with every packet.
            let room = packet.spare_with_front_mut(vnet::HEADER).ok_or(io::ErrorKind::InvalidInput)?;
            let read = rustix::io::read(&self.fd, &mut *room);
            let header: [u8; vnet::HEADER] = room.first_chunk().copied().unwrap_or_default();
            let length = match read {
                Ok(n) => n.saturating_sub(vnet::HEADER),
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            packet.set_len(length);
            // The kernel cuts a packet to the buffer without a word; its length field tells.
            if let Some(offload) = vnet::decode(&header, packet.bytes()) {
                packet.offload = offload;
                return Ok(true);
            }
            let claims_v4 = packet.bytes().first().is_some_and(|first| first >> 4 == 4);
            *if claims_v4 { &mut self.damaged4 } else { &mut self.damaged6 } += 1;
        }
    }

    /// [`Tun::send`] for a packet that may be written to: its headroom takes the device's header, which is cheaper.
    ///
    /// # Errors
    /// As [`Tun::send`].
    pub fn send_in_place(&mut self, packet: &mut Packet) -> io::Result<()> {
        let cut_here =
            self.scratch.is_some() && matches!(packet.offload.segmentation, Segmentation::Udp { .. });
        if cut_here || packet.headroom() < vnet::HEADER {
            return self.send(packet);
        }
        let header = vnet::encode(packet).ok_or(io::ErrorKind::InvalidInput)?;
        let octets = packet.with_front(&header).ok_or(io::ErrorKind::InvalidInput)?;
        write_whole(&self.fd, octets)
    }

    /// Hands a packet to the kernel, which goes on from its metadata: finishes checksums, cuts where it must.
    ///
    /// # Errors
    /// `InvalidInput` when the metadata does not fit the packet; else what the system says: the device is down or gone, no memory.
    pub fn send(&mut self, packet: &Packet) -> io::Result<()> {
        match (packet.offload.segmentation, &mut self.scratch) {
            (Segmentation::Udp { .. }, Some(scratch)) => {
                let mut segments = Segments::new(packet).map_err(|_| io::ErrorKind::InvalidInput)?;
                while segments.fill(scratch) {
                    write(&self.fd, scratch)?;
                }
                Ok(())
            }
            (Segmentation::None | Segmentation::Tcp { .. } | Segmentation::Udp { .. }, _) => {
                write(&self.fd, packet)
            }
        }
    }
}

/// Octets that are one packet with its header.
fn write_whole(fd: &OwnedFd, octets: &[u8]) -> io::Result<()> {
    loop {
        match rustix::io::write(fd, octets) {
            // A TUN takes a packet whole or not at all.
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn write(fd: &OwnedFd, packet: &Packet) -> io::Result<()> {
    let header = vnet::encode(packet).ok_or(io::ErrorKind::InvalidInput)?;
    loop {
        match rustix::io::writev(fd, &[IoSlice::new(&header), IoSlice::new(packet.bytes())]) {
            // A TUN takes a packet whole or not at all.
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn cannot_open(error: Errno) -> SetupError {
    let setup = SetupError::new("cannot open /dev/net/tun", error);
    match error {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => setup.advise(
            "load the module with `modprobe tun`; in a container pass the device in (--device /dev/net/tun)",
        ),
        Errno::ACCESS | Errno::PERM => {
            setup.advise("run as root, or let this user read and write /dev/net/tun")
        }
        _ => setup,
    }
}

fn cannot_attach(name: &str, error: io::Error) -> SetupError {
    let code = error.raw_os_error();
    let setup = SetupError::new(format!("cannot make the TUN device {name}"), error);
    match code {
        Some(libc::EPERM) => setup.advise("run as root or with CAP_NET_ADMIN"),
        Some(libc::EBUSY | libc::EEXIST) => setup.advise(
            "a device of this name is there already: stop the program that made it, or choose another name",
        ),
        Some(libc::EINVAL) => setup.advise("a device name has 1 to 15 letters, no space and no slash"),
        Some(_) | None => setup,
    }
}

#[cfg(test)]
mod tests;
