//! `nat64 explain`: what the translator would do with a packet, in words.

use std::net::{IpAddr, SocketAddrV4};

use data_encoding::{HEXLOWER_PERMISSIVE, HEXUPPER};
use sixgate_api::{ExplainedBinding, Nat64Explanation, Nat64Packet, Nat64Question, Nat64Verdict, Step};
use sixgate_fabric::{Grounds, Verdict as Judgement};
use sixgate_io_control::Response;
use sixgate_nat64::{Explanation, Filtering, Proto, Use, Verdict};
use sixgate_reason::{self as reason, Reason};

use super::packet::{is_error, view};
use super::{inside, outside};
use crate::control::Control;
use crate::control::api::document;
use crate::seam::{Explained, Question};

/// Largest packet that is explained, as hexadecimal digits.
const MOST_DIGITS: usize = 2 * (65_535 + 40);
/// What a client is told of ten times a second at most.
const NO_ROOM: [Reason; 5] = [
    reason::NAT64_CLIENT_LIMIT,
    reason::NAT64_CLIENT_PORTS,
    reason::NAT64_CLIENT_RATE,
    reason::NAT64_POOL_EXHAUSTED,
    reason::NAT64_SESSION_LIMIT,
];
/// Largest IPv4 packet that leaves without "don't fragment" (RFC 7915, section 5.1).
const SMALLEST_DF: usize = 1260;

impl Control {
    /// Answers the call.
    pub(crate) async fn nat64_explain(&self, question: Nat64Question) -> Response {
        let Some(packet) = octets(&question.packet) else {
            let line = "`packet` is not a packet: octets from the IP header on, in hexadecimal";
            return Response::failure(400, "request-invalid", line);
        };
        let ask = |packet: &[u8], crossed| {
            let packet = packet.to_vec();
            self.net.ask(move |to| Question::Nat64Explain { packet: packet.clone(), crossed, to })
        };
        let Some(answer) = ask(&packet, false).await else {
            return Response::failure(503, "ending", "the gateway is ending");
        };
        let Some(explained) = answer else {
            return Response::failure(
                409,
                "no-nat64",
                "there is no [nat64] section, and only its translator explains packets",
            );
        };
        let mut said = in_words(&packet, &explained);
        if let Some(turned) = &explained.explanation.crosses
            && let Some(Some(explained)) = ask(turned, true).await
        {
            said = joined(said, in_words(turned, &explained));
        }
        document(said)
    }
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    if hex.is_empty() || hex.len() > MOST_DIGITS {
        return None;
    }
    HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).or_else(|_| HEXUPPER.decode(hex.as_bytes())).ok()
}

fn in_words(bytes: &[u8], explained: &Explained) -> Nat64Explanation {
    let Explained { explanation, .. } = explained;
    let see = |bytes: &[u8]| view(bytes, &explained.prefixes);
    let packet = see(bytes);
    let out = packet.dont_fragment.is_none();
    let mut all: Vec<Nat64Packet> = Vec::new();
    if !explanation.packet.is_empty() {
        all.push(see(&explanation.packet));
    }
    all.extend(explanation.output.iter().map(|bytes| see(bytes)));
    let answers = |p: &Nat64Packet| is_error(p) && !is_error(&packet) && p.dst == packet.src;
    let (errors, result): (Vec<_>, Vec<_>) = all.into_iter().partition(answers);
    let verdict = match explanation.verdict {
        Verdict::Translated => Nat64Verdict::Translated,
        Verdict::Consumed if !result.is_empty() => Nat64Verdict::Translated,
        Verdict::Consumed if !errors.is_empty() => Nat64Verdict::Dropped,
        Verdict::Consumed => Nat64Verdict::Waits,
        Verdict::Drop(_) => Nat64Verdict::Dropped,
    };
    let why = match explanation.verdict {
        Verdict::Drop(reason) => Some(reason),
        Verdict::Translated | Verdict::Consumed => None,
    };
    let story = Story { explained, packet: &packet, out, result: &result, errors: &errors, why };
    Nat64Explanation {
        direction: if out { "out" } else { "in" }.to_owned(),
        steps: story.steps(),
        prefix: explanation.target.map(|(prefix, _)| prefix.to_string()),
        embedded: explanation.target.map(|(_, v4)| v4),
        hairpin: explanation.hairpin,
        bindings: explanation.uses.iter().map(binding).collect(),
        way: story.way(),
        verdict,
        reason: why.map(|r| r.code().to_owned()),
        text: match (verdict, why) {
            (_, Some(why)) => why.text().to_owned(),
            (Nat64Verdict::Translated, None) if result.len() > 1 => {
                format!("leaves in {} pieces", result.len())
            }
            (Nat64Verdict::Translated, None) => "leaves".to_owned(),
            (Nat64Verdict::Waits, None) => "until the other fragments of its datagram have come".to_owned(),
            (Nat64Verdict::Dropped, None) => "its datagram is refused".to_owned(),
        },
        result: result.clone(),
        errors: errors.clone(),
        packet: packet.clone(),
    }
}

