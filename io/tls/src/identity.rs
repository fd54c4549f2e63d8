//! A key pair that is made where it is used and never leaves, and the request that asks for its certificate.

use std::io;

use rcgen::{CertificateParams, DistinguishedName, KeyPair};

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
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&key).and_then(|r| r.pem()).map_err(io::Error::other)?;
        Ok(Self { key: key.serialize_pem(), request })
    }
}
