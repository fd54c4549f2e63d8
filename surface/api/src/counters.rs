//! `counters`

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Drops and refusals since the daemon started.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// By code of the reason; reasons that never occurred are absent.
    pub counters: BTreeMap<String, u64>,
}
