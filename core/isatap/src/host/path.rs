//! What the IPv4 network says of the way to a router (RFC 5214, section 7.2; RFC 4213, section 3.4).
//!
//! Whoever can send us a forged error learns nothing and breaks nothing: a router is asked before it is given up, one that answered a
//! moment ago is not doubted, and a program is told only where no other router leads.

use core::net::Ipv4Addr;

use sixgate_reason::{ISATAP_PATH_ERROR_FOREIGN, ISATAP_PATH_TOO_BIG, ISATAP_PATH_UNREACHABLE, Reason};
use sixgate_time::Instant;
use sixgate_wire::Packet;
use sixgate_wire::ipv6::Ipv6;
use sixgate_wire::path_error::PathFault;
use sixgate_wire::refusal::Refusal;

use super::Host;
use crate::verdict::Refused;

impl Host {
    /// Takes an ICMPv4 error about a packet that was sent to `to`; `quoted` is the inner packet as far as the error has it.
    ///
    /// Gives what its sender is to be told, about `quoted`: nothing where another router leads there, or too little is quoted.
    ///
    /// # Errors
    /// Why the error is not believed.
    pub fn path_failed(
        &mut self,
        now: Instant,
        to: Ipv4Addr,
        fault: PathFault,
        quoted: &Packet,
    ) -> Result<Refused, Reason> {
        let ip = Ipv6::parse_quoted(quoted.bytes()).ok();
        let at = self.router(to).ok_or(ISATAP_PATH_ERROR_FOREIGN)?;
        if ip.as_ref().is_some_and(|ip| !self.is_own_address(ip.src())) {
            return Err(ISATAP_PATH_ERROR_FOREIGN);
        }
        match fault {
            PathFault::Unreachable | PathFault::Expired => {}
            // DF is clear on this link, so what is said does not stop a packet.
            PathFault::TooBig { .. } => return Ok(Refused::silently(ISATAP_PATH_TOO_BIG)),
        }
        self.routers[at].path_failed = true;
        self.routers[at].reachability.path_failed(now);
        self.ask_others(now);
        self.handle_timeout(now);
        // RFC 4213, section 3.4: the sender is told, unless its next packet takes another way.
        let leads_there_still =
            |ip: &Ipv6<'_>| !ip.dst().is_unicast_link_local() && self.next_hop(ip.src(), ip.dst()) == Ok(to);
        let told = ip.as_ref().is_some_and(leads_there_still).then_some(Refusal::AddressUnreachable);
        Ok(Refused { reason: ISATAP_PATH_UNREACHABLE, refusal: told })
    }
}
