//! How the client is: what control knows, as `sixgate status` shows it.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use sixgate_api::{ClientState, ClientStatus, Counters, Document, Question, Renewed, Status, path};
use sixgate_doctor::evidence::{ClientEvidence, Role};
use sixgate_io_control::{Handler, Method, Request, Response};
use sixgate_io_tls::tuning;
use sixgate_reason::Reason;
use sixgate_wire::lease::Lease;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::Failure;
use crate::names::Names;
use crate::seam::Tally;

/// Shared by control, which writes, and the control socket, which reads.
#[derive(Clone)]
pub(crate) struct Board {
    facts: Arc<Mutex<Facts>>,
    tally: Arc<Tally>,
    names: Arc<OnceLock<Arc<Mutex<Names>>>>,
    /// To control, where renewals are made.
    renewals: UnboundedSender<Wish>,
}

/// Somebody who waits for a renewal: until when the new certificate is good, or why there is none.
pub(crate) type Wish = oneshot::Sender<Result<Timestamp, Failure>>;

/// What there is to know.
pub(crate) struct Facts {
    pub(crate) name: String,
    state: ClientState,
    since: Timestamp,
    pub(crate) reason: Option<Reason>,
    /// Of the connection that stands.
    pub(crate) connection: Option<Connection>,
    /// The last one; the device keeps it while the tunnel is down.
    pub(crate) lease: Option<Lease>,
    /// Until when the certificate is good.
    pub(crate) certificate_until: Option<Timestamp>,
}

/// The connection outside.
pub(crate) struct Connection {
    pub(crate) url: String,
    pub(crate) peer: SocketAddr,
    pub(crate) socket: TcpStream,
}

impl Facts {
    /// The state, and since when there has been a tunnel, or none: attempts and the waits between them are one time to a
    /// person.
    pub(crate) fn set_state(&mut self, state: ClientState) {
        if (self.state == ClientState::Connected) != (state == ClientState::Connected) {
            self.since = Timestamp::now();
        }
        self.state = state;
    }

    pub(crate) fn state(&self) -> ClientState {
        self.state
    }
}

impl Board {
    pub(crate) fn new(name: String, tally: Arc<Tally>, renewals: UnboundedSender<Wish>) -> Self {
        let facts = Facts {
            name,
            state: ClientState::Connecting,
            since: Timestamp::now(),
            reason: None,
            connection: None,
            lease: None,
            certificate_until: None,
        };
        Self { facts: Arc::new(Mutex::new(facts)), tally, names: Arc::default(), renewals }
    }

    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Where questions about names are answered from, once it is there.
    pub(crate) fn set_names(&self, names: Arc<Mutex<Names>>) {
        // There is one for the life of the daemon.
        let _ = self.names.set(names);
    }

    fn names<T>(&self, ask: impl FnOnce(&Names) -> T) -> Option<T> {
        let names = self.names.get()?;
        Some(ask(&names.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    fn status(&self) -> ClientStatus {
        let facts = self.facts();
        let (rx_bytes, tx_bytes) = self.tally.octets();
        let connection = facts.connection.as_ref();
        let lease = facts.lease.clone().unwrap_or_default();
        let rtt = connection.and_then(|c| tuning::round_trip(&c.socket));
        ClientStatus {
            name: facts.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: facts.state,
            since: facts.since,
            reason: facts.reason.map(|r| r.code().to_owned()),
            via: connection.map(|_| "ip-https".to_owned()),
            gateway: connection.map(|c| c.url.clone()),
            gateway_address: connection.map(|c| c.peer.ip()),
            addresses: lease.addresses,
            routes: lease.routes.iter().filter(|r| r.lifetime > 0).map(|r| r.prefix.to_string()).collect(),
            names: lease.suffixes,
            name_servers: lease.name_servers,
            mtu: facts.lease.as_ref().map(|l| l.mtu),
            rtt_us: rtt.and_then(|rtt| u64::try_from(rtt.as_micros()).ok()),
            certificate_until: facts.certificate_until,
            congestion_control: connection.and_then(|c| tuning::congestion_control(&c.socket).ok()),
            rx_bytes,
            tx_bytes,
        }
    }

    /// What `doctor` asks of a client.
    fn evidence(&self) -> Role {
        let facts = self.facts();
        let connection = match facts.state {
            ClientState::Connected => "connected",
            ClientState::Connecting => "connecting",
            ClientState::Waiting => "waiting",
        };
        Role::Client(Box::new(ClientEvidence {
            name: facts.name.clone(),
            connection: connection.to_owned(),
            reason: facts.reason.map(|r| r.code().to_owned()),
            ..ClientEvidence::default()
        }))
    }

    fn counters(&self) -> Counters {
        let mut counters = self.tally.counters();
        if let Some(names) = self.names(Names::counters) {
            counters.merge(&names);
        }
        Counters { counters: counters.nonzero().map(|(entry, n)| (entry.code.to_owned(), n)).collect() }
    }
}

impl Board {
    fn test_name(&self, body: serde_json::Value) -> Response {
        let Ok(Question { name, client: _ }) = serde_json::from_value(body) else {
            return Response::failure(400, "bad-request", "the body must be an object with a name");
        };
        match self.names(|names| names.test(&name)) {
            Some(steering) => Response::ok(Document::new(steering).to_value()),
            None => Response::failure(503, "not-yet", "the daemon is still starting"),
        }
    }
}

impl Board {
    async fn renew(&self) -> Response {
        let (wish, outcome) = oneshot::channel();
        // Control is gone only when everything ends.
        let _ = self.renewals.send(wish);
        match outcome.await {
            Ok(Ok(until)) => Response::ok(Document::new(Renewed { until }).to_value()),
            Ok(Err(failure)) => {
                Response::failure(502, failure.code().unwrap_or("renewal-failed"), &failure.to_string())
            }
            Err(_) => Response::failure(503, "ending", "the daemon ends"),
        }
    }
}

impl Handler for Board {
    async fn handle(&self, request: Request) -> Response {
        match (request.method, request.path.as_str()) {
            (Method::Get, path::STATUS) => {
                Response::ok(Document::new(Status::Client(self.status())).to_value())
            }
            (Method::Get, path::EVIDENCE) => Response::ok(Document::new(self.evidence()).to_value()),
            (Method::Get, path::COUNTERS) => Response::ok(Document::new(self.counters()).to_value()),
            (Method::Get, path::NRPT) => {
                Response::ok(Document::new(self.names(Names::nrpt).unwrap_or_default()).to_value())
            }
            (Method::Post, path::CLIENT_RENEW) => self.renew().await,
            (Method::Post, path::NRPT_TEST) => self.test_name(request.body),
            (Method::Get | Method::Post | Method::Delete, path) => Response::not_found(path),
        }
    }
}
