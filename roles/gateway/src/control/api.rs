//! The control socket: questions of the command line, answered from both planes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sixgate_api::{self as api, Document, path};
use sixgate_io_control::{Answer, Handler, Method, Request, Response};
use sixgate_io_link::clock;
use sixgate_time::Instant;

use super::{Control, metrics};
use crate::seam::Question;

const NO_DNS: &str = "this gateway answers no names: there is no [dns] section";

/// Answers calls of the control socket.
pub(crate) struct Api(pub(crate) Arc<Control>);

impl Handler for Api {
    async fn answer(&self, request: Request) -> Answer {
        match (request.method, request.path.as_str()) {
            (Method::Post, path::CAPTURE) => match body(&request) {
                Ok(wanted) => super::capture::begin(&self.0, wanted).await,
                Err(response) => Answer::Document(response),
            },
            (Method::Get, metrics::PATH) => Answer::Text {
                content_type: metrics::CONTENT_TYPE,
                text: metrics::render(Arc::clone(&self.0)).await,
            },
            _ => Answer::Document(self.handle(request).await),
        }
    }

    async fn handle(&self, request: Request) -> Response {
        match (request.method, request.path.as_str()) {
            (Method::Get, path::STATUS) => document(self.0.status().await),
            (Method::Get, path::WHO) => document(self.who().await),
            (Method::Get, path::COUNTERS) => {
                document(api::Counters { counters: self.0.counts_by_reason().await })
            }
            (Method::Post, path::TRACE) => match body(&request) {
                Ok(wanted) => self.0.trace(wanted).await,
                Err(response) => response,
            },
            (Method::Get, path::EVIDENCE) => document(self.0.evidence().await),
            (Method::Post, path::ISATAP_SUGGEST) => match body(&request) {
                Ok(wanted) => self.0.suggest(wanted).await,
                Err(response) => response,
            },
            (Method::Post, path::FLOWS) => match body(&request) {
                Ok(wanted) => self.0.flows_of(wanted).await,
                Err(response) => response,
            },
            (Method::Get, path::ISATAP_HOSTS) => document(self.0.isatap_hosts().await),
            (Method::Get, path::ISATAP_ROUTER) => self.isatap_router(),
            (Method::Get, path::ISATAP_ALLOW) => self.0.allow_list(),
            (Method::Post, path::ISATAP_ALLOW) => match body(&request) {
                Ok(wanted) => self.0.allow_hosts(wanted).await,
                Err(response) => response,
            },
            (Method::Post, path::ISATAP_DENY) => match body(&request) {
                Ok(wanted) => self.0.deny_hosts(wanted).await,
                Err(response) => response,
            },
            (Method::Post, path::ISATAP_FORGET) => match body(&request) {
                Ok(wanted) => self.0.forget_hosts(wanted).await,
                Err(response) => response,
            },
            (Method::Get, path::NATIVE) => self.native(),
            (Method::Get, path::ISATAP_RETIRE) => self.0.retirement().await,
            (Method::Post, path::ISATAP_RETIRE_PLAN) => match body(&request) {
                Ok(plan) => self.0.retirement_plan(plan).await,
                Err(response) => response,
            },
            (Method::Post, path::ISATAP_RETIRE) => match body(&request) {
                Ok(wanted) => self.0.retire(wanted).await,
                Err(response) => response,
            },
            (Method::Get, path::NAT64_ADDRESSING) => self.0.nat64_addressing(),
            (Method::Get, path::NAT64_BIB) => self.0.nat64_bib(api::Nat64Wanted::default()).await,
            (Method::Get, path::NAT64_SESSIONS) => self.0.nat64_sessions(api::Nat64Wanted::default()).await,
            (Method::Get, path::NAT64_POOLS) => self.0.nat64_pools(api::Nat64Wanted::default()).await,
            (Method::Post, path::NAT64_BIB) => match body(&request) {
                Ok(wanted) => self.0.nat64_bib(wanted).await,
                Err(response) => response,
            },
            (Method::Post, path::NAT64_SESSIONS) => match body(&request) {
                Ok(wanted) => self.0.nat64_sessions(wanted).await,
                Err(response) => response,
            },
            (Method::Post, path::NAT64_POOLS) => match body(&request) {
                Ok(wanted) => self.0.nat64_pools(wanted).await,
                Err(response) => response,
            },
            (Method::Post, path::NAT64_WHO) => match body(&request) {
                Ok(question) => self.0.nat64_who(question).await,
                Err(response) => response,
            },
            (Method::Post, path::NAT64_EXPLAIN) => match body(&request) {
                Ok(question) => self.0.nat64_explain(question).await,
                Err(response) => response,
            },
            (Method::Get, path::TOKENS) => self.with_door(super::tokens::list),
            (Method::Post, path::TOKENS) => match body(&request) {
                Ok(wanted) => self.with_door(|door| super::tokens::add(door, wanted)),
                Err(response) => response,
            },
            (Method::Post, path::TOKEN_REVOKE) => match body(&request) {
                Ok(name) => self.with_door(|door| super::tokens::revoke(door, name)),
                Err(response) => response,
            },
            (Method::Post, path::CLIENT_REMOVE) => match body(&request) {
                Ok(name) => self.with_door(|door| super::tokens::remove_client(door, &self.0, name)),
                Err(response) => response,
            },
            (Method::Get, path::DNS64_STATUS) => self.resolver(),
            (Method::Post, path::DNS64_EXPLAIN) => match body(&request) {
                Ok(question) => self.explain(question).await,
                Err(response) => response,
            },
            (_, path) => Response::not_found(path),
        }
    }
}

