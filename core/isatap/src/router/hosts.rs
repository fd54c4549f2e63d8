//! The hosts: those that are served, and those that asked and were refused.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::net::{Ipv4Addr, Ipv6Addr};

use sixgate_reason::{ISATAP_HOST_TABLE_FULL, ISATAP_PREFIX_NOT_OF_HOST, Reason};
use sixgate_time::{Duration, Instant, TokenBucket};
use sixgate_wire::addr::isatap::Form;
use sixgate_wire::lease::Lease;

use super::offers::{self, Exchanges};
use super::path::PathMtu;
use super::reach::Reach;
use super::retire::Withdrawn;
use super::view::RouterEvent;
use crate::keyed::Keyed;
use crate::recent::{Rank, Recent};

/// Refused hosts that are listed; whoever asked longest ago makes room.
const MOST_REFUSED: usize = 1024;
/// Events that may wait; they are for logs, and a log that is not read loses its oldest lines elsewhere too.
const MOST_EVENTS: usize = 256;
/// Messages of one host that are answered: ten a second, twenty at once.
const PER_HOST: TokenBucket = TokenBucket::new(10, 20);
/// Redirects to one host: one a second.
const REDIRECTS: TokenBucket = TokenBucket::new(1, 1);
/// Hosts that nobody knew yet, in all.
///
/// Whoever forges sources inside the site meets this limit and not that of a host which is known. It lies above the 100,000 forged
/// solicitations a second that hosts must survive: below, one real newcomer among them would be answered by chance only. Nobody is
/// hit by the answers, because each address is sent at most [`PER_HOST`].
const NEWCOMERS: TokenBucket = TokenBucket::new(200_000, 20_000);
/// The same while packets come faster than they are dealt with, so that known hosts do not wait for newcomers.
const NEWCOMERS_PRESSED: TokenBucket = TokenBucket::new(2000, 200);
/// The same for addresses of our own IPv4 links. The kernel looks for the station of each one that is answered, and its table of those has
/// some thousand places for all that this machine talks to: forged ones must not fill it.
const NEAR_NEWCOMERS: TokenBucket = TokenBucket::new(100, 200);
/// Lines for the log about hosts that come and go; the same again about hosts that are refused.
const TOLD: TokenBucket = TokenBucket::new(20, 200);
/// A host that has proven itself and was heard within this time does not make room for a newcomer.
const FIRM_FOR: Duration = Duration::from_secs(600);
/// How exactly it is known when a host was last heard: a packet moves nothing more often than this.
const GRANULARITY: Duration = Duration::from_secs(1);

/// The forms of its identifier that a host has used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Forms(u8);

impl Forms {
    pub(super) fn extend(&mut self, form: Option<Form>) {
        if let Some(form) = form {
            self.0 |= Self::bit(form);
        }
    }

    pub(super) fn has(self, form: Form) -> bool {
        self.0 & Self::bit(form) != 0
    }

    const fn bit(form: Form) -> u8 {
        match form {
            Form::Private => 1,
            Form::Global => 2,
        }
    }
}

/// A host that is served.
pub(super) struct Host {
    /// The rule that serves it; `None` while it is being withdrawn.
    pub(super) rule: Option<u32>,
    /// What it is given, or was while it is being withdrawn.
    pub(super) offer: Arc<Lease>,
    /// After a change, until it was told often enough: `offer` with what it had before taken away.
    pub(super) exchange: Option<Arc<Lease>>,
    /// It was taken in, or in again, without having asked, and waits to be told.
    pub(super) untold: bool,
    pub(super) forms: Forms,
    /// The form that its last solicitation used, and the form of ours that it was sent to.
    pub(super) theirs: Form,
    pub(super) ours: Form,
    pub(super) first_rs: Option<Instant>,
    pub(super) last_rs: Option<Instant>,
    /// When a packet of it last came, whatever it was.
    pub(super) heard: Instant,
    /// It has answered a question of ours. Everything else that a host sends can be forged in any number, and so can what opens a flow.
    pub(super) proven: bool,
    pub(super) messages: TokenBucket,
    /// When it was last sent an advertisement.
    pub(super) told: Instant,
    pub(super) reach: Reach,
    pub(super) path_mtu: Option<PathMtu>,
    pub(super) redirects: TokenBucket,
    /// Flows from or to it when they were last counted, which is done while ISATAP is being retired.
    pub(super) open: u32,
    /// There is nothing for it any more, because ISATAP is being retired.
    pub(super) withdrawn: Option<Withdrawn>,
    pub(super) rx_packets: u64,
    pub(super) rx_bytes: u64,
    pub(super) tx_packets: u64,
    pub(super) tx_bytes: u64,
    pub(super) flows_started: u64,
    pub(super) last_flow: Option<Instant>,
}

