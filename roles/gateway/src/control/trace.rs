//! `trace`: the path of a connection's first packet, as the packet plane judges it, in words.

use std::net::Ipv4Addr;

use sixgate_api::{Trace, TraceRequest, TraceStep, TraceVerdict};
use sixgate_config::policy::{Policy, PolicyRule, Ports, Selector};
use sixgate_fabric::{Grounds, Probe, Verdict};
use sixgate_io_control::Response;
use sixgate_isatap::{HostState, HostView};
use sixgate_reason::{self as reason, Reason};
use sixgate_wire::protocol;
use sixgate_wire::refusal::Refusal;

use super::Control;
use super::api::{document, wall};
use super::ends::{End, Side};
use crate::net::Way;
use crate::seam::{ClientView, Question, TraceQuestion, Traced};

impl Control {
    /// Answers the call.
    pub(crate) async fn trace(&self, request: TraceRequest) -> Response {
        let Some((protocol, port)) = what(&request.what) else {
            return Response::failure(
                400,
                "request-invalid",
                &format!("`{}` is nothing to trace: tcp/PORT, udp/PORT or icmp", request.what),
            );
        };
        let from = match self.end(&request.from, Side::Isatap).await {
            Ok(end) => end,
            Err(line) => return Response::failure(404, "no-such-end", &line),
        };
        // What a client asks for an IPv4-only name, DNS64 answers with a NAT64 address.
        let side = if from.ipv4.is_none() { Side::Nat64 } else { Side::Isatap };
        let to = match self.end(&request.to, side).await {
            Ok(end) => end,
            Err(line) => return Response::failure(404, "no-such-end", &line),
        };
        let question = TraceQuestion { from: from.address, to: to.address, protocol, port };
        let Some(traced) = self.net.ask(|to| Question::Trace(question, to)).await else {
            return Response::failure(503, "ending", "the gateway is ending");
        };
        let policy = self.site.lock().ok().and_then(|site| site.config.policy.clone());
        let file = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let path = Path { from: &from, to: &to, what: &request.what, policy: policy.as_ref(), file };
        document(path.walk(&traced))
    }
}

/// `tcp/22`, `udp/53`, `icmp`
fn what(text: &str) -> Option<(u8, u16)> {
    match text.split_once('/') {
        Some(("tcp", port)) => Some((protocol::TCP, port.parse().ok()?)),
        Some(("udp", port)) => Some((protocol::UDP, port.parse().ok()?)),
        None if text == "icmp" => Some((protocol::ICMPV6, 0)),
        Some(_) | None => None,
    }
}

const GATEWAY: &str = "gateway";

/// What is asked, and what the file says to it.
struct Path<'a> {
    from: &'a End,
    to: &'a End,
    what: &'a str,
    policy: Option<&'a Policy>,
    file: String,
}

/// Why a path goes no further.
struct Stop {
    verdict: TraceVerdict,
    reason: Option<Reason>,
    text: String,
}

