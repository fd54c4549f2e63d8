//! Who a person means: names of clients and hosts, or addresses, become addresses on this gateway.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sixgate_api as api;
use sixgate_wire::addr::isatap::{self, Form};

use super::Control;
use crate::seam::Question;

/// One end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// The short name.
    pub(crate) name: Option<String>,
    pub(crate) address: Ipv6Addr,
    pub(crate) ipv4: Option<Ipv4Addr>,
}

impl End {
    /// The name, or else the address.
    pub(crate) fn label(&self) -> String {
        let address = || self.ipv4.map_or_else(|| self.address.to_string(), |v4| v4.to_string());
        self.name.clone().unwrap_or_else(address)
    }

    pub(crate) fn to_api(&self) -> api::TraceEnd {
        api::TraceEnd { name: self.name.clone(), address: self.address, ipv4: self.ipv4 }
    }
}

/// How an IPv4 address is reached in IPv6.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Side {
    /// As an ISATAP host.
    Isatap,
    /// Through NAT64.
    Nat64,
}

impl Control {
    /// The end that `text` names; an IPv4 address is taken as `side` says, where the gateway has that.
    ///
    /// # Errors
    /// One line.
    pub(crate) async fn end(&self, text: &str, side: Side) -> Result<End, String> {
        match text.parse() {
            Ok(IpAddr::V6(address)) => return Ok(self.known(address)),
            Ok(IpAddr::V4(v4)) => return self.of_v4(None, v4, side).await,
            Err(_) => {}
        }
        let name = text.trim_end_matches('.');
        if let Some(client) = self.client_named(name)? {
            return Ok(client);
        }
        let listed = self.isatap_hosts().await;
        if let Some(host) = listed.hosts.iter().find(|h| h.name.as_deref().is_some_and(|n| is_same(n, name)))
        {
            return self.of_v4(Some(name), host.ipv4, side).await;
        }
        match self.nearest(&self.look_up(name).await) {
            Some(IpAddr::V4(v4)) => return self.of_v4(Some(name), v4, side).await,
            Some(IpAddr::V6(v6)) => return Ok(End { name: Some(short(name)), ..self.known(v6) }),
            None => {}
        }
        Err(format!(
            "`{text}` is no client, no ISATAP host of this gateway, no address, and no name that DNS knows"
        ))
    }

    /// Of the addresses of one name: ours, then IPv4, then any.
    fn nearest(&self, addresses: &[IpAddr]) -> Option<IpAddr> {
        let own = self.site.lock().ok().and_then(|site| Some(site.config.site.as_ref()?.prefix));
        let is_own = |a: &&IpAddr| match a {
            IpAddr::V6(v6) => own.is_some_and(|prefix| prefix.contains(*v6)),
            IpAddr::V4(_) => false,
        };
        let of_ours = addresses.iter().find(is_own);
        of_ours.or_else(|| addresses.iter().find(|a| a.is_ipv4())).or(addresses.first()).copied()
    }

    /// An IPv6 address with what is known of it.
    fn known(&self, address: Ipv6Addr) -> End {
        let ipv4 = isatap::embedded(address).map(|(_, v4)| v4).or_else(|| {
            let site = self.site.lock().ok()?;
            site.config.nat64.as_ref()?.prefixes.iter().find_map(|prefix| prefix.extract(address))
        });
        let client = || {
            let door = self.door.as_ref()?;
            door.names().ok()?.into_iter().find(|name| door.address(name) == Some(address))
        };
        End { name: if ipv4.is_none() { client() } else { None }, address, ipv4 }
    }

    fn client_named(&self, name: &str) -> Result<Option<End>, String> {
        let zone = match self.site.lock() {
            Ok(site) => {
                let names = site.config.names.as_ref();
                names.and_then(|n| n.registration.as_ref()).map(|r| r.zone.to_string())
            }
            Err(_) => None,
        };
        let own = zone.and_then(|zone| name.strip_suffix(&zone)?.strip_suffix('.')).unwrap_or(name);
        let Some(client) = self.door.as_ref().and_then(|door| door.client(own)) else { return Ok(None) };
        match client.address {
            Some(address) => Ok(Some(End { name: Some(client.name), address, ipv4: None })),
            None => {
                Err(format!("the client {own} has enrolled and was never connected: it has no address yet"))
            }
        }
    }

    async fn of_v4(&self, name: Option<&str>, v4: Ipv4Addr, side: Side) -> Result<End, String> {
        let served = self.net.ask(|to| Question::IsatapHost(v4, to)).await.flatten();
        let own_name = match served.as_ref().and_then(|host| host.name.clone()) {
            Some(name) => Some(name),
            None => self.host_names.of(std::iter::once(v4), self.name_servers()).await.remove(&v4),
        };
        let name = name.map(short).or(own_name.as_deref().map(short));
        let Ok(site) = self.site.lock() else { return Err("the gateway is ending".to_owned()) };
        let as_isatap = || {
            let derived = || Some(isatap::address(site.link_prefix_of(v4)?.address(), Form::of(v4), v4));
            served.as_ref().and_then(|host| host.address).or_else(derived)
        };
        let as_nat64 = || Some(site.config.nat64.as_ref()?.prefixes.first()?.embed(v4));
        let address = match side {
            Side::Isatap => as_isatap().or_else(as_nat64),
            Side::Nat64 => as_nat64().or_else(as_isatap),
        };
        match address {
            Some(address) => Ok(End { name, address, ipv4: Some(v4) }),
            None => Err(format!(
                "{v4}: this gateway has neither [isatap] nor [nat64], so no IPv4 address is reached"
            )),
        }
    }

    /// The addresses of a name; one without a dot is tried below every suffix of `[names] route`.
    async fn look_up(&self, name: &str) -> Vec<IpAddr> {
        let (servers, suffixes) = match self.site.lock() {
            Ok(site) => (
                site.config.dns.as_ref().map(|d| d.upstream.clone()).unwrap_or_default(),
                site.config.names.iter().flat_map(|n| &n.route).map(ToString::to_string).collect::<Vec<_>>(),
            ),
            Err(_) => return Vec::new(),
        };
        let below = suffixes.iter().map(|suffix| format!("{name}.{suffix}"));
        let candidates: Vec<String> =
            if name.contains('.') { vec![name.to_owned()] } else { below.collect() };
        for candidate in candidates {
            if let Ok(addresses) = crate::names::look_up(&candidate, &servers).await
                && !addresses.is_empty()
            {
                return addresses;
            }
        }
        Vec::new()
    }
}

/// True when `asked` is `full` or its first label.
fn is_same(full: &str, asked: &str) -> bool {
    full.eq_ignore_ascii_case(asked) || short(full).eq_ignore_ascii_case(asked)
}

fn short(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_owned()
}
