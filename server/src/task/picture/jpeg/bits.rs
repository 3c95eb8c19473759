//! Bits of a scan's data, and the Huffman codes in them.

use super::scan::Short;

/// The bits of one restart interval, or of a whole scan.
#[derive(Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bits that are to be read next, in the lowest `left` ones; those above have been read.
    window: u64,
    left: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            window: 0,
            left: 0,
        }
    }

    pub(super) fn bit(&mut self) -> Result<u32, Short> {
        self.number(1)
    }

    /// A number of up to 16 bits.
    pub(super) fn number(&mut self, bits: u8) -> Result<u32, Short> {
        let bits = u32::from(bits);
        if self.left < bits {
            self.fill();
        }
        self.left = self.left.checked_sub(bits).ok_or(Short)?;
        Ok((self.window >> self.left) as u32 & ((1 << bits) - 1))
    }

    /// A symbol; what is no code counts as missing data, since only chance makes it one.
    pub(super) fn symbol(&mut self, code: &Code) -> Result<u8, Short> {
        if self.left < SHORT_WORD {
            self.fill();
        }
        let next = match self.left.checked_sub(SHORT_WORD) {
            Some(rest) => self.window >> rest,
            None => self.window << (SHORT_WORD - self.left),
        };
        let (length, symbol) = code.short[next as usize & (SHORT_WORDS - 1)];
        if length > 0 && length <= self.left {
            self.left -= length;
            return Ok(symbol);
        }
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

    /// Takes as many bytes as there is room for, so that a shift by `left` is sound.
    fn fill(&mut self) {
        while self.left < u64::BITS - 8
            && let Some(&byte) = self.bytes.get(self.at)
        {
            // A byte of 0xFF that is data is followed by a zero.
            self.at += if byte == 0xFF { 2 } else { 1 };
            self.window = (self.window << 8) | u64::from(byte);
            self.left += 8;
        }
    }
}

/// Words up to this length, in bits, are looked up in a table.
const SHORT_WORD: u32 = 9;
const SHORT_WORDS: usize = 1 << SHORT_WORD;

/// A Huffman code (T.81, annex C): how many words of each length there are, and their symbols.
#[derive(Debug, Clone)]
pub(super) struct Code {
    counts: [u8; 16],
    symbols: Vec<u8>,
    /// For each start of the data, the length of a short word there and its symbol; length 0: none.
    short: Box<[(u32, u8); SHORT_WORDS]>,
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
            short: short_words(counts, symbols),
        };
        Some((code, rest))
    }
}

/// The table of short words. They count up from zero, and more bits follow them.
fn short_words(counts: &[u8; 16], symbols: &[u8]) -> Box<[(u32, u8); SHORT_WORDS]> {
    let mut table = Box::new([(0, 0); SHORT_WORDS]);
    let (mut word, mut symbols) = (0, symbols.iter());
    for (length, &count) in (1..=SHORT_WORD).zip(counts) {
        let step = SHORT_WORDS >> length;
        for &symbol in symbols.by_ref().take(count.into()) {
            // A malformed code has more words than there are.
            if let Some(starts) = table.get_mut(word..word + step) {
                starts.fill((length, symbol));
            }
            word += step;
        }
    }
    table
}
