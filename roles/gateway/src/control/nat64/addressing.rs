//! What `nat64 address` asks: which address of one family stands for which of the other.

use sixgate_api::{Mapping, Nat64Addressing};
use sixgate_config::Gateway;
use sixgate_io_control::Response;

use crate::control::Control;
use crate::control::api::document;

impl Control {
    /// Of the file that is in force.
    pub(crate) fn nat64_addressing(&self) -> Response {
        let known = self.site.lock().ok().and_then(|site| of(&site.config));
        known.map_or_else(
            || {
                let line = "this gateway translates nothing: there is neither [nat64] nor [siit]";
                Response::failure(409, "no-translator", line)
            },
            document,
        )
    }
}

/// `None` where nothing is translated.
fn of(file: &Gateway) -> Option<Nat64Addressing> {
    match (&file.nat64, &file.siit) {
        (Some(nat64), _) => Some(Nat64Addressing {
            prefixes: nat64.prefixes.iter().map(ToString::to_string).collect(),
            mappings: Vec::new(),
            well_known_non_global: nat64.well_known_non_global,
        }),
        (None, Some(siit)) => Some(Nat64Addressing {
            prefixes: siit.prefixes.iter().map(ToString::to_string).collect(),
            mappings: siit
                .eam
                .iter()
                .map(|eam| Mapping { v6: eam.v6.to_string(), v4: eam.v4.to_string() })
                .collect(),
            well_known_non_global: siit.well_known_non_global,
        }),
        (None, None) => None,
    }
}
