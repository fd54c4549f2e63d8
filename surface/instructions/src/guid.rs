//! GUIDs that follow from a name: the same instructions give the same files.

use core::fmt;

use sha2::{Digest, Sha256};

/// A GUID as registry and Group Policy write it, with braces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Guid([u8; 16]);

impl Guid {
    /// The GUID of `name` for one `use_`.
    pub(crate) fn of(use_: &str, name: &str) -> Self {
        let digest =
            Sha256::new().chain_update("sixgate ").chain_update(use_).chain_update([0]).chain_update(name);
        let mut octets = [0; 16];
        octets.copy_from_slice(&digest.finalize()[..16]);
        // RFC 9562, section 5.8: version 8 is made as its maker likes, here as in appendix B.2.
        octets[6] = octets[6] & 0x0f | 0x80;
        octets[8] = octets[8] & 0x3f | 0x80;
        Self(octets)
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, octet) in self.0.iter().enumerate() {
            let dash = if matches!(i, 4 | 6 | 8 | 10) { "-" } else { "" };
            write!(f, "{dash}{octet:02X}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_its_form_and_follows_from_its_name() {
        let text = Guid::of("backup", "da-isatap.corp.example").to_string();
        assert_eq!(text.len(), 38);
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [9, 4, 4, 4, 13]);
        assert_eq!(text.as_bytes()[15], b'8', "version 8: {text}");
        assert!(b"89AB".contains(&text.as_bytes()[20]), "variant: {text}");
        assert_eq!(Guid::of("backup", "a"), Guid::of("backup", "a"));
        assert_ne!(Guid::of("backup", "a"), Guid::of("policy", "a"));
        assert_ne!(Guid::of("backup", "a"), Guid::of("backup", "b"));
    }
}
