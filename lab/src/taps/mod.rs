//! Taps: what the wires really carry, counted frame by frame as it enters the switch.
//!
//! One packet socket in the `switch` node sees every bridge port. A frame is counted once, at the port where it comes in, under
//! the segment of that port.

mod frame;
mod socket;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::topology::Segment;
use socket::PacketSocket;

/// What one segment carried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All frames.
    pub frames: u64,
    /// Frames of ethertype 0x86dd.
    pub ethertype_ipv6: u64,
    /// IPv4 packets of protocol 41.
    pub protocol_41: u64,
    /// IPv4 packets and ARP frames with an address of 10.6.0.0/16.
    pub intranet_address: u64,
    /// TCP segments from or to port 443.
    pub https: u64,
    /// Frames that contain a marker, by marker.
    pub markers: BTreeMap<String, u64>,
    /// Of those, the ones inside protocol 41.
    pub markers_in_protocol_41: BTreeMap<String, u64>,
}

impl Counts {
    /// Any kind of IPv6: of its own ethertype or inside protocol 41.
    #[must_use]
    pub fn ipv6(&self) -> u64 {
        self.ethertype_ipv6 + self.protocol_41
    }

    /// Frames with `marker`.
    #[must_use]
    pub fn marker(&self, marker: &str) -> u64 {
        self.markers.get(marker).copied().unwrap_or(0)
    }

    fn sum(&mut self, other: &Self) {
        self.frames += other.frames;
        self.ethertype_ipv6 += other.ethertype_ipv6;
        self.protocol_41 += other.protocol_41;
        self.intranet_address += other.intranet_address;
        self.https += other.https;
        for (marker, seen) in &other.markers {
            *self.markers.entry(marker.clone()).or_default() += seen;
        }
        for (marker, seen) in &other.markers_in_protocol_41 {
            *self.markers_in_protocol_41.entry(marker.clone()).or_default() += seen;
        }
    }

    fn add(&mut self, frame: &[u8], markers: &[String]) {
        let found = frame::classify(frame);
        self.frames += 1;
        self.ethertype_ipv6 += u64::from(found.ethertype_ipv6);
        self.protocol_41 += u64::from(found.protocol_41);
        self.intranet_address += u64::from(found.intranet_address);
        self.https += u64::from(found.https);
        for marker in markers.iter().filter(|marker| frame::contains(frame, marker.as_bytes())) {
            *self.markers.entry(marker.clone()).or_default() += 1;
            if found.protocol_41 {
                *self.markers_in_protocol_41.entry(marker.clone()).or_default() += 1;
            }
        }
    }
}

/// What all segments carried since the last start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// By segment name (`corp`, `desk`, `internet`, `home`).
    pub segments: BTreeMap<String, Counts>,
    /// Frames that the kernel could not keep for us: with one of these nothing is proven.
    pub lost: u64,
}

impl Reading {
    /// One segment.
    #[must_use]
    pub fn of(&self, segment: Segment) -> Counts {
        self.segments.get(segment.name()).cloned().unwrap_or_default()
    }

    fn add(&mut self, stretch: &Self) {
        self.lost += stretch.lost;
        for (segment, counts) in &stretch.segments {
            self.segments.entry(segment.clone()).or_default().sum(counts);
        }
    }
}

/// The taps of a running lab.
pub(crate) struct Taps(Mutex<Inner>);

struct Inner {
    socket: PacketSocket,
    segments: BTreeMap<u32, &'static str>,
    reading: Reading,
    before: Reading,
    markers: Vec<String>,
    buffer: Vec<u8>,
}

impl Taps {
    /// Opens the socket in the network namespace at `netns`; `ports` says which device index is on which segment.
    pub(crate) fn open(
        netns: &std::path::Path,
        ports: BTreeMap<u32, &'static str>,
    ) -> Result<Self, LabError> {
        let socket = PacketSocket::open_in(netns).map_err(|e| LabError::io("tap the wires", &e))?;
        // A super-packet is seen whole: 64 KiB and its headers.
        let buffer = vec![0; 70_000];
        let inner = Inner {
            socket,
            segments: ports,
            reading: Reading::default(),
            before: Reading::default(),
            markers: Vec::new(),
            buffer,
        };
        Ok(Self(Mutex::new(inner)))
    }

    /// Empties the socket now and then, so that it never fills.
    pub(crate) fn pump(&self) {
        loop {
            let fd = self.lock().socket.duplicate();
            let Ok(fd) = fd else { return };
            let mut polled = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
            if rustix::event::poll(&mut polled, None).is_ok() {
                self.lock().drain();
            }
        }
    }

    /// Starts a new stretch with new markers; what is on its way counts for the one before.
    pub(crate) fn watch(&self, markers: Vec<String>) {
        let mut inner = self.lock();
        inner.drain();
        inner.markers = markers;
        let stretch = std::mem::take(&mut inner.reading);
        inner.before.add(&stretch);
    }

    /// Sees nothing from here on.
    pub(crate) fn deafen(&self) -> std::io::Result<()> {
        self.lock().socket.deafen()
    }

    /// Forgets everything counted so far.
    pub(crate) fn begin(&self) {
        let mut inner = self.lock();
        inner.drain();
        inner.reading = Reading::default();
        inner.before = Reading::default();
    }

    /// What was counted in this stretch, including every frame that entered the switch before this call.
    pub(crate) fn read(&self) -> Reading {
        let mut inner = self.lock();
        inner.drain();
        inner.reading.clone()
    }

    /// What was counted since [`Taps::begin`].
    pub(crate) fn whole(&self) -> Reading {
        let mut inner = self.lock();
        inner.drain();
        let mut whole = inner.before.clone();
        whole.add(&inner.reading);
        whole
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // Counters stay counters, also after a thread ended in the middle of one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn drain(&mut self) {
        while let Some((device, length)) = self.socket.receive(&mut self.buffer) {
            let Some(segment) = self.segments.get(&device) else { continue };
            let Some(frame) = self.buffer.get(..length) else { continue };
            self.reading.segments.entry((*segment).to_owned()).or_default().add(frame, &self.markers);
        }
        self.reading.lost += self.socket.lost();
    }
}
