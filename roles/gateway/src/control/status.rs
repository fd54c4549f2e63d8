//! `status`: every function of the gateway, how it is and what a person wants to know beside it.

use jiff::Timestamp;
use sixgate_api::{Component, ComponentState, GatewayStatus, Status};
use sixgate_config::Ldap;

use super::Control;
use crate::seam::Question;

impl Control {
    /// How the gateway is.
    pub(crate) async fn status(&self) -> Status {
        let counts = self.net.ask(Question::Counts).await.unwrap_or_default();
        let config = match self.site.lock() {
            Ok(site) => site.config.clone(),
            Err(poisoned) => poisoned.into_inner().config.clone(),
        };
        let listen: Vec<String> =
            config.ip_https.iter().flat_map(|t| &t.listen).map(ToString::to_string).collect();
        let mut components = vec![
            self.component(
                "ip-https",
                (!listen.is_empty()).then(|| {
                    let (n, bbr) = (counts.clients, counts.with_bbr);
                    format!(
                        "{}, {n} client{}, {bbr} with BBR",
                        listen.join(", "),
                        if n == 1 { "" } else { "s" }
                    )
                }),
            ),
            self.component(
                "dns64",
                config.dns.as_ref().map(|d| {
                    let upstream: Vec<String> = d.upstream.iter().map(ToString::to_string).collect();
                    format!("upstream {}", upstream.join(", "))
                }),
            ),
            self.component(
                "nat64",
                config.nat64.as_ref().map(|_| match self.net.workers() {
                    1 => format!("{} sessions", counts.nat64.sessions),
                    workers => format!("{} sessions, {workers} workers", counts.nat64.sessions),
                }),
            ),
            self.component(
                "isatap",
                config.isatap.as_ref().map(|i| {
                    let name = i.name.as_ref().map(|n| format!("{n}, ")).unwrap_or_default();
                    format!("{name}{} hosts served, {} refused", counts.hosts_served, counts.hosts_refused)
                }),
            ),
            self.names_component(
                config.names.as_ref().and_then(|n| n.registration.as_ref()).map(|r| r.zone.to_string()),
            ),
        ];
        if let Some(siit) = &config.siit {
            let prefixes: Vec<String> = siit.prefixes.iter().map(ToString::to_string).collect();
            let mappings = match siit.eam.len() {
                1 => "1 mapping".to_owned(),
                n => format!("{n} mappings"),
            };
            let detail = prefixes.into_iter().chain([mappings]).collect::<Vec<_>>().join(", ");
            components.push(self.component("siit", Some(detail)));
        }
        if let Some(ldap) = &config.ldap {
            components.push(self.ldap_component(ldap));
        }
        if let Some(native) = &config.native {
            let prefixes: Vec<String> = native.prefixes.iter().map(ToString::to_string).collect();
            let told = if native.advertise.is_empty() {
                "not advertised".to_owned()
            } else {
                format!("advertised on {}", native.advertise.join(", "))
            };
            components.push(self.component("native", Some(format!("{}, {told}", prefixes.join(", ")))));
        }
        if config.policy.is_some() {
            components.push(self.component("policy", Some(format!("{} flows", counts.flows))));
        }
        Status::Gateway(GatewayStatus {
            name: host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: self.since,
            components,
        })
    }

    fn component(&self, name: &str, detail: Option<String>) -> Component {
        let on = detail.is_some();
        Component {
            component: name.to_owned(),
            state: if on { ComponentState::Ok } else { ComponentState::Disabled },
            since: on.then_some(self.since),
            detail: detail.unwrap_or_default(),
        }
    }

    /// The directory may be down while its last answer holds.
    fn ldap_component(&self, ldap: &Ldap) -> Component {
        let servers: Vec<String> = ldap.servers.iter().map(ToString::to_string).collect();
        let mut component = self.component("ldap", Some(servers.join(", ")));
        let Ok(site) = self.site.lock() else { return component };
        let (groups, trouble) = site.sources.groups.summary();
        component.detail =
            format!("{groups} group{}, {}", if groups == 1 { "" } else { "s" }, component.detail);
        if let Some((trouble, at)) = trouble {
            component.state = ComponentState::Degraded;
            let now = Timestamp::now().as_second();
            let age = at.map_or("no answer yet".to_owned(), |at| format!("last answer {} s ago", now - at));
            component.detail = format!("{groups} groups, {age}: {trouble}");
        }
        component
    }

    /// Registration may fail while the daemon runs.
    fn names_component(&self, zone: Option<String>) -> Component {
        let registered = self.names.as_ref().map(crate::names::Names::registered).unwrap_or_default();
        let failed: Vec<String> = registered
            .iter()
            .filter_map(|r| r.failure.as_ref().map(|f| format!("{}: {f}", r.name)))
            .collect();
        let mut component = self.component(
            "names",
            zone.map(|zone| {
                format!("zone {zone}, {} of {} records", registered.len() - failed.len(), registered.len())
            }),
        );
        if let Some(first) = failed.first() {
            component.state = ComponentState::Degraded;
            component.detail = format!("{}, {first}", component.detail);
        }
        component
    }
}

/// The machine's name, for people.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|n| n.trim().to_owned()).unwrap_or_default()
}
