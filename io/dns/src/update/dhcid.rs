//! Who owns a name (RFC 4701): a digest of the owner's identifier and the name.

use domain::base::Name;
use sha2::{Digest, Sha256};

use super::Data;

/// An owner of names: a DHCP unique identifier (RFC 8415, section 11), type included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner(Vec<u8>);

/// RFC 4701, section 3.3: the identifier is a DUID.
const IDENTIFIER_DUID: u16 = 2;
/// RFC 4701, section 3.4
const DIGEST_SHA256: u8 = 1;

impl Owner {
    /// A DUID in wire form.
    #[must_use]
    pub const fn from_duid(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// The DUID-UUID (RFC 6355) of this machine or site.
    #[must_use]
    pub fn from_uuid(uuid: [u8; 16]) -> Self {
        Self([&[0, 4][..], &uuid].concat())
    }

    /// This machine, or `None` where it has no identifier (machine-id(5)). The identifier itself is not shown to anybody:
    /// a digest of it serves as the UUID, as systemd does for its own applications.
    #[must_use]
    pub fn of_machine() -> Option<Self> {
        let id = std::fs::read_to_string("/etc/machine-id").ok()?;
        let id = id.trim();
        if id.len() != 32 || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let digest = Sha256::new().chain_update(b"sixgate names ").chain_update(id.as_bytes()).finalize();
        let mut uuid: [u8; 16] = digest.get(..16)?.try_into().ok()?;
        // RFC 9562, section 5.8: version 8, of our own making.
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        Some(Self::from_uuid(uuid))
    }

    /// The DHCID record's data that claims `name` for this owner (RFC 4701, section 3.5).
    #[must_use]
    pub fn claim(&self, name: &Name<Vec<u8>>) -> Data {
        let mut canonical = name.clone();
        canonical.make_canonical();
        let digest = Sha256::new().chain_update(&self.0).chain_update(canonical.as_slice()).finalize();
        let mut octets = IDENTIFIER_DUID.to_be_bytes().to_vec();
        octets.push(DIGEST_SHA256);
        octets.extend_from_slice(&digest);
        Data::dhcid(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_those_of_rfc_4701_section_3_6() {
        for (duid, name, want) in [
            (
                "00010006412df166010203040506",
                "CHI6.example.com",
                "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
            ),
            (
                "0004f81d4fae7dec11d0a76500a0c91e6bf6",
                "laptop-01.clients.corp.example",
                "AAIBJpnqFI4M09TdFLQvID8NwEbrLJJdfcG4VABni//IoiQ=",
            ),
        ] {
            let duid = data_encoding::HEXLOWER.decode(duid.as_bytes()).unwrap();
            let want = Data::dhcid(data_encoding::BASE64.decode(want.as_bytes()).unwrap());
            let name = Name::vec_from_str(name).unwrap();
            assert_eq!(Owner::from_duid(duid.clone()).claim(&name), want);
            if let Ok(uuid) = <[u8; 16]>::try_from(&duid[2..]) {
                assert_eq!(Owner::from_uuid(uuid).claim(&name), want);
            }
        }
    }
}
