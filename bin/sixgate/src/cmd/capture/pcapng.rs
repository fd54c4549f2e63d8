//! Writes pcapng (draft-ietf-opsawg-pcapng): packets with comments, an interface for each port.
//!
//! Written here because four kinds of block are all there is to write, and the libraries are made for reading: pcap-file is
//! between two releases and brings unsafe code for it, and the writer of pcap-parser is an afterthought behind a parser generator.

use std::io::{self, Write};

/// Of the interfaces: a word with the address family in front of the IP packet.
///
/// LINKTYPE_RAW would say the same without that word, and libpcap refuses a file with two interfaces of it: it compares its own
/// number for the type of the first with the file's number for the type of the second.
const LINKTYPE_NULL: u16 = 0;
/// The families in that word. Each BSD has its own for IPv6, and readers know all of them.
const IPV4: u32 = 2;
const IPV6: u32 = 30;
/// Above any IP packet, and the same for all interfaces: libpcap reads nothing else.
const SNAPLEN: u32 = 262_144;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const PACKET: u32 = 6;

/// Which way a packet went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    In,
    Out,
}

/// One packet.
pub(crate) struct Packet<'a> {
    pub(crate) interface: u32,
    /// Nanoseconds since 1970.
    pub(crate) at: u64,
    pub(crate) direction: Direction,
    pub(crate) bytes: &'a [u8],
    pub(crate) comment: &'a str,
}

/// A capture file on its way out.
pub(crate) struct Writer<W> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub(crate) fn new(out: W, application: &str) -> io::Result<Self> {
        let mut writer = Self { out };
        let mut body = Block::new();
        body.u32(0x1a2b_3c4d).u16(1).u16(0);
        // The section's length is not known.
        body.u32(u32::MAX).u32(u32::MAX).option(4, application.as_bytes()).end_of_options();
        writer.block(SECTION, body)?;
        Ok(writer)
    }

    /// An interface; they are counted from zero.
    pub(crate) fn interface(&mut self, name: &str, description: &str) -> io::Result<()> {
        let mut body = Block::new();
        body.u16(LINKTYPE_NULL).u16(0).u32(SNAPLEN);
        body.option(2, name.as_bytes()).option(3, description.as_bytes());
        // if_tsresol: nanoseconds.
        body.option(9, &[9]).end_of_options();
        self.block(INTERFACE, body)
    }

    pub(crate) fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let length = u32::try_from(packet.bytes.len() + 4).unwrap_or(u32::MAX);
        let is_v4 = packet.bytes.first().is_some_and(|b| b >> 4 == 4);
        let mut body = Block::new();
        body.u32(packet.interface).u32((packet.at >> 32) as u32).u32(packet.at as u32);
        body.u32(length).u32(length).u32(if is_v4 { IPV4 } else { IPV6 }).padded(packet.bytes);
        let flags: u32 = match packet.direction {
            Direction::In => 1,
            Direction::Out => 2,
        };
        body.option(1, packet.comment.as_bytes()).option(2, &flags.to_le_bytes()).end_of_options();
        self.block(PACKET, body)
    }

    /// How many packets an interface lost to the capture, at this time.
    pub(crate) fn lost(&mut self, interface: u32, at: u64, lost: u64) -> io::Result<()> {
        let mut body = Block::new();
        body.u32(interface).u32((at >> 32) as u32).u32(at as u32);
        // isb_ifdrop
        body.option(5, &lost.to_le_bytes()).end_of_options();
        self.block(STATISTICS, body)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn block(&mut self, kind: u32, body: Block) -> io::Result<()> {
        let length = u32::try_from(body.0.len() + 12).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&body.0)?;
        self.out.write_all(&length.to_le_bytes())
    }
}

/// The body of a block: little endian, in words of 32 bits.
struct Block(Vec<u8>);

impl Block {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn padded(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn option(&mut self, code: u16, value: &[u8]) -> &mut Self {
        // Comments are short; what does not fit is cut.
        let value = &value[..value.len().min(usize::from(u16::MAX))];
        self.u16(code).u16(value.len() as u16).padded(value)
    }

    fn end_of_options(&mut self) -> &mut Self {
        self.u32(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind and body of every block; both lengths of each must agree.
    fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let mut all = Vec::new();
        while !file.is_empty() {
            let length = word(file, 4) as usize;
            assert!(length.is_multiple_of(4) && word(file, length - 4) as usize == length);
            all.push((word(file, 0), file[8..length - 4].to_vec()));
            file = &file[length..];
        }
        all
    }

    #[test]
    fn a_file_is_a_section_interfaces_and_packets_with_comments() {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file, "sixgate").unwrap();
        writer.interface("isatap", "the link").unwrap();
        let packet = Packet {
            interface: 0,
            at: 0x1_0000_0002,
            direction: Direction::Out,
            bytes: &[0x60, 1, 2, 3, 4],
            comment: "dropped",
        };
        writer.packet(&packet).unwrap();
        writer.lost(0, 7, 3).unwrap();
        writer.flush().unwrap();
        let blocks = blocks(&file);
        assert_eq!(blocks.iter().map(|b| b.0).collect::<Vec<_>>(), [SECTION, INTERFACE, PACKET, STATISTICS]);
        assert_eq!(blocks[0].1[..8], [0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0]);
        let body = &blocks[2].1;
        assert_eq!(body[..20], [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 9, 0, 0, 0]);
        assert_eq!(body[20..32], [30, 0, 0, 0, 0x60, 1, 2, 3, 4, 0, 0, 0]);
        assert_eq!(body[32..44], [1, 0, 7, 0, b'd', b'r', b'o', b'p', b'p', b'e', b'd', 0]);
        assert_eq!(body[44..], [2, 0, 4, 0, 2, 0, 0, 0, 0, 0, 0, 0]);
    }
}
