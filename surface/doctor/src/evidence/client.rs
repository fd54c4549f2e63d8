//! What a roaming client knows.

use serde::{Deserialize, Serialize};

/// A client.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientEvidence {
    /// Its state directory.
    pub state: String,
    /// The name in its certificate.
    pub name: String,
    /// `connected`, `connecting`, `waiting`.
    pub connection: String,
    /// Why it is not connected.
    pub reason: Option<String>,
    /// Kernel settings that it needs.
    pub settings: Vec<super::Setting>,
}
