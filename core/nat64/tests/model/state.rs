//! The state: RFC 6146, section 3, in ordered maps. Time is whole seconds.

use std::collections::BTreeMap;

use sixgate_reason::{self as reason, Reason};

use crate::asks::{Ask, Kind, No, Session, ask6, headless, lifetime, probe, segment, silent, step, told};
use crate::errors::{self, ends, error4, error6, said};
use crate::octets::{A4, A6, Prefix, be16, non_global4, unusable4, unusable6};
use crate::parts::Parts;
use crate::read::{Bad4, Bad6, Four, Six, read4, read6, trimmed4, trimmed6};
use crate::tables;
use crate::write::{Ends, Header4, Sent, fill_checksum, header4, header6, own4, own6, to_v4, to_v6};

pub(crate) type Inside = (A6, u16);
pub(crate) type Outside = (A4, u16);
pub(crate) type Peer = (A4, u16);

/// TCP, UDP or ICMP queries, by the number that IPv4 has for them.
pub(crate) type Protocol = u8;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) prefixes: Vec<Prefix>,
    pub(crate) pool: A4,
    pub(crate) ports: (u16, u16),
    pub(crate) statics: Vec<(Protocol, Outside, Inside)>,
    pub(crate) address_dependent: bool,
    pub(crate) echo_in: bool,
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

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Translated,
    Consumed,
    Drop(Reason),
}

#[derive(Clone, Debug)]
struct Binding {
    outside: Outside,
    fixed: bool,
    /// Which prefix the inside used last for somebody new.
    prefix: usize,
}

struct Held {
    outside: Outside,
    peer: Peer,
    since: u64,
    quote: Vec<u8>,
}

/// Knows which outside the shipped one chose for a binding that is new.
pub(crate) type Oracle<'a> = &'a dyn Fn(Protocol, Inside) -> Option<Outside>;

pub(crate) struct Model {
    pub(crate) set: Settings,
    bib: BTreeMap<(Protocol, Inside), Binding>,
    pub(crate) sessions: BTreeMap<(Protocol, Inside, Peer), Session>,
    held: Vec<Held>,
    parts6: Parts<(A6, A6, u32, u8), Ends<A4>>,
    parts4: Parts<(A4, A4, u16, u8), Ends<A6>>,
    /// Beside the packet itself.
    out: Vec<Sent>,
    now: u64,
}

type Verdict = Result<Option<Sent>, No>;

impl Model {
    pub(crate) fn new(set: Settings) -> Self {
        let mut bib = BTreeMap::new();
        for (protocol, outside, inside) in &set.statics {
            bib.insert((*protocol, *inside), Binding { outside: *outside, fixed: true, prefix: 0 });
        }
        Self {
            set,
            bib,
            sessions: BTreeMap::new(),
            held: Vec::new(),
            parts6: Parts::new(),
            parts4: Parts::new(),
            out: Vec::new(),
            now: 0,
        }
    }

    pub(crate) fn bindings(&self) -> Vec<(Protocol, Inside, Outside)> {
        self.bib.iter().map(|((protocol, inside), b)| (*protocol, *inside, b.outside)).collect()
    }

    /// Section 4 of RFC 6146: what ends by `now`, and what is sent because of it.
    pub(crate) fn pass_time(&mut self, now: u64) -> Vec<Sent> {
        self.now = now;
        let mut sent = Vec::new();
        let due: Vec<_> = self.sessions.iter().filter(|(_, s)| s.expires <= now).map(|(k, _)| *k).collect();
        for key in due {
            let session = self.sessions.get_mut(&key).unwrap();
            if session.kind == Kind::Established {
                session.kind = Kind::Trans;
                session.expires = now + 240;
                let prefix = self.set.prefixes[session.prefix];
                sent.push(probe(prefix.embed(key.2.0), key.2.1, key.1));
            } else {
                self.sessions.remove(&key);
                self.unbind_if_last(key.0, key.1);
            }
        }
        let (over, held): (Vec<Held>, Vec<Held>) =
            std::mem::take(&mut self.held).into_iter().partition(|h| h.since + 6 <= now);
        self.held = held;
        for syn in over {
            sent.extend(own4(&syn.quote, self.set.gateway4, (3, 3, 0)));
        }
        self.parts6.expire(now);
        self.parts4.expire(now);
        sent
    }

