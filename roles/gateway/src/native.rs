//! Tells the hosts of native segments the way to the clients, on a thread of its own that sleeps most of the time.
//!
//! No packet to or from a client comes here: hosts that were told send to the kernel, which hands over to the fabric like
//! anything else that it forwards.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use sixgate_config::Gateway;
use sixgate_io_host::privilege;
use sixgate_io_link::{Interest, Poller, Waker, clock};
use sixgate_native::{Advertiser, Config};
use sixgate_time::{Duration, Instant, TokenBucket};
use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::lease::{Lease, LeasedRoute};

use crate::control::Net;
use crate::parent::Advertised;
use crate::seam::ToNet;

/// Solicitations of one segment before the others have their turn.
const BATCH: usize = 16;
const WAKE: u64 = u64::MAX;
/// Refusals a second that the packet plane is told of: its mailbox has no bound of its own.
const TOLD: u32 = 1000;

/// The thread; withdraws and ends when told so.
pub(crate) struct Native {
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Native {
    /// Starts to advertise; `None` where nothing is to be.
    ///
    /// # Errors
    /// When the system gives no thread or no poller.
    pub(crate) fn start(
        config: &Gateway,
        segments: Vec<Advertised>,
        net: Net,
        seed: u64,
    ) -> io::Result<Option<Self>> {
        let Some(offer) = offer(config).filter(|_| !segments.is_empty()) else { return Ok(None) };
        let (stop, waker) = (Arc::new(AtomicBool::new(false)), Waker::new()?);
        let now = clock::now();
        // RFC 4861, section 6.2.1: a lifetime of three intervals, so that a lost advertisement costs nothing.
        let longest_interval = Duration::from_secs(u64::from(offer.lifetime) / 3);
        let segments = (seed..)
            .zip(segments)
            .map(|(seed, segment)| {
                let config = Config { source: segment.source, offer: offer.clone(), longest_interval };
                tracing::info!(interface = segment.name, "the way to the clients is advertised");
                (segment, Advertiser::new(config, seed, now))
            })
            .collect();
        let told = TokenBucket::new(TOLD, TOLD);
        let run = Run { segments, net, told, stop: Arc::clone(&stop), waker: waker.clone() };
        let thread = std::thread::Builder::new().name("native".to_owned()).spawn(move || {
            if let Err(e) = privilege::give_up_all().and_then(|()| run.until_silent()) {
                tracing::error!("native segments are not served any more: {e}");
            }
        })?;
        Ok(Some(Self { stop, waker, thread }))
    }

    /// Withdraws what was advertised, and ends.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        if self.thread.join().is_err() {
            tracing::error!("the thread for native segments panicked; please report this as a bug");
        }
    }
}

/// What hosts are told.
fn offer(config: &Gateway) -> Option<Lease> {
    let (native, site) = (config.native.as_ref()?, config.site.as_ref()?);
    let route = |prefix| LeasedRoute { prefix, preference: native.preference, lifetime: native.lifetime };
    let nat64 = config.nat64.iter().flat_map(|n| &n.prefixes).filter(|_| native.pref64);
    let prefix64 = nat64.clone().next().copied();
    let routes = std::iter::once(route(site.clients())).chain(nat64.map(|p| route(p.prefix())));
    Some(Lease { routes: routes.collect(), prefix64, lifetime: native.lifetime, ..Lease::default() })
}

struct Run {
    segments: Vec<(Advertised, Advertiser)>,
    net: Net,
    told: TokenBucket,
    stop: Arc<AtomicBool>,
    waker: Waker,
}

impl Run {
    fn until_silent(mut self) -> io::Result<()> {
        let mut poller = Poller::new(16)?;
        poller.add(&self.waker, WAKE, Interest::READ)?;
        for (n, (segment, _)) in (0..).zip(&self.segments) {
            poller.add(&segment.segment, n, Interest::READ)?;
        }
        let mut packet = Packet::new();
        while !self.segments.iter().all(|(_, advertiser)| advertiser.is_silent()) {
            let due = self.segments.iter().map(|(_, a)| a.next_timeout()).min().unwrap_or(Instant::NEVER);
            let ready: Vec<u64> = poller.wait(clock::until(due))?.map(|event| event.token).collect();
            let now = clock::now();
            for token in ready {
                if token == WAKE {
                    self.waker.drain();
                } else if let Some((segment, advertiser)) =
                    usize::try_from(token).ok().and_then(|n| self.segments.get_mut(n))
                {
                    hear(segment, advertiser, now, &mut packet, |refused| {
                        if self.told.take(now) {
                            self.net.tell(refused);
                        }
                    });
                }
            }
            for (segment, advertiser) in &mut self.segments {
                if self.stop.load(Ordering::Acquire) {
                    advertiser.shutdown(now);
                }
                speak(segment, advertiser, now, &mut packet);
            }
        }
        Ok(())
    }
}

fn hear(
    segment: &Advertised,
    advertiser: &mut Advertiser,
    now: Instant,
    packet: &mut Packet,
    mut tell: impl FnMut(ToNet),
) {
    for _ in 0..BATCH {
        match segment.segment.receive(packet) {
            Ok(true) => {}
            Ok(false) => return,
            Err(e) => {
                tracing::debug!(interface = segment.name, "native segment: {e}");
                return;
            }
        }
        let heard = match Ipv6::parse(packet.bytes()) {
            Ok(ip) => advertiser.solicited(now, &ip),
            Err(fault) => Err(fault.reason()),
        };
        if let Err(reason) = heard {
            tell(ToNet::Refused { reason, what: format!("{packet:?} on {}", segment.name) });
        }
    }
}

fn speak(segment: &Advertised, advertiser: &mut Advertiser, now: Instant, packet: &mut Packet) {
    while advertiser.poll_transmit(now, packet) {
        // An interface that is down now may be up at the next one.
        if let Err(e) = segment.segment.send_to_all(packet) {
            tracing::debug!(interface = segment.name, "native segment: {e}");
        }
    }
}
