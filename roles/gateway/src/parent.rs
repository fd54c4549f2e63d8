//! What needs privilege, before a packet is read: devices, addresses, routes, sysctls, netfilter.
//!
//! Everything on a device of ours goes with the device; everything else is in the journal before it is done.

mod devices;
mod halves;
mod leads;
mod machine;
mod native;
mod ports;

pub(crate) use devices::{Devices, change_prefixes, error_sources, prepare};
pub(crate) use leads::Leads;
pub(crate) use machine::{Machine, addresses_now};
pub(crate) use native::Advertised;
