//! A packet as a person writes it, made into octets.
//!
//! ```text
//! packet  = proto source (">" | "->") destination word*
//! proto   = "tcp" | "udp" | "icmp" | "proto" NUMBER
//! source  = destination = [IPv6]:PORT | IPv4:PORT | IPv6 | IPv4     ports with tcp and udp, addresses with the others
//! word    = "syn" | "ack" | "fin" | "rst" | "psh"                   tcp; none is syn
//!         | "echo" | "reply" | "type" N | "code" N | "id" N | "seq" N    icmp; none is echo
//!         | "no-checksum"                                           udp in IPv4
//!         | "size" N        octets of the IP packet
//!         | "ttl" N         also "hop-limit"; 64
//!         | "tos" N         also "class"; 0
//!         | "df"            IPv4
//!         | "frag" ID:OFFSET[+]    offset in octets; + when more follow
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sixgate_wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use sixgate_wire::tcp::{ACK, FIN, PSH, RST, SYN};
use sixgate_wire::{ipv4, ipv6, protocol};

/// Octets of what a person wrote, or why not: readable, or in hexadecimal.
pub(super) fn octets(text: &str) -> Result<Vec<u8>, String> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    let hex = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_hexdigit());
    if hex {
        if !digits.len().is_multiple_of(2) {
            return Err("hexadecimal with half an octet".to_owned());
        }
        let octet = |pair: &[u8]| {
            let pair = std::str::from_utf8(pair).unwrap_or_default();
            u8::from_str_radix(pair, 16).map_err(|e| format!("`{pair}`: {e}"))
        };
        return digits.as_bytes().chunks(2).map(octet).collect();
    }
    let written = Written::parse(text)?;
    written.octets()
}

/// What a person wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Written {
    protocol: u8,
    src: (IpAddr, u16),
    dst: (IpAddr, u16),
    flags: u8,
    icmp: (Option<u8>, u8),
    id: u16,
    sequence: u16,
    no_checksum: bool,
    size: Option<usize>,
    ttl: u8,
    tos: u8,
    dont_fragment: bool,
    fragment: Option<(u32, u16, bool)>,
}

impl Written {
    fn parse(text: &str) -> Result<Self, String> {
        let spaced = text.replace("->", " > ").replace('>', " > ");
        let mut words = spaced.split_whitespace();
        let proto = words.next().ok_or("tcp, udp, icmp or proto N comes first")?;
        let protocol = match proto {
            "tcp" => protocol::TCP,
            "udp" => protocol::UDP,
            "icmp" | "icmpv6" => protocol::ICMP,
            "proto" => number("proto", words.next(), 0, 255)? as u8,
            other => return Err(format!("`{other}` is no protocol: tcp, udp, icmp or proto N")),
        };
        let ports = matches!(protocol, protocol::TCP | protocol::UDP);
        let src = end(words.next().ok_or("the source is missing")?, ports)?;
        if words.next() != Some(">") {
            return Err("after the source comes > and the destination".to_owned());
        }
        let dst = end(words.next().ok_or("the destination is missing")?, ports)?;
        if src.0.is_ipv4() != dst.0.is_ipv4() {
            return Err(format!("{} and {} are of different families", src.0, dst.0));
        }
        let mut written = Self {
            protocol,
            src,
            dst,
            flags: 0,
            icmp: (None, 0),
            id: 1,
            sequence: 1,
            no_checksum: false,
            size: None,
            ttl: 64,
            tos: 0,
            dont_fragment: false,
            fragment: None,
        };
        while let Some(word) = words.next() {
            written.word(word, &mut words)?;
        }
        if written.protocol == protocol::TCP && written.flags == 0 {
            written.flags = SYN;
        }
        if written.protocol == protocol::ICMP && !src.0.is_ipv4() {
            written.protocol = protocol::ICMPV6;
        }
        Ok(written)
    }

