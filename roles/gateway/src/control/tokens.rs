//! `token` and `client`: who may enrol, and who may not come back.

use jiff::{SignedDuration, Timestamp};
use sixgate_api as api;
use sixgate_io_control::Response;
use sixgate_io_tls::{Token, certificate};

use super::Control;
use super::api::document;
use super::door::Door;
use crate::seam::ToNet;

/// Longest life of a token.
const LONGEST: u64 = 30 * 86_400;

/// Makes a token.
pub(crate) fn add(door: &Door, wanted: api::TokenRequest) -> Response {
    if !certificate::is_host_name(&wanted.name) || wanted.name.contains('.') {
        return Response::failure(
            400,
            "name-invalid",
            &format!(
                "`{}` is no name for a client: one label of lower-case letters, digits and hyphens",
                wanted.name
            ),
        );
    }
    if wanted.ttl == 0 || wanted.ttl > LONGEST {
        return Response::failure(400, "ttl-invalid", "a token lives for 1 second to 30 days");
    }
    let expires = Timestamp::now() + SignedDuration::from_secs(wanted.ttl.cast_signed());
    let token = match Token::generate(door.key_digest()) {
        Ok(token) => token,
        Err(e) => return Response::failure(500, "randomness", &format!("no token could be made: {e}")),
    };
    if let Err(e) = door.keep_token(&token, &wanted, expires) {
        return Response::failure(500, "store", &format!("the token could not be kept: {e}"));
    }
    document(api::NewToken {
        token: token.reveal(),
        url: door.url(),
        name: wanted.name,
        user: wanted.user,
        expires,
    })
}

/// Every token that is remembered.
pub(crate) fn list(door: &Door) -> Response {
    match door.tokens() {
        Ok(tokens) => document(api::TokenList { tokens }),
        Err(e) => Response::failure(500, "store", &e.to_string()),
    }
}

/// Takes tokens back.
pub(crate) fn revoke(door: &Door, which: api::TokenName) -> Response {
    match door.revoke_tokens(&which.name) {
        Ok(revoked) => document(api::Revoked { revoked }),
        Err(e) => Response::failure(500, "store", &e.to_string()),
    }
}

/// Removes a client for good: its certificate is worth nothing, its session ends, its name leaves DNS.
pub(crate) fn remove_client(door: &Door, control: &Control, which: api::TokenName) -> Response {
    match door.forget(&which.name) {
        Ok(true) => {
            let reason = sixgate_reason::IPHTTPS_CLIENT_REVOKED;
            control.net.tell(ToNet::Expel { name: which.name.clone(), reason });
            if let Some(names) = &control.names {
                names.unregister(&which.name);
            }
            document(api::Revoked { revoked: 1 })
        }
        Ok(false) => {
            Response::failure(404, "no-such-client", &format!("no client `{}` is enrolled", which.name))
        }
        Err(e) => Response::failure(500, "store", &e.to_string()),
    }
}