    fn unbind_if_last(&mut self, protocol: Protocol, inside: Inside) {
        let used = self.sessions.keys().any(|k| (k.0, k.1) == (protocol, inside));
        if !used && self.bib.get(&(protocol, inside)).is_some_and(|b| !b.fixed) {
            self.bib.remove(&(protocol, inside));
        }
    }

    /// A packet from the IPv6 side; what is sent, the packet itself first.
    pub(crate) fn outbound(&mut self, bytes: &[u8], oracle: Oracle<'_>) -> (Fate, Vec<Sent>) {
        let verdict = self.six_in(bytes, oracle);
        let verdict = verdict.map_err(|no| {
            if let Some(word) = no.word {
                self.out.extend(own6(bytes, self.set.gateway6, word));
            }
            no.reason
        });
        self.settle(verdict)
    }

    /// A packet from the IPv4 side.
    pub(crate) fn inbound(&mut self, bytes: &[u8]) -> (Fate, Vec<Sent>) {
        let verdict = if self.is_forged(bytes) {
            Err(reason::NAT64_SOURCE_MARTIAN)
        } else {
            self.four_in_told(bytes, false)
        };
        self.settle(verdict)
    }

    /// It comes from outside and says that it comes from the pool.
    fn is_forged(&self, bytes: &[u8]) -> bool {
        let Ok(bytes) = trimmed4(bytes, false) else { return false };
        if bytes[12..16] != self.set.pool || be16(bytes, 6) & 0x1fff != 0 {
            return false;
        }
        let (number, body) = (bytes[9], &bytes[usize::from(bytes[0] & 15) * 4..]);
        let Some((port, _)) = errors::ends(number == 1, body, number, [8, 0]) else { return false };
        let (first, last) = self.set.ports;
        let fixed = |(p, o, _): &(Protocol, Outside, Inside)| (*p, *o) == (number, (self.set.pool, port));
        (first..=last).contains(&port) || self.set.statics.iter().any(fixed)
    }

    fn settle(&mut self, verdict: Result<Option<Sent>, Reason>) -> (Fate, Vec<Sent>) {
        let mut sent = std::mem::take(&mut self.out);
        match verdict {
            Ok(Some(packet)) => {
                sent.insert(0, packet);
                (Fate::Translated, sent)
            }
            Ok(None) => (Fate::Consumed, sent),
            Err(reason) => (Fate::Drop(reason), sent),
        }
    }

    /// `fresh` when the identification of the packet is a fresh one, which the error quotes.
    fn four_in_told(&mut self, bytes: &[u8], fresh: bool) -> Result<Option<Sent>, Reason> {
        self.four_in(bytes).map_err(|no| {
            if let Some(word) = no.word {
                let bytes = trimmed4(bytes, false).unwrap_or(bytes);
                let error = own4(bytes, self.set.gateway4, word);
                self.out.extend(error.map(|error| Sent { quotes_fresh: fresh, ..error }));
            }
            no.reason
        })
    }

    fn six_in(&mut self, bytes: &[u8], oracle: Oracle<'_>) -> Verdict {
        let bytes = trimmed6(bytes, false).map_err(silent)?;
        let address = |at: usize| -> A6 { bytes[at..at + 16].try_into().unwrap() };
        let (src, dst) = (address(8), address(24));
        if unusable6(src) {
            return Err(silent(reason::NAT64_SOURCE_MARTIAN));
        }
        if self.set.prefixes.iter().any(|p| p.contains(src)) {
            return Err(silent(reason::NAT64_SOURCE_IN_PREFIX));
        }
        let found = self.set.prefixes.iter().position(|p| p.contains(dst));
        let Some(prefix) = found else { return Err(silent(reason::NAT64_NOT_OURS)) };
        let target = self.set.prefixes[prefix].extract(dst).unwrap();
        if unusable4(target) || !self.may_stand_in(prefix, target) {
            return Err(told(reason::NAT64_DESTINATION_DENIED, 1, 1, 0));
        }
        let six = read6(bytes, false).map_err(|bad| match bad {
            Bad6::Malformed(reason) => silent(reason),
            Bad6::Routing(at) => told(reason::NAT64_ROUTING_HEADER, 4, 0, at as u32),
            Bad6::Behind => told(reason::MALFORMED_EXTENSION, 1, 1, 0),
        })?;
        if six.hops <= 1 {
            return Err(told(reason::NAT64_HOP_LIMIT, 3, 0, 0));
        }
        if ![6, 17, 58].contains(&six.next) {
            return Err(told(reason::NAT64_PROTOCOL, 1, 4, 0));
        }
        if six.is_part() {
            return self.part6(bytes, &six, prefix, target, oracle);
        }
        if six.next == 58 && six.body.first().is_some_and(|kind| *kind < 128) {
            return self.error_out(&six, target);
        }
        let total = 20 + six.body.len();
        if target != self.set.pool && six.part.is_none() && total > 1260 && total > self.set.mtu4 {
            return Err(told(reason::NAT64_TOO_BIG, 2, 0, (self.set.mtu4 + 20).max(1280) as u32));
        }
        let ends = self.map6(&six, prefix, target, oracle)?;
        let sent = to_v4(&six, &ends, six.body.len(), self.set.reset);
        self.leave(sent, target)
    }