impl Path<'_> {
    fn walk(&self, traced: &Traced) -> Trace {
        let mut steps = Vec::new();
        let end = self.stations(traced, &mut steps).err().unwrap_or_else(|| Stop {
            verdict: TraceVerdict::Passes,
            reason: None,
            text: format!(
                "passes this gateway; the firewall and the service of {} decide the rest. Answers come back by the same path",
                self.to.label()
            ),
        });
        Trace {
            from: self.from.to_api(),
            to: self.to.to_api(),
            what: self.what.to_owned(),
            steps,
            verdict: end.verdict,
            reason: end.reason.map(|r| r.code().to_owned()),
            text: end.text,
        }
    }

    fn stations(&self, traced: &Traced, steps: &mut Vec<TraceStep>) -> Result<(), Stop> {
        self.arrives(traced, steps)?;
        let Some(probe) = &traced.probe else {
            // Whatever port is tried has a flow already: nothing stands in the way.
            return Ok(());
        };
        self.is_allowed(probe, steps)?;
        self.leaves(traced, steps)?;
        let flows = match traced.flows {
            0 => "no flow is open between the two".to_owned(),
            1 => "one flow is open between the two".to_owned(),
            n => format!("{n} flows are open between the two"),
        };
        steps.push(step(GATEWAY, "flows", flows, true));
        Ok(())
    }

    /// From the sender into the fabric.
    fn arrives(&self, traced: &Traced, steps: &mut Vec<TraceStep>) -> Result<(), Stop> {
        let at = self.from.label();
        match traced.way_in {
            None => {
                let text = match self.from.name {
                    Some(_) => format!("{at} has no session on this gateway"),
                    None => format!("nobody behind this gateway has {}", self.from.address),
                };
                steps.push(step(&at, "session", text.clone(), false));
                Err(Stop { verdict: TraceVerdict::Absent, reason: Some(reason::FABRIC_NO_ROUTE), text })
            }
            Some(Way::Client(n)) => {
                let via = traced.client_in.as_ref().map(|(_, view)| by(view)).unwrap_or_default();
                steps.push(step(&at, "session", format!("comes by session {n}, {via}"), true));
                Ok(())
            }
            Some(Way::Isatap) => self.arrives_by_isatap(&at, traced, steps),
            Some(Way::Nat64) => {
                let text =
                    "comes out of NAT64: only answers, and what a static binding or an open session admits";
                steps.push(step(&at, "nat64", text.to_owned(), true));
                Ok(())
            }
            Some(Way::Kernel) => {
                steps.push(step(&at, "route", "comes by the gateway's own routes".to_owned(), true));
                Ok(())
            }
        }
    }

    fn arrives_by_isatap(&self, at: &str, traced: &Traced, steps: &mut Vec<TraceStep>) -> Result<(), Stop> {
        let v4 = self.from.ipv4.map(|v4| v4.to_string()).unwrap_or_default();
        let host = traced.host_in.as_ref();
        match traced.isatap_in {
            Some(Ok(router)) => {
                steps.push(step(
                    at,
                    "outer",
                    format!("IPv4 {v4} -> {router} protocol 41{}", solicited(host)),
                    true,
                ));
                let rule = host.and_then(|h| Some(format!(" by rule \"{}\"{}", h.rule.as_ref()?, origin(h))));
                let text = format!(
                    "ISATAP source check: embedded {v4} = outer {v4}, host is allowed{}",
                    rule.unwrap_or_default()
                );
                steps.push(step(GATEWAY, "isatap", text, true));
                if host.is_some_and(|h| h.last_rs.is_some() || h.rx_packets > 0) {
                    return Ok(());
                }
                let text = format!(
                    "{at} is allowed and has not asked for an address: nothing comes from it until it does"
                );
                steps.push(step(at, "isatap", text.clone(), false));
                Err(Stop { verdict: TraceVerdict::Absent, reason: None, text })
            }
            Some(Err(why)) => {
                steps.push(step(at, "outer", format!("IPv4 {v4}, protocol 41{}", solicited(host)), true));
                Err(refused(steps, "isatap", why, None))
            }
            None => Err(refused(steps, "isatap", reason::ISATAP_SOURCE_NOT_EMBEDDED, None)),
        }
    }

    /// Route, policy and filter.
    fn is_allowed(&self, probe: &Probe, steps: &mut Vec<TraceStep>) -> Result<(), Stop> {
        match probe.grounds {
            Some(Grounds::Service) => {
                steps.push(step(
                    GATEWAY,
                    "policy",
                    "a service of the gateway, which everybody here may use".to_owned(),
                    true,
                ));
            }
            Some(Grounds::Rule(n)) => {
                let (text, place) = self.rule(n);
                steps.push(TraceStep {
                    rule: place,
                    ..step(GATEWAY, "policy", format!("policy: {text}: allowed"), true)
                });
            }
            None => {}
        }
        match probe.verdict {
            Verdict::Send(_) => Ok(()),
            Verdict::Refuse { reason: why, refusal } if why == reason::POLICY_DENIED => {
                let near = probe.other_ports.map(|n| self.rule(n));
                let end = refused(steps, "policy", why, refusal);
                if let (Some((text, place)), Some(last)) = (near, steps.last_mut()) {
                    last.text = format!("policy: {text}, and not {}: {why}", self.what);
                    last.rule = place;
                } else if let Some(last) = steps.last_mut() {
                    last.text = format!("policy: no rule of {} is about these two: {why}", self.file);
                }
                Err(end)
            }
            Verdict::Refuse { reason: why, refusal } => Err(refused(steps, "route", why, refusal)),
        }
    }

    /// Out of the fabric to the receiver.
    fn leaves(&self, traced: &Traced, steps: &mut Vec<TraceStep>) -> Result<(), Stop> {
        let to = self.to.label();
        match (traced.way_out, &traced.client_out, &traced.isatap_out) {
            (Some(Way::Client(n)), Some((_, view)), _) => {
                let waiting = match view.backlog {
                    0 => String::new(),
                    octets => format!(", {octets} octets wait for it"),
                };
                let text = format!("client {to} is here, session {n}, {}{waiting}", by(view));
                steps.push(step(GATEWAY, "session", text, true));
                Ok(())
            }
            (Some(Way::Isatap), _, Some(Ok(v4))) => {
                let text = format!("protocol 41 to {v4}{}", solicited(traced.host_out.as_ref()));
                steps.push(step(GATEWAY, "outer", text, true));
                Ok(())
            }
            (Some(Way::Isatap), _, Some(Err(why))) => Err(refused(steps, "isatap", *why, None)),
            (Some(Way::Nat64), _, _) => self.leaves_by_nat64(traced.pool, steps),
            (Some(Way::Kernel), _, _) => {
                steps.push(step(GATEWAY, "route", "leaves by the gateway's own routes".to_owned(), true));
                Ok(())
            }
            (Some(Way::Client(_) | Way::Isatap) | None, _, _) => {
                Err(refused(steps, "route", reason::FABRIC_NO_ROUTE, None))
            }
        }
    }

    fn leaves_by_nat64(&self, pool: Option<(u64, u64)>, steps: &mut Vec<TraceStep>) -> Result<(), Stop> {
        let v4 = self.to.ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED);
        match pool {
            Some((used, total)) if used < total => {
                let text = format!("NAT64 to {v4}: {used} of {total} ports of the pool are in use");
                steps.push(step(GATEWAY, "nat64", text, true));
                Ok(())
            }
            Some(_) | None => Err(refused(steps, "nat64", reason::NAT64_POOL_EXHAUSTED, None)),
        }
    }

    /// The rule in words, and where it stands.
    fn rule(&self, n: usize) -> (String, Option<String>) {
        let Some((policy, rule)) = self.policy.and_then(|p| Some((p, p.rules.get(n)?))) else {
            return (format!("rule {}", n + 1), None);
        };
        if policy.is_default {
            return (format!("the default allows {}", in_words(rule)), None);
        }
        let place = format!("{}:{}", self.file, rule.line);
        (format!("line {} of {} allows {}", rule.line, self.file, in_words(rule)), Some(place))
    }
}

