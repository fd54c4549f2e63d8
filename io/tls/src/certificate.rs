//! What we read from certificates: the client's name, fingerprints, validity.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use sixgate_reason::{self as reason, Reason};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::files::named;

/// The name of the client that a verified certificate belongs to: the only dNSName of its subjectAltName, in lower case.
///
/// # Errors
/// [`reason::IPHTTPS_CERTIFICATE_NAME`] when there is no such name, more than one, or one that is no host name.
pub fn client_name(certificate: &CertificateDer<'_>) -> Result<String, Reason> {
    let refused = reason::IPHTTPS_CERTIFICATE_NAME;
    let certificate = parse(certificate).ok_or(refused)?;
    let names = certificate.subject_alternative_name().ok().flatten().ok_or(refused)?;
    let mut names = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    match (names.next(), names.next()) {
        (Some(name), None) if is_host_name(&name) => Ok(name),
        _ => Err(refused),
    }
}

/// True for what a client may be called: labels of lower-case letters, digits and hyphens (RFC 1123, section 2.1), with no
/// dot at either end.
#[must_use]
pub fn is_host_name(name: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// SHA-256 of the whole certificate, by which the store knows it.
#[must_use]
pub fn fingerprint(certificate: &CertificateDer<'_>) -> [u8; 32] {
    Sha256::digest(certificate).into()
}

/// SHA-256 of the certificate's public key (SubjectPublicKeyInfo), which a token carries the first half of.
#[must_use]
pub fn key_digest(certificate: &CertificateDer<'_>) -> Option<[u8; 32]> {
    Some(Sha256::digest(parse(certificate)?.public_key().raw).into())
}

/// From when until when the certificate is good.
#[must_use]
pub fn validity(certificate: &CertificateDer<'_>) -> Option<(SystemTime, SystemTime)> {
    let validity = parse(certificate)?.validity().clone();
    let time = |t: x509_parser::time::ASN1Time| {
        let seconds = u64::try_from(t.timestamp()).unwrap_or(0);
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    };
    Some((time(validity.not_before)?, time(validity.not_after)?))
}

/// The names and addresses in the subjectAltName, each sorted.
#[must_use]
pub fn names(certificate: &CertificateDer<'_>) -> Option<(Vec<String>, Vec<IpAddr>)> {
    let certificate = parse(certificate)?;
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for name in &certificate.subject_alternative_name().ok()??.value.general_names {
        match name {
            GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
            GeneralName::IPAddress(octets) => addresses.push(match octets.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*octets).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(*octets).ok()?),
            }),
            _ => {}
        }
    }
    names.sort_unstable();
    addresses.sort_unstable();
    Some((names, addresses))
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate).ok().map(|(_, certificate)| certificate)
}

/// Every certificate of a PEM file, in order; at least one.
///
/// # Errors
/// Of the file system or the format, with the path in the text.
pub fn read_chain(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let text = std::fs::read(path).map_err(|e| named(path, &e))?;
    chain_from_pem(&text).map_err(|e| named(path, &e))
}

/// Every certificate of a PEM text, in order; at least one.
///
/// # Errors
/// `InvalidData` when there is none or the text is not PEM.
pub fn chain_from_pem(text: &[u8]) -> io::Result<Vec<CertificateDer<'static>>> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let chain = chain.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?;
    if chain.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "no certificate in it"));
    }
    Ok(chain)
}

/// The private key of a PEM file.
///
/// # Errors
/// Of the file system or the format, with the path in the text.
pub fn read_key(path: &Path) -> io::Result<PrivateKeyDer<'static>> {
    let text = std::fs::read(path).map_err(|e| named(path, &e))?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|e| named(path, &io::Error::new(io::ErrorKind::InvalidData, e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_names(names: &[&str]) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let key = rcgen::KeyPair::generate().unwrap();
        rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn name_is_the_only_dns_name_whatever_else_there_is() {
        assert_eq!(client_name(&with_names(&["Laptop-01"])), Ok("laptop-01".to_owned()));
        assert_eq!(client_name(&with_names(&["laptop-01", "10.0.0.1"])), Ok("laptop-01".to_owned()));
        for bad in [&[][..], &["a", "b"], &["*.example"], &["10.0.0.1"]] {
            assert_eq!(client_name(&with_names(bad)), Err(reason::IPHTTPS_CERTIFICATE_NAME), "{bad:?}");
        }
        assert_eq!(client_name(&CertificateDer::from(vec![1, 2, 3])), Err(reason::IPHTTPS_CERTIFICATE_NAME));
    }

    #[test]
    fn host_names_are_labels_of_letters_digits_and_inner_hyphens() {
        for good in ["a", "laptop-01", "a.b.example", &"x".repeat(63)] {
            assert!(is_host_name(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "-a",
            "a-",
            "A",
            "a_b",
            "a b",
            "ä",
            &"x".repeat(64),
            &"a.".repeat(127),
        ] {
            assert!(!is_host_name(bad), "{bad}");
        }
    }
}
