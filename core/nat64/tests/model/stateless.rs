//! The stateless translator: RFC 7915 with the mappings of RFC 7757.

use sixgate_reason::{self as reason, Reason};

use crate::errors::{self, ends, error4_of_any, error6_of_any, said};
use crate::octets::{A4, A6, Prefix, be16, non_global4, unusable4, unusable6};
use crate::read::{Bad4, Bad6, Four, Six, read4, read6, trimmed4, trimmed6};
use crate::state::Fate;
use crate::tables;
use crate::write::{Ends, Header4, Sent, fill_checksum, header4, header6, own4, own6, to_v4, to_v6};

/// An explicit mapping: the addresses and lengths of both sides.
pub(crate) type Mapping = ((A6, u32), (A4, u32));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turning {
    Off,
    Simple,
    Intrinsic,
}

#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) prefixes: Vec<Prefix>,
    pub(crate) mappings: Vec<Mapping>,
    pub(crate) turning: Turning,
    pub(crate) compute: bool,
    pub(crate) lifted: bool,
    pub(crate) reset: bool,
    pub(crate) lowest: usize,
    pub(crate) mtu4: usize,
    pub(crate) mtu6: usize,
    pub(crate) gateway4: A4,
    pub(crate) gateway6: A6,
    /// RFC 6791: one address each, or the gateway's own.
    pub(crate) source4: Option<A4>,
    pub(crate) source6: Option<A6>,
}

struct No(Reason, Option<(u8, u8, u32)>);

type Verdict = Result<Sent, No>;

fn silent<T>(reason: Reason) -> Result<T, No> {
    Err(No(reason, None))
}

fn told<T>(reason: Reason, kind: u8, code: u8, word: u32) -> Result<T, No> {
    Err(No(reason, Some((kind, code, word))))
}

/// An address, and whether a prefix made it.
type Found<A> = (A, Option<Prefix>);

pub(crate) struct Plain {
    pub(crate) rules: Rules,
    out: Vec<Sent>,
}

impl Plain {
    pub(crate) fn new(rules: Rules) -> Self {
        Self { rules, out: Vec::new() }
    }

    pub(crate) fn outbound(&mut self, bytes: &[u8]) -> (Fate, Vec<Sent>) {
        let verdict = self.six(bytes).map_err(|No(reason, word)| {
            if let Some(word) = word {
                self.out.extend(own6(bytes, self.rules.gateway6, word));
            }
            reason
        });
        self.settle(verdict)
    }

    pub(crate) fn inbound(&mut self, bytes: &[u8]) -> (Fate, Vec<Sent>) {
        let verdict = self.four_told(bytes, None);
        self.settle(verdict)
    }

    fn settle(&mut self, verdict: Result<Sent, Reason>) -> (Fate, Vec<Sent>) {
        let mut sent = std::mem::take(&mut self.out);
        match verdict {
            Ok(packet) => {
                sent.insert(0, packet);
                (Fate::Translated, sent)
            }
            Err(reason) => (Fate::Drop(reason), sent),
        }
    }

    /// `turned` when it was an IPv6 packet a moment ago; then with a fresh identification or not.
    fn four_told(&mut self, bytes: &[u8], turned: Option<bool>) -> Result<Sent, Reason> {
        self.four(bytes, turned.is_some()).map_err(|No(reason, word)| {
            if let Some(word) = word {
                let error = own4(trimmed4(bytes, false).unwrap_or(bytes), self.rules.gateway4, word);
                self.out.extend(error.map(|e| Sent { quotes_fresh: turned == Some(true), ..e }));
            }
            reason
        })
    }

    fn turn(&mut self, sent: &Sent) -> Verdict {
        self.four_told(&sent.bytes, Some(sent.fresh)).map_err(|reason| No(reason, None))
    }

    /// RFC 7757, section 3.3.2: the longest mapping, else a prefix.
    fn v4_of(&self, v6: A6) -> Option<Found<A4>> {
        let bits = u128::from_be_bytes(v6);
        let fits = |m: &&Mapping| first(bits, m.0.1) == first(u128::from_be_bytes(m.0.0), m.0.1);
        let longest = self.rules.mappings.iter().filter(fits).max_by_key(|m| m.0.1);
        if let Some(((_, six), (v4, four))) = longest {
            // The bits behind the prefix, as many as IPv4 has room for.
            let mut bits4 = u32::from_be_bytes(*v4);
            for n in 0..32 - four {
                let bit = bits >> (127 - six - n) & 1;
                bits4 |= (bit as u32) << (31 - four - n);
            }
            return Some((bits4.to_be_bytes(), None));
        }
        self.rules.prefixes.iter().find_map(|p| Some((p.extract(v6)?, Some(*p))))
    }

