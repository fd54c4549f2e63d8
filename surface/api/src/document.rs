//! The frame of every answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An answer with its version in front.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Document<T> {
    /// 1.
    pub schema: u32,
    /// The answer, whose keys stand beside `schema`.
    #[serde(flatten)]
    pub body: T,
}

impl<T: Serialize> Document<T> {
    /// Frames an answer.
    pub const fn new(body: T) -> Self {
        Self { schema: 1, body }
    }

    /// The answer as the control server takes it.
    #[must_use]
    pub fn to_value(&self) -> Value {
        // Fails only for maps whose keys are no strings, which no type of this crate has.
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

/// The answer of a call that failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Why.
    pub error: Fault,
}

/// What went wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// Stable: lower case, words joined by hyphens.
    pub code: String,
    /// One line for a person: what, where, and what to do.
    pub message: String,
}

impl Failure {
    /// A failure with this code and line.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Document<Self> {
        Document::new(Self { error: Fault { code: code.into(), message: message.into() } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Counters;

    #[test]
    fn the_version_stands_beside_the_answer() {
        let counters = Counters { counters: [("isatap-loop".to_owned(), 3)].into() };
        let value = Document::new(counters.clone()).to_value();
        assert_eq!(value, serde_json::json!({"schema": 1, "counters": {"isatap-loop": 3}}));
        let back: Document<Counters> = serde_json::from_value(value).unwrap();
        assert_eq!(back.body, counters);
    }

    #[test]
    fn a_failure_has_a_code_and_a_line() {
        let value = Failure::new("no-such-client", "no client `x`").to_value();
        assert_eq!(value["error"]["code"], "no-such-client");
        assert_eq!(value["schema"], 1);
    }
}
