//! `sixgate nat64 explain PACKET`

use std::io::Read;

use serde_json::json;
use sixgate_api::{Nat64Explanation, Nat64Packet, Nat64Verdict, path};
use sixgate_io_control::Method;

use super::packet;
use crate::cli::Context;
use crate::cmd::{call, show_and_judge};
use crate::exit::{Exit, Trouble};

pub(super) const HELP: &str = "\
PACKET is PROTO SOURCE > DESTINATION WORDS, or a whole IP packet in hexadecimal, or - for either from standard input.
  tcp | udp        [2001:db8::8]:40000 > [64:ff9b::192.0.2.80]:443, or 203.0.113.9:443 > 192.0.2.2:4000
  icmp | proto N   2001:db8::8 > 64:ff9b::192.0.2.80
  words            size N (octets of the IP packet), ttl N, tos N, df, frag ID:OFFSET[+]
                   tcp: syn ack fin rst psh; icmp: echo reply id N seq N type N code N; udp: no-checksum

Examples:
  sixgate nat64 explain 'tcp [2001:db8::8]:40000 > [64:ff9b::192.0.2.80]:443 syn size 1500'
  sixgate nat64 explain 'icmp 203.0.113.9 > 192.0.2.2 echo id 7'";

/// Most octets that are read from standard input: a packet of any size in hexadecimal, with blanks.
const MOST_INPUT: u64 = 1 << 20;

pub(super) fn run(words: &[String], context: &Context) -> Result<Exit, Trouble> {
    let mut text = words.join(" ");
    if text == "-" {
        text.clear();
        std::io::stdin()
            .take(MOST_INPUT)
            .read_to_string(&mut text)
            .map_err(|e| Trouble::failed("packet", format!("standard input: {e}")))?;
    }
    let octets = packet::octets(&text).map_err(|why| Trouble::usage(format!("PACKET: {why}")))?;
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let answer = call(context, Method::Post, path::NAT64_EXPLAIN, &json!({ "packet": hex }))?;
    show_and_judge(context, answer, print, |explained| match explained.verdict {
        Nat64Verdict::Translated | Nat64Verdict::Waits => Exit::Good,
        Nat64Verdict::Dropped => Exit::Failed,
    })
}

fn print(explained: &Nat64Explanation) -> String {
    let Nat64Packet { text, .. } = &explained.packet;
    let mut out = format!("{text}\n");
    for step in &explained.steps {
        out.push_str(&format!("  {:<10} {}\n", step.step, step.text));
    }
    let verdict = match explained.verdict {
        Nat64Verdict::Translated => "translated",
        Nat64Verdict::Waits => "waits",
        Nat64Verdict::Dropped => "dropped",
    };
    out.push_str(&format!("  {:<10} {verdict}: {}\n", "verdict", explained.text));
    if let Some(reason) = &explained.reason {
        out.push_str(&format!("  {:<10} {reason}   (sixgate explain {reason})\n", "reason"));
    }
    out
}

#[cfg(test)]
mod tests {
    use sixgate_api::Step;

    use super::*;

    #[test]
    fn a_drop_says_its_reason_and_where_to_read_on() {
        let explained = Nat64Explanation {
            packet: Nat64Packet { text: "tcp a > b".to_owned(), ..Nat64Packet::default() },
            direction: "out".to_owned(),
            steps: vec![Step { step: "way".to_owned(), text: "IPv6 to IPv4".to_owned() }],
            prefix: None,
            embedded: None,
            hairpin: false,
            bindings: Vec::new(),
            way: None,
            verdict: Nat64Verdict::Dropped,
            reason: Some("nat64-too-big".to_owned()),
            text: "too big".to_owned(),
            result: Vec::new(),
            errors: Vec::new(),
        };
        assert_eq!(
            print(&explained),
            "tcp a > b\n  way        IPv6 to IPv4\n  verdict    dropped: too big\n  reason     nat64-too-big   (sixgate explain nat64-too-big)\n"
        );
    }
}
