//! Random packets: right ones, nearly right ones, and damaged ones.

use crate::dice::Dice;
use crate::octets::{A4, A6, Prefix, be16, pseudo4, pseudo6, put16, seal4, sealed};
use crate::state::{Inside, Outside, Peer, Protocol};
use crate::write::{fragment_header, header6};

pub(crate) const CLIENTS: [A6; 3] = [client(7), client(8), client(9)];
pub(crate) const POOL: A4 = [192, 0, 2, 2];
const SERVERS: [A4; 5] = [[9, 9, 9, 9], [203, 0, 113, 5], [9, 9, 9, 9], POOL, [10, 6, 0, 30]];

const fn client(last: u8) -> A6 {
    [0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

/// What a sender may know.
pub(crate) struct Scene<'a> {
    pub(crate) prefixes: &'a [Prefix],
    pub(crate) bindings: &'a [(Protocol, Inside, Outside)],
    pub(crate) sessions: &'a [(Protocol, Outside, Peer)],
    /// Packets that came out on either side.
    pub(crate) seen6: &'a [Vec<u8>],
    pub(crate) seen4: &'a [Vec<u8>],
}

/// Packets from the IPv6 side that follow each other.
pub(crate) fn from_v6(dice: &mut Dice<'_>, scene: &Scene<'_>) -> Vec<Vec<u8>> {
    if !scene.seen6.is_empty() && dice.once_in(4) {
        let error = error6(dice, scene);
        return vec![damaged(dice, error)];
    }
    let src = if dice.once_in(24) {
        let odd = [
            [0; 16],
            {
                let mut a = [0; 16];
                a[15] = 1;
                a
            },
            {
                let mut a = [0; 16];
                a[0] = 0xff;
                a
            },
            {
                let mut a = [0; 16];
                a[..2].copy_from_slice(&[0xfe, 0x80]);
                a
            },
            scene.prefixes[0].embed(SERVERS[0]),
        ];
        dice.pick(&odd)
    } else {
        dice.pick(&CLIENTS)
    };
    let server = if dice.once_in(24) {
        dice.pick(&[[127, 0, 0, 1], [224, 0, 0, 1], [0, 0, 0, 9]])
    } else {
        dice.pick(&SERVERS)
    };
    let prefix = dice.pick(scene.prefixes);
    let mut dst = prefix.embed(server);
    if prefix.bits != 96 && dice.once_in(4) {
        dst[15] = dice.octet();
        dst[8] = dice.octet();
    }
    if dice.once_in(40) {
        dst = CLIENTS[0];
    }
    let protocol = dice.pick(&[17, 6, 58, 17, 6]);
    let port = |dice: &mut Dice<'_>| dice.pick(&[1000, 1001, 53, 7]);
    let (from, mut to) = (port(dice), port(dice));
    if server == POOL
        && let Some((_, _, outside)) = scene.bindings.get(dice.roll(scene.bindings.len().max(1)))
    {
        to = outside.1;
    }
    let mut body = transport(dice, protocol, from, to, true);
    let zero = usize::from(protocol == 17 && dice.once_in(40));
    seal(dice, &mut body, protocol, &|length| pseudo6(src, dst, protocol, length), zero);
    let next = if dice.once_in(30) { dice.pick(&[132, 50, 59, 4, 1, 135, 33, 136]) } else { protocol };
    if dice.once_in(5) {
        let parts = cut6(dice, src, dst, next, &body);
        return shuffled(dice, parts);
    }
    let (next, body) = if dice.once_in(6) { extended(dice, next, body) } else { (next, body) };
    let mut packet = header6(dice.octet(), body.len(), next, hops(dice), src, dst);
    packet[2] = dice.octet();
    packet.extend(body);
    vec![damaged(dice, packet)]
}

/// Packets from the IPv4 side that follow each other.
pub(crate) fn from_v4(dice: &mut Dice<'_>, scene: &Scene<'_>) -> Vec<Vec<u8>> {
    if !scene.seen4.is_empty() && dice.once_in(4) {
        let error = error4(dice, scene);
        return vec![damaged(dice, error)];
    }
    let mut src = dice.pick(&SERVERS);
    let mut protocol = dice.pick(&[17, 6, 1]);
    let mut ports = (dice.pick(&[53, 1000, 7]), dice.pick(&[1000, 1001, 7, 999]));
    if !scene.bindings.is_empty() && !dice.once_in(4) {
        let (of, _, outside) = scene.bindings[dice.roll(scene.bindings.len())];
        (protocol, ports.1) = (of, outside.1);
    }
    if !scene.sessions.is_empty() && dice.roll(2) == 0 {
        let (of, outside, peer) = scene.sessions[dice.roll(scene.sessions.len())];
        (protocol, src, ports) = (of, peer.0, (peer.1, outside.1));
    }
    if dice.once_in(30) {
        src = dice.pick(&[[127, 0, 0, 1], [0; 4], [224, 0, 0, 5], [255; 4]]);
    }
    let dst = if dice.once_in(40) { [192, 0, 2, 3] } else { POOL };
    let mut body = transport(dice, protocol, ports.0, ports.1, false);
    let zero = usize::from(protocol == 17 && dice.once_in(6));
    let pseudo = |length| if protocol == 1 { Vec::new() } else { pseudo4(src, dst, protocol, length) };
    seal(dice, &mut body, protocol, &pseudo, zero);
    let number = if dice.once_in(30) { dice.pick(&[132, 50, 51, 41, 58, 0, 33, 136]) } else { protocol };
    let ttl = hops(dice);
    let (tos, id, dont) = (dice.octet(), dice.word(), dice.roll(2) == 0);
    if dice.once_in(5) {
        let parts = cut4(dice, src, dst, number, id, &body);
        return shuffled(dice, parts);
    }
    let options: &[u8] = if dice.once_in(8) {
        dice.pick(&[
            &[1, 1, 1, 0][..],
            &[131, 7, 4, 10, 0, 0, 1, 0],
            &[131, 7, 8, 10, 0, 0, 1, 0],
            &[137, 3, 4, 1],
            &[7, 7, 4, 0, 0, 0, 0, 0],
            &[148, 4, 0, 0],
            &[148, 9, 0, 0],
            &[131, 2, 0, 0],
            &[0, 131, 7, 4],
        ])
    } else {
        &[]
    };
    vec![damaged(dice, header4(tos, id, dont, false, 0, ttl, number, src, dst, options, &body))]
}

#[allow(clippy::too_many_arguments, reason = "the fields of a header")]
fn header4(
    tos: u8,
    id: u16,
    dont: bool,
    more: bool,
    offset: usize,
    ttl: u8,
    number: u8,
    src: A4,
    dst: A4,
    options: &[u8],
    body: &[u8],
) -> Vec<u8> {
    let mut bytes = vec![0x45 + (options.len() / 4) as u8, tos, 0, 0];
    bytes.extend(id.to_be_bytes());
    let flags = u16::from(dont) << 14 | u16::from(more) << 13 | (offset / 8) as u16;
    bytes.extend(flags.to_be_bytes());
    bytes.extend([ttl, number, 0, 0]);
    bytes.extend(src);
    bytes.extend(dst);
    bytes.extend(options);
    bytes.extend(body);
    let length = bytes.len() as u16;
    put16(&mut bytes, 2, length);
    seal4(&mut bytes);
    bytes
}

fn hops(dice: &mut Dice<'_>) -> u8 {
    if dice.once_in(16) { dice.pick(&[0, 1, 2, 255]) } else { 64 }
}

/// A transport header and data, its checksum zero.
fn transport(dice: &mut Dice<'_>, protocol: u8, from: u16, to: u16, six: bool) -> Vec<u8> {
    let data = match dice.roll(6) {
        0..=2 => dice.roll(60),
        3 => 1180 + dice.roll(64),
        4 => 1340 + dice.roll(140),
        _ => dice.pick(&[0, 1460, 2000, 3001]),
    };
    let mut body = match protocol {
        17 => {
            let mut length = 8 + data;
            if dice.once_in(16) {
                length = dice.pick(&[0, 7, 8, length + 1, length.saturating_sub(1).max(8)]);
            }
            [from, to, length as u16, 0].map(u16::to_be_bytes).concat()
        }
        6 => {
            let mut bytes = [from, to].map(u16::to_be_bytes).concat();
            bytes.extend([1, 2, 3, dice.octet(), 5, 6, 7, 8]);
            let offset = if dice.once_in(20) { dice.pick(&[0x40, 0xf0, 0x60]) } else { 0x50 };
            let flags = dice.pick(&[2, 16, 0x12, 0x11, 4, 2, 0x14, 1, 6, 3, 0, 0xc2]);
            bytes.extend([offset, flags, 0xff, 0xff, 0, 0, 0, 0]);
            bytes
        }
        _ => {
            let queries = if six { [128, 128, 129] } else { [8, 0, 8] };
            let others = if six { [133, 135, 143, 5, 137, 200] } else { [13, 17, 10, 9, 30, 255] };
            let kind = if dice.once_in(12) { dice.pick(&others) } else { dice.pick(&queries) };
            let id = if six { from } else { to };
            [&[kind, 0, 0, 0][..], &id.to_be_bytes(), &[0, dice.octet()]].concat()
        }
    };
    body.extend((0..data).map(|i| (i * 7 + data) as u8));
    if dice.once_in(40) {
        body.truncate(dice.roll(24));
    }
    body
}

/// Fills in the checksum: the right one, a wrong one, or, with `zero`, none.
fn seal(dice: &mut Dice<'_>, body: &mut [u8], protocol: u8, pseudo: &dyn Fn(usize) -> Vec<u8>, zero: usize) {
    let at = match protocol {
        17 => 6,
        6 => 16,
        _ => 2,
    };
    if body.len() < at + 2 || zero == 1 {
        return;
    }
    let mut field = sealed(&[&pseudo(body.len()), body]);
    if protocol == 17 && field == 0 {
        field = 0xffff;
    }
    if dice.once_in(12) {
        field = dice.word();
    }
    put16(body, at, field);
}

/// Extension headers in front of `body`.
fn extended(dice: &mut Dice<'_>, next: u8, body: Vec<u8>) -> (u8, Vec<u8>) {
    let (mut next, mut body) = (next, body);
    for _ in 0..=dice.roll(3) {
        let kind = dice.pick(&[60, 0, 43, 44, 60, 51]);
        let header = match kind {
            // An atomic fragment.
            44 => fragment_header(next, 0, false, u32::from(dice.word()) << 16 | u32::from(dice.word())),
            43 => vec![next, 0, 0, u8::from(dice.once_in(3)), 0, 0, 0, 0],
            51 => vec![next, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0],
            _ if dice.once_in(8) => {
                let words = dice.pick(&[40, 126, 127]);
                [&[next, words, 1, 4, 0, 0, 0, 0][..], &vec![1; usize::from(words) * 8]].concat()
            }
            _ => vec![next, 0, 1, 4, 0, 0, 0, 0],
        };
        body = [header, body].concat();
        next = kind;
    }
    (next, body)
}

/// Where two or three parts of `length` octets begin and end; now and then they overlap, or one is missing.
fn bounds(dice: &mut Dice<'_>, length: usize) -> Vec<(usize, usize)> {
    let step = dice
        .pick(&[8, 16, 24, 512, 1232, 1240, 1480])
        .max(length / 24 / 8 * 8 + 8)
        .min(length.div_ceil(16) * 8 + 8);
    let mut parts: Vec<(usize, usize)> =
        (0..length.div_ceil(step)).map(|n| (n * step, ((n + 1) * step).min(length))).collect();
    if parts.len() > 4 {
        let tail = parts.split_off(3);
        parts.push((tail[0].0, length));
    }
    if dice.once_in(12) && !parts.is_empty() {
        parts.remove(dice.roll(parts.len()));
    }
    if dice.once_in(12) && !parts.is_empty() {
        let again = parts[dice.roll(parts.len())];
        parts.push((again.0, again.1.saturating_sub(8 * dice.roll(2)).max(again.0 + 1)));
    }
    parts
}

fn cut6(dice: &mut Dice<'_>, src: A6, dst: A6, next: u8, body: &[u8]) -> Vec<Vec<u8>> {
    let id = u32::from(dice.octet() % 4) << 16 | u32::from(dice.octet() % 4);
    let (class, hops) = (dice.octet(), hops(dice));
    let bounds = bounds(dice, body.len());
    let mut part = |(from, to): (usize, usize)| {
        let more = to < body.len() && !dice.once_in(40);
        let fragment = fragment_header(next, from, more, id);
        [header6(class, 8 + to - from, 44, hops, src, dst), fragment, body[from..to].to_vec()].concat()
    };
    bounds.into_iter().map(&mut part).collect()
}

fn cut4(dice: &mut Dice<'_>, src: A4, dst: A4, number: u8, id: u16, body: &[u8]) -> Vec<Vec<u8>> {
    let (tos, ttl, dont) = (dice.octet(), hops(dice), dice.once_in(6));
    let bounds = bounds(dice, body.len());
    let mut part = |(from, to): (usize, usize)| {
        let more = to < body.len() && !dice.once_in(40);
        header4(tos, id % 4, dont, more, from, ttl, number, src, dst, &[], &body[from..to])
    };
    bounds.into_iter().map(&mut part).collect()
}

fn shuffled(dice: &mut Dice<'_>, mut packets: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    for i in (1..packets.len()).rev() {
        packets.swap(i, dice.roll(i + 1));
    }
    packets
}

