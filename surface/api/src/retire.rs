//! `isatap retire`

use core::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How a retirement of ISATAP stands, and what would come of the next phase.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Retirement {
    /// 1 to 5; absent while nothing is being retired.
    pub phase: Option<u8>,
    /// When it began.
    pub since: Option<Timestamp>,
    /// All phases, in order.
    pub phases: Vec<RetirePhase>,
    /// Prefixes of the ISATAP link: address/length.
    pub prefixes: Vec<String>,
    /// Hosts that solicited within thirty days, or are known to the router now; by address.
    pub hosts: Vec<RetireHost>,
    /// Flows that hosts opened a day, in the week before the day on which hosts were told, or before today.
    pub flows_before: u64,
    /// Flows that hosts opened today, which is a day of UTC.
    pub flows_today: u64,
    /// Hosts that hold the end up.
    pub stragglers: Vec<Straggler>,
    /// Seconds since the last packet in protocol 41 from a host, counted from the withdrawal.
    pub silent_for: Option<u64>,
    /// Nobody was heard for a week after the withdrawal.
    pub over: bool,
    /// AAAA records that point into the prefixes, where they were looked for.
    pub records: Option<Vec<StaleRecord>>,
    /// Names by which hosts find a router without being told, where they were looked for.
    pub router_names: Option<Vec<KnownName>>,
    /// What could not be looked for, each in one line.
    pub remarks: Vec<String>,
}

/// A phase of a retirement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RetirePhase {
    /// 1 to 5.
    pub phase: u8,
    /// One word.
    pub name: String,
    /// When it began.
    pub begun: Option<Timestamp>,
    /// Days after the second phase at which it should begin.
    pub day: u64,
    /// When that is, where the second has begun.
    pub advised: Option<Timestamp>,
}

/// A host in a retirement.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RetireHost {
    /// As in the list of hosts.
    pub name: Option<String>,
    /// The outer address.
    pub ipv4: Ipv4Addr,
    /// Flows that it opened in the last 30 days.
    pub flows_30d: u64,
    /// When it last opened one.
    pub last_flow: Option<Timestamp>,
    /// Its last router solicitation.
    pub last_rs: Option<Timestamp>,
    /// Flows from or to it that are open now.
    pub open: u32,
    /// What it would lose.
    #[serde(rename = "use")]
    pub usage: HostUse,
    /// What it has now.
    pub standing: HostStanding,
}

/// What a host would lose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostUse {
    /// Connections that are open now.
    Open,
    /// What it opened something for within thirty days.
    Recent,
    /// Nothing that it used.
    Idle,
}

/// What a host has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostStanding {
    /// Everything.
    Offered,
    /// An address for open connections alone.
    Deprecated,
    /// Nothing any more, and it was told.
    Withdrawn,
    /// Nothing: the router does not know it, or refused it.
    None,
}

/// Who holds the end up.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Straggler {
    /// As in the list of hosts.
    pub name: Option<String>,
    /// The outer address.
    pub ipv4: Ipv4Addr,
    /// Open flows.
    pub open: u32,
    /// Flows that it opened since hosts were told not to.
    pub flows: u64,
    /// Its last router solicitation.
    pub last_rs: Option<Timestamp>,
}

/// An AAAA record that points into a prefix of the ISATAP link.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StaleRecord {
    /// Its name.
    pub name: String,
    /// What it says.
    pub address: Ipv6Addr,
    /// Seconds.
    pub ttl: u32,
    /// The zone it is in, where the servers say.
    pub zone: Option<String>,
    /// It was deleted.
    #[serde(default)]
    pub deleted: bool,
    /// Why it was not.
    #[serde(default)]
    pub failure: Option<String>,
}

/// A name such as `isatap.corp.example`, which hosts try by themselves.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KnownName {
    /// The name.
    pub name: String,
    /// Where it leads; nowhere when it does not exist, which is good.
    pub addresses: Vec<Ipv4Addr>,
    /// One of these is this router.
    pub ours: bool,
}

/// Where records are changed, if not where the gateway's file says.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RetireUpdate {
    /// Address, and port where it is not 53.
    pub server: Option<String>,
    /// The text of a TSIG key file.
    pub key: Option<String>,
}

/// What is to be looked for before a phase.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RetirePlan {
    /// Whom to ask for records.
    #[serde(default)]
    pub update: RetireUpdate,
}

/// A step.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RetireRequest {
    /// Begin this phase; absent = undo all of it.
    pub phase: Option<u8>,
    /// Delete the records that the phase lists.
    #[serde(default)]
    pub dns_update: bool,
    /// Where, and by whose right.
    #[serde(default)]
    pub update: RetireUpdate,
}

/// What came of a step.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Retired {
    /// Hosts that are served as always.
    pub offered: u64,
    /// Hosts that keep an address for open connections alone.
    pub deprecated: u64,
    /// Hosts that have nothing any more.
    pub withdrawn: u64,
    /// Open flows of hosts.
    pub open: u64,
    /// Of those the ones whose host was withdrawn from: counted after the step.
    pub cut: u64,
    /// Records that an undo put back.
    pub restored: u64,
    /// How it stands now.
    pub retirement: Retirement,
}
