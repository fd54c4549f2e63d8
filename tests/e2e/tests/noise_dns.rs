//! Truncated and random messages over UDP and TCP at a DNS64 that runs alone, from the left.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use sixgate_e2e::noise::Noise;
use sixgate_e2e::plain::{Daemon, Row};
use sixgate_e2e::raw::{Wire, inside};
use sixgate_e2e::{Random, Watched};

const SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53);
const PORT: u16 = 53;

/// The upstream is a port of the machine's own loopback, where a wire is watched and nobody listens.
fn dns64() -> (Row, Daemon) {
    let mut row = Row::new("nd");
    row.ip("middle", "addr add 2001:db8::53/64 dev m0 nodad");
    row.ip("left", "addr add 2001:db8::8/64 dev l0 nodad");
    let file = row.file(
        "dns64",
        "[dns]\nlisten = [\"[2001:db8::53]:53\"]\nupstream = [\"127.0.0.1:5301\"]\nallow = [\"2001:db8::8/128\"]\n\
         [dns64]\n[[dns64.rule]]\nprefix = \"2001:db8:64::/96\"\n",
    );
    let daemon = row.daemon("middle", &["run"], &file);
    (row, daemon)
}

/// A header of RFC 1035, section 4.1.1, with these flags and one question, and something behind it.
fn message(flags: u16, behind: &[u8], chance: &mut Random) -> Vec<u8> {
    let mut message = chance.bytes(2);
    message.extend_from_slice(&flags.to_be_bytes());
    message.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(behind);
    message
}

/// `files.corp.example`, AAAA, IN.
const QUESTION: &[u8] = b"\x05files\x04corp\x07example\x00\x00\x1c\x00\x01";
const RECURSION: u16 = 0x0100;

/// What is wrong with a message, however it came.
fn messages(noise: &mut Noise) {
    const MALFORMED: &[&str] = &["dns-malformed"];
    noise.kind("less than a header", MALFORMED, |chance| chance.some(0, 12));
    noise.kind("an answer", MALFORMED, |chance| {
        let flags = 0x8000 | chance.number() as u16;
        message(flags, &chance.some(0, 400), chance)
    });
    noise.kind("another opcode", MALFORMED, |chance| {
        let opcode = 1 + chance.below(15) as u16;
        message(opcode << 11, QUESTION, chance)
    });
    noise.kind("another number of questions", MALFORMED, |chance| {
        let mut message = message(RECURSION, QUESTION, chance);
        message[5] = chance.one_of(&[0, 2, 3, 255]);
        message
    });
    noise.kind("a question that is cut", MALFORMED, |chance| {
        let end = chance.below(QUESTION.len());
        message(RECURSION, &QUESTION[..end], chance)
    });
    noise.kind("a name that points at itself", MALFORMED, |chance| {
        message(RECURSION, b"\xc0\x0c\x00\x1c\x00\x01", chance)
    });
    noise.kind("records that are not there", MALFORMED, |chance| {
        let mut message = message(RECURSION, QUESTION, chance);
        message[chance.one_of(&[7, 9, 11])] = 1 + chance.below(255) as u8;
        message
    });
    noise.kind("a question without recursion", &["dns-not-served"], |chance| message(0, QUESTION, chance));
    noise.kind("a transfer", &["dns-not-served"], |chance| {
        let question = b"\x04corp\x07example\x00\x00\xfc\x00\x01";
        message(RECURSION, question, chance)
    });
}

/// Nothing went to the upstream, and a good question does.
fn goes_on(row: &Row, dns64: &mut Daemon, upstream: &Wire) {
    let forwarded = upstream.expect(0);
    assert!(forwarded.is_empty(), "{forwarded:02x?}");
    let dig = |more: &str| row.sh("left", &format!("dig +time=5 +tries=1 @2001:db8::53 {more}")).text;
    assert!(dig("ipv4only.arpa AAAA").contains("2001:db8:64::c000:aa"), "{}", dig("ipv4only.arpa AAAA"));
    // Nobody is there, which is soon told; what counts is that it was asked.
    let _ = dig("files.corp.example AAAA");
    assert!(!upstream.expect(1).is_empty(), "the wire sees what goes to the upstream");
    assert!(dns64.lives());
}

#[test]
fn over_udp_each_is_counted_once_and_asks_nobody() {
    let (row, mut dns64) = dns64();
    let upstream = Wire::open(&row.namespace("middle"), "lo");
    let socket = inside(&row.namespace("left"), || UdpSocket::bind("[2001:db8::8]:0"));
    let mut noise = Noise::new();
    messages(&mut noise);
    noise.kind("bytes", &["dns-malformed", "dns-not-served"], |chance| chance.some(0, 1400));
    noise.is_counted(&mut dns64, |_, message| {
        socket.send_to(message, (SERVER, PORT)).expect("it can be sent");
    });
    goes_on(&row, &mut dns64, &upstream);
    assert!(dns64.stop());
}

#[test]
fn over_tcp_each_is_counted_once_and_asks_nobody() {
    const CUT: &str = "a message that is cut";
    let (row, mut dns64) = dns64();
    let upstream = Wire::open(&row.namespace("middle"), "lo");
    let mut noise = Noise::new();
    messages(&mut noise);
    noise.kind(CUT, &["dns-malformed"], |chance| {
        let mut framed = chance.some(1, 300);
        // The first octet of the length makes it longer than what comes.
        framed[0] |= 0x80;
        framed
    });
    let namespace = row.namespace("left");
    noise.is_counted(&mut dns64, |kind, message| {
        let server = SocketAddr::from((SERVER, PORT));
        let mut stream =
            inside(&namespace, move || TcpStream::connect_timeout(&server, Duration::from_secs(5)));
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time can be set");
        let mut framed = Vec::new();
        if kind.name != CUT {
            framed.extend_from_slice(&u16::try_from(message.len()).expect("a short message").to_be_bytes());
        }
        framed.extend_from_slice(message);
        stream.write_all(&framed).expect("it can be sent");
        // Gone already where the server hung up first.
        let _ = stream.shutdown(Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    goes_on(&row, &mut dns64, &upstream);
    assert!(dns64.stop());
}
