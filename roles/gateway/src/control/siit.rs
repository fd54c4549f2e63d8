//! The stateless translator's settings, from the file's words to the core's.

use std::net::{Ipv4Addr, Ipv6Addr};

use sixgate_config::siit as written;
use sixgate_nat64::{Eam, Hairpinning, SiitConfig};

use super::nat64::zero_checksum;

/// The settings of the core; `gateway4` and `gateway6` are the sources of the translator's own errors.
pub(crate) fn settings(file: &written::Siit, gateway4: Ipv4Addr, gateway6: Ipv6Addr) -> SiitConfig {
    SiitConfig {
        prefixes: file.prefixes.clone(),
        mappings: file.eam.iter().map(|eam| Eam { v6: eam.v6, v4: eam.v4 }).collect(),
        hairpinning: match file.hairpinning {
            written::Hairpinning::Off => Hairpinning::Off,
            written::Hairpinning::Simple => Hairpinning::Simple,
            written::Hairpinning::Intrinsic => Hairpinning::Intrinsic,
        },
        lowest_ipv6_mtu: file.lowest_ipv6_mtu,
        zero_checksum: zero_checksum(file.udp_zero_checksum),
        well_known_non_global: file.well_known_non_global,
        source4: file.source4,
        source6: file.source6,
        gateway4,
        gateway6,
        reset_traffic_class: file.reset_traffic_class,
        ..SiitConfig::default()
    }
}
