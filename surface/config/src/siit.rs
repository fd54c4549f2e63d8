//! `[siit]`: the stateless translator (RFC 7915), with explicit address mappings (RFC 7757).

use sixgate_wire::addr::{Ipv4Prefix, Ipv6Prefix, Prefix64};

use crate::gateway::Named;
use crate::nat64::{self, Slots, ZeroChecksum};
use crate::reader::{At, Node};
use crate::report::{Report, Rule};
use crate::values;

mod mappings;

/// The whole section, defaults filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Siit {
    /// Name of the TUN device.
    pub device: String,
    /// None where mappings alone translate.
    pub prefixes: Vec<Prefix64>,
    /// None where the prefixes alone translate.
    pub eam: Vec<Eam>,
    /// Which half of each mapping is routed to the device.
    pub eam_routes: EamRoutes,
    /// What becomes of packets between two nodes that have mappings.
    pub hairpinning: Hairpinning,
    /// RFC 7915, section 4.
    pub lowest_ipv6_mtu: u16,
    /// What becomes of UDP over IPv4 without a checksum.
    pub udp_zero_checksum: ZeroChecksum,
    /// Lifts RFC 6052, section 3.1 for 64:ff9b::/96.
    pub well_known_non_global: bool,
    /// RFC 6791: sources of ICMPv4 errors whose own source cannot be translated.
    pub source4: Option<Ipv4Prefix>,
    /// The same for ICMPv6 errors.
    pub source6: Option<Ipv6Prefix>,
    /// Zero instead of the traffic class or TOS that came.
    pub reset_traffic_class: bool,
    /// Threads that translate; `None` = what the machine is good for.
    pub workers: Option<u16>,
}

/// An explicit address mapping: no more bits behind the IPv4 length than behind the IPv6 one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Eam {
    /// The IPv6 side.
    pub v6: Ipv6Prefix,
    /// The IPv4 side.
    pub v4: Ipv4Prefix,
}

/// Which half of each mapping is routed to the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EamRoutes {
    /// The half whose nodes the kernel has no route to.
    Auto,
    /// The IPv4 half.
    Ipv4,
    /// The IPv6 half.
    Ipv6,
    /// Neither: somebody else makes the routes.
    Off,
}

/// RFC 7757, section 4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hairpinning {
    /// Packets take the way that routes give them.
    Off,
    /// No source of a packet from IPv4 is translated by a mapping.
    Simple,
    /// Such packets turn round in the translator.
    Intrinsic,
}

/// The section with the places that checks between sections need.
pub(crate) struct Read {
    pub(crate) value: Siit,
    pub(crate) prefixes: Vec<At<Prefix64>>,
}

pub(crate) fn read(node: &Node<'_>, report: &mut Report) -> Option<Read> {
    let mut table = node.table(report)?;
    let eam = table.take("eam").map(|n| mappings::read(&n, report));
    if eam.is_none() && !table.has("prefix") && !table.has("prefixes") {
        node.fault(
            Rule::MissingKey,
            "[siit] needs the key `prefix` or the key `eam`",
            "add one or both; for example `prefix = \"2001:db8:100::/40\"`",
            report,
        );
    }
    let prefixes = nat64::read_prefixes(&mut table, true, report);
    let device = table.take("device").and_then(|n| Some(n.at(n.parse(values::device, report)?)));
    let device = Named::or_default(device, nat64::DEVICE, &table);
    let mut value = Siit {
        device: device.at.value,
        prefixes: prefixes.iter().map(|p| p.value).collect(),
        eam: eam.unwrap_or_default(),
        eam_routes: EamRoutes::Auto,
        hairpinning: Hairpinning::Intrinsic,
        lowest_ipv6_mtu: 1280,
        udp_zero_checksum: ZeroChecksum::Drop,
        well_known_non_global: false,
        source4: None,
        source6: None,
        reset_traffic_class: false,
        workers: nat64::read_workers(&mut table, report),
    };
    if let Some(node) = table.take("eam-routes") {
        let words = [
            ("auto", EamRoutes::Auto),
            ("ipv4", EamRoutes::Ipv4),
            ("ipv6", EamRoutes::Ipv6),
            ("off", EamRoutes::Off),
        ];
        value.eam_routes = node.choice(&words, report).unwrap_or(value.eam_routes);
    }
    if let Some(node) = table.take("hairpinning") {
        let words = [
            ("intrinsic", Hairpinning::Intrinsic),
            ("simple", Hairpinning::Simple),
            ("off", Hairpinning::Off),
        ];
        value.hairpinning = node.choice(&words, report).unwrap_or(value.hairpinning);
        if value.hairpinning == Hairpinning::Simple && value.prefixes.is_empty() {
            node.fault(
                Rule::Needs,
                "simple hairpinning needs a prefix",
                "no source from IPv4 is translated by `eam` then, so something else must: add `prefix`",
                report,
            );
        }
    }
    let slots = Slots {
        lowest_ipv6_mtu: &mut value.lowest_ipv6_mtu,
        udp_zero_checksum: &mut value.udp_zero_checksum,
        well_known_non_global: &mut value.well_known_non_global,
        reset_traffic_class: &mut value.reset_traffic_class,
        source4: &mut value.source4,
        source6: &mut value.source6,
    };
    slots.fill(&mut table, report);
    table.finish(report);
    Some(Read { value, prefixes })
}
