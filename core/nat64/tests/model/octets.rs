//! Octets, and checksums as arithmetic modulo 65,535.

pub(crate) type A4 = [u8; 4];
pub(crate) type A6 = [u8; 16];

pub(crate) fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(crate) fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The sum of 16-bit words modulo 65,535; an odd last octet is the high half of a word.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(pair[0]) * 256 + u64::from(pair.get(1).copied().unwrap_or(0));
    bytes.chunks(2).map(word).sum::<u64>() % 65_535
}

/// A checksum field after what it covers was `old` and is `new`: as right or as wrong as it was.
pub(crate) fn corrected(field: u16, old: &[&[u8]], new: &[&[u8]]) -> u16 {
    let all = |parts: &[&[u8]]| parts.iter().map(|part| sum(part)).sum::<u64>() % 65_535;
    ((u64::from(field) + all(old) + 65_535 - all(new)) % 65_535) as u16
}

/// The field that makes `parts`, the field itself being zero in them, add up.
pub(crate) fn sealed(parts: &[&[u8]]) -> u16 {
    let total = parts.iter().map(|part| sum(part)).sum::<u64>() % 65_535;
    // A sum that is a multiple of 65,535 without being zero is "minus zero": its complement is zero.
    ((65_535 - total) % 65_535) as u16
}

pub(crate) fn pseudo6(src: A6, dst: A6, next: u8, length: usize) -> Vec<u8> {
    [&src[..], &dst, &(length as u32).to_be_bytes(), &[0, 0, 0, next]].concat()
}

pub(crate) fn pseudo4(src: A4, dst: A4, number: u8, length: usize) -> Vec<u8> {
    [&src[..], &dst, &[0, number], &(length as u16).to_be_bytes()].concat()
}

/// Sets the header checksum of an IPv4 packet.
pub(crate) fn seal4(packet: &mut [u8]) {
    let header = usize::from(packet[0] & 15) * 4;
    put16(packet, 10, 0);
    let field = sealed(&[&packet[..header]]);
    put16(packet, 10, field);
}

/// An RFC 6052 prefix: its octets and its length in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) octets: A6,
    pub(crate) bits: usize,
}

impl Prefix {
    pub(crate) fn contains(&self, address: A6) -> bool {
        address[..self.bits / 8] == self.octets[..self.bits / 8]
    }

    /// RFC 6052, section 2.2: the four octets follow the prefix and step over octet 8.
    fn places(&self) -> [usize; 4] {
        let mut places = [0; 4];
        let mut at = self.bits / 8;
        for place in &mut places {
            if at == 8 && self.bits != 96 {
                at += 1;
            }
            *place = at;
            at += 1;
        }
        places
    }

    pub(crate) fn embed(&self, v4: A4) -> A6 {
        let mut octets = self.octets;
        for (place, value) in self.places().into_iter().zip(v4) {
            octets[place] = value;
        }
        octets
    }

    pub(crate) fn extract(&self, address: A6) -> Option<A4> {
        self.contains(address).then(|| self.places().map(|place| address[place]))
    }

    pub(crate) fn is_well_known(&self) -> bool {
        self.bits == 96 && self.octets[..12] == [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]
    }
}

pub(crate) fn unusable4(a: A4) -> bool {
    a[0] == 0 || a[0] == 127 || a[0] >= 224 || a[..2] == [169, 254]
}

/// Addresses that RFC 6052, section 3.1 keeps out of the well-known prefix: not global by the registry of IANA.
pub(crate) fn non_global4(a: A4) -> bool {
    let documentation = [[192, 0, 2], [198, 51, 100], [203, 0, 113]].contains(&[a[0], a[1], a[2]]);
    let private = a[0] == 10 || a[0] == 172 && a[1] / 16 == 1 || a[..2] == [192, 168];
    let shared = a[0] == 100 && a[1] / 64 == 1;
    let benchmarks = a[0] == 198 && a[1] / 2 == 9;
    let assignments = a[..3] == [192, 0, 0] && ![9, 10].contains(&a[3]);
    unusable4(a) || documentation || private || shared || benchmarks || assignments
}

pub(crate) fn unusable6(a: A6) -> bool {
    a[..15] == [0; 15] && a[15] <= 1
        || a[0] == 0xff
        || a[0] == 0xfe && a[1] & 0xc0 == 0x80
        || a[..12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
}
