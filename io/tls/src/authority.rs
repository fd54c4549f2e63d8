//! The gateway's own certificate authority: made once, kept in its state directory, never shown to the packet plane.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sixgate_reason::{self as reason, Reason};

use crate::certificate::{self, is_host_name};
use crate::files::{named, write_public, write_secret};

/// Clocks of clients are not exact: certificates are good a day before they are made.
const EARLIER: Duration = Duration::from_secs(86_400);
/// Of the authority itself: longer than any machine that trusts it.
const AUTHORITY_LIFETIME: Duration = Duration::from_secs(20 * 365 * 86_400);
/// Of the gateway's own certificate, which is renewed when a third is left.
const SERVER_LIFETIME: Duration = Duration::from_secs(396 * 86_400);

const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";
const SERVER_CERTIFICATE_FILE: &str = "server.pem";
const SERVER_KEY_FILE: &str = "server.key";

/// A certificate authority with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// What the server's certificate is to name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// Host names.
    pub names: Vec<String>,
    /// Addresses that clients may connect to.
    pub addresses: Vec<IpAddr>,
}

/// A certificate that was just signed.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// The same, in PEM.
    pub pem: String,
}

impl Authority {
    /// A new authority with a key of its own, in memory only.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn create(now: SystemTime) -> io::Result<Self> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        Self::with_key(key, now)
    }

    fn with_key(key: KeyPair, now: SystemTime) -> io::Result<Self> {
        let mut params = params(now, AUTHORITY_LIFETIME)?;
        // A name of its own: an authority that was made anew must not be mistaken for the one before.
        let tag = data_encoding::HEXLOWER.encode(&random::<4>()?);
        params.distinguished_name.push(DnType::CommonName, format!("sixgate authority {tag}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(io::Error::other)?.der().clone();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// The authority kept in `directory`, made there when there is none.
    ///
    /// # Errors
    /// Of the file system; `InvalidData` when only one of the two files is there or they do not belong together. The path
    /// is in the text.
    pub fn load_or_create(directory: &Path, now: SystemTime) -> io::Result<Self> {
        let (certificate, key) = (directory.join(CERTIFICATE_FILE), directory.join(KEY_FILE));
        match (certificate.try_exists()?, key.try_exists()?) {
            (true, true) => Self::load(&certificate, &key),
            // The key is written first: a crash between the two leaves a key that signed nothing yet.
            (false, true) => {
                let text = fs::read_to_string(&key).map_err(|e| named(&key, &e))?;
                let pair = KeyPair::from_pem(&text).map_err(|e| named(&key, &io::Error::other(e)))?;
                let authority = Self::with_key(pair, now)?;
                write_public(&certificate, authority.pem().as_bytes())?;
                Ok(authority)
            }
            (true, false) => {
                Err(named(&key, &io::Error::new(ErrorKind::NotFound, "the key of ca.pem is missing")))
            }
            (false, false) => {
                let authority = Self::create(now)?;
                write_secret(&key, authority.issuer.key().serialize_pem().as_bytes())?;
                write_public(&certificate, authority.pem().as_bytes())?;
                Ok(authority)
            }
        }
    }

    /// The authority of these two PEM files.
    ///
    /// # Errors
    /// As [`Authority::load_or_create`].
    pub fn load(certificate_file: &Path, key_file: &Path) -> io::Result<Self> {
        let chain = certificate::read_chain(certificate_file)?;
        let text = fs::read_to_string(key_file).map_err(|e| named(key_file, &e))?;
        let broken =
            |e: rcgen::Error| named(key_file, &io::Error::new(ErrorKind::InvalidData, e.to_string()));
        let key = KeyPair::from_pem(&text).map_err(broken)?;
        if certificate::key_digest(&chain[0]) != Some(digest_of(&key)) {
            let what = io::Error::new(
                ErrorKind::InvalidData,
                "the key does not belong to the certificate beside it",
            );
            return Err(named(key_file, &what));
        }
        let issuer = Issuer::from_ca_cert_der(&chain[0], key).map_err(broken)?;
        Ok(Self { issuer, certificate: chain[0].clone() })
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The authority's own certificate, in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        to_pem(&self.certificate)
    }

    /// SHA-256 of the authority's public key; a token carries its first half.
    #[must_use]
    pub fn key_digest(&self) -> [u8; 32] {
        digest_of(self.issuer.key())
    }

    /// Signs the key of a certificate request (PEM) for the client `name`. Nothing else of the request is looked at: what a
    /// certificate says is the authority's business.
    ///
    /// # Errors
    /// [`reason::ENROL_REQUEST_INVALID`] when the request is not one, does not prove that its sender has the key, or the
    /// name is no host name.
    pub fn issue(
        &self,
        request: &str,
        name: &str,
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<Issued, Reason> {
        let refused = reason::ENROL_REQUEST_INVALID;
        let request = CertificateSigningRequestParams::from_pem(request).map_err(|_| refused)?;
        if !is_host_name(name) {
            return Err(refused);
        }
        let mut params = params(now, lifetime).map_err(|_| refused)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.subject_alt_names = vec![SanType::DnsName(name.try_into().map_err(|_| refused)?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&request.public_key, &self.issuer).map_err(|_| refused)?;
        Ok(Issued { certificate: certificate.der().clone(), pem: certificate.pem() })
    }

    /// The server's chain and key for `names`, kept in `directory`; made anew when the names changed, less than a third of
    /// its life is left, or another authority signed it. The chain ends with the authority's certificate, because a client
    /// that enrols knows only that one's digest.
    ///
    /// # Errors
    /// Of the file system, with the path in the text.
    pub fn server_certificate(
        &self,
        directory: &Path,
        names: &ServerNames,
        now: SystemTime,
    ) -> io::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let (certificate_file, key_file) =
            (directory.join(SERVER_CERTIFICATE_FILE), directory.join(SERVER_KEY_FILE));
        if let (Ok(chain), Ok(key)) =
            (certificate::read_chain(&certificate_file), certificate::read_key(&key_file))
            && self.still_good(&chain, &key, names, now)
        {
            return Ok((chain, key));
        }
        let (chain, key) = self.make_server_certificate(names, now)?;
        write_secret(&key_file, key.serialize_pem().as_bytes())?;
        write_public(&certificate_file, chain.iter().map(to_pem).collect::<String>().as_bytes())?;
        Ok((chain, PrivateKeyDer::Pkcs8(key.serialize_der().into())))
    }

    fn make_server_certificate(
        &self,
        names: &ServerNames,
        now: SystemTime,
    ) -> io::Result<(Vec<CertificateDer<'static>>, KeyPair)> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let mut params = params(now, SERVER_LIFETIME)?;
        params.distinguished_name.push(DnType::CommonName, "sixgate gateway");
        for name in &names.names {
            let name = name.as_str().try_into().map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(names.addresses.iter().copied().map(SanType::IpAddress));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        Ok((vec![certificate.der().clone(), self.certificate.clone()], key))
    }

    fn still_good(
        &self,
        chain: &[CertificateDer<'_>],
        key: &PrivateKeyDer<'_>,
        names: &ServerNames,
        now: SystemTime,
    ) -> bool {
        let [own, authority] = chain else { return false };
        let Some((from, until)) = certificate::validity(own) else { return false };
        let left = until.duration_since(now).unwrap_or_default();
        let mut wanted = names.clone();
        wanted.names.iter_mut().for_each(|n| n.make_ascii_lowercase());
        wanted.names.sort_unstable();
        wanted.addresses.sort_unstable();
        let pair = KeyPair::try_from(key).ok();
        *authority == self.certificate
            && now >= from
            && left > SERVER_LIFETIME / 3
            && certificate::names(own) == Some((wanted.names, wanted.addresses))
            && pair.is_some_and(|pair| certificate::key_digest(own) == Some(digest_of(&pair)))
    }
}

/// A certificate in PEM.
#[must_use]
pub fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let body = data_encoding::BASE64.encode(certificate);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

fn digest_of(key: &KeyPair) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(key.subject_public_key_info()).into()
}

/// What every certificate of ours has in common.
fn params(now: SystemTime, lifetime: Duration) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::default();
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch.saturating_sub(EARLIER);
    params.not_after = epoch + (since_epoch + lifetime);
    params.distinguished_name = DistinguishedName::new();
    // RFC 5280, section 4.1.2.2: positive, at most 20 octets; random, so that nobody can foresee what is signed.
    let mut serial = random::<16>()?;
    serial[0] = serial[0] & 0x7f | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(io::Error::other)?;
    Ok(octets)
}