/// The story of a packet that leaves at one worker and comes in again at another.
fn joined(out: Nat64Explanation, back: Nat64Explanation) -> Nat64Explanation {
    let mut steps = out.steps;
    steps.extend(back.steps.into_iter().filter(|step| step.step != "way"));
    Nat64Explanation {
        packet: out.packet,
        direction: out.direction,
        prefix: out.prefix,
        embedded: out.embedded,
        hairpin: true,
        bindings: [out.bindings, back.bindings].concat(),
        steps,
        ..back
    }
}

fn binding(used: &Use) -> ExplainedBinding {
    let end = used.binding.or(used.binding_before);
    ExplainedBinding {
        proto: used.protocol.name().to_owned(),
        inside: end.map(|b| inside(b.inside)),
        outside: end.map(|b| outside(b.outside)),
        peer: SocketAddrV4::new(used.peer.address, used.peer.port),
        binding: word(
            used.binding_before.map(|b| (b.inside, b.outside)),
            used.binding.map(|b| (b.inside, b.outside)),
        ),
        is_static: end.is_some_and(|b| b.is_static),
        pool: used.pool.as_ref().map(|p| format!("{}:{}-{}", p.addresses, p.ports.start(), p.ports.end())),
        session: word(used.session_before.map(|s| s.outside), used.session.map(|s| s.outside)),
        state: used.session_before.map(|s| s.state.to_owned()),
        next_state: used.session.map(|s| s.state.to_owned()),
    }
}

/// `used` when it is there and stays, `made` when it would come, else `none`.
fn word<T: PartialEq>(before: Option<T>, after: Option<T>) -> String {
    match (&before, &after) {
        (Some(_), Some(_)) if before == after => "used",
        (_, Some(_)) => "made",
        (_, None) => "none",
    }
    .to_owned()
}

/// What is told of one packet.
struct Story<'a> {
    explained: &'a Explained,
    packet: &'a Nat64Packet,
    out: bool,
    result: &'a [Nat64Packet],
    errors: &'a [Nat64Packet],
    why: Option<Reason>,
}

