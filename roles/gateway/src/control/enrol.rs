//! Enrolment: a token and a certificate request in, a certificate out. Once per token; after that a client renews its
//! certificate with the one that it has.

use std::time::{Duration, SystemTime};

use sixgate_api::enrol::{EnrolRefusal, EnrolRequest, Enrolled, LARGEST_BODY, RenewRequest};
use sixgate_io_tls::{Negotiated, client_name, fingerprint};
use sixgate_reason::{self as reason, Reason};

use super::door::Door;
use super::listen::{Refused, answer};

/// Seconds after which somebody who was limited may try again.
const RETRY_AFTER: u32 = 10;
/// How long a client's certificate is good.
pub(crate) const CERTIFICATE_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// Serves one enrolment whose head announced `length` octets of body.
pub(crate) async fn serve(door: &Door, mut tls: Negotiated, length: u64) -> Result<(), Refused> {
    let outcome = read_body(&mut tls, length).await.and_then(|body| enrol(door, &body));
    if let Ok(enrolled) = &outcome {
        tracing::info!(client = enrolled.name, "client enrolled");
    }
    conclude(tls, outcome, "an enrolment").await
}

/// Serves one renewal, on a connection on which the client has shown its certificate.
pub(crate) async fn serve_renewal(door: &Door, mut tls: Negotiated, length: u64) -> Result<(), Refused> {
    let outcome = read_body(&mut tls, length).await.and_then(|body| renew(door, &tls, &body));
    if let Ok(enrolled) = &outcome {
        tracing::info!(client = enrolled.name, "certificate renewed");
    }
    conclude(tls, outcome, "a renewal").await
}

async fn conclude(tls: Negotiated, outcome: Result<Enrolled, Reason>, what: &str) -> Result<(), Refused> {
    match outcome {
        Ok(enrolled) => {
            answer(tls, 200, None, &serde_json::to_string(&enrolled).unwrap_or_default()).await;
            Ok(())
        }
        Err(why) => {
            let failure = EnrolRefusal { error: why.text().to_owned(), code: why.code().to_owned() };
            let retry = (why == reason::ENROL_LIMITED).then_some(RETRY_AFTER);
            answer(tls, failure.status(), retry, &serde_json::to_string(&failure).unwrap_or_default()).await;
            Err(Refused::new(why, what))
        }
    }
}

async fn read_body(tls: &mut Negotiated, length: u64) -> Result<Vec<u8>, Reason> {
    let invalid = reason::ENROL_REQUEST_INVALID;
    let length = usize::try_from(length).map_err(|_| invalid)?;
    if length > LARGEST_BODY {
        return Err(invalid);
    }
    while tls.plaintext().len() < length {
        match tls.read().await {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(invalid),
        }
    }
    Ok(tls.plaintext()[..length].to_vec())
}

fn enrol(door: &Door, body: &[u8]) -> Result<Enrolled, Reason> {
    let request: EnrolRequest = serde_json::from_slice(body).map_err(|_| reason::ENROL_REQUEST_INVALID)?;
    door.enrol(&request, SystemTime::now())
}

fn renew(door: &Door, tls: &Negotiated, body: &[u8]) -> Result<Enrolled, Reason> {
    let certificate = tls.peer_certificates().first().ok_or(reason::IPHTTPS_CERTIFICATE_MISSING)?;
    let name = client_name(certificate)?;
    let request: RenewRequest = serde_json::from_slice(body).map_err(|_| reason::ENROL_REQUEST_INVALID)?;
    door.renew(&name, fingerprint(certificate), &request, SystemTime::now())
}
