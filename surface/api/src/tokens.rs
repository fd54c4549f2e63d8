//! `token` and `client add`

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Asks for a token.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TokenRequest {
    /// The client's name to be.
    pub name: String,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// For the policy.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Seconds for which the token is good.
    pub ttl: u64,
}

/// A token that was made; nobody can see it again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewToken {
    /// `sgt-` and base32.
    pub token: String,
    /// What the client joins.
    pub url: String,
    /// The client's name.
    pub name: String,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// When it is worth nothing any more.
    pub expires: Timestamp,
}

/// Every token that is remembered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TokenList {
    /// By time of making.
    pub tokens: Vec<Token>,
}

/// A token, without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Short, for `revoke`; tells nothing about the secret.
    pub id: String,
    /// The client's name.
    pub name: String,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub user: Option<String>,
    /// For the policy.
    #[serde(default)]
    pub groups: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it is worth nothing any more.
    pub expires: Timestamp,
    /// Whether it is good.
    pub state: TokenState,
}

/// Whether a token is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    /// Good for one enrolment.
    Unused,
    /// A client enrolled with it.
    Used,
    /// Its time is over.
    Expired,
    /// Taken back.
    Revoked,
}

/// Names a token or a client.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenName {
    /// The token's id, or a client's name: all unused tokens of that client.
    pub name: String,
}

/// How many tokens were taken back.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Revoked {
    /// 0 = there was none.
    pub revoked: u64,
}
