//! Which ports of the gateway's own addresses the pool takes from the kernel, as netfilter rules.
//!
//! Packets to those ports get the stand-in of their address as destination before they are routed, packets from the
//! stand-in get the own address back after. Everything is stateless and symmetric; the kernel's own sockets keep the
//! other ports. See `net::alias` for the other half.
//!
//! Only the first fragment of a datagram has ports, so the kernel puts datagrams together before it looks, where it can.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use sixgate_config::nat64::Protocol;

use crate::net::Aliases;

/// Name of the table; one a device, so that two gateways of one machine do not meet.
pub(crate) fn table(device: &str) -> String {
    format!("sixgate_{}", device.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

/// One range of an own address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    pub(crate) own: Ipv4Addr,
    /// `None` = all three.
    pub(crate) protocol: Option<Protocol>,
    pub(crate) ports: RangeInclusive<u16>,
}

/// For `nft -f`, before [`rules`]: makes the kernel put fragments together before a packet comes to them.
///
/// No packet comes to this chain. What does it is that a rule for transparent proxies exists, and it costs whole packets
/// nothing, other than connection tracking, which does it as well.
pub(crate) fn whole(device: &str) -> String {
    format!("table ip {} {{\n  chain whole {{\n    meta l4proto tcp tproxy to :1\n  }}\n}}\n", table(device))
}

/// The rules for `nft -f`.
pub(crate) fn rules(device: &str, aliases: &Aliases, taken: &[Taken]) -> String {
    let mut text = format!("table ip {} {{\n", table(device));
    text.push_str("  chain inbound {\n    type filter hook prerouting priority raw; policy accept;\n");
    for range in taken {
        let Some(alias) = aliases.iter().find(|a| a.own == range.own) else { continue };
        for line in inbound(range) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "    {line} ip daddr set {}", alias.worn);
        }
    }
    text.push_str("  }\n  chain outbound {\n    type filter hook postrouting priority 300; policy accept;\n");
    for alias in aliases.iter() {
        let _ = writeln!(text, "    ip saddr {} ip saddr set {}", alias.worn, alias.own);
    }
    text.push_str("  }\n}\n");
    text
}

/// What comes back to a range: segments, datagrams, echo replies, and errors that quote what we sent from it.
fn inbound(range: &Taken) -> Vec<String> {
    let own = range.own;
    let ports = match (range.ports.start(), range.ports.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    let number = u32::from(own);
    // The quoted header of an error starts eight octets into the ICMP message; without options its source address is
    // twelve octets further and its source port twenty.
    let quoted = |protocol: &str, at: u32| {
        format!(
            "ip daddr {own} icmp type {{ destination-unreachable, time-exceeded, parameter-problem }} \
             @th,136,8 {protocol} @th,160,32 {number:#010x} @th,{at},16 {ports}"
        )
    };
    let mut lines = Vec::new();
    if range.protocol.is_none_or(|p| p == Protocol::Tcp) {
        lines.push(format!("ip daddr {own} tcp dport {ports}"));
        lines.push(quoted("6", 224));
    }
    if range.protocol.is_none_or(|p| p == Protocol::Udp) {
        lines.push(format!("ip daddr {own} udp dport {ports}"));
        lines.push(quoted("17", 224));
    }
    if range.protocol.is_none_or(|p| p == Protocol::Icmp) {
        lines.push(format!("ip daddr {own} icmp type echo-reply icmp id {ports}"));
        // An echo's identifier is four octets behind its type.
        lines.push(quoted("1", 256));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_protocol_is_taken() {
        let own = Ipv4Addr::new(10, 6, 0, 1);
        let taken = Taken { own, protocol: Some(Protocol::Tcp), ports: 1024..=2047 };
        let text = rules("nat64", &Aliases::after(None, &[own]), &[taken]);
        assert!(text.contains("ip daddr 10.6.0.1 tcp dport 1024-2047 ip daddr set 192.0.0.8"));
        assert!(
            text.contains("@th,136,8 6 @th,160,32 0x0a060001 @th,224,16 1024-2047 ip daddr set 192.0.0.8")
        );
        assert!(text.contains("ip saddr 192.0.0.8 ip saddr set 10.6.0.1"));
        assert!(!text.contains("udp") && !text.contains("echo-reply"));
    }
}