    fn mapping4(&self, v4: A4) -> Option<&Mapping> {
        let bits = u128::from(u32::from_be_bytes(v4)) << 96;
        let fits =
            |m: &&Mapping| first(bits, m.1.1) == first(u128::from(u32::from_be_bytes(m.1.0)) << 96, m.1.1);
        self.rules.mappings.iter().filter(fits).max_by_key(|m| m.1.1)
    }

    /// RFC 7757, section 3.3.1.
    fn v6_of(&self, v4: A4, without_mappings: bool) -> Option<A6> {
        if !without_mappings && let Some(((v6, six), (_, four))) = self.mapping4(v4) {
            let bits = u32::from_be_bytes(v4);
            let mut bits6 = u128::from_be_bytes(*v6);
            for n in 0..32 - four {
                let bit = bits >> (31 - four - n) & 1;
                bits6 |= u128::from(bit) << (127 - six - n);
            }
            return Some(bits6.to_be_bytes());
        }
        let carries = |p: &&Prefix| self.rules.lifted || !p.is_well_known() || !non_global4(v4);
        Some(self.rules.prefixes.iter().find(carries)?.embed(v4))
    }

    fn allows(&self, (v4, prefix): Found<A4>) -> bool {
        let carries = prefix.is_none_or(|p| self.rules.lifted || !p.is_well_known() || !non_global4(v4));
        !unusable4(v4) && carries
    }

    fn turns(&self, (v4, prefix): Found<A4>) -> bool {
        self.rules.turning == Turning::Intrinsic && prefix.is_some() && self.mapping4(v4).is_some()
    }

    fn six(&mut self, bytes: &[u8]) -> Verdict {
        let bytes = trimmed6(bytes, false).map_err(|reason| No(reason, None))?;
        let address = |at: usize| -> A6 { bytes[at..at + 16].try_into().unwrap() };
        let (src, dst) = (address(8), address(24));
        if unusable6(src) {
            return silent(reason::NAT64_SOURCE_MARTIAN);
        }
        let Some(to) = self.v4_of(dst) else { return told(reason::SIIT_DESTINATION_UNMAPPED, 1, 0, 0) };
        if !self.allows(to) {
            return told(reason::NAT64_DESTINATION_DENIED, 1, 1, 0);
        }
        let six = read6(bytes, false).map_err(|bad| match bad {
            Bad6::Malformed(reason) => No(reason, None),
            Bad6::Routing(at) => No(reason::NAT64_ROUTING_HEADER, Some((4, 0, at as u32))),
            Bad6::Behind => No(reason::MALFORMED_EXTENSION, Some((1, 1, 0))),
        })?;
        if six.hops <= 1 {
            return told(reason::NAT64_HOP_LIMIT, 3, 0, 0);
        }
        if six.next == 1 || six.next == 51 && six.part.is_some() {
            return told(reason::NAT64_PROTOCOL, 1, 4, 0);
        }
        if six.next == 58 && six.is_part() {
            return silent(reason::SIIT_ICMP_FRAGMENT);
        }
        if six.next == 58 && six.body.first().is_some_and(|kind| *kind < 128) {
            return self.error_out(&six, to.0);
        }
        let Some(from) = self.v4_of(src) else { return told(reason::SIIT_SOURCE_UNMAPPED, 1, 5, 0) };
        if !self.allows(from) {
            return silent(reason::NAT64_SOURCE_MARTIAN);
        }
        let part = six.part.filter(|_| six.is_part()).map(|p| p.offset);
        if six.next == 17 && part.is_none_or(|p| p == 0) && six.body.len() >= 8 && be16(&six.body, 6) == 0 {
            return silent(reason::NAT64_UDP_ZERO_CHECKSUM);
        }
        let (src_port, dst_port) = ports(six.next, 58, part, &six.body, [128, 129])?;
        let total = 20 + six.body.len();
        let large = six.part.is_none() && total > 1260;
        let turns = self.turns(to);
        if turns {
            if six.hops <= 2 {
                return told(reason::NAT64_HOP_LIMIT, 3, 0, 0);
            }
            let mtu = self.rules.mtu6.max(1280);
            if large && total + 20 > mtu {
                return told(reason::NAT64_TOO_BIG, 2, 0, mtu as u32);
            }
        } else if large && total > self.rules.mtu4 {
            return told(reason::NAT64_TOO_BIG, 2, 0, (self.rules.mtu4 + 20).max(1280) as u32);
        }
        let ends = Ends { src: from.0, dst: to.0, src_port, dst_port };
        let sent = to_v4(&six, &ends, six.body.len(), self.rules.reset);
        if turns { self.turn(&sent) } else { Ok(sent) }
    }

