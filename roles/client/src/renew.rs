//! The certificate is renewed long before it ends, so that a machine that is on now and then never has to enrol again.
//!
//! The key stays: only the certificate's file is replaced, in one step. The older certificate is good until the new one is
//! first shown, so that an answer that is lost costs nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ClientConfig;
use sixgate_api::enrol::RenewRequest;
use sixgate_config::Client;
use sixgate_config::client::GatewayUrl;
use sixgate_io_tls::files::write_secret;
use sixgate_io_tls::{certificate, client_name, gateway_reason, identity};
use sixgate_iphttps::head;
use tokio::time::timeout;

use crate::resolver::Resolver;
use crate::{Failure, connect, exchange};

/// For the whole exchange with one gateway.
const LIMIT: Duration = Duration::from_secs(30);
/// How soon a renewal that failed is tried again: often enough for a machine that is on for an hour a day.
pub(crate) const AGAIN: Duration = Duration::from_secs(15 * 60);

/// From when until when the client's certificate is good.
pub(crate) fn validity(config: &Client) -> Result<(SystemTime, SystemTime), Failure> {
    let chain = certificate::read_chain(&config.cert)?;
    chain
        .first()
        .and_then(certificate::validity)
        .ok_or_else(|| Failure::new(format!("{}: no certificate with dates", config.cert.display())))
}

/// How long it is until the renewal is due: when two thirds of the certificate's life are over.
pub(crate) fn wait((from, until): (SystemTime, SystemTime), now: SystemTime) -> Duration {
    let life = until.duration_since(from).unwrap_or_default();
    (from + life * 2 / 3).duration_since(now).unwrap_or_default()
}

/// Asks each gateway in order for another certificate and puts it in the older one's place. Gives what the next connections
/// are made with.
pub(crate) async fn renew(
    config: Client,
    tls: Arc<ClientConfig>,
    resolver: Arc<Resolver>,
) -> Result<Arc<ClientConfig>, Failure> {
    let csr = identity::request_for(&certificate::read_key(&config.key)?)?;
    let mut failure = Failure::new("no gateway is configured");
    for gateway in &config.gateway {
        let asked = timeout(LIMIT, ask(gateway, &tls, &resolver, &csr)).await;
        match asked.unwrap_or_else(|_| Err(Failure::new(format!("{gateway} does not answer")))) {
            Ok(pem) => return accept(&config, &pem),
            Err(why) => failure = why,
        }
    }
    Err(failure)
}

async fn ask(
    gateway: &GatewayUrl,
    tls: &Arc<ClientConfig>,
    resolver: &Resolver,
    csr: &str,
) -> Result<String, Failure> {
    let refused = |r: connect::Refused| Failure::coded(r.reason.code(), r.detail);
    let socket = connect::reach(gateway, resolver).await.map_err(refused)?;
    let name = connect::server_name(&gateway.host).map_err(refused)?;
    let server = sixgate_io_tls::connect(socket, tls, name).await;
    let mut server =
        server.map_err(|e| Failure::coded(gateway_reason(&e).code(), format!("{gateway}: {e}")))?;
    let request = RenewRequest { csr: csr.to_owned() };
    Ok(exchange::ask(&mut server, gateway, head::renew_request, &request).await?.certificate)
}

/// Keeps the new certificate if the next connection can be made with it; else the older one stays.
fn accept(config: &Client, pem: &str) -> Result<Arc<ClientConfig>, Failure> {
    let chain = certificate::chain_from_pem(pem.as_bytes())?;
    let name = chain.first().and_then(|own| client_name(own).ok());
    if name.as_deref() != Some(config.name.as_str()) {
        return Err(Failure::new("the gateway's new certificate is not for this client"));
    }
    let authorities = certificate::read_chain(&config.ca)?;
    let tls = sixgate_io_tls::client_config(&authorities, chain, certificate::read_key(&config.key)?)?;
    write_secret(&config.cert, pem.as_bytes())?;
    Ok(tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_due_when_two_thirds_of_the_life_are_over() {
        let day = Duration::from_secs(86_400);
        let from = SystemTime::UNIX_EPOCH + 1000 * day;
        let validity = (from, from + 90 * day);
        assert_eq!(wait(validity, from), 60 * day);
        assert_eq!(wait(validity, from + 59 * day), day);
        assert_eq!(wait(validity, from + 61 * day), Duration::ZERO);
        // A clock that is wrong makes us ask, or wait; the gateway decides by its own.
        assert_eq!(wait(validity, from + 900 * day), Duration::ZERO);
        assert_eq!(wait(validity, from - day), 61 * day);
        assert_eq!(wait((from, from - day), from), Duration::ZERO);
    }
}