    /// Out, or in again when it is for one of our own.
    fn leave(&mut self, sent: Sent, target: A4) -> Verdict {
        if target != self.set.pool {
            return Ok(Some(sent));
        }
        match self.four_in_told(&sent.bytes, sent.fresh) {
            // The first comes after what was sent beside it.
            Ok(Some(packet)) => {
                self.out.push(packet);
                Ok(None)
            }
            Ok(None) => Ok(None),
            Err(reason) => Err(silent(reason)),
        }
    }

    fn may_stand_in(&self, prefix: usize, address: A4) -> bool {
        self.set.lifted || !self.set.prefixes[prefix].is_well_known() || !non_global4(address)
    }

    fn map6(&mut self, six: &Six, prefix: usize, target: A4, oracle: Oracle<'_>) -> Result<Ends<A4>, No> {
        let ask = ask6(six)?;
        let (src, dst) = ends(six.next == 58, &six.body, six.next, [128, 129])
            .ok_or(silent(reason::NAT64_ICMP_UNTRANSLATABLE))?;
        let protocol = crate::write::number4(six.next);
        let peer = (target, if protocol == 1 { 0 } else { dst });
        let outside = self.outside(protocol, (six.src, src), peer, prefix, ask, oracle)?;
        let dst_port = if protocol == 1 { outside.1 } else { dst };
        Ok(Ends { src: outside.0, dst: target, src_port: outside.1, dst_port })
    }

    /// RFC 6146, sections 3.5.1.1, 3.5.2.2 and 3.5.3.1: packets from the inside.
    fn outside(
        &mut self,
        protocol: Protocol,
        inside: Inside,
        peer: Peer,
        prefix: usize,
        ask: Ask,
        oracle: Oracle<'_>,
    ) -> Result<Outside, No> {
        if let Some(session) = self.sessions.get_mut(&(protocol, inside, peer)) {
            step(session, true, ask, self.now);
            session.prefix = prefix;
            return Ok(self.bib[&(protocol, inside)].outside);
        }
        let bound = self.bib.get(&(protocol, inside)).map(|b| b.outside);
        match (ask, bound) {
            (Ask::Reply, _) => return Err(silent(reason::NAT64_ECHO_UNSOLICITED)),
            (Ask::Segment { opens: false, .. }, Some(outside)) => return Ok(outside),
            (Ask::Segment { opens: false, .. }, None) => {
                return Err(told(reason::NAT64_TCP_NO_SESSION, 1, 3, 0));
            }
            (Ask::Datagram | Ask::Request | Ask::Segment { .. }, _) => {}
        }
        let outside = match bound {
            Some(outside) => outside,
            None => self.choose(protocol, inside, peer, oracle).ok_or(told(
                reason::NAT64_POOL_EXHAUSTED,
                1,
                3,
                0,
            ))?,
        };
        let binding = self.bib.entry((protocol, inside)).or_insert(Binding { outside, fixed: false, prefix });
        binding.prefix = prefix;
        let met = self.held.iter().position(|h| protocol == 6 && (h.outside, h.peer) == (outside, peer));
        let kind = match ask {
            Ask::Datagram => Kind::Datagram,
            Ask::Request | Ask::Reply => Kind::Query,
            Ask::Segment { .. } if met.is_some() => Kind::Established,
            Ask::Segment { .. } => Kind::V6Init,
        };
        if let Some(met) = met {
            self.held.remove(met);
        }
        self.sessions
            .insert((protocol, inside, peer), Session { kind, expires: self.now + lifetime(kind), prefix });
        Ok(outside)
    }