    fn error_out(&mut self, six: &Six, to: A4) -> Verdict {
        let Some((kind, code, word)) = said(&six.body) else { return silent(reason::MALFORMED_TRANSPORT) };
        let untranslatable = || No(reason::NAT64_ICMP_UNTRANSLATABLE, None);
        tables::to_v4(kind, code, word, false, 65_535, 65_535).ok_or_else(untranslatable)?;
        let unmapped = || No(reason::SIIT_QUOTE_UNMAPPED, None);
        let error = error6_of_any(&six.body).ok_or_else(unmapped)?;
        let src = self.v4_of(error.quoted.src).ok_or_else(unmapped)?;
        let dst = self.v4_of(error.quoted.dst).ok_or_else(unmapped)?;
        let turns = self.turns(src);
        let mtu4 = if turns { 65_535 } else { self.rules.mtu4 as u32 };
        let fragmented = error.quoted.part.is_some();
        let said = tables::to_v4(kind, code, word, fragmented, mtu4, self.rules.mtu6 as u32);
        let said = said.ok_or_else(untranslatable)?;
        let inner = Ends { src: src.0, dst: dst.0, src_port: error.ports.0, dst_port: error.ports.1 };
        let body = errors::to_v4(&six.body, &error, said, &inner, (six.src, six.dst));
        let router = self.v4_of(six.src).filter(|found| self.allows(*found));
        let header = Header4 {
            tos: if self.rules.reset { 0 } else { six.class },
            length: body.len(),
            id: 0,
            dont_fragment: false,
            more: false,
            offset: 0,
            ttl: six.hops - 1,
            number: 1,
            src: router.map_or(self.rules.source4.unwrap_or(self.rules.gateway4), |found| found.0),
            dst: to,
        };
        let sent = Sent::four([header4(&header), body].concat(), true);
        if turns { self.turn(&sent) } else { Ok(sent) }
    }

    fn four(&mut self, bytes: &[u8], turned: bool) -> Verdict {
        let malformed = |_| No(reason::MALFORMED_IPV4, None);
        let bytes = trimmed4(bytes, false).map_err(malformed)?;
        let address = |at: usize| -> A4 { bytes[at..at + 4].try_into().unwrap() };
        let (src, dst) = (address(12), address(16));
        if unusable4(src) {
            return silent(reason::NAT64_SOURCE_MARTIAN);
        }
        if unusable4(dst) {
            return silent(reason::NAT64_DESTINATION_DENIED);
        }
        let Some(to) = self.v6_of(dst, false) else {
            return told(reason::SIIT_DESTINATION_UNMAPPED, 3, 1, 0);
        };
        let mut four = read4(bytes, false).map_err(|bad| match bad {
            Bad4::Malformed => No(reason::MALFORMED_IPV4, None),
            Bad4::SourceRoute => No(reason::NAT64_SOURCE_ROUTE, Some((3, 5, 0))),
        })?;
        if four.ttl <= 1 {
            return told(reason::NAT64_HOP_LIMIT, 11, 0, 0);
        }
        if [0, 43, 44, 58, 60].contains(&four.number) {
            return told(reason::NAT64_PROTOCOL, 3, 2, 0);
        }
        if four.number == 1 && four.part.is_some() {
            return silent(reason::SIIT_ICMP_FRAGMENT);
        }
        let embedded = turned || self.rules.turning == Turning::Simple;
        if four.number == 1 && four.body.first().is_some_and(|kind| [3, 4, 5, 11, 12].contains(kind)) {
            return self.error_in(&four, to, embedded, turned);
        }
        let Some(from) = self.v6_of(src, embedded) else {
            return told(reason::SIIT_SOURCE_UNMAPPED, 3, 13, 0);
        };
        let part = four.part.map(|p| p.offset);
        let (src_port, dst_port) = ports(four.number, 1, part, &four.body, [8, 0])?;
        if four.number == 17 && part.is_none_or(|p| p == 0) && be16(&four.body, 6) == 0 {
            if part.is_some() || !self.rules.compute {
                return told(reason::NAT64_UDP_ZERO_CHECKSUM, 3, 13, 0);
            }
            self.must_fit(&four)?;
            fill_checksum(&mut four);
        }
        self.must_fit(&four)?;
        let limit = self.rules.mtu6.min(self.rules.lowest).max(1280);
        let ends = Ends { src: from, dst: to, src_port, dst_port };
        let mut pieces = to_v6(&four, &ends, four.body.len(), limit, self.rules.reset);
        let packet = pieces.remove(0);
        self.out.extend(pieces);
        Ok(packet)
    }