/// An ICMPv6 error about a packet that came out on the IPv6 side.
fn error6(dice: &mut Dice<'_>, scene: &Scene<'_>) -> Vec<u8> {
    let about = &scene.seen6[dice.roll(scene.seen6.len())];
    let (kind, code) = (dice.pick(&[1, 3, 2, 4, 1, 100]), dice.roll(7) as u8);
    let code = if kind == 4 { code / 3 } else { code };
    let word = match kind {
        2 => u32::from(dice.pick(&[1280_u16, 1300, 1500, 68, 9000, 0, 1400])),
        4 => dice.roll(48) as u32 + if dice.once_in(10) { 256 } else { 0 },
        _ => 0,
    };
    let body = error(dice, kind, code, word, about, [1, 3].contains(&kind).then_some((4, 8)), 40);
    let at = |from: usize| -> A6 { about[from..from + 16].try_into().unwrap() };
    let src = if dice.once_in(3) { [0x20, 1, 0xd, 0xb8, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1] } else { at(24) };
    let dst = at(8);
    let mut body = body;
    seal(dice, &mut body, 58, &|length| pseudo6(src, dst, 58, length), 0);
    [header6(dice.octet(), body.len(), 58, hops(dice), src, dst), body].concat()
}

/// An ICMPv4 error about a packet that came out on the IPv4 side.
fn error4(dice: &mut Dice<'_>, scene: &Scene<'_>) -> Vec<u8> {
    let about = &scene.seen4[dice.roll(scene.seen4.len())];
    let (kind, code) = (dice.pick(&[3, 11, 3, 12, 4, 5]), dice.roll(24) as u8);
    // "Fragmentation needed" is the one with most to it.
    let code = if code > 16 { 4 } else { code };
    let word = match (kind, code) {
        (3, 4) => u32::from(dice.pick(&[1400_u16, 0, 68, 1260, 1261, 9000, 0])),
        (12, _) => u32::from(dice.octet() % 24) << 24,
        _ => 0,
    };
    let code = if kind == 12 { code % 3 } else { code };
    let mut body = error(dice, kind, code, word, about, [3, 11, 12].contains(&kind).then_some((5, 4)), 20);
    let at = |from: usize| -> A4 { about[from..from + 4].try_into().unwrap() };
    let src =
        if dice.once_in(3) { dice.pick(&[[198, 51, 100, 254], [9, 1, 1, 1], [10, 0, 0, 1]]) } else { at(16) };
    seal(dice, &mut body, 1, &|_| Vec::new(), 0);
    header4(dice.octet(), dice.word(), false, false, 0, hops(dice), 1, src, at(12), &[], &body)
}

