//! The TLS 1.3 record layer (RFC 8446, section 5): protection in place, one direction an object.

use std::io;

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;

/// Octets of a record's header.
pub(crate) const HEADER: usize = 5;
/// Most plaintext octets a record carries (RFC 8446, section 5.1).
pub(crate) const LARGEST_PLAINTEXT: usize = 1 << 14;
/// Most octets behind the header of a protected record (RFC 8446, section 5.2).
pub(crate) const LARGEST_PROTECTED: usize = LARGEST_PLAINTEXT + 256;
/// Octets of the authentication tag, the same for every suite of TLS 1.3 that we offer.
const TAG: usize = 16;

/// Content types (RFC 8446, section 5.1).
pub(crate) mod content {
    pub(crate) const ALERT: u8 = 21;
    pub(crate) const HANDSHAKE: u8 = 22;
    pub(crate) const APPLICATION_DATA: u8 = 23;
}

/// Keys of one direction, with the number of the next record.
pub(crate) struct Protection {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
    /// AES-GCM keys must not protect more records than 2^24.5 (RFC 8446, section 5.5); ChaCha20 has no such limit.
    bounded: bool,
}

impl Protection {
    pub(crate) fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> io::Result<Self> {
        use ConnectionTrafficSecrets as Secrets;
        let (algorithm, key, iv) = match &secrets {
            Secrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            Secrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            Secrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(io::Error::other("cipher suite without record protection of ours")),
        };
        let bounded = !std::ptr::eq(algorithm, &CHACHA20_POLY1305);
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| io::Error::other("key length"))?;
        let iv = iv.as_ref().try_into().map_err(|_| io::Error::other("IV length"))?;
        Ok(Self { key: LessSafeKey::new(key), iv, sequence, bounded })
    }

    /// True when the key has protected about as many records as it may.
    pub(crate) fn is_worn(&self, limit: u64) -> bool {
        self.bounded && self.sequence >= limit
    }

    /// RFC 8446, section 5.3: the record's number, padded to the IV's length, exclusive-or the IV.
    fn nonce(&mut self) -> io::Result<Nonce> {
        let mut nonce = self.iv;
        for (n, s) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *n ^= s;
        }
        self.sequence =
            self.sequence.checked_add(1).ok_or_else(|| io::Error::other("record numbers used up"))?;
        Ok(Nonce::assume_unique_for_key(nonce))
    }

    /// Appends one record of at most [`LARGEST_PLAINTEXT`] octets to `out`.
    pub(crate) fn seal(&mut self, kind: u8, plaintext: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        debug_assert!(plaintext.len() <= LARGEST_PLAINTEXT, "the caller cuts");
        let length = plaintext.len() + 1 + TAG;
        // The outer type is always application data, the version always that of TLS 1.2 (RFC 8446, section 5.2).
        let header = [content::APPLICATION_DATA, 3, 3, (length >> 8) as u8, length as u8];
        let nonce = self.nonce()?;
        out.extend_from_slice(&header);
        let start = out.len();
        out.extend_from_slice(plaintext);
        out.push(kind);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(header), &mut out[start..])
            .map_err(|_| io::Error::other("record does not fit its cipher"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// Opens the record whose protected octets start at `at` of `buffer` and go to its end; the plaintext is moved to the
    /// front of `buffer`. Gives the content type and the length of the plaintext.
    pub(crate) fn open(
        &mut self,
        header: [u8; HEADER],
        buffer: &mut [u8],
        at: usize,
    ) -> io::Result<(u8, usize)> {
        let nonce = self.nonce()?;
        let inner = self
            .key
            .open_within(nonce, Aad::from(header), buffer, at..)
            .map_err(|_| invalid("record that does not authenticate"))?;
        // RFC 8446, section 5.4: zeros behind the content type are padding.
        let end =
            inner.iter().rposition(|&octet| octet != 0).ok_or_else(|| invalid("record without a type"))?;
        if end > LARGEST_PLAINTEXT {
            return Err(invalid("record longer than a record may be"));
        }
        Ok((inner[end], end))
    }
}

/// How much of a record has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    /// The header and `length` protected octets are there.
    Whole {
        /// The header, which is authenticated with the record.
        header: [u8; HEADER],
        /// Octets behind the header.
        length: usize,
    },
    /// More octets are needed.
    Partial,
}

/// Looks for one protected record at the front of `bytes`.
pub(crate) fn frame(bytes: &[u8]) -> io::Result<Framed> {
    let Some(&header) = bytes.first_chunk::<HEADER>() else { return Ok(Framed::Partial) };
    // After the handshake every record is protected and wears this type.
    if header[0] != content::APPLICATION_DATA || header[1] != 3 {
        return Err(invalid("record of an unexpected type"));
    }
    let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
    if length > LARGEST_PROTECTED || length <= TAG {
        return Err(invalid("record of an impossible length"));
    }
    Ok(if bytes.len() < HEADER + length { Framed::Partial } else { Framed::Whole { header, length } })
}

pub(crate) fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
