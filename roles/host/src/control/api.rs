//! The control socket: how the host is.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use sixgate_api::{self as api, Document, path};
use sixgate_config::Host;
use sixgate_doctor::evidence::Role;
use sixgate_io_control::{Handler, Method, Request, Response};
use sixgate_io_link::clock;
use sixgate_isatap::RouterView;
use sixgate_reason::{ISATAP_NAME_EMPTY, ISATAP_NAME_GONE, ISATAP_NAME_UNANSWERED, ISATAP_NO_IPV4};
use sixgate_time::Instant;
use tokio::sync::watch;

use crate::evidence::{self, Addresses};
use crate::routers::{Name, Standing};
use crate::seam::{View, Work};

/// Answers calls of the control socket.
pub(crate) struct Api {
    pub(crate) work: Work,
    pub(crate) device: String,
    pub(crate) since: Timestamp,
    /// The names of routers, and what DNS says of them.
    pub(crate) names: watch::Receiver<Vec<(String, Name)>>,
    pub(crate) config: Host,
    pub(crate) addresses: Arc<Mutex<Addresses>>,
}

impl Handler for Api {
    async fn handle(&self, request: Request) -> Response {
        let Some(view) = self.work.view().await else {
            return Response::failure(503, "ending", "the daemon is ending");
        };
        match (request.method, request.path.as_str()) {
            (Method::Get, path::STATUS) => document(api::Status::Host(self.status(view))),
            (Method::Get, path::COUNTERS) => document(counters(&view)),
            (Method::Get, path::EVIDENCE) => document(self.evidence(view)),
            (_, path) => Response::not_found(path),
        }
    }
}

impl Api {
    fn evidence(&self, view: View) -> Role {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        Role::Host(Box::new(evidence::of(&self.config, view, &addresses)))
    }

    fn status(&self, view: View) -> api::HostStatus {
        api::HostStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since,
            device: self.device.clone(),
            isatap: view.routers.iter().flat_map(links).chain(waiting(&view)).collect(),
            names: self.names.borrow().iter().map(|(name, known)| router_name(name, known)).collect(),
            interface: view.interface,
            ipv4: view.ipv4,
            routes: view.routes,
        }
    }
}

/// One entry an address; without any, one.
fn links(router: &RouterView) -> Vec<api::RouterLink> {
    let state = evidence::state(router.state);
    let link = |address| api::RouterLink {
        router: router.router,
        address,
        state: state.to_owned(),
        since: Some(wall_clock(router.since)),
        reason: router.reason.map(|r| r.code().to_owned()),
    };
    if router.addresses.is_empty() {
        vec![link(None)]
    } else {
        router.addresses.iter().map(|address| link(Some(*address))).collect()
    }
}

/// Routers that nothing is known of, since nothing can be asked.
fn waiting(view: &View) -> impl Iterator<Item = api::RouterLink> + '_ {
    let (routers, since) = &view.waiting;
    routers.iter().map(|router| api::RouterLink {
        router: *router,
        address: None,
        state: "waiting".to_owned(),
        since: Some(wall_clock(*since)),
        reason: Some(ISATAP_NO_IPV4.code().to_owned()),
    })
}

fn router_name(name: &str, known: &Name) -> api::RouterName {
    let (state, reason) = match known.standing {
        Standing::NotAsked => ("remembered", None),
        Standing::Answered => ("answered", None),
        Standing::Gone => ("gone", Some(ISATAP_NAME_GONE)),
        Standing::Empty => ("empty", Some(ISATAP_NAME_EMPTY)),
        Standing::Unanswered => ("unanswered", Some(ISATAP_NAME_UNANSWERED)),
    };
    api::RouterName {
        name: name.to_owned(),
        addresses: known.addresses.clone(),
        learned: known.learned,
        state: state.to_owned(),
        since: known.since,
        reason: reason.map(|r| r.code().to_owned()),
        detail: known.detail.clone(),
    }
}

/// When something was, on the clock on the wall.
fn wall_clock(then: Instant) -> Timestamp {
    let ago = clock::now().since(then);
    Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn counters(view: &View) -> api::Counters {
    let counts = view.counters.nonzero().map(|(entry, n)| (entry.code.to_owned(), n));
    api::Counters { counters: counts.collect() }
}

fn document<T: Serialize>(body: T) -> Response {
    Response::ok(Document::new(body).to_value())
}