    /// The shipped one's choice, which must be one that was free to take.
    fn choose(&self, protocol: Protocol, inside: Inside, peer: Peer, oracle: Oracle<'_>) -> Option<Outside> {
        let taken = |o: Outside| self.bib.iter().any(|((p, _), b)| *p == protocol && b.outside == o);
        let (first, last) = self.set.ports;
        let free = (first..=last).any(|port| !taken((self.set.pool, port)));
        let chosen = oracle(protocol, inside);
        assert_eq!(chosen.is_some(), free, "a pool that is exhausted, or is not");
        let chosen = chosen?;
        assert!(!taken(chosen), "{chosen:?} belongs to somebody else");
        assert!(
            chosen.0 == self.set.pool && (first..=last).contains(&chosen.1),
            "{chosen:?} is not in the pool"
        );
        // Whoever calls an inside that does not listen yet is met by the one that it opens.
        let waits: Vec<Outside> = self.held.iter().filter(|h| h.peer == peer).map(|h| h.outside).collect();
        if protocol == 6 && waits.iter().all(|o| !taken(*o)) && !waits.is_empty() {
            assert!(waits.contains(&chosen), "{peer:?} waits for {waits:?}, not {chosen:?}");
        }
        Some(chosen)
    }

    fn error_out(&mut self, six: &Six, target: A4) -> Verdict {
        let unknown = silent(reason::NAT64_ICMP_ERROR_UNKNOWN);
        let (kind, code, word) = said(&six.body).ok_or(unknown)?;
        let untranslatable = silent(reason::NAT64_ICMP_UNTRANSLATABLE);
        tables::to_v4(kind, code, word, false, 65_535, 65_535).ok_or(untranslatable)?;
        let error = error6(&six.body).ok_or(unknown)?;
        let quoted = &error.quoted;
        let protocol = crate::write::number4(quoted.next);
        let from = self.set.prefixes.iter().position(|p| p.contains(six.dst)).unwrap();
        if self.set.prefixes[from].extract(quoted.src) != Some(target) {
            return Err(unknown);
        }
        let inside = (quoted.dst, error.ports.1);
        let peer = (target, if protocol == 1 { 0 } else { error.ports.0 });
        self.sessions.get(&(protocol, inside, peer)).ok_or(unknown)?;
        let outside = self.bib[&(protocol, inside)].outside;
        let (mtu4, mtu6) = (self.set.mtu4 as u32, self.set.mtu6 as u32);
        let to = tables::to_v4(kind, code, word, quoted.part.is_some(), mtu4, mtu6).ok_or(untranslatable)?;
        let src_port = if protocol == 1 { outside.1 } else { peer.1 };
        let inner = Ends { src: target, dst: outside.0, src_port, dst_port: outside.1 };
        let body = errors::to_v4(&six.body, &error, to, &inner, (six.src, six.dst));
        let header = Header4 {
            tos: if self.set.reset { 0 } else { six.class },
            length: body.len(),
            id: 0,
            dont_fragment: false,
            more: false,
            offset: 0,
            ttl: six.hops - 1,
            number: 1,
            src: if six.src == inside.0 { outside.0 } else { self.set.source4.unwrap_or(self.set.gateway4) },
            dst: target,
        };
        self.leave(Sent::four([header4(&header), body].concat(), true), target)
    }

