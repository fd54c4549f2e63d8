//! `capture`: copies of packets from the packet plane, as lines for the command line.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use sixgate_api::{
    CaptureDirection, CaptureEnd, CaptureInterface, CaptureLine, CapturePacket, CaptureRequest,
    CaptureVerdict,
};
use sixgate_fabric::Grounds;
use sixgate_io_control::{Answer, Response};
use sixgate_wire::addr::isatap::{self, Form};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, sleep_until};

use super::ends::Side;
use super::{Control, Site};
use crate::net::{Captured, Fate, Meter, Place, Tap, Wanted, Way};
use crate::seam::{Question, ToNet};

/// Copies that may wait, beside the limit on their octets.
const ROOM: usize = 4096;
/// Pieces of the answer that may wait for the socket.
const PIECES: usize = 16;
/// A capture without an end of its own ends after this.
const LONGEST: Duration = Duration::from_secs(86_400);

/// Begins a capture; it ends by itself, or when the caller goes away.
pub(crate) async fn begin(control: &Arc<Control>, request: CaptureRequest) -> Answer {
    let wanted = match wanted(control, &request).await {
        Ok(wanted) => wanted,
        Err(line) => return Answer::Document(Response::failure(404, "no-such-end", &line)),
    };
    let (to, copies) = channel(ROOM);
    let meter = Arc::new(Meter::default());
    control.net.tell(ToNet::Capture(Tap { wanted, to, meter: Arc::clone(&meter) }));
    let (out, pieces) = channel(PIECES);
    let scribe = Scribe {
        control: Arc::clone(control),
        interfaces: BTreeMap::new(),
        clients: BTreeMap::new(),
        meter,
        packets: 0,
    };
    tokio::spawn(scribe.write(request, copies, out));
    Answer::Stream(pieces)
}

async fn wanted(control: &Control, request: &CaptureRequest) -> Result<Wanted, String> {
    let host = match &request.host {
        Some(name) => {
            let end = control.end(name, Side::Isatap).await?;
            let mut addresses = vec![IpAddr::V6(end.address)];
            if let (Some(v4), Ok(site)) = (end.ipv4, control.site.lock()) {
                addresses.extend(addresses_of(v4, &site));
            }
            Some(addresses)
        }
        None => None,
    };
    let client = match &request.client {
        Some(name) => Some(control.end(name, Side::Isatap).await?.address),
        None => None,
    };
    Ok(Wanted { host, client })
}

/// Everything that a machine of the intranet may be called in a packet: it may have been served by another rule until now.
fn addresses_of(v4: Ipv4Addr, site: &Site) -> Vec<IpAddr> {
    let mut addresses = vec![IpAddr::V4(v4)];
    for form in [Form::Private, Form::Global] {
        let prefixes = site.link_prefixes();
        addresses.extend(prefixes.iter().map(|p| IpAddr::V6(isatap::address(p.address(), form, v4))));
        addresses.push(IpAddr::V6(isatap::link_local(form, v4)));
    }
    let (stateful, stateless) = (site.config.nat64.iter(), site.config.siit.iter());
    let prefixes = stateful.flat_map(|n| &n.prefixes).chain(stateless.flat_map(|s| &s.prefixes));
    addresses.extend(prefixes.map(|p| IpAddr::V6(p.embed(v4))));
    addresses
}

/// Writes one capture.
struct Scribe {
    control: Arc<Control>,
    interfaces: BTreeMap<Place, u32>,
    /// Names by session.
    clients: BTreeMap<u32, String>,
    meter: Arc<Meter>,
    packets: u64,
}

