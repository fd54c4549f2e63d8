//! Enrolment: what a client that has only a token says to the gateway, over TLS on the IP-HTTPS listener, and the answer.
//!
//! `POST /enrol`, a body of at most [`LARGEST_BODY`] octets of JSON. The answer is an [`Enrolled`] with status 200, or an
//! [`EnrolRefusal`] with 400, 403 or 429. These are not documents of the control socket: no `schema`, no version but the
//! path's.

use serde::{Deserialize, Serialize};

/// A request with a longer body is refused.
pub const LARGEST_BODY: usize = 64 * 1024;

/// Asks for a certificate.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// `sgt-` and base32.
    pub token: String,
    /// The certificate request, PEM. Only its key counts; the token decides the name.
    pub csr: String,
}

impl core::fmt::Debug for EnrolRequest {
    /// Without the token: this ends up in logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("EnrolRequest").field("csr", &self.csr).finish_non_exhaustive()
    }
}

/// Asks for another certificate, on a connection on which the client has shown the one that it has: `POST /renew`, answered
/// like an enrolment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RenewRequest {
    /// The certificate request, PEM. Only its key counts; the name stays.
    pub csr: String,
}

/// The client is enrolled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Enrolled {
    /// Its name, which the token decided.
    pub name: String,
    /// Its certificate, PEM, with the chain up to the authority where there is one.
    pub certificate: String,
    /// The authority that signs gateways, PEM. The client checks it against the token.
    pub ca: String,
}

/// The client is not enrolled.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnrolRefusal {
    /// One line for a person.
    pub error: String,
    /// The code of the reason: `token-used`, ...
    pub code: String,
}

impl EnrolRefusal {
    /// The status that goes with a reason's code: 403 for tokens, 429 for limits, 400 for requests.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.code.as_str() {
            "enrol-limited" => 429,
            code if code.starts_with("token-") || code.starts_with("iphttps-") => 403,
            _ => 400,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_of_the_interface() {
        let request = EnrolRequest { token: "sgt-secret".to_owned(), csr: "PEM".to_owned() };
        assert_eq!(
            serde_json::to_value(&request).unwrap(),
            serde_json::json!({"token": "sgt-secret", "csr": "PEM"})
        );
        assert!(!format!("{request:?}").contains("secret"));
        let enrolled = Enrolled { name: "n".to_owned(), certificate: "c".to_owned(), ca: "a".to_owned() };
        let value = serde_json::json!({"name": "n", "certificate": "c", "ca": "a"});
        assert_eq!(serde_json::to_value(&enrolled).unwrap(), value);
    }

    #[test]
    fn each_refusal_has_its_status() {
        for (code, status) in [("token-used", 403), ("enrol-limited", 429), ("enrol-request-invalid", 400)] {
            assert_eq!(EnrolRefusal { error: String::new(), code: code.to_owned() }.status(), status);
        }
    }
}