    fn four_in(&mut self, bytes: &[u8]) -> Verdict {
        let malformed = |_| silent(reason::MALFORMED_IPV4);
        let bytes = trimmed4(bytes, false).map_err(malformed)?;
        let address = |at: usize| -> A4 { bytes[at..at + 4].try_into().unwrap() };
        if unusable4(address(12)) {
            return Err(silent(reason::NAT64_SOURCE_MARTIAN));
        }
        let dst = address(16);
        if dst != self.set.pool && !self.set.statics.iter().any(|(_, o, _)| o.0 == dst) {
            return Err(silent(reason::NAT64_NOT_OURS));
        }
        let mut four = read4(bytes, false).map_err(|bad| match bad {
            Bad4::Malformed => silent(reason::MALFORMED_IPV4),
            Bad4::SourceRoute => told(reason::NAT64_SOURCE_ROUTE, 3, 5, 0),
        })?;
        if four.ttl <= 1 {
            return Err(told(reason::NAT64_HOP_LIMIT, 11, 0, 0));
        }
        if ![1, 6, 17].contains(&four.number) {
            return Err(told(reason::NAT64_PROTOCOL, 3, 2, 0));
        }
        if four.part.is_some() {
            return self.part4(bytes, &four);
        }
        if four.number == 1 && four.body.first().is_some_and(|kind| [3, 4, 5, 11, 12].contains(kind)) {
            return self.error_in(&four);
        }
        let ends = self.map4(bytes, &four)?;
        self.must_fit(&four)?;
        if four.number == 17 && be16(&four.body, 6) == 0 {
            fill_checksum(&mut four);
        }
        Ok(self.enter(&four, &ends, four.body.len()))
    }

    fn must_fit(&self, four: &Four) -> Result<(), No> {
        let headers = if four.part.is_some() { 48 } else { 40 };
        if four.dont_fragment && headers + four.body.len() > self.set.mtu6 {
            return Err(told(reason::NAT64_TOO_BIG, 3, 4, (self.set.mtu6 + 20 - headers) as u32));
        }
        Ok(())
    }

    /// All pieces; the first is the packet, the others are beside it.
    fn enter(&mut self, four: &Four, ends: &Ends<A6>, whole: usize) -> Option<Sent> {
        let limit = self.set.mtu6.min(self.set.lowest).max(1280);
        let mut pieces = to_v6(four, ends, whole, limit, self.set.reset);
        let first = pieces.remove(0);
        self.out.extend(pieces);
        Some(first)
    }

    fn map4(&mut self, bytes: &[u8], four: &Four) -> Result<Ends<A6>, No> {
        let ask = self.ask4(four)?;
        let (src, dst) = ends(four.number == 1, &four.body, four.number, [8, 0])
            .ok_or(silent(reason::NAT64_ICMP_UNTRANSLATABLE))?;
        let peer = (four.src, if four.number == 1 { 0 } else { src });
        let (inside, prefix) = self.inside(four.number, (four.dst, dst), peer, ask, bytes)?;
        let src_port = if four.number == 1 { inside.1 } else { src };
        Ok(Ends {
            src: self.set.prefixes[prefix].embed(four.src),
            dst: inside.0,
            src_port,
            dst_port: inside.1,
        })
    }

    /// RFC 6146, sections 3.5.1.2, 3.5.2.2 and 3.5.3.2: packets from the outside.
    fn inside(
        &mut self,
        protocol: Protocol,
        outside: Outside,
        peer: Peer,
        ask: Ask,
        bytes: &[u8],
    ) -> Result<(Inside, usize), No> {
        let opens = matches!(ask, Ask::Segment { opens: true, .. });
        let found = self.bib.iter().find(|((p, _), b)| *p == protocol && b.outside == outside);
        let Some((inside, binding)) = found.map(|((_, inside), b)| (*inside, b.clone())) else {
            let (first, last) = self.set.ports;
            if outside.0 != self.set.pool || !(first..=last).contains(&outside.1) {
                return Err(silent(reason::NAT64_NO_BINDING));
            }
            return Err(match protocol {
                6 if opens => self.hold(outside, peer, bytes),
                6 => silent(reason::NAT64_NO_BINDING),
                _ => told(reason::NAT64_NO_BINDING, 3, 1, 0),
            });
        };
        if let Some(session) = self.sessions.get_mut(&(protocol, inside, peer)) {
            step(session, false, ask, self.now);
            return Ok((inside, session.prefix));
        }
        if !self.may_stand_in(binding.prefix, peer.0) {
            return Err(silent(reason::NAT64_FILTERED));
        }
        let known = self.sessions.keys().any(|k| (k.0, k.1, k.2.0) == (protocol, inside, peer.0));
        if self.set.address_dependent && !binding.fixed && !known {
            return Err(if opens {
                self.hold(outside, peer, bytes)
            } else {
                told(reason::NAT64_FILTERED, 3, 13, 0)
            });
        }
        let kind = match ask {
            Ask::Datagram => Kind::Datagram,
            Ask::Request | Ask::Reply => Kind::Query,
            Ask::Segment { opens: true, .. } => Kind::V4Init,
            Ask::Segment { opens: false, .. } => return Ok((inside, binding.prefix)),
        };
        let expires = self.now + lifetime(kind);
        self.sessions.insert((protocol, inside, peer), Session { kind, expires, prefix: binding.prefix });
        Ok((inside, binding.prefix))
    }

