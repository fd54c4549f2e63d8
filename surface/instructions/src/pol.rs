//! Registry.pol, the file of registry settings of a Group Policy object ([MS-GPREG], section 2.2.1).
//!
//! A signature (`PReg`), a version (1), then entries `[key;value;type;size;data]`: brackets and semicolons are UTF-16LE
//! characters, key and value are UTF-16LE with a zero at their end, type and size are 32 bits, little-endian. `size` counts
//! the octets of `data` alone; a string's data has its zero.

use core::fmt;

/// `REG_SZ`
pub const STRING: u32 = 1;

const SIGNATURE: u32 = 0x6765_5250;
const VERSION: u32 = 1;
const OPEN: u16 = b'[' as u16;
const CLOSE: u16 = b']' as u16;
const SEPARATOR: u16 = b';' as u16;

/// A setting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Below HKEY_LOCAL_MACHINE for a machine's file; no zero in it.
    pub key: String,
    /// Name of the value; no zero in it.
    pub value: String,
    /// As `winnt.h` numbers it.
    pub kind: u32,
    /// As it is stored; at most 65,535 octets ([MS-GPREG]).
    pub data: Vec<u8>,
}

impl Entry {
    /// A string.
    #[must_use]
    pub fn string(key: &str, value: &str, text: &str) -> Self {
        let data = text.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        Self { key: key.to_owned(), value: value.to_owned(), kind: STRING, data }
    }

    /// The text of a string.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let units: Vec<u16> = self.data.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
        let text = String::from_utf16(units.strip_suffix(&[0])?).ok()?;
        (self.kind == STRING && self.data.len().is_multiple_of(2)).then_some(text)
    }
}

/// The file's octets.
#[must_use]
pub fn write(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(SIGNATURE.to_le_bytes());
    out.extend(VERSION.to_le_bytes());
    let unit = |out: &mut Vec<u8>, unit: u16| out.extend(unit.to_le_bytes());
    for entry in entries {
        unit(&mut out, OPEN);
        for name in [&entry.key, &entry.value] {
            out.extend(name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes));
            unit(&mut out, SEPARATOR);
        }
        out.extend(entry.kind.to_le_bytes());
        unit(&mut out, SEPARATOR);
        // Longer data cannot be said; no setting of ours comes near.
        let size = u32::try_from(entry.data.len()).unwrap_or(u32::MAX);
        out.extend(size.to_le_bytes());
        unit(&mut out, SEPARATOR);
        out.extend(&entry.data);
        unit(&mut out, CLOSE);
    }
    out
}

/// Why octets are no Registry.pol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The first octets are not `PReg` and version 1.
    Header,
    /// It ends within an entry.
    Short,
    /// A bracket or a semicolon is not where one belongs.
    Syntax,
    /// A name is no UTF-16.
    Name,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "does not begin with PReg, version 1",
            Self::Short => "ends within an entry",
            Self::Syntax => "lacks a bracket or a semicolon",
            Self::Name => "has a name that is no UTF-16",
        })
    }
}

/// Reads a file.
///
/// # Errors
/// When it is none.
pub fn parse(octets: &[u8]) -> Result<Vec<Entry>, Fault> {
    let mut rest = Reader(octets);
    if rest.number() != Ok(SIGNATURE) || rest.number() != Ok(VERSION) {
        return Err(Fault::Header);
    }
    let mut entries = Vec::new();
    while !rest.0.is_empty() {
        rest.expect(OPEN)?;
        let key = rest.name()?;
        rest.expect(SEPARATOR)?;
        let value = rest.name()?;
        rest.expect(SEPARATOR)?;
        let kind = rest.number()?;
        rest.expect(SEPARATOR)?;
        let size = usize::try_from(rest.number()?).map_err(|_| Fault::Short)?;
        rest.expect(SEPARATOR)?;
        let data = rest.take(size)?.to_vec();
        rest.expect(CLOSE)?;
        entries.push(Entry { key, value, kind, data });
    }
    Ok(entries)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Fault::Short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn unit(&mut self) -> Result<u16, Fault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Fault::Short)?;
        self.0 = rest;
        Ok(u16::from_le_bytes(*taken))
    }

    fn number(&mut self) -> Result<u32, Fault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Fault::Short)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*taken))
    }

    fn expect(&mut self, wanted: u16) -> Result<(), Fault> {
        if self.unit()? == wanted { Ok(()) } else { Err(Fault::Syntax) }
    }

    fn name(&mut self) -> Result<String, Fault> {
        let mut units = Vec::new();
        loop {
            match self.unit()? {
                0 => return String::from_utf16(&units).map_err(|_| Fault::Name),
                unit => units.push(unit),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_entry_looks_as_the_specification_draws_it() {
        let octets = write(&[Entry::string("K", "v", "x")]);
        let drawn: [&[u8]; 13] = [
            b"PReg\x01\0\0\0",
            b"[\0",
            b"K\0\0\0",
            b";\0",
            b"v\0\0\0",
            b";\0",
            b"\x01\0\0\0",
            b";\0",
            b"\x04\0\0\0",
            b";\0",
            b"x\0\0\0",
            b"]\0",
            b"",
        ];
        assert_eq!(octets, drawn.concat());
        assert_eq!(parse(&octets).unwrap()[0].text().unwrap(), "x");
    }

    #[test]
    fn what_is_no_file_is_said() {
        assert_eq!(parse(b""), Err(Fault::Header));
        assert_eq!(parse(b"PReg\x02\0\0\0"), Err(Fault::Header));
        assert_eq!(parse(b"PReg\x01\0\0\0"), Ok(vec![]));
        let whole = write(&[Entry::string("key", "value", "text")]);
        for length in 9..whole.len() {
            assert_eq!(parse(&whole[..length]), Err(Fault::Short), "{length}");
        }
        let mut wrong = whole.clone();
        wrong[8] = b'(';
        assert_eq!(parse(&wrong), Err(Fault::Syntax));
        let mut endless = whole;
        let size = endless.len() - 2 - 10 - 2 - 4;
        endless[size..size + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&endless), Err(Fault::Short));
    }

    fn entry() -> impl Strategy<Value = Entry> {
        let name = "[^\0]{0,40}";
        (name, name, any::<u32>(), prop::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(key, value, kind, data)| Entry { key, value, kind, data })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in prop::collection::vec(entry(), 0..6)) {
            prop_assert_eq!(parse(&write(&entries)), Ok(entries));
        }

        #[test]
        fn strings_are_read_as_they_were(text in "[^\0]{0,60}") {
            prop_assert_eq!(Entry::string("k", "v", &text).text(), Some(text));
        }

        #[test]
        fn reading_never_panics_and_what_is_read_is_written_alike(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let file = [b"PReg\x01\0\0\0".as_slice(), &octets].concat();
            if let Ok(entries) = parse(&file) {
                prop_assert_eq!(write(&entries), file);
            }
        }
    }
}