impl Host {
    /// What an advertisement to it says.
    pub(super) fn advertised(&self) -> &Arc<Lease> {
        self.exchange.as_ref().unwrap_or(&self.offer)
    }

    /// True for an address that it may have on this link.
    pub(super) fn may_have(&self, address: Ipv6Addr) -> bool {
        offers::has(&self.offer, address)
    }

    /// Counts a packet from it whose source embeds its address.
    pub(super) fn received(&mut self, form: Option<Form>, src: Ipv6Addr, len: usize) -> Result<(), Reason> {
        if !self.may_have(src) {
            return Err(ISATAP_PREFIX_NOT_OF_HOST);
        }
        self.forms.extend(form);
        self.rx_packets += 1;
        self.rx_bytes += len as u64;
        Ok(())
    }
}

/// A host that asked and was refused.
pub(super) struct RefusedHost {
    pub(super) reason: Reason,
    /// The form that it asked from, and the form of ours that it asked.
    pub(super) asked: Option<(Form, Form)>,
    pub(super) first_rs: Option<Instant>,
    pub(super) last_rs: Option<Instant>,
    pub(super) times: u64,
}

pub(super) struct Hosts {
    pub(super) served: Recent<Host>,
    pub(super) refused: Recent<RefusedHost>,
    newcomers: TokenBucket,
    newcomers_pressed: TokenBucket,
    near_newcomers: TokenBucket,
    pub(super) pressed: bool,
    events: VecDeque<RouterEvent>,
    told: TokenBucket,
    told_refusals: TokenBucket,
}

impl Hosts {
    pub(super) fn new(most: usize, seed: &[u8; 32]) -> Self {
        let keyed = Keyed::new(seed);
        Self {
            served: Recent::new(most, keyed),
            refused: Recent::new(MOST_REFUSED, keyed),
            newcomers: NEWCOMERS,
            newcomers_pressed: NEWCOMERS_PRESSED,
            near_newcomers: NEAR_NEWCOMERS,
            pressed: false,
            events: VecDeque::new(),
            told: TOLD,
            told_refusals: TOLD,
        }
    }

    pub(super) fn served_mut(&mut self, v4: Ipv4Addr) -> Option<&mut Host> {
        self.served.get_mut(v4)
    }

    /// Takes from what all hosts that are not known share; `near` for one on an IPv4 link of ours.
    pub(super) fn take_newcomer(&mut self, now: Instant, near: bool) -> bool {
        (!near || self.near_newcomers.take(now))
            && (!self.pressed || self.newcomers_pressed.take(now))
            && self.newcomers.take(now)
    }

    /// Notes that a packet of this host came; `proves` when only the host itself can have sent it.
    pub(super) fn heard(&mut self, now: Instant, v4: Ipv4Addr, proves: bool) {
        let Some(host) = self.served.get_mut(v4) else { return };
        let becomes_firm = proves && !host.proven;
        if !becomes_firm && now.since(host.heard) < GRANULARITY {
            return;
        }
        host.heard = host.heard.max(now);
        host.proven |= proves;
        if becomes_firm {
            self.served.set_rank(v4, Rank::Firm);
        } else {
            self.served.touch(v4);
        }
    }