    fn hold(&mut self, outside: Outside, peer: Peer, bytes: &[u8]) -> No {
        if !self.held.iter().any(|h| (h.outside, h.peer) == (outside, peer)) {
            // As much as two headers with all options take.
            let quote = bytes[..bytes.len().min(120)].to_vec();
            self.held.push(Held { outside, peer, since: self.now, quote });
        }
        silent(reason::NAT64_SYN_HELD)
    }

    fn error_in(&mut self, four: &Four) -> Verdict {
        let unknown = silent(reason::NAT64_ICMP_ERROR_UNKNOWN);
        let untranslatable = silent(reason::NAT64_ICMP_UNTRANSLATABLE);
        let (kind, code, word) = said(&four.body).ok_or(unknown)?;
        tables::to_v6(kind, code, word, 0, 65_535, 65_535).ok_or(untranslatable)?;
        let error = error4(&four.body).ok_or(unknown)?;
        let quoted = &error.quoted;
        let protocol = quoted.number;
        let outside = (quoted.src, error.ports.0);
        let peer = (quoted.dst, if protocol == 1 { 0 } else { error.ports.1 });
        let bound = self.bib.iter().find(|((p, _), b)| *p == protocol && b.outside == outside);
        let inside =
            bound.map(|((_, inside), _)| *inside).filter(|_| quoted.src == four.dst).ok_or(unknown)?;
        let session = self.sessions.get(&(protocol, inside, peer)).ok_or(unknown)?;
        let total = be16(&four.body[8..], 2);
        let (mtu4, mtu6) = (self.set.mtu4 as u32, self.set.mtu6 as u32);
        let to = tables::to_v6(kind, code, word, usize::from(total), mtu4, mtu6).ok_or(untranslatable)?;
        let prefix = self.set.prefixes[session.prefix];
        let stands = self.may_stand_in(session.prefix, four.src);
        let src = if stands { prefix.embed(four.src) } else { self.set.source6.unwrap_or(self.set.gateway6) };
        let dst_port = if protocol == 1 { inside.1 } else { peer.1 };
        let inner = Ends { src: inside.0, dst: prefix.embed(peer.0), src_port: inside.1, dst_port };
        let body = errors::to_v6(&four.body, &error, to, &inner, (src, inside.0));
        let class = if self.set.reset { 0 } else { four.tos };
        Ok(Some(Sent::six([header6(class, body.len(), 58, four.ttl - 1, src, inside.0), body].concat())))
    }

    fn ask4(&self, four: &Four) -> Result<Ask, No> {
        let body = &four.body;
        match four.number {
            6 => segment(body),
            17 => {
                let length = usize::from(if body.len() < 8 { 0 } else { be16(body, 4) });
                if length < 8 || four.part.is_none() && length > body.len() {
                    return Err(silent(reason::MALFORMED_TRANSPORT));
                }
                if be16(body, 6) == 0 && (four.part.is_some() || !self.set.compute) {
                    return Err(told(reason::NAT64_UDP_ZERO_CHECKSUM, 3, 13, 0));
                }
                Ok(Ask::Datagram)
            }
            _ if body.len() < 8 => Err(silent(reason::MALFORMED_TRANSPORT)),
            _ => match body[0] {
                8 if !self.set.echo_in => Err(silent(reason::NAT64_FILTERED)),
                8 => Ok(Ask::Request),
                0 => Ok(Ask::Reply),
                _ => Err(silent(reason::NAT64_ICMP_UNTRANSLATABLE)),
            },
        }
    }

