//! Why a tokeniser cannot be made or used.

/// Why a tokeniser cannot be made or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// There is no room for a word.
    #[error("vocabulary size is {actual}, allowed: at least {least}")]
    VocabularySize {
        /// What was asked for.
        actual: usize,
        /// The special tokens and one word.
        least: usize,
    },
    /// No text has a word.
    #[error("the texts to learn a vocabulary from have no words")]
    NoWords,
    /// The bytes are not a tokeniser.
    #[error("tokenizer.json: {0}")]
    Format(String),
    /// The tokeniser has no token for a part of a text; one that [`super::Tokenizer::train`] made
    /// always has.
    #[error("text cannot be tokenised: {0}")]
    Encode(String),
    /// The tokeniser made nothing of a text, and a network needs at least one token.
    #[error("text gives no tokens")]
    Empty,
}
