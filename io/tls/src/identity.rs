//! A key pair that is made where it is used and never leaves, and the request that asks for its certificate.

use std::io;

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::PrivateKeyDer;

/// A new key, and the request that proves we have it. `Debug` is not there on purpose.
pub struct Identity {
    /// The private key, PEM (PKCS #8).
    pub key: String,
    /// The certificate request, PEM. It asks for no name: the token decides.
    pub request: String,
}

impl Identity {
    /// Makes a key for ECDSA on P-256.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate() -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        Ok(Self { request: request(&key)?, key: key.serialize_pem() })
    }
}

/// The request for another certificate of a key that is there.
///
/// # Errors
/// When the key is not one that we make requests with.
pub fn request_for(key: &PrivateKeyDer<'_>) -> io::Result<String> {
    request(&KeyPair::try_from(key).map_err(io::Error::other)?)
}

fn request(key: &KeyPair) -> io::Result<String> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serialize_request(key).and_then(|r| r.pem()).map_err(io::Error::other)
}
