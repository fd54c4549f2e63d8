//! The gateway's end of TLS: TLS 1.3, a client certificate that is verified when it is shown.

use std::io;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sixgate_reason::{self as reason, Reason};

/// The configuration of a listener.
///
/// A client may show no certificate, because enrolment uses the same listener: the caller looks at
/// [`crate::Negotiated::peer_certificates`]. One that is shown must be signed by one of `authorities`, be good now and be
/// meant for clients, or the handshake fails.
///
/// # Errors
/// When a certificate or the key is unusable, or they do not belong together.
pub fn server_config(
    authorities: &[CertificateDer<'_>],
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> io::Result<Arc<ServerConfig>> {
    let provider = provider();
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(authorities)?), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    // A resumed session would skip the check of the client certificate's dates.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    // The record layer is ours after the handshake.
    config.enable_secret_extraction = true;
    Ok(Arc::new(config))
}

/// Passed explicitly everywhere: the process default belongs to the process, not to a library.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(crate) fn roots(authorities: &[CertificateDer<'_>]) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority.clone().into_owned()).map_err(io::Error::other)?;
    }
    Ok(roots)
}

/// The registry's reason behind a handshake that failed at the gateway's end.
///
/// An alert of the client is no fault of its certificate: it speaks of ours.
#[must_use]
pub fn handshake_reason(error: &io::Error) -> Reason {
    match error.get_ref().and_then(|e| e.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(fault)) => certificate_reason(fault),
        Some(rustls::Error::NoCertificatesPresented) => reason::IPHTTPS_CERTIFICATE_MISSING,
        _ => reason::IPHTTPS_HANDSHAKE_FAILED,
    }
}

fn certificate_reason(fault: &CertificateError) -> Reason {
    use CertificateError as Fault;
    match fault {
        Fault::Expired
        | Fault::ExpiredContext { .. }
        | Fault::NotValidYet
        | Fault::NotValidYetContext { .. } => reason::IPHTTPS_CERTIFICATE_EXPIRED,
        Fault::Revoked => reason::IPHTTPS_CLIENT_REVOKED,
        // Whatever else is wrong with it, our authority did not make it, or not for this.
        _ => reason::IPHTTPS_CERTIFICATE_FOREIGN,
    }
}
