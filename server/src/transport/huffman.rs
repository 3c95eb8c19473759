//! A walk over an `:authority` in HPACK's Huffman code (RFC 7541, appendix B), as far as replacing
//! characters in it needs.

/// Of each length of a code from 5 bits on, the first code that is longer; 0: no code has it. Codes
/// are in the order of their lengths.
const LONGER: [u32; 11] = [
    0x0a, 0x2e, 0x7c, 0xfe, 0, 0x3fd, 0x7fd, 0xffc, 0x1ffe, 0x3ffe, 0x7fff,
];
/// The shortest code.
const SHORTEST: u32 = 5;
/// Longer codes are not those of an authority's characters.
const LONGEST: u32 = 15;

const PERCENT: (u32, u32) = (0x15, 6);
const COMMA: (u32, u32) = (0xfa, 8);
/// What a list must not have, and what takes its place: codes of the same length.
const REPLACED: [((u32, u32), u32); 5] = [
    // A percent sign by a hyphen.
    (PERCENT, 0x16),
    // A colon by the letter B.
    ((0x5c, 7), 0x5d),
    // Brackets and the at sign by a tilde.
    ((0x1ffb, 13), 0x1ffd),
    ((0x1ffc, 13), 0x1ffd),
    ((0x1ffa, 13), 0x1ffd),
];

/// Where a walk is. A value may come in pieces, cut anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Huffman {
    /// The bits of the next code, and how many they are.
    code: u32,
    length: u32,
    /// Whether a code has come that is none of an authority.
    is_lost: bool,
}

impl Huffman {
    /// Walks over the last of these bytes; those before it have been walked over. Notes whether the
    /// value `is_list`, and makes a list acceptable.
    ///
    /// A code that began in an earlier piece is replaced if only its last bits change.
    pub(super) fn walk(&mut self, bytes: &mut [u8], is_list: &mut bool) {
        let Some(&last) = bytes.last() else {
            return;
        };
        for bit in (0..8).rev() {
            if self.is_lost {
                return;
            }
            self.code = self.code << 1 | u32::from(last >> bit & 1);
            self.length += 1;
            if self.length < SHORTEST {
                continue;
            }
            if self.length > LONGEST {
                self.is_lost = true;
                return;
            }
            let longer = LONGER[(self.length - SHORTEST) as usize];
            if self.code >= longer {
                continue;
            }
            let symbol = (self.code, self.length);
            *is_list |= symbol == PERCENT || symbol == COMMA;
            let replaced = REPLACED.iter().find(|(it, _)| *it == symbol);
            if let Some((_, by)) = replaced.filter(|_| *is_list) {
                change(bytes, bit, self.code ^ by);
            }
            (self.code, self.length) = (0, 0);
        }
    }
}

/// Flips the bits of a code that ends with this bit of the last byte.
fn change(bytes: &mut [u8], bit: u32, flipped: u32) {
    let flipped = (flipped << bit).to_le_bytes();
    for (byte, flipped) in bytes.iter_mut().rev().zip(flipped) {
        *byte ^= flipped;
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Codes of characters that authorities have, from RFC 7541.
    const CODES: [(u8, u32, u32); 16] = [
        (b'0', 0x0, 5),
        (b'1', 0x1, 5),
        (b'2', 0x2, 5),
        (b'a', 0x3, 5),
        (b'.', 0x17, 6),
        (b'-', 0x16, 6),
        (b'3', 0x19, 6),
        (b'%', 0x15, 6),
        (b'A', 0x21, 6),
        (b'b', 0x23, 6),
        (b':', 0x5c, 7),
        (b'B', 0x5d, 7),
        (b',', 0xfa, 8),
        (b'[', 0x1ffb, 13),
        (b']', 0x1ffc, 13),
        (b'~', 0x1ffd, 13),
    ];

    /// As encoders have it.
    pub(in super::super) fn encode(text: &str) -> Vec<u8> {
        let mut bits = Vec::new();
        for byte in text.bytes() {
            let (_, code, length) = CODES.iter().find(|(it, ..)| *it == byte).unwrap();
            bits.extend((0..*length).rev().map(|bit| code >> bit & 1));
        }
        bits.resize(bits.len().next_multiple_of(8), 1);
        let byte = |bits: &[u32]| bits.iter().fold(0, |byte, bit| byte << 1 | *bit as u8);
        bits.chunks(8).map(byte).collect()
    }

    #[test]
    fn a_list_is_made_acceptable() {
        for (given, becomes) in [
            ("10.0.0.1:1,10.0.0.2:2", "10.0.0.1:1,10.0.0.2B2"),
            ("1%3A1,[a]:2", "1-3A1,~a~B2"),
            ("[a]:1", "[a]:1"),
            ("a.b:1", "a.b:1"),
        ] {
            let mut bytes = encode(given);
            let (mut walk, mut is_list) = (Huffman::default(), false);
            for end in 1..=bytes.len() {
                walk.walk(&mut bytes[..end], &mut is_list);
            }
            assert_eq!(bytes, encode(becomes), "{given}");
        }
    }

    #[test]
    fn noise_is_no_reason_to_panic() {
        for byte in 0..=u8::MAX {
            let (mut walk, mut is_list) = (Huffman::default(), true);
            (0..40).for_each(|_| walk.walk(&mut [byte], &mut is_list));
        }
    }
}
