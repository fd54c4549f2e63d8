//! A TSIG key from a file as `tsig-keygen` writes it: `key "name" { algorithm hmac-sha256; secret "..."; };`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::base::Name;
use domain::tsig::{Algorithm, Key, KeyName};
use ring::hmac;

/// A key. Its secret is never shown.
#[derive(Clone)]
pub struct TsigKey {
    pub(super) key: Arc<Key>,
    secret: Arc<[u8]>,
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TsigKey({}, {})", self.key.name(), self.key.algorithm())
    }
}

/// Why a file is no key. Never quotes the secret.
#[derive(Debug)]
pub struct KeyFileError {
    /// The file, where one was read.
    pub path: Option<PathBuf>,
    /// What is wrong, for a person.
    pub what: String,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{}: {}", path.display(), self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for KeyFileError {}

impl TsigKey {
    pub(crate) fn shared(&self) -> Arc<Key> {
        Arc::clone(&self.key)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// The file cannot be read or holds no usable key.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let fault = |what: String| KeyFileError { path: Some(path.to_owned()), what };
        let text = std::fs::read_to_string(path).map_err(|error| fault(error.to_string()))?;
        Self::parse(&text).map_err(|error| fault(error.what))
    }

    /// Reads a key file's text.
    ///
    /// # Errors
    /// The text holds no usable key.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let fault = |what: &str| KeyFileError { path: None, what: what.to_owned() };
        let words = words(text).ok_or_else(|| fault("a quoted string or comment has no end"))?;
        let mut words = words.iter().map(String::as_str);
        if words.next() != Some("key") {
            return Err(fault("expected `key \"name\" { algorithm ...; secret \"...\"; };`"));
        }
        let name = words.next().ok_or_else(|| fault("the key has no name"))?;
        let name: KeyName = Name::from_chars(name.chars())
            .map_err(|_| fault(&format!("the key's name {name:?} is no domain name")))?;
        let (mut algorithm, mut secret) = (None, None);
        if words.next() != Some("{") {
            return Err(fault("expected `{` after the key's name"));
        }
        loop {
            let statement = words.next();
            let value = match statement {
                Some("}") => break,
                Some("algorithm" | "secret") => words.next(),
                _ => return Err(fault("expected `algorithm`, `secret` or `}`")),
            };
            if words.next() != Some(";") {
                return Err(fault("expected `;` after the value"));
            }
            if statement == Some("algorithm") { algorithm = value } else { secret = value }
        }
        let algorithm = match algorithm {
            Some("hmac-sha256") => Algorithm::Sha256,
            Some("hmac-sha384") => Algorithm::Sha384,
            Some("hmac-sha512") => Algorithm::Sha512,
            Some(other) => {
                return Err(fault(&format!(
                    "algorithm {other:?} is not one of hmac-sha256, hmac-sha384, hmac-sha512"
                )));
            }
            None => return Err(fault("the key has no algorithm")),
        };
        let secret = secret.ok_or_else(|| fault("the key has no secret"))?;
        let secret =
            data_encoding::BASE64.decode(secret.as_bytes()).map_err(|_| fault("the secret is not base64"))?;
        if secret.is_empty() {
            return Err(fault("the secret is empty"));
        }
        // RFC 8945, section 5.2.2.1: MACs of full length only, in both directions.
        let key = Key::new(algorithm, &secret, name, None, None).map_err(|_| fault("the key is unusable"))?;
        Ok(Self { key: Arc::new(key), secret: secret.into() })
    }

    /// The key's name, as the server must know it.
    #[must_use]
    pub fn name(&self) -> String {
        self.key.name().to_string()
    }

    /// The key for a digest of our own.
    pub(super) fn secret(&self) -> hmac::Key {
        let algorithm = match self.key.algorithm() {
            // `parse` admits no weaker one.
            Algorithm::Sha1 | Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha384 => hmac::HMAC_SHA384,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, &self.secret)
    }

    /// Name in canonical wire form.
    pub(super) fn wire_name(&self) -> Vec<u8> {
        self.key.name().as_slice().to_ascii_lowercase()
    }

    /// Name of the algorithm in canonical wire form.
    pub(super) fn wire_algorithm(&self) -> Vec<u8> {
        self.key.algorithm().to_name().as_slice().to_vec()
    }
}

/// Words, braces and semicolons; comments as in named.conf. `None` when a string or comment has no end.
fn words(text: &str) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/")? + 2,
            '{' | '}' | ';' => {
                out.push(first.to_string());
                1
            }
            '"' => {
                let length = rest.get(1..)?.find('"')?;
                out.push(rest.get(1..=length)?.to_owned());
                length + 2
            }
            _ => {
                let length =
                    rest.find(|c: char| c.is_whitespace() || "{};\"#".contains(c)).unwrap_or(rest.len());
                out.push(rest.get(..length)?.to_owned());
                length
            }
        };
        rest = rest.get(end..)?.trim_start();
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "pRP5FapFoJ95JEL06sv4PQ==";

    fn file(algorithm: &str, secret: &str) -> String {
        format!(
            "# made by hand\nkey \"ddns-key.corp.example\" {{\n\talgorithm {algorithm};\n\tsecret \"{secret}\";\n}};\n"
        )
    }

    #[test]
    fn a_key_of_tsig_keygen_is_read_and_its_secret_never_shown() {
        let key = TsigKey::parse(&file("hmac-sha256", SECRET)).unwrap();
        assert_eq!(key.name(), "ddns-key.corp.example");
        let shown = format!("{key:?}");
        assert!(shown.contains("ddns-key") && !shown.contains(SECRET), "{shown}");
        let terse = format!("key ddns{{/* x */secret {SECRET};algorithm hmac-sha512;}};// end");
        assert_eq!(TsigKey::parse(&terse).unwrap().name(), "ddns");
    }

    #[test]
    fn what_is_no_key_is_refused_without_its_secret() {
        for bad in [
            String::new(),
            "zone x {};".into(),
            file("hmac-md5", SECRET),
            file("hmac-sha1", SECRET),
            file("hmac-sha256", "no base64!"),
            file("hmac-sha256", ""),
            "key \"a\" { algorithm hmac-sha256; };".into(),
            format!("key \"a\" {{ secret \"{SECRET}\"; }};"),
            format!("key \"a\" {{ algorithm hmac-sha256; secret \"{SECRET}\""),
            format!("key \"a..b\" {{ algorithm hmac-sha256; secret \"{SECRET}\"; }};"),
        ] {
            let error = TsigKey::parse(&bad).unwrap_err().to_string();
            assert!(!error.is_empty() && !error.contains(SECRET) && !error.contains("no base64!"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,200}") {
            let _ = TsigKey::parse(&text);
        }
    }
}
