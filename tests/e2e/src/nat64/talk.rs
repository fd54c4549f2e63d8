//! What a case does: it speaks as the client and as the server and hears what arrives at them.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::craft::{Four, Six, Upper, word};
use super::site::Site;
use super::subject::Subject;
use crate::watched::{Counts, Watched};

/// How long a packet may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same where nothing is expected to come.
const IMPATIENCE: Duration = Duration::from_millis(400);
/// How long nothing more may come at the end of a case.
const AFTERWARDS: Duration = Duration::from_millis(60);

/// An outside transport address that a client got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outside {
    /// Of the pool.
    pub address: Ipv4Addr,
    /// Port or identifier.
    pub port: u16,
}

/// One case at work.
pub struct Talk<'a> {
    /// Where.
    pub site: &'a Site,
    /// The client of this case, and of no other.
    pub client: Ipv6Addr,
    /// The server of this case.
    pub server: Ipv4Addr,
    number: u16,
    patience: Duration,
    afterwards: Duration,
    before: Option<Counts>,
    at_client: VecDeque<Vec<u8>>,
    at_server: VecDeque<Vec<u8>>,
}

impl<'a> Talk<'a> {
    pub(super) fn begin(site: &'a Site, number: u16, fails: bool) -> Self {
        for wire in [&site.inside, &site.outside] {
            let _ = wire.seen();
        }
        let [high, low] = (number + 1).to_be_bytes();
        Self {
            site,
            client: Ipv6Addr::new(0x2001, 0xdb8, 1, number + 1, 0, 0, 0, 8),
            server: Ipv4Addr::new(203, 0, 112 + high, low),
            number: number + 1,
            patience: if fails { IMPATIENCE } else { PATIENCE },
            // What must come, so that the case fails, has time on a busy machine as well.
            afterwards: if fails { IMPATIENCE } else { AFTERWARDS },
            before: site.daemon().map(Watched::counters),
            at_client: VecDeque::new(),
            at_server: VecDeque::new(),
        }
    }

    /// The server, as the client knows it.
    #[must_use]
    pub fn server6(&self) -> Ipv6Addr {
        self.site.embed(self.server)
    }

    /// A packet from the client to the server.
    #[must_use]
    pub fn six(&self, upper: &Upper) -> Six {
        Six::of(self.client, self.server6(), upper)
    }

    /// A packet from the server to where the client is seen.
    #[must_use]
    pub fn four(&self, to: Outside, upper: &Upper) -> Four {
        Four::of(self.server, to.address, &upper.to(to.port))
    }

    /// Sends a packet from the IPv6 side.
    pub fn client_says(&mut self, packet: &Six) {
        self.site.client_says(&packet.octets());
    }

    /// Sends a packet from the IPv4 side.
    pub fn server_says(&mut self, packet: &Four) {
        self.site.server_says(&packet.octets());
    }

    /// The next packet on the IPv6 side.
    ///
    /// # Panics
    /// None comes, or it is no IPv6 packet.
    #[track_caller]
    pub fn client_hears(&mut self) -> Six {
        let heard = self.within_patience(|t| {
            t.listen();
            t.at_client.pop_front()
        });
        Six::read(&heard.expect("a packet should arrive at the client; nothing did"))
    }

    /// A packet on the IPv6 side, if one has come within a moment.
    #[track_caller]
    pub fn client_hears_perhaps(&mut self) -> Option<Six> {
        sleep(self.afterwards);
        self.listen();
        self.at_client.pop_front().map(|packet| Six::read(&packet))
    }

    /// The next packet on the IPv4 side.
    ///
    /// # Panics
    /// None comes, or it is no IPv4 packet.
    #[track_caller]
    pub fn server_hears(&mut self) -> Four {
        let heard = self.within_patience(|t| {
            t.at_server.extend(t.site.outside.seen());
            t.at_server.pop_front()
        });
        Four::read(&heard.expect("a packet should arrive at the server; nothing did"))
    }

    /// A packet on the IPv4 side, if one has come within a moment.
    #[track_caller]
    pub fn server_hears_perhaps(&mut self) -> Option<Four> {
        sleep(self.afterwards);
        self.at_server.extend(self.site.outside.seen());
        self.at_server.pop_front().map(|packet| Four::read(&packet))
    }

    /// All that comes to the server until nothing comes for a moment.
    #[track_caller]
    pub fn server_hears_all(&mut self) -> Vec<Four> {
        let mut heard = Vec::new();
        loop {
            sleep(self.afterwards);
            self.at_server.extend(self.site.outside.seen());
            if self.at_server.is_empty() {
                return heard;
            }
            heard.extend(self.at_server.drain(..).map(|packet| Four::read(&packet)));
        }
    }

    /// All that comes to the client until nothing comes for a moment.
    #[track_caller]
    pub fn client_hears_all(&mut self) -> Vec<Six> {
        let mut heard = Vec::new();
        loop {
            sleep(self.afterwards);
            self.listen();
            if self.at_client.is_empty() {
                return heard;
            }
            heard.extend(self.at_client.drain(..).map(|packet| Six::read(&packet)));
        }
    }

    /// Nothing more has come to the client, and nothing comes within a moment.
    #[track_caller]
    pub fn client_hears_nothing(&mut self) {
        sleep(self.afterwards);
        self.listen();
        assert!(self.at_client.is_empty(), "too much arrives at the client: {:02x?}", self.at_client);
    }

