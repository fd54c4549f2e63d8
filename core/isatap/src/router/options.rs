//! What a router may be told beside whom it serves and with what.

use alloc::vec::Vec;

use sixgate_wire::nd::Parameters;

use super::redirect::Holding;

/// How a router behaves; the defaults are what a site wants that has no wishes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouterOptions {
    /// The header of its advertisements: hop limit, reachable time, retransmission timer, preference.
    pub parameters: Parameters,
    /// Hosts that are sent to are asked now and then whether they are there, and packets to those that are not are refused.
    pub probe_hosts: bool,
    /// Hosts that do not solicit in time are sent what they are given before it ends.
    pub renew: bool,
    /// What peers hold: hosts that send there through us are redirected. Empty = never.
    pub redirects: Vec<Holding>,
}

impl Default for RouterOptions {
    fn default() -> Self {
        Self { parameters: Parameters::default(), probe_hosts: true, renew: true, redirects: Vec::new() }
    }
}
