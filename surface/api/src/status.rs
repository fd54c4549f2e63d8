//! `status`, of each role

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a daemon is; `role` says whose fields follow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Status {
    /// `sixgate run`
    Gateway(GatewayStatus),
    /// `sixgate client run`
    Client(ClientStatus),
    /// `sixgate host run`
    Host(HostStatus),
}

/// A gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// The machine's name.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// Start of the daemon.
    pub since: Timestamp,
    /// In the order in which people read them.
    pub components: Vec<Component>,
}

/// A function of the gateway.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Component {
    /// `ip-https`, `dns64`, `nat64`, `isatap`, `names`, ...
    pub component: String,
    /// How it is.
    pub state: ComponentState,
    /// Since when it is so; absent where it is disabled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// What a person wants to know beside it.
    pub detail: String,
}

/// How a function is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComponentState {
    /// It works.
    Ok,
    /// It works in part.
    Degraded,
    /// It does not work.
    Failed,
    /// Its section is absent.
    Disabled,
}

/// A roaming client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientStatus {
    /// The name in its certificate.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// How the tunnel is.
    pub state: ClientState,
    /// Since when it is so.
    pub since: Timestamp,
    /// Why it is not connected: the code of a reason, or one line.
    pub reason: Option<String>,
    /// The transport: `ip-https`.
    pub via: Option<String>,
    /// The gateway's URL.
    pub gateway: Option<String>,
    /// The gateway's address outside the tunnel.
    pub gateway_address: Option<IpAddr>,
    /// Ours, inside the tunnel; the one that is registered first.
    pub addresses: Vec<Ipv6Addr>,
    /// What goes into the tunnel.
    pub routes: Vec<String>,
    /// Suffixes whose names go through the tunnel.
    pub names: Vec<String>,
    /// Name servers inside the tunnel.
    pub name_servers: Vec<Ipv6Addr>,
    /// Of the tunnel.
    pub mtu: Option<u32>,
    /// Round trip in microseconds, as the transport measures it.
    pub rtt_us: Option<u64>,
    /// Until when its certificate is good; it is renewed long before.
    #[serde(default)]
    pub certificate_until: Option<Timestamp>,
    /// Congestion control of the outer socket: `bbr`, `cubic`, ...
    pub congestion_control: Option<String>,
    /// Octets from the gateway.
    #[serde(default)]
    pub rx_bytes: u64,
    /// Octets to the gateway.
    #[serde(default)]
    pub tx_bytes: u64,
}

/// A client's certificate was renewed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Renewed {
    /// Until when the new one is good.
    pub until: Timestamp,
}

/// How a client's tunnel is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientState {
    /// A session is being made.
    Connecting,
    /// A session is up.
    Connected,
    /// There is none, and the next attempt waits for its time.
    Waiting,
}

/// An ISATAP host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostStatus {
    /// Of the program.
    pub version: String,
    /// Start of the daemon.
    pub since: Timestamp,
    /// The TUN device.
    pub device: String,
    /// The IPv4 side.
    pub interface: Option<String>,
    /// Our IPv4 address there.
    pub ipv4: Option<Ipv4Addr>,
    /// One entry a router and address; a router that gave none has one entry.
    pub isatap: Vec<RouterLink>,
    /// The names of routers, and what DNS says of them.
    #[serde(default)]
    pub names: Vec<RouterName>,
    /// What goes to the routers.
    #[serde(default)]
    pub routes: Vec<String>,
}

/// What one router gave.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouterLink {
    /// Its IPv4 address.
    pub router: Ipv4Addr,
    /// The address that we have by it.
    pub address: Option<Ipv6Addr>,
    /// `up`, `soliciting`, `silent`, `withdrawn`, `unreachable`, `waiting` (for an IPv4 address).
    pub state: String,
    /// Since when it is so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
    /// Why it is not up, or what is missing: the code of a reason.
    pub reason: Option<String>,
}

/// A name of routers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RouterName {
    /// The name.
    pub name: String,
    /// The addresses in use.
    pub addresses: Vec<Ipv4Addr>,
    /// When DNS gave them.
    pub learned: Option<Timestamp>,
    /// `answered`, `remembered` (not asked since the start), `gone`, `empty`, `unanswered`.
    pub state: String,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// Why it is not answered: the code of a reason.
    pub reason: Option<String>,
    /// What a person wants to know of a failure.
    pub detail: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_status_has_the_keys_that_scripts_lean_on() {
        let status = Status::Host(HostStatus {
            version: "0.1.0".to_owned(),
            since: Timestamp::UNIX_EPOCH,
            device: "isatap0".to_owned(),
            interface: Some("eth0".to_owned()),
            ipv4: Some(Ipv4Addr::new(10, 6, 8, 20)),
            isatap: vec![RouterLink {
                router: Ipv4Addr::new(10, 6, 0, 1),
                address: Some("fd00::5efe:a06:814".parse().unwrap()),
                state: "up".to_owned(),
                since: None,
                reason: None,
            }],
            names: Vec::new(),
            routes: Vec::new(),
        });
        let value = crate::Document::new(status).to_value();
        assert_eq!(value["role"], "host");
        assert_eq!(value["since"], "1970-01-01T00:00:00Z");
        assert_eq!(
            value["isatap"][0],
            serde_json::json!({"router": "10.6.0.1", "address": "fd00::5efe:a06:814", "state": "up", "reason": null})
        );
    }
}
