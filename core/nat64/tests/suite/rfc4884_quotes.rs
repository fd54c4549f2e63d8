//! What ICMP errors quote, octet by octet (RFC 7915, sections 4.3 and 5.3; RFC 4884; RFC 5508, section 4).

use sixgate_wire::checksum::Sum;
use sixgate_wire::ipv4::{self, Ipv4};
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::{Packet, protocol};

use crate::support::*;

const ROUTER: std::net::Ipv4Addr = std::net::Ipv4Addr::new(198, 51, 100, 254);
/// An extension structure with one object.
const EXTENSION: [u8; 12] = [0x20, 0, 0, 0, 0, 8, 1, 1, 0, 1, 2, 3];

/// A datagram that went out with `data` octets of data, as a router on the IPv4 side has it.
fn sent(lab: &mut Lab, data: usize) -> Packet {
    lab.out(udp6(client(), 5000, embed(SERVER), 53, &vec![7; data]))
}

/// A datagram that came in, as a router on the IPv6 side has it.
fn arrived(lab: &mut Lab, data: usize) -> Packet {
    let outside = lab.open_udp(5000, SERVER);
    lab.back(udp4(SERVER, 53, POOL, outside, &vec![7; data]))
}

/// `quoted` padded to `length`, with an extension of `extension` octets behind it.
fn extended(quoted: &[u8], length: usize, extension: &[u8]) -> Vec<u8> {
    let mut all = quoted.to_vec();
    all.resize(length, 0);
    all.extend_from_slice(extension);
    all
}

/// The ICMPv6 error that an ICMPv4 one with this becomes: the length field, and what is behind the header.
fn in_from(
    lab: &mut Lab,
    about: &Packet,
    quoted: usize,
    length: usize,
    extension: &[u8],
) -> (usize, Vec<u8>) {
    let body = extended(&about.bytes()[..quoted], length, extension);
    let error = lab.back(error4(ROUTER, 11, 0, (length as u32 / 4) << 16, &body));
    let (kind, code, word) = icmp(&error);
    assert_eq!((kind, code, word & 0x00ff_ffff), (3, 0, 0));
    ((word >> 24) as usize * 8, super::support::quoted(&error).to_vec())
}

fn out_from(
    lab: &mut Lab,
    about: &Packet,
    quoted: usize,
    length: usize,
    extension: &[u8],
) -> (usize, Vec<u8>) {
    let body = extended(&about.bytes()[..quoted], length, extension);
    let error = lab.out(error6(client(), 1, 4, (length as u32 / 8) << 24, &body));
    let (kind, code, word) = icmp(&error);
    assert_eq!((kind, code, word & 0xff00_ffff), (3, 3, 0));
    ((word >> 16) as usize * 4, super::support::quoted(&error).to_vec())
}

#[test]
fn a_quote_that_was_cut_still_tells_the_length_of_the_whole() {
    let mut lab = Lab::new(config());
    let out = sent(&mut lab, 1000);
    for octets in [28, 29, 100, 548] {
        let error = lab.back(error4(ROUTER, 3, 1, 0, &out.bytes()[..octets]));
        let inner = Ipv6::parse_quoted(quoted(&error)).unwrap();
        assert_eq!((inner.payload_len(), quoted(&error).len()), (1008, octets + 20), "{octets}");
        assert_eq!(word(&quoted(&error)[40..], 4), 1008);
    }
    let back = arrived(&mut lab, 1000);
    for octets in [48, 49, 100, 548] {
        let error = lab.out(error6(client(), 1, 4, 0, &back.bytes()[..octets]));
        let inner = Ipv4::parse_quoted(quoted(&error)).unwrap();
        assert_eq!((inner.total_len(), quoted(&error).len()), (1028, octets - 20), "{octets}");
    }
}