impl Control {
    /// What both planes have dropped and refused, by code.
    pub(crate) async fn counts_by_reason(&self) -> BTreeMap<String, u64> {
        let counters = self.net.ask(Question::Counters).await.unwrap_or_default();
        let mut all: BTreeMap<String, u64> =
            counters.nonzero().map(|(entry, n)| (entry.code.to_owned(), n)).collect();
        if let Some(names) = &self.names {
            for (entry, n) in names.counters().nonzero() {
                *all.entry(entry.code.to_owned()).or_default() += n;
            }
        }
        all
    }
}

/// An answer that is a document.
pub(crate) fn document<T: Serialize>(body: T) -> Response {
    Response::ok(Document::new(body).to_value())
}

/// The request's body as the type that the call takes.
fn body<T: DeserializeOwned>(request: &Request) -> Result<T, Response> {
    serde_json::from_value(request.body.clone()).map_err(|e| {
        Response::failure(400, "request-invalid", &format!("the request is not understood: {e}"))
    })
}

impl Api {
    fn with_door(&self, call: impl FnOnce(&super::door::Door) -> Response) -> Response {
        match &self.0.door {
            Some(door) => call(door),
            None => Response::failure(
                409,
                "no-clients",
                "this gateway has no clients: there is no [gateway] section",
            ),
        }
    }

    /// Asked as a client would: its rules may differ by who asks, and the loopback address is nobody's client.
    fn resolver(&self) -> Response {
        match self.0.names.as_ref().and_then(crate::names::Names::service) {
            Some(service) => document(service.statistics()),
            None => Response::failure(409, "no-dns", NO_DNS),
        }
    }

    async fn explain(&self, question: api::Question) -> Response {
        let Some(service) = self.0.names.as_ref().and_then(crate::names::Names::service) else {
            return Response::failure(409, "no-dns", NO_DNS);
        };
        let asker = question.client.unwrap_or(IpAddr::V6(Ipv6Addr::LOCALHOST));
        document(service.explain(&question.name, asker).await)
    }

    async fn who(&self) -> api::Who {
        let clients = self.0.net.ask(Question::Clients).await.unwrap_or_default();
        let counts = self.0.net.ask(Question::Counts).await.unwrap_or_default();
        let mut clients: Vec<api::Client> = clients
            .into_iter()
            .filter_map(|c| {
                let known = self.0.door.as_ref().and_then(|door| door.client(&c.name));
                let (user, groups) = known.map(|k| (k.user, k.groups)).unwrap_or_default();
                Some(api::Client {
                    name: c.name,
                    user,
                    groups,
                    address: c.address?,
                    via: "ip-https".to_owned(),
                    from: c.from.ip(),
                    from_port: c.from.port(),
                    rtt_us: c.rtt.and_then(|rtt| u64::try_from(rtt.as_micros()).ok()),
                    since: Timestamp::from_second(c.since).unwrap_or(Timestamp::UNIX_EPOCH),
                    rx_bytes: c.rx_bytes,
                    tx_bytes: c.tx_bytes,
                    last: c.last.map(wall),
                })
            })
            .collect();
        clients.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        api::Who {
            clients,
            enrolled: self.0.door.as_ref().map_or(0, |door| door.enrolled()),
            isatap_hosts: counts.hosts_served as u64,
        }
    }
}

/// An instant of the workers' clock as a person's time.
pub(crate) fn wall(at: Instant) -> Timestamp {
    let (now, mono) = (Timestamp::now(), clock::now());
    let shifted = if at >= mono {
        now.checked_add(jiff::SignedDuration::try_from(at.since(mono)).unwrap_or_default())
    } else {
        now.checked_sub(jiff::SignedDuration::try_from(mono.since(at)).unwrap_or_default())
    };
    shifted.unwrap_or(now)
}
