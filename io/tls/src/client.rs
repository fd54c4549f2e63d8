//! The client's end of TLS: servers of our authority only, and nobody else's root.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    Resumption, WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{CryptoProvider, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::version::TLS13;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use sixgate_reason::{self as reason, Reason};

use crate::certificate::key_digest;
use crate::channel::Alert;
use crate::server::{provider, roots};
use crate::token::Token;

/// The configuration of an enrolled client: it shows its certificate, and accepts servers that `authorities` signed.
///
/// # Errors
/// When a certificate or the key is unusable, or they do not belong together.
pub fn client_config(
    authorities: &[CertificateDer<'_>],
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> io::Result<Arc<ClientConfig>> {
    let provider = provider();
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(authorities)?), Arc::clone(&provider))
            .build()
            .map_err(io::Error::other)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(chain, key)
        .map_err(io::Error::other)?;
    finish(&mut config);
    Ok(Arc::new(config))
}

/// The configuration for enrolment: no certificate to show yet, and a server whose chain ends in the authority that the
/// token names.
///
/// # Errors
/// When the library refuses its own defaults.
pub fn enrolment_config(token: &Token) -> io::Result<Arc<ClientConfig>> {
    let provider = provider();
    let verifier = TokenVerifier { authority: token.authority(), provider: Arc::clone(&provider) };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    finish(&mut config);
    Ok(Arc::new(config))
}

fn finish(config: &mut ClientConfig) {
    config.resumption = Resumption::disabled();
    config.enable_secret_extraction = true;
}

/// The registry's reason behind a connection that failed at the client's end: what we think of the gateway's certificate, or
/// what it said of ours, which it says in the handshake or in place of its first answer.
#[must_use]
pub fn gateway_reason(error: &io::Error) -> Reason {
    if let Some(Alert(alert)) = Alert::of(error) {
        return alert_reason(alert);
    }
    match error.get_ref().and_then(|e| e.downcast_ref()) {
        Some(Error::InvalidCertificate(fault)) => match fault {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => reason::IPHTTPS_GATEWAY_EXPIRED,
            _ => reason::IPHTTPS_GATEWAY_FOREIGN,
        },
        Some(Error::AlertReceived(alert)) => alert_reason(*alert),
        _ => reason::IPHTTPS_HANDSHAKE_FAILED,
    }
}

/// What the gateway said of our certificate.
fn alert_reason(alert: AlertDescription) -> Reason {
    use AlertDescription as Said;
    match alert {
        Said::CertificateExpired => reason::IPHTTPS_CERTIFICATE_EXPIRED,
        Said::CertificateRevoked => reason::IPHTTPS_CLIENT_REVOKED,
        Said::CertificateRequired => reason::IPHTTPS_CERTIFICATE_MISSING,
        Said::UnknownCA | Said::BadCertificate | Said::UnsupportedCertificate | Said::DecryptError => {
            reason::IPHTTPS_CERTIFICATE_FOREIGN
        }
        _ => reason::IPHTTPS_HANDSHAKE_FAILED,
    }
}

/// Finds the authority in the chain that the server sends, by the digest of its key, and then trusts it and no other.
#[derive(Debug)]
struct TokenVerifier {
    authority: [u8; 16],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for TokenVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| key_digest(certificate).is_some_and(|d| d[..16] == self.authority))
            .ok_or(CertificateError::UnknownIssuer)?;
        let roots = roots(std::slice::from_ref(authority)).map_err(|_| CertificateError::BadEncoding)?;
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&certificate, &roots, intermediates, now, algorithms)?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::PeerIncompatible(rustls::PeerIncompatible::Tls12NotOffered))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
