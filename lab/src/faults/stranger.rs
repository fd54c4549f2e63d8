//! A machine that advertises itself as an ISATAP router and is none.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::thread;
use std::time::Duration;

use rustix::net::{
    AddressFamily, Protocol, RawProtocol, SendFlags, SocketAddrV4, SocketType, sendto, socket,
};

use super::Undo;
use crate::error::LabError;
use crate::handle::Lab;

const NODE: &str = "bystander-01";
const SERVICE: &str = "stranger";
const VICTIM: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 20);
/// Its own address, as the topology has it.
const OWN: Ipv4Addr = Ipv4Addr::new(10, 6, 8, 30);
const INTERVAL: Duration = Duration::from_millis(200);

pub(super) fn begin(lab: &Lab, _: &mut Undo) -> Result<(), LabError> {
    lab.start(NODE, SERVICE, &["sixgate", "lab", "internal", "stranger"])
}

pub(super) fn end(lab: &Lab) -> Result<(), LabError> {
    lab.stop(NODE, SERVICE)
}

/// `sixgate lab internal stranger`: advertises until it is ended.
pub(crate) fn stranger() -> i32 {
    match advertise() {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn advertise() -> io::Result<()> {
    let proto41 = RawProtocol::new(41).map(Protocol::from_raw);
    let socket = socket(AddressFamily::INET, SocketType::RAW, proto41)?;
    let packet = advertisement();
    loop {
        // Addresses of helpdesk-01 come and go with other faults; who is not there is not bothered.
        for last in [VICTIM.octets()[3], 120] {
            let to = Ipv4Addr::new(10, 6, 8, last);
            let _ = sendto(&socket, &packet_to(&packet, to), SendFlags::empty(), &SocketAddrV4::new(to, 0));
        }
        thread::sleep(INTERVAL);
    }
}

/// A router advertisement with a prefix and a default route (RFC 4861, section 4.2), but for its destination.
fn advertisement() -> Vec<u8> {
    let mut icmp = vec![134, 0, 0, 0, 64, 0];
    icmp.extend(1800_u16.to_be_bytes());
    icmp.extend([0; 8]);
    // Prefix information: 2001:db8:bad::/64, on-link and autonomous.
    icmp.extend([3, 4, 64, 0xc0]);
    icmp.extend(3600_u32.to_be_bytes());
    icmp.extend(1800_u32.to_be_bytes());
    icmp.extend([0; 4]);
    icmp.extend(Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0).octets());
    icmp
}

fn packet_to(icmp: &[u8], to: Ipv4Addr) -> Vec<u8> {
    let (src, dst) = (link_local(OWN).octets(), link_local(to).octets());
    let length = icmp.len() as u16;
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([58, 255]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(icmp);
    let mut sum = u32::from(length) + 58;
    for pair in packet[8..].chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    packet[42..44].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet
}

fn link_local(v4: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = v4.octets().map(u16::from);
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0x5efe, a << 8 | b, c << 8 | d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strangers_checksum_is_right() {
        let packet = packet_to(&advertisement(), VICTIM);
        let mut sum = u32::from(u16::from_be_bytes([packet[4], packet[5]])) + 58;
        for pair in packet[8..].chunks(2) {
            sum += u32::from(u16::from_be_bytes([pair[0], pair[1]]));
        }
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        assert_eq!((sum, packet.len()), (0xffff, 40 + 16 + 32));
    }
}
