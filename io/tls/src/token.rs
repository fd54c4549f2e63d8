//! Enrolment tokens: `sgt-` and base32 of a 128-bit secret followed by the first 128 bits of SHA-256 of the authority's
//! public key. The first half lets a client in, the second lets the client know the gateway.

use std::fmt;
use std::io;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use crate::certificate::key_digest;

const PREFIX: &str = "sgt-";
/// Characters behind the prefix: 256 bits, five a character.
const LENGTH: usize = 52;

/// One token. Neither `Debug` nor an error shows the secret; [`Token::reveal`] does.
#[derive(Clone)]
pub struct Token {
    secret: [u8; 16],
    authority: [u8; 16],
}

/// A text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenSyntax;

impl fmt::Display for TokenSyntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a token: `sgt-` and 52 letters and digits, as `sixgate token add` prints it")
    }
}

impl std::error::Error for TokenSyntax {}

impl Token {
    /// A new token for the authority whose key has this digest.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn generate(key_digest: [u8; 32]) -> io::Result<Self> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(io::Error::other)?;
        Ok(Self { secret, authority: half(key_digest) })
    }

    /// The text form, lower case, secret included.
    #[must_use]
    pub fn reveal(&self) -> String {
        let octets = [self.secret, self.authority].concat();
        format!("{PREFIX}{}", BASE32_NOPAD.encode(&octets).to_ascii_lowercase())
    }

    /// SHA-256 of the secret: what a store keeps and looks up. A look-up by it tells nothing of the secret by its time.
    #[must_use]
    pub fn secret_digest(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// What the token says of the authority: half of its key's digest.
    #[must_use]
    pub fn authority(&self) -> [u8; 16] {
        self.authority
    }

    /// True when `certificate` is the authority that the token names.
    #[must_use]
    pub fn names(&self, certificate: &CertificateDer<'_>) -> bool {
        key_digest(certificate).is_some_and(|digest| self.is_of(digest))
    }

    /// True when the token names the authority whose key has this digest.
    #[must_use]
    pub fn is_of(&self, key_digest: [u8; 32]) -> bool {
        half(key_digest) == self.authority
    }
}

fn half(digest: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    half
}

impl FromStr for Token {
    type Err = TokenSyntax;

    /// Surrounding white space and the case of letters do not matter: people paste and read aloud.
    fn from_str(text: &str) -> Result<Self, TokenSyntax> {
        let text = text.trim().to_ascii_uppercase();
        let body = text.strip_prefix("SGT-").filter(|b| b.len() == LENGTH).ok_or(TokenSyntax)?;
        let octets = BASE32_NOPAD.decode(body.as_bytes()).map_err(|_| TokenSyntax)?;
        let (secret, authority) = octets.split_at_checked(16).ok_or(TokenSyntax)?;
        Ok(Self {
            secret: secret.try_into().map_err(|_| TokenSyntax)?,
            authority: authority.try_into().map_err(|_| TokenSyntax)?,
        })
    }
}

impl PartialEq for Token {
    /// In constant time.
    fn eq(&self, other: &Self) -> bool {
        let differences = self.secret.iter().zip(other.secret).fold(0, |sum, (a, b)| sum | (a ^ b));
        let other_authority = self.authority.iter().zip(other.authority).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(differences | other_authority) == 0
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(secret)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_leads_back_to_the_token() {
        let token = Token::generate([7; 32]).unwrap();
        let text = token.reveal();
        assert_eq!(text.len(), 56);
        assert_eq!(text.parse(), Ok(token.clone()));
        assert_eq!(format!("  {}\n", text.to_uppercase()).parse(), Ok(token.clone()));
        assert!(token.is_of([7; 32]) && !token.is_of([8; 32]));
    }

    #[test]
    fn two_tokens_differ_and_show_nothing_by_accident() {
        let (a, b) = (Token::generate([7; 32]).unwrap(), Token::generate([7; 32]).unwrap());
        assert_ne!(a, b);
        assert_ne!(a.secret_digest(), b.secret_digest());
        assert_eq!(format!("{a:?}"), "Token(secret)");
    }

    #[test]
    fn other_texts_are_refused() {
        let good = Token::generate([7; 32]).unwrap().reveal();
        let cut = &good[..good.len() - 1];
        for bad in [
            "",
            "sgt-",
            cut,
            &format!("{good}a"),
            &good[4..],
            &good.replace("sgt-", "sgx-"),
            &format!("{cut}1"),
        ] {
            assert_eq!(bad.parse::<Token>(), Err(TokenSyntax), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_and_every_token_prints_as_it_was_read(text in "(sgt-)?[a-z2-7é]{0,60}") {
            if let Ok(token) = text.parse::<Token>() {
                prop_assert_eq!(token.reveal(), text);
            }
        }
    }
}