fn step(at: &str, step: &str, text: String, ok: bool) -> TraceStep {
    TraceStep { at: at.to_owned(), step: step.to_owned(), text, ok, rule: None }
}

/// Ends the path at the gateway.
fn refused(steps: &mut Vec<TraceStep>, what: &str, why: Reason, refusal: Option<Refusal>) -> Stop {
    steps.push(step(GATEWAY, what, format!("{}: {why}", why.text()), false));
    let told = refusal.map(told).unwrap_or("the sender is not told");
    Stop {
        verdict: TraceVerdict::Refused,
        reason: Some(why),
        text: format!("refused: {}; {told}", why.text()),
    }
}

const fn told(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NoRoute => "the sender is told at once: no route",
        Refusal::Prohibited => "the sender is told at once: administratively prohibited",
        Refusal::AddressUnreachable => "the sender is told at once: address unreachable",
        Refusal::PortUnreachable => "the sender is told at once: port unreachable",
        Refusal::SourcePolicy => "the sender is told at once: source failed policy",
        Refusal::TooBig { .. } => "the sender is told at once: too big",
        Refusal::HopLimit => "the sender is told at once: hop limit exceeded",
        Refusal::UnknownNextHeader { .. } | Refusal::WrongField { .. } => {
            "the sender is told at once: parameter problem"
        }
    }
}

