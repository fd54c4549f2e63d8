//! What a host must know of the ISATAP router, for `isatap instructions`.

use sixgate_api::IsatapRouter;
use sixgate_config::isatap::{Allow, AllowedHost};
use sixgate_io_control::Response;

use super::api::{Api, document};
use super::site::Site;

impl Api {
    pub(super) fn isatap_router(&self) -> Response {
        let site = self.0.site.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match router(&site) {
            Some(router) => document(router),
            None => Response::failure(
                409,
                "no-isatap",
                "this gateway is no ISATAP router: there is no [isatap] section",
            ),
        }
    }
}

fn router(site: &Site) -> Option<IsatapRouter> {
    let config = site.config.isatap.as_ref()?;
    let mut groups: Vec<String> = config.allow.iter().filter_map(Allow::security_group).collect();
    let mut seen = Vec::new();
    groups.retain(|group| {
        let new = !seen.contains(group);
        seen.push(group.clone());
        new
    });
    let single = |host: &AllowedHost| match host {
        AllowedHost::Prefix(prefix) if prefix.length() == 32 => Some(prefix.address()),
        AllowedHost::Prefix(_) | AllowedHost::Name(_) => None,
    };
    Some(IsatapRouter {
        name: config.name.as_ref().map(ToString::to_string),
        addresses: site.isatap_address.into_iter().chain(config.peers.iter().copied()).collect(),
        prefix: config.prefix.to_string(),
        routes: config.routes.iter().map(|route| route.prefix.to_string()).collect(),
        mtu: config.mtu,
        router_lifetime: config.router_lifetime,
        groups,
        hosts: config.allow.iter().flat_map(|rule| &rule.hosts).filter_map(single).collect(),
    })
}
