//! Bits of a scan's data, and the Huffman codes in them.

use super::scan::Short;

/// The bits of one restart interval, or of a whole scan.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The byte that is being read, and how many of its bits are left.
    byte: u8,
    left: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            byte: 0,
            left: 0,
        }
    }

    pub(super) fn bit(&mut self) -> Result<u32, Short> {
        if self.left == 0 {
            self.byte = *self.bytes.get(self.at).ok_or(Short)?;
            // A byte of 0xFF that is data is followed by a zero.
            self.at += if self.byte == 0xFF { 2 } else { 1 };
            self.left = 8;
        }
        self.left -= 1;
        Ok(u32::from((self.byte >> self.left) & 1))
    }

    /// A number of up to 16 bits.
    pub(super) fn number(&mut self, bits: u8) -> Result<u32, Short> {
        (0..bits).try_fold(0, |number, _| Ok((number << 1) | self.bit()?))
    }

    /// A symbol; what is no code counts as missing data, since only chance makes it one.
    pub(super) fn symbol(&mut self, code: &Code) -> Result<u8, Short> {
        let (mut word, mut first, mut place) = (0, 0, 0);
        for &count in &code.counts {
            word = (word << 1) | self.bit()?;
            let count = u32::from(count);
            if word < first + count {
                let symbol = code.symbols.get((place + word - first) as usize);
                return symbol.copied().ok_or(Short);
            }
            place += count;
            first = (first + count) << 1;
        }
        Err(Short)
    }
}

/// A Huffman code (T.81, annex C): how many words of each length there are, and their symbols.
#[derive(Debug, Clone)]
pub(super) struct Code {
    counts: [u8; 16],
    symbols: Vec<u8>,
}

impl Code {
    /// Reads a code from a segment; gives the rest of it.
    pub(super) fn read(segment: &[u8]) -> Option<(Self, &[u8])> {
        let (counts, rest) = segment.split_first_chunk()?;
        let count = counts.iter().map(|&count| usize::from(count)).sum();
        let (symbols, rest) = rest.split_at_checked(count)?;
        let code = Self {
            counts: *counts,
            symbols: symbols.to_vec(),
        };
        Some((code, rest))
    }
}
