//! Sentiment: texts to tokens, a score to a label.

use bytes::Bytes;
use quintet_bundle::text::{TOKENIZER_FILE, Tokenizer, TokenizerError};
use quintet_bundle::{Bundle, DataType, Manifest, Preprocessing, TensorSpec};
use smallvec::SmallVec;

use crate::runtime::Row;

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
    /// Whether the text was longer; then this is its end.
    pub truncated: bool,
}

/// What the model holds a text to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sentiment {
    /// The probability of the second label, in `[0, 1]`.
    pub score: f32,
    /// The likelier label: 0 or 1.
    pub label: usize,
}

/// Whether the model takes tokens and gives the probability of the second of two labels.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    let inputs = [
        TensorSpec::new("tokens", DataType::Int64, ["N".into(), "L".into()]),
        TensorSpec::new("lengths", DataType::Int32, ["N".into()]),
    ];
    if manifest.inputs != inputs {
        return Err("its inputs are not `tokens` INT64 [N, L] and `lengths` INT32 [N]".to_owned());
    }
    if manifest.outputs != [TensorSpec::new("score", DataType::Float32, ["N".into()])] {
        return Err("its output is not `score` FP32 [N]".to_owned());
    }
    if manifest.labels.len() != 2 {
        let labels = manifest.labels.len();
        return Err(format!(
            "it has {labels} labels; 2 are needed, the negative one first"
        ));
    }
    match manifest.preprocessing {
        Some(Preprocessing::TokenSequence { max_tokens: 1.. }) => Ok(()),
        _ => Err("its pre-processing is not a token sequence".to_owned()),
    }
}

/// The model's output row as a score. `None`: the row holds something that is no probability.
pub fn finish(row: &Row) -> Option<Sentiment> {
    let score = f32::from_le_bytes(row.first()?.as_ref().try_into().ok()?);
    (0.0..=1.0).contains(&score).then_some(Sentiment {
        score,
        label: usize::from(score >= 0.5),
    })
}

// === impl Reader ===

impl Reader {
    /// The reader of a bundle that [`super::check`] has passed.
    ///
    /// # Errors
    /// When the bundle's tokeniser is missing or cannot be read.
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
    /// When the tokeniser makes nothing of the text, which one that the trainer made never does.
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

    fn output(score: f32) -> Row {
        std::iter::once(Bytes::copy_from_slice(&score.to_le_bytes())).collect()
    }

    fn reader() -> Reader {
        Reader {
            tokenizer: Tokenizer::train(["good film", "good good"], 5).unwrap(),
            max_tokens: 4,
        }
    }

    #[test]
    fn a_score_is_the_probability_of_the_second_label() {
        for (score, label) in [(0.0, 0), (0.499, 0), (0.5, 1), (1.0, 1)] {
            assert_eq!(finish(&output(score)), Some(Sentiment { score, label }));
        }
    }

    #[test]
    fn what_is_no_probability_is_no_answer() {
        for score in [f32::NAN, f32::INFINITY, -0.1, 1.1] {
            assert_eq!(finish(&output(score)), None, "{score}");
        }
        assert_eq!(finish(&Row::new()), None);
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