impl Story<'_> {
    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut say = |step: &str, text: String| steps.push(Step { step: step.to_owned(), text });
        say("way", self.direction());
        if self.out && self.packet.dst.is_some() {
            say("prefix", self.prefix());
        }
        if let Some(text) = self.policy() {
            say("policy", text);
        }
        for used in &self.explained.explanation.uses {
            say("binding", self.binding(used));
            if let Some(text) = self.filter(used) {
                say("filter", text);
            }
            if let Some(text) = session(used) {
                say("session", text);
            }
        }
        if let Some(text) = self.client() {
            say("client", text);
        }
        if let Some(text) = self.hop_limit() {
            say("hop limit", text);
        }
        if let Some(text) = self.mtu() {
            say("mtu", text);
        }
        for packet in self.result {
            say("result", packet.text.clone());
        }
        match self.errors {
            [] if self.why.is_some() => say("error", self.silence().to_owned()),
            errors => errors.iter().for_each(|packet| say("error", packet.text.clone())),
        }
        steps
    }

    fn direction(&self) -> String {
        match (self.out, self.explained.explanation.hairpin) {
            (true, true) => {
                "IPv6 to IPv4 and in again: the destination is an address of the pool (RFC 6146, 3.8)"
            }
            (true, false) => "IPv6 to IPv4",
            (false, _) => "IPv4 to IPv6",
        }
        .to_owned()
    }

    fn prefix(&self) -> String {
        let Explained { explanation, prefixes, .. } = self.explained;
        let at = |address: Option<IpAddr>| match address {
            Some(IpAddr::V6(address)) => prefixes.iter().find_map(|p| Some((p, p.extract(address)?))),
            Some(IpAddr::V4(_)) | None => None,
        };
        match (explanation.target, at(self.packet.dst)) {
            (Some((prefix, v4)), _) => format!("{prefix} embeds {v4} (RFC 6052)"),
            (None, Some((prefix, v4))) => match at(self.packet.src) {
                Some((prefix, _)) => format!("the source is inside {prefix}: it would come from ourselves"),
                None => format!("{prefix} embeds {v4}, which does not pass"),
            },
            (None, None) => {
                let all: Vec<String> = prefixes.iter().map(ToString::to_string).collect();
                format!("the destination is in none of {}", all.join(", "))
            }
        }
    }

    fn policy(&self) -> Option<String> {
        let probe = self.explained.probe.as_ref()?;
        let grounds = match probe.grounds {
            Some(Grounds::Service) => "a service of the gateway".to_owned(),
            Some(Grounds::Rule(n)) => format!("rule {} of the policy", n + 1),
            None => "no rule of the policy".to_owned(),
        };
        Some(match probe.verdict {
            Judgement::Send(_) => format!("allowed by {grounds}"),
            Judgement::Refuse { reason, .. } => {
                format!("the gateway refuses it: {} ({}); {grounds}", reason.text(), reason.code())
            }
        })
    }

    fn binding(&self, used: &Use) -> String {
        let proto = used.protocol.name();
        let pool = used.pool.as_ref().map(|p| {
            format!(
                "{proto} {}:{}-{}, {} of {} in use with it",
                p.addresses,
                p.ports.start(),
                p.ports.end(),
                p.used,
                p.total
            )
        });
        match (used.binding_before, used.binding) {
            (Some(before), Some(after)) if before.outside == after.outside => {
                let kind = if after.is_static { "static, from the file" } else { "there already" };
                let sessions = match before.sessions {
                    1 => "1 session".to_owned(),
                    n => format!("{n} sessions"),
                };
                format!("{} = {}: {kind}, {sessions}", after.inside, after.outside)
            }
            (_, Some(after)) => {
                let pool = pool.map(|p| format!(", a port of the pool ({p})")).unwrap_or_default();
                format!("{} = {}: would be made{pool}", after.inside, after.outside)
            }
            (Some(before), None) => {
                format!("{} = {}: over, and goes", before.inside, before.outside)
            }
            (None, None) => match self.why {
                Some(why) if why == reason::NAT64_POOL_EXHAUSTED => {
                    let full: Vec<String> = self
                        .explained
                        .pools
                        .iter()
                        .filter(|p| p.protocol == used.protocol)
                        .map(|p| {
                            format!(
                                "{}:{}-{} ({} of {})",
                                p.addresses,
                                p.ports.start(),
                                p.ports.end(),
                                p.used,
                                p.total
                            )
                        })
                        .collect();
                    format!("none, and no port to make one: {proto} {}", full.join(", "))
                }
                Some(why) if before_the_tables(why) => "the packet ends before one is looked for".to_owned(),
                Some(_) | None => "none".to_owned(),
            },
        }
    }

    /// Who may come in by the binding.
    fn filter(&self, used: &Use) -> Option<String> {
        let binding = used.binding_before?;
        let comes_in = !self.out || self.explained.explanation.uses.first() != Some(used);
        if !comes_in || used.session_before.is_some() {
            return None;
        }
        let peer = used.peer.address;
        let refused =
            self.why.is_some_and(|why| [reason::NAT64_FILTERED, reason::NAT64_SYN_HELD].contains(&why));
        Some(match (self.explained.filtering, refused) {
            (_, false) if binding.is_static => "a static binding is open to everybody".to_owned(),
            (Filtering::EndpointIndependent, false) => {
                "endpoint-independent: anybody may use a binding".to_owned()
            }
            (Filtering::EndpointIndependent, true) => {
                "endpoint-independent, and refused all the same".to_owned()
            }
            (Filtering::AddressDependent, false) => {
                format!("address-dependent: the inside has talked to {peer} through it")
            }
            (Filtering::AddressDependent, true) => {
                format!("address-dependent: the inside has not talked to {peer} through it")
            }
        })
    }

    fn client(&self) -> Option<String> {
        let (sessions, ports) = self.explained.explanation.client?;
        let (most_sessions, most_ports) = self.explained.client_limits;
        let of = |n: u32, what: &str, most: u32| (most > 0).then(|| format!("{n} {what} of at most {most}"));
        let said = [of(sessions, "sessions", most_sessions), of(ports, "ports", most_ports)];
        let said: Vec<String> = said.into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join(", "))
    }

    fn hop_limit(&self) -> Option<String> {
        let before = self.packet.hop_limit;
        if self.why == Some(reason::NAT64_HOP_LIMIT) {
            return Some(format!("{before} comes in, and nothing would be left"));
        }
        let after = self.result.first()?.hop_limit;
        Some(format!("{before} comes in, {after} leaves; kernels on both sides take their own"))
    }

    /// The way that decides.
    fn way(&self) -> Option<(IpAddr, u16)> {
        let Explanation { way4, way6, .. } = self.explained.explanation;
        let (way4, way6) = (way4.map(|(to, mtu)| (to.into(), mtu)), way6.map(|(to, mtu)| (to.into(), mtu)));
        if self.out { way4.or(way6) } else { way6.or(way4) }
    }

    fn mtu(&self) -> Option<String> {
        if self.explained.explanation.uses.is_empty() && self.why != Some(reason::NAT64_TOO_BIG) {
            return None;
        }
        let Some((to, mtu)) = self.way() else {
            let largest = self.result.iter().map(|p| p.length).max()?;
            let small = self.out && largest <= SMALLEST_DF && !self.explained.explanation.hairpin;
            return small.then(|| {
                format!("{largest} octets: up to {SMALLEST_DF} leave without DF and may be cut on the way (RFC 7915, 5.1)")
            });
        };
        let mtu =
            if mtu == u16::MAX { "has no MTU that is known".to_owned() } else { format!("carries {mtu}") };
        let way = format!("the way to {to} {mtu}");
        if self.why == Some(reason::NAT64_TOO_BIG) {
            let size = if self.out { self.packet.length.saturating_sub(20) } else { self.packet.length + 20 };
            return Some(format!("{way}, and the packet has {size} octets there and must not be cut"));
        }
        let lengths: Vec<usize> = self.result.iter().map(|p| p.length).collect();
        match &lengths[..] {
            [] => Some(way),
            [one] => Some(format!("{way}, and the packet has {one} octets there")),
            many => {
                let list: Vec<String> = many.iter().map(ToString::to_string).collect();
                Some(format!(
                    "{way}, lowest-ipv6-mtu is {}: without DF the packet is cut into {} octets",
                    self.explained.lowest_ipv6_mtu,
                    list.join(" + ")
                ))
            }
        }
    }

    /// Why nobody is told of a packet that is dropped.
    fn silence(&self) -> &'static str {
        let silenced = self.explained.explanation.silenced[usize::from(!self.out)];
        if self.why == Some(reason::NAT64_SYN_HELD) {
            "none for the moment: it is held, and answered after some seconds if the inside opens nothing"
        } else if NO_ROOM.iter().any(|reason| self.why == Some(*reason)) {
            "none: its client has been told as often as a second allows"
        } else if silenced {
            "none: as many errors as a second may have were sent"
        } else {
            "the sender is not told"
        }
    }
}

/// True for a packet that is refused for what it is, whoever sent it.
fn before_the_tables(why: Reason) -> bool {
    [reason::NAT64_TOO_BIG, reason::NAT64_HOP_LIMIT, reason::NAT64_PROTOCOL].contains(&why)
}

fn session(used: &Use) -> Option<String> {
    let peer = match used.protocol {
        Proto::Tcp | Proto::Udp => used.peer.to_string(),
        Proto::Icmp => used.peer.address.to_string(),
    };
    match (used.session_before, used.session) {
        (Some(before), Some(after)) if before.outside == after.outside => {
            let state = if before.state == after.state {
                before.state.to_owned()
            } else {
                format!("{} -> {}", before.state, after.state)
            };
            Some(format!("with {peer}: {state}"))
        }
        (_, Some(after)) => Some(format!("with {peer}: would be made, {}", after.state)),
        (Some(before), None) => Some(format!("with {peer}: {}, over", before.state)),
        (None, None) => used.binding.map(|_| format!("with {peer}: none")),
    }
}