    fn part6(&mut self, bytes: &[u8], six: &Six, prefix: usize, target: A4, oracle: Oracle<'_>) -> Verdict {
        let part = six.part.unwrap();
        let key = (six.src, six.dst, part.id, six.next);
        self.parts6.arrive(self.now, key, part, six.body.len()).map_err(silent)?;
        if let Some(ends) = self.parts6.mapping(key) {
            self.parts6.finish(key);
            return self.leave(to_v4(six, &ends, 0, self.set.reset), target);
        }
        if part.offset == 0 && six.next != 58 {
            let ends = self.map6(six, prefix, target, oracle).map_err(|no| {
                let no = headless(no);
                self.parts6.refuse(key, no.reason);
                no
            })?;
            self.parts6.learn(key, ends);
            let verdict = self.leave(to_v4(six, &ends, 0, self.set.reset), target);
            for bytes in self.parts6.release(key) {
                self.late_part6(&bytes, &ends, 0, target);
            }
            self.parts6.finish(key);
            return verdict;
        }
        self.parts6.hold(key, bytes, part.offset == 0);
        let Some((first, total)) = self.parts6.ready(key) else { return Ok(None) };
        let first = read6(&first, false).unwrap();
        match self.map6(&first, prefix, target, oracle) {
            Ok(ends) => {
                self.parts6.learn(key, ends);
                for bytes in self.parts6.release(key) {
                    self.late_part6(&bytes, &ends, total, target);
                }
                self.parts6.finish(key);
            }
            Err(no) => {
                let bytes = self.parts6.release(key).remove(0);
                if let Some(word) = no.word {
                    self.out.extend(own6(&bytes, self.set.gateway6, word));
                }
                self.parts6.refuse(key, no.reason);
            }
        }
        Ok(None)
    }

    fn late_part6(&mut self, bytes: &[u8], ends: &Ends<A4>, whole: usize, target: A4) {
        let six = read6(bytes, false).unwrap();
        if let Ok(Some(sent)) = self.leave(to_v4(&six, ends, whole, self.set.reset), target) {
            self.out.push(sent);
        }
    }

    fn part4(&mut self, bytes: &[u8], four: &Four) -> Verdict {
        let part = four.part.unwrap();
        let key = (four.src, four.dst, four.id, four.number);
        self.parts4.arrive(self.now, key, part, four.body.len()).map_err(silent)?;
        if let Some(ends) = self.parts4.mapping(key) {
            self.parts4.finish(key);
            self.must_fit(four)?;
            return Ok(self.enter(four, &ends, 0));
        }
        if part.offset == 0 && four.number != 1 {
            let ends = self.map4(bytes, four).map_err(|no| {
                let no = headless(no);
                self.parts4.refuse(key, no.reason);
                no
            })?;
            self.parts4.learn(key, ends);
            let fits = self.must_fit(four);
            let verdict = fits.map(|()| self.enter(four, &ends, 0));
            for bytes in self.parts4.release(key) {
                self.late_part4(&bytes, &ends, 0);
            }
            self.parts4.finish(key);
            return verdict;
        }
        self.parts4.hold(key, bytes, part.offset == 0);
        let Some((first, total)) = self.parts4.ready(key) else { return Ok(None) };
        let four = read4(&first, false).unwrap();
        match self.map4(&first, &four) {
            Ok(ends) => {
                self.parts4.learn(key, ends);
                for bytes in self.parts4.release(key) {
                    self.late_part4(&bytes, &ends, total);
                }
                self.parts4.finish(key);
            }
            Err(no) => {
                let bytes = self.parts4.release(key).remove(0);
                if let Some(word) = no.word {
                    self.out.extend(own4(&bytes, self.set.gateway4, word));
                }
                self.parts4.refuse(key, no.reason);
            }
        }
        Ok(None)
    }

    fn late_part4(&mut self, bytes: &[u8], ends: &Ends<A6>, whole: usize) {
        let four = read4(bytes, false).unwrap();
        match self.must_fit(&four) {
            // The shipped one sends the pieces behind the first before it.
            Ok(()) => {
                let first = self.enter(&four, ends, whole).unwrap();
                self.out.push(first);
            }
            Err(no) => self.out.extend(own4(bytes, self.set.gateway4, no.word.unwrap())),
        }
    }
}
