//! From texts to rows.

use std::sync::Arc;

use bytes::Bytes;
use quintet_bundle::text::{TOKENIZER_FILE, Tokenizer, TokenizerError};
use quintet_bundle::{Bundle, Preprocessing};
use smallvec::SmallVec;

use super::Limits;
use crate::blocking::Blocking;
use crate::error::{ServeError, Violation};
use crate::runtime::Row;

/// Texts of a request that together have no more bytes than this are tokenised on the I/O thread: a
/// quarter of a ms in English, 2 ms at the worst, where the `tokenizers` crate has to read them.
const INLINE_BYTES: usize = 16 * 1024;

/// Turns texts into the rows of one model.
#[derive(Debug)]
pub struct Reader {
    tokenizer: Tokenizer,
    max_tokens: usize,
}

/// A text as the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The model's input.
    pub row: Row,
    /// Whether the text was longer; then the row is its end.
    pub truncated: bool,
}

/// Tokenises texts: long ones on a blocking thread.
pub(super) async fn read(
    blocking: &Blocking,
    limits: Limits,
    reader: Arc<Reader>,
    texts: Vec<String>,
) -> Result<SmallVec<[Reading; 1]>, ServeError> {
    let limit = limits.max_text_bytes;
    let sizes = texts.iter().enumerate().map(|(index, text)| {
        let bytes = text.len();
        if bytes <= limit {
            return Ok(bytes);
        }
        let description = format!("is {bytes} bytes; at most {limit} are allowed");
        Err(Violation::new(format!("texts[{index}]"), description))
    });
    let sizes: SmallVec<[usize; 8]> = ServeError::collect(sizes)?;
    let is_short = sizes.iter().sum::<usize>() <= INLINE_BYTES;
    let read = move |index, text: String| {
        let reading = reader.read(&text);
        reading.map_err(|error| Violation::new(format!("texts[{index}]"), error.to_string()))
    };
    blocking.each(is_short, texts, read).await
}

// === impl Reader ===

impl Reader {
    /// The reader of a bundle that the task has checked.
    ///
    /// # Errors
    /// The bundle's tokeniser is missing or cannot be read.
    pub fn of(bundle: &Bundle) -> Result<Self, TokenizerError> {
        let json = bundle.file(TOKENIZER_FILE).unwrap_or_default();
        let max_tokens = match bundle.manifest().preprocessing {
            Some(Preprocessing::TokenSequence { max_tokens }) => max_tokens,
            _ => 0,
        };
        Ok(Self {
            tokenizer: Tokenizer::from_bytes(json)?,
            max_tokens,
        })
    }

    /// How many different tokens there are, from 0 on.
    pub fn vocabulary_size(&self) -> usize {
        self.tokenizer.vocabulary_size()
    }

    /// A text as the model's input row.
    ///
    /// # Errors
    /// The tokeniser fails, which one that the trainer made never does.
    pub fn read(&self, text: &str) -> Result<Reading, TokenizerError> {
        let encoded = self.tokenizer.encode(text, self.max_tokens)?;
        let steps = encoded.tokens.len();
        // Both cells in one piece of memory.
        let mut cells = Vec::with_capacity(steps * size_of::<i64>() + size_of::<i32>());
        cells.extend_from_slice(bytemuck::cast_slice(&encoded.tokens));
        let tokens = cells.len();
        cells.extend_from_slice(&(steps as i32).to_le_bytes());
        let cells = Bytes::from(cells);
        let cells: SmallVec<[Bytes; 2]> =
            smallvec::smallvec![cells.slice(..tokens), cells.slice(tokens..)];
        Ok(Reading {
            row: Row::sequence(cells, steps),
            truncated: encoded.truncated,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader() -> Reader {
        Reader {
            tokenizer: Tokenizer::train(["good film", "good good"], 5).unwrap(),
            max_tokens: 4,
        }
    }

    #[test]
    fn a_row_is_the_tokens_and_how_many_there_are() {
        // [START], then `good` 3, `film` 4, anything else 2.
        for (text, tokens, truncated) in [
            ("Good FILM", vec![1, 3, 4], false),
            ("", vec![1], false),
            ("zzz \u{1f600}", vec![1, 2], false),
            ("film a b c d film", vec![2, 2, 2, 4], true),
        ] {
            let Reading {
                row,
                truncated: cut,
            } = reader().read(text).unwrap();
            let bytes: Vec<u8> = tokens.iter().flat_map(|t: &i64| t.to_le_bytes()).collect();
            assert_eq!(row[0], bytes, "{text}");
            assert_eq!(row[1], (tokens.len() as i32).to_le_bytes()[..]);
            assert_eq!((row.steps(), cut), (tokens.len(), truncated));
        }
    }
}
