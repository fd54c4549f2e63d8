//! What kind of frame is this?

/// What the lab wants to know of a frame.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) ethertype_ipv6: bool,
    pub(super) protocol_41: bool,
    pub(super) intranet_address: bool,
    pub(super) https: bool,
}

const ETHERNET: usize = 14;

/// Reads an Ethernet frame, however short.
pub(super) fn classify(frame: &[u8]) -> Found {
    let mut found = Found::default();
    let ethertype = frame.get(12..ETHERNET);
    let body = frame.get(ETHERNET..).unwrap_or_default();
    match ethertype {
        Some([0x86, 0xdd]) => found.ethertype_ipv6 = true,
        Some([0x08, 0x06]) => found.intranet_address = inside(body.get(14..18)) || inside(body.get(24..28)),
        Some([0x08, 0x00]) => ipv4(body, &mut found),
        _ => {}
    }
    found
}

fn ipv4(packet: &[u8], found: &mut Found) {
    found.intranet_address = inside(packet.get(12..16)) || inside(packet.get(16..20));
    let header = usize::from(packet.first().copied().unwrap_or(0) & 0x0f) * 4;
    match packet.get(9) {
        Some(41) => found.protocol_41 = true,
        Some(6) => {
            let port =
                |at: usize| packet.get(header + at..header + at + 2) == Some(&443_u16.to_be_bytes()[..]);
            found.https = port(0) || port(2);
        }
        _ => {}
    }
}

fn inside(address: Option<&[u8]>) -> bool {
    matches!(address, Some([10, 6, _, _]))
}

/// Does `marker` stand anywhere in `frame`?
pub(super) fn contains(frame: &[u8], marker: &[u8]) -> bool {
    !marker.is_empty() && frame.windows(marker.len()).any(|window| window == marker)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ethertype: u16, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![0_u8; 12];
        frame.extend_from_slice(&ethertype.to_be_bytes());
        frame.extend_from_slice(body);
        frame
    }

    fn ipv4(protocol: u8, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let mut packet = vec![0_u8; 24];
        packet[0] = 0x45;
        packet[9] = protocol;
        packet[12..16].copy_from_slice(&source);
        packet[16..20].copy_from_slice(&destination);
        packet
    }

    #[test]
    fn each_kind_of_frame_is_told_from_the_others() {
        let outside = [203, 0, 113, 10];
        let at = |ethertype, body: &[u8]| classify(&frame(ethertype, body));
        assert!(at(0x86dd, &[0x60]).ethertype_ipv6);
        assert_eq!(at(0x0800, &ipv4(17, outside, outside)), Found::default());
        assert!(at(0x0800, &ipv4(41, outside, outside)).protocol_41);
        assert!(at(0x0800, &ipv4(6, outside, [10, 6, 8, 20])).intranet_address);
        assert!(!at(0x0800, &ipv4(6, outside, [10, 7, 8, 20])).intranet_address);
    }

    #[test]
    fn an_arp_question_for_an_intranet_address_is_seen() {
        let mut arp = vec![0_u8; 28];
        assert!(!classify(&frame(0x0806, &arp)).intranet_address);
        arp[24..28].copy_from_slice(&[10, 6, 0, 1]);
        assert!(classify(&frame(0x0806, &arp)).intranet_address);
    }

    #[test]
    fn https_is_port_443_behind_a_header_with_options() {
        let mut packet = ipv4(6, [1, 1, 1, 1], [2, 2, 2, 2]);
        packet[0] = 0x46;
        packet.resize(44, 0);
        packet[26..28].copy_from_slice(&443_u16.to_be_bytes());
        assert!(classify(&frame(0x0800, &packet)).https);
        packet[0] = 0x45;
        assert!(!classify(&frame(0x0800, &packet)).https);
    }

    #[test]
    fn a_truncated_frame_is_nothing() {
        for length in 0..14 {
            assert_eq!(classify(&vec![0x08; length]), Found::default());
        }
    }

    #[test]
    fn a_marker_is_found_at_the_end_and_an_empty_one_never() {
        assert!(contains(b"xxabc", b"abc"));
        assert!(!contains(b"xxab", b"abc"));
        assert!(!contains(b"xxab", b""));
    }
}
