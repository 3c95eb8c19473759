//! From a text to tokens, shared by training and serving.
//!
//! A bundle carries its tokeniser as `tokenizer.json`, in the format of the `tokenizers` crate, so
//! that other programs can read it too.

mod clean;
mod scanner;
mod spec;
mod tokenizer;
mod words;

pub use clean::clean;
pub use spec::{Side, TextSpec};
pub use tokenizer::{Encoded, Pairs, Tokenizer, TokenizerError};

/// File name of a bundle's tokeniser.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// The token that fills up short rows of a batch; its place is after the text's own tokens.
pub const PADDING: i64 = 0;
/// The token that every text begins with, so that even an empty one has a token.
pub const START: i64 = 1;
/// The token of every word that is not in the vocabulary.
pub const UNKNOWN: i64 = 2;