#[test]
fn eight_octets_of_a_quoted_segment_are_enough() {
    let mut lab = Lab::new(config());
    let syn = tcp6(client(), 40_000, embed(SERVER), 80, sixgate_wire::tcp::SYN);
    let out = lab.out(syn.clone());
    let error = lab.back(error4(ROUTER, 3, 3, 0, &out.bytes()[..28]));
    assert_eq!(icmp(&error), (1, 4, 0));
    assert_eq!(quoted(&error)[40..], syn.bytes()[40..48]);
    // With the checksum in the quote, it is the one that the client sent.
    let error = lab.back(error4(ROUTER, 3, 3, 0, out.bytes()));
    assert_eq!(quoted(&error)[40..], syn.bytes()[40..]);
}

#[test]
fn an_extension_goes_with_the_length_of_its_own_family_in_both_directions() {
    let mut lab = Lab::new(config());
    // 132 octets are 33 words; with 20 more they are 19 words of eight.
    let out = sent(&mut lab, 104);
    let (length, body) = in_from(&mut lab, &out, 132, 132, &EXTENSION);
    assert_eq!((length, body.len(), &body[152..]), (152, 164, &EXTENSION[..]));
    let back = arrived(&mut lab, 104);
    let (length, body) = out_from(&mut lab, &back, 152, 152, &EXTENSION);
    assert_eq!((length, body.len(), &body[132..]), (132, 144, &EXTENSION[..]));
}

#[test]
fn a_quoted_packet_is_padded_to_128_octets_and_to_whole_words() {
    let mut lab = Lab::new(config());
    let out = sent(&mut lab, 10);
    let (length, body) = in_from(&mut lab, &out, 38, 128, &EXTENSION);
    assert_eq!((length, &body[58..128], &body[128..]), (128, &[0; 70][..], &EXTENSION[..]));
    // 129 octets in IPv4, padded to 132, are 149 in IPv6: three more make 152.
    let out = sent(&mut lab, 101);
    let (length, body) = in_from(&mut lab, &out, 129, 132, &EXTENSION);
    assert_eq!((length, &body[149..152], &body[152..]), (152, &[0; 3][..], &EXTENSION[..]));
    // 122 octets in IPv6, padded to 128, are 102 in IPv4: padded to 128 again.
    let back = arrived(&mut lab, 74);
    let (length, body) = out_from(&mut lab, &back, 122, 128, &EXTENSION);
    assert_eq!((length, &body[102..128], &body[128..]), (128, &[0; 26][..], &EXTENSION[..]));
}

#[test]
fn the_quoted_packet_is_cut_rather_than_the_extension() {
    let mut lab = Lab::new(config());
    let back = arrived(&mut lab, 488);
    let (length, body) = out_from(&mut lab, &back, 536, 536, &[9; 40]);
    // 576 octets in all: 508 of the packet and 40 of the extension behind 28 of headers.
    assert_eq!((length, body.len(), &body[508..]), (508, 548, &[9; 40][..]));
    let out = sent(&mut lab, 992);
    let (length, body) = in_from(&mut lab, &out, 1020, 1020, &[9; 200]);
    // 1,280 in all.
    assert_eq!((length, body.len(), &body[1032..]), (1032, 1232, &[9; 200][..]));
}

#[test]
fn an_extension_is_left_behind_where_not_even_128_octets_fit_before_it() {
    let mut lab = Lab::new(config());
    let back = arrived(&mut lab, 80);
    let (length, body) = out_from(&mut lab, &back, 128, 128, &[9; 420]);
    assert_eq!((length, body.len()), (128, 548));
    let (length, body) = out_from(&mut lab, &back, 128, 128, &[9; 421]);
    assert_eq!((length, body.len()), (0, 108));
    let out = sent(&mut lab, 100);
    let (length, body) = in_from(&mut lab, &out, 128, 128, &[9; 1080]);
    assert_eq!((length, body.len()), (152, 1232));
    // An octet more, and the packet gives a word.
    let (length, body) = in_from(&mut lab, &out, 128, 128, &[9; 1081]);
    assert_eq!((length, body.len()), (144, 1225));
    let (length, body) = in_from(&mut lab, &out, 128, 128, &[9; 1105]);
    assert_eq!((length, body.len()), (0, 148));
}

