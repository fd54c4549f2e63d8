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
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::certificate::key_digest;
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
