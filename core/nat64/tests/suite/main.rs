//! The NAT64 through its public calls: packets in, packets out, time as an argument. Folders would be more than the
//! files need: each is named for the RFC and section whose rules it shows.

#![allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed")]

mod allocations;
mod client_limits;
mod explain;
mod fragments;
mod hairpin;
mod limits;
mod offload;
mod offload_commutes;
mod own_errors;
mod port_log;
mod properties;
mod reconfigure;
mod rfc4884_quotes;
mod rfc4890_filter;
mod rfc6146_3_5_1_udp;
mod rfc6146_3_5_2_tcp;
mod rfc6146_3_5_3_icmp;
mod rfc7757_4_hairpin;
mod rfc7915_4_to_v6;
mod rfc7915_5_to_v4;
mod rfc7915_icmp_errors;
mod shards;
mod siit;
mod siit_properties;
mod slices;
mod steering;
mod support;
