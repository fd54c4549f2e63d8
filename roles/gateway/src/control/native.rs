//! What native hosts must know of this gateway, for `isatap instructions --for routes`.

use std::net::{IpAddr, Ipv6Addr};

use sixgate_api as api;
use sixgate_config::Gateway;
use sixgate_io_control::Response;
use sixgate_io_host::Netlink;

use super::api::{Api, document};

impl Api {
    pub(super) fn native(&self) -> Response {
        let config = self.0.site.lock().unwrap_or_else(std::sync::PoisonError::into_inner).config.clone();
        match native(&config) {
            Some(native) => document(native),
            None => Response::failure(
                409,
                "no-native",
                "this gateway serves no native IPv6: there is no [native] section",
            ),
        }
    }
}

fn native(config: &Gateway) -> Option<api::Native> {
    let (native, site) = (config.native.as_ref()?, config.site.as_ref()?);
    let interfaces = native.interfaces.iter().map(|name| api::NativeInterface {
        name: name.clone(),
        addresses: addresses(name, native),
        advertised: native.advertise.contains(name),
    });
    Some(api::Native {
        prefixes: native.prefixes.iter().map(ToString::to_string).collect(),
        routes: vec![site.clients().to_string()],
        interfaces: interfaces.collect(),
    })
}

/// The addresses that the interface has now; none when it is gone.
fn addresses(name: &str, native: &sixgate_config::Native) -> Vec<Ipv6Addr> {
    let look = || {
        let mut netlink = Netlink::new()?;
        let link = netlink.link(name)?.index;
        netlink.addresses(Some(link))
    };
    let mut found: Vec<Ipv6Addr> = look()
        .unwrap_or_default()
        .into_iter()
        .filter_map(|a| match a.address {
            IpAddr::V6(v6) => Some(v6),
            IpAddr::V4(_) => None,
        })
        .collect();
    // Stable: what a router further away can use comes before what only neighbours can.
    found.sort_by_key(|a| !native.prefixes.iter().any(|p| p.contains(*a)));
    found
}
