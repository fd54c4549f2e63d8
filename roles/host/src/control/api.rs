//! The control socket: how the host is.

use jiff::Timestamp;
use serde::Serialize;
use sixgate_api::{self as api, Document, path};
use sixgate_io_control::{Handler, Method, Request, Response};
use sixgate_isatap::{RouterState, RouterView};

use crate::seam::{View, Work};

/// Answers calls of the control socket.
pub(crate) struct Api {
    pub(crate) work: Work,
    pub(crate) device: String,
    pub(crate) since: Timestamp,
}

impl Handler for Api {
    async fn handle(&self, request: Request) -> Response {
        let Some(view) = self.work.view().await else {
            return Response::failure(503, "ending", "the daemon is ending");
        };
        match (request.method, request.path.as_str()) {
            (Method::Get, path::STATUS) => document(api::Status::Host(self.status(view))),
            (Method::Get, path::COUNTERS) => document(counters(&view)),
            (_, path) => Response::not_found(path),
        }
    }
}

impl Api {
    fn status(&self, view: View) -> api::HostStatus {
        api::HostStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since,
            device: self.device.clone(),
            interface: view.interface,
            ipv4: view.ipv4,
            isatap: view.routers.iter().map(link).collect(),
            routes: view.routes,
        }
    }
}

fn link(router: &RouterView) -> api::RouterLink {
    let state = match router.state {
        RouterState::Soliciting => "soliciting",
        RouterState::Silent => "silent",
        RouterState::Reachable => "up",
        RouterState::Withdrawn => "withdrawn",
        RouterState::Unreachable => "unreachable",
    };
    api::RouterLink {
        router: router.router,
        address: router.address,
        state: state.to_owned(),
        reason: router.reason.map(|r| r.code().to_owned()),
    }
}

fn counters(view: &View) -> api::Counters {
    let counts = view.counters.nonzero().map(|(entry, n)| (entry.code.to_owned(), n));
    api::Counters { counters: counts.collect() }
}

fn document<T: Serialize>(body: T) -> Response {
    Response::ok(Document::new(body).to_value())
}
