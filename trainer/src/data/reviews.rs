//! Reviews as tokens.

use quintet_bundle::text::{PADDING, Tokenizer, TokenizerError};
use tch::{Device, Tensor};

use super::Samples;

/// Tokens that a network reads of a review, the last ones of a longer review.
pub const MAX_TOKENS: usize = 200;

/// Texts as rows of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRows {
    /// int64 `[n, L]`, padded behind each row's length, as wide as the longest row.
    pub tokens: Vec<i64>,
    /// int32 `[n]`, each 1 to L.
    pub lengths: Vec<i32>,
}

// === impl TokenRows ===

impl TokenRows {
    /// Encodes `texts`, each to at most [`MAX_TOKENS`] tokens.
    pub fn encode<T: AsRef<str>>(
        tokenizer: &Tokenizer,
        texts: &[T],
    ) -> Result<Self, TokenizerError> {
        let encode = |text: &T| Ok(tokenizer.encode(text.as_ref(), MAX_TOKENS)?.tokens);
        let rows = texts.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let lengths = rows.iter().map(|row| row.len() as i32).collect();
        let mut tokens = Vec::with_capacity(rows.len() * width);
        for row in rows {
            let padding = width - row.len();
            tokens.extend(row);
            tokens.extend(std::iter::repeat_n(PADDING, padding));
        }
        Ok(Self { tokens, lengths })
    }

    /// L.
    pub fn width(&self) -> usize {
        self.tokens.len() / self.lengths.len().max(1)
    }
}

// === impl Samples ===

impl Samples {
    /// Encodes labelled texts and copies them to `device`.
    pub fn from_texts<T: AsRef<str>>(
        tokenizer: &Tokenizer,
        texts: &[T],
        labels: &[u8],
        device: Device,
    ) -> Result<Self, TokenizerError> {
        let rows = TokenRows::encode(tokenizer, texts)?;
        let shape = [rows.lengths.len() as i64, rows.width() as i64];
        let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
        Ok(Self {
            inputs: vec![
                Tensor::from_slice(&rows.tokens)
                    .reshape(shape)
                    .to_device(device),
                Tensor::from_slice(&rows.lengths).to_device(device),
            ],
            labels: Tensor::from_slice(&labels).to_device(device),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_are_padded_and_long_ones_keep_their_end() {
        let tokenizer = Tokenizer::train(["good good bad"], 10).unwrap();
        let long = "bad ".repeat(300) + "good";
        let rows = TokenRows::encode(&tokenizer, &["good bad", "", &long]).unwrap();
        assert_eq!(rows.lengths, [3, 1, 200]);
        assert_eq!(rows.width(), 200);
        assert_eq!(rows.tokens[..5], [1, 3, 4, 0, 0]);
        assert_eq!(rows.tokens[200..202], [1, 0]);
        assert_eq!(rows.tokens[598..], [4, 3]);
    }
}