fn by(view: &ClientView) -> String {
    let rtt = view.rtt.map(|rtt| format!(", rtt {:.1} ms", rtt.as_secs_f64() * 1000.0)).unwrap_or_default();
    format!("ip-https from {}{rtt}", view.from.ip())
}

fn solicited(host: Option<&HostView>) -> String {
    let Some(host) = host else { return ", never solicited".to_owned() };
    let last = host.last_rs.map(|at| {
        let ago = jiff::Timestamp::now().as_second().saturating_sub(wall(at).as_second());
        format!(", last solicitation {ago} s ago")
    });
    let refusals = match (host.state, host.refusals) {
        (HostState::Refused, n) if n > 0 => format!(", refused {n} times so far"),
        (HostState::Refused | HostState::Served | HostState::Leaving, _) => String::new(),
    };
    format!("{}{refusals}", last.unwrap_or_default())
}

fn origin(host: &HostView) -> String {
    let origin = host.origin.as_deref().filter(|origin| !origin.is_empty());
    origin.map(|origin| format!(" ({origin})")).unwrap_or_default()
}

/// `helpdesk -> clients tcp/22, icmp`
fn in_words(rule: &PolicyRule) -> String {
    let ports: Vec<String> = rule.ports.iter().map(port_in_words).collect();
    let ports = if ports.is_empty() { "on every port".to_owned() } else { ports.join(", ") };
    format!("{} -> {} {ports}", who(&rule.from), who(&rule.to))
}

fn who(selector: &Selector) -> String {
    match selector {
        Selector::Any => "any".to_owned(),
        Selector::Clients => "clients".to_owned(),
        Selector::Intranet => "intranet".to_owned(),
        Selector::Named(name) => name.clone(),
        Selector::V6(prefix) => prefix.to_string(),
        Selector::V4(prefix) => prefix.to_string(),
    }
}

fn port_in_words(ports: &Ports) -> String {
    let range = |name: &str, range: &std::ops::RangeInclusive<u16>| {
        if range.start() == range.end() {
            format!("{name}/{}", range.start())
        } else {
            format!("{name}/{}-{}", range.start(), range.end())
        }
    };
    match ports {
        Ports::Tcp(r) => range("tcp", r),
        Ports::Udp(r) => range("udp", r),
        Ports::Icmp => "icmp".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_traced_is_a_protocol_and_a_port() {
        assert_eq!(what("tcp/22"), Some((6, 22)));
        assert_eq!(what("udp/53"), Some((17, 53)));
        assert_eq!(what("icmp"), Some((58, 0)));
        for bad in ["tcp", "tcp/", "tcp/70000", "sctp/1", "icmp/8", ""] {
            assert_eq!(what(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_rule_is_said_as_it_is_written() {
        let rule = PolicyRule {
            from: Selector::Named("helpdesk".to_owned()),
            to: Selector::Clients,
            ports: vec![Ports::Tcp(22..=22), Ports::Udp(1..=9), Ports::Icmp],
            line: 3,
        };
        assert_eq!(in_words(&rule), "helpdesk -> clients tcp/22, udp/1-9, icmp");
    }
}