/// Header, quoted packet as far as it is quoted, and perhaps an extension with the `length` field that it needs.
fn error(
    dice: &mut Dice<'_>,
    kind: u8,
    code: u8,
    word: u32,
    about: &[u8],
    length: Option<(usize, usize)>,
    header: usize,
) -> Vec<u8> {
    let most = match dice.roll(5) {
        0 => header + 8,
        1 => header + dice.roll(40),
        2 => 528,
        3 => 1232,
        _ => 1472,
    };
    let mut quoted = about[..about.len().min(most)].to_vec();
    // Routers change it, and it is kept.
    let hop = if header == 40 { 7 } else { 8 };
    if quoted.len() > hop {
        quoted[hop] = dice.octet();
    }
    let mut out = [&[kind, code, 0, 0][..], &word.to_be_bytes()].concat();
    match length {
        Some((at, unit)) if dice.once_in(3) => {
            let least = if dice.once_in(6) { 0 } else { 128 };
            let padded = quoted.len().max(least).next_multiple_of(unit);
            if padded / unit < 256 {
                quoted.resize(padded, 0);
                out[at] = if dice.once_in(10) { dice.octet() } else { (padded / unit) as u8 };
            }
            out.extend(&quoted);
            let extension = dice.pick(&[12, 40, 0, 420, 421, 520, 1104, 1105]);
            out.extend((0..extension).map(|i| (i * 3 + 0x20) as u8));
        }
        _ => out.extend(&quoted),
    }
    out
}

/// Now and then something is broken or added behind.
fn damaged(dice: &mut Dice<'_>, mut packet: Vec<u8>) -> Vec<u8> {
    if dice.once_in(12) {
        packet.extend([0xee; 9]);
    }
    if dice.once_in(10) {
        for _ in 0..=dice.roll(3) {
            let reach = if dice.roll(2) == 0 { 60 } else { packet.len() };
            let at = dice.roll(reach.min(packet.len()).max(1));
            if let Some(octet) = packet.get_mut(at) {
                *octet ^= dice.octet();
            }
        }
        let header = usize::from(packet.first().copied().unwrap_or(0) & 15) * 4;
        let four =
            packet.first().is_some_and(|octet| octet >> 4 == 4) && header >= 20 && packet.len() >= header;
        if four && be16(&packet, 2) > 0 && !dice.once_in(3) {
            seal4(&mut packet);
        }
    }
    if dice.once_in(40) {
        packet.truncate(dice.roll(packet.len() + 1));
    }
    packet
}
