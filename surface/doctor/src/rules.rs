//! The rules: one file a rule or a small family.

mod allowed;
mod forwarding;
mod moved;
mod mtu;
mod names;
mod nat;
mod nat64;
mod protocol;
mod registered;
mod routes;
mod strangers;
mod system;

use crate::case::Case;
use crate::finding::Check;

/// From evidence to checks.
pub(crate) type Rule = fn(&Case<'_>) -> Vec<Check>;

/// In the order in which a person would look.
pub(crate) const ALL: &[Rule] = &[
    system::daemon,
    system::tun,
    system::capabilities,
    system::files,
    system::disks,
    system::clock,
    forwarding::settings,
    forwarding::advertises,
    names::servers,
    names::router,
    names::bare,
    names::proxy,
    names::is_a_router,
    protocol::passes,
    nat::none,
    allowed::host,
    moved::address,
    strangers::advertise,
    mtu::path,
    routes::offered,
    registered::clients,
    nat64::leads,
    nat64::room,
    nat64::prefixes,
];
