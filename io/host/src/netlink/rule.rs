//! Policy routing rules: which packets look into which table.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use sixgate_wire::addr::{IpPrefix, Ipv4Prefix, Ipv6Prefix};

use super::{Netlink, PROTOCOL};
use crate::HostError;

/// A rule that sends packets into a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// IPv6; otherwise IPv4.
    pub v6: bool,
    /// Lower is asked first.
    pub priority: u32,
    /// The table to look into.
    pub table: u32,
    /// Only packets from here.
    pub from: Option<IpPrefix>,
    /// Only packets to here.
    pub to: Option<IpPrefix>,
    /// Only packets with this mark, under this mask.
    pub mark: Option<(u32, u32)>,
    /// Only packets that came in by the link of this name.
    pub input: Option<String>,
}

impl Netlink {
    /// All rules that send into a table, of both families, in the kernel's order.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn rules(&mut self) -> Result<Vec<Rule>, HostError> {
        let mut rules = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RuleMessage::default();
            message.header.family = family;
            let answers = self
                .dump(RouteNetlinkMessage::GetRule(message))
                .map_err(|e| HostError::new("reading the routing rules", e))?;
            rules.extend(answers.iter().filter_map(read));
        }
        Ok(rules)
    }

    /// Adds a rule.
    ///
    /// # Errors
    /// What the system says, in one line; for a rule that is there already, `AlreadyExists`.
    pub fn add_rule(&mut self, rule: &Rule) -> Result<(), HostError> {
        self.change(RouteNetlinkMessage::NewRule(message(rule)), NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|e| HostError::new(format!("adding the routing rule {}", rule.priority), e))
    }

    /// Removes a rule. False when it was not there.
    ///
    /// # Errors
    /// What the system says, in one line.
    pub fn remove_rule(&mut self, rule: &Rule) -> Result<bool, HostError> {
        match self.change(RouteNetlinkMessage::DelRule(message(rule)), 0) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
            Err(error) => Err(HostError::new(format!("removing the routing rule {}", rule.priority), error)),
        }
    }
}

fn message(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    let header = &mut message.header;
    header.family = if rule.v6 { AddressFamily::Inet6 } else { AddressFamily::Inet };
    header.action = RuleAction::ToTable;
    // A table beyond one octet is told by the attribute alone.
    header.table = u8::try_from(rule.table).unwrap_or(0);
    let attributes = &mut message.attributes;
    if let Some((address, length)) = rule.from.map(parts) {
        header.src_len = length;
        attributes.push(RuleAttribute::Source(address));
    }
    if let Some((address, length)) = rule.to.map(parts) {
        header.dst_len = length;
        attributes.push(RuleAttribute::Destination(address));
    }
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Table(rule.table));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::from(PROTOCOL)));
    if let Some((mark, mask)) = rule.mark {
        attributes.extend([RuleAttribute::FwMark(mark), RuleAttribute::FwMask(mask)]);
    }
    attributes.extend(rule.input.clone().map(RuleAttribute::Iifname));
    message
}

fn read(message: &RouteNetlinkMessage) -> Option<Rule> {
    let RouteNetlinkMessage::NewRule(message) = message else { return None };
    let header = &message.header;
    if header.action != RuleAction::ToTable {
        return None;
    }
    let mut rule = Rule {
        v6: header.family == AddressFamily::Inet6,
        priority: 0,
        table: u32::from(header.table),
        from: None,
        to: None,
        mark: None,
        input: None,
    };
    let (mut mark, mut mask) = (None, u32::MAX);
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Source(address) => rule.from = Some(prefix(*address, header.src_len)),
            RuleAttribute::Destination(address) => rule.to = Some(prefix(*address, header.dst_len)),
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Table(table) => rule.table = *table,
            RuleAttribute::FwMark(value) => mark = Some(*value),
            RuleAttribute::FwMask(value) => mask = *value,
            RuleAttribute::Iifname(name) => rule.input = Some(name.clone()),
            _ => {}
        }
    }
    rule.mark = mark.map(|mark| (mark, mask));
    Some(rule)
}

fn parts(prefix: IpPrefix) -> (IpAddr, u8) {
    match prefix {
        IpPrefix::V4(p) => (p.address().into(), p.length()),
        IpPrefix::V6(p) => (p.address().into(), p.length()),
    }
}

fn prefix(address: IpAddr, length: u8) -> IpPrefix {
    match address {
        IpAddr::V4(v4) => Ipv4Prefix::containing(v4, length).into(),
        IpAddr::V6(v6) => Ipv6Prefix::containing(v6, length).into(),
    }
}
