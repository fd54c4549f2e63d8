//! Open flows, as people and scripts read them.

use std::net::{Ipv6Addr, SocketAddrV6};

use sixgate_api as api;
use sixgate_fabric::{FlowState, FlowView};
use sixgate_io_control::Response;
use sixgate_wire::addr::Ipv6Prefix;
use sixgate_wire::protocol;

use super::Control;
use super::api::{document, wall};
use crate::seam::Question;

impl Control {
    /// Answers the call for flows.
    pub(crate) async fn flows_of(&self, wanted: api::FlowsOf) -> Response {
        let all = Ipv6Prefix::containing(Ipv6Addr::UNSPECIFIED, 0);
        let within = match wanted.within.as_deref().map(prefix) {
            None => all,
            Some(Some(prefix)) => prefix,
            Some(None) => {
                return Response::failure(400, "request-invalid", "`within` is no IPv6 address or prefix");
            }
        };
        let mut views = self.net.ask(|to| Question::FlowList(within, to)).await.unwrap_or_default();
        views
            .sort_unstable_by_key(|v| (v.key.src, v.key.dst, v.key.protocol, v.key.dst_port, v.key.src_port));
        document(api::Flows { flows: views.iter().map(flow).collect() })
    }
}

fn prefix(text: &str) -> Option<Ipv6Prefix> {
    text.parse().ok().or_else(|| text.parse().ok().map(|address| Ipv6Prefix::containing(address, 128)))
}

fn flow(view: &FlowView) -> api::Flow {
    let end = |address, port| SocketAddrV6::new(address, port, 0, 0);
    api::Flow {
        proto: protocol_name(view.key.protocol),
        source: end(view.key.src, view.key.src_port),
        destination: end(view.key.dst, view.key.dst_port),
        state: match view.state {
            FlowState::SynSent => "syn-sent",
            FlowState::Established => "established",
            FlowState::Closing => "closing",
            FlowState::Udp | FlowState::Echo | FlowState::Other => "open",
        }
        .to_owned(),
        sent: view.sent,
        received: view.received,
        expires: wall(view.expires),
    }
}

/// As policy names it, else the number.
pub(crate) fn protocol_name(number: u8) -> String {
    match number {
        protocol::TCP => "tcp".to_owned(),
        protocol::UDP => "udp".to_owned(),
        protocol::ICMPV6 => "icmp".to_owned(),
        other => other.to_string(),
    }
}
