//! What a manifest says about texts: how many tokens a model reads, and which.

use serde::{Deserialize, Serialize};

use super::{PADDING, TOKENIZER_FILE};
use crate::error::check;
use crate::{ManifestError, PreprocessingKind};

/// Most tokens of a text that a network may read; keeps a row of a batch small.
const MAX_TOKENS: usize = 65_536;

/// How a text becomes a model's tokens, with the bundle's `tokenizer.json`. The keys are those of
/// Hugging Face's tokenizer configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSpec {
    /// Tokens that the network reads of a text at most, special tokens included.
    pub max_tokens: usize,
    /// Which end of a longer text is cut off.
    pub truncation_side: Side,
    /// Whether the tokeniser adds its special tokens, such as `[CLS]` and `[SEP]`.
    pub add_special_tokens: bool,
    /// The token that fills up short rows of a batch, on the right.
    pub pad_token_id: i64,
    /// Whether [`super::clean()`] comes before the tokeniser.
    #[serde(default)]
    pub clean_text: bool,
}

/// An end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The beginning.
    Left,
    /// The end.
    Right,
}

impl TextSpec {
    /// The last `max_tokens` of a cleaned text: the end of a review is where its author sums up.
    pub const fn end_of(max_tokens: usize) -> Self {
        Self {
            max_tokens,
            truncation_side: Side::Left,
            add_special_tokens: true,
            pad_token_id: PADDING,
            clean_text: true,
        }
    }
}

impl PreprocessingKind for TextSpec {
    const KIND: &'static str = "text";
    const FILES: &'static [&'static str] = &[TOKENIZER_FILE];

    fn validate(&self) -> Result<(), ManifestError> {
        let fits = (1..=MAX_TOKENS).contains(&self.max_tokens);
        let allowed = format!("1 to {MAX_TOKENS}");
        check(fits, "preprocessing.max_tokens", self.max_tokens, allowed)?;
        let padding = self.pad_token_id;
        let fits = (0..=i64::from(i32::MAX)).contains(&padding);
        let allowed = "the number of a token, at most an INT32";
        check(fits, "preprocessing.pad_token_id", padding, allowed)
    }
}
