//! A fast path for tokenisers that [`super::Tokenizer::train`] made.
//!
//! The `tokenizers` crate tracks where every character came from: 150 ns a byte, as long as an LSTM
//! takes to read the words. ASCII text is split here instead, by the same rules. The rest goes to
//! the crate, in pieces that no word crosses. Tests compare the two.

use std::collections::HashMap;

use super::UNKNOWN;
use super::tokenizer::TokenizerError;
use super::words::Words;

/// The words that have numbers.
#[derive(Clone)]
pub(super) struct Scanner {
    words: Words,
}

/// What a place in a text begins with.
enum Piece {
    /// Nothing that counts, up to this place.
    Gap(usize),
    /// A word, up to this place.
    Word(usize),
    /// Something that is the crate's, up to this place.
    Foreign(usize),
}

impl Scanner {
    pub(super) fn new(vocabulary: &HashMap<String, u32>) -> Self {
        let words = Words::new(vocabulary);
        Self { words }
    }

    /// Appends the tokens of `text`, without a start marker. `foreign` does so for a piece that is
    /// not ASCII.
    pub(super) fn scan(
        &self,
        text: &str,
        tokens: &mut Vec<i64>,
        foreign: impl Fn(&str, &mut Vec<i64>) -> Result<(), TokenizerError>,
    ) -> Result<(), TokenizerError> {
        let mut start = 0;
        while start < text.len() {
            let end = match piece(text.as_bytes(), start) {
                Piece::Gap(end) => end,
                Piece::Word(end) => {
                    let known = self.words.number(&text.as_bytes()[start..end]);
                    tokens.push(known.map_or(UNKNOWN, i64::from));
                    end
                }
                Piece::Foreign(end) => {
                    foreign(&text[start..end], tokens)?;
                    end
                }
            };
            start = end;
        }
        Ok(())
    }
}

/// What begins at `start`, and where it ends: at the end of the text or before an ASCII character.
fn piece(text: &[u8], start: usize) -> Piece {
    match text[start] {
        b'!' | b'?' => Piece::Word(start + 1),
        b'<' => line_break(text, start).unwrap_or(Piece::Gap(start + 1)),
        byte if byte.is_ascii_alphanumeric() => word(text, start),
        byte if byte.is_ascii() => Piece::Gap(start + 1),
        _ => foreign(text, start),
    }
}

/// Letters and digits, with apostrophes inside.
fn word(text: &[u8], start: usize) -> Piece {
    let mut end = start + 1;
    loop {
        let next = text.get(end);
        match (next, text.get(end + 1)) {
            (Some(byte), _) if byte.is_ascii_alphanumeric() => end += 1,
            (Some(b'\''), Some(byte)) if byte.is_ascii_alphanumeric() => end += 2,
            // The word may go on.
            (Some(byte), _) if !byte.is_ascii() => return foreign(text, start),
            (Some(b'\''), Some(byte)) if !byte.is_ascii() => return foreign(text, start),
            _ => return Piece::Word(end),
        }
    }
}

/// All up to the next ASCII blank, which no word contains, or `<`, where a line break may begin.
fn foreign(text: &[u8], start: usize) -> Piece {
    let is_end = |byte: &u8| *byte == b'<' || byte.is_ascii_whitespace();
    let length = text[start..].iter().position(is_end);
    Piece::Foreign(length.map_or(text.len(), |length| start + length))
}

/// `<br>`, with blanks and a slash before its end.
fn line_break(text: &[u8], start: usize) -> Option<Piece> {
    if !text.get(start + 1..start + 3)?.eq_ignore_ascii_case(b"br") {
        return None;
    }
    // Vertical tab is a blank to the expression, though not to Rust.
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let blanks = text[start + 3..].iter().position(|byte| !is_blank(byte))?;
    let after = start + 3 + blanks;
    match &text[after..] {
        [b'>', ..] => Some(Piece::Gap(after + 1)),
        [b'/', b'>', ..] => Some(Piece::Gap(after + 2)),
        // A blank of another alphabet may be part of it: the crate reads all the rest.
        [byte, ..] if !byte.is_ascii() => Some(Piece::Foreign(text.len())),
        _ => None,
    }
}
