//! What a gateway knows of its translator.

use serde::{Deserialize, Serialize};

/// The translator at this moment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Nat64Evidence {
    /// Its device.
    pub device: String,
    /// The device is up; absent when there is none.
    pub device_up: Option<bool>,
    /// Its prefixes.
    pub prefixes: Vec<String>,
    /// Prefixes that DNS64 gives addresses in.
    pub synthesised: Vec<String>,
    /// What must lead to the device.
    pub leads: Vec<Lead>,
    /// Parts of the pool.
    pub pools: Vec<PoolPart>,
    /// Most sessions of one client; zero means any number.
    pub client_limit: u32,
    /// The clients that have most, with their sessions. Asked only where something is short.
    pub busiest: Vec<(String, u64)>,
    /// Packets to addresses that the prefix may not stand for, since the start.
    pub destinations_denied: u64,
    /// The well-known prefix is used, and its restriction is in force.
    pub well_known_only_global: bool,
}

/// A prefix or pool entry, and where the kernel sends packets to it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Lead {
    /// The prefix or the addresses.
    pub to: String,
    /// An address of it that was looked up.
    pub address: String,
    /// The device that packets leave by; absent without a route.
    pub through: Option<String>,
    /// The kernel takes it for its own.
    pub local: bool,
    /// It may: the entry says which ports of an own address are the translator's.
    pub shared: bool,
}

/// Part of the pool for one protocol.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolPart {
    /// `tcp`, `udp` or `icmp`.
    pub proto: String,
    /// Addresses and ports.
    pub what: String,
    /// Ports in use.
    pub used: u64,
    /// Ports in all.
    pub total: u64,
    /// `normal`, `high` or `full`.
    pub level: String,
}