#[test]
fn a_length_that_lies_is_no_length() {
    let mut lab = Lab::new(config());
    let out = sent(&mut lab, 10);
    let error = lab.back(error4(ROUTER, 11, 0, 200 << 16, out.bytes()));
    assert_eq!((icmp(&error), quoted(&error).len()), ((3, 0, 0), 58));
}

#[test]
fn errors_that_have_no_length_in_the_other_family_lose_the_extension() {
    let mut lab = Lab::new(config());
    let out = sent(&mut lab, 10);
    let body = extended(out.bytes(), 128, &EXTENSION);
    for (kind, code, word, expected) in
        [(3, 2, 32 << 16, (4, 1, 6)), (3, 4, 32 << 16 | 1400, (2, 0, 1420)), (12, 0, 32 << 16, (4, 0, 0))]
    {
        let error = lab.back(error4(ROUTER, kind, code, word, &body));
        assert_eq!((icmp(&error), quoted(&error).len()), (expected, 58), "{kind}/{code}");
    }
}

#[test]
fn a_quoted_datagram_without_checksum_stays_without() {
    let mut lab = Lab::new(config());
    let mut out = sent(&mut lab, 10);
    // Somebody on the way took it away.
    out.bytes_mut()[26..28].fill(0);
    let error = lab.back(error4(ROUTER, 3, 1, 0, out.bytes()));
    assert_eq!(word(&quoted(&error)[40..], 6), 0);
}

#[test]
fn options_of_a_quoted_packet_are_stepped_over() {
    let mut lab = Lab::new(config());
    let out = sent(&mut lab, 10);
    let mut with_options = out.bytes()[..20].to_vec();
    with_options[0] = 0x47;
    with_options[2..4].copy_from_slice(&(out.len() as u16 + 8).to_be_bytes());
    with_options.extend_from_slice(&[7, 7, 4, 0, 0, 0, 0, 0]);
    with_options.extend_from_slice(&out.bytes()[20..]);
    let error = lab.back(error4(ROUTER, 11, 0, 0, &with_options));
    let inner = Ipv6::parse(quoted(&error)).unwrap();
    assert_eq!((inner.payload_len(), inner.next_header()), (18, protocol::UDP));
    assert_eq!(ports(inner.payload()), (5000, 53));
}

#[test]
fn a_damaged_echo_or_error_stays_as_damaged() {
    let mut lab = Lab::new(config());
    let off = |sum: u16| Sum::new().with_word(sum).minus(Sum::new().with_word(0xffff)).fold() % 0xffff;
    let mut ping = echo6(128, client(), embed(SERVER), 77);
    ping.bytes_mut()[47] ^= 0x55;
    let wrong = off(sum6(&ping));
    let out = lab.out(ping);
    assert_ne!(wrong, 0);
    assert_eq!(off(sum4(&out)), wrong);
    let mut reply = echo4(0, SERVER, POOL, word(out.bytes(), 24));
    reply.bytes_mut()[30] ^= 0x0f;
    let wrong = off(sum4(&reply));
    assert_eq!(off(sum6(&lab.back(reply))), wrong);

    let sent = sent(&mut lab, 100);
    let mut error = error4(ROUTER, 3, 1, 0, sent.bytes());
    error.bytes_mut()[90] ^= 0x0f;
    let wrong = off(sum4(&error));
    assert_ne!(wrong, 0);
    assert_eq!(off(sum6(&lab.back(error))), wrong);
}

#[test]
fn an_error_has_one_hop_less_and_its_quote_has_not() {
    let mut lab = Lab::new(config());
    let out = sent(&mut lab, 10);
    let error = error4(ROUTER, 11, 0, 0, out.bytes());
    let payload = Ipv4::parse(error.bytes()).unwrap().payload().to_vec();
    let error = four_with(protocol::ICMP, ROUTER, POOL, &payload, |h| ipv4::Header { ttl: 9, ..h });
    let back = lab.back(error);
    assert_eq!((view6(&back).hop_limit(), quoted(&back)[7]), (8, 63));
    assert_eq!(view6(&back).traffic_class(), 0xb9);
}
