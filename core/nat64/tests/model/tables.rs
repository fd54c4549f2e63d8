//! RFC 7915, sections 4.2 and 5.2: types, codes, pointers, MTUs. From the text, row by row.

/// Type, code, and the word behind the checksum.
pub(crate) type Message = (u8, u8, u32);

/// Section 4.2. `quoted` is the total length of the packet in the error.
pub(crate) fn to_v6(kind: u8, code: u8, word: u32, quoted: usize, mtu4: u32, mtu6: u32) -> Option<Message> {
    // Figure 3.
    const POINTERS: [Option<u32>; 20] = [
        Some(0),
        Some(1),
        Some(4),
        Some(4),
        None,
        None,
        None,
        None,
        Some(7),
        Some(6),
        None,
        None,
        Some(8),
        Some(8),
        Some(8),
        Some(8),
        Some(24),
        Some(24),
        Some(24),
        Some(24),
    ];
    Some(match (kind, code) {
        (3, 0) | (3, 1) => (1, 0, 0),
        (3, 2) => (4, 1, 6),
        (3, 3) => (1, 4, 0),
        (3, 4) => {
            let mut mtu = word & 0xffff;
            if mtu == 0 {
                // RFC 1191, section 7: the greatest plateau below the length, of those not below 1,280.
                let plateaus = [32_000, 17_914, 8166, 4352, 2002, 1492];
                mtu = plateaus.into_iter().find(|p| (*p as usize) < quoted).unwrap_or(0);
            }
            (2, 0, (mtu + 20).min(mtu6).min(mtu4 + 20).max(1280))
        }
        (3, 5..=8) => (1, 0, 0),
        (3, 9 | 10) => (1, 1, 0),
        (3, 11 | 12) => (1, 0, 0),
        (3, 13 | 15) => (1, 1, 0),
        (11, code) => (3, code, 0),
        (12, 0 | 2) => (4, 0, (*POINTERS.get((word >> 24) as usize)?)?),
        _ => return None,
    })
}

/// Section 5.2. `fragmented` is true when the packet in the error has a fragment header.
pub(crate) fn to_v4(
    kind: u8,
    code: u8,
    word: u32,
    fragmented: bool,
    mtu4: u32,
    mtu6: u32,
) -> Option<Message> {
    Some(match (kind, code) {
        (1, 0) => (3, 1, 0),
        (1, 1) => (3, 10, 0),
        (1, 2 | 3) => (3, 1, 0),
        (1, 4) => (3, 3, 0),
        (2, _) => {
            let header = if fragmented { 28 } else { 20 };
            (3, 4, word.saturating_sub(header).min(mtu4).min(mtu6 - 20))
        }
        (3, code) => (11, code, 0),
        (4, 0) => {
            // Figure 6.
            let pointer = match word {
                0 => 0,
                1 => 1,
                4 | 5 => 2,
                6 => 9,
                7 => 8,
                8..=23 => 12,
                24..=39 => 16,
                _ => return None,
            };
            (12, 0, pointer << 24)
        }
        (4, 1) => (3, 2, 0),
        _ => return None,
    })
}
