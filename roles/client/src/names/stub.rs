//! Answers the machine's own questions: from the tunnel's servers, from the local network's, or at once with an error.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::base::Message;
use domain::base::iana::{Rcode, exterr::ExtendedErrorCode};
use sixgate_io_dns::server::{Handler, Request, answers};
use sixgate_io_dns::upstream::Upstreams;
use sixgate_reason::{Counters, DNS_MALFORMED, DNS_TUNNEL_DOWN, DNS_UPSTREAM_FAILED, Reason};
use sixgate_roaming::steer::{Decision, Mode, Steering};

#[derive(Default)]
pub(super) struct Stub {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    steering: Option<Steering>,
    tunnel: Option<Arc<Upstreams>>,
    local: Option<Arc<Upstreams>>,
    counters: Counters,
}

/// What is done with a question.
enum Way {
    Ask(Arc<Upstreams>),
    Fail(Reason, &'static str),
    /// NXDOMAIN.
    Deny,
}

impl std::fmt::Debug for Stub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.state();
        f.debug_struct("Stub")
            .field("steering", &state.steering)
            .field("tunnel", &state.tunnel)
            .finish_non_exhaustive()
    }
}

impl Stub {
    pub(super) fn set_tunnel(&self, steering: Steering, servers: &[SocketAddr]) {
        let mut state = self.state();
        state.steering = Some(steering);
        let same = state.tunnel.as_ref().is_some_and(|now| now.servers().eq(servers.iter().copied()));
        if !same {
            state.tunnel = Some(Arc::new(Upstreams::new(servers)));
        }
    }

    pub(super) fn set_local(&self, servers: Vec<SocketAddr>) {
        let mut state = self.state();
        let same = state.local.as_ref().is_some_and(|now| now.servers().eq(servers.iter().copied()));
        if !same {
            state.local = Some(Arc::new(Upstreams::new(&servers)));
        }
    }

    pub(super) fn set_mode(&self, mode: Mode) {
        if let Some(steering) = &mut self.state().steering {
            steering.set_mode(mode);
        }
    }

    pub(super) fn local_servers(&self) -> Vec<SocketAddr> {
        self.state().local.as_ref().map(|local| local.servers().collect()).unwrap_or_default()
    }

    /// The rules and the servers behind them.
    pub(super) fn steering(&self) -> (Option<Steering>, Vec<SocketAddr>) {
        let state = self.state();
        let servers = state.tunnel.as_ref().map(|tunnel| tunnel.servers().collect());
        (state.steering.clone(), servers.unwrap_or_default())
    }

    pub(super) fn counters(&self) -> Counters {
        self.state().counters.clone()
    }

    fn way(&self, name: &str) -> Way {
        let state = self.state();
        let decision = state.steering.as_ref().map_or(Decision::Local, |steering| steering.decide(name));
        let ask = |upstreams: &Option<Arc<Upstreams>>| match upstreams {
            Some(upstreams) => Way::Ask(Arc::clone(upstreams)),
            None => Way::Fail(DNS_UPSTREAM_FAILED, "no name server is known"),
        };
        match decision {
            Decision::Tunnel => ask(&state.tunnel),
            Decision::Local => ask(&state.local),
            Decision::Unreachable => {
                Way::Fail(DNS_TUNNEL_DOWN, "the name belongs to the tunnel, which is down")
            }
            Decision::SingleLabel => Way::Deny,
        }
    }

    fn count(&self, reason: Reason) {
        self.state().counters.count(reason);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole values are replaced: a panic elsewhere cannot leave half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Stub {
    async fn handle(&self, request: Request) -> Option<Vec<u8>> {
        let message = Message::from_slice(&request.message).ok()?;
        let Ok(question) = message.sole_question() else {
            self.count(DNS_MALFORMED);
            return answers::empty(&request.message, Rcode::FORMERR, None);
        };
        match self.way(&question.qname().to_string()) {
            Way::Ask(upstreams) => match upstreams.exchange(&request.message).await {
                Ok(answer) => answers::fit(&request.message, answer, request.stream),
                Err(error) => {
                    self.count(DNS_UPSTREAM_FAILED);
                    let why = (ExtendedErrorCode::NO_REACHABLE_AUTHORITY, error.to_string());
                    answers::empty(&request.message, Rcode::SERVFAIL, Some((why.0, &why.1)))
                }
            },
            Way::Fail(reason, text) => {
                self.count(reason);
                let why = Some((ExtendedErrorCode::NO_REACHABLE_AUTHORITY, text));
                answers::empty(&request.message, Rcode::SERVFAIL, why)
            }
            Way::Deny => answers::empty(&request.message, Rcode::NXDOMAIN, None),
        }
    }

    fn refused(&self, _client: IpAddr, reason: Reason) {
        self.count(reason);
    }
}