impl Scribe {
    async fn write(mut self, request: CaptureRequest, mut copies: Receiver<Captured>, out: Sender<Vec<u8>>) {
        let limit = request.seconds.map_or(LONGEST, Duration::from_secs).min(LONGEST);
        let end = Instant::now() + limit;
        let most = request.packets.unwrap_or(u64::MAX);
        while self.packets < most {
            let copy = tokio::select! {
                copy = copies.recv() => copy,
                () = sleep_until(end) => None,
                () = out.closed() => return,
            };
            let Some(copy) = copy else { break };
            self.meter.took(&copy);
            let Some(lines) = self.lines(copy).await else { continue };
            self.packets += 1;
            if out.send(lines).await.is_err() {
                return;
            }
        }
        let end = CaptureEnd { packets: self.packets, lost: self.meter.lost() };
        let _ = out.send(line(&CaptureLine::End(end)).unwrap_or_default()).await;
    }

    /// The line of this packet, behind that of its interface when it is the first there.
    async fn lines(&mut self, copy: Captured) -> Option<Vec<u8>> {
        let mut lines = Vec::new();
        self.learn(&copy).await;
        let next = u32::try_from(self.interfaces.len()).ok()?;
        let id = *self.interfaces.entry(copy.place).or_insert(next);
        if id == next {
            let (name, description) = self.describe(copy.place);
            lines.extend(line(&CaptureLine::Interface(CaptureInterface { id, name, description }))?);
        }
        lines.extend(line(&CaptureLine::Packet(self.packet(id, &copy)))?);
        Some(lines)
    }

    /// Names of clients that have not been seen yet.
    async fn learn(&mut self, copy: &Captured) {
        let seen = [session(copy.place), to(&copy.fate).and_then(|way| session(Place::Port(way)))];
        if seen.into_iter().flatten().all(|n| self.clients.contains_key(&n)) {
            return;
        }
        for view in self.control.net.ask(Question::Clients).await.unwrap_or_default() {
            self.clients.insert(view.session, view.name);
        }
        for n in seen.into_iter().flatten() {
            // It has ended already.
            self.clients.entry(n).or_insert_with(|| format!("session-{n}"));
        }
    }

    fn packet(&self, interface: u32, copy: &Captured) -> CapturePacket {
        let since = copy.at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (direction, verdict) = match copy.fate {
            Fate::Passed { .. } => (CaptureDirection::In, CaptureVerdict::Passed),
            Fate::Consumed => (CaptureDirection::In, CaptureVerdict::Consumed),
            Fate::Dropped(_) => (CaptureDirection::In, CaptureVerdict::Dropped),
            Fate::Sent => (CaptureDirection::Out, CaptureVerdict::Sent),
        };
        let (reason, rule) = match copy.fate {
            Fate::Dropped(reason) => (Some(reason), None),
            Fate::Passed { grounds: Some((Grounds::Rule(n), _)), .. } => {
                (None, self.control.place_of_rule(n))
            }
            Fate::Passed { .. } | Fate::Consumed | Fate::Sent => (None, None),
        };
        CapturePacket {
            interface,
            at: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            direction,
            data: BASE64.encode(&copy.bytes),
            comment: self.comment(copy, rule.as_deref()),
            verdict,
            reason: reason.map(|r| r.code().to_owned()),
            rule,
            session: session(copy.place).or(to(&copy.fate).and_then(|way| session(Place::Port(way)))),
        }
    }

    fn comment(&self, copy: &Captured, rule: Option<&str>) -> String {
        let place = self.place(copy.place);
        let mut text = match copy.fate {
            Fate::Passed { to, grounds } => {
                let by = rule.map_or_else(|| "a default rule".to_owned(), |rule| format!("rule {rule}"));
                let why = match grounds {
                    Some((Grounds::Service, false)) => ": a service of the gateway".to_owned(),
                    Some((Grounds::Service, true)) => ": answer of a service of the gateway".to_owned(),
                    Some((Grounds::Rule(_), false)) => format!(": allowed by {by}"),
                    Some((Grounds::Rule(_), true)) => format!(": answer in a flow allowed by {by}"),
                    None => String::new(),
                };
                format!("from {place} to {}{why}", self.place(Place::Port(to)))
            }
            Fate::Consumed => format!("from {place}: for the gateway itself"),
            Fate::Dropped(reason) => {
                format!("at {place}: dropped: {} ({}): {}", reason.code(), reason.number(), reason.text())
            }
            Fate::Sent => format!("sent to {place}"),
        };
        if let Some(segment) = copy.segment {
            text.push_str(&format!("; cut into segments of {segment} octets on the wire"));
        }
        text
    }