    fn must_fit(&self, four: &Four) -> Result<(), No> {
        let headers = if four.part.is_some() { 48 } else { 40 };
        if four.dont_fragment && headers + four.body.len() > self.rules.mtu6 {
            return told(reason::NAT64_TOO_BIG, 3, 4, (self.rules.mtu6 + 20 - headers) as u32);
        }
        Ok(())
    }

    fn error_in(&mut self, four: &Four, to: A6, embedded: bool, turned: bool) -> Verdict {
        let Some((kind, code, word)) = said(&four.body) else { return silent(reason::MALFORMED_TRANSPORT) };
        let untranslatable = || No(reason::NAT64_ICMP_UNTRANSLATABLE, None);
        tables::to_v6(kind, code, word, 0, 65_535, 65_535).ok_or_else(untranslatable)?;
        let unmapped = || No(reason::SIIT_QUOTE_UNMAPPED, None);
        let error = error4_of_any(&four.body).ok_or_else(unmapped)?;
        let src = self.v6_of(error.quoted.src, false).ok_or_else(unmapped)?;
        let dst = self.v6_of(error.quoted.dst, embedded).ok_or_else(unmapped)?;
        let mtu4 = if turned { 65_535 } else { self.rules.mtu4 as u32 };
        let total = usize::from(be16(&four.body[8..], 2));
        let said = tables::to_v6(kind, code, word, total, mtu4, self.rules.mtu6 as u32);
        let said = said.ok_or_else(untranslatable)?;
        let router = self.v6_of(four.src, embedded && four.src == error.quoted.dst);
        let from = router.or(self.rules.source6).unwrap_or(self.rules.gateway6);
        let inner = Ends { src, dst, src_port: error.ports.0, dst_port: error.ports.1 };
        let body = errors::to_v6(&four.body, &error, said, &inner, (from, to));
        let class = if self.rules.reset { 0 } else { four.tos };
        Ok(Sent::six([header6(class, body.len(), 58, four.ttl - 1, from, to), body].concat()))
    }
}

/// The first `many` bits.
fn first(bits: u128, many: u32) -> u128 {
    bits.checked_shr(128 - many).unwrap_or(0)
}

/// Ports, where the packet has them and must.
fn ports(number: u8, icmp: u8, part: Option<usize>, body: &[u8], echo: [u8; 2]) -> Result<(u16, u16), No> {
    let least = match number {
        6 => 20,
        17 | 33 | 136 => 8,
        number if number == icmp => 8,
        _ => 0,
    };
    match part {
        Some(1..) => return Ok((0, 0)),
        // RFC 7112, as far as it can be seen here.
        Some(0) if body.len() < least => return silent(reason::NAT64_FRAGMENT_OVERLAP),
        None if body.len() < least => return silent(reason::MALFORMED_TRANSPORT),
        Some(_) | None => {}
    }
    let whole = part.is_none();
    let offset = body.get(12).map_or(0, |octet| usize::from(octet >> 4) * 4);
    let length = if number == 17 { usize::from(be16(body, 4)) } else { 0 };
    match number {
        6 if whole && (offset < 20 || offset > body.len()) => silent(reason::MALFORMED_TRANSPORT),
        17 if whole && (length < 8 || length > body.len()) => silent(reason::MALFORMED_TRANSPORT),
        6 | 17 => ends(false, body, number, echo).map_or_else(|| silent(reason::NAT64_FRAGMENT_OVERLAP), Ok),
        number if number == icmp => {
            ends(true, body, number, echo).map_or_else(|| silent(reason::NAT64_ICMP_UNTRANSLATABLE), Ok)
        }
        _ => Ok((0, 0)),
    }
}