    fn word<'a>(&mut self, word: &str, more: &mut impl Iterator<Item = &'a str>) -> Result<(), String> {
        let (tcp, icmp) = (self.protocol == protocol::TCP, self.protocol == protocol::ICMP);
        let four = self.src.0.is_ipv4();
        match word.trim_end_matches(',') {
            "syn" if tcp => self.flags |= SYN,
            "ack" if tcp => self.flags |= ACK,
            "fin" if tcp => self.flags |= FIN,
            "rst" if tcp => self.flags |= RST,
            "psh" if tcp => self.flags |= PSH,
            "echo" if icmp => self.icmp.0 = Some(if four { 8 } else { 128 }),
            "reply" if icmp => self.icmp.0 = Some(if four { 0 } else { 129 }),
            "type" if icmp => self.icmp.0 = Some(number("type", more.next(), 0, 255)? as u8),
            "code" if icmp => self.icmp.1 = number("code", more.next(), 0, 255)? as u8,
            "id" if icmp => self.id = number("id", more.next(), 0, 65_535)? as u16,
            "seq" if icmp => self.sequence = number("seq", more.next(), 0, 65_535)? as u16,
            "no-checksum" if self.protocol == protocol::UDP => self.no_checksum = true,
            "size" => self.size = Some(number("size", more.next(), 20, 65_575)?),
            "ttl" | "hop-limit" => self.ttl = number(word, more.next(), 0, 255)? as u8,
            "tos" | "class" => self.tos = number(word, more.next(), 0, 255)? as u8,
            "df" if four => self.dont_fragment = true,
            "df" => {
                // An IPv6 packet is never cut on its way: the word says what is so.
            }
            "frag" => self.fragment = Some(fragment(more.next(), four)?),
            other => {
                return Err(format!(
                    "`{other}` says nothing about such a packet; `sixgate nat64 explain --help` lists the words"
                ));
            }
        }
        Ok(())
    }

    fn octets(&self) -> Result<Vec<u8>, String> {
        match (self.src.0, self.dst.0) {
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.six(src, dst),
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.four(src, dst),
            // Told apart when they were read.
            (IpAddr::V6(_), IpAddr::V4(_)) | (IpAddr::V4(_), IpAddr::V6(_)) => Err("two families".to_owned()),
        }
    }

    fn six(&self, src: Ipv6Addr, dst: Ipv6Addr) -> Result<Vec<u8>, String> {
        let extension = if self.fragment.is_some() { 8 } else { 0 };
        let mut transport = self.transport(ipv6::HEADER + extension)?;
        let sum = pseudo_v6(src, dst, self.protocol, transport.len() as u32);
        self.seal(&mut transport, sum);
        let mut payload = Vec::new();
        if let Some((id, offset, more)) = self.fragment {
            payload.extend_from_slice(&[self.protocol, 0]);
            payload.extend_from_slice(&(offset | u16::from(more)).to_be_bytes());
            payload.extend_from_slice(&id.to_be_bytes());
        }
        payload.extend_from_slice(&transport);
        let header = ipv6::Header {
            traffic_class: self.tos,
            flow_label: 0,
            payload_len: u16::try_from(payload.len()).map_err(|_| "size is too large for IPv6".to_owned())?,
            next_header: if self.fragment.is_some() { protocol::FRAGMENT } else { self.protocol },
            hop_limit: self.ttl,
            src,
            dst,
        };
        Ok([&header.octets()[..], &payload].concat())
    }

    fn four(&self, src: Ipv4Addr, dst: Ipv4Addr) -> Result<Vec<u8>, String> {
        let mut transport = self.transport(ipv4::HEADER)?;
        let total = ipv4::HEADER + transport.len();
        let total_len = u16::try_from(total).map_err(|_| "size is too large for IPv4".to_owned())?;
        let pseudo = match self.protocol {
            protocol::ICMP => Sum::new(),
            number => pseudo_v4(src, dst, number, transport.len() as u16),
        };
        self.seal(&mut transport, pseudo);
        let (identification, fragment_offset, more_fragments) = self.fragment.unwrap_or_default();
        let header = ipv4::Header {
            tos: self.tos,
            total_len,
            // Below 2^16 where it was read for IPv4.
            identification: identification as u16,
            dont_fragment: self.dont_fragment,
            more_fragments,
            fragment_offset,
            ttl: self.ttl,
            protocol: self.protocol,
            src,
            dst,
        };
        Ok([&header.octets()[..], &transport].concat())
    }

    /// What stands behind `before` octets, filled up to the size, its checksum zero.
    fn transport(&self, before: usize) -> Result<Vec<u8>, String> {
        let later = self.fragment.is_some_and(|(_, offset, _)| offset != 0);
        let mut bytes = match self.protocol {
            _ if later => Vec::new(),
            protocol::TCP => {
                let mut bytes = [self.src.1, self.dst.1].map(u16::to_be_bytes).concat();
                bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
                bytes
            }
            protocol::UDP => [self.src.1, self.dst.1, 0, 0].map(u16::to_be_bytes).concat(),
            protocol::ICMP | protocol::ICMPV6 => {
                let request = if self.protocol == protocol::ICMP { 8 } else { 128 };
                let mut bytes = vec![self.icmp.0.unwrap_or(request), self.icmp.1, 0, 0];
                bytes.extend_from_slice(&[self.id, self.sequence].map(u16::to_be_bytes).concat());
                bytes
            }
            _ => Vec::new(),
        };
        let least = before + bytes.len();
        // A datagram in pieces has octets behind its header, or it would not be in pieces.
        let usual = if self.fragment.is_some() { least.next_multiple_of(8) + 16 - least % 8 } else { least };
        let size = self.size.unwrap_or(usual);
        if size < least {
            return Err(format!("size {size} is less than the headers, which have {least} octets"));
        }
        bytes.resize(size - before, 0);
        if self.protocol == protocol::UDP && !later {
            // A first fragment says the length of the whole, which nobody knows here: at least what is in it.
            let length = u16::try_from(bytes.len()).map_err(|_| "size is too large for UDP".to_owned())?;
            bytes[4..6].copy_from_slice(&length.to_be_bytes());
        }
        Ok(bytes)
    }

    /// Fills in the checksum.
    fn seal(&self, transport: &mut [u8], pseudo: Sum) {
        let later = self.fragment.is_some_and(|(_, offset, _)| offset != 0);
        let at = match self.protocol {
            protocol::TCP => 16,
            protocol::UDP if self.no_checksum => return,
            protocol::UDP => 6,
            protocol::ICMP | protocol::ICMPV6 => 2,
            _ => return,
        };
        if later || transport.len() < at + 2 {
            return;
        }
        let sum = match pseudo.with(transport).finish() {
            0 => 0xffff,
            sum => sum,
        };
        transport[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

fn end(text: &str, ports: bool) -> Result<(IpAddr, u16), String> {
    if ports {
        let at: SocketAddr = text.parse().map_err(|_| {
            format!("`{text}` is no address with a port: [2001:db8::8]:40000 or 192.0.2.80:443")
        })?;
        return Ok((at.ip(), at.port()));
    }
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let address: IpAddr = bare
        .parse()
        .map_err(|_| format!("`{text}` is no address, or has a port that this protocol has not"))?;
    Ok((address, 0))
}

fn number(what: &str, text: Option<&str>, least: usize, most: usize) -> Result<usize, String> {
    let text = text.ok_or_else(|| format!("{what} needs a number"))?;
    let text = text.trim_end_matches(',');
    let value = match text.strip_prefix("0x") {
        Some(hex) => usize::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    value
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| format!("{what} {text}: a number from {least} to {most} is needed"))
}

/// `ID:OFFSET[+]`
fn fragment(text: Option<&str>, four: bool) -> Result<(u32, u16, bool), String> {
    let usage = "frag needs ID:OFFSET, and + when more follow: frag 7:0+";
    let (id, rest) = text.and_then(|t| t.split_once(':')).ok_or(usage)?;
    let (offset, more) = match rest.strip_suffix('+') {
        Some(offset) => (offset, true),
        None => (rest, false),
    };
    let most = if four { 65_535 } else { u32::MAX as usize };
    let id = number("frag ID", Some(id), 0, most)?;
    let offset = number("frag OFFSET", Some(offset), 0, 65_528)?;
    if offset % 8 != 0 {
        return Err(format!("frag OFFSET {offset}: a multiple of eight is needed"));
    }
    Ok((id as u32, offset as u16, more))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sixgate_wire::ipv4::Ipv4;
    use sixgate_wire::ipv6::Ipv6;
    use sixgate_wire::tcp::Tcp;

    use super::*;

    #[test]
    fn the_readable_form_is_made_into_a_packet_whose_checksums_are_right() {
        let bytes =
            octets("tcp [2001:db8::8]:40000 > [64:ff9b::192.0.2.80]:443 syn size 1500 df ttl 9 tos 0xb9")
                .unwrap();
        let ip = Ipv6::parse(&bytes).unwrap();
        assert_eq!((bytes.len(), ip.hop_limit(), ip.traffic_class()), (1500, 9, 0xb9));
        assert_eq!(ip.dst(), "64:ff9b::c000:250".parse::<Ipv6Addr>().unwrap());
        let tcp = Tcp::parse(ip.payload()).unwrap();
        assert_eq!((tcp.src_port(), tcp.dst_port(), tcp.flags()), (40_000, 443, SYN));
        let sum = pseudo_v6(ip.src(), ip.dst(), 6, ip.payload().len() as u32).with(ip.payload()).fold();
        assert_eq!(sum, 0xffff);
    }

    #[test]
    fn both_arrows_both_families_and_every_protocol_are_read() {
        for (text, length, number) in [
            ("udp 198.51.100.7:53->192.0.2.2:4000", 28, 17),
            ("udp 198.51.100.7:53 -> 192.0.2.2:4000 no-checksum size 100", 100, 17),
            ("icmp 198.51.100.7 > 192.0.2.2 echo id 7 seq 3", 28, 1),
            ("icmp 198.51.100.7>192.0.2.2 type 3 code 1", 28, 1),
            ("proto 132 198.51.100.7 > 192.0.2.2 size 60 df", 60, 132),
            ("tcp 198.51.100.7:443 > 192.0.2.2:4000 syn ack", 40, 6),
        ] {
            let bytes = octets(text).unwrap();
            let ip = Ipv4::parse(&bytes).unwrap();
            assert_eq!((bytes.len(), ip.protocol()), (length, number), "{text}");
            assert!(ip.header_checksum_ok());
        }
        let bytes = octets("icmp 2001:db8::8 > [64:ff9b::1] reply id 9").unwrap();
        assert_eq!((bytes[6], bytes[40], bytes[45]), (58, 129, 9));
        let bytes = octets("udp [2001:db8::8]:1 > [64:ff9b::1]:2 frag 0x7:0+").unwrap();
        assert_eq!((bytes[6], bytes[40], &bytes[42..48]), (44, 17, &[0, 1, 0, 0, 0, 7][..]));
        assert!((bytes.len() - 48).is_multiple_of(8));
    }

    #[test]
    fn hexadecimal_is_taken_as_it_is() {
        assert_eq!(octets("60 00:0000\n ff"), Ok(vec![0x60, 0, 0, 0, 0xff]));
        assert!(octets("600").is_err());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, says) in [
            ("", "comes first"),
            ("sctp a > b", "`sctp` is no protocol"),
            ("tcp [2001:db8::8] > [64:ff9b::1]:443", "no address with a port"),
            ("tcp [2001:db8::8]:1 [64:ff9b::1]:443", "after the source comes >"),
            ("tcp [2001:db8::8]:1 > 192.0.2.2:443", "different families"),
            ("icmp 192.0.2.1:7 > 192.0.2.2", "has a port"),
            ("udp 192.0.2.1:7 > 192.0.2.2:1 syn", "`syn` says nothing"),
            ("udp 192.0.2.1:7 > 192.0.2.2:1 size 20", "less than the headers"),
            ("udp 192.0.2.1:7 > 192.0.2.2:1 size 65575", "too large"),
            ("udp 192.0.2.1:7 > 192.0.2.2:1 ttl 300", "from 0 to 255"),
            ("udp 192.0.2.1:7 > 192.0.2.2:1 ttl", "needs a number"),
            ("udp 192.0.2.1:7 > 192.0.2.2:1 frag 7", "ID:OFFSET"),
            ("udp 192.0.2.1:7 > 192.0.2.2:1 frag 7:9", "multiple of eight"),
        ] {
            let error = octets(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_written_panics(text in ".{0,80}", words in "(tcp|udp|icmp|proto 4) (\\[::1\\]:1|1.2.3.4:5|::2) ?(>|->) ?(\\[::1\\]:1|1.2.3.4:5|::2)( (size|ttl|id|frag|type|df|syn|no-checksum) ?[0-9:+]{0,6}){0,4}") {
            let _ = octets(&text);
            if let Ok(bytes) = octets(&words) {
                prop_assert!(Ipv4::parse(&bytes).is_ok() || Ipv6::parse(&bytes).is_ok());
            }
        }
    }
}