    fn place(&self, place: Place) -> String {
        match place {
            Place::Port(Way::Kernel) => "the kernel".to_owned(),
            Place::Port(Way::Nat64) => "NAT64".to_owned(),
            Place::Nat64V4 => "the IPv4 side of NAT64".to_owned(),
            Place::Port(Way::Isatap) => "the ISATAP link".to_owned(),
            Place::Port(Way::Client(n)) => format!("client {} (session {n})", self.client(n)),
        }
    }

    fn client(&self, session: u32) -> &str {
        self.clients.get(&session).map_or("?", String::as_str)
    }

    fn describe(&self, place: Place) -> (String, String) {
        let (name, description) = match place {
            Place::Port(Way::Kernel) => ("kernel", "into the IPv6 routes of the gateway"),
            Place::Port(Way::Nat64) => ("nat64", "IPv6 side of NAT64"),
            Place::Nat64V4 => ("nat64-ipv4", "IPv4 side of NAT64"),
            Place::Port(Way::Isatap) => ("isatap", "ISATAP link: IPv6 in protocol 41"),
            Place::Port(Way::Client(n)) => {
                let name = self.client(n);
                return (
                    format!("client:{name}"),
                    format!("inside of the tunnel of client {name}, session {n}"),
                );
            }
        };
        (name.to_owned(), description.to_owned())
    }
}

impl Control {
    /// `FILE:LINE` of a policy rule; none for a default one.
    pub(crate) fn place_of_rule(&self, n: usize) -> Option<String> {
        let site = self.site.lock().ok()?;
        let policy = site.config.policy.as_ref().filter(|policy| !policy.is_default)?;
        let file = self.file.file_name()?.to_string_lossy().into_owned();
        Some(format!("{file}:{}", policy.rules.get(n)?.line))
    }
}

const fn session(place: Place) -> Option<u32> {
    match place {
        Place::Port(Way::Client(n)) => Some(n),
        Place::Port(Way::Kernel | Way::Nat64 | Way::Isatap) | Place::Nat64V4 => None,
    }
}

const fn to(fate: &Fate) -> Option<Way> {
    match fate {
        Fate::Passed { to, .. } => Some(*to),
        Fate::Consumed | Fate::Dropped(_) | Fate::Sent => None,
    }
}

fn line(value: &CaptureLine) -> Option<Vec<u8>> {
    let mut line = serde_json::to_vec(value).ok()?;
    line.push(b'\n');
    Some(line)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::control::allowed::Sources;

    #[test]
    fn a_host_is_captured_in_every_prefix_of_the_link() {
        let file = r#"schema = 1
[isatap]
interface = "int0"
prefix = "fd00:2::/64"
routes = [{ prefix = "fd00:1::/64" }]
[[isatap.allow]]
hosts = ["10.6.8.20"]
prefix = "fd00:22::/64"
"#;
        let config = sixgate_config::gateway(Path::new("a.toml"), file).unwrap().value;
        let own = Ipv4Addr::new(10, 6, 0, 1);
        let site = Site::new(config, Some(own), vec![own], vec![], Sources::default());
        let all = addresses_of(Ipv4Addr::new(10, 6, 8, 20), &site);
        for address in
            ["10.6.8.20", "fd00:2::5efe:a06:814", "fd00:22::5efe:a06:814", "fe80::200:5efe:a06:814"]
        {
            assert!(all.contains(&address.parse().unwrap()), "{address} is not in {all:?}");
        }
    }
}