    /// Nothing more has come to the server, and nothing comes within a moment.
    #[track_caller]
    pub fn server_hears_nothing(&mut self) {
        sleep(self.afterwards);
        self.at_server.extend(self.site.outside.seen());
        assert!(self.at_server.is_empty(), "too much arrives at the server: {:02x?}", self.at_server);
    }

    #[track_caller]
    pub(super) fn end(&mut self) {
        self.server_hears_nothing();
        self.client_hears_nothing();
    }

    /// The client sends this, and just its translation arrives. Gives the outside transport address.
    #[track_caller]
    pub fn opens(&mut self, upper: &Upper) -> Outside {
        let six = self.six(upper);
        self.passes_out(&six, upper)
    }

    /// As [`Talk::opens`], with a packet of the client's own making that carries `upper`.
    #[track_caller]
    pub fn passes_out(&mut self, six: &Six, upper: &Upper) -> Outside {
        self.client_says(six);
        let heard = self.server_hears();
        let at = Outside { address: heard.source, port: heard.from_port() };
        assert_eq!(heard, self.translated(six, upper, at, &heard));
        at
    }

    /// The packet that `six` becomes, except for the identification, which is as heard.
    #[must_use]
    pub fn translated(&self, six: &Six, upper: &Upper, at: Outside, heard: &Four) -> Four {
        let four = Four::of(at.address, self.server, &upper.from(at.port));
        Four {
            tos: six.traffic_class,
            // Kernel, translator, kernel.
            ttl: six.hop_limit - 3,
            identification: heard.identification,
            // RFC 7915, section 5.1. What the peer does wrong in every packet has a case of its own.
            dont_fragment: 20 + four.body.len() > 1260 || self.site.subject == Subject::Tayga,
            ..four
        }
    }

    /// The server sends this to where the client is seen, and just its translation arrives at `port` of the client.
    #[track_caller]
    pub fn answers(&mut self, to: Outside, upper: &Upper, port: u16) {
        let four = self.four(to, upper);
        self.passes_in(&four, &upper.to(port));
    }

    /// The server sends a packet of its own making, and what arrives at the client carries `upper`.
    #[track_caller]
    pub fn passes_in(&mut self, four: &Four, upper: &Upper) {
        self.server_says(four);
        let heard = self.client_hears();
        assert_eq!(heard, self.reached(four, upper));
    }

    /// The packet that `four` becomes.
    #[must_use]
    pub fn reached(&self, four: &Four, upper: &Upper) -> Six {
        let six = Six::of(self.site.embed(four.source), self.client, upper);
        Six { traffic_class: four.tos, hop_limit: four.ttl - 3, ..six }
    }

    /// The gateway, ours, has counted `reason` so often since the case began.
    #[track_caller]
    pub fn counted(&self, reason: &str, times: u64) {
        let (Some(daemon), Some(before)) = (self.site.daemon(), &self.before) else { return };
        let end = Instant::now() + PATIENCE;
        loop {
            let all = daemon.counters();
            let value = |counts: &Counts| counts.get(reason).copied().unwrap_or(0);
            let rise = value(&all) - value(before);
            if rise == times {
                return;
            }
            assert!(
                Instant::now() < end && rise < times,
                "{reason} was counted {rise} times, not {times}: {all:?}"
            );
            sleep(Duration::from_millis(20));
        }
    }

    /// The gateway, ours, has counted these reasons so often or more since the case began.
    #[track_caller]
    pub fn counted_at_least(&self, reasons: &[&str], times: u64) {
        let (Some(daemon), Some(before)) = (self.site.daemon(), &self.before) else { return };
        let all = daemon.counters();
        let rise = |reason: &&str| {
            all.get(*reason).copied().unwrap_or(0) - before.get(*reason).copied().unwrap_or(0)
        };
        let risen: u64 = reasons.iter().map(rise).sum();
        assert!(risen >= times, "{reasons:?} were counted {risen} times: {all:?}");
    }

    /// What has come to the client, but what the sessions of earlier cases say to theirs: probes of connections that have been idle.
    fn listen(&mut self) {
        let others = |packet: &Vec<u8>| {
            let subnet = word(packet, 30);
            subnet != self.number && (1..0x100).contains(&subnet)
        };
        let heard = self.site.inside.seen();
        self.at_client.extend(heard.into_iter().filter(|packet| packet.len() < 40 || !others(packet)));
    }

    fn within_patience(&mut self, mut listen: impl FnMut(&mut Self) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let end = Instant::now() + self.patience;
        loop {
            let heard = listen(self);
            if heard.is_some() || Instant::now() > end {
                return heard;
            }
            sleep(Duration::from_millis(1));
        }
    }

    /// Bindings and sessions of this case's client, where the gateway is ours.
    #[must_use]
    pub fn state(&self) -> Vec<serde_json::Value> {
        let Some(daemon) = self.site.daemon() else { return Vec::new() };
        let client = format!("[{}]", self.client);
        ["bib", "sessions"]
            .into_iter()
            .flat_map(|what| daemon.ask(&["nat64", what])[what].as_array().cloned().unwrap_or_default())
            .filter(|line| line["inside"].as_str().is_some_and(|inside| inside.starts_with(&client)))
            .collect()
    }
}