    /// Adds a host. In a full table, whoever has not proven itself, or was not heard for long, makes room; `None`, and listed as refused, when
    /// all of them do.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        v4: Ipv4Addr,
        rule: Option<u32>,
        offer: &Arc<Lease>,
        form: Option<Form>,
    ) -> Option<&mut Host> {
        if self.served.is_full() && !self.make_room(now) {
            self.refuse(now, v4, ISATAP_HOST_TABLE_FULL, None);
            return None;
        }
        self.refused.remove(v4);
        self.tell(now, RouterEvent::HostServed { ipv4: v4 });
        let mut forms = Forms::default();
        forms.extend(form);
        let host = Host {
            rule,
            offer: Arc::clone(offer),
            exchange: None,
            untold: false,
            forms,
            theirs: form.unwrap_or(Form::of(v4)),
            ours: Form::Private,
            first_rs: None,
            last_rs: None,
            heard: now,
            proven: false,
            messages: PER_HOST,
            told: now,
            reach: Reach::NEW,
            path_mtu: None,
            redirects: REDIRECTS,
            open: 0,
            withdrawn: None,
            rx_packets: 0,
            rx_bytes: 0,
            tx_packets: 0,
            tx_bytes: 0,
            flows_started: 0,
            last_flow: None,
        };
        self.served.insert(v4, host)
    }

    /// Lists a host that gets nothing; `asked` are the forms of its solicitation, if it was one. The first time is an event.
    pub(super) fn refuse(&mut self, now: Instant, v4: Ipv4Addr, reason: Reason, asked: Option<(Form, Form)>) {
        let when = asked.map(|_| now);
        if let Some(known) = self.refused.get_mut(v4) {
            known.reason = reason;
            known.times += 1;
            known.asked = asked.or(known.asked);
            known.first_rs = known.first_rs.or(when);
            known.last_rs = when.or(known.last_rs);
            self.refused.touch(v4);
            return;
        }
        if self.refused.is_full()
            && let Some((oldest, _)) = self.refused.oldest(Rank::Light)
        {
            self.refused.remove(oldest);
        }
        self.refused.insert(v4, RefusedHost { reason, asked, first_rs: when, last_rs: when, times: 1 });
        self.tell(now, RouterEvent::HostRefused { ipv4: v4, reason });
    }

    fn make_room(&mut self, now: Instant) -> bool {
        let idle = |(v4, host): (Ipv4Addr, &Host)| (host.heard + FIRM_FOR <= now).then_some(v4);
        let light = self.served.oldest(Rank::Light).map(|(v4, _)| v4);
        let Some(v4) = light.or_else(|| self.served.oldest(Rank::Firm).and_then(idle)) else {
            return false;
        };
        self.served.remove(v4);
        self.tell(now, RouterEvent::HostForgotten { ipv4: v4 });
        true
    }

    /// Gives every host the rule that serves it, and its offer; true when somebody has none any more, or loses a part.
    pub(super) fn reconsider<'o>(
        &mut self,
        most: usize,
        rule: impl Fn(Ipv4Addr) -> Option<(u32, &'o Arc<Lease>)>,
    ) -> bool {
        self.served.set_most(most);
        let mut somebody_loses = false;
        let mut exchanges = Exchanges::default();
        for (v4, host) in self.served.iter_mut() {
            let found = rule(v4);
            // It may have heard already that it is to leave.
            host.untold |= host.rule.is_none() && found.is_some();
            host.rule = found.map(|(number, _)| number);
            let Some((_, offer)) = found else {
                somebody_loses = true;
                continue;
            };
            if host.exchange.is_some() || host.offer != *offer {
                host.exchange = Some(exchanges.between(host.advertised(), offer));
                somebody_loses = true;
            }
            host.offer = Arc::clone(offer);
        }
        somebody_loses
    }

    /// Takes a host off the list of those that are served, and lists it as refused.
    pub(super) fn dismiss(&mut self, now: Instant, v4: Ipv4Addr, reason: Reason) {
        let Some(host) = self.served.remove(v4) else { return };
        self.refuse(now, v4, reason, None);
        if let Some(refused) = self.refused.get_mut(v4) {
            refused.asked = Some((host.theirs, host.ours));
            refused.first_rs = host.first_rs;
            refused.last_rs = host.last_rs;
            refused.times = 0;
        }
    }

    /// Forgets hosts that were not heard for `memory`.
    pub(super) fn expire(&mut self, now: Instant, memory: Duration) {
        for rank in RANKS {
            while let Some((v4, host)) = self.served.oldest(rank) {
                if host.heard + memory > now {
                    break;
                }
                self.served.remove(v4);
                self.tell(now, RouterEvent::HostForgotten { ipv4: v4 });
            }
        }
    }

    pub(super) fn next_expiry(&self, memory: Duration) -> Instant {
        let next = |rank| self.served.oldest(rank).map_or(Instant::NEVER, |(_, host)| host.heard + memory);
        RANKS.into_iter().map(next).min().unwrap_or(Instant::NEVER)
    }

    pub(super) fn poll_event(&mut self) -> Option<RouterEvent> {
        self.events.pop_front()
    }

    /// Queues a line for the log, at a rate that leaves the log readable while somebody sweeps addresses.
    fn tell(&mut self, now: Instant, event: RouterEvent) {
        let told = match event {
            RouterEvent::HostServed { .. } | RouterEvent::HostForgotten { .. } => &mut self.told,
            RouterEvent::HostRefused { .. } => &mut self.told_refusals,
        };
        if self.events.len() < MOST_EVENTS && told.take(now) {
            self.events.push_back(event);
        }
    }
}

const RANKS: [Rank; 2] = [Rank::Light, Rank::Firm];
